"""How our commands run: row by row, each in a transaction of its own, the same way for real and for a dry run."""

from __future__ import annotations

import logging
from argparse import ArgumentTypeError
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils.dateparse import parse_datetime

from proctoring.allowances.people import MAX_ID
from proctoring.attempts.granting import find_person
from proctoring.attempts.models import Attempt
from proctoring.backends import backends
from proctoring.errors import NotPermitted, ProctoringError
from proctoring.permissions import is_course_staff, is_privacy_officer

if TYPE_CHECKING:
    from proctoring.host import User

Row = TypeVar("Row")

logger = logging.getLogger(__name__)

PROGRESS = 100
"""After so many rows a line on stderr."""


class RowsCommand(BaseCommand):
    """Does one thing to each of some rows.

    One row that is refused does not stop the others; the command then ends with exit code 1 and says how many were.
    A dry run takes the same path and undoes it. What was done before a command is killed stays done; run it again.
    """

    dry_run = False
    limit: int | None = None
    has_own_transaction = False
    """The service does something long before its transaction begins."""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="Say what would be done, and change nothing.")
        parser.add_argument("--limit", type=positive, metavar="N", help="Stop after N rows.")

    def execute(self, *args: Any, **options: Any) -> str | None:
        self.dry_run, self.limit = bool(options.get("dry_run")), options.get("limit")
        return super().execute(*args, **options)

    def each(self, rows: Iterable[Row], act: Callable[[Row], str], *, name: Callable[[Row], str]) -> None:
        """Do it to each row, print what became of each, and raise ``CommandError`` at the end where any was refused."""
        done = refused = 0
        for row in islice(rows, self.limit):
            try:
                said = self._act(act, row)
            except ProctoringError as why:
                refused += 1
                self.stderr.write(f"{name(row)}: refused, {why.code}: {why}")
            # A row of which nobody had thought must not keep the others waiting. Its words go to the log.
            except Exception as mistake:
                refused += 1
                logger.exception("%s failed in an unforeseen way", name(row))
                self.stderr.write(f"{name(row)}: failed, {type(mistake).__name__}, see the log")
            else:
                done += 1
                self.stdout.write(f"{name(row)}: {said}")
            if (done + refused) % PROGRESS == 0:
                self.stderr.write(f"{done + refused} rows …")
        self.stderr.write(f"{done} {'would be done' if self.dry_run else 'done'}, {refused} refused.")
        if refused:
            raise CommandError(f"{refused} of {done + refused} were refused.")

    def _act(self, act: Callable[[Row], str], row: Row) -> str:
        """In a transaction, which a dry run undoes again: nothing is announced then, hence nobody called."""
        if self.has_own_transaction and not self.dry_run:
            return act(row)
        with transaction.atomic():
            said = act(row)
            if self.dry_run:
                transaction.set_rollback(True)
        return said


def rows_of(model: type[Any], keys: Iterable[int]) -> Iterator[Any]:
    """The rows with these keys, each read when it is its turn; those that have gone meanwhile are left out."""
    for key in keys:
        row = model._default_manager.filter(pk=key).first()
        if row is not None:
            yield row


def positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text[:20]) <= MAX_ID):
        raise ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def moment(text: str) -> datetime:
    """A time with its zone: an operator's zone is not the server's."""
    try:
        found = parse_datetime(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ArgumentTypeError(f"{text!r} is not a time with its zone, such as 2026-03-02T10:00:00+01:00")
    return found


def person(text: str) -> User:
    """The account with this id, user name or e-mail address. Raises ``CommandError``."""
    try:
        return somebody(text)
    except ProctoringError as unknown:
        raise CommandError(f"{text!r}: {unknown}") from unknown


def somebody(text: str) -> User:
    """The same for one row among many: raises ``UnknownPerson``."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) < 20:
        try:
            return find_person(int(text))
        except ProctoringError:
            # Some schools name accounts by numbers.
            return find_person(text)
    return find_person(text)


def officer(text: str) -> User:
    """The account in whose name somebody is erased. Raises ``CommandError`` for who is no privacy officer."""
    found = person(text)
    if not is_privacy_officer(found):
        raise CommandError(f"{text!r} is not a privacy officer.")
    return found


def refuse_strangers(attempt: Attempt, by: User) -> None:
    """Raises ``NotPermitted`` for who is not staff of the attempt's course: the history would name them."""
    if not is_course_staff(by, attempt.exam.course_id):
        raise NotPermitted(f"{by.get_username()} is not staff of this course.")


def alias(text: str) -> str:
    """A configured backend. Raises ``CommandError``."""
    if text not in backends:
        raise CommandError(f"There is no backend {text!r}; configured are {', '.join(backends)}.")
    return text
