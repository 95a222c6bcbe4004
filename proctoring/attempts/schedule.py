"""An exam changes: its open attempts follow, in the same transaction. What doors call to write exams."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Q, QuerySet, Sum
from django.utils import timezone
from simple_history.utils import bulk_update_with_history

from proctoring.attempts import states
from proctoring.attempts.lifecycle import settle_deadline
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Phase
from proctoring.attempts.timing import ACCOMMODATIONS, EntryState, closing_time, deadline
from proctoring.errors import Conflict, InvalidInput
from proctoring.exams.models import Exam, ExamStatus
from proctoring.exams.services import EDITABLE, create_exam, update_exam
from proctoring.signals import announce, deadline_changed

if TYPE_CHECKING:
    from proctoring.host import User

BATCH = 500
DATES = frozenset({"due_at", "accommodations_past_due"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Registration:
    """What became of one item of a registration. ``result``: created | updated | unchanged | archived | refused."""

    content_id: str
    result: str
    exam: Exam | None = None
    code: str = ""
    errors: Mapping[str, Sequence[str]] = field(default_factory=dict)


def change_exam(exam: Exam, changes: Mapping[str, Any], *, by: User, now: datetime | None = None) -> Exam:
    """Update an exam; where its dates change, the deadlines of its open attempts change with it.

    Locks the row and reads it anew, so that what somebody else saved meanwhile is not undone. Raises
    ``InvalidInput``. A ``time_limit_minutes`` that changes is for attempts to come.
    """
    now = now or timezone.now()
    with transaction.atomic():
        if DATES & changes.keys():
            # Attempts before the exam: the order in which an insert that closes an older attempt takes its locks.
            list(_open_attempts(exam).select_for_update())
        exam.refresh_from_db(from_queryset=Exam.objects.select_for_update())
        moves = any(name in DATES and getattr(exam, name) != value for name, value in changes.items())
        if update_exam(exam, changes, by=by) and moves:
            seen = list(_open_attempts(exam))
            _recompute_all(exam, seen, by=by, now=now)
            transaction.on_commit(partial(_second_look, exam, frozenset(seen), by=by, now=now), robust=True)
    return exam


def register_exams(
    course_id: str, items: Sequence[Mapping[str, Any]], *, by: User, untouched: Collection[str] = ()
) -> list[Registration]:
    """Make a course's exams what ``items`` say: known content is updated, new content created, the rest archived.

    Each item has ``content_id`` and names of ``EDITABLE``; a new or archived exam without ``status`` becomes active.
    One item's mistake refuses that item alone (and archives nothing of it). ``untouched`` is content that was named,
    but whose item the caller has refused already. Repeating the call changes nothing. Returns a row for each item, in
    their order, then those that were archived.
    """
    known = {exam.content_id: exam for exam in Exam.objects.filter(course_id=course_id)}
    results, named = [], set()
    for item in items:
        content_id = str(item["content_id"])
        if content_id in named:
            results.append(Registration(content_id=content_id, result="refused", code="duplicate"))
            continue
        named.add(content_id)
        results.append(_register_one(course_id, content_id, known.get(content_id), item, by=by))
    for content_id, exam in known.items():
        if content_id not in named | set(untouched) and exam.status != ExamStatus.ARCHIVED:
            change_exam(exam, {"status": ExamStatus.ARCHIVED}, by=by)
            results.append(Registration(content_id=content_id, result="archived", exam=exam))
    return results


def _register_one(
    course_id: str, content_id: str, exam: Exam | None, item: Mapping[str, Any], *, by: User
) -> Registration:
    wanted = {name: item[name] for name in EDITABLE if name in item}
    if exam is None or exam.status == ExamStatus.ARCHIVED:
        wanted.setdefault("status", ExamStatus.ACTIVE)
    try:
        if exam is None:
            exam = create_exam({**wanted, "course_id": course_id, "content_id": content_id}, by=by)
            return Registration(content_id=content_id, result="created", exam=exam)
        if all(getattr(exam, name) == value for name, value in wanted.items()):
            return Registration(content_id=content_id, result="unchanged", exam=exam)
        change_exam(exam, wanted, by=by)
        return Registration(content_id=content_id, result="updated", exam=exam)
    except InvalidInput as wrong:
        return Registration(content_id=content_id, result="refused", code=wrong.code, errors=wrong.errors)
    except Conflict as taken:
        # Another registration was faster, or the database takes two spellings of an id for one.
        return Registration(content_id=content_id, result="refused", code=taken.code)


def recompute_deadlines(exam: Exam, *, by: User | None, now: datetime | None = None) -> int:
    """Derive the deadlines of all open attempts anew, in batches. Returns how many changed.

    The caller's transaction has saved the exam. A row that somebody is starting at this moment is locked: we wait,
    and then read what they wrote. One whose deadline has passed ends at it first: a later date reopens nothing.
    """
    return _recompute_all(exam, list(_open_attempts(exam)), by=by, now=now or timezone.now())


def _second_look(exam: Exam, seen: frozenset[int], *, by: User | None, now: datetime) -> None:
    """Attempts that were created beside our transaction with the old dates, and that we could not see."""
    missed = [key for key in _open_attempts(exam) if key not in seen]
    if missed:
        with transaction.atomic():
            _recompute_all(Exam.objects.get(pk=exam.pk), missed, by=by, now=now)


def _open_attempts(exam: Exam) -> QuerySet[Attempt, int]:
    return exam.attempts.filter(status__in=states.OPEN).order_by("pk").values_list("pk", flat=True)


def _recompute_all(exam: Exam, keys: Sequence[int], *, by: User | None, now: datetime) -> int:
    return sum(_recompute(exam, keys[at : at + BATCH], by=by, now=now) for at in range(0, len(keys), BATCH))


def _recompute(exam: Exam, keys: Sequence[int], *, by: User | None, now: datetime) -> int:
    rows = list(Attempt.objects.select_for_update().filter(pk__in=keys, status__in=states.OPEN).order_by("pk"))
    reaching = Q(time_entries__state=EntryState.APPLIED, time_entries__kind__in=ACCOMMODATIONS)
    sums = dict(
        Attempt.objects.filter(pk__in=keys)
        .order_by()
        .values_list("pk")
        .annotate(seconds=Sum("time_entries__seconds", filter=reaching))
    )
    changed = []
    for row in rows:
        if settle_deadline(row, now=now):
            continue
        before = row.closes_at, row.expires_at
        row.closes_at = closing_time(exam.due_at, sums.get(row.pk) or 0, past_due=exam.accommodations_past_due)
        if row.traits.phase == Phase.RUNNING and row.started_at is not None and row.paused_at is None:
            row.expires_at = deadline(row.started_at, row.total_seconds, row.closes_at)
        if before != (row.closes_at, row.expires_at):
            changed.append(row)
    bulk_update_with_history(
        changed,
        Attempt,
        ["closes_at", "expires_at"],
        batch_size=BATCH,
        default_user=by,
        default_change_reason="the exam's dates changed",
    )
    for row in changed:
        announce(deadline_changed, attempt=row)
    return len(changed)
