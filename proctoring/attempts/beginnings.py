"""With which time a new attempt begins: the full time, or what the chain before it left, and its allowances."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Count, Max, QuerySet, Subquery

# Not functools': up to Python 3.11 that one makes all threads wait while one of them waits for a row's lock.
from django.utils.functional import cached_property

from proctoring.allowances.computation import in_force, ledger_note
from proctoring.allowances.models import Allowance
from proctoring.attempts.due_dates import ask_host
from proctoring.attempts.ledger import Sums, missing_seconds, sums_of
from proctoring.attempts.models import Attempt, RetryKind
from proctoring.attempts.reckoning import Posting, lock_open, reckon
from proctoring.attempts.states import BLOCKED
from proctoring.attempts.timing import EntryKind, work_left
from proctoring.exams.models import Exam

if TYPE_CHECKING:
    from proctoring.host import User


def resumes(previous: Attempt) -> bool:
    """Whether the next attempt continues this one. One for which onboarding stood in the way has taken nothing."""
    return previous.retry_kind == RetryKind.RESUME or previous.status in BLOCKED


class Basis:
    """What a person's next attempt at an exam is built on, for the checks before it and for the attempt itself: the one
    before, the person's allowances, and what the ledger of the one before adds up to. The latter two are read when they
    are first wanted, one statement each."""

    def __init__(self, exam: Exam, user: User, previous: Attempt | None) -> None:
        self.exam = exam
        self.user = user
        self.previous = previous

    @cached_property
    def allowances(self) -> list[Allowance]:
        return list(Allowance.objects.of_person_at(self.exam, self.user))

    @cached_property
    def rules(self) -> Mapping[str, Allowance]:
        return in_force(self.allowances, self.exam.pk, self.exam.course_id)

    @cached_property
    def before(self) -> Sums:
        return Sums() if self.previous is None else sums_of([self.previous.pk])[self.previous.pk]


def first_entries(attempt: Attempt, basis: Basis) -> dict[EntryKind, int]:
    """Kind → seconds of the entries that a new attempt begins with. Sets, in memory, what it inherits.

    A resumed attempt gets exactly what was left, which contains the allowances of its chain: only what they have come
    to since is added.
    """
    full = attempt.exam.time_limit_minutes * 60
    attempt.base_seconds = full
    given = {EntryKind.BASE: full}
    previous = basis.previous
    if previous is not None and resumes(previous):
        # Nothing was used: the full time again, unless a chain before had used some, or somebody granted more.
        used = bool(previous.started_at or previous.resumed_from_id)
        if used or (previous.total_seconds > full and basis.before.total - basis.before.allowances > full):
            _inherit(attempt, previous, basis.before)
            given = {EntryKind.CARRIED_OVER: _left_of(previous)}
    missing = missing_seconds(attempt, Sums(total=sum(given.values())), basis.rules)
    return {**given, EntryKind.ALLOWANCE: missing} if missing else given


def _inherit(attempt: Attempt, previous: Attempt, before: Sums) -> None:
    attempt.resumed_from = previous
    attempt.base_seconds = previous.base_seconds
    attempt.inherited_allowance_seconds = previous.inherited_allowance_seconds + before.allowances
    attempt.inherited_accommodation_seconds = previous.inherited_accommodation_seconds + before.accommodations


def _left_of(previous: Attempt) -> int:
    if previous.started_at is None:
        return previous.total_seconds
    stopped_at = previous.paused_at or previous.ended_at or previous.started_at
    return work_left(previous.total_seconds, previous.started_at, stopped_at)


def follow_changes(attempt: Attempt, seen: Sequence[Allowance], *, now: datetime) -> None:
    """Somebody may have changed the exam's dates or the person's allowances between our look (the caller's, at the
    exam) and our commit, when neither of us saw the other: whoever commits later sees it now (the other half is the
    second look in ``schedule.py`` and ``accommodations.py``). One statement where nothing has changed."""
    exam, user = attempt.exam, attempt.user
    theirs = Allowance.objects.of_person_at(exam, user)
    newest = max((one.modified_at for one in seen), default=None)
    now_stored = (
        Exam.objects.filter(pk=exam.pk)
        .values_list(
            "due_at", "accommodations_past_due", _single(theirs, Count("pk")), _single(theirs, Max("modified_at"))
        )
        .get()
    )
    personal_due_at = ask_host(exam, user)
    as_seen = (exam.due_at, exam.accommodations_past_due, len(seen) or None, newest)
    if (now_stored, personal_due_at) != (as_seen, attempt.personal_due_at):
        _bring_up_to_date(attempt, personal_due_at, now=now)
        attempt.refresh_from_db(fields=("personal_due_at", "total_seconds", "closes_at", "expires_at"))


def _single(rows: QuerySet[Any], figure: Any) -> Subquery:
    """One figure over these rows as part of another statement; null where there are none."""
    return Subquery(rows.order_by().values("user").annotate(figure=figure).values("figure"))


def _bring_up_to_date(attempt: Attempt, personal_due_at: datetime | None, *, now: datetime) -> None:
    with transaction.atomic():
        rows = lock_open([attempt.pk])
        theirs = list(Allowance.objects.of_person_at(attempt.exam, attempt.user))
        note = ledger_note(in_force(theirs, attempt.exam_id, attempt.exam.course_id))
        for row in rows:
            row.personal_due_at = personal_due_at
        reckon(
            rows,
            by=None,
            now=now,
            reason="dates or allowances changed meanwhile",
            posting=Posting(allowances=theirs, note=lambda _row: note),
            changed_fields=("personal_due_at",),
        )
