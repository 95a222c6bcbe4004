"""What is left of a candidate in bookings when they are forgotten, and what they can read of themselves before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proctoring.backends.live import SessionJoined, SessionRecord
from proctoring.bookings.lifecycle import log
from proctoring.bookings.log_codes import JOINED
from proctoring.bookings.models import Booking, BookingLogEntry, LiveSession
from proctoring.bookings.sessions import link_of
from proctoring.inbox import sealing
from proctoring.inbox.models import WebhookMessage
from proctoring.privacy.erasure import erase_user
from proctoring.privacy.export import export_user
from tests.bookings.desk import NOW, Vendor, booked, codes, read_sessions, tell
from tests.factories import at

LINK = "https://vendor.example/room/ada"


def record(number: int, link: str = LINK) -> SessionRecord:
    return SessionRecord(
        external_id=f"s-{number}", booking_external_id="b-1", candidate_number=number, join_url=f"{link}/{number}"
    )


@pytest.fixture
def booking(vendor: Vendor) -> Booking:
    booking = booked("confirmed", people=2, next_check_at=None)
    vendor.script.sessions = [record(1), record(2)]
    read_sessions(NOW)
    return booking


def session(booking: Booking, number: int) -> LiveSession:
    return LiveSession.objects.get(booking=booking, candidate_number=number)


def test_link_and_comments_go_and_the_neighbours_stay(vendor: Vendor, booking: Booking) -> None:
    mine, other = session(booking, 1), session(booking, 2)
    for one in (mine, other):
        log(booking, "", now=NOW, session=one, comment="Came late, was ill", step="seen")
    erase_user(mine.user, by=None, reason="wish")
    assert [session(booking, n).join_url for n in (1, 2)] == ["", f"{LINK}/2"]
    assert link_of(booking.exam, mine.user, now=at(10, 0)) == ""
    comments = BookingLogEntry.objects.order_by("session__candidate_number").values_list("comment", flat=True)
    assert list(comments.exclude(code=JOINED)) == ["", "Came late, was ill"]
    # That there was a candidate, and when they came, stays as statistics.
    assert session(booking, 1).external_id == "s-1"
    assert codes(booking).count(JOINED) == 2


def test_what_the_vendor_goes_on_saying_does_not_bring_the_link_back(vendor: Vendor, booking: Booking) -> None:
    erase_user(session(booking, 1).user, by=None, reason="wish")
    read_sessions(at(9, 0))
    message = tell(vendor, SessionJoined(occurred_at=at(9, 30), session=record(1)), at(9, 30))
    assert not session(booking, 1).has_link
    assert codes(booking).count(JOINED) == 2
    assert (message.status, message.blanked_at is None) == ("ignored", False)
    assert bytes(WebhookMessage.objects.get().sealed_body) == b""
    # The neighbour's goes on.
    tell(vendor, SessionJoined(occurred_at=at(9, 31), session=record(2, "https://new.example")), at(9, 31))
    assert session(booking, 2).join_url == "https://new.example/2"


def test_the_export_has_the_sessions_and_no_link(vendor: Vendor, booking: Booking) -> None:
    person = session(booking, 1).user
    text = "".join(export_user(person, now=NOW))
    document: dict[str, Any] = json.loads(text)
    assert [row["candidate_number"] for row in document["live_sessions"]] == [1]
    assert [row["code"] for row in document["booking_log"]] == [JOINED]
    assert "vendor.example" not in text


def test_a_message_about_the_persons_session_is_emptied(vendor: Vendor, booking: Booking) -> None:
    tell(vendor, SessionJoined(occurred_at=at(9, 30), session=record(1)), at(9, 30))
    message = WebhookMessage.objects.get()
    message.sealed_body = sealing.seal(
        b'{"session": "s-1", "join_url": "https://vendor.example/room/ada/1"}', context="x"
    )
    message.sha256 = "x"
    message.save()
    erase_user(session(booking, 1).user, by=None, reason="wish")
    message.refresh_from_db()
    assert bytes(message.sealed_body) == b""
