"""What a page or an LMS reports about an attempt, taken into the log as long as anything about it may be kept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from proctoring.attempts.models import Attempt
from proctoring.errors import Conflict
from proctoring.logs.event_types import Source
from proctoring.logs.intake import Reporter, Taken, take_in

AFTERWARDS = timedelta(days=7)
"""So long after the end a page of the attempt still sends what the browser could not send before, and is heard."""


def report_events(attempt: Attempt, rows: Sequence[Any], reporter: Reporter, *, now: datetime) -> Taken:
    """Store a batch of events (``logs.intake.take_in``). Three statements, however many. What comes from a page itself
    comes by way of ``monitoring.room``, which counts it.

    Under the attempt's lock, so that an erasure comes before, and is seen, or after, and finds what was written. Raises
    ``Conflict`` (``attempt_erased``; ``attempt_ended`` where a page comes later than ``AFTERWARDS``).
    """
    with transaction.atomic():
        row = Attempt.objects.locked().get(pk=attempt.pk)
        if row.erased_at is not None:
            raise Conflict(_("What was known of this attempt has been erased."), code="attempt_erased")
        if reporter.source == Source.PAGE:
            _refuse_latecomers(row, now=now)
        return take_in(row, rows, reporter, now=now)


def report_from_lms(attempt: Attempt, rows: Sequence[Any], *, now: datetime | None = None) -> Taken:
    """For an LMS that runs in this process: what ``POST attempts/{id}/events/`` takes from the account of its server,
    without the request. Three statements. Raises ``Conflict`` (``attempt_erased``)."""
    return report_events(attempt, rows, Reporter(source=Source.LMS), now=now or timezone.now())


def _refuse_latecomers(row: Attempt, *, now: datetime) -> None:
    """The log of an exam is not its candidate's to add to for ever: each late event looks as if it had come from the
    exam, and makes another seal."""
    if row.open_slot is None and row.ended_at is not None and now - row.ended_at > AFTERWARDS:
        raise Conflict(_("The attempt ended too long ago for its page to report anything."), code="attempt_ended")
