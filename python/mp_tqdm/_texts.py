"""What a bar is and says: numbers, a collection, texts and style, kept by the native bar."""

# ruff: noqa: SLF001 - the attributes here are those of one object, defined over several files

import sys

from mp_tqdm import _core, _stack

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any


class Look:
    """An attribute that says how the line looks; setting it reaches the next frame."""

    __slots__ = ("_name",)

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, bar: "Any", owner: type | None = None) -> "Any":
        if bar is None:
            return self
        try:
            return bar._look[self._name]
        except (KeyError, TypeError):
            message = f"{type(bar).__name__!r} object has no attribute {self._name!r}"
            raise AttributeError(message) from None

    def __set__(self, bar: "Any", value: "Any") -> None:
        # What a subclass that draws by itself puts here need not mean anything to the renderer.
        is_drawn_elsewhere = bar._native is not None and bar._painter is None
        if is_drawn_elsewhere and self._name == "bar_format" and value:
            from mp_tqdm import _templates

            _templates.check_new(bar, value)
        if bar._look is None:  # it is off
            bar._look = {}
        bar._look[self._name] = value
        if is_drawn_elsewhere:
            bar._show_look()


class _Pairs(dict):  # type: ignore[type-arg]
    """What `set_postfix` was given; any other dict is shown as it is."""


class Texts(_core.Counting):
    """The numbers, the texts and the style of a bar, and the protocols of a collection over them.

    `_n` and `_total` are the numbers of one that counts nothing.
    """

    __slots__ = ()

    if TYPE_CHECKING:
        format_num: Callable[[Any], str]
        iterable: Any
        pos: Any

        def __iter__(self) -> Iterator[Any]: ...
        def refresh(self, nolock: bool = False, lock_args: Any = None) -> bool | None: ...

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

    # --- numbers ---------------------------------------------------------------------------------

    @property
    def n(self) -> "Any":
        """Items done: by this process's rank with its workers, or by the job (a job counter)."""
        native = self._native
        return native.n if native is not None else self._n or 0

    @n.setter
    def n(self, value: "Any") -> None:
        native = self._native
        if native is None:
            self._n = value
        else:
            native.n = value

    @property
    def n_own(self) -> "Any":
        """Items done by this process alone, without the initial count."""
        return self._native.n_own if self._native is not None else 0

    @property
    def disable(self) -> bool:
        """Whether the bar is off: since it ended, since it was made, or until this is unset.

        Set it to switch an open bar off: `update` and iteration count nothing, and `close` leaves
        it as it is. Its line ends with the last reference to it. What has ended stays off.
        """
        return bool(self._disable)

    @disable.setter
    def disable(self, is_off: "Any") -> None:
        native = self._native
        if native is not None:
            is_off = is_off or native.closed
            native.switch_off(bool(is_off))
        self._disable = bool(is_off)

    @property
    def total(self) -> "Any":
        """Expected number of items, `None` if unknown."""
        native = self._native
        return native.total if native is not None else self._total

    @total.setter
    def total(self, value: "Any") -> None:
        native = self._native
        if native is None:
            self._total = value
        else:
            native.total = value

    @property
    def initial(self) -> "Any":
        """Count at the start."""
        native = self._native
        return native.initial if native is not None else self._n or 0

    @initial.setter
    def initial(self, value: "Any") -> None:
        if self._native is not None:
            self._native.initial = value

    def __len__(self) -> int:
        """The total, else the length of what is iterated over."""
        if self.iterable is None:
            return self.total  # type: ignore[no-any-return]
        iterable = self.iterable
        for size in (lambda it: it.shape[0], len, lambda it: it.__length_hint__()):
            try:
                return size(iterable)
            except (AttributeError, TypeError, IndexError) as error:
                _stack.pass_on(error)
        return self.total  # type: ignore[no-any-return]

    def __bool__(self) -> bool:
        """Whether there is anything to do."""
        if self.total is not None:
            return bool(self.total > 0)
        if self.iterable is None:
            from mp_tqdm._errors import TqdmTypeError

            message = "bool() undefined when iterable == total == None"
            raise TqdmTypeError(message)
        return bool(self.iterable)

    def __contains__(self, item: object) -> bool:
        """Whether the iterable contains `item`."""
        contains = getattr(self.iterable, "__contains__", None)
        return bool(contains(item)) if contains is not None else item in self.__iter__()

    def __reversed__(self) -> "Iterator[Any]":
        """Iterates over the reversed iterable, and counts."""
        forward = self.iterable
        try:
            self.iterable = reversed(forward)
            return self.__iter__()
        except AttributeError:
            from mp_tqdm._errors import TqdmTypeError

            message = "'tqdm' object is not reversible"
            raise TqdmTypeError(message) from None
        finally:
            self.iterable = forward

    def __hash__(self) -> int:
        """Identity."""
        return id(self)

    def __eq__(self, other: object) -> bool:
        """Equal position, as in tqdm."""
        return self is other or (isinstance(other, Texts) and self._order() == other._order())

    def __lt__(self, other: "Texts") -> bool:
        """Order by position."""
        return self._order() < other._order()

    def __le__(self, other: "Texts") -> bool:
        """Order by position."""
        return self._order() <= other._order()

    def __gt__(self, other: "Texts") -> bool:
        """Order by position."""
        return self._order() > other._order()

    def __ge__(self, other: "Texts") -> bool:
        """Order by position."""
        return self._order() >= other._order()

    def _order(self) -> int:
        position: int = getattr(self, "pos", 1 << 31)
        return abs(position)

    # --- texts -----------------------------------------------------------------------------------

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
        self.desc = desc or ""
        if refresh and self._painter is not None:
            self.refresh()

    def _put_postfix(
        self,
        ordered_dict: "Mapping[str, Any] | None" = None,
        refresh: bool | None = True,
        **kwargs: "Any",
    ) -> None:
        """`set_postfix` where the native one does not do: see there."""
        native = self._native
        if native is None:
            return
        pairs = dict(ordered_dict or {})
        for name in sorted(kwargs):  # by their names: see `postfix_text`
            pairs[name] = kwargs[name]
        if self._painter is not None and native.draws:
            self.postfix = postfix_text(pairs, self.format_num)
        else:
            self._forget_postfix()
            self._postfix = _Pairs(pairs)
            if native.set_postfix(pairs):
                self._postfix_frame = 0
            elif self._postfix_frame != native.job_frames + 1:
                self._show_postfix(pairs)
        if self._painter is not None and refresh:
            self.refresh()

    def _show_postfix(self, pairs: "dict[str, Any]") -> None:
        """Shows values that become text here, the next ones not before the next frame."""
        self.postfix = postfix_text(pairs, self.format_num)
        self._postfix_frame = self._native.job_frames + 1

    def _pairs(self) -> "dict[str, Any] | None":
        """What was last set and is no text yet."""
        kept = self._kept_postfix()
        return self._postfix if kept is None and type(self._postfix) is _Pairs else kept

    def set_postfix_str(self, s: "Any" = "", refresh: bool = True) -> None:
        """Sets the text that follows the rate."""
        self.postfix = str(s)
        if refresh and self._painter is not None:
            self.refresh()

    @property
    def postfix(self) -> "Any":
        """What follows the rate: a text, or what was given as `postfix=` and is no dict."""
        pairs = self._pairs()
        return self._postfix if pairs is None else postfix_text(pairs, self.format_num)

    @postfix.setter
    def postfix(self, value: "Any") -> None:
        self._forget_postfix()
        self._postfix, self._postfix_frame = value, 0
        if self._native is not None:
            self._native.set_postfix(value if value is None else text_of(value))

    def _show_look(self) -> None:
        """Tells the renderer how the line looks; `None` in place of a number is 0, as at first."""
        numbers = ("delay", "mininterval", "smoothing")
        self._native.set_looks({**self._look, **{name: self._look[name] or 0 for name in numbers}})

    def _show_again(self, pairs: "dict[str, Any] | None") -> None:
        """Tells the renderer how the bar's next number looks, and what its postfix was."""
        native = self._native
        self._show_look()
        if pairs is not None:
            self._put_postfix(pairs)
        elif self._postfix is not None:
            native.set_postfix(text_of(self._postfix))

    def _start_postfix(self, postfix: "Any") -> None:
        try:
            self.set_postfix(refresh=False, **postfix)
        except TypeError:
            self.postfix = postfix

    def _flush_postfix(self) -> None:
        """Shows the last values that were kept without being turned into text."""
        pairs = self._pairs()
        if self._postfix_frame and pairs is not None:
            self._show_postfix(pairs)

    def _end_postfix(self) -> None:
        """Shows them, and lets go of what was given but for numbers and texts."""
        if not self._postfix_frame and self._kept_postfix() is None:
            return
        self._flush_postfix()
        pairs = self._kept_postfix()
        if pairs is not None:
            self._forget_postfix()
            self._postfix = _Pairs(pairs)


def postfix_text(pairs: "Mapping[str, Any]", format_num: "Callable[[Any], str]") -> str:
    """Gives tqdm's text of a postfix: `loss=0.25, lr=1e-3`."""
    # Where nobody has imported it, there is no other type of numbers. At exit nobody can import it.
    number = getattr(sys.modules.get("numbers"), "Number", (int, float, complex))
    texts = []
    # By the names, and without a function for it: CPython crashes where it has no memory for an
    # item's pair, and from 3.12 on where it has none for a function.
    for name in pairs:
        value = pairs[name]
        text = text_of(value, format_num if isinstance(value, number) else str)
        texts.append(f"{name}={text.strip()}")
    return ", ".join(texts)


def text_of(value: "Any", as_text: "Callable[[Any], str]" = str) -> str:
    """The text of a value, `?` where it has none (any more): a bar does not fail for it.

    A deleted array of a device raises, as does any tensor there after a failed kernel. When that is
    noticed depends on frames, so it would be raised at one call or another, or by `close`.
    """
    try:
        return as_text(value)
    except Exception as error:  # noqa: BLE001 - whatever the value's own code raises
        _stack.pass_on(error)
        return "?"


def check(  # noqa: PLR0917 - the constructor's own
    total: "Any",
    initial: "Any",
    mininterval: "Any",
    delay: "Any",
    smoothing: "Any",
    unit_divisor: "Any",
    ncols: "Any",
    nrows: "Any",
    desc: "Any",
    bar_format: "Any",
    colour: "Any",
) -> None:
    """Raises for the first argument of a bar that is of the wrong type or out of range.

    Usual arguments pass here; all others are looked at by `_errors`, which few programs need.
    """
    if not (
        (total is None or type(total) is int)
        and type(initial) is int
        and type(mininterval) is float
        and mininterval >= 0
        and type(delay) is float
        and delay >= 0
        and type(smoothing) is float
        and type(unit_divisor) is int
        and ncols is nrows is None
        and (desc is None or type(desc) is str)
        and (bar_format is None or type(bar_format) is str)
        and not colour
    ):
        arguments = locals()
        errors = _stack.module("mp_tqdm._errors")
        if errors is not None:
            errors.check(arguments)


def total_of(total: "Any", iterable: "Any") -> "Any":
    """The total: as given, else the length of `iterable`; `None` where that is not known."""
    if total is None and iterable is not None:
        try:
            return len(iterable)
        except (TypeError, AttributeError, ValueError, OverflowError, NotImplementedError) as error:
            _stack.pass_on(error)
            return None
    return None if total == float("inf") else total
