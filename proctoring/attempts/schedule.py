"""An exam's dates, or one person's, change: open attempts follow in the same transaction. Doors write exams here."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from proctoring.attempts import states
from proctoring.attempts.due_dates import ask_host
from proctoring.attempts.models import Attempt
from proctoring.attempts.reckoning import lock_open, reckon
from proctoring.errors import Conflict, InvalidInput
from proctoring.exams.models import Exam, ExamStatus
from proctoring.exams.services import EDITABLE, create_exam, update_exam

if TYPE_CHECKING:
    from proctoring.host import User

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
            # Among them, as ``lock_open``.
            open_ones = Attempt.objects.locked().filter(exam=exam, status__in=states.OPEN)
            list(open_ones.order_by("-pk").values_list("pk"))
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


def change_personal_dates(user: User, course_id: str, *, by: User | None, now: datetime | None = None) -> int:
    """The host has other dates of this person's own (``Host.personal_due_at``): their open attempts in the course
    follow. Returns how many have another date now. The host is asked once for each of them, before any lock."""
    now = now or timezone.now()
    with transaction.atomic():
        changed = _follow_personal_dates(user, course_id, by=by, now=now)
        # An attempt that was created beside our transaction asked a host that did not know yet.
        again = partial(_follow_personal_dates, user, course_id, by=by, now=now)
        transaction.on_commit(again, robust=True)
    return changed


def _follow_personal_dates(user: User, course_id: str, *, by: User | None, now: datetime) -> int:
    mine = Attempt.objects.filter(user=user, exam__course_id=course_id, status__in=states.OPEN).select_related("exam")
    wanted = {row.pk: ask_host(row.exam, user) for row in mine}
    with transaction.atomic():
        rows = [row for row in lock_open(wanted) if row.personal_due_at != wanted[row.pk] and not row.is_overdue(now)]
        for row in rows:
            row.personal_due_at = wanted[row.pk]
        reason = "the person's due date changed"
        return len(reckon(rows, by=by, now=now, reason=reason, changed_fields=("personal_due_at",)))


def _second_look(exam: Exam, seen: frozenset[int], *, by: User | None, now: datetime) -> None:
    """Attempts that were created beside our transaction with the old dates, and that we could not see."""
    missed = [key for key in _open_attempts(exam) if key not in seen]
    if missed:
        with transaction.atomic():
            _recompute_all(Exam.objects.get(pk=exam.pk), missed, by=by, now=now)


def _open_attempts(exam: Exam) -> QuerySet[Attempt, int]:
    return exam.attempts.filter(status__in=states.OPEN).order_by("pk").values_list("pk", flat=True)


def _recompute_all(exam: Exam, keys: Sequence[int], *, by: User | None, now: datetime) -> int:
    rows = lock_open(keys)
    for row in rows:
        row.exam = exam
    return len(reckon(rows, by=by, now=now, reason="the exam's dates changed"))
