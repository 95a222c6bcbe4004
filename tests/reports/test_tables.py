"""Rows as CSV and as JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from proctoring.reports.tables import csv_pieces, ndjson_pieces

COLUMNS = ("a", "b")


def cells(value: Any) -> str:
    text = "".join(csv_pieces(COLUMNS, [{"a": value, "b": 1}]))
    return list(csv.reader(io.StringIO(text, newline="")))[1][0]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n"])
def test_a_spreadsheet_finds_no_formula(start: str) -> None:
    assert cells(f"{start}HYPERLINK(1)") == f"'{start}HYPERLINK(1)"


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (None, ""),
        (True, "true"),
        (False, "false"),
        (-3, "-3"),
        ("a=b", "a=b"),
        ('quoted "x", é', 'quoted "x", é'),
        (datetime(2026, 3, 2, 10, 0, tzinfo=UTC), "2026-03-02T10:00:00Z"),
    ],
)
def test_values_are_written_plainly(value: Any, cell: str) -> None:
    assert cells(value) == cell


def test_json_lines_keep_text_as_it_is() -> None:
    rows = [{"a": "=1\n2 é", "b": None}, {"a": datetime(2026, 3, 2, 10, 0, tzinfo=UTC), "b": True}]
    lines = "".join(ndjson_pieces(COLUMNS, rows)).splitlines()
    assert [json.loads(line) for line in lines] == [
        {"a": "=1\n2 é", "b": None},
        {"a": "2026-03-02T10:00:00Z", "b": True},
    ]


@pytest.mark.parametrize("pieces", [csv_pieces, ndjson_pieces])
def test_rows_are_asked_for_as_the_text_is_taken(pieces: Any) -> None:
    taken = []

    def rows() -> Iterator[dict[str, Any]]:
        for n in range(1000):
            taken.append(n)
            yield {"a": "x" * 1000, "b": n}

    text = pieces(COLUMNS, rows())
    assert taken == []
    first = next(text)
    assert len(taken) < 50
    assert first + "".join(text)
    assert len(taken) == 1000


def test_no_rows_leave_a_header_or_nothing() -> None:
    assert "".join(csv_pieces(COLUMNS, [])) == "a,b\r\n"
    assert "".join(ndjson_pieces(COLUMNS, [])) == ""
