"""Rows of a vendor's list of ratings, and people who can be rated."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from proctoring.backends.live import RatingPage, RatingRecord, SessionRated
from proctoring.bookings.models import Booking, LiveSession
from proctoring.inbox.models import SweepCursor
from tests.booking_vendor import ALIAS
from tests.bookings.desk import Vendor, booked
from tests.factories import AttemptFactory, at

HALF = timedelta(minutes=30)
AFTER = at(13, 0)


def rated(number: int = 1, risk: float = 0.5, rated_at: datetime | None = AFTER, **said: Any) -> RatingRecord:
    given: dict[str, Any] = {
        "session_external_id": f"s-{number}",
        "raw_value": str(risk),
        "raw_scale": "risk_0_1",
        "risk": risk,
        "mapping_version": "test-1",
        "rated_at": rated_at,
    }
    return RatingRecord(**{**given, **said})


def told(record: RatingRecord | None = None, session: str = "s-1", occurred_at: datetime = AFTER) -> SessionRated:
    return SessionRated(occurred_at=occurred_at, session_external_id=session, rating=record)


def pages(vendor: Vendor, *records: RatingRecord | Exception, size: int = 300) -> None:
    """The list in pages of so many; an exception stands for the page on which it is raised."""
    chunks = [records[n : n + size] for n in range(0, len(records), size)] or [()]
    vendor.pages = {}
    for n, chunk in enumerate(chunks):
        cursor, following = str(n or ""), str(n + 1) if n + 1 < len(chunks) else ""
        if isinstance(chunk[0] if chunk else None, Exception):
            vendor.pages[cursor] = chunk[0]  # type: ignore[assignment]
        else:
            vendor.pages[cursor] = RatingPage(records=chunk, next_cursor=following)  # type: ignore[arg-type]


def begun(people: int = 1) -> Booking:
    """A confirmed booking whose candidates have met their proctors and taken the exam."""
    booking = booked("confirmed", people=people, next_check_at=None)
    for session in booking.sessions.all():
        session.external_id = f"s-{session.candidate_number}"
        session.save()
        AttemptFactory(exam=booking.exam, user=session.user, status="submitted", started_at=at(10, 0))
    return booking


def session(booking: Booking, number: int = 1) -> LiveSession:
    return LiveSession.objects.get(booking=booking, candidate_number=number)


def cursor() -> SweepCursor:
    return SweepCursor.objects.get(name="ratings", backend=ALIAS)
