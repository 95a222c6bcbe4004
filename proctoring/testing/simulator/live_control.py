"""The control interface's part on live proctoring: decide about bookings, open rooms, rate, fill."""

from __future__ import annotations

from proctoring.testing.simulator.bookings import DECISIONS, Booking
from proctoring.testing.simulator.bulk import fill
from proctoring.testing.simulator.messages import RefusedError, Reply, Request, Routes, only
from proctoring.testing.simulator.sessions import Session
from proctoring.testing.simulator.vendor import Vendor

_RATING_FIELDS = (
    "rating", "scale", "rated_at", "exam", "candidate_number", "timestamp", "inline", "announce",
)  # fmt: skip


class LiveControl:
    """Bookings are named by their ids, or by the references under which they are held."""

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._live = vendor.live

    def add_to(self, routes: Routes) -> None:
        for method, path, function in (
            ("GET", "/_control/bookings", self._show),
            ("PUT", "/_control/bookings/{}", self._decide),
            ("POST", "/_control/bookings/{}/rooms", self._open_rooms),
            ("POST", "/_control/sessions", self._fill),
            ("POST", "/_control/sessions/{}/enter", self._enter),
            ("POST", "/_control/sessions/{}/rating", self._rate),
        ):
            routes.add(method, path, function)

    def _show(self, request: Request) -> Reply:
        with self._vendor.lock:
            return Reply(body=self._live.shown())

    def _decide(self, request: Request, name: str) -> Reply:
        said = only(request.json_object(), "state", "reason")
        state, reason = said.get("state"), said.get("reason", "")
        if state not in DECISIONS:
            raise RefusedError(400, f"state is one of {', '.join(DECISIONS)}")
        if not isinstance(reason, str):
            raise RefusedError(400, "reason is text")
        with self._vendor.lock:
            booking = self._booking(name)
            self._live.decide(booking, state, reason)
            return Reply(body={"id": booking.id, "state": booking.state, "reason": booking.reason})

    def _open_rooms(self, request: Request, name: str) -> Reply:
        with self._vendor.lock:
            booking = self._booking(name)
            if booking.state != "confirmed":
                raise RefusedError(409, "Only a confirmed booking has rooms.")
            self._live.open_rooms(booking)
            rows = [session for session in self._live.sessions.rows.values() if session.booking == booking.id]
            return Reply(body={"sessions": [self._live.row(session) for session in rows if session.is_open]})

    def _fill(self, request: Request) -> Reply:
        with self._vendor.lock:
            return Reply(body=fill(self._live, request.json_object()))

    def _enter(self, request: Request, session_id: str) -> Reply:
        with self._vendor.lock:
            session = self._session(session_id)
            self._vendor.enter_room(session)
            return Reply(body=self._live.row(session))

    def _rate(self, request: Request, session_id: str) -> Reply:
        said = only(request.json_object(), *_RATING_FIELDS)
        with self._vendor.lock:
            return Reply(body={"rating": self._live.rate(self._session(session_id), **said)})

    def _booking(self, name: str) -> Booking:
        booking = self._live.bookings.find(name)
        if booking is None:
            raise RefusedError(404, "There is no such booking.")
        return booking

    def _session(self, session_id: str) -> Session:
        session = self._live.sessions.rows.get(session_id)
        if session is None:
            raise RefusedError(404, "There is no such session.")
        return session
