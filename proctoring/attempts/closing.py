"""Until when somebody may still begin: the date that counts for them, later by what they were granted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from proctoring.allowances.models import Allowance
from proctoring.attempts.beginnings import Basis, first_entries
from proctoring.attempts.due_dates import ask_host, due_at_for, has_passed
from proctoring.attempts.ledger import closing_time_of, sums_of
from proctoring.attempts.models import Attempt
from proctoring.attempts.timing import EntryKind


def is_over(basis: Basis, *, now: datetime) -> bool:
    """Whether it is too late for the person's next attempt. No statement until the date itself has passed."""
    due_at = due_at_for(basis.exam, basis.user)
    return has_passed(due_at, now) and has_passed(closing_time_after(basis), now)


def closing_time_after(basis: Basis) -> datetime | None:
    """When the exam would close for the person's next attempt, if it were created now.

    One statement where accommodations reach past the due date, another where the attempt would continue the one before.
    """
    if not basis.exam.accommodations_past_due:
        return due_at_for(basis.exam, basis.user)
    next_one = Attempt(exam=basis.exam, user=basis.user, personal_due_at=ask_host(basis.exam, basis.user))
    given = first_entries(next_one, basis)
    return closing_time_of(next_one, given.get(EntryKind.ALLOWANCE, 0))


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
        basis = Basis(row.exam, row.user, row)
        basis.allowances = [one for one in allowances if one.user_id == row.user_id]
        basis.before = sums[row.pk]
        return closing_time_after(basis)

    return {row.pk for row in late if has_passed(closes_at(row), now)}
