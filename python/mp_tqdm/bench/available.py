"""What can be measured here, how to get what cannot, and that ours is no debug build."""

import subprocess
from importlib.metadata import PackageNotFoundError, version

from mp_tqdm.bench import floor


class DebugBuildError(Exception):
    """The installed mp_tqdm was built without optimisation; its figures would mean nothing."""

    def __init__(self) -> None:
        super().__init__("mp_tqdm is a debug build: install one made by `maturin build --release`")


# The extra that brings a package; all others come with `bench`.
_EXTRAS = {"ray": "bench-ray", "torch": "examples"}


def why_missing(package: str | None) -> str:
    """Why a subject cannot be measured, and the command that changes it; empty if it can.

    Raises:
        DebugBuildError: It is ours, and was built for debugging.
    """
    if package is None:
        return ""
    if package == "mp-tqdm":
        from mp_tqdm import _core

        if _core.__debug_build__:
            raise DebugBuildError
        return ""
    if package == floor.PACKAGE:
        try:
            floor.load()
        except (OSError, subprocess.SubprocessError, ImportError):
            return f"{package} is missing: install gcc and Python's headers (python3-dev)"
        return ""
    try:
        version(package)
    except PackageNotFoundError:
        extra = _EXTRAS.get(package, "bench")
        return f'{package} is not installed: pip install "mp-tqdm[{extra}]"'
    return ""
