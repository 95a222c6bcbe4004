"""Time arithmetic of an attempt, pure: no clock, no settings, no database. Seconds are whole."""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class EntryKind(TextChoices):
    BASE = "base", _("Base time")
    ALLOWANCE = "allowance", _("Allowance")
    CARRIED_OVER = "carried_over", _("Carried over")
    EXTRA_TIME = "extra_time", _("Extra time")
    PAUSE = "pause", _("Pause")
    OUTAGE = "outage", _("Outage")
    CORRECTION = "correction", _("Correction")


class EntryState(TextChoices):
    APPLIED = "applied", _("Applied")
    PROPOSED = "proposed", _("Proposed")
    REFUSED = "refused", _("Refused")


ACCOMMODATIONS = frozenset({EntryKind.ALLOWANCE, EntryKind.EXTRA_TIME, EntryKind.OUTAGE})
"""The kinds that may reach past the exam's due date."""

GIVEN = frozenset({EntryKind.BASE, EntryKind.CARRIED_OVER})
"""What an attempt begins with. It cannot be reversed, only corrected."""


def closing_time(due_at: datetime | None, accommodation_seconds: int, *, past_due: bool) -> datetime | None:
    """When the exam closes for one attempt: its due date, later by the accommodations where the exam says so."""
    if due_at is None or not past_due:
        return due_at
    return due_at + timedelta(seconds=accommodation_seconds)


def deadline(started_at: datetime, total_seconds: int, closes_at: datetime | None) -> datetime:
    """The moment at which a running attempt ends; never before it began, even where a due date moved back."""
    ends_at = started_at + timedelta(seconds=total_seconds)
    return ends_at if closes_at is None else max(started_at, min(ends_at, closes_at))


def pause_seconds(paused_at: datetime, resumed_at: datetime) -> int:
    """The length of a pause, rounded up: nobody loses the broken second. A clock that ran backwards gives 0."""
    return max(0, math.ceil((resumed_at - paused_at).total_seconds()))


def work_left(total_seconds: int, started_at: datetime, stopped_at: datetime) -> int:
    """Seconds of work that remained when the clock stopped, rounded up, never below 0. The due date has no say."""
    used = (stopped_at - started_at).total_seconds()
    return max(0, math.ceil(total_seconds - used))


def seconds_until(moment: datetime, now: datetime) -> int:
    """Whole seconds to ``moment``, rounded down, never below 0: what a candidate's clock shows."""
    return max(0, math.floor((moment - now).total_seconds()))
