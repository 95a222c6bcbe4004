"""Pages that have fallen silent: noticed by a sweep, or by the heartbeat that breaks the silence."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db.models import Exists, OuterRef
from django.utils import timezone

from proctoring.attempts.lifecycle import locked, save, settle_deadline
from proctoring.attempts.models import Attempt
from proctoring.attempts.outages import begin_outage, clock_began
from proctoring.attempts.states import TICKING
from proctoring.conf import settings
from proctoring.logs.models import EventActor
from proctoring.logs.services import record
from proctoring.monitoring.models import Presence, milliseconds
from proctoring.monitoring.quality import State
from proctoring.monitoring.room import in_the_log
from proctoring.signals import announce, deadline_changed

logger = logging.getLogger(__name__)

LOST, RESTORED = 1020, 1021

SHORTEST_INTERVAL = 12
"""Seconds: no exam's pages beat more often (``Exam.heartbeat_seconds``)."""


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
    if row.expires_at is not None and milliseconds(row.expires_at) < presence.lost_at_ms:
        # The deadline came first: until then the page was only late.
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
    silent = Presence.objects.silent(now).filter(pk__gt=after).select_related("attempt__exam").order_by("pk")
    found = list(silent[:limit])
    for presence in found:
        _try_to_note(presence.attempt, _notice, now=now)
    return found[-1].pk if found else None


def stop_waiting(*, now: datetime | None = None, limit: int = 500) -> int:
    """Nobody waits for the pages of attempts that have ended. Two statements; returns how many there were."""
    now = now or timezone.now()
    over = Presence.objects.filter(lost_at_ms__lte=milliseconds(now), attempt__open_slot=None)
    keys = list(over.order_by("lost_at_ms").values_list("pk", flat=True)[:limit])
    return Presence.objects.filter(pk__in=keys).update(late_at_ms=None, lost_at_ms=None) if keys else 0


def notice_unheard(*, now: datetime | None = None, limit: int = 500, after: int = 0) -> int | None:
    """Notice up to ``limit`` attempts that run without a word from their page, at exams whose other pages are heard:
    whoever keeps the script from loading shows as lost, and is given no time for it.

    As ``notice_silence``.
    """
    now = now or timezone.now()
    heard = Presence.objects.filter(attempt__exam=OuterRef("exam"))
    begun = now - timedelta(seconds=settings.heartbeat_lost_after * SHORTEST_INTERVAL)
    running = Attempt.objects.filter(status__in=TICKING, presence=None, started_at__lte=begun, pk__gt=after)
    found = list(running.filter(Exists(heard)).select_related("exam").order_by("pk")[:limit])
    for attempt in found:
        _try_to_note(attempt, _note_unheard, now=now)
    return found[-1].pk if found else None


def _try_to_note(attempt: Attempt, note: Callable[..., None], *, now: datetime) -> None:
    try:
        note(attempt, now=now)
    # One row that cannot be saved (a receiver of the LMS that raises) must not hide the others.
    except Exception:
        logger.exception("the silence of attempt %s could not be noted", attempt.pk)


def _notice(attempt: Attempt, *, now: datetime) -> None:
    with locked(attempt, now=now, settles=False) as row:
        presence = Presence.objects.select_for_update().get(pk=row.pk)
        # Before the deadline is looked at: it may have to wait for somebody who is out of reach.
        if lose(row, presence, now=now):
            presence.save(update_fields=["state", "lost_since"])
        settle_deadline(row, now=now)


def _note_unheard(attempt: Attempt, *, now: datetime) -> None:
    patience = timedelta(seconds=settings.heartbeat_lost_after * attempt.exam.heartbeat_seconds)
    with locked(attempt, now=now) as row:
        since = clock_began(row)
        if since is None or now - since < patience or Presence.objects.filter(pk=row.pk).exists():
            return
        # Nobody waits for it (``lost_at_ms``): there is no outage, and nothing to give back.
        Presence.objects.create(
            attempt=row,
            last_seen_at=since,
            interval_seconds=row.exam.heartbeat_seconds,
            state=State.LOST,
            lost_since=since,
            page_events=in_the_log(row.pk),
        )
        record(row, LOST, actor=EventActor.SYSTEM, now=now, at=since)
