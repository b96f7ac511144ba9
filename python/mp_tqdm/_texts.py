"""What a line says and how it looks: numbers, texts and style, kept by the native bar."""

# ruff: noqa: SLF001 - the attributes here are those of one object, defined over several files

from __future__ import annotations

from mp_tqdm import _core

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any


class Numbers(_core.Counting):
    """The numbers of a bar; `_n` and `_total` are those of one that counts nothing."""

    __slots__ = ()

    @property
    def n(self) -> Any:
        """Items done: by this process's rank with its workers, or by the job (a job counter)."""
        native = self._native
        return native.n if native is not None else self._n or 0

    @n.setter
    def n(self, value: Any) -> None:
        native = self._native
        if native is None:
            self._n = value
        else:
            native.n = value

    @property
    def n_own(self) -> Any:
        """Items done by this process alone, without the initial count."""
        return self._native.n_own if self._native is not None else 0

    @property
    def total(self) -> Any:
        """Expected number of items, `None` if unknown."""
        native = self._native
        return native.total if native is not None else self._total

    @total.setter
    def total(self, value: Any) -> None:
        native = self._native
        if native is None:
            self._total = value
        else:
            native.total = value

    @property
    def initial(self) -> Any:
        """Count at the start."""
        native = self._native
        return native.initial if native is not None else self._n or 0

    @initial.setter
    def initial(self, value: Any) -> None:
        if self._native is not None:
            self._native.initial = value


class Look:
    """An attribute that says how the line looks; setting it reaches the next frame."""

    __slots__ = ("_name",)

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, bar: Any, owner: type | None = None) -> Any:
        if bar is None:
            return self
        try:
            return bar._look[self._name]
        except (KeyError, TypeError):
            message = f"{type(bar).__name__!r} object has no attribute {self._name!r}"
            raise AttributeError(message) from None

    def __set__(self, bar: Any, value: Any) -> None:
        # What a subclass that draws by itself puts here need not mean anything to the renderer.
        is_drawn_elsewhere = bar._native is not None and bar._painter is None
        if is_drawn_elsewhere and self._name == "bar_format" and value:
            from mp_tqdm import _templates

            _templates.check_new(bar, value)
        bar._look[self._name] = value
        if is_drawn_elsewhere:
            bar._native.set_looks(bar._look)


class _Pairs(dict):  # type: ignore[type-arg]
    """What `set_postfix` was given; any other dict is shown as it is."""


class Texts(Numbers):
    """The texts and the style of a bar."""

    __slots__ = ()

    if TYPE_CHECKING:
        format_num: Callable[[Any], str]

        def refresh(self, nolock: bool = False, lock_args: Any = None) -> bool: ...

    ascii = Look()
    bar_format = Look()
    colour = Look()
    delay = Look()
    mininterval = Look()
    ncols = Look()
    nrows = Look()
    smoothing = Look()
    unit = Look()
    unit_divisor = Look()
    unit_scale = Look()

    @property
    def desc(self) -> str:
        """What the line begins with."""
        return self._desc or ""

    @desc.setter
    def desc(self, text: str | None) -> None:
        self._desc = text or ""
        if self._native is not None:
            self._native.set_desc(text or "")

    def set_description(self, desc: str | None = None, refresh: bool | None = True) -> None:
        """Sets what the line begins with, with `": "` behind it.

        Args:
            desc: The text; `None` for none.
            refresh: Accepted: the next frame, at most 0.1 s away, shows it in any case.
        """
        self.set_description_str(desc + ": " if desc else "", refresh)

    def set_description_str(self, desc: str | None = None, refresh: bool | None = True) -> None:
        """As `set_description`, without the `": "`."""
        if self._native is None:
            return
        self.desc = desc or ""
        if refresh and self._painter is not None:
            self.refresh()

    def set_postfix(
        self,
        ordered_dict: Mapping[str, Any] | None = None,
        refresh: bool | None = True,
        **kwargs: Any,
    ) -> None:
        """Sets what follows the rate, as `key=value` pairs.

        Numbers and texts are stored as they are and become text in the drawing thread, once a
        frame. Other values (tensors, arrays) are turned into text here, at most once a frame,
        because doing so may be slow: of several within one frame the first is shown, and the last
        at the next call or at the end.

        Args:
            ordered_dict: Pairs, shown first, in this order.
            refresh: Accepted: the next frame shows it in any case.
            **kwargs: More pairs, sorted by name.
        """
        native = self._native
        if native is not None and (ordered_dict or not native.keep_postfix(kwargs)):
            self._set_postfix({**dict(ordered_dict or {}), **dict(sorted(kwargs.items()))})
            if self._painter is not None and refresh:
                self.refresh()

    def _set_postfix(self, pairs: dict[str, Any]) -> None:
        """Sets pairs in their order, or with values that become text here, once a frame."""
        native = self._native
        if self._painter is not None and native.draws:
            self.postfix = postfix_text(pairs, self.format_num)
            return
        self._postfix = _Pairs(pairs)
        if native.set_postfix(pairs):
            self._postfix_frame = None
        elif native.job_frames != self._postfix_frame:
            self._postfix_frame = native.job_frames
            native.set_postfix(postfix_text(pairs, self.format_num))

    def set_postfix_str(self, s: Any = "", refresh: bool = True) -> None:
        """Sets the text that follows the rate."""
        self.postfix = str(s)
        if refresh and self._painter is not None:
            self.refresh()

    @property
    def postfix(self) -> Any:
        """What follows the rate: a text, or what was given as `postfix=` and is no dict."""
        kept = self._native.kept_postfix if self._native is not None else None
        postfix = self._postfix if kept is None else _Pairs(sorted(kept.items()))
        return postfix_text(postfix, self.format_num) if type(postfix) is _Pairs else postfix

    @postfix.setter
    def postfix(self, value: Any) -> None:
        self._postfix = value
        self._postfix_frame = None
        if self._native is not None:
            self._native.set_postfix(value if value is None else text_of(value))

    def _start_postfix(self, postfix: Any) -> None:
        try:
            self.set_postfix(refresh=False, **postfix)
        except TypeError:
            self.postfix = postfix

    def _flush_postfix(self) -> None:
        """Shows the last values that were stored without being turned into text."""
        if self._postfix_frame is not None and self._native.kept_postfix is None:
            self._native.set_postfix(postfix_text(self._postfix, self.format_num))
            self._postfix_frame = None


def postfix_text(pairs: Mapping[str, Any], format_num: Callable[[Any], str]) -> str:
    """Gives tqdm's text of a postfix: `loss=0.25, lr=1e-3`."""
    from numbers import Number

    def text(value: Any) -> str:
        return text_of(value, format_num if isinstance(value, Number) else str)

    return ", ".join(f"{key}={text(value).strip()}" for key, value in pairs.items())


def text_of(value: Any, as_text: Callable[[Any], str] = str) -> str:
    """The text of a value, `?` where it has none (any more): a bar does not fail for it.

    A deleted array of a device raises, as does any tensor there after a failed kernel. When that is
    noticed depends on frames, so it would be raised at one call or another, or by `close`.
    """
    try:
        return as_text(value)
    except Exception:  # noqa: BLE001 - whatever the value's own code raises
        return "?"
