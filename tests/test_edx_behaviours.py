"""The page on edx-proctoring's behaviours names a test for each: what it says must be true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "edx_behaviours.rst").read_text(encoding="utf-8")
NAMED = re.findall(r"``(tests/[\w/]+\.py)``\s+``(test_\w+)``", PAGE)


def rows(part: str) -> list[list[str]]:
    """The cells of a part's tables, headers left out."""
    found = [row.split("\n     - ") for row in re.split(r"^   \* - ", part, flags=re.MULTILINE)[1:]]
    return [cells for cells in found if cells[0] != "Behaviour"]


def test_every_behaviour_has_a_test_and_what_was_left_out_has_a_reason() -> None:
    kept, left_out = PAGE.split("Left out\n--------\n")
    assert len(rows(kept)) == len(NAMED) > 60
    for cells in rows(kept) + rows(left_out):
        assert len(cells) == 3, cells
        assert all(cell.strip() for cell in cells), cells


@pytest.mark.parametrize(("file", "name"), sorted(set(NAMED)))
def test_the_named_test_is_there(file: str, name: str) -> None:
    assert re.search(rf"^ *def {name}\(", (ROOT / file).read_text(encoding="utf-8"), flags=re.MULTILINE)
