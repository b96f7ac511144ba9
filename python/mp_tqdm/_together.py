"""A bar among others: the set of them, their lock and order, and text between them.

The lock is that of tqdm's surface, around what Python code draws and writes; counting takes none.
Only one process of a job draws, so drawing takes the half for threads alone: no process that is
killed while it holds the other half can stop a loop.
"""

import os
import sys
from _thread import RLock
from _weakref import ref

from mp_tqdm import _core, _stack, _streams

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, ClassVar, TextIO

_FORK_PATIENCE_S = 0.5


class Instances(dict):  # type: ignore[type-arg]
    """A weak set of bars, without the price of one.

    A bar enters and leaves by one store into a dict, under its id, where a `WeakSet` takes several
    calls. It leaves at its close, which its collection calls as well.
    """

    def add(self, bar: "Any") -> None:
        """Takes a bar in."""
        self[id(bar)] = ref(bar)

    def discard(self, bar: "Any") -> None:
        """Lets a bar go, if it is there."""
        self.pop(id(bar), None)

    def remove(self, bar: "Any") -> None:
        """Lets a bar go.

        Raises:
            KeyError: It is not there.
        """
        del self[id(bar)]

    def copy(self) -> "set[Any]":  # type: ignore[override]
        """The bars, as a set."""
        return set(self)

    def __iter__(self) -> "Iterator[Any]":
        """The bars, those of this moment."""
        for reference in list(self.values()):
            bar = reference()
            if bar is not None:
                yield bar

    def __contains__(self, bar: object) -> bool:
        """Whether a bar is open."""
        return super().__contains__(id(bar))


def free_position(instances: "Instances") -> int:
    """The first line on which no bar stands."""
    taken = {abs(bar.pos) for bar in instances if hasattr(bar, "pos")}
    return min(set(range(len(taken) + 1)) - taken)


class WriteLock:
    """A lock for threads (`th_lock`) and, for programs that ask, for processes (`mp_lock`).

    Args:
        mp_lock: A lock that other processes have as well; by default one is made at first use, or
            at once where `multiprocessing` is loaded: children by fork share what was made before.
    """

    def __init__(self, mp_lock: "Any" = None) -> None:
        self.th_lock: Any = RLock()
        self._mp_lock = mp_lock
        self._held_for_fork = False
        if "multiprocessing.context" in sys.modules:
            _ = self.mp_lock
        _made.append(ref(self, _made.remove))

    @property
    def mp_lock(self) -> "Any":
        """The half for processes; the half for threads where semaphores are not to be had."""
        if self._mp_lock is None:
            try:
                import multiprocessing

                self._mp_lock = multiprocessing.RLock()
            except (ImportError, OSError) as error:
                _stack.pass_on(error)
                self._mp_lock = self.th_lock
        return self._mp_lock

    @property
    def locks(self) -> "list[Any]":
        """Both halves."""
        return [self.mp_lock, self.th_lock]

    def acquire(self, *args: "Any", **kwargs: "Any") -> bool:
        """Takes both halves, as `threading.RLock.acquire` does."""
        if not self.mp_lock.acquire(*args, **kwargs):
            return False
        if self.th_lock.acquire(*args, **kwargs):
            return True
        self.mp_lock.release()
        return False

    def release(self) -> None:
        """Gives both halves back."""
        self.th_lock.release()
        self.mp_lock.release()

    def __enter__(self) -> None:
        self.acquire()

    def __exit__(self, *_error: object) -> None:
        self.release()

    def __reduce__(self) -> "Any":
        """In another process: its own threads, and the same half for processes."""
        return WriteLock, (self.mp_lock,)


_made: "list[ref[WriteLock]]" = []


def _living() -> "list[WriteLock]":
    return [lock for lock in [reference() for reference in _made] if lock is not None]


def for_drawing(lock: "Any") -> "Any":
    """What drawing takes of a lock: of the package's own the half for threads."""
    return lock.th_lock if type(lock) is WriteLock else lock


# A child has the forking thread alone: a lock that another thread held would stay held in it.


def _before_fork() -> None:
    for lock in _living():
        lock._held_for_fork = lock.th_lock.acquire(timeout=_FORK_PATIENCE_S)  # noqa: SLF001


def _after_fork_in_parent() -> None:
    for lock in _living():
        if lock._held_for_fork:  # noqa: SLF001
            lock._held_for_fork = False  # noqa: SLF001
            lock.th_lock.release()


def _after_fork_in_child() -> None:
    for lock in _living():
        if not lock._held_for_fork:  # noqa: SLF001
            lock.th_lock = RLock()
    _after_fork_in_parent()


os.register_at_fork(
    before=_before_fork,
    after_in_parent=_after_fork_in_parent,
    after_in_child=_after_fork_in_child,
)


class Aside:
    """Takes the lines that share a file with a stream away, for as long as it is entered.

    Args:
        cls: The class of the bars, whose lock is held meanwhile.
        stream: Where the text goes; `None`: nowhere, so nothing is to be done.
        nolock: Whether the lock is held already.
        above: Whether all of the text goes through `put`: then the renderer's lines can stay.
    """

    def __init__(self, cls: "Any", stream: "Any", *, nolock: bool, above: bool = False) -> None:
        self._cls = cls
        self._stream = stream
        self._above = above and _streams.above(stream) is not None
        self._is_held = stream is not None and _streams.is_terminal(stream)
        self._lock: Any = None
        self._takes_lock = not nolock and stream is not None
        self._wiped: list[Any] = []
        self._stock: Any = None

    def __enter__(self) -> None:
        if self._takes_lock:
            self._lock = for_drawing(self._cls.get_lock())
            self._lock.acquire()
        try:
            self._make_room()
        except BaseException:
            self._release()
            raise

    def _make_room(self) -> None:
        for bar in self._cls._instances if self._stream is not None else ():  # noqa: SLF001
            if self._is_in_the_way(bar):
                bar.clear(nolock=True)
                self._wiped.append(bar)
        if "tqdm.std" in sys.modules and self._stream is not None:
            stock = _stack.module("mp_tqdm._stock")
            if stock is not None:
                self._stock = stock.made_room(self._stream)
                self._stock.__enter__()
        if self._is_held and not self._above:
            _core.hold()

    def __exit__(self, *_error: object) -> None:
        try:
            if self._is_held:
                self._give_back()
            for bar in self._wiped:
                bar.refresh(nolock=True)
        finally:
            if self._stock is not None:
                self._stock.__exit__(None, None, None)
            self._release()

    def _release(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _is_in_the_way(self, bar: "Any") -> bool:
        """Whether Python code draws the bar where the text goes: both standard streams are one."""
        if getattr(bar, "_painter", None) is None or not hasattr(bar, "start_t"):
            return False
        standard = (sys.stdout, sys.stderr)
        is_standard = any(self._stream is one for one in standard)
        return bool(
            bar.fp == self._stream or (is_standard and any(bar.fp is one for one in standard))
        )

    def _give_back(self) -> None:
        flush = getattr(self._stream, "flush", None)
        try:
            if flush is not None:
                flush()
        except RuntimeError as error:
            _stack.pass_on(error)  # else as in `put`, which has written past the buffer
        finally:
            if not self._above:
                _core.unhold()


def put(stream: "Any", text: str) -> None:
    """Writes to a stream, above the lines that the job draws there.

    Also from a signal handler that came in the middle of a write to it: Python's buffered files
    refuse that with a RuntimeError, so it goes to the descriptor.
    """
    _join()
    above = _streams.above(stream)
    try:
        (above or stream.write)(text)
    except RuntimeError as error:
        _stack.pass_on(error)
        found = _streams.descriptor(stream)
        if found is None:
            raise
        os.write(found[0], text.encode(stream.encoding, "backslashreplace"))


def _join() -> None:
    """Attaches a worker that counted nothing so far: its job knows what stands on the terminal."""
    process = sys.modules.get("multiprocessing.process")
    if _core.is_attached() or process is None or process.parent_process() is None:
        return
    try:
        _core.join()
    except RuntimeError as error:
        if not _stack.is_own(error):
            raise
        return  # there is no memory for counters: the text is written as it is


_first_locks: "dict[type, WriteLock]" = {}


class Together:
    """The class methods of tqdm."""

    __slots__ = ()

    # Whether `print`, logging and warnings come out above the bars of this class.
    redirect: bool = True
    monitor_interval: "ClassVar[float]" = 10
    monitor: "ClassVar[Any]" = None
    _instances: "ClassVar[Any]" = Instances()
    _lock: "ClassVar[Any]"

    @classmethod
    def write(
        cls, s: str, file: "TextIO | None" = None, end: str = "\n", nolock: bool = False
    ) -> None:
        """Prints `s` above the bars.

        Args:
            s: The text.
            file: Where to print; default `sys.stdout`.
            end: What follows the text.
            nolock: Whether the lock is held already.
        """
        stream = file if file is not None else sys.stdout
        if stream is None:
            return
        with Aside(cls, stream, nolock=nolock, above=True):
            put(stream, s + end)

    @classmethod
    def external_write_mode(cls, file: "TextIO | None" = None, nolock: bool = False) -> "Aside":
        """A context within which the lines are off the terminal, so that text can be written.

        Args:
            file: Where the text goes; default `sys.stdout`.
            nolock: Whether the lock is held already.
        """
        return Aside(cls, file if file is not None else sys.stdout, nolock=nolock)

    @classmethod
    def get_lock(cls) -> "Any":
        """The lock around what Python code draws and `write` prints; made at the first call.

        Counting and the renderer thread take none. Children by fork share it if it was made before;
        to others it can be handed as an argument: `Pool(initializer=mp_tqdm.set_lock, ...)`.
        """
        if not hasattr(cls, "_lock"):
            # Of threads that come here together each makes one, and all take the first.
            cls._lock = _first_locks.setdefault(cls, WriteLock())
        return cls._lock

    @classmethod
    def set_lock(cls, lock: "Any") -> None:
        """Takes another lock: anything with `acquire` and `release`."""
        cls._lock = lock

    @classmethod
    def wrapattr(
        cls,
        stream: "Any",
        method: str,
        total: float | None = None,
        bytes: bool = True,  # noqa: A002 - tqdm's own
        **kwargs: "Any",
    ) -> "Any":
        """A context that gives `stream` with a bar around its `read` or `write`.

            with mp_tqdm.wrapattr(file, "read", total=size) as file:
                while chunk := file.read(8192):
                    ...

        Args:
            stream: A file-like object.
            method: `"read"` or `"write"`; what it returns, or is given, has a length.
            total: The length of all of it.
            bytes: Show bytes, in steps of 1024.
            **kwargs: Those of the bar.
        """
        from mp_tqdm import _wrapped

        kwargs["total"] = total
        return _wrapped.wrapattr(cls, stream, method, is_bytes=bytes, kwargs=kwargs)

    @classmethod
    def pandas(cls, **kwargs: "Any") -> None:
        """Gives pandas `progress_apply` and its kin: `apply`, `map` and so on, with a bar.

            mp_tqdm.pandas(desc="rows")
            frame.groupby("user").progress_apply(work)

        Args:
            **kwargs: Those of each bar.
        """
        from mp_tqdm import _pandas

        _pandas.register(cls, kwargs)
