"""Defaults from the environment: `TQDM_MININTERVAL=1` is what bars have that say nothing else.

As tqdm does, once, when the package is imported. Other than there, a switch may be said in words:
`TQDM_DISABLE=0`, `false`, `no`, `off` and `none` are no.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_PREFIX = "TQDM_"
_SAID = "MP_TQDM_SAID"
_RANKS = ("RANK", "LOCAL_RANK", "OMPI_COMM_WORLD_RANK", "PMI_RANK", "SLURM_PROCID")
_NO = {"", "0", "false", "no", "none", "off"}
_YES = {"1", "true", "yes", "on"}


def read(environ: dict[str, str], function: Callable[..., Any]) -> None:
    """Makes what the environment says the defaults of a constructor, at no cost to its calls."""
    code, defaults = function.__code__, list(function.__defaults__ or ())
    names = code.co_varnames[code.co_argcount - len(defaults) : code.co_argcount]
    for variable, text in environ.items():
        name = variable[len(_PREFIX) :].lower()
        if name not in names or name in {"iterable", "file", "lock_args", "gui"}:
            continue
        place = names.index(name)
        try:
            defaults[place] = _value(name, text, defaults[place])
        except ValueError:
            _warn(variable, text)
    function.__defaults__ = tuple(defaults)


def means_no(text: str) -> bool:
    """Whether the text of a switch says no."""
    return text.strip().lower() in _NO


def _value(name: str, text: str, default: Any) -> Any:
    word = text.strip().lower()
    if name == "disable":
        value = default if word in _NO else True
    elif name == "leave" and word == "none":
        value = None
    elif name in {"leave", "write_bytes", "dynamic_ncols"}:
        value = word not in _NO
    elif name in {"ascii", "unit_scale"} and word in _NO | _YES:
        value = word in _YES
    elif name in {"desc", "unit", "bar_format", "postfix", "colour", "ascii"}:
        value = text
    elif name in {"ncols", "nrows", "position"}:
        value = int(text)
    else:
        value = float(text)
    return value


def _warn(variable: str, text: str) -> None:
    """Once for a job: not in the other ranks, nor in workers, which inherit the environment."""
    said, known = f"{variable}={text}", os.environ.get(_SAID, "").split("\n")
    if said in known or any(os.environ.get(name, "0") != "0" for name in _RANKS):
        return
    os.environ[_SAID] = "\n".join(filter(None, (*known, said)))
    import warnings

    from mp_tqdm._errors import TqdmWarning

    warnings.warn(
        f"{variable}={text!r} is no number; bars keep their default. Set a number, or unset it.",
        TqdmWarning,
        stacklevel=3,
    )
