"""Pages that have fallen silent: noticed by a sweep, or by the heartbeat that breaks the silence."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta

from django.utils import timezone

from proctoring.attempts.lifecycle import locked, save
from proctoring.attempts.models import Attempt
from proctoring.attempts.outages import begin_outage, clock_began
from proctoring.logs.models import EventActor
from proctoring.logs.services import record
from proctoring.monitoring.models import Presence, milliseconds
from proctoring.monitoring.quality import State
from proctoring.signals import announce, deadline_changed

logger = logging.getLogger(__name__)

LOST, RESTORED = 1020, 1021


def lose(row: Attempt, presence: Presence, *, now: datetime) -> bool:
    """Note that the page of a running attempt has been silent for too long; False where it has not. The caller holds
    both rows' locks, and saves ``presence``.

    One that is lost already, and whose clock was started again after a pause, begins another outage: no other event.
    """
    since = _silent_since(row, presence, now=now)
    if since is None:
        return False
    if presence.state != State.LOST:
        presence.state, presence.lost_since = State.LOST, since
        record(row, LOST, actor=EventActor.SYSTEM, now=now, at=since)
    begin_outage(row, since=since)
    save(row, by=None, reason="connection lost")
    announce(deadline_changed, attempt=row)
    return True


def _silent_since(row: Attempt, presence: Presence, *, now: datetime) -> datetime | None:
    """Since when the silence has cost the candidate time; None where it is not long enough, or their clock stands."""
    if row.outage_since is not None or presence.lost_at_ms is None or milliseconds(now) < presence.lost_at_ms:
        return None
    began = clock_began(row)
    if began is None:
        return None
    patience = timedelta(milliseconds=presence.lost_at_ms - milliseconds(presence.last_seen_at))
    since = max(presence.last_seen_at, began)
    return since if now - since >= patience else None


def notice_silence(*, now: datetime | None = None, limit: int = 500, after: int = 0) -> int | None:
    """Notice up to ``limit`` pages that have been silent for too long, each under its attempt's lock.

    In the order of their attempts' keys, beginning above ``after``. Returns the last one looked at, None where there
    was none.
    """
    now = now or timezone.now()
    silent = Presence.objects.silent(now).filter(pk__gt=after).select_related("attempt__exam").order_by("pk")[:limit]
    found = list(silent)
    # Nobody waits for the page of an attempt that has ended.
    over = [presence.pk for presence in found if not presence.attempt.traits.open]
    if over:
        Presence.objects.filter(pk__in=over).update(late_at_ms=None, lost_at_ms=None)
    for presence in found:
        if presence.attempt.traits.open:
            try:
                _notice(presence.attempt, now=now)
            # One row that cannot be saved (a receiver of the LMS that raises) must not hide the others.
            except Exception:
                logger.exception("the silence of attempt %s could not be noted", presence.pk)
    return found[-1].pk if found else None


def _notice(attempt: Attempt, *, now: datetime) -> None:
    with locked(attempt, now=now) as row:
        presence = Presence.objects.select_for_update().get(pk=row.pk)
        if lose(row, presence, now=now):
            presence.save(update_fields=["state", "lost_since"])
