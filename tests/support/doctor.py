"""The doctor as a program, asked what it found."""

import json
import sys
from typing import Any

from support import programs

DOCTOR = [sys.executable, "-m", "mp_tqdm", "doctor"]


def facts(**variables: str | None) -> Any:
    """What `doctor --json` says now, and that its exit code agrees."""
    done = programs.run([*DOCTOR, "--json"], env=programs.environment(**variables))
    found = json.loads(done.stdout)
    is_ill = any(finding["is_problem"] for finding in found["findings"])
    assert (done.returncode, done.stderr) == (int(is_ill), "")
    return found
