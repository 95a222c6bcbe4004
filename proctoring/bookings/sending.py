"""From scheduled to sent: claim, look once more whether it can be booked, note what the vendor answered. No network."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import F

from proctoring.backends import backends
from proctoring.backends.live import BookingAnswer, BookingLimits, BookingWord
from proctoring.bookings import states
from proctoring.bookings.lifecycle import locked, log, move, promise_cancellation, save
from proctoring.bookings.log_codes import SENDING_ABANDONED
from proctoring.bookings.models import Booking, LiveSession
from proctoring.bookings.planning import bookable
from proctoring.bookings.states import Actor, Status
from proctoring.conf import settings
from proctoring.errors import BackendAuthenticationError, BackendError, UnknownBackend
from proctoring.inbox.services import wake_waiting
from proctoring.outbox.circuits import shorten
from proctoring.outbox.models import Delivery, DeliveryTarget, Operation
from proctoring.outbox.services import backoff

WAIT = timedelta(seconds=60)
"""For something that wakes who waits for it; a look now and then is enough."""

REASONS = {
    BookingWord.CONFLICT: states.CONFLICT,
    BookingWord.NO_CAPACITY: states.NO_CAPACITY,
    BookingWord.AVAILABILITY_UNKNOWN: states.NO_AVAILABILITY,
    BookingWord.TOO_LATE: states.TOO_LATE,
}
"""A vendor's word → the reason under which a booking is rejected; any other is unknown here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """A booking that can go out now, with the candidates who can still come."""

    booking: Booking
    sessions: Sequence[LiveSession]


def claim_to_send(backend: str, *, now: datetime, limit: int) -> list[Booking]:
    """Take up to ``limit`` scheduled bookings of this vendor for this worker, the earliest window first. Three
    statements. A claim is a lease, and counts as a try."""
    due = Booking.objects.due_to_send(now).filter(backend=backend)
    keys = list(due.order_by("starts_at", "pk").values_list("pk", flat=True)[:limit])
    if not keys:
        return []
    worker = uuid.uuid4().hex
    # A worker that chose the same rows a moment ago has set its claim by now: the condition lets it keep them.
    due.filter(pk__in=keys).update(claimed_until=lease(now), claimed_by=worker, send_tries=F("send_tries") + 1)
    rows = Booking.objects.filter(claimed_by=worker, pk__in=keys)
    return list(rows.select_related("exam", "plan").order_by("starts_at", "pk"))


def prepare(booking: Booking, *, now: datetime) -> Ready | None:
    """Look once more at a claimed booking before it goes out. None where it does not: it was rejected, waits for
    something else, or is another worker's by now."""
    with locked(booking) as row:
        if not _is_in_hand(row, booking):
            _abandon(row, None, now=now)
            return None
        why = obstacle(row, now=now)
        if why is not None:
            move(row, Status.REJECTED, why, actor=Actor.SYSTEM, now=now)
            return None
        if _cancellation_is_owed(row):
            _put_off(
                row, step="waits_for_cancellation", error="the vendor has not cancelled the former booking", now=now
            )
            return None
        sessions = bookable(row.sessions.all(), row.plan).order_by("candidate_number")
        return Ready(booking=booking, sessions=list(sessions))


def obstacle(booking: Booking, *, now: datetime) -> str | None:
    """The reason why this cannot be booked (any more), as far as it is known here."""
    if not booking.exam.is_active():
        return states.WRONG_STATUS
    if booking.starts_at - now < timedelta(minutes=_limits(booking).lead_minutes) or booking.starts_at <= now:
        return states.TOO_LATE
    if not bookable(booking.sessions.all(), booking.plan).exists():
        return states.NO_CANDIDATES
    return None


def apply_answer(booking: Booking, answer: BookingAnswer, *, now: datetime) -> None:
    """What the vendor said to a booking that this worker had sent.

    Where the booking is in another status by now, the worker writes so and stops; what the vendor has taken in for a
    booking that was given up meanwhile is cancelled there.
    """
    with locked(booking) as row:
        if not _is_in_hand(row, booking):
            _abandon(row, answer, now=now)
            return
        if answer.word in (BookingWord.ACCEPTED, BookingWord.EXISTS):
            _keep_id(row, answer.external_id, now=now)
        if answer.word == BookingWord.ACCEPTED:
            row.check_count = 0
            move(row, Status.SENT, states.SENT, actor=Actor.SYSTEM, now=now)
            schedule_check(row, now=now)
        elif answer.word == BookingWord.EXISTS:
            move(row, Status.CONFIRMED, states.CONFIRMED_EXISTING, actor=Actor.SYSTEM, now=now)
            schedule_recheck(row, now=now)
        else:
            reason = REASONS.get(answer.word, states.UNKNOWN)
            move(row, Status.REJECTED, reason, actor=Actor.SYSTEM, now=now)


def note_send_failure(booking: Booking, error: BackendError, *, now: datetime) -> None:
    """Sending failed: later, or never. Wrong credentials are never tried again."""
    with locked(booking) as row:
        if not _is_in_hand(row, booking):
            _abandon(row, None, now=now)
        elif isinstance(error, BackendAuthenticationError):
            _reject(row, states.SENDING_REFUSED, error, now=now)
        elif not error.retryable or row.send_tries >= settings.booking_send_tries:
            _reject(row, states.SENDING_FAILED, error, now=now)
        else:
            pause = backoff(row.send_tries, error.retry_after, first_seconds=settings.delivery_backoff_seconds)
            _put_off(row, step="sending_postponed", error=shorten(error), now=now, pause=pause, is_try=True)


def give_back(bookings: Collection[Booking], *, until: datetime, why: str = "") -> None:
    """Leave claimed bookings to the next worker, untried. One statement a worker's name."""
    for worker in {one.claimed_by for one in bookings}:
        held = Booking.objects.filter(
            pk__in=[one.pk for one in bookings], claimed_by=worker, status=Status.SCHEDULED, send_tries__gt=0
        )
        held.update(
            claimed_until=None, claimed_by="", next_send_at=until, send_tries=F("send_tries") - 1, last_error=why
        )


def wake_bookings(*, now: datetime, **which: object) -> None:
    """What scheduled bookings waited for has happened: they are due at once. ``which``: fields of ``Booking``."""
    Booking.objects.filter(status=Status.SCHEDULED, next_send_at__gt=now, **which).update(next_send_at=now)


def is_shared(booking: Booking) -> bool:
    """Whether a booking that is not given up stands for the same one at the vendor: it "existed already"."""
    if booking.external_id is None:
        return False
    same = Booking.objects.filter(backend=booking.backend, external_id=booking.external_id, status__in=states.LIVE)
    return same.exclude(pk=booking.pk).exists()


def schedule_check(row: Booking, *, now: datetime, retry_after: float | None = None, code: str = "") -> None:
    """Have the vendor asked later, and write so. The caller holds the lock; the claim ends."""
    pause = backoff(row.check_count + 1, retry_after, first_seconds=settings.booking_check_seconds)
    # Not after the window has opened: then is the last moment at which an answer helps.
    row.next_check_at = max(min(now + pause, row.starts_at), now + timedelta(seconds=1))
    Booking.objects.filter(pk=row.pk).update(
        next_check_at=row.next_check_at, claimed_until=None, claimed_by="", last_error=row.last_error
    )
    log(row, code or states.CHECK_SCHEDULED, now=now)


def schedule_recheck(row: Booking, *, now: datetime) -> None:
    """Look now and then whether what was confirmed still holds: a vendor may withdraw it, and its word may get lost."""
    at = now + timedelta(hours=settings.booking_recheck_hours)
    row.next_check_at = at if at < row.starts_at else None
    Booking.objects.filter(pk=row.pk).update(next_check_at=row.next_check_at, claimed_until=None, claimed_by="")


def lease(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.lease_seconds)


def _is_in_hand(row: Booking, claimed: Booking) -> bool:
    return row.status == Status.SCHEDULED and row.claimed_by == claimed.claimed_by


def _abandon(row: Booking, answer: BookingAnswer | None, *, now: datetime) -> None:
    """This worker comes too late. One that lost its lease to another only goes: the other one writes."""
    if row.status == Status.SCHEDULED:
        return
    log(row, SENDING_ABANDONED, now=now, booking_status=row.status)
    Booking.objects.filter(pk=row.pk).update(claimed_until=None, claimed_by="")
    if answer is None or answer.word not in (BookingWord.ACCEPTED, BookingWord.EXISTS):
        return
    if row.external_id is None:
        _keep_id(row, answer.external_id, now=now)
        save(row, reason="the vendor's answer came late")
    if row.status in (Status.CANCELLED, Status.REJECTED) and not _cancellation_is_owed(row):
        promise_cancellation(row, now=now)


def _cancellation_is_owed(row: Booking) -> bool:
    """Whether the vendor has yet to be told that this booking, or what it replaces, is given up."""
    mine = [row.pk]
    if row.plan.replaces_id is not None:
        mine += Booking.objects.filter(plan=row.plan.replaces_id).values_list("pk", flat=True)
    owed = Delivery.objects.owed().filter(
        operation=Operation.CANCEL_BOOKING, target=DeliveryTarget.BOOKING, target_id__in=mine
    )
    return owed.exists()


def _keep_id(row: Booking, external_id: str, *, now: datetime) -> None:
    row.external_id = external_id
    wake_waiting(row.backend, external_id, now=now)


def _reject(row: Booking, code: str, error: BackendError, *, now: datetime) -> None:
    move(row, Status.REJECTED, code, actor=Actor.SYSTEM, now=now, error=shorten(error))


def _put_off(
    row: Booking, *, step: str, error: str, now: datetime, pause: timedelta = WAIT, is_try: bool = False
) -> None:
    if row.last_error != error or is_try:
        log(row, states.WITHOUT_CODE, now=now, step=step)
    Booking.objects.filter(pk=row.pk).update(
        claimed_until=None,
        claimed_by="",
        next_send_at=now + pause,
        send_tries=row.send_tries if is_try else max(0, row.send_tries - 1),
        last_error=error,
    )


def _limits(booking: Booking) -> BookingLimits:
    try:
        return backends[booking.backend].booking_limits
    except UnknownBackend:
        # A vendor that cannot be loaded now sets no limits; checks.py reports the broken plugin.
        return BookingLimits()
