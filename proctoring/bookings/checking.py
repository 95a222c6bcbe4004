"""From sent to confirmed or rejected: claim, note how the vendor says a booking stands. No network."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta

from proctoring.backends.live import BookingReport, BookingState, BookingWord
from proctoring.bookings import cancellations, states
from proctoring.bookings.lifecycle import locked, log, move
from proctoring.bookings.log_codes import CHECK_ABANDONED, CHECK_LATER
from proctoring.bookings.models import Booking
from proctoring.bookings.sending import REASONS
from proctoring.bookings.states import CHECKED, Actor, Status
from proctoring.bookings.timing import check_at_once, claim, lease, schedule_check, schedule_recheck
from proctoring.conf import settings
from proctoring.errors import BackendAuthenticationError, BackendError
from proctoring.outbox.circuits import shorten, wished_pause
from proctoring.signals import announce, booking_check_wanted


def claim_to_check(backend: str, *, now: datetime, limit: int) -> list[Booking]:
    """Take up to ``limit`` bookings about which this vendor is to be asked. Three statements. A claim is a lease, and
    counts as a check."""
    due = Booking.objects.due_to_check(now).filter(backend=backend)
    return claim(due.order_by("next_check_at", "pk"), count="check_count", now=now, limit=limit)


def renew(booking: Booking, *, now: datetime) -> bool:
    """Begin the lease anew just before the call. False where the call is not this worker's to make any more: another
    one has the booking by now, or a person has decided about it."""
    with locked(booking) as row:
        if _is_in_hand(row, booking):
            Booking.objects.filter(pk=row.pk).update(claimed_until=lease(now))
            return True
        _abandon(row, booking, now=now)
    return False


def workers_are_lost(booking: Booking) -> bool:
    """Whether more checks were begun than there are tries: their workers did not come back from the call."""
    return booking.check_count > settings.booking_check_tries


def apply_report(booking: Booking, report: BookingReport, *, now: datetime) -> None:
    """How a claimed booking stands at the vendor. A worker that finds it in another status writes so and stops."""
    with locked(booking) as row:
        if not _is_in_hand(row, booking):
            _abandon(row, booking, now=now)
            return
        wish = _wish(row, booking)
        if row.status == Status.CONFIRMED:
            _look_after(row, report, now=now)
        elif report.state == BookingState.CONFIRMED:
            existing = report.reason == BookingWord.EXISTS
            code = states.CONFIRMED_EXISTING if existing else states.CONFIRMED
            move(row, Status.CONFIRMED, code, actor=Actor.SYSTEM, now=now)
            schedule_recheck(row, now=now)
        elif report.state == BookingState.REJECTED:
            reason = REASONS.get(report.reason, states.UNKNOWN)
            move(row, Status.REJECTED, reason, actor=Actor.SYSTEM, now=now)
        elif _is_last(row, now=now):
            error = "the vendor says that it is still pending"
            move(row, Status.REJECTED, states.CHECK_EXHAUSTED, actor=Actor.SYSTEM, now=now, error=error)
        else:
            row.last_error = ""
            schedule_check(row, now=now)
        _grant(row, wish)


def note_check_failure(booking: Booking, error: BackendError, *, now: datetime) -> None:
    """Asking failed: asked again, or rejected. Wrong credentials are never tried again. What was confirmed stays so."""
    with locked(booking) as row:
        if not _is_in_hand(row, booking):
            _abandon(row, booking, now=now)
            return
        wish = _wish(row, booking)
        row.last_error = shorten(error)
        if row.status == Status.CONFIRMED:
            schedule_recheck(row, now=now)
        elif isinstance(error, BackendAuthenticationError):
            _reject(row, states.CHECK_REFUSED, now=now)
        elif not error.retryable:
            _reject(row, states.CHECK_FAILED, now=now)
        elif _is_last(row, now=now):
            _reject(row, states.CHECK_EXHAUSTED, now=now)
        else:
            schedule_check(row, now=now, retry_after=wished_pause(error.retry_after), code=CHECK_LATER)
        _grant(row, wish)


def rest(bookings: Collection[Booking], *, now: datetime, until: datetime) -> None:
    """No call can be made now: leave claimed bookings to a later worker, unasked. One whose window has opened meanwhile
    has no more use for an answer."""
    for booking in bookings:
        with locked(booking) as row:
            if not _is_in_hand(row, booking):
                _abandon(row, booking, now=now)
                continue
            if row.status == Status.SENT and now >= row.starts_at:
                _reject(row, states.CHECK_EXHAUSTED, now=now)
                continue
            Booking.objects.filter(pk=row.pk).update(
                claimed_until=None, claimed_by="", next_check_at=until, check_count=max(0, row.check_count - 1)
            )


def hear_of_update(booking: Booking, *, now: datetime) -> bool:
    """The vendor says that something has changed: ask it now. False, and an entry, where no answer is awaited."""
    with locked(booking) as row:
        if row.status not in CHECKED:
            log(row, CHECK_ABANDONED, now=now, booking_status=row.status)
            return False
        check_at_once(row, now=now)
        if row.status == Status.SENT:
            log(row, states.CHECK_SCHEDULED, now=now)
        announce(booking_check_wanted, booking=row)
    return True


def _look_after(row: Booking, report: BookingReport, *, now: datetime) -> None:
    """A confirmed booking that the vendor withdraws is rejected; anything else it says leaves it as it is."""
    row.last_error = ""
    if report.state != BookingState.REJECTED:
        schedule_recheck(row, now=now)
        return
    reason = states.NO_CAPACITY if report.reason == BookingWord.NO_CAPACITY else states.UNKNOWN
    move(row, Status.REJECTED, reason, actor=Actor.SYSTEM, now=now, error="withdrawn by the vendor")


def _wish(row: Booking, claimed: Booking) -> datetime | None:
    """Since when somebody wants the vendor asked again: while the call was under way it may have changed its mind, so
    this answer may be the one before."""
    return row.next_check_at if row.next_check_at != claimed.next_check_at else None


def _grant(row: Booking, wish: datetime | None) -> None:
    if wish is not None and row.status in CHECKED:
        Booking.objects.filter(pk=row.pk).update(next_check_at=wish)


def _is_in_hand(row: Booking, claimed: Booking) -> bool:
    return row.status == claimed.status and row.claimed_by == claimed.claimed_by


def _abandon(row: Booking, claimed: Booking, *, now: datetime) -> None:
    if row.status == claimed.status:
        # Another worker has it, and writes.
        return
    log(row, CHECK_ABANDONED, now=now, booking_status=row.status)
    if row.claimed_by == claimed.claimed_by:
        Booking.objects.filter(pk=row.pk).update(claimed_until=None, claimed_by="")
        cancellations.hurry(row, now=now)


def _is_last(row: Booking, *, now: datetime) -> bool:
    """Whether the check in hand was the last one: all tries are used, or the window has opened."""
    return row.check_count >= settings.booking_check_tries or now + timedelta(seconds=1) >= row.starts_at


def _reject(row: Booking, code: str, *, now: datetime) -> None:
    move(row, Status.REJECTED, code, actor=Actor.SYSTEM, now=now, error=row.last_error)
