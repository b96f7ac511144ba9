"""What counting costs beside the bare loop, a floor written in C, and other progress bars.

`python -m mp_tqdm bench` measures all of them in one run and prints tables; see `command`. Nothing
else in the package imports this.
"""
