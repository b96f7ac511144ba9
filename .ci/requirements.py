"""Prints the pinned requirements of the given extras of pyproject.toml, one a line, for pip."""

import sys
from pathlib import Path

if sys.version_info >= (3, 11):
    import tomllib
else:
    from pip._vendor import tomli as tomllib


def main() -> None:
    """Read the extras named on the command line."""
    pyproject = Path(__file__).parent.parent / "pyproject.toml"
    extras = tomllib.loads(pyproject.read_text())["project"]["optional-dependencies"]
    print("\n".join(sorted({line for name in sys.argv[1:] for line in extras[name]})))


if __name__ == "__main__":
    main()
