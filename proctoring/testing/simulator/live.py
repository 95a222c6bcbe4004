"""The vendor's habits with live proctoring: bookings are confirmed, rooms open, sessions are rated. No HTTP."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from proctoring.testing.simulator.agenda import Agenda
from proctoring.testing.simulator.bookings import Booking, Bookings
from proctoring.testing.simulator.faults import Faults
from proctoring.testing.simulator.messenger import Messenger
from proctoring.testing.simulator.ratings import Ratings
from proctoring.testing.simulator.sessions import Session, Sessions
from proctoring.testing.simulator.settings import Settings

Record = dict[str, Any]


class Live:
    """``lock`` is the vendor's, and ``save`` writes its whole memory down. ``address``: where its pages are."""

    def __init__(
        self,
        *,
        settings: Callable[[], Settings],
        faults: Faults,
        agenda: Agenda,
        messenger: Messenger,
        lock: threading.RLock,
        save: Callable[[], None],
    ) -> None:
        self.bookings, self.sessions, self.ratings = Bookings(), Sessions(), Ratings()
        self.owed: dict[str, list[str]] = {}
        """Submitted attempts whose candidates are still to be rated: attempt → exam and candidate."""
        self.address = ""
        self._settings = settings
        self._faults = faults
        self._agenda = agenda
        self._messenger = messenger
        self._lock = lock
        self._save = save

    def as_json(self) -> Record:
        return {
            "bookings": self.bookings.as_json(),
            "sessions": self.sessions.as_json(),
            "ratings": list(self.ratings.rows),
        }

    def shown(self) -> Record:
        """The same for people, with the addresses of the rooms."""
        rooms = [{**one, "join_url": self._room(one["code"])} for one in self.sessions.as_json()]
        return {**self.as_json(), "sessions": rooms}

    def load(self, kept: Record, owed: dict[str, list[str]]) -> None:
        """Go on with an earlier life."""
        self.bookings.load(kept.get("bookings", ()))
        self.sessions.load(kept.get("sessions", ()))
        self.ratings.load(kept.get("ratings", ()))
        self.owed = owed
        for booking in self.bookings.rows.values():
            self._plan(booking)
        for attempt_id in owed:
            self._plan_rating(attempt_id)

    def clear(self) -> None:
        for memory in (self.bookings, self.sessions, self.ratings, self.owed):
            memory.clear()

    def take(self, asked: Booking, *, known_exam: bool, path: str) -> Record:
        """One booking of a batch: the row of the answer."""
        held = self.bookings.held_under(asked.reference)
        if held:
            return _result(asked, "accepted", held)
        fault = self._faults.take(["booking"], path=path, method="POST")
        word, other = (fault.word, None) if fault else self._verdict(asked, known_exam=known_exam)
        if word == "exists" and other is None:
            # So the fault wants it: as if somebody had made the same booking before.
            asked.state, asked.reason = "confirmed", word
            other = asked
        elif word != "accepted":
            asked.state, asked.reason = "rejected", word
        self.bookings.keep(asked)
        self._plan(asked)
        return _result(asked, word, other or asked)

    def _verdict(self, asked: Booking, *, known_exam: bool) -> tuple[str, Booking | None]:
        if not known_exam:
            return "rejected", None
        settings = self._settings()
        word, other = self.bookings.obstacle(
            asked, now=datetime.now(UTC), lead_minutes=settings.booking_lead_minutes, proctors=settings.proctors
        )
        return word or "accepted", other

    def report(self, booking: Booking, *, path: str) -> Record:
        """How a booking stands. What a fault says, apart from ``pending``, comes true: the book would lie otherwise."""
        fault = self._faults.take(["booking_status"], path=path, method="GET")
        if fault and fault.word == "pending":
            return {"id": booking.id, "status": "pending"}
        if fault:
            self.decide(booking, *(("confirmed",) if fault.word == "confirmed" else ("rejected", fault.word)))
            self._save()
        if booking.held:
            return {"id": booking.id, "status": booking.state, **({"reason": booking.reason} if booking.reason else {})}
        return {"id": booking.id, "status": "rejected", "reason": booking.reason}

    def decide(self, booking: Booking, state: str, reason: str = "") -> None:
        """``confirmed``, ``rejected`` or ``withdrawn``; the LMS hears of it if that is news."""
        news = state, reason or ("" if state == "confirmed" else "rejected")
        with self._lock:
            if (booking.state, booking.reason) == news:
                return
            booking.state, booking.reason = news
            self._settle(booking)
            if self._settings().booking_messages:
                self._messenger.announce("booking.updated", {"booking": booking.id})

    def cancel(self, booking: Booking) -> None:
        """The LMS gives it up."""
        with self._lock:
            booking.state, booking.reason = "cancelled", ""
            self._settle(booking)

    def open_rooms(self, booking: Booking) -> list[Session]:
        """A session for each candidate, of which the LMS hears; none where the rooms are open already."""
        with self._lock:
            if booking.state != "confirmed" or booking.rooms_open:
                return []
            booking.rooms_open = True
            opened = [
                Session(booking=booking.id, exam=booking.exam, candidate_number=one["number"], user_id=one["user_id"])
                for one in booking.candidates
            ]
            for session in opened:
                self.sessions.add(session)
                self._tell(session)
            return opened

    def enter(self, session: Session) -> None:
        """The candidate is in the room."""
        with self._lock:
            if session.is_open and session.joined_at is None:
                session.joined_at = datetime.now(UTC).isoformat()
                self._tell(session)

    def row(self, session: Session) -> Record:
        """A session in the wire's words."""
        return {
            "id": session.id,
            "booking": session.booking,
            "candidate_number": session.candidate_number,
            "join_url": self._room(session.code),
            "joined_at": session.joined_at,
        }

    def submitted(self, attempt_id: str, exam: str, user_id: str) -> None:
        """An attempt is over; if its candidate has a session, that is rated later."""
        if self._settings().rating_after is not None:
            self.owed[attempt_id] = [exam, user_id]
            self._plan_rating(attempt_id)

    def rate(self, session: Session, *, announce: bool = True, timestamp: str = "", **said: Any) -> Record:
        """A new row of the list, and a message about it. ``said`` replaces fields of both. Return the row."""
        with self._lock:
            settings = self._settings()
            inline = said.pop("inline", settings.rating_inline)
            row: Record = {
                "session": session.id,
                "exam": session.exam,
                "candidate_number": session.candidate_number,
                "rating": settings.session_rating,
                "scale": settings.session_rating_scale,
                "rated_at": timestamp or datetime.now(UTC).isoformat(),
                **said,
            }
            if self._faults.take(["rating_mismatch"], message_type="session.rated"):
                row["candidate_number"] = session.candidate_number + 1
            if self._faults.take(["rating_invalid"], message_type="session.rated"):
                row["rating"] = "rather good"
            self.ratings.add(row)
            if announce and settings.rating_messages:
                told = {name: value for name, value in row.items() if inline or name not in ("rating", "scale")}
                self._messenger.announce("session.rated", told, timestamp=timestamp)
            return row

    def retire(self, user_id: str) -> None:
        for booking in self.bookings.rows.values():
            for one in booking.candidates:
                if one["user_id"] == user_id:
                    one["user_id"] = ""
        self.sessions.retire(user_id)

    def _settle(self, booking: Booking) -> None:
        if not booking.held:
            self.sessions.close(booking.id)
            booking.rooms_open = False
        self.bookings.keep(booking)
        self._plan(booking)

    def _plan(self, booking: Booking) -> None:
        settings = self._settings()
        if booking.state == "pending" and settings.confirm_after is not None:
            self._agenda.after(settings.confirm_after, functools.partial(self._confirm_by_itself, booking.id))
        if booking.state == "confirmed" and not booking.rooms_open:
            opens = booking.reserved()[0] - settings.session_lead_minutes * 60
            wait = max(0.0, opens - datetime.now(UTC).timestamp())
            self._agenda.after(wait, functools.partial(self._open_by_itself, booking.id))

    def _plan_rating(self, attempt_id: str) -> None:
        self._agenda.after(self._settings().rating_after or 0.0, functools.partial(self._rate_by_itself, attempt_id))

    def _confirm_by_itself(self, booking_id: str) -> None:
        with self._lock:
            booking = self.bookings.rows.get(booking_id)
            if booking and booking.state == "pending":
                self.decide(booking, "confirmed")
                self._save()

    def _open_by_itself(self, booking_id: str) -> None:
        with self._lock:
            booking = self.bookings.rows.get(booking_id)
            if booking and self.open_rooms(booking):
                self._save()

    def _rate_by_itself(self, attempt_id: str) -> None:
        with self._lock:
            exam, user_id = self.owed.pop(attempt_id, ("", ""))
            session = self.sessions.of(exam, user_id)
            if session:
                self.rate(session)
                self._save()

    def _room(self, code: str) -> str:
        return f"{self.address}/live/{code}/"

    def _tell(self, session: Session) -> None:
        if self._settings().session_messages:
            row = self.row(session)
            self._messenger.announce("session.joined", {"session": row.pop("id"), **row})


def _result(asked: Booking, word: str, booking: Booking) -> Record:
    known = {"id": booking.id} if word in ("accepted", "exists") else {}
    return {"reference": asked.reference, "status": word, **known}
