"""The floor in C, compiled at its first use into a cache outside the tree."""

import hashlib
import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import ModuleType

# What subjects that use it name as theirs.
PACKAGE = "a C compiler"

SOURCE = Path(__file__).with_name("floor.c")
FLAGS = ["-O3", "-DNDEBUG", "-fPIC", "-shared", "-Wall", "-Werror=implicit-function-declaration"]


def load() -> ModuleType:
    """Compile `floor.c` for this Python unless that was done, and import it.

    Raises:
        FileNotFoundError: There is no C compiler.
        subprocess.CalledProcessError: It failed: Python's headers are missing.
    """
    if "floor" in sys.modules:
        return sys.modules["floor"]
    command = [*_compiler(), *FLAGS, f"-I{sysconfig.get_path('include')}", str(SOURCE)]
    key = hashlib.sha256(SOURCE.read_bytes() + repr((command, sys.version)).encode())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "mp_tqdm", "floor")
    library = cache / f"{key.hexdigest()[:12]}.so"
    if not library.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            command += ["-o", f"{scratch}/floor.so"]
            subprocess.run(command, check=True, capture_output=True)
            os.replace(f"{scratch}/floor.so", library)
    specification = importlib.util.spec_from_file_location("floor", library)
    assert specification is not None, "a path that ends in .so is an extension module"
    assert specification.loader is not None, "as above"
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    sys.modules["floor"] = module
    return module


def _compiler() -> list[str]:
    """The one that Python was built with, or else the first that is there."""
    candidates = [sysconfig.get_config_var("CC") or "cc", "cc", "gcc", "clang"]
    for command in map(shlex.split, candidates):
        if shutil.which(command[0]):
            return command
    raise FileNotFoundError("no C compiler: neither cc, gcc nor clang")
