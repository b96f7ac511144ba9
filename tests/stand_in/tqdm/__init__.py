"""tqdm with this package in its place: what tqdm's own tests import.

Its directory goes on `PYTHONPATH`, and `SOURCE_OF_TQDM` names the real package. Of that come the
modules that this package has none for (`rich`, `keras`, `dask`, `cli`, ...); they build on its bar.
"""

import os
import sys
from importlib import import_module

_SOURCE = os.environ["SOURCE_OF_TQDM"]
# Modules of tqdm, and what stands in for them: some names, or all of it.
_NAMES = {
    "tqdm.std": ("mp_tqdm", import_module("mp_tqdm").__all__),
    "tqdm._monitor": ("mp_tqdm._monitor", ["TMonitor"]),
}
_MODULES = {
    name: name.replace("tqdm", "mp_tqdm", 1)
    for name in (os.environ.get("STOOD_IN_FOR") or "").split()
}

__path__ = [_SOURCE]
# Where the files lie that belong to it (its manual page).
__spec__.loader.path = os.path.join(_SOURCE, "__init__.py")

for _name, (_ours, _names) in _NAMES.items():
    _module = import_module(_name)
    _doc = _module.__dict__.get("tqdm", _module).__doc__
    for _each in _names:
        setattr(_module, _each, getattr(import_module(_ours), _each))
    if _name == "tqdm.std":
        # The command line reads its options from the text of the class.
        _documented = type("tqdm", (_module.tqdm,), {"__doc__": _doc})
for _name, _ours in _MODULES.items():
    sys.modules[_name] = import_module(_ours)
# `contrib.concurrent`, at whose inside its tests look, stays tqdm's own over this package's bar.
_contrib = import_module("tqdm.contrib")
for _each in import_module("mp_tqdm.contrib").__all__:
    setattr(_contrib, _each, getattr(import_module("mp_tqdm.contrib"), _each))

with open(os.path.join(_SOURCE, "__init__.py"), encoding="utf-8") as _file:
    exec(compile(_file.read(), _file.name, "exec"))  # noqa: S102
import_module("tqdm.cli").tqdm = _documented  # type: ignore[attr-defined]
