"""The ledger of time. Every caller holds the attempt's row lock and saves the attempt afterwards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Q, Sum
from django.utils.translation import gettext as _

from proctoring.allowances.computation import granted_seconds
from proctoring.allowances.models import Allowance
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


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """What one attempt's applied entries add up to, in seconds."""

    total: int = 0
    allowances: int = 0
    accommodations: int = 0
    """What may reach past the due date, allowances included."""

    def with_allowance(self, seconds: int) -> Sums:
        return replace(
            self,
            total=self.total + seconds,
            allowances=self.allowances + seconds,
            accommodations=self.accommodations + seconds,
        )


def sums_of(keys: Sequence[int]) -> dict[int, Sums]:
    """Attempt → its sums; nothing but zeros for one without entries. One statement."""
    entries = TimeEntry.objects.filter(attempt__in=keys, state=EntryState.APPLIED).order_by()
    rows = entries.values_list("attempt").annotate(
        Sum("seconds"),
        allowances=Sum("seconds", filter=Q(kind=EntryKind.ALLOWANCE)),
        accommodations=Sum("seconds", filter=Q(kind__in=ACCOMMODATIONS)),
    )
    found = {
        key: Sums(total=total, allowances=allowances or 0, accommodations=accommodations or 0)
        for key, total, allowances, accommodations in rows
    }
    return defaultdict(Sums, found)


def missing_seconds(attempt: Attempt, sums: Sums, allowances: Mapping[str, Allowance]) -> int:
    """What an entry must add so that the chain of attempts has the seconds that its allowances come to.

    Negative where too much was given; what has been used up already cannot be taken back.
    """
    wanted = granted_seconds(attempt.base_seconds, allowances)
    missing = wanted - attempt.inherited_allowance_seconds - sums.allowances
    return min(max(missing, -sums.total), MAX_TOTAL_SECONDS - sums.total)


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


def open_account(attempt: Attempt, seconds: Mapping[EntryKind, int], *, at: datetime, note: str = "") -> None:
    """The first entries of a new attempt, in one statement. ``note`` is the allowance's."""
    TimeEntry.objects.bulk_create(
        TimeEntry(attempt=attempt, kind=kind, seconds=number, at=at, note=note if kind == EntryKind.ALLOWANCE else "")
        for kind, number in seconds.items()
    )


def start_clock(attempt: Attempt, *, at: datetime) -> None:
    """The attempt begins, in memory: its time and its closing time are what they were, so no statement is needed."""
    attempt.started_at = at
    attempt.expires_at = deadline(at, attempt.total_seconds, attempt.closes_at)


def derive(attempt: Attempt) -> None:
    """Set ``total_seconds``, ``closes_at`` and ``expires_at`` from the applied entries. Two statements, no save."""
    # The exam as it is now: whoever changes its due date recomputes attempts under the lock that the caller holds, so
    # of the two at least the later one sees the other.
    attempt.exam = Exam.objects.get(pk=attempt.exam_id)
    apply_sums(attempt, sums_of([attempt.pk])[attempt.pk])


def apply_sums(attempt: Attempt, sums: Sums) -> None:
    """The same for sums and an exam (``attempt.exam``) that were read under the lock.

    What an ended attempt's deadline was is history and stays; its total still changes, for a resume.
    """
    if not 0 <= sums.total <= MAX_TOTAL_SECONDS:
        raise RuleBroken(_("The total time cannot fall below 0 or grow without end."), code="time_out_of_range")
    attempt.total_seconds = sums.total
    if attempt.traits.phase not in (Phase.SETUP, Phase.RUNNING, Phase.BLOCKED):
        return
    held = attempt.held_seconds
    attempt.closes_at = closing_time_of(attempt, sums.accommodations + held)
    if attempt.started_at is None or attempt.paused_at is not None:
        attempt.expires_at = None
    else:
        attempt.expires_at = deadline(attempt.started_at, sums.total + held, attempt.closes_at)


def closing_time_of(attempt: Attempt, accommodation_seconds: int) -> datetime | None:
    """When the exam closes for this attempt: its due date, and what it and the attempts before it were granted."""
    seconds = attempt.inherited_accommodation_seconds + accommodation_seconds
    return closing_time(attempt.due_at, seconds, past_due=attempt.exam.accommodations_past_due)


def reverse(
    attempt: Attempt, entry: TimeEntry, *, at: datetime, by: User | None, reason_code: int | None, note: str
) -> TimeEntry:
    """Take an entry back by its opposite of the same kind, so that every sum forgets it.

    Raises ``RuleBroken`` (``not_reversible``) for what the attempt began with, for what an allowance gave (change the
    allowance), for a reversal, and for an entry that does not count; ``Conflict`` (``already_reversed``).
    """
    if entry.attempt_id != attempt.pk:
        raise RuleBroken(_("This entry belongs to another attempt."), code="not_reversible")
    if entry.kind == EntryKind.ALLOWANCE:
        raise RuleBroken(_("This time comes from an allowance: change or withdraw that."), code="not_reversible")
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


def decide(attempt: Attempt, entry: TimeEntry, *, accept: bool) -> int:
    """Let a proposed entry count, or never count. Returns the seconds that count now.

    Raises ``Conflict`` (``not_proposed``) where it waits for nobody.
    """
    waiting = TimeEntry.objects.filter(pk=entry.pk, attempt=attempt.pk, state=EntryState.PROPOSED)
    if not waiting.update(state=EntryState.APPLIED if accept else EntryState.REFUSED):
        raise Conflict(_("This entry does not wait for a decision."), code="not_proposed")
    derive(attempt)
    return entry.seconds if accept else 0
