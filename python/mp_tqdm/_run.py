"""The command `python -m mp_tqdm run`: a program whose tqdm is this package's, unedited."""

from __future__ import annotations

import os
import runpy
import sys

from mp_tqdm import _patch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str]) -> None:
    """Runs a script, or with `-m` a module, as `python` would, after `patch()`.

    Args:
        arguments: The script or `-m` and the module, then those of the program.
    """
    # For processes of the program that are no forks.
    os.environ["MP_TQDM_PATCH"] = "1"
    _patch.patch()
    if arguments[0] == "-m":
        sys.argv = list(arguments[1:])
        sys.path[0] = os.getcwd()
        runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
    else:
        sys.argv = list(arguments)
        sys.path[0] = os.path.dirname(os.path.abspath(arguments[0]))
        _run_script(arguments[0])


def _run_script(path: str) -> None:
    """Runs a file as the main module, which spawned children will look for by `__file__`."""
    main_module = sys.modules["__main__"]
    names = vars(main_module)
    names.update(__file__=path, __spec__=None, __package__=None, __cached__=None, __loader__=None)
    with open(path, "rb") as file:
        code = compile(file.read(), path, "exec", dont_inherit=True)
    exec(code, names)  # noqa: S102 - what the command is for
