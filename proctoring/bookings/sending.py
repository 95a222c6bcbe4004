"""From scheduled to sent: claim, look once more whether it can be booked, note what the vendor answered. No network."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Case, F, QuerySet, When

from proctoring.backends import backends
from proctoring.backends.live import BookingAnswer, BookingLimits, BookingWord
from proctoring.bookings import cancellations, states
from proctoring.bookings.lifecycle import locked, locked_all, log, move, save
from proctoring.bookings.log_codes import SENDING_ABANDONED
from proctoring.bookings.models import Booking, LiveSession
from proctoring.bookings.planning import bookable
from proctoring.bookings.states import Actor, Status
from proctoring.bookings.timing import claim, lease, schedule_check, schedule_recheck
from proctoring.conf import settings
from proctoring.errors import BackendAuthenticationError, BackendError, UnknownBackend
from proctoring.inbox.services import wake_waiting
from proctoring.outbox.circuits import shorten
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

TAKEN_IN = (BookingWord.ACCEPTED, BookingWord.EXISTS)
"""The vendor holds the booking, and has said under which id."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Ready:
    """A booking that can go out now, with the candidates who can still come."""

    booking: Booking
    sessions: Sequence[LiveSession]


def claim_to_send(backend: str, *, now: datetime, limit: int) -> list[Booking]:
    """Take up to ``limit`` scheduled bookings of this vendor for this worker, the earliest window first. Three
    statements. A claim is a lease, and counts as a try."""
    due = Booking.objects.due_to_send(now).filter(backend=backend)
    return claim(due.order_by("starts_at", "pk"), count="send_tries", now=now, limit=limit)


def prepare(booking: Booking, *, now: datetime) -> Ready | None:
    """Look once more at a claimed booking before it goes out. None where it does not: it was rejected, waits for
    something else, or is another worker's by now."""
    with locked(booking) as row:
        if not _is_in_hand(row, booking):
            _abandon(row, booking, None, now=now)
            return None
        why, error = obstacle(row, now=now), ""
        if why is None and row.send_tries > settings.booking_send_tries:
            why, error = states.SENDING_FAILED, "given up: its workers did not come back from the call"
        if why is not None:
            _reject(row, why, error, may_be_held=row.send_tries > 1, now=now)
            return None
        if cancellations.is_awaited(row):
            _put_off(
                row, step="waits_for_cancellation", error="the vendor has not cancelled the former booking", now=now
            )
            return None
        sessions = bookable(row.sessions.all(), row.plan).order_by("candidate_number")
        return Ready(booking=booking, sessions=list(sessions))


def renew(ready: Sequence[Ready], *, now: datetime) -> list[Ready]:
    """Begin the leases anew just before the call, and leave out what is not in hand any more: another worker has it, or
    a person has decided about it. Two statements."""
    claimed = {one.booking.pk: one.booking for one in ready}
    held = set()
    with locked_all(claimed.values()) as rows:
        for row in rows:
            if _is_in_hand(row, claimed[row.pk]):
                held.add(row.pk)
            else:
                _abandon(row, claimed[row.pk], None, now=now)
        Booking.objects.filter(pk__in=held).update(claimed_until=lease(now))
    return [one for one in ready if one.booking.pk in held]


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
            _abandon(row, booking, answer, now=now)
            return
        if answer.word in TAKEN_IN:
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
    """Sending failed: later, or never. Wrong credentials are never tried again. What is given up is cancelled where the
    vendor may have heard of it."""
    with locked(booking) as row:
        was_tried = row.send_tries > 1
        if not _is_in_hand(row, booking):
            _abandon(row, booking, None, now=now)
        elif isinstance(error, BackendAuthenticationError):
            _reject(row, states.SENDING_REFUSED, shorten(error), may_be_held=was_tried, now=now)
        elif not error.retryable or row.send_tries >= settings.booking_send_tries:
            _reject(row, states.SENDING_FAILED, shorten(error), may_be_held=error.retryable or was_tried, now=now)
        else:
            pause = backoff(row.send_tries, error.retry_after, first_seconds=settings.delivery_backoff_seconds)
            _put_off(row, step="sending_postponed", error=shorten(error), now=now, pause=pause, is_try=True)


def give_back(bookings: Collection[Booking], *, now: datetime, until: datetime, why: str) -> None:
    """Leave claimed bookings to the next worker, untried. Two statements, and one more for each that a person has
    decided about meanwhile."""
    claimed = {one.pk: one for one in bookings}
    with locked_all(bookings) as rows:
        mine = [row for row in rows if _is_in_hand(row, claimed[row.pk])]
        Booking.objects.filter(pk__in=[row.pk for row in mine]).update(
            claimed_until=None,
            claimed_by="",
            next_send_at=until,
            # One that was scheduled anew meanwhile has no try yet.
            send_tries=Case(When(send_tries__gt=0, then=F("send_tries") - 1), default=0),
            last_error=why,
        )
        for row in rows:
            if row not in mine:
                _abandon(row, claimed[row.pk], None, now=now)


def wake_bookings(which: QuerySet[Booking], *, now: datetime) -> None:
    """What scheduled bookings waited for has happened: they are due at once."""
    with locked_all(which.filter(status=Status.SCHEDULED, next_send_at__gt=now)) as rows:
        late = [row.pk for row in rows if row.status == Status.SCHEDULED]
        Booking.objects.filter(pk__in=late).update(next_send_at=now)


def _is_in_hand(row: Booking, claimed: Booking) -> bool:
    return row.status == Status.SCHEDULED and row.claimed_by == claimed.claimed_by


def _abandon(row: Booking, claimed: Booking, answer: BookingAnswer | None, *, now: datetime) -> None:
    """This worker comes too late. One that lost its lease to another only goes: the other one writes."""
    if row.status == Status.SCHEDULED:
        return
    log(row, SENDING_ABANDONED, now=now, booking_status=row.status)
    if row.claimed_by == claimed.claimed_by:
        row.claimed_until, row.claimed_by = None, ""
        Booking.objects.filter(pk=row.pk).update(claimed_until=None, claimed_by="")
        cancellations.hurry(row, now=now)
    if answer is None or answer.word not in TAKEN_IN:
        return
    is_given_up = row.status in (Status.CANCELLED, Status.REJECTED)
    if row.external_id is None or (is_given_up and row.external_id != answer.external_id):
        _keep_id(row, answer.external_id, now=now)
        save(row, reason="the vendor's answer came late")
    if is_given_up:
        cancellations.promise_unless_waiting(row, now=now)


def _keep_id(row: Booking, external_id: str, *, now: datetime) -> None:
    row.external_id = external_id
    wake_waiting(row.backend, [external_id], now=now)


def _reject(row: Booking, code: str, error: str, *, may_be_held: bool, now: datetime) -> None:
    """``may_be_held``: an earlier call may have reached the vendor although its answer did not reach us."""
    if may_be_held:
        cancellations.promise_cancellation(row, now=now)
    move(row, Status.REJECTED, code, actor=Actor.SYSTEM, now=now, error=error)


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
