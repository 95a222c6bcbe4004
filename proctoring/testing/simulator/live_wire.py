"""The reference wire's live proctoring as the vendor serves it: bookings, sessions, ratings."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from proctoring.testing.simulator.bookings import Booking, read_booking
from proctoring.testing.simulator.messages import RefusedError, Reply, Request, Routes, positive
from proctoring.testing.simulator.vendor import Vendor

BATCH = "/api/v1/bookings/batch"
MAX_PAGE = 300


class LiveWire:
    """Serves within the lock that ``Wire`` holds."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._live = vendor.live

    def add_to(self, routes: Routes) -> None:
        for method, path, function in (
            ("POST", BATCH, self._book),
            ("GET", "/api/v1/bookings/{}", self._show_booking),
            ("DELETE", "/api/v1/bookings/{}", self._cancel),
            ("DELETE", "/api/v1/bookings", self._cancel_by_reference),
            ("GET", "/api/v1/sessions", self._list_sessions),
            ("GET", "/api/v1/sessions/{}", self._show_session),
            ("GET", "/api/v1/ratings", self._list_ratings),
        ):
            routes.add(method, path, function)

    def _book(self, request: Request) -> Reply:
        """One answer for each booking. The references alone say what is a repetition: a batch that is sent again may
        have become another one."""
        results = []
        for asked in _read_batch(request):
            known = asked.exam in self._vendor.exams
            result = self._live.take(asked, known_exam=known, path=request.path)
            if not self._vendor.faults.take(["missing_result"], path=request.path, method=request.method):
                results.append(result)
        return Reply(body={"results": results})

    def _show_booking(self, request: Request, booking_id: str) -> Reply:
        return Reply(body=self._live.report(self._booking(booking_id), path=request.path))

    def _cancel(self, request: Request, booking_id: str) -> Reply:
        return self._cancelled(self._live.bookings.rows.get(booking_id))

    def _cancel_by_reference(self, request: Request) -> Reply:
        return self._cancelled(self._live.bookings.held_under(request.query.get("reference", "")))

    def _cancelled(self, booking: Booking | None) -> Reply:
        if booking is None or not booking.held:
            raise RefusedError(404, "There is no such booking, or none any more.")
        self._live.cancel(booking)
        return Reply(body={"status": "cancelled"})

    def _list_sessions(self, request: Request) -> Reply:
        exam = request.query.get("exam", "")
        if not exam:
            raise RefusedError(400, "exam is missing.")
        start, size = _cursor(request), min(positive(request.query, "page_size", 100), MAX_PAGE)
        sessions, following = self._live.sessions.page(exam, start=start or 0, size=size)
        return _page([self._live.row(session) for session in sessions], following)

    def _show_session(self, request: Request, session_id: str) -> Reply:
        session = self._live.sessions.rows.get(session_id)
        if session is None or not session.is_open:
            raise RefusedError(404, "There is no such session.")
        return Reply(body=self._live.row(session))

    def _list_ratings(self, request: Request) -> Reply:
        start, size = _cursor(request), min(positive(request.query, "page_size", 100), MAX_PAGE)
        if start is None:
            since = request.query.get("since", "")
            start = self._live.ratings.start(_moment(since)) if since else 0
        return _page(*self._live.ratings.page(start=start, size=size))

    def _booking(self, booking_id: str) -> Booking:
        booking = self._live.bookings.rows.get(booking_id)
        if booking is None or booking.state == "cancelled":
            raise RefusedError(404, "There is no such booking.")
        return booking


def _read_batch(request: Request) -> list[Booking]:
    rows = request.json_object().get("bookings")
    if not isinstance(rows, list):
        raise RefusedError(400, "bookings is not a list.")
    read = []
    for at, row in enumerate(rows):
        try:
            read.append(read_booking(row))
        except ValueError as problem:
            raise RefusedError(400, f"bookings[{at}]: {problem}.") from None
    return read


def _page(rows: list[Any], following: int | None) -> Reply:
    return Reply(body={"results": rows, "next_cursor": None if following is None else str(following)})


def _cursor(request: Request) -> int | None:
    text = request.query.get("cursor", "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise RefusedError(400, "cursor is not one that was given out.")
    return int(text)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
    except ValueError:
        raise RefusedError(400, "since is not an ISO 8601 moment with its offset from UTC.") from None
    return moment
