"""When a booking is taken up, and again: claims, checks, rechecks."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.db.models import F, QuerySet

from proctoring.bookings import states
from proctoring.bookings.lifecycle import locked_all, log
from proctoring.bookings.models import Booking
from proctoring.conf import settings
from proctoring.outbox.services import backoff


def lease(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.lease_seconds)


def claim(due: QuerySet[Booking], *, count: str, now: datetime, limit: int) -> list[Booking]:
    """Take the first of what is due for this worker, with exam and plan, and count a try in the field ``count``. Three
    statements. A claim is a lease: when its holder dies, it runs out."""
    wanted = list(due.select_related("exam", "plan")[:limit])
    if not wanted:
        return []
    worker = uuid.uuid4().hex
    with locked_all(wanted) as rows:
        # Of two workers that chose the same rows a moment ago one comes second, and finds them held or moved on.
        chosen = {one.pk: (one.status, one.next_send_at, one.next_check_at) for one in wanted}
        mine = {
            row.pk: row
            for row in rows
            if is_free(row, now) and chosen[row.pk] == (row.status, row.next_send_at, row.next_check_at)
        }
        Booking.objects.filter(pk__in=mine).update(claimed_until=lease(now), claimed_by=worker, **{count: F(count) + 1})
    for row in mine.values():
        row.claimed_until, row.claimed_by = lease(now), worker
        setattr(row, count, getattr(row, count) + 1)
    return [mine[one.pk] for one in wanted if one.pk in mine]


def is_free(booking: Booking, now: datetime) -> bool:
    return booking.claimed_until is None or booking.claimed_until <= now


def schedule_check(row: Booking, *, now: datetime, retry_after: float | None = None, code: str = "") -> None:
    """Have the vendor asked later, and write so. The claim ends. The caller holds the lock."""
    pause = backoff(row.check_count + 1, retry_after, first_seconds=settings.booking_check_seconds)
    # Not after the window has opened: then is the last moment at which an answer helps.
    _plan(row, max(min(now + pause, row.starts_at), now + timedelta(seconds=1)))
    log(row, code or states.CHECK_SCHEDULED, now=now)


def schedule_recheck(row: Booking, *, now: datetime) -> None:
    """Look now and then whether what was confirmed still holds: a vendor may withdraw it, and its word may get lost.
    The claim ends, and with it the count of checks without an answer. The caller holds the lock."""
    at = now + timedelta(hours=settings.booking_recheck_hours)
    row.check_count = 0
    _plan(row, at if at < row.starts_at else None)


def check_at_once(row: Booking, *, now: datetime) -> None:
    """Somebody has reason to ask now, so the checks begin to be counted anew. The caller holds the lock."""
    row.next_check_at, row.check_count = now, 0
    Booking.objects.filter(pk=row.pk).update(next_check_at=now, check_count=0)


def _plan(row: Booking, next_check_at: datetime | None) -> None:
    row.next_check_at = next_check_at
    Booking.objects.filter(pk=row.pk).update(
        next_check_at=next_check_at,
        check_count=row.check_count,
        last_error=row.last_error,
        claimed_until=None,
        claimed_by="",
    )
