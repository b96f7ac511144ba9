"""What happens to the workers of a DataLoader is PyTorch's affair: its errors stay as they are."""

import json
from collections.abc import Callable

import pytest

from support import programs

pytest.importorskip("torch")

Program = Callable[..., list[str]]

# PyTorch takes many seconds to load on a busy machine.
WATCHDOG_S = 100.0

pytestmark = [
    pytest.mark.faults,
    pytest.mark.torch,
    pytest.mark.slow,
    pytest.mark.timeout(WATCHDOG_S + 10),
]

KILLED = """
    import json, os, re, signal, sys
    from torch.utils.data import DataLoader, Dataset

    def caught():
        # Those the process catches, and what Python knows of them.
        status = open("/proc/self/status").read()
        mask = re.search(r"SigCgt:\\s+(\\w+)", status)[1]
        known = {int(s): str(signal.getsignal(s)) for s in signal.valid_signals()}
        return [mask, re.sub(r"0x\\w+", "", str(known))]

    class Items(Dataset):
        def __init__(self, report, doomed):
            self.report, self.doomed = report, doomed

        def __len__(self):
            return 100

        def __getitem__(self, index):
            if index == self.doomed:
                os.kill(os.getpid(), signal.SIGKILL)
            self.report()
            return caught() if index == 0 else index

    def load(report, doomed):
        told = []
        try:
            for batch in DataLoader(Items(report, doomed), batch_size=None, num_workers=1):
                if isinstance(batch, list):
                    told.append(batch)
        except Exception as error:
            while error is not None:
                told.append(re.sub(r"\\d+", "PID", repr(error)))
                error = error.__cause__ or error.__context__
        return told + caught()

    load(lambda: None, None)  # PyTorch sets its handlers at the first
    without = load(lambda: None, 50)
    from mp_tqdm import mp_tqdm, report_progress

    with mp_tqdm(total=100) as bar:
        bars = load(report_progress, 50)
        counted = bar.n
    with mp_tqdm(total=100) as bar:
        load(report_progress, None)
        print(json.dumps([without, bars, counted, bar.n]))
"""


@pytest.mark.faults("F3")
def test_a_killed_worker_of_a_loader_gives_pytorchs_own_error(program: Program) -> None:
    environ = programs.environment(MP_TQDM_MODE="tty", PYTHONFAULTHANDLER=None)
    done = programs.run(program(KILLED), env=environ, timeout=WATCHDOG_S)
    assert done.returncode == 0, done.stderr
    without, bars, counted, next_counted = json.loads(done.stdout)
    # The error, what led to it, and the signal handlers of the worker and of the training.
    assert "RuntimeError" in str(without)
    assert "DataLoader worker" in str(without)
    assert bars == without
    assert counted == 50
    assert next_counted == 100
