"""What counting costs beside the bare loop, a floor written in C, and other progress bars.

`python -m benches` measures all of them in one run and prints tables; see `__main__`.
"""
