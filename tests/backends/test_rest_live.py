"""The reference wire's bookings, sessions and list of ratings: what is said, and how answers are understood."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from proctoring.backends.live import (
    BookingAnswer,
    BookingLimits,
    BookingReport,
    BookingState,
    BookingWord,
    RatingRecord,
    SessionRecord,
)
from proctoring.backends.rest import RestBackend
from proctoring.errors import BackendAuthenticationError, BackendError, BackendRejected
from proctoring.testing import Reply
from proctoring.testing.contract_base import BOOKINGS
from tests.backends.test_rest import Vendor, backend, backend_with, json_reply, vendor

__all__ = ["backend", "vendor"]

FIRST, SECOND = (booking.reference for booking in BOOKINGS)
RATED = datetime(2030, 1, 1, 11, tzinfo=UTC)


def answers(vendor: Vendor, backend: RestBackend, *rows: Any) -> list[BookingAnswer]:
    vendor.reply = json_reply(results=list(rows))
    return list(backend.book(BOOKINGS, key="k"))


def rating(**fields: Any) -> dict[str, Any]:
    return {"session": "s-1", "rating": 80, "scale": "trust_0_100", "rated_at": RATED.isoformat(), **fields}


def ratings(vendor: Vendor, backend: RestBackend, *rows: Any) -> tuple[RatingRecord, ...]:
    vendor.reply = json_reply(results=list(rows))
    return backend.list_ratings(since=None, cursor="").records


def query(vendor: Vendor) -> dict[str, list[str]]:
    return parse_qs(urlsplit(vendor.requests[-1].path).query)


def test_bookings_go_out_in_one_call_with_moments_in_utc(vendor: Vendor, backend: RestBackend) -> None:
    vendor.reply = json_reply(results=[])
    vienna = timezone(timedelta(hours=1))
    booking = replace(BOOKINGS[0], starts_at=datetime(2030, 1, 1, 10, tzinfo=vienna))
    assert backend.book([booking, BOOKINGS[1]], key="k-1") == ()
    [request] = vendor.requests
    assert (request.method, request.path) == ("POST", "/api/v1/bookings/batch")
    assert request.headers["idempotency-key"] == "k-1"
    first, second = json.loads(request.body)["bookings"]
    assert first == {
        "reference": "c0ffee-1",
        "exam": "exam 1/é",
        "starts_at": "2030-01-01T09:00:00+00:00",
        "ends_at": "2030-01-01T12:00:00+00:00",
        "reserved_from": "2030-01-01T08:45:00+00:00",
        "reserved_until": "2030-01-01T12:10:00+00:00",
        "ratio": 4,
        "candidates": [
            {"number": 1, "user_id": "c4nd1d4te-1-1"},
            {"number": 2, "user_id": "c4nd1d4te-1-2"},
        ],
    }
    assert second["reference"] == "c0ffee-2"


def test_nothing_to_book_is_no_call(vendor: Vendor, backend: RestBackend) -> None:
    assert backend.book([], key="k") == ()
    assert vendor.requests == []


@pytest.mark.parametrize("word", [word for word in BookingWord if word not in ("accepted", "exists")])
def test_each_refusal_of_the_wire(vendor: Vendor, backend: RestBackend, word: BookingWord) -> None:
    row = {"reference": FIRST, "status": word.value.upper(), "id": "nobody needs it"}
    assert answers(vendor, backend, row) == [BookingAnswer(reference=FIRST, word=word)]


@pytest.mark.parametrize("word", [BookingWord.ACCEPTED, BookingWord.EXISTS])
def test_a_booking_that_is_taken_has_an_id(vendor: Vendor, backend: RestBackend, word: BookingWord) -> None:
    row = {"reference": FIRST, "status": word.value, "id": 17}
    assert answers(vendor, backend, row) == [BookingAnswer(reference=FIRST, word=word, external_id="17")]


def test_a_word_nobody_agreed_on_is_a_rejection(vendor: Vendor, backend: RestBackend) -> None:
    [answer] = answers(vendor, backend, {"reference": FIRST, "status": "perhaps", "id": "b-1"})
    assert answer == BookingAnswer(reference=FIRST, word=BookingWord.REJECTED)


@pytest.mark.parametrize(
    "row",
    [
        None,
        7,
        [],
        {},
        {"reference": FIRST},
        {"reference": FIRST, "status": None, "id": "b"},
        {"reference": FIRST, "status": ["accepted"], "id": "b"},
        {"reference": FIRST, "status": "accepted"},
        {"reference": FIRST, "status": "exists", "id": ""},
        {"reference": FIRST, "status": "accepted", "id": "x" * 256},
        {"reference": [FIRST], "status": "conflict"},
        {"reference": "somebody-elses-1", "status": "accepted", "id": "b"},
    ],
)
def test_a_row_that_is_no_answer_leaves_its_booking_open_and_the_others_alone(
    vendor: Vendor, backend: RestBackend, row: Any
) -> None:
    good = {"reference": SECOND, "status": "accepted", "id": "b-2"}
    assert [answer.reference for answer in answers(vendor, backend, row, good)] == [SECOND]


def test_the_first_of_two_answers_counts(vendor: Vendor, backend: RestBackend) -> None:
    rows = [{"reference": FIRST, "status": word} for word in ("conflict", "too_late")]
    assert [answer.word for answer in answers(vendor, backend, *rows)] == [BookingWord.CONFLICT]


@pytest.mark.parametrize("body", [{}, {"results": None}, {"results": {}}, {"results": [], "error": "internal"}])
def test_an_answer_without_a_list_is_tried_again(vendor: Vendor, backend: RestBackend, body: dict[str, Any]) -> None:
    vendor.reply = json_reply(**body)
    for call in (
        lambda: backend.book(BOOKINGS, key="k"),
        lambda: backend.list_sessions("e-1", cursor=""),
        lambda: backend.list_ratings(since=None, cursor=""),
    ):
        with pytest.raises(BackendError) as refused:
            call()
        assert refused.value.retryable


@pytest.mark.parametrize(
    ("said", "report"),
    [
        ({"status": "pending"}, BookingReport(state=BookingState.PENDING)),
        ({"status": "confirmed"}, BookingReport(state=BookingState.CONFIRMED)),
        (
            {"status": "confirmed", "reason": "exists"},
            BookingReport(state=BookingState.CONFIRMED, reason=BookingWord.EXISTS),
        ),
        ({"status": "confirmed", "reason": "conflict"}, BookingReport(state=BookingState.CONFIRMED)),
        (
            {"status": "Rejected", "reason": "no_capacity"},
            BookingReport(state=BookingState.REJECTED, reason=BookingWord.NO_CAPACITY),
        ),
        ({"status": "rejected", "reason": "bad weather"}, BookingReport(state=BookingState.REJECTED)),
        ({"status": "rejected", "reason": "accepted"}, BookingReport(state=BookingState.REJECTED)),
        ({"status": "rejected", "reason": {"a": 1}}, BookingReport(state=BookingState.REJECTED)),
        ({"status": "rejected"}, BookingReport(state=BookingState.REJECTED)),
    ],
)
def test_how_a_booking_stands(
    vendor: Vendor, backend: RestBackend, said: dict[str, Any], report: BookingReport
) -> None:
    vendor.reply = json_reply(id="b 1/é", **said)
    assert backend.fetch_booking("b 1/é") == report
    assert (vendor.requests[0].method, vendor.requests[0].path) == ("GET", "/api/v1/bookings/b%201%2F%C3%A9")


@pytest.mark.parametrize("status", [None, "", "limbo", 7, ["confirmed"]])
def test_a_state_that_the_wire_does_not_have_is_asked_for_again(
    vendor: Vendor, backend: RestBackend, status: Any
) -> None:
    vendor.reply = json_reply(id="b-1", status=status)
    with pytest.raises(BackendError) as refused:
        backend.fetch_booking("b-1")
    assert refused.value.retryable


def test_a_booking_the_vendor_does_not_know_is_a_refusal(vendor: Vendor, backend: RestBackend) -> None:
    vendor.reply = Reply(status=404, body=b'{"detail": "no such booking"}')
    with pytest.raises(BackendRejected, match="no such booking"):
        backend.fetch_booking("b-1")


def test_wrong_credentials_are_told_at_the_first_try(vendor: Vendor, backend: RestBackend) -> None:
    vendor.token_reply = lambda number: json_reply(401, error="invalid_client")
    with pytest.raises(BackendAuthenticationError):
        backend.book(BOOKINGS, key="k")
    assert (len(vendor.token_requests), vendor.requests) == (1, [])


@pytest.mark.parametrize("reply", [json_reply(status="cancelled"), Reply(status=204, body=b""), json_reply(404)])
def test_a_booking_is_cancelled_by_its_id(vendor: Vendor, backend: RestBackend, reply: Reply) -> None:
    vendor.reply = reply
    backend.cancel_booking("b/1", reference=FIRST, key="k-9")
    [request] = vendor.requests
    assert (request.method, request.path) == ("DELETE", "/api/v1/bookings/b%2F1")
    assert request.headers["idempotency-key"] == "k-9"


def test_a_booking_whose_id_never_came_is_cancelled_by_its_reference(vendor: Vendor, backend: RestBackend) -> None:
    vendor.reply = Reply(status=410)
    backend.cancel_booking("", reference="a&b-1", key="k")
    assert urlsplit(vendor.requests[0].path).path == "/api/v1/bookings"
    assert query(vendor) == {"reference": ["a&b-1"]}


def test_an_error_inside_a_success_cancels_nothing(vendor: Vendor, backend: RestBackend) -> None:
    vendor.reply = json_reply(error="locked")
    with pytest.raises(BackendError):
        backend.cancel_booking("b-1", reference=FIRST, key="k")


def test_sessions_are_read_page_by_page(vendor: Vendor, backend: RestBackend) -> None:
    row = {"id": 5, "booking": "b-1", "candidate_number": 2, "join_url": "https://v.example.com/5", "joined_at": None}
    vendor.reply = json_reply(results=[row], next_cursor="c+1")
    page = backend.list_sessions("e&1", cursor="")
    assert page.records == (
        SessionRecord(
            external_id="5", booking_external_id="b-1", candidate_number=2, join_url="https://v.example.com/5"
        ),
    )
    assert query(vendor) == {"exam": ["e&1"]}
    vendor.reply = json_reply(results=[], next_cursor=None)
    assert backend.list_sessions("e&1", cursor=page.next_cursor).next_cursor == ""
    assert query(vendor) == {"exam": ["e&1"], "cursor": ["c+1"]}


def test_sessions_that_cannot_be_understood_are_left_out_and_links_that_are_none_too(
    vendor: Vendor, backend: RestBackend
) -> None:
    good = {"id": "s-1", "booking": "b-1", "candidate_number": 1, "joined_at": "2030-01-01T10:00:00+01:00"}
    strange = [None, 7, {}, {**good, "id": None}, {**good, "booking": ""}]
    strange += [{**good, "candidate_number": number} for number in (None, True, "1", -1, 1.0, 2**31)]
    odd = {**good, "id": "s-2", "join_url": "javascript:alert(1)", "joined_at": "yesterday"}
    vendor.reply = json_reply(results=[*strange, good, odd])
    first, second = backend.list_sessions("e-1", cursor="").records
    assert (first.external_id, first.joined_at) == ("s-1", datetime(2030, 1, 1, 9, tzinfo=UTC))
    assert (second.external_id, second.join_url, second.joined_at) == ("s-2", "", None)


def test_ratings_are_asked_for_in_pages_of_three_hundred(vendor: Vendor, backend: RestBackend) -> None:
    vendor.reply = json_reply(results=[], next_cursor=300)
    since = datetime(2030, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    assert backend.list_ratings(since=since, cursor="").next_cursor == "300"
    assert query(vendor) == {"page_size": ["300"], "since": ["2030-01-01T10:00:00+00:00"]}
    vendor.reply = json_reply(results=[])
    assert backend.list_ratings(since=None, cursor="300").next_cursor == ""
    assert query(vendor) == {"page_size": ["300"], "cursor": ["300"]}


def test_ratings_are_of_a_session_or_of_an_attempt(vendor: Vendor, backend: RestBackend) -> None:
    of_session, of_attempt, of_both = ratings(
        vendor,
        backend,
        rating(exam="e-1", candidate_number=3, rating=75),
        rating(session=None, attempt=9, scale="stars_1_5", rating=1),
        rating(attempt="a-1"),
    )
    assert of_session == RatingRecord(
        session_external_id="s-1",
        exam_external_id="e-1",
        candidate_number=3,
        raw_value="75",
        raw_scale="trust_0_100",
        risk=0.25,
        mapping_version="rest-1",
        rated_at=RATED,
    )
    assert (of_attempt.attempt_external_id, of_attempt.session_external_id, of_attempt.risk) == ("9", "", 1)
    assert (of_both.attempt_external_id, of_both.session_external_id) == ("a-1", "")


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"rating": "good"}, "rating"),
        ({"rating": None}, "rating"),
        ({"rating": True}, "rating"),
        ({"rating": 101}, "rating"),
        ({"rating": 10**400}, "rating"),
        ({"scale": "mood"}, "scale"),
        ({"scale": None}, "scale"),
        ({"rated_at": None}, "rated_at"),
        ({"rated_at": "2030-01-01T11:00:00"}, "rated_at"),
        ({"rated_at": "9999-12-31T23:00:00Z"}, "rated_at"),
        ({"exam": []}, "exam"),
        ({"candidate_number": "1"}, "candidate_number"),
    ],
)
def test_a_rating_with_a_problem_keeps_its_session(
    vendor: Vendor, backend: RestBackend, fields: dict[str, Any], word: str
) -> None:
    [record] = ratings(vendor, backend, rating(**fields))
    assert word in record.problem
    assert record == RatingRecord(session_external_id="s-1", problem=record.problem)


@pytest.mark.parametrize("row", [None, 7, {}, rating(session=None), rating(session=[]), rating(attempt="")])
def test_a_rating_of_nobody_is_left_out(vendor: Vendor, backend: RestBackend, row: Any) -> None:
    assert [record.session_external_id for record in ratings(vendor, backend, row, rating())] == ["s-1"]


def test_a_page_that_is_far_too_long_is_refused(vendor: Vendor, backend: RestBackend) -> None:
    assert len(ratings(vendor, backend, *[rating()] * 1000)) == 1000
    with pytest.raises(BackendError, match="more than 1000"):
        ratings(vendor, backend, *[rating()] * 1001)


@pytest.mark.parametrize("cursor", ["same", "x" * 201, True, [], {"a": 1}, "a\x00"])
def test_a_cursor_that_leads_nowhere_is_refused(vendor: Vendor, backend: RestBackend, cursor: Any) -> None:
    vendor.reply = json_reply(results=[], next_cursor=cursor)
    with pytest.raises(BackendError) as refused:
        backend.list_ratings(since=None, cursor="same")
    assert refused.value.retryable


def test_options_say_whether_and_what_can_be_booked() -> None:
    plain = backend_with()
    assert (plain.takes_live_bookings, plain.gives_ratings, plain.booking_limits) == (False, False, BookingLimits())
    live = backend_with(
        live_proctoring=True,
        booking_max_candidates=20,
        booking_max_minutes=480,
        booking_lead_minutes=60,
        booking_ratios=[4, 8],
    )
    assert live.takes_live_bookings
    assert live.gives_ratings
    assert live.booking_limits == BookingLimits(max_candidates=20, max_minutes=480, lead_minutes=60, ratios=(4, 8))
    assert list(live.check()) == []


@pytest.mark.parametrize(
    "options",
    [
        {"live_proctoring": "yes"},
        {"booking_max_candidates": 0},
        {"booking_max_candidates": True},
        {"booking_max_minutes": "480"},
        {"booking_lead_minutes": -1},
        {"booking_lead_minutes": None},
        {"booking_ratios": 4.5},
        {"booking_ratios": "4"},
        {"booking_ratios": [4, 0]},
    ],
)
def test_a_wrong_option_about_bookings_is_reported(options: dict[str, Any]) -> None:
    [sentence] = backend_with(**options).check()
    assert sentence.startswith(next(iter(options)))
