"""The records are values, and the fingerprint is of the rank."""

import pytest

from mp_tqdm import _env
from mp_tqdm._identity import Place
from support.identities import identity
from support.launches import TORCHRUN


def test_identities_are_values() -> None:
    one, same, other = (identity("j", "family", role) for role in ("root", "root", "worker"))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other
    assert "role='root'" in repr(one)
    with pytest.raises(AttributeError):
        one.rank = 3  # type: ignore[misc]
    with pytest.raises(AttributeError):
        one.other = 3  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match="colour"):
        Place(colour=1)  # type: ignore[call-arg]


def test_a_fingerprint_is_of_the_rank_and_not_of_the_address() -> None:
    fingerprint = _env.launcher_fingerprint(TORCHRUN)
    assert _env.launcher_fingerprint(TORCHRUN | {"MASTER_PORT": "1", "HOME": "/"}) == fingerprint
    for name in ("RANK", "LOCAL_RANK", "TORCHELASTIC_RUN_ID"):
        assert _env.launcher_fingerprint(TORCHRUN | {name: "7"}) != fingerprint
