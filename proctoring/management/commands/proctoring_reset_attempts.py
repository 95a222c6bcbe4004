"""Staff reset of many attempts, from a table."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

from django.core.management.base import CommandError, CommandParser

from proctoring.attempts.lifecycle import REASON_LENGTH
from proctoring.attempts.models import Attempt
from proctoring.attempts.retries import reset_attempt
from proctoring.errors import InvalidInput, RuleBroken
from proctoring.management.running import RowsCommand, person, refuse_strangers, somebody

MAX_REASON = REASON_LENGTH - 20
"""The history puts a word before it."""

HEADERS = {"attempt", "attempt_id", "id", "user"}


class Command(RowsCommand):
    help = (
        "Reset the attempts that a CSV file names: in each row an attempt's id, or a person (id, user name or e-mail "
        "address) and an exam's id, which means the newest attempt. What this very reason has reset is left alone."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("file", help="In UTF-8; - reads from standard input.")
        parser.add_argument("--reason", required=True)
        parser.add_argument("--by", required=True, help="In whose name: id, user name or e-mail address.")

    def handle(self, *args: Any, **options: Any) -> None:
        by, reason = person(options["by"]), options["reason"].strip()
        if not reason or len(reason) > MAX_REASON:
            raise CommandError(f"A reason has 1 to {MAX_REASON} characters.")

        def reset(row: tuple[int, list[str]]) -> str:
            attempt = _attempt(row[1])
            refuse_strangers(attempt, by)
            if _done(attempt, reason):
                return f"attempt {attempt.pk} was reset for this reason already"
            after = reset_attempt(attempt, by=by, reason=reason)
            return f"attempt {attempt.pk} of exam {attempt.exam_id} is reset" + (
                f", {after.pk} is the next one" if after.pk != attempt.pk else ""
            )

        try:
            self.each(_rows(options["file"]), reset, name=lambda row: f"line {row[0]}")
        except (OSError, UnicodeDecodeError, csv.Error) as unreadable:
            raise CommandError(f"The file cannot be read: {unreadable}") from unreadable


def _rows(name: str) -> Iterator[tuple[int, list[str]]]:
    """Number of the line and its cells, without the head and empty lines."""
    if name == "-":
        yield from _cells(sys.stdin)
        return
    with Path(name).open(encoding="utf-8-sig", newline="") as file:
        yield from _cells(file)


def _cells(file: TextIO) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(file)
    for number, cells in enumerate(reader):
        stripped = [cell.strip() for cell in cells]
        if any(stripped) and not (number == 0 and stripped[0].lower() in HEADERS):
            yield reader.line_num, stripped


def _attempt(cells: list[str]) -> Attempt:
    attempts = Attempt.objects.select_related("exam", "user")
    if len(cells) == 1:
        found = attempts.filter(pk=_number(cells[0])).first()
    elif len(cells) == 2:
        found = attempts.filter(user=somebody(cells[0]).pk, exam=_number(cells[1])).order_by("-number").first()
    else:
        raise InvalidInput("A row has an attempt's id, or a person and an exam's id.")
    if found is None:
        raise RuleBroken("There is no such attempt.", code="attempt_not_found")
    return found


def _number(cell: str) -> int:
    if not (cell.isascii() and cell.isdigit() and len(cell) < 19):
        raise InvalidInput(f"{cell!r} is no id.")
    return int(cell)


def _done(attempt: Attempt, reason: str) -> bool:
    """Whether a run before this one has reset it, or has reset the one that it followed."""
    reset = Attempt.history.filter(history_change_reason__in=(f"reset: {reason}", f"started over: {reason}"))
    earlier = Attempt.objects.filter(exam=attempt.exam_id, user=attempt.user_id, number=attempt.number - 1)
    return reset.filter(id__in=[attempt.pk, *earlier.values_list("pk", flat=True)]).exists()
