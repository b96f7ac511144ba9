"""The native half of `mp_tqdm`: counters in shared memory, and the thread that draws them.

The public names are those of `mp_tqdm`; all others here serve the package and change with it.

Threads: everything may be called from any thread. Counting (`update`, `report_progress`, iterating)
takes no lock and makes no system call but on the first call in a process and after bars were opened
or closed. What can wait (`Bar.close`, `Bar.flush`, the fork hooks) lets go of the GIL.

Forks: a child of any kind starts cold and claims counters of its own at its first count. It has no
thread that draws. A bar that it inherited is a copy: it counts, and closing it ends the copy only.

Errors: wrong arguments raise `TypeError`, `ValueError` or `OverflowError`. What goes wrong with the
shared memory or the display never raises; counting then works for this process alone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import (
    Any,
    Literal,
    SupportsFloat,
    SupportsIndex,
    TextIO,
    TypeAlias,
    TypedDict,
    final,
    type_check_only,
)

from typing_extensions import Self, disjoint_base

__all__ = [
    "LAYOUT_VERSION",
    "MININTERVAL",
    "AboveBars",
    "Bar",
    "Counting",
    "CountingIter",
    "__debug_build__",
    "__version__",
    "add_lost",
    "after_fork_in_child",
    "after_fork_in_parent",
    "attach",
    "before_fork",
    "display_columns",
    "end_lines",
    "expect_workers",
    "format_interval",
    "format_meter",
    "format_num",
    "format_sizeof",
    "harmless",
    "hash64",
    "hold",
    "inherited",
    "is_attached",
    "is_plain_template",
    "is_read",
    "iterate",
    "join",
    "lost_reports",
    "note_pass",
    "note_said",
    "observe",
    "own_methods",
    "own_start",
    "print_beside",
    "report_progress",
    "resume_behind_fork",
    "stop_drawing",
    "unhold",
]

# An int where it has 64 bits, else a float. NaN and the infinities are ignored, with one warning.
_Number: TypeAlias = SupportsFloat | SupportsIndex

# Names a bar in all processes of a job: hash of the job, index and generation of the bar's entry
# (`None`: it counts for one process), hash of its call path and its number there (0: a worker's),
# and the cell in which a worker's bar counts alone.
_Identity: TypeAlias = tuple[int, tuple[int, int] | None, tuple[int, int], int | None]

# Slot and incarnation: a process in its segment.
_Id: TypeAlias = tuple[int, int]

@type_check_only
class _JobBar(TypedDict):
    """An open bar; openers are slots, `counting` is how many processes count in it."""

    desc: str
    key: str
    n: int | float
    total: int | float | None
    reduction: Literal["sum", "job", "mean", "min", "max", "rank"]
    openers: list[int]
    counting: int

@type_check_only
class _Job(TypedDict):
    """What stands in a segment.

    Processes: who, pid, role, local rank, whether alive; dead ones as well, the last of each slot.
    The owner: who, and the milliseconds since it last looked. Lost: items, by how many processes.
    Awaited: the pid of the living program whose workers came before it.
    """

    in_use: bool
    awaited_by: int | None
    local_world: int
    frames: int
    owner: tuple[int, int, int] | None
    processes: list[tuple[_Id, int, Literal["root", "rank", "worker"], int, bool]]
    bars: list[_JobBar]
    lost: tuple[int | float, int]

__version__: str
"""That of the package."""

LAYOUT_VERSION: int
"""That of the segments: processes share one only if they agree in it."""

MININTERVAL: float
"""tqdm's default of `mininterval`; a bar that has this object was given none."""

__debug_build__: bool
"""Whether this was built without optimisation; nothing measured with it means anything."""

def report_progress(n: _Number = 1, *, bar: object = None) -> None:
    """Adds `n` to the job's counter, from any process or thread.

    Costs some nanoseconds: report each item. What reaches no open bar is dropped and counted.

    Args:
        n: Items; may be negative, or a float.
        bar: The key or desc of an open bar of the job, or a bar; an unknown one warns once. `None`:
            the bar without an iterable that is open in this process, else in its nearest ancestor,
            else in its rank, else in the process that draws; of several those with a key or a
            reduction, then the newest.

    Raises:
        TypeError: `n` is no number, or `bar` neither text nor bar.
    """

@disjoint_base
class Counting:
    """The base of a bar: what is called per item. Counts nothing until `Bar.bind`.

    Also keeps what the Python half reads before it is set; it is `None` then.
    """

    _desc: Any
    _disable: Any
    _look: Any
    _n: Any
    _native: Any
    _painter: Any
    _pos: Any
    _postfix: Any
    _postfix_frame: int
    _total: Any

    def __del__(self) -> None:
        """Calls `close`, unless the bar is closed."""

    def update(self, n: _Number = 1) -> bool | None:
        """Counts `n` more items.

        Exact in every thread and process. After the bar's end it does nothing.

        Args:
            n: Items; may be negative, or a float.

        Returns:
            True on the first call after a frame was drawn by this process, else `None`.

        Raises:
            TypeError: `n` is no number.
        """

    def _count(self, n: _Number = 1) -> None:
        """As `update`, for the Python code that draws the bar and has not to be told."""

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
        at the next `update` after the frame, at the next call or at the end. No more than that one
        is held.

        Args:
            ordered_dict: Pairs, shown first, in this order.
            refresh: Accepted: the next frame shows it in any case.
            **kwargs: More pairs, sorted by name.
        """

    def _kept_postfix(self) -> dict[str, Any] | None:
        """The last keywords of `set_postfix`, unless they became text or were replaced."""

    def _forget_postfix(self) -> None:
        """Lets go of them."""

@final
class CountingIter:
    """What `iterate` returns: hands out items and counts each when the next one is asked for.

    At the end, at an exception of the iterable, and when it is collected, it closes its bar.
    """

    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...

def iterate(bar: Counting, iterable: Iterable[Any]) -> CountingIter:
    """Iterates over `iterable` and counts for `bar`.

    Raises:
        TypeError: `bar` is none, or `iterable` cannot be iterated.
    """

def own_methods(kind: type[Counting]) -> None:
    """Gives a class method descriptors of its own, by which its instances are called fastest.

    Raises:
        TypeError: It is no subclass of `Counting`.
    """

@final
class Bar:
    """A bar of this process in the segment of its job, or a copy of one.

    Attributes that are numbers are ints unless a float was counted or given.
    """

    @staticmethod
    def open(
        *,
        path: int,
        key: str,
        named: bool,
        reduce: str,
        iterates: bool,
        reportable: bool,
        total: _Number | None,
        initial: _Number,
        desc: str,
        looks: Mapping[str, Any],
        leave: bool | None,
        position: int | None,
        stream: tuple[int, bool, int] | None,
        self_drawn: bool,
        own_file: bool,
        own_line: bool,
    ) -> Bar:
        """Opens a bar.

        Args:
            path: Hash of the calls that led here, 64 bits: bars of one path are one bar.
            key: The text that `report_progress(bar=...)` finds it by; empty for none.
            named: Whether a key or a reduction was given: such a bar is reported to first.
            reduce: How processes combine: "auto", "sum", "mean", "min", "max" or "rank".
            iterates: Whether it has an iterable.
            reportable: Whether reports that name no bar may reach it.
            total: Expected items; `None`, NaN and the infinities: unknown.
            initial: The count at the start.
            desc: What the line begins with.
            looks: What the line looks like: unit, ascii, bar_format, colour, unit_scale,
                unit_divisor, smoothing, mininterval (seconds), delay (seconds), ncols, nrows.
            leave: Keep the last line; `None`: only that of the outermost bar.
            position: The line asked for, from 0; `None`: by the order of opening.
            stream: Descriptor to draw on and whether it is a terminal; `None`: no thread draws it.
            self_drawn: Python code draws it: each count goes through `Counting._counted`.
            own_file: Such a bar is on another file than the process began with: a worker draws it.
            own_line: Whether a line of its own was asked for (`disable=False`).

        Raises:
            ValueError: An unknown `reduce`, or an entry of `looks` is missing.
            MemoryError: There is no memory for a page of counters.
        """

    @staticmethod
    def copy(copy: _Identity, total: _Number | None, initial: _Number) -> Bar:
        """Another handle of the bar that `identity` named, from whatever process of the job."""

    def identity(self) -> _Identity:
        """What a copy is made from."""

    def bind(self, counting: Counting) -> None:
        """Makes `counting.update` and its iterators count for this bar."""

    @property
    def n(self) -> int | float:
        """Items done by this process's rank with its workers; of a job counter, by the job.

        Setting it adds the value less what this thread last read, so that `bar.n += 1` beside
        counting workers loses nothing.
        """
    @n.setter
    def n(self, n: _Number) -> None: ...
    @property
    def n_own(self) -> int | float:
        """Items done by this process alone, without the initial count."""

    @property
    def total(self) -> int | float | None:
        """Expected items, `None` if unknown."""
    @total.setter
    def total(self, total: _Number | None) -> None: ...
    @property
    def initial(self) -> int | float:
        """The count at the start; setting it leaves what `n` reads as it is."""
    @initial.setter
    def initial(self, initial: _Number) -> None: ...
    @property
    def closed(self) -> bool:
        """Whether this handle was closed."""

    def switch_off(self, is_off: bool) -> None:
        """Lets what `update` and iterators count go nowhere, until it is switched on again."""

    @property
    def draws(self) -> bool:
        """Whether this process draws the bar: as one of the job's, or apart from them."""

    @property
    def is_makers(self) -> bool:
        """Whether the constructor made this handle, in this process: closing it ends the bar."""

    @property
    def job_frames(self) -> int:
        """Frames drawn so far by the process that draws for the job."""

    def set_desc(self, desc: str) -> None:
        """Shows another text before the bar, from the next frame on."""

    def set_position(self, position: int) -> None:
        """Moves the line among the others, from the next frame on."""

    def line(self, last: bool = False) -> dict[str, Any] | None:
        """What the line has in place of this process's numbers, as keywords of `format_meter`.

        Args:
            last: Those of the last line; it waits at most 50 ms for other ranks that are finishing.

        Returns:
            `None` where nobody else counts in the bar, where a worker opened it, and where each
            rank has a line of its own.
        """

    def set_elapsed(self, seconds: float) -> None:
        """Sets the bar's clock: so many seconds have passed."""

    def rest(self) -> float:
        """Ends a pause: what passed since the last count is neither in the clock nor in the rate.

        Returns:
            Seconds since the renderer saw a count; 0 where this process does not draw.
        """

    def set_postfix(self, postfix: str | dict[str, Any] | None) -> bool:
        """Stores what follows the rate: a text, or names and values.

        Returns:
            False if some value is no plain number or text: then nothing is stored.
        """

    def set_looks(self, looks: Mapping[str, Any]) -> None:
        """Changes how the line looks, from the next frame on."""

    def shares(self) -> list[tuple[int, int | float, float, bool, bool, int]]:
        """What each rank did so far, or until the bar closed here.

        Returns:
            For each rank that opened the bar or counted in it: its number, the items without the
            initial count, seconds, whether it has the bar open, whether it died with it open, and
            how many of its processes counted.
        """

    def fail(self) -> None:
        """Says that an exception ended the work: the last line is red, or says `failed`."""

    @property
    def has_failed(self) -> bool:
        """Whether an exception ended the work."""

    def close(self, leave: bool | None) -> Literal["sum", "mean"] | None:
        """Ends this handle, and its bar if nobody else has it open.

        The last line is out when it returns, or 50 ms have passed. Closing twice does nothing.

        Returns:
            The reduction under which the line would have met its total, where it is far from it.
        """

    def reset(self, total: _Number | None, initial: _Number, desc: str) -> None:
        """Starts the bar's next number: the present one vanishes without a last line."""

    @property
    def last_text(self) -> tuple[int | float, float, float, float | None] | None:
        """What the line said last, where this process draws it; of a closed bar, before its end.

        Returns:
            The count, when that was (seconds, `time.monotonic`), how many seconds ago, and the
            smoothed rate, if there was one; `None` before the first frame.
        """

    def flush(self) -> None:
        """Draws a frame now, if this process draws; waits for it at most 50 ms."""

def attach(
    job: int,
    role: Literal["root", "rank", "worker", "follower"],
    rank: int,
    *,
    parent: tuple[int, int] | None = None,
    directories: Sequence[str],
    world: tuple[int, int, int, int],
    stream: tuple[int, bool, int] | None = None,
    log: Literal["lines", "json"] = "lines",
    colours: bool = True,
    interactive: bool = False,
    inherit: bool = False,
    first: tuple[int, int] | None = None,
) -> int | tuple[tuple[int, int, str], tuple[list[str], bool], tuple[int | float, int]] | None:
    """Attaches this process to a job. Done once in a process, by `mp_tqdm._job.attach`.

    Args:
        job: Hash of the job's key, 64 bits.
        role: What the process is to the job. A follower is a root that comes after its workers, and
            goes on in what they left.
        rank: Its local rank, or that of the rank it works for.
        parent: Slot and incarnation of the process that made it, if that is in the job.
        directories: Where a segment may lie, best first.
        world: Ranks on this node, ranks in all, this node's number, nodes.
        stream: Where bars of other processes are drawn, as of a `Bar`.
        log: What is written to what is no terminal: lines as on one, or JSON objects.
        colours: Whether terminals get any.
        interactive: Whether somebody types into this process: what did not move is left alone.
        inherit: Whether to use the segment that a fork left mapped.
        first: Pid and start (clock ticks since boot) of the program's first process, for a worker
            that came before it: no other job sweeps the segment while that one lives.

    Returns:
        Slot, incarnation and the segment's path (or "memfd" or "private"), which are `_job._place`
        by then; why better places were refused, and whether others may count there; and what was
        lost, by how many processes, in a leftover that this process replaced. Or the id of the
        process that counts as this rank already. `None` where this process is attached by now, or
        the call is not below `join`.

    Raises:
        ValueError: An unknown role.
        RuntimeError: There is not even private memory.
    """

def join(*, follows_workers: bool = False) -> None:
    """Attaches this process, as `mp_tqdm._job.attach` says, unless that is done.

    One thread does it, the others wait until it is through, at most a second.

    Raises:
        RuntimeError: There is no place in a job. (What counts attaches by itself, and counts alone
            then.)
    """

def print_beside(path: str) -> None:
    """Has this process print above the lines of the job whose segment stands at `path`.

    For one that is not attached, and is not attached by this.
    """

def is_attached() -> bool:
    """Whether this process is attached to a job; it is not before it counts."""

def inherited() -> tuple[int, int, int, int] | None:
    """Slot, incarnation, rank and job of the process that this one was forked from.

    `None` if there is none, or once this process is attached itself.
    """

def hash64(text: str) -> int:
    """64 bits of a text, the same in every process. It does not keep a secret."""

def own_start() -> tuple[int, str]:
    """When this process started, in clock ticks since boot, and the number of its pid namespace.

    0 and the empty string where `/proc` does not tell.
    """

def note_said(text_hash: int) -> bool:
    """Whether this process is the first of its job to say something, by its hash."""

def note_pass(path: int, reportable: bool) -> None:
    """Counts a bar that is off, so that the numbers of later bars agree between ranks.

    Args:
        path: As for `Bar`.
        reportable: Whether reports could have reached it, were it on.
    """

def add_lost(items: _Number, processes: int) -> None:
    """Notes what this job's processes lost in a leftover that this process replaced."""

def lost_reports() -> tuple[int | float, int, bool] | None:
    """What the job's processes reported that found no bar, those that ended included.

    Returns:
        Items, the number of processes, and whether a bar of this process that reports could have
        reached was off; `None` if this process is not attached.
    """

def observe(path: str) -> _Job | str:
    """Looks at the segment of a job of this user, be it this process's own or another's.

    Takes no lock and changes nothing. What it tells may be a moment old.

    Returns:
        What stands there, or why that cannot be told, in words.
    """

def hold() -> None:
    """Takes the lines off this process's terminals and draws none until `unhold`, at most 1 s."""

def is_read() -> bool:
    """Whether the terminals and files of this process took all that was drawn there."""

def stop_drawing() -> None:
    """Ends the renderer's thread, at exit; it comes back where a bar opens or closes."""

def unhold() -> None:
    """Draws again after `hold`."""

@final
class AboveBars:
    """Stands in the place of a stream's `write`, and writes above the bars.

    Whole lines come out at once and in one piece, in each thread by itself. The beginning of a line
    waits for its end; of a stream that writes at once (`python -u`) at most 50 ms, also beside C
    code that holds the GIL.
    """

    @staticmethod
    def over(
        stream: TextIO, *, tee: Callable[[str], int] | None, prompts: bool
    ) -> AboveBars | None:
        """What writes to a stream above the bars; `None` where that leads to no terminal.

        Args:
            stream: An `io.TextIOWrapper`.
            tee: What somebody put in the place of `write` who wants to see each text as it is.
            prompts: Whether somebody may be asked for something at each flush.

        Raises:
            OSError, ValueError: The stream has no descriptor, or is closed.
        """

    def install(self) -> bool:
        """Takes the place of `write`, unless another of these has it, and of a free `flush`.

        Beginnings of lines wait only if it has that of `flush`.

        Returns:
            Whether it stands in that of `write` now.
        """

    def leave(self) -> None:
        """Leaves the stream as it was; a `write` that somebody put there since stays.

        Writes the beginnings of lines; none waits any more.
        """

    def __call__(self, text: str) -> int:
        """Writes a text, as the stream's own `write`."""

    def flush(self) -> None:
        """Stands in the place of the stream's `flush`: writes the beginnings of lines, too.

        Where a prompt may follow it draws the bars below it, and waits for a terminal that takes
        nothing just now, at most 50 ms.
        """

def before_fork() -> None:
    """Ends the thread that draws, at most 0.5 s later; none starts until all forks are over."""

def end_lines() -> None:
    """At the end of the process: draws the last lines of bars that nobody has open any more."""

def expect_workers() -> None:
    """Looks for bars that processes started just now may open, where this is the root or a rank.

    The thread that draws looks four times a second then: for a minute, and while workers live.
    """

def after_fork_in_parent() -> None:
    """Starts the thread again, once no other thread forks."""

def resume_behind_fork() -> None:
    """As `after_fork_in_parent`, when the main thread is back in Python code, behind the fork."""

def after_fork_in_child() -> None:
    """Forgets the parent's counters, where the kernel did not wipe them by itself."""

def display_columns(text: str) -> int:
    """Columns that a text takes on a terminal, without its escape sequences."""

def format_sizeof(num: _Number, suffix: str = "", divisor: _Number = 1000) -> str:
    """A number with the prefixes k, M, G and so on, in three significant digits."""

def format_interval(t: _Number) -> str:
    """Seconds as `[H:]MM:SS`."""

def format_num(n: Any) -> str:
    """A number with three significant digits, if that is shorter than all its digits."""

def harmless(text: str) -> str:
    """The text without what could move a cursor, change a terminal or reorder a line.

    Tabs and line ends become spaces; sequences for colours stay.
    """

def is_plain_template(template: str) -> bool:
    """Whether the renderer's thread can fill in a `bar_format` by itself."""

def format_meter(
    n: _Number,
    total: _Number | None,
    elapsed: float,
    ncols: int | None = None,
    prefix: str | None = "",
    ascii: bool | str | None = False,
    unit: str | None = "it",
    unit_scale: bool | float | None = False,
    rate: float | None = None,
    bar_format: str | None = None,
    postfix: Any = None,
    unit_divisor: _Number | None = 1000,
    initial: _Number | None = 0,
    colour: str | None = None,
    *,
    job_fraction: float | None = None,
    job_remaining_s: float | None = None,
    job_note: str | None = None,
    **extra_kwargs: Any,
) -> str:
    """One line of progress, byte for byte tqdm's.

    Args:
        n: Items done.
        total: Items to do; `None`: unknown.
        elapsed: Seconds.
        ncols: Columns; `None`: a bar of ten; 0: no bar.
        prefix: What the line begins with.
        ascii: `True`, or the characters of the bar from empty to full.
        unit: What one item is called.
        unit_scale: `True` for k, M, G; a number multiplies the counts.
        rate: Items a second; `None`: the average.
        bar_format: Template with tqdm's fields.
        postfix: What follows the rate.
        unit_divisor: The step between two prefixes.
        initial: The count at the start.
        colour: Name or `#rrggbb`.
        job_fraction: The part done of the whole job, where it is not `n / total`.
        job_remaining_s: Seconds left of the whole job, where this line's rate does not tell.
        job_note: A remark behind the postfix.
        **extra_kwargs: More that a template names.
    """
