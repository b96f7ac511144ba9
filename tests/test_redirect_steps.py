"""A bar that opens while another thread, or code that a signal interrupted, ends the last one."""

from collections.abc import Callable

import pytest

from support.terminal import Terminal

Program = Callable[..., list[str]]

# A bar opens at the given step of the last one's end, as it may in a signal handler.
OPEN_AT_STEP = """
    import sys
    from mp_tqdm import _core, _streams, mp_tqdm

    def is_redirected(stream):
        return type(stream.__dict__.get("write")) is _core.AboveBars

    def bare_after(step):
        opened, left = [], step

        def trace(frame, event, _):
            nonlocal left
            if frame.f_code is _streams.restore_after.__code__:
                left -= 1
                if left == 0:
                    sys.settrace(None)
                    opened.append(mp_tqdm(total=1, leave=False))
                return trace

        bar = mp_tqdm(total=1, leave=False)
        sys.settrace(trace)
        bar.close()
        sys.settrace(None)
        streams = [sys.stdout, sys.stderr] if opened else []
        bare = [stream for stream in streams if not is_redirected(stream)]
        for bar in opened:
            bar.close()
        assert not any(map(is_redirected, (sys.stdout, sys.stderr)))
        return len(bare) if opened else None

    step, found = 1, []
    while (bare := bare_after(step)) is not None:
        found.append(bare)
        step += 1
    print("steps", len(found) >= 4, "bare", sum(found))
"""


@pytest.mark.once
def test_a_bar_that_opens_while_the_last_one_ends_is_printed_above(
    terminal: Terminal, program: Program
) -> None:
    terminal.start(program(OPEN_AT_STEP))
    assert terminal.wait() == 0, terminal.text()
    assert "steps True bare 0" in terminal.text()
