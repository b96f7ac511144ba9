"""Which packages can be measured here, and that ours is no debug build."""

from importlib.metadata import PackageNotFoundError, version


class DebugBuildError(Exception):
    """The installed mp_tqdm was built without optimisation; its figures would mean nothing."""

    def __init__(self) -> None:
        super().__init__("mp_tqdm is a debug build: install one made by `maturin build --release`")


def why_missing(package: str | None) -> str:
    """Why a subject cannot be measured; empty if it can.

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
    try:
        version(package)
    except PackageNotFoundError:
        return f"{package} is not installed"
    return ""
