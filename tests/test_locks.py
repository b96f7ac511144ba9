"""The lock around frames: one for all threads and processes, as in tqdm."""

import io
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from mp_tqdm import mp_tqdm
from support import programs


@pytest.fixture(autouse=True)
def no_lock_of_another_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delattr(mp_tqdm, "_lock", raising=False)
    yield
    if "_lock" in vars(mp_tqdm):
        del mp_tqdm._lock


class Lock:
    """A lock that says what was done with it, and can be told to be taken."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.is_free = True

    def acquire(self, *args: Any) -> bool:
        self.calls.append(("acquire", *args))
        return self.is_free

    def release(self) -> None:
        self.calls.append("release")


def test_frames_are_drawn_under_the_lock_that_was_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mp_tqdm, "monitor_interval", 0)  # whose thread takes it as well
    lock = Lock()
    mp_tqdm.set_lock(lock)
    assert mp_tqdm.get_lock() is lock
    with mp_tqdm(total=2, file=io.StringIO(), mininterval=0, miniters=1) as bar:
        lock.calls.clear()
        bar.update()
        assert lock.calls == [("acquire",), "release"]


def test_lock_args_leave_a_frame_out_while_the_lock_is_taken() -> None:
    lock, file = Lock(), io.StringIO()
    mp_tqdm.set_lock(lock)
    with mp_tqdm(total=5, file=file, mininterval=0, miniters=1, lock_args=(False,)) as bar:
        lock.is_free = False
        shown = file.getvalue()
        bar.update()
        assert file.getvalue() == shown
        assert lock.calls[-1] == ("acquire", False)
        lock.is_free = True
        bar.update()
    assert "| 2/5 " in file.getvalue()


def test_a_subclass_may_have_a_lock_of_its_own_and_lose_it() -> None:
    class Mine(mp_tqdm):
        pass

    mine = Mine.get_lock()
    assert mp_tqdm.get_lock() is not mine
    assert Mine.get_lock() is mine
    del Mine._lock
    assert Mine.get_lock() is mp_tqdm.get_lock()


def test_the_lock_is_one_for_threads_and_can_be_taken_twice() -> None:
    lock = mp_tqdm.get_lock()
    seen: list[bool] = []
    with lock, lock:
        other = threading.Thread(target=lambda: seen.append(lock.acquire(False)))
        other.start()
        other.join()
    assert seen == [False]
    assert lock.acquire(False)
    lock.release()


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_the_lock_is_one_for_processes(method: str, program: Any) -> None:
    process = programs.run(
        program(
            """
            import multiprocessing, sys
            from mp_tqdm import mp_tqdm

            def is_free(_):
                taken = mp_tqdm.get_lock().acquire(False)
                if taken:
                    mp_tqdm.get_lock().release()
                return taken

            if __name__ == "__main__":
                context = multiprocessing.get_context(sys.argv[1])
                multiprocessing.set_start_method(sys.argv[1])
                lock = mp_tqdm.get_lock()
                pool = context.Pool(1, initializer=mp_tqdm.set_lock, initargs=(lock,))
                with lock:
                    print(pool.apply(is_free, (0,)))
                print(pool.apply(is_free, (0,)))
                pool.terminate()
                pool.join()
            """,
            method,
        )
    )
    assert process.stdout.split() == ["False", "True"], process.stderr


def test_a_child_of_a_thread_that_does_not_hold_the_lock_can_take_it(program: Any) -> None:
    process = programs.run(
        program("""
            import os, threading
            from mp_tqdm import mp_tqdm
            lock = mp_tqdm.get_lock()
            held, over = threading.Event(), threading.Event()
            def hold():
                with lock:
                    held.set()
                    over.wait()
            thread = threading.Thread(target=hold)
            thread.start()
            held.wait()
            pid = os.fork()
            if pid == 0:
                mp_tqdm.write("from the child")
                os._exit(0)
            os.waitpid(pid, 0)
            over.set()
            thread.join()
            with lock:
                pid = os.fork()
                if pid == 0:
                    mp_tqdm.write("from another")
                if pid == 0:
                    os._exit(0)
            os.waitpid(pid, 0)
        """)
    )
    # The lines of `write` are in the children's buffers; that they got there is the point.
    assert process.returncode == 0, process.stderr
