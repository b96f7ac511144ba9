"""tqdm with this package's bar in the place of its own: what tqdm's own tests import.

Its directory goes on `PYTHONPATH`, and `TQDM_SOURCE` names the real package, whose other modules
(`rich`, `keras`, `dask`, ...) then build upon this one's bar.
"""

import os
from importlib import import_module

__path__ = [os.environ["TQDM_SOURCE"]]

for module, source, names in (
    (
        "tqdm.std",
        "mp_tqdm",
        (
            "TqdmDeprecationWarning",
            "TqdmExperimentalWarning",
            "TqdmKeyError",
            "TqdmMonitorWarning",
            "TqdmTypeError",
            "TqdmWarning",
            "tqdm",
            "trange",
        ),
    ),
    ("tqdm._monitor", "mp_tqdm._monitor", ("TMonitor",)),
):
    real, ours = import_module(module), import_module(source)
    for name in names:
        setattr(real, name, getattr(ours, name))

with open(os.path.join(os.environ["TQDM_SOURCE"], "__init__.py"), encoding="utf-8") as _file:
    exec(compile(_file.read(), _file.name, "exec"))  # noqa: S102
