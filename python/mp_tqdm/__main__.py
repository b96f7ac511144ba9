"""Runs the command line: `python -m mp_tqdm`."""

from __future__ import annotations

# The children of spawn import this file as well, under another name.
if __name__ == "__main__":
    import sys

    from mp_tqdm._cli import main

    sys.exit(main())
