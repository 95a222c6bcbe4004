"""A vendor of live proctoring in the tests' own process: it answers what a test wrote into it, and keeps a book."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from proctoring.backends import backends
from proctoring.backends.base import Backend
from proctoring.backends.live import (
    BookingAnswer,
    BookingLimits,
    BookingReport,
    BookingRequest,
    BookingState,
    BookingWord,
    SessionPage,
    SessionRecord,
)
from proctoring.errors import BackendError
from tests.hosts import configure

ALIAS = "live"


@dataclass
class Script:
    """What the vendor answers; where nothing is written, it takes and confirms everything."""

    words: dict[str, BookingWord] = field(default_factory=dict)
    """Reference → the answer to sending it."""
    reports: dict[str, BookingReport] = field(default_factory=dict)
    """Vendor's id → how the booking stands."""
    sessions: list[SessionRecord] = field(default_factory=list)
    failing: BackendError | None = None
    """Raised instead of every answer."""
    book: dict[str, BookingRequest] = field(default_factory=dict)
    """Reference → what the vendor holds."""
    cancelled: list[str] = field(default_factory=list)
    """References that it was told to let go."""


class LiveVendor(Backend):
    """Bookings of three candidates and eight hours at most, at one to four or eight, an hour ahead."""

    verbose_name = "Live vendor"
    takes_live_bookings = True

    def __init__(self, **limits: Any) -> None:
        given: dict[str, Any] = {"max_candidates": 3, "max_minutes": 480, "lead_minutes": 60, "ratios": (4, 8)}
        self.booking_limits = BookingLimits(**{**given, **limits})
        self.script = Script()

    def book(self, bookings: Sequence[BookingRequest], *, key: str) -> Sequence[BookingAnswer]:
        self._fail()
        return [self._answer(one) for one in bookings]

    def fetch_booking(self, external_id: str) -> BookingReport:
        self._fail()
        return self.script.reports.get(external_id, BookingReport(state=BookingState.CONFIRMED))

    def cancel_booking(self, external_id: str, *, reference: str, key: str) -> None:
        self._fail()
        self.script.book.pop(reference, None)
        self.script.cancelled.append(reference)

    def list_sessions(self, exam_external_id: str, *, cursor: str) -> SessionPage:
        self._fail()
        return SessionPage(records=tuple(self.script.sessions))

    def _answer(self, request: BookingRequest) -> BookingAnswer:
        word = self.script.words.get(request.reference, BookingWord.ACCEPTED)
        held = word in (BookingWord.ACCEPTED, BookingWord.EXISTS)
        if held:
            self.script.book[request.reference] = request
        external_id = f"booking-{request.reference}" if held else ""
        return BookingAnswer(reference=request.reference, word=word, external_id=external_id)

    def _fail(self) -> None:
        if self.script.failing is not None:
            raise self.script.failing


def live_vendor(settings: Any, **limits: Any) -> LiveVendor:
    """Configure the vendor for one test, as the default one, and return the instance in use."""
    vendor = {"BACKEND": "tests.booking_vendor.LiveVendor", "OPTIONS": limits}
    configure(settings, BACKENDS={ALIAS: vendor}, DEFAULT_BACKEND=ALIAS)
    instance = backends[ALIAS]
    assert isinstance(instance, LiveVendor)
    return instance
