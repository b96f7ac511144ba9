"""The floor in C, compiled at its first use into a cache outside the tree."""

import hashlib
import importlib.util
import os
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path
from types import ModuleType

SOURCE = Path(__file__).with_name("floor.c")
FLAGS = ["-O3", "-DNDEBUG", "-fPIC", "-shared", "-Wall", "-Werror=implicit-function-declaration"]


def load() -> ModuleType:
    """Compile `floor.c` for this Python unless that was done, and import it.

    Raises:
        subprocess.CalledProcessError: There is no C compiler, or Python's headers are missing.
    """
    if "floor" in sys.modules:
        return sys.modules["floor"]
    compiler = shlex.split(sysconfig.get_config_var("CC") or "cc")
    command = [*compiler, *FLAGS, f"-I{sysconfig.get_path('include')}", str(SOURCE)]
    key = hashlib.sha256(SOURCE.read_bytes() + repr((command, sys.version)).encode())
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "mp_tqdm", "floor")
    library = cache / f"{key.hexdigest()[:12]}.so"
    if not library.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as scratch:
            subprocess.run([*command, "-o", f"{scratch}/floor.so"], check=True)
            os.replace(f"{scratch}/floor.so", library)
    specification = importlib.util.spec_from_file_location("floor", library)
    assert specification is not None, "a path that ends in .so is an extension module"
    assert specification.loader is not None, "as above"
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    sys.modules["floor"] = module
    return module
