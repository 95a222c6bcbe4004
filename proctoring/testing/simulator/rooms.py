"""Pages of live proctoring: the room that a candidate enters, the desk where the vendor's people decide."""

from __future__ import annotations

from urllib.parse import quote

from proctoring.testing.simulator.bookings import DECISIONS, Booking
from proctoring.testing.simulator.messages import RefusedError, Reply, Request, Routes
from proctoring.testing.simulator.paper import back, button, page, table, text
from proctoring.testing.simulator.sessions import Session
from proctoring.testing.simulator.vendor import Vendor

DESK = "/desk/"
SHOWN = 200
"""Rows of a table at the desk, the newest ones."""


class Rooms:
    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._live = vendor.live

    def add_to(self, routes: Routes) -> None:
        for method, path, function in (
            ("GET", "/live/{}/", self._room),
            ("POST", "/live/{}/enter", self._enter),
            ("GET", DESK, self._desk),
            ("POST", "/desk/bookings/{}/", self._decide),
            ("POST", "/desk/sessions/{}/", self._rate),
        ):
            routes.add(method, path, function)

    def _room(self, request: Request, code: str) -> Reply:
        with self._vendor.lock:
            session = self._session(code)
            booking = self._live.bookings.rows.get(session.booking)
            exam = self._vendor.exams.get(session.exam, {}).get("exam_name", session.exam)
            content = (
                f"<p>Exam: {text(exam)}</p><p>Candidate {text(session.candidate_number)}, {text(session.user_id)}</p>"
            )
            if booking:
                content += f"<p>From {_moment(booking.starts_at)} to {_moment(booking.ends_at)}</p>"
            return page("Simulated live proctoring", content + _state(session))

    def _enter(self, request: Request, code: str) -> Reply:
        with self._vendor.lock:
            session = self._session(code)
            self._vendor.enter_room(session)
            self._vendor.save()
        return back(f"/live/{quote(session.code, safe='')}/")

    def _desk(self, request: Request) -> Reply:
        with self._vendor.lock:
            bookings = list(self._live.bookings.rows.values())[-SHOWN:]
            sessions = [one for one in list(self._live.sessions.rows.values())[-SHOWN:] if one.is_open]
            content = table(
                "Bookings",
                ["Reference", "From", "To", "Candidates", "State", ""],
                [_booking_row(one) for one in bookings],
            )
            content += table(
                "Sessions", ["Session", "Candidate", "Entered", "Rating"], [_session_row(one) for one in sessions]
            )
            return page("Simulated service desk", content)

    def _decide(self, request: Request, booking_id: str) -> Reply:
        state = request.form().get("state", "")
        with self._vendor.lock:
            booking = self._live.bookings.rows.get(booking_id)
            if booking is None or not booking.held or state not in DECISIONS:
                raise RefusedError(404, "There is no such booking to be decided about.")
            self._live.decide(booking, state)
            self._vendor.save()
        return back(DESK)

    def _rate(self, request: Request, session_id: str) -> Reply:
        try:
            rating = float(request.form().get("rating", ""))
        except ValueError:
            raise RefusedError(400, "The rating is not a number.") from None
        with self._vendor.lock:
            session = self._live.sessions.rows.get(session_id)
            if session is None:
                raise RefusedError(404, "There is no such session.")
            self._live.rate(session, rating=rating)
            self._vendor.save()
        return back(DESK)

    def _session(self, code: str) -> Session:
        session = self._live.sessions.by_code(code)
        if session is None:
            raise RefusedError(404, "There is no such room.")
        return session


def _state(session: Session) -> str:
    if not session.is_open:
        return '<p role="status">This room is closed.</p>'
    if session.joined_at is None:
        return '<p role="status">The proctor waits for you.</p>' + button(
            f"/live/{quote(session.code, safe='')}/enter", "Enter the room"
        )
    return '<p role="status">You are in the room. You can return to your exam.</p>'


def _booking_row(booking: Booking) -> list[str]:
    action = f"/desk/bookings/{quote(booking.id, safe='')}/"
    choices = {"pending": {"Confirm": "confirmed", "Reject": "rejected"}, "confirmed": {"Withdraw": "withdrawn"}}
    buttons = [button(action, label, state=state) for label, state in choices.get(booking.state, {}).items()]
    return [
        text(booking.reference),
        _moment(booking.starts_at),
        _moment(booking.ends_at),
        text(len(booking.candidates)),
        text(f"{booking.state} ({booking.reason})" if booking.reason else booking.state),
        " ".join(buttons),
    ]


def _session_row(session: Session) -> list[str]:
    form = (
        f'<form method="post" action="/desk/sessions/{quote(session.id, safe="")}/">'
        f'<input name="rating" inputmode="decimal" required aria-label="Rating of session {text(session.id)}"> '
        '<button type="submit">Rate</button></form>'
    )
    return [text(session.id), text(session.candidate_number), _moment(session.joined_at or ""), form]


def _moment(moment: str) -> str:
    return text(f"{moment[:16].replace('T', ' ')} UTC" if moment else "")
