"""A copy of a bar ends in another process, in every way: the opener's bar stays open."""

import re
from collections.abc import Callable

import pytest

from support.terminal import Terminal

pytestmark = [pytest.mark.faults, pytest.mark.once]

Program = Callable[..., list[str]]

END_COPIES = """
    import gc, multiprocessing, os, pickle, sys, threading
    from mp_tqdm import mp_tqdm

    def close(bar):
        bar.update()
        bar.close()
        bar.update(100)  # after the copy's end: nothing

    def leave(bar):
        with bar:
            bar.update()

    def collect(bars):
        bars.pop().update()
        gc.collect()

    def leave_by_exit(bar):
        with bar:
            bar.update()
            sys.exit(3)

    def leave_at_once(bar):
        bar.update()
        os._exit(4)

    def collect_one(bar):
        bars = [bar]
        del bar
        collect(bars)

    ENDS = {close: 0, leave: 0, collect_one: 0, leave_by_exit: 3, leave_at_once: 4}

    def end_where_it_was_inherited(bar):
        for end, code in ENDS.items():
            child = os.fork()
            if not child:
                try:
                    end(bar)
                except SystemExit as exit:
                    os._exit(exit.code)
                os._exit(0)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == code
            assert not bar.disable

    def end_where_it_was_pickled_to(bar, method):
        context = multiprocessing.get_context(method)
        for end, code in ENDS.items():
            process = context.Process(target=end, args=(bar,))
            process.start()
            process.join()
            assert process.exitcode == code, (end, process.exitcode)
            assert not bar.disable

    if __name__ == "__main__":
        bar = mp_tqdm(total=100, desc="opened")
        if sys.argv[1] == "inherited":
            end_where_it_was_inherited(bar)
        else:
            end_where_it_was_pickled_to(bar, sys.argv[1])
        # A copy in the same process, too.
        close(pickle.loads(pickle.dumps(bar)))
        print("counted", bar.n)
        input()
        bar.update(94)
        bar.close()
"""


@pytest.mark.faults("F74")
@pytest.mark.parametrize("way", ["inherited", "fork", "spawn", "forkserver"])
def test_a_bar_stays_open_whatever_becomes_of_its_copies(
    terminal: Terminal, program: Program, way: str
) -> None:
    terminal.start(program(END_COPIES, way))
    terminal.wait_for(lambda screen: "counted 6" in screen.text())
    # The line is there still, and goes on.
    terminal.wait_for(lambda screen: re.search(r"opened: +6%\|", screen.text()) is not None)
    terminal.press(b"\n")
    assert terminal.wait() == 0
    assert "opened: 100%|" in terminal.text()
    assert "| 100/100 [" in terminal.text()
    assert terminal.text().count("opened:") == 1, terminal.text()
