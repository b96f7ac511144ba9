"""Checks templates (`bar_format`), and says which of them Python has to fill in.

The renderer's thread fills in the fields of tqdm with their formats. Items, attributes and dates
(`{postfix[0]}`, `{n.real}`, `{eta:%H:%M}`) take Python's `str.format`.
"""

from __future__ import annotations

from mp_tqdm import _core
from mp_tqdm._texts import postfix_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def needs_python(look: dict[str, Any], postfix: Any, figures: dict[str, Any]) -> bool:
    """Whether Python has to fill in the template of a bar.

    Args:
        look: How the line looks; the constructor's arguments.
        postfix: That of the constructor.
        figures: `n`, `total` and `prefix` of the first line.

    Raises:
        Exception: What `str.format` raises for a template that does not work, as tqdm does when it
            draws the first line.
    """
    template = look["bar_format"]
    shown, is_raw = _shown(postfix)
    look = {name: value for name, value in look.items() if name not in _NOT_SHOWN}
    for name, usual in _USUAL_SIZE.items():
        if look[name] is None:  # it is asked for at each frame
            look[name] = usual
    # Silent until then, the line has a rate by its first frame.
    _core.format_meter(
        elapsed=look.pop("delay"), initial=figures["n"], postfix=shown, **figures, **look
    )
    return is_raw or not _core.is_plain_template(template)


_NOT_SHOWN = ("smoothing", "mininterval")
_USUAL_SIZE = {"ncols": 79, "nrows": 23}


def _shown(postfix: Any) -> tuple[Any, bool]:
    """A postfix as the first line has it, and whether a template may look into it."""
    if not postfix or isinstance(postfix, str):
        return postfix, False
    try:
        pairs = dict(**postfix)
    except TypeError:
        return postfix, True
    return postfix_text(dict(sorted(pairs.items())), _core.format_num), False


def check_new(bar: Any, template: str) -> None:
    """Raises for a template that does not work, given to a bar that the renderer draws.

    One that only Python can fill in is warned of: such a bar has to be drawn by Python from its
    first frame on.
    """
    bar.format_meter(**{**bar.format_dict, "bar_format": template})
    if not _core.is_plain_template(template):
        from mp_tqdm import _said

        if not _said.is_first(f"bar_format {template}"):
            return
        import warnings

        from mp_tqdm._errors import TqdmWarning

        warnings.warn(
            f"bar_format={template!r} has to be given when the bar is made, because Python code "
            "fills it in; the line keeps tqdm's shape. Counting goes on.",
            TqdmWarning,
            stacklevel=3,
        )
