"""Messages of the reference wire about live proctoring."""

from __future__ import annotations

from typing import Any

import pytest

from proctoring.backends.live import BookingUpdated, RatingRecord, SessionJoined, SessionRated, SessionRecord
from proctoring.backends.rest.incoming import parse_message
from proctoring.backends.types import AttemptRated, VendorEvent
from proctoring.errors import MalformedMessage
from tests.backends.test_rest_incoming import AT, message

JOINED = {"session": "s-1", "booking": "b-1", "candidate_number": 2, "join_url": "https://v.example.com/live/1/"}
RATED = {"session": "s-1", "rating": 80, "scale": "trust_0_100", "rated_at": "2030-01-01T11:00:00Z"}


def parse(kind: str, **data: Any) -> VendorEvent:
    (event,) = parse_message(message(kind, **data))
    return event


def test_a_room_is_open() -> None:
    assert parse("session.joined", **JOINED, joined_at="2030-01-01T11:59:00Z") == SessionJoined(
        occurred_at=AT,
        session=SessionRecord(
            external_id="s-1",
            booking_external_id="b-1",
            candidate_number=2,
            join_url="https://v.example.com/live/1/",
            joined_at=AT,
        ),
    )


@pytest.mark.parametrize("name", ["session", "booking", "candidate_number"])
@pytest.mark.parametrize("value", [None, "", [], True, "x" * 300])
def test_a_room_of_nobody_is_malformed(name: str, value: Any) -> None:
    with pytest.raises(MalformedMessage):
        parse("session.joined", **{**JOINED, name: value})


def test_a_booking_has_changed() -> None:
    assert parse("booking.updated", booking=7) == BookingUpdated(occurred_at=AT, booking_external_id="7")
    with pytest.raises(MalformedMessage, match=r"data\.booking"):
        parse("booking.updated")


def test_a_rating_of_a_session_may_be_in_the_message() -> None:
    event = parse("session.rated", **RATED, exam="e-1", candidate_number=2)
    assert isinstance(event, SessionRated)
    assert (event.occurred_at, event.session_external_id) == (AT, "s-1")
    assert event.rating is not None
    assert (event.rating.session_external_id, event.rating.exam_external_id) == ("s-1", "e-1")
    assert (event.rating.candidate_number, event.rating.raw_value) == (2, "80")
    assert event.rating.risk == pytest.approx(0.2)
    assert event.rating.rated_at is not None
    assert event.rating.rated_at.hour == 11


def test_a_rating_without_its_own_moment_was_given_when_the_message_says() -> None:
    event = parse("session.rated", **{**RATED, "rated_at": None})
    assert isinstance(event, SessionRated)
    assert event.rating is not None
    assert (event.rating.rated_at, event.rating.problem) == (AT, "")


def test_a_rating_of_a_session_that_is_not_in_the_message_is_to_be_read_from_the_list() -> None:
    assert parse("session.rated", session="s-1", exam="e-1") == SessionRated(occurred_at=AT, session_external_id="s-1")


@pytest.mark.parametrize("fields", [{"rating": "good"}, {"rating": 101}, {"scale": "mood"}, {"rated_at": "yesterday"}])
def test_a_rating_of_a_session_that_makes_no_sense_is_told_as_a_problem(fields: dict[str, Any]) -> None:
    event = parse("session.rated", **{**RATED, **fields})
    assert isinstance(event, SessionRated)
    assert event.rating is not None
    assert event.rating.problem
    assert event.rating == RatingRecord(session_external_id="s-1", problem=event.rating.problem)


@pytest.mark.parametrize("value", ["", [], True, "a\x00"])
def test_a_rating_of_nobodys_session_is_malformed(value: Any) -> None:
    with pytest.raises(MalformedMessage, match=r"data\.session"):
        parse("session.rated", **{**RATED, "session": value})


def test_who_names_an_attempt_beside_the_session_rates_the_attempt() -> None:
    event = parse("session.rated", **RATED, attempt="a-1")
    assert isinstance(event, AttemptRated)
    assert event.external_id == "a-1"
