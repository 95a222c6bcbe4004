"""What the tests of bookings stand on: a vendor that does as a test tells it, rows in any status, the work of a day."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import time_machine
from django.contrib.auth import get_user_model
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext

from proctoring.backends import backends
from proctoring.backends.live import BookingAnswer, BookingReport, BookingRequest, RatingPage, SessionPage
from proctoring.backends.types import VendorEvent
from proctoring.bookings.models import Booking
from proctoring.exchange import batches, deliveries
from proctoring.exchange import bookings as exchange
from proctoring.exchange.live import RatingList, SessionList
from proctoring.inbox import services as inbox
from proctoring.inbox.models import WebhookMessage
from proctoring.outbox import services as outbox
from proctoring.outbox.models import Delivery
from tests.booking_vendor import ALIAS, LiveVendor
from tests.factories import BookingFactory, LiveSessionFactory, MessageFactory, UserFactory, at
from tests.hosts import ScriptedHost, configure

STATEMENT = re.compile(r"[\s(]*(SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)

NOW = at(8, 0)
"""Two hours before the window of the bookings."""


class Vendor(LiveVendor):
    """Writes down each call, does what ``during`` says in the middle of it, and tells whatever ``events`` holds."""

    receives_webhooks = True
    gives_ratings = True

    def __init__(self, **limits: Any) -> None:
        super().__init__(**limits)
        self.calls: list[str] = []
        self.batches: list[list[str]] = []
        self.during: Callable[[], Any] | None = None
        self.rewrite: Callable[[list[BookingAnswer]], Any] = list
        """What becomes of the answers to a batch."""
        self.events: list[VendorEvent] = []
        self.pages: dict[str, RatingPage | Exception] = {}
        self.since: list[datetime | None] = []

    def book(self, bookings: Sequence[BookingRequest], *, key: str) -> Sequence[BookingAnswer]:
        self.batches.append([one.reference for one in bookings])
        answers = list(self._call("book", lambda: super(Vendor, self).book(bookings, key=key)))
        rewritten: Sequence[BookingAnswer] = self.rewrite(answers)
        return rewritten

    def fetch_booking(self, external_id: str) -> BookingReport:
        report: BookingReport = self._call("fetch", lambda: super(Vendor, self).fetch_booking(external_id))
        return report

    def cancel_booking(self, external_id: str, *, reference: str, key: str) -> None:
        self._call("cancel", lambda: super(Vendor, self).cancel_booking(external_id, reference=reference, key=key))

    def list_sessions(self, exam_external_id: str, *, cursor: str) -> SessionPage:
        page: SessionPage = self._call("sessions", lambda: super(Vendor, self).list_sessions("", cursor=cursor))
        return page

    def list_ratings(self, *, since: datetime | None, cursor: str) -> RatingPage:
        self.calls.append("ratings")
        self.since.append(since)
        page = self.pages.get(cursor, RatingPage(records=()))
        if isinstance(page, Exception):
            raise page
        return page

    def parse(self, body: bytes) -> Sequence[VendorEvent]:
        return [self.events[int(body)]]

    def _call(self, name: str, answer: Callable[[], Any]) -> Any:
        self.calls.append(name)
        given = answer()
        if (during := self.during) is not None:
            self.during = None
            during()
        return given


class Campus(ScriptedHost):
    """Everybody whose name begins with the course's is enrolled there."""

    def enrolled(self, course_id: str) -> QuerySet[Any] | None:
        accounts: Any = get_user_model()._default_manager
        return accounts.filter(username__startswith=course_id)


def vendor_of(settings: Any, **limits: Any) -> Vendor:
    configure(
        settings,
        BACKENDS={ALIAS: {"BACKEND": "tests.bookings.desk.Vendor", "OPTIONS": limits}},
        DEFAULT_BACKEND=ALIAS,
        CIRCUIT_FAILURES=50,
    )
    instance = backends[ALIAS]
    assert isinstance(instance, Vendor)
    return instance


def booked(status: str = "scheduled", people: int = 1, **fields: Any) -> Booking:
    """A booking in any status, due for what comes next at eight o'clock, with numbered candidates."""
    known: dict[str, Any] = {
        "scheduled": {"next_send_at": NOW},
        "sent": {"external_id": "b-1", "send_tries": 1, "next_check_at": NOW},
        "confirmed": {"external_id": "b-1", "send_tries": 1, "next_check_at": NOW},
    }.get(status, {})
    booking: Booking = BookingFactory(**{"status": status, **known, **fields})
    for number in range(1, people + 1):
        LiveSessionFactory(booking=booking, candidate_number=number)
    return booking


def fresh(booking: Booking) -> Booking:
    return Booking.objects.select_related("plan").get(pk=booking.pk)


def status(booking: Booking) -> str:
    """With the reason, where it was rejected."""
    row = fresh(booking)
    return " ".join(filter(None, (row.status, row.rejection_reason.removeprefix("booking_rejection_reason_"))))


def codes(booking: Booking) -> list[str]:
    """The log, oldest first; a step in place of a code where there is none."""
    return [str(entry) for entry in booking.log.order_by("pk")]


def send(limit: int = 50) -> int:
    return exchange.send_batch(ALIAS, limit=limit)


def check(limit: int = 10) -> int:
    return exchange.check_batch(ALIAS, limit=limit)


def deliver(now: datetime) -> list[str]:
    """Carry out what the outbox owes by then; what became of each."""
    claimed = outbox.claim_due(now=now, limit=50)
    with time_machine.travel(now, tick=False):
        for delivery in claimed:
            deliveries.carry_out(delivery)
    return [Delivery.objects.get(pk=one.pk).status for one in claimed]


def tell(vendor: Vendor, event: VendorEvent, now: datetime) -> WebhookMessage:
    """A message of the vendor's comes in and is processed."""
    vendor.events.append(event)
    body = str(len(vendor.events) - 1).encode()
    message = MessageFactory(
        backend=ALIAS, plain=body, received_at=now, next_try_at=now, give_up_at=now + timedelta(hours=24)
    )
    process(now)
    return WebhookMessage.objects.get(pk=message.pk)


def process(now: datetime) -> None:
    with time_machine.travel(now, tick=False):
        batches.process_batch(inbox.claim_due(now=now, limit=50))


def read_sessions(now: datetime) -> None:
    while SessionList().read_next_page(ALIAS, now=now):
        pass


def read_ratings(now: datetime) -> int:
    """Read the list as far as it goes now. Returns the pages."""
    pages = 1
    while RatingList().read_next_page(ALIAS, now=now):
        pages += 1
    return pages


def statements(act: Callable[[], Any]) -> int:
    with CaptureQueriesContext(connection) as captured:
        act()
    return sum(bool(STATEMENT.match(query["sql"])) for query in captured.captured_queries)


def people_of(course: str, count: int) -> list[Any]:
    """So many accounts that are enrolled on the campus."""
    accounts: Any = get_user_model()
    return list(accounts.objects.bulk_create([accounts(username=f"{course}{n}") for n in range(count)]))


def planner() -> Any:
    return UserFactory()
