"""What a bar shows when it is asked: its line as text, and tqdm's methods that draw.

Where the renderer thread draws they have little to do: the next frame shows the present state.
Where Python code draws (`_sync`) they are tqdm's, and a subclass may override each of them.
"""

# The attributes here are those of one object, defined over several files (SLF001); tqdm's
# parameters are all accepted, those without a meaning here too (ARG002).

from time import time

from mp_tqdm import _core, _stack
from mp_tqdm._texts import Texts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, ClassVar

# With one of these overridden Python code draws the bar, whatever its file.
HOOKS = (
    "__str__",
    "clear",
    "display",
    "format_dict",
    "format_meter",
    "format_num",
    "moveto",
    "refresh",
    "status_printer",
)


class Frames(Texts):
    """The drawing half of a bar."""

    # Of each subclass, whether it draws in its own way.
    _is_hooked: "ClassVar[bool]" = False
    # `_printed_…`: of the last frame, of which the renderer tells when somebody asks.
    __slots__ = ("_printed_n", "_printed_t", "_start_t", "_told_at", "dynamic_ncols", "fp")
    if TYPE_CHECKING:
        dynamic_ncols: Any
        fp: Any
        leave: Any
        _printed_n: Any
        _printed_t: float
        _start_t: float
        _told_at: float
    _time = staticmethod(time)

    format_sizeof = staticmethod(_core.format_sizeof)
    format_interval = staticmethod(_core.format_interval)
    format_num = staticmethod(_core.format_num)
    format_meter = staticmethod(_core.format_meter)

    def __init_subclass__(cls, **kwargs: "Any") -> None:
        super().__init_subclass__(**kwargs)
        above = cls.__mro__[: cls.__mro__.index(Frames)]
        cls._is_hooked = any(name in vars(base) for base in above for name in HOOKS)

    def _needs_python(self, n: "Any", total: "Any", postfix: "Any", mode: str) -> bool:
        """Whether Python has to draw the bar: for its subclass, or for its template."""
        if self._is_hooked or not self._look["bar_format"]:
            return self._is_hooked
        templates = _stack.module("mp_tqdm._templates")
        if templates is None:
            return False
        figures = {"n": n, "total": total, "prefix": self._desc}
        needs = templates.needs_python(self._look, postfix, figures)
        return bool(needs) and mode != "json"

    def refresh(self, nolock: bool = False, lock_args: "Any" = None) -> bool | None:
        """Shows the present state: where Python code draws, now; elsewhere at the next frame.

        Args:
            nolock: Whether the lock is held already.
            lock_args: Passed to the lock's `acquire`; if that says no, nothing is drawn.

        Returns:
            Whether it was, or will be, drawn; `None` of a bar that is closed or off.
        """
        if self._native is None or self._disable:
            return None
        self._flush_postfix()
        if self._painter is None:
            return True
        from mp_tqdm import _sync

        return _sync.refresh(self, nolock, lock_args)

    def display(self, msg: str | None = None, pos: int | None = None) -> bool:
        """Draws the line, where Python code draws; elsewhere the renderer does so by itself."""
        if self._painter is None:
            return False
        from mp_tqdm import _sync

        return _sync.display(self, msg, pos)

    def clear(self, nolock: bool = False) -> None:
        """Wipes the line until the next frame."""
        if self._native is None or self._disable:
            return
        if self._painter is not None:
            from mp_tqdm import _sync

            _sync.wipe(self, nolock=nolock)
        else:
            _core.hold()
            _core.unhold()

    def moveto(self, n: int) -> None:
        """Moves the cursor by `n` lines; the renderer places its lines itself."""
        if self._painter is not None and n:
            from mp_tqdm import _sync

            _sync.write(self.fp, "\n" * n + "\x1b[A" * -n)

    @property
    def pos(self) -> int:
        """The line the bar stands on among others; negative if it was asked for."""
        return self._pos or 0

    @pos.setter
    def pos(self, line: int) -> None:
        self._pos = line
        if self._native is not None and self._painter is None:
            self._native.set_position(abs(line))

    @property
    def start_t(self) -> float:
        """When the clock started, in seconds of `time.time`; set it to move the line's clock."""
        return self._start_t

    @start_t.setter
    def start_t(self, start_t: float) -> None:
        self._start_t = start_t
        if self._native is not None and self._painter is None:
            self._native.set_elapsed(self._time() - start_t)

    @property
    def last_print_n(self) -> "Any":
        """The count as the last frame shows it."""
        self._learn_frame("last_print_n")
        return self._printed_n

    @last_print_n.setter
    def last_print_n(self, n: "Any") -> None:
        self._learn_frame()
        self._printed_n = n

    @property
    def last_print_t(self) -> float:
        """When the last frame was, in seconds of `time.time`."""
        self._learn_frame("last_print_t")
        return self._printed_t

    @last_print_t.setter
    def last_print_t(self, time_s: float) -> None:
        self._learn_frame()
        self._printed_t = time_s

    def _learn_frame(self, name: str = "") -> None:
        """Takes over what the renderer showed last, unless that is known.

        Args:
            name: The attribute that is read; a bar that is off has none.
        """
        native = self._native
        if native is None:
            if name:
                message = f"{type(self).__name__!r} object has no attribute {name!r}"
                raise AttributeError(message)
        elif self._painter is None and (last := native.last_text) is not None:
            n, at_s, age_s, _ = last
            if at_s != getattr(self, "_told_at", None):
                self._told_at = at_s
                # The first frame may come while the bar is made, before its clock starts.
                self._printed_n, self._printed_t = n, max(self._start_t, self._time() - age_s)

    def _rate(self) -> float | None:
        """Items a second, as the line shows them; `None` where it shows the mean."""
        if self._painter is not None:
            return self._painter.rate()  # type: ignore[no-any-return]
        last = None if self._disable and self.leave else self._native.last_text
        return None if last is None else last[3]

    def unpause(self) -> None:
        """Takes the time since the last count out of the clock: a pause that is not to count.

        A line of several ranks has one clock: that of the process that draws.
        """
        if self._native is None or self._disable:
            return
        now = self._time()
        is_own = self._painter is not None
        self._start_t += now - self._printed_t if is_own else self._native.rest()
        self.last_print_t = now

    @staticmethod
    def status_printer(file: "Any") -> "Callable[[str], None]":
        """A function that writes a text to `file` over the one it wrote before."""
        from mp_tqdm import _sync

        return _sync.status_printer(file)

    @property
    def sp(self) -> "Callable[[str], None]":
        """What writes the line; a bar with `gui=True` has none."""
        if self._painter is not None and self._painter.draw is not None:
            return self._painter.draw  # type: ignore[no-any-return]
        if self._painter is not None or self._native is None:
            message = f"{type(self).__name__!r} object has no attribute 'sp'"
            raise AttributeError(message)
        return self.status_printer(self.fp)

    @sp.setter
    def sp(self, printer: "Callable[[str], None]") -> None:
        if self._painter is not None:
            self._painter.draw = printer

    @property
    def format_dict(self) -> "dict[str, Any]":
        """What the line is made of at this moment; of several ranks that is the job's line."""
        if self._native is None:
            from collections import defaultdict

            return defaultdict(
                lambda: None, {"n": self.n, "total": self.total, "elapsed": 0, "unit": "it"}
            )
        painter, look = self._painter, self._look
        if painter is not None and self.dynamic_ncols:
            from mp_tqdm import _sync

            _sync.measure(self)
        start_t = getattr(self, "_start_t", None)
        figures = {
            "n": self.n,
            "total": self.total,
            "elapsed": 0 if start_t is None else self._time() - start_t,
            "ncols": look["ncols"],
            "nrows": look["nrows"],
            "prefix": _harmless(self.desc),
            "ascii": look["ascii"],
            "unit": _harmless(look["unit"]),
            "unit_scale": look["unit_scale"],
            "rate": self._rate(),
            "bar_format": look["bar_format"],
            "postfix": _harmless(self.postfix),
            "unit_divisor": look["unit_divisor"],
            "initial": self.initial,
            "colour": look["colour"],
        }
        is_last = painter is not None and painter.is_ended
        figures |= self._native.line(is_last) or {}
        if figures["rate"] is None and painter is None and not self._disable:
            # The mean, as the line has it before the first sample and where others draw it.
            done, elapsed = figures["n"] - figures["initial"], figures["elapsed"]
            if done and elapsed:
                figures["rate"] = done / elapsed
        return figures

    def __str__(self) -> str:
        """The line, at this moment."""
        figures = self.format_dict
        n, total = figures["n"], figures["total"]
        if total and n < total + 0.5 and not 0 <= n / total <= 1:
            import warnings

            from mp_tqdm._errors import TqdmWarning

            warnings.warn("clamping frac to range [0, 1]", TqdmWarning, stacklevel=2)
        return self.format_meter(**figures)


def _harmless(value: "Any") -> "Any":
    """A text of a user's as it may stand in a line; anything else as it is."""
    return _core.harmless(value) if isinstance(value, str) else value
