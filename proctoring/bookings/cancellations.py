"""Giving the vendor its proctors back: when that is owed, and what waits for it. The calls are the outbox's."""

from __future__ import annotations

import uuid
from datetime import datetime

from django.db.models import Q, QuerySet

from proctoring.bookings import states
from proctoring.bookings.models import Booking
from proctoring.outbox.models import Delivery, DeliveryStatus, DeliveryTarget, Operation
from proctoring.outbox.services import promise_call, supersede_waiting, wake


def promise_cancellation(booking: Booking, *, now: datetime) -> None:
    """Owe the vendor the proctors back, unless it cannot have heard of the booking. The caller holds the lock.

    A call may have reached it although no answer came: then it is told the reference alone.
    """
    tried = booking.external_id is not None or booking.send_tries > 0
    if tried or booking.log.exclude(code=states.SCHEDULED).exists():
        _promise(booking, now=now)


def promise_unless_waiting(booking: Booking, *, now: datetime) -> None:
    """The vendor has taken in what was given up meanwhile: it must still hear that, with the id that it gave."""
    if not _all().filter(target_id=booking.pk, status=DeliveryStatus.DUE, claimed_until=None).exists():
        _promise(booking, now=now)


def take_back(booking: Booking) -> None:
    """The booking is wanted again. A cancellation that no worker has begun would undo that."""
    supersede_waiting(operation=Operation.CANCEL_BOOKING, target=DeliveryTarget.BOOKING, target_id=booking.pk)


def hurry(booking: Booking, *, now: datetime) -> None:
    """The worker that had the booking in hand is through: a cancellation need not wait any longer."""
    wake(operation=Operation.CANCEL_BOOKING, target=DeliveryTarget.BOOKING, target_ids=[booking.pk], now=now)


def is_awaited(booking: Booking) -> bool:
    """Whether the vendor has yet to answer that this booking, or what it replaces, is given up. A refusal is an answer:
    what it means for this booking, the vendor says when it is sent. Wants ``plan`` loaded."""
    open_ = Q(target_id=booking.pk, status=DeliveryStatus.DUE)
    if booking.plan.replaces_id is not None:
        former = Booking.objects.filter(plan=booking.plan.replaces_id).order_by().values("pk")
        # What was given up waits for a person, and the vendor still holds it.
        open_ |= Q(target_id__in=former, status__in=(DeliveryStatus.DUE, DeliveryStatus.GIVEN_UP))
    return _all().filter(open_).exists()


def is_shared(booking: Booking) -> bool:
    """Whether a booking that is not given up stands for the same one at the vendor: it "existed already"."""
    if booking.external_id is None:
        return False
    same = Booking.objects.filter(backend=booking.backend, external_id=booking.external_id, status__in=states.LIVE)
    return same.exclude(pk=booking.pk).exists()


def _promise(booking: Booking, *, now: datetime) -> None:
    promise_call(
        backend=booking.backend,
        operation=Operation.CANCEL_BOOKING,
        target=DeliveryTarget.BOOKING,
        target_id=booking.pk,
        key=f"{Operation.CANCEL_BOOKING.value}-{uuid.uuid4().hex}",
        now=now,
    )


def _all() -> QuerySet[Delivery]:
    return Delivery.objects.filter(operation=Operation.CANCEL_BOOKING, target=DeliveryTarget.BOOKING)
