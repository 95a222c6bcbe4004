"""The calls of the reference wire for live proctoring: bookings, sessions and the list of ratings."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from proctoring.backends.base import Backend
from proctoring.backends.http import HttpClient
from proctoring.backends.live import BookingAnswer, BookingReport, BookingRequest, RatingPage, SessionPage
from proctoring.backends.rest.answers import GONE, answer_object, refuse_error_inside, segment
from proctoring.backends.rest.bookings import booking_fields, read_answers, read_report
from proctoring.backends.rest.ratings import PAGE_SIZE, read_ratings
from proctoring.backends.rest.sessions import read_sessions


class LiveCalls(Backend):
    """Part of ``RestBackend``, which says whether the vendor has all this and which client makes the calls."""

    _http: HttpClient

    def book(self, bookings: Sequence[BookingRequest], *, key: str) -> Sequence[BookingAnswer]:
        if not bookings:
            return ()
        fields = {"bookings": [booking_fields(booking) for booking in bookings]}
        answer = self._http.request("POST", "/api/v1/bookings/batch", json=fields, key=key)
        return read_answers(answer_object(answer), references=[booking.reference for booking in bookings])

    def fetch_booking(self, external_id: str) -> BookingReport:
        return read_report(answer_object(self._http.request("GET", _booking_path(external_id))))

    def cancel_booking(self, external_id: str, *, reference: str, key: str) -> None:
        path = _booking_path(external_id) if external_id else "/api/v1/bookings"
        params = {} if external_id else {"reference": reference}
        answer = self._http.request("DELETE", path, params=params, key=key, accept=GONE)
        if answer.status not in GONE:
            refuse_error_inside(answer)

    def list_sessions(self, exam_external_id: str, *, cursor: str) -> SessionPage:
        params = {"exam": exam_external_id, **({"cursor": cursor} if cursor else {})}
        answer = self._http.request("GET", "/api/v1/sessions", params=params)
        return read_sessions(answer_object(answer), cursor=cursor)

    def list_ratings(self, *, since: datetime | None, cursor: str) -> RatingPage:
        params = {"page_size": str(PAGE_SIZE)}
        if since is not None:
            params["since"] = since.astimezone(UTC).isoformat()
        if cursor:
            params["cursor"] = cursor
        answer = self._http.request("GET", "/api/v1/ratings", params=params)
        return read_ratings(answer_object(answer), cursor=cursor)


def _booking_path(external_id: str) -> str:
    return f"/api/v1/bookings/{segment(external_id)}"
