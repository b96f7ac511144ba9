"""The documents' tables are those of the measured runs that lie beside them."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parent.parent / "docs"
figures = runpy.run_path(str(DOCS / "figures.py"))


@pytest.mark.once
def test_no_table_was_edited_by_hand() -> None:
    pages = figures["pages"]()
    assert [page.name for page in pages] == ["README.md", "benchmarks.md", "output.md"]
    for page, content in pages.items():
        assert page.read_text() == content, f"`python docs/figures.py` writes {page.name}"


@pytest.mark.once
def test_a_page_without_its_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="'loops' are there 0 times"):
        figures["replaced"]("<!-- figures -->\n1\n<!-- /figures -->\n", "loops", "2")


@pytest.mark.once
def test_every_picture_of_the_page_is_there() -> None:
    shown = re.findall(r"\]\((pictures/\w+\.svg)\)", (DOCS / "benchmarks.md").read_text())
    assert shown == [f"pictures/{name}.svg" for name in figures["CAPTIONS"]]
    assert all((DOCS / name).is_file() for name in shown)
