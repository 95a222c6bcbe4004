"""The ledger of time. Every caller holds the attempt's row lock and saves the attempt afterwards."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.states import Phase
from proctoring.attempts.timing import ACCOMMODATIONS, GIVEN, EntryKind, EntryState, closing_time, deadline
from proctoring.errors import Conflict, RuleBroken
from proctoring.exams.models import Exam

if TYPE_CHECKING:
    from proctoring.host import User

MAX_SECONDS = 100 * 24 * 3600
"""More than this in one entry of a person's is a typing mistake. A pause is as long as it was."""
MAX_TOTAL_SECONDS = 2**31 - 1
"""What the column holds on every database."""


def post(
    attempt: Attempt,
    kind: EntryKind,
    seconds: int,
    *,
    at: datetime,
    by: User | None = None,
    reason_code: int | None = None,
    note: str = "",
    state: EntryState = EntryState.APPLIED,
    reverses: TimeEntry | None = None,
) -> TimeEntry:
    """Append an entry and derive the deadline anew, in memory: the caller saves the attempt once.

    Raises ``RuleBroken`` (``time_out_of_range``) for more than 100 days at once, and where the sum would fall below 0.
    """
    if abs(seconds) > MAX_SECONDS and kind != EntryKind.PAUSE:
        raise RuleBroken(_("That is more than 100 days."), code="time_out_of_range")
    entry = TimeEntry.objects.create(
        attempt=attempt,
        kind=kind,
        seconds=seconds,
        state=state,
        at=at,
        by=by,
        reason_code=reason_code,
        note=note,
        reverses=reverses,
    )
    derive(attempt)
    return entry


def open_account(attempt: Attempt, kind: EntryKind, seconds: int, *, at: datetime) -> TimeEntry:
    """The first entry of a new attempt. Nothing to add up yet, so nothing is read."""
    return TimeEntry.objects.create(attempt=attempt, kind=kind, seconds=seconds, at=at)


def derive(attempt: Attempt) -> None:
    """Set ``total_seconds``, ``closes_at`` and ``expires_at`` from the applied entries. Two statements, no save.

    What an ended attempt's deadline was is history and stays; its total still changes, for a resume.
    """
    sums = attempt.time_entries.filter(state=EntryState.APPLIED).aggregate(
        total=Sum("seconds"), accommodations=Sum("seconds", filter=Q(kind__in=ACCOMMODATIONS))
    )
    total = sums["total"] or 0
    if not 0 <= total <= MAX_TOTAL_SECONDS:
        raise RuleBroken(_("The total time cannot fall below 0 or grow without end."), code="time_out_of_range")
    attempt.total_seconds = total
    if attempt.traits.phase not in (Phase.SETUP, Phase.RUNNING, Phase.BLOCKED):
        return
    # The exam as it is now: whoever changes its due date recomputes attempts under the lock that the caller holds, so
    # of the two at least the later one sees the other.
    exam = attempt.exam = Exam.objects.get(pk=attempt.exam_id)
    attempt.closes_at = closing_time(exam.due_at, sums["accommodations"] or 0, past_due=exam.accommodations_past_due)
    if attempt.started_at is None or attempt.paused_at is not None:
        attempt.expires_at = None
    else:
        attempt.expires_at = deadline(attempt.started_at, total, attempt.closes_at)


def reverse(
    attempt: Attempt, entry: TimeEntry, *, at: datetime, by: User | None, reason_code: int | None, note: str
) -> TimeEntry:
    """Take an entry back by its opposite of the same kind, so that every sum forgets it.

    Raises ``RuleBroken`` (``not_reversible``) for what the attempt began with, for a reversal, and for an entry
    that does not count; ``Conflict`` (``already_reversed``).
    """
    if entry.attempt_id != attempt.pk:
        raise RuleBroken(_("This entry belongs to another attempt."), code="not_reversible")
    if entry.kind in GIVEN or entry.reverses_id is not None or entry.state != EntryState.APPLIED:
        raise RuleBroken(_("Only an applied entry that was added later can be reversed."), code="not_reversible")
    if TimeEntry.objects.filter(reverses=entry).exists():
        raise Conflict(_("This entry is reversed already."), code="already_reversed")
    return post(
        attempt,
        EntryKind(entry.kind),
        -entry.seconds,
        at=at,
        by=by,
        reason_code=reason_code,
        note=note,
        reverses=entry,
    )
