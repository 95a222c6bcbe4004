"""Until when somebody may still begin: the date that counts for them, later by what they were granted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from proctoring.allowances.computation import in_force
from proctoring.allowances.models import Allowance
from proctoring.attempts.beginnings import first_entries, resumes
from proctoring.attempts.due_dates import ask_host, due_at_for, has_passed
from proctoring.attempts.ledger import Sums, closing_time_of, sums_of
from proctoring.attempts.models import Attempt
from proctoring.attempts.timing import EntryKind
from proctoring.exams.models import Exam

if TYPE_CHECKING:
    from proctoring.host import User


def is_over(exam: Exam, user: User, previous: Attempt | None, *, now: datetime) -> bool:
    """Whether it is too late for an attempt after ``previous`` (None: the first). No statement until the date itself
    has passed."""
    return has_passed(due_at_for(exam, user), now) and has_passed(closing_time_after(exam, user, previous), now)


def closing_time_after(exam: Exam, user: User, previous: Attempt | None) -> datetime | None:
    """When the exam would close for the person's next attempt, if it were created now.

    One statement where accommodations reach past the due date, another where the attempt would continue ``previous``.
    """
    if not exam.accommodations_past_due:
        return due_at_for(exam, user)
    before = sums_of([previous.pk])[previous.pk] if previous is not None and resumes(previous) else Sums()
    return _closing_time(exam, user, previous, before, Allowance.objects.of_person_at(exam, user))


def too_late_to_follow(attempts: Sequence[Attempt], *, now: datetime) -> set[int]:
    """Of these attempts, each its person's newest, the keys of those that no other can follow any more. Two statements
    where the due date of one has passed, else none."""
    late = [row for row in attempts if has_passed(row.due_at, now)]
    if not late:
        return set()
    sums = sums_of([row.pk for row in late])
    people, courses = {row.user_id for row in late}, {row.exam.course_id for row in late}
    allowances = list(Allowance.objects.filter(user__in=people, course_id__in=courses))

    def closes_at(row: Attempt) -> datetime | None:
        theirs = (one for one in allowances if one.user_id == row.user_id)
        return _closing_time(row.exam, row.user, row, sums[row.pk], theirs)

    return {row.pk for row in late if has_passed(closes_at(row), now)}


def _closing_time(
    exam: Exam, user: User, previous: Attempt | None, before: Sums, allowances: Iterable[Allowance]
) -> datetime | None:
    next_one = Attempt(exam=exam, user=user, personal_due_at=ask_host(exam, user))
    given = first_entries(next_one, previous, in_force(allowances, exam.pk, exam.course_id), before=before)
    return closing_time_of(next_one, given.get(EntryKind.ALLOWANCE, 0))
