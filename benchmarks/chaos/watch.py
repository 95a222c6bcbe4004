"""Wait until nothing is open any more, here and at the vendor; people mend what only they can meanwhile."""

from __future__ import annotations

import sys
import time
from datetime import timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django.utils import timezone

from benchmarks.chaos.house import House
from proctoring.bookings.models import Booking, LiveSession
from proctoring.bookings.states import CHECKED, WAITING, Status
from proctoring.inbox.models import MessageStatus, WebhookMessage
from proctoring.outbox.models import Delivery
from proctoring.testing.simulator.process import SimulatorProcess

SOON = timedelta(seconds=10)
EVERY = 1.0
TELL_EVERY = 10.0


def until_quiet(house: House, simulator: SimulatorProcess, *, seconds: float) -> dict[str, Any]:
    """The vendor's book when all is quiet, or when the time is over."""
    began = told = time.monotonic()
    while time.monotonic() - began < seconds:
        house.mend()
        if not is_open():
            book = simulator.book()
            pending = any(one["state"] == "pending" for one in book["deliveries"])
            # What the vendor has just said may have opened something again.
            if not pending and not is_open():
                return book
        if time.monotonic() - told >= TELL_EVERY:
            told = time.monotonic()
            left = {name: rows.count() for name, rows in still_open().items()}
            tell(f"{told - began:4.0f} s, open: {', '.join(f'{n} {name}' for name, n in left.items() if n)}")
        time.sleep(EVERY)
    return simulator.book()


def is_open() -> bool:
    """Whether anybody has yet to do something. The first row that is found ends the search: counting a hundred thousand
    each second would slow down what is watched."""
    return any(rows.exists() for rows in still_open().values())


def still_open() -> dict[str, QuerySet[Any]]:
    """What somebody has yet to do, by kind."""
    now = timezone.now()
    soon, held = now + SOON, Q(claimed_until__gt=now)
    bookings, messages = Booking.objects, WebhookMessage.objects
    return {
        "bookings": bookings.filter(status__in=WAITING),
        "checks": bookings.filter(Q(next_check_at__lte=soon) | held, status__in=CHECKED),
        "deliveries": Delivery.objects.owed(),
        "messages": messages.filter(
            Q(next_try_at__lte=soon) | held, status__in=(MessageStatus.RECEIVED, MessageStatus.FAILED)
        ),
        "links": LiveSession.objects.filter(booking__status=Status.CONFIRMED, sealed_join_url=b""),
    }


def tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
