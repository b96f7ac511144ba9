"""The bar: tqdm's surface over a counter in shared memory."""

# The descriptors and functions here are the bar's own (SLF001); tqdm's parameters are all accepted,
# those without a meaning here too (ARG002).
# ruff: noqa: SLF001

import os
import sys

from mp_tqdm import _core, _forks, _stack, _streams
from mp_tqdm._frames import Frames
from mp_tqdm._texts import check, total_of
from mp_tqdm._together import Together, free_position

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any, ClassVar, TextIO

    from typing_extensions import Self

_HERE = os.path.dirname(__file__)


class _NotGiven:
    """The default of `disable`: neither on nor off was asked for."""

    def __bool__(self) -> bool:
        return False

    def __repr__(self) -> str:
        return "<not given>"


NOT_GIVEN: "Any" = _NotGiven()


class mp_tqdm(Frames, Together):  # noqa: N801 - the name that users change their import to
    """Iterates over `iterable`, or counts `update` calls, and shows the progress of the whole job.

    A drop-in for `tqdm`: every parameter has tqdm's meaning and default. Counting costs one store
    into shared memory and takes no lock; a thread of one process of the job draws, ten times a
    second, also while the main thread is in a C call.

    Args:
        iterable: What to iterate over; without one, call `update`.
        desc: What the line begins with.
        total: Expected number of items; default `len(iterable)`. `None` or infinite: unknown.
        leave: Keep the last line; `None`: only that of the outermost bar.
        file: Where to draw; default `sys.stderr`. A terminal gets a live line, any other real file
            whole lines now and then, another object tqdm's own frames from within the loop.
        ncols: Width of the line in columns; 0: statistics only.
        mininterval: Seconds between two frames; at most 50 frames a second are drawn.
        maxinterval: Seconds; kept for tqdm's sake, the renderer needs no bound.
        miniters: Items between two frames, for files that Python code draws on.
        ascii: `True`, or the characters of the bar from empty to full.
        disable: Not given: draw in the process that draws for the job, count everywhere. `None`:
            as not given, but off where `file` is no terminal. `False`: as not given, and in another
            process than the drawing one a line of its own. `True`: off; nothing is counted.
        unit: What one item is called.
        unit_scale: `True` for k, M, G; a number multiplies the counts.
        dynamic_ncols: Accepted; the width is asked anew at each frame.
        smoothing: Weight of the last frame in the rate, from 0 (mean) to 1 (last frame).
        bar_format: Template of the line, with tqdm's fields.
        initial: Count at the start.
        position: Order of the line among others, from 0; of a negative one the sign is ignored.
        postfix: Dict of what follows the rate, or anything else for `bar_format`.
        unit_divisor: 1000 or 1024, for `unit_scale=True`.
        write_bytes: Accepted.
        lock_args: Accepted; there is no lock to take.
        nrows: Most lines to draw.
        colour: Name or `#rrggbb`.
        delay: Seconds before the first frame.
        gui: Accepted.
        reduce: How the line combines the processes that opened this bar: `"auto"`, `"sum"`,
            `"mean"`, `"min"`, `"max"`, or `"rank"` for the drawing process's own. Auto: ranks run
            copies of one loop (mean), workers shards of it (sum); a bar without an iterable that
            `report_progress` feeds is one counter of the job (sum, with one total).
        key: Which bars of different processes are the same bar; default: role and call path.
        redirect: Whether `print`, logging and warnings come out above this bar; the streams are
            replaced as long as a bar is open that wants it.

    Raises:
        TqdmKeyError: An argument that no bar has.
        TqdmTypeError: An argument of the wrong type.
        ValueError: An argument out of range, or an unknown `reduce`.

    Counting is exact in every process and thread of the job. A bar may be pickled to another
    process, and a fork child inherits it: the copy adds to the same bar, and ends with that copy
    alone.
    """

    # What the package keeps has a place of its own. The dict is the user's: where it is empty,
    # CPython finds `bar.update` at once.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_is_redirected",
        "dynamic_miniters",
        "gui",
        "iterable",
        "leave",
        "lock_args",
        "maxinterval",
        "miniters",
    )
    # Whether `report_progress` may find it: not where a library made it.
    _is_reportable: "ClassVar[bool]" = True

    def __init__(  # noqa: PLR0917 - tqdm's own
        self,
        iterable: "Iterable[Any] | None" = None,
        desc: str | None = None,
        total: float | None = None,
        leave: bool | None = True,
        file: "TextIO | None" = None,
        ncols: int | None = None,
        mininterval: float = _core.MININTERVAL,
        maxinterval: float = 10.0,
        miniters: float | None = None,
        ascii: bool | str | None = None,
        disable: bool | None = NOT_GIVEN,
        unit: str = "it",
        unit_scale: bool | float = False,
        dynamic_ncols: bool = False,
        smoothing: float = 0.3,
        bar_format: str | None = None,
        initial: float = 0,
        position: int | None = None,
        postfix: "Mapping[str, Any] | Any" = None,
        unit_divisor: float = 1000,
        write_bytes: bool = False,
        lock_args: "tuple[Any, ...] | None" = None,
        nrows: int | None = None,
        colour: str | None = None,
        delay: float = 0.0,
        gui: bool = False,
        *,
        reduce: str = "auto",
        key: str | None = None,
        redirect: bool = True,
        **kwargs: "Any",
    ) -> None:
        if kwargs:
            from mp_tqdm import _errors

            _errors.refuse_unknown(kwargs, PARAMETERS, file)
        total = total_of(total, iterable)
        if file is None:
            file = sys.stderr
        if disable is None:
            disable = NOT_GIVEN if _streams.is_terminal(file) else True
        path = _stack.call_path(_HERE, sys._getframe(1))[0] if key is None else _stack.key_path(key)
        self.iterable = iterable
        self.leave = leave
        self._disable = is_disabled = disable is not NOT_GIVEN and bool(disable)
        if is_disabled:
            self._n, self._total = initial, total
            self._pos = free_position(self._instances) if self._instances else 0
            _core.note_pass(path, iterable is None)
            return
        mininterval, maxinterval, smoothing = mininterval or 0.0, maxinterval or 0, smoothing or 0
        check(
            total,
            initial,
            mininterval,
            delay,
            smoothing,
            unit_divisor,
            ncols,
            nrows,
            desc,
            bar_format,
            colour,
        )
        if write_bytes:
            file = _streams.encoded(file)
        if ascii is None:
            ascii = not _streams.supports_unicode(file)
        # There is no `sys.stderr` where descriptor 2 was closed before the interpreter started.
        mode = _streams.mode()
        is_off = file is None or mode == "off" or _streams.is_lost(file)
        self._desc = desc or ""
        self._look = {
            "unit": unit,
            "ascii": ascii,
            "bar_format": bar_format,
            "colour": colour,
            "unit_scale": unit_scale,
            "unit_divisor": unit_divisor,
            "smoothing": smoothing,
            "mininterval": mininterval,
            "delay": delay,
            # Asked anew at each frame, whatever is given.
            "ncols": None if dynamic_ncols else ncols,
            "nrows": None if dynamic_ncols else nrows,
        }
        # A subclass that draws in its own way, or has a screen of its own, draws wherever it is.
        is_own = self._needs_python(initial, total, postfix, mode) or gui
        descriptor = None if is_off or is_own else _streams.descriptor(file, mode)
        sync = None if is_off or descriptor is not None else _stack.module("mp_tqdm._sync")
        instances = self._instances
        if instances or position is not None:
            self._pos = free_position(instances) if position is None else -position
        self.fp, self.gui = file, gui
        self.maxinterval = maxinterval
        self.miniters = 0 if miniters is None else miniters
        self.dynamic_miniters = miniters is None
        self.dynamic_ncols = dynamic_ncols
        self.lock_args = lock_args
        self._printed_n = initial
        self._native = native = _core.Bar.open(
            path=path,
            key=key or "",
            named=key is not None or reduce != "auto",
            reduce=reduce,
            iterates=iterable is not None,
            reportable=iterable is None and self._is_reportable,
            total=total,
            initial=initial,
            desc=self._desc,
            looks=self._look,
            leave=leave if leave is None else bool(leave),
            position=None if position is None else abs(position),
            stream=descriptor,
            self_drawn=sync is not None,
            own_file=descriptor is None and file not in _forks.streams,
            own_line=disable is False,
        )
        native.bind(self)
        self._is_redirected = redirect
        _streams.redirect_for(self, descriptor)
        instances.add(self)
        if postfix:
            self._start_postfix(postfix)
        if sync is not None:
            sync.begin(self)
        self._start_t = self._printed_t = self._time()

    # --- the life of a bar -----------------------------------------------------------------------

    def __iter__(self) -> "Iterator[Any]":
        """Iterates; an item counts when the next one is asked for, or at the end."""
        if self._native is None or self._disable:
            return iter(self.iterable)
        if self._painter is not None or type(self).update is not UPDATE:
            from mp_tqdm import _sync

            return _sync.iterate(self, self.iterable)
        return _core.iterate(self, self.iterable)

    def _counted(self, n: "Any") -> bool | None:
        """After an `update` of a bar that Python code draws: draws if it is time."""
        from mp_tqdm import _sync

        return _sync.counted(self, n)

    def close(self) -> None:
        """Ends the bar: the last line is out when this returns, or 50 ms have passed.

        In another process than the one that made the bar, this ends that process's copy only.
        Closing twice does nothing.
        """
        native = self._native
        if native is None or self._disable:
            return
        self._disable = True
        self._instances.discard(self)
        try:
            self._end_postfix()
            if self._painter is not None:
                from mp_tqdm import _sync

                _sync.end(self)
        finally:  # also where an interrupt came meanwhile
            better = self._end_native()
        if better is not None and sys.meta_path is not None:  # while imports work
            errors = _stack.module("mp_tqdm._errors")
            if errors is not None:
                errors.suggest(self, better)

    def _let_go(self) -> None:
        """At the end of a bar that is off, which `close` leaves as it is."""
        self._instances.discard(self)
        self._end_native()

    def _end_native(self) -> "Any":
        native, leave = self._native, self.leave
        if leave is not None:
            leave = bool(leave)
        stock = _stack.module("mp_tqdm._stock") if "tqdm.std" in sys.modules else None
        try:
            if stock is None:
                return native.close(leave)
            with stock.pause(None if leave is False else getattr(self, "fp", None)):
                return native.close(leave)
        finally:
            _streams.restore_after(self)

    def reset(self, total: float | None = None) -> None:
        """Starts again from 0, as a new line; with another `total` if one is given."""
        native = self._native
        if total == float("inf"):
            total = self.total = None
        elif total is None:
            total = self.total
        if native is None or (self._disable and not native.closed):
            self.n, self.total = 0, total
            return
        pairs = self._pairs()
        native.reset(total, 0, self.desc)
        native.bind(self)
        _streams.redirect_for(self, _streams.descriptor(getattr(self, "fp", None)))
        self._disable = False
        self._instances.add(self)
        self._start_t = self._printed_t = self._time()
        self._printed_n = 0
        if self._painter is not None:
            self._painter.start(self)
            self.refresh()
        else:
            self._show_again(pairs)

    def receipt(self) -> "dict[str, Any]":
        """What the whole job did in this bar, so far or until it was closed here.

        Returns:
            `desc`; `n`, the items of all ranks without the initial count; `total`, that of this
            process's bar, or `None`; `elapsed_s`, of the rank that took longest; `rate`, items a
            second over that time, or `None`; `processes`, how many counted in it at a time;
            `ranks`, by the rank's number: `n`, `elapsed_s`, `rate`, `open`, `dead` and
            `processes`; `lost`, the items that the job reported to no bar at all.
        """
        from mp_tqdm import _receipt

        return _receipt.of(self)

    def __enter__(self) -> "Self":
        """The bar itself."""
        return self

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        """Closes the bar; one that an exception ended is red, or says so without colours."""
        if isinstance(value, (Exception, KeyboardInterrupt)) and self._native is not None:
            self._native.fail()
        try:
            self.close()
        except AttributeError:
            if (kind, value, traceback) == (None, None, None):
                raise

    def __copy__(self) -> "Self":
        """Another handle of the bar: it counts, and closes nothing."""
        from mp_tqdm import _copies

        return _copies.shallow(self)  # type: ignore[no-any-return]

    def __deepcopy__(self, memo: "dict[int, Any]") -> "Self":
        """As `copy.copy`; of a bar that is off the iterable and the attributes are copied, too."""
        from mp_tqdm import _copies

        return _copies.deep(self, memo)  # type: ignore[no-any-return]

    def __reduce__(self) -> "Any":
        """A pickled bar adds to the same bar, from whatever process of the job."""
        from mp_tqdm import _copies

        return _copies.reduced(self)


_core.own_methods(mp_tqdm)
# A class that has another `update` is told of what was iterated.
UPDATE = mp_tqdm.update
_CODE = mp_tqdm.__init__.__code__
PARAMETERS = _CODE.co_varnames[1 : _CODE.co_argcount + _CODE.co_kwonlyargcount]
if _said := [name for name in os.environ if name.startswith("TQDM_")]:
    from mp_tqdm import _defaults

    _defaults.read({name: os.environ[name] for name in _said}, mp_tqdm.__init__)


def trange(*args: "Any", **kwargs: "Any") -> "mp_tqdm":
    """`mp_tqdm(range(*args), **kwargs)`."""
    return mp_tqdm(range(*args), **kwargs)
