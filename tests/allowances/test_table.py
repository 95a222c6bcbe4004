"""A table of allowances, as spreadsheets write it."""

from __future__ import annotations

from decimal import Decimal

import pytest

from proctoring.allowances.table import MAX_BYTES, MAX_ROWS, read_table
from proctoring.errors import InvalidInput

HEADER = "user,exam,kind,minutes,multiplier,note\n"


@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("separator", [",", ";"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_marks_separators_and_line_ends_of_all_kinds_are_read(mark: str, separator: str, line_end: str) -> None:
    lines = ["user,exam,kind,minutes,multiplier,note", "ada,block-1,extra_minutes,10,,", "bob,,time_multiplier,,1.5,x"]
    text = mark + line_end.join(lines).replace(",", separator)
    first, second = read_table(text.encode())
    assert (first.line, first.user, first.exam, first.terms and first.terms.minutes) == (2, "ada", "block-1", 10)
    assert second.terms is not None
    assert (second.exam, second.terms.multiplier, second.terms.note) == ("", Decimal("1.50"), "x")


def test_columns_come_in_any_order_and_optional_ones_may_be_missing() -> None:
    (row,) = read_table(b"Kind;User;Multiplier\ntime_multiplier;ada;1,25\n")
    assert row.terms is not None
    assert (row.user, row.terms.multiplier) == ("ada", Decimal("1.25"))


def test_empty_lines_are_passed_over_and_lines_keep_their_numbers() -> None:
    rows = read_table((HEADER + ",,,,,\nada,,extra_minutes,10,,\n\nbob,,extra_minutes,10,,\n").encode())
    assert [row.line for row in rows] == [3, 5]


@pytest.mark.parametrize(
    ("line", "field"),
    [
        (",,extra_minutes,10,,", "user"),
        ("ada,,holiday,10,,", "kind"),
        ("ada,,exemption,,,", "kind"),
        ("ada,,extra_minutes,ten,,", "minutes"),
        ("ada,,extra_minutes,٣,,", "minutes"),
        ("ada,,extra_minutes,99999999999,,", "minutes"),
        ("ada,,extra_minutes,,,", "minutes"),
        ("ada,,time_multiplier,,NaN,", "multiplier"),
        ("ada,,time_multiplier,,1e9,", "multiplier"),
        ("ada,,time_multiplier,,x,", "multiplier"),
        ("ada,,policy_exception,,,", "note"),
        ("ada,,extra_minutes,10,,,,surplus", "row"),
        (f"{'x' * 300},,extra_minutes,10,,", "user"),
    ],
)
def test_a_mistake_is_said_of_its_row_and_spoils_no_other(line: str, field: str) -> None:
    wrong, right = read_table(f"{HEADER}{line}\nbob,,extra_minutes,10,,\n".encode())
    assert wrong.terms is None
    assert wrong.problem is not None
    assert (wrong.line, field in wrong.problem.errors) == (2, True)
    assert (right.line, right.problem) == (3, None)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        HEADER.encode(),
        b"user,exam\nada,x\n",
        b"user,kind,salary\nada,extra_minutes,1\n",
        b"user,user,kind\nada,ada,extra_minutes\n",
        b"\xff\xfe\x00user",
        b"user,kind\n\x00,extra_minutes\n",
        b'user,kind\n"ada,extra_minutes\n',
        b"user,kind\n" + b"x" * 200_000 + b",extra_minutes\n",
        b"x" * (MAX_BYTES + 1),
        (HEADER + "ada,,extra_minutes,10,,\n" * (MAX_ROWS + 1)).encode(),
    ],
    ids=["empty", "header", "missing", "unknown", "twice", "utf16", "null", "quote", "cell", "bytes", "rows"],
)
def test_what_is_no_table_is_refused_as_a_whole(raw: bytes) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_table(raw)
    assert list(refused.value.errors) == ["file"]
