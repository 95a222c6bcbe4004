"""Many open attempts at once: their allowance entries and deadlines are made what rows and rules say now.

Set-based: the number of statements goes by batches, not by attempts. Callers hold the rows' locks (``lock_open``).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

from simple_history.utils import bulk_update_with_history

from proctoring.allowances.computation import in_force
from proctoring.allowances.models import Allowance
from proctoring.attempts import states
from proctoring.attempts.chronicle import time_event
from proctoring.attempts.ledger import Sums, apply_sums, missing_seconds, sums_of
from proctoring.attempts.lifecycle import settle_deadline
from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.timing import EntryKind
from proctoring.exams.models import Exam
from proctoring.logs.services import record_together
from proctoring.signals import announce, deadline_changed

if TYPE_CHECKING:
    from proctoring.host import User

Item = TypeVar("Item")

BATCH = 500
DERIVED = ("total_seconds", "closes_at", "expires_at")


@dataclass(frozen=True, kw_only=True, slots=True)
class Moved:
    """An attempt whose time changed, and what it was before."""

    attempt: Attempt
    expires_before: datetime | None
    total_before: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Posting:
    """What the ledger is held against, and what is written beside a difference."""

    allowances: Iterable[Allowance]
    """All that the people have, of every exam and kind: read after the lock."""
    note: Callable[[Attempt], str]
    """Candidates read it."""


def lock_open(keys: Iterable[int]) -> list[Attempt]:
    """Lock those of these attempts that are open, later before earlier, which is everybody's order: who ends one goes
    on to the person's first (``chains.Record``). Returns them by primary key."""
    rows = [
        row
        for some in _batches(sorted(keys, reverse=True))
        for row in Attempt.objects.locked().filter(pk__in=some, status__in=states.OPEN).order_by("-pk")
    ]
    return rows[::-1]


def reckon(
    rows: Sequence[Attempt],
    *,
    by: User | None,
    now: datetime,
    reason: str,
    posting: Posting | None = None,
    changed_fields: Sequence[str] = (),
) -> list[Moved]:
    """Derive total and deadline of locked attempts anew; with ``posting`` the difference to what allowances come to
    is written into the ledger before, one entry an attempt. Returns those that changed.

    One whose deadline has passed ends at it first: nothing reopens it. ``changed_fields`` are what the caller has
    changed in all of the rows, in memory: they are saved along.
    """
    moved: list[Moved] = []
    for some in _batches(rows):
        _attach_exams(some)
        live = [row for row in some if not settle_deadline(row, now=now)]
        sums = sums_of([row.pk for row in live])
        if posting is not None:
            _post_differences(live, sums, posting, by=by, now=now)
        moved += _derive(live, sums, by=by, reason=reason, changed_fields=changed_fields)
    return moved


def _batches(items: Sequence[Item]) -> Iterable[Sequence[Item]]:
    return (items[at : at + BATCH] for at in range(0, len(items), BATCH))


def _attach_exams(rows: Sequence[Attempt]) -> None:
    """The exams as they are now, read after the lock, except where the caller has just saved them itself."""
    bare = [row for row in rows if not Attempt.exam.is_cached(row)]
    exams = Exam.objects.in_bulk({row.exam_id for row in bare}) if bare else {}
    for row in bare:
        row.exam = exams[row.exam_id]


def _post_differences(
    rows: Sequence[Attempt], sums: dict[int, Sums], posting: Posting, *, by: User | None, now: datetime
) -> None:
    """Adds what it writes to ``sums``. In the log, too, of those whose clock has begun: before, nothing has happened
    that a log would be read for."""
    of_person: dict[object, list[Allowance]] = defaultdict(list)
    for allowance in posting.allowances:
        of_person[allowance.user_id].append(allowance)
    entries, events = [], []
    for row in rows:
        rules = in_force(of_person[row.user_id], row.exam_id, row.exam.course_id)
        seconds = missing_seconds(row, sums[row.pk], rules)
        if seconds:
            sums[row.pk] = sums[row.pk].with_allowance(seconds)
            note = posting.note(row)
            entries.append(TimeEntry(attempt=row, kind=EntryKind.ALLOWANCE, seconds=seconds, at=now, by=by, note=note))
            if row.status in states.RUNNING:
                events.append(time_event(row, EntryKind.ALLOWANCE, seconds, by=by, note=note, now=now))
    TimeEntry.objects.bulk_create(entries, batch_size=BATCH)
    record_together(events)


def _derive(
    rows: Sequence[Attempt],
    sums: dict[int, Sums],
    *,
    by: User | None,
    reason: str,
    changed_fields: Sequence[str],
) -> list[Moved]:
    moved = []
    for row in rows:
        before = row.total_seconds, row.closes_at, row.expires_at
        moving = Moved(attempt=row, expires_before=row.expires_at, total_before=row.total_seconds)
        apply_sums(row, sums[row.pk])
        if changed_fields or before != (row.total_seconds, row.closes_at, row.expires_at):
            moved.append(moving)
    changed = [one.attempt for one in moved]
    bulk_update_with_history(
        changed,
        Attempt,
        [*DERIVED, *changed_fields],
        batch_size=BATCH,
        default_user=by,
        default_change_reason=reason,
    )
    for row in changed:
        announce(deadline_changed, attempt=row)
    return moved
