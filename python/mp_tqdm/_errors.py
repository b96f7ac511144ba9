"""The exceptions and warnings, under the names that tqdm's users catch."""

from __future__ import annotations


class TqdmTypeError(TypeError):
    """An argument or operand of the wrong type."""


class TqdmKeyError(KeyError):
    """An argument that no bar has."""


class TqdmWarning(Warning):
    """A warning about a bar that cannot be shown as asked; counting goes on.

    Args:
        msg: What happened, what still works, and what to do.
        fp_write: Writes the warning into a stream in place of Python's warning machinery, as
            tqdm does where a bar would be broken by it.
    """

    def __init__(self, msg: str, fp_write: object = None, *args: object) -> None:
        if callable(fp_write):
            fp_write(f"\n{type(self).__name__}: {str(msg).rstrip()}\n")
        else:
            super().__init__(msg, *args)


class TqdmExperimentalWarning(TqdmWarning, FutureWarning):
    """Of tqdm's surface; nothing here gives it."""


class TqdmDeprecationWarning(TqdmWarning, DeprecationWarning):
    """A use that tqdm no longer supports."""


class TqdmMonitorWarning(TqdmWarning, RuntimeWarning):
    """The thread that watches bars could not be started; counting goes on."""


class TqdmSynchronisationWarning(RuntimeWarning):
    """Of tqdm's surface; nothing here gives it."""
