"""Prepares each Python below `python -m mp_tqdm run` for tqdm's import, and changes nothing else.

Pythons of any version read this file, so its syntax is what all of them know. Afterwards it runs
the `sitecustomize` that it hides, such as the environment's or the distribution's.
"""

import os
import sys

here = os.path.dirname(os.path.abspath(__file__))
own = sys.modules.pop("sitecustomize", None)

if sys.version_info >= (3, 6):  # noqa: UP036 - older ones come here, too
    value = os.environ.get("MP_TQDM_PATCH", "").strip().lower()
    if value not in ("", "0", "false", "no", "none", "off"):
        __import__("mp_tqdm_at_import").prepare()

place = sys.path.index(here) if here in sys.path else None
if place is not None:
    del sys.path[place]
try:
    __import__("sitecustomize")
except ImportError as error:
    if getattr(error, "name", "sitecustomize") != "sitecustomize":
        raise
    if own is not None:
        sys.modules["sitecustomize"] = own
finally:
    # Back to its place: programs start others with a PYTHONPATH made from their sys.path.
    if place is not None:
        sys.path.insert(place, here)
