"""Ratings of live sessions and of attempts: announced, told, read from the list page by page, dropped, given up."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.backends.live import SessionRecord
from proctoring.backends.types import AttemptRated
from proctoring.bookings import log_codes
from proctoring.bookings.models import Booking, LiveSession
from proctoring.errors import BackendAuthenticationError, BackendError, BackendRejected
from proctoring.exchange.live import RatingList
from proctoring.inbox.models import WebhookMessage
from proctoring.reviews.models import Rating
from tests.booking_vendor import ALIAS
from tests.bookings.desk import (
    Vendor,
    codes,
    process,
    read_ratings,
    read_sessions,
    tell,
    vendor_of,
)
from tests.bookings.rated import AFTER, begun, cursor, pages, rated, session, told
from tests.factories import AttemptFactory, at
from tests.hosts import configure

ANNOUNCED, STORED, LATER, FAILED = (
    log_codes.RATING_ANNOUNCED,
    log_codes.RATING_STORED,
    log_codes.RATING_LATER,
    log_codes.RATING_FAILED,
)
MISMATCH, INVALID = log_codes.RATING_MISMATCH, log_codes.RATING_INVALID


@pytest.fixture
def booking(vendor: Vendor) -> Booking:
    return begun(2)


def test_what_the_list_shows_is_stored_with_its_attempt_once(vendor: Vendor, booking: Booking) -> None:
    pages(vendor, rated(1, 0.2), rated(2, 0.9), rated(7))
    for hour in (14, 15, 16):
        read_ratings(at(hour, 0))
    assert codes(booking) == [STORED, STORED]
    assert [entry.context["candidate_number"] for entry in booking.log.order_by("pk")] == [1, 2]
    first = session(booking)
    attempt = Attempt.objects.get(exam=booking.exam, user=first.user_id)
    assert (first.rating_state, first.attempt, first.next_rating_at) == ("rated", attempt, None)
    rating = attempt.ratings.get()
    assert (float(rating.risk), rating.raw_value, rating.source, rating.is_current) == (0.2, "0.2", "poll", True)


def test_all_are_kept_and_the_newest_counts_in_whatever_order_they_come(vendor: Vendor, booking: Booking) -> None:
    tell(vendor, told(rated(risk=0.9, rated_at=at(14, 0))), at(14, 0))
    pages(vendor, rated(risk=0.1, rated_at=AFTER), rated(risk=0.9, rated_at=at(14, 0)))
    for hour in (15, 16):
        read_ratings(at(hour, 0))
    ratings = Rating.objects.order_by("rated_at")
    assert [(float(one.risk), one.is_current) for one in ratings] == [(0.1, False), (0.9, True)]
    assert codes(booking) == [ANNOUNCED, STORED, STORED]


@pytest.mark.parametrize("first", ["push", "poll"])
def test_told_and_read_is_one_rating_and_one_entry(vendor: Vendor, booking: Booking, first: str) -> None:
    pages(vendor, rated())
    ways = {"push": lambda n: tell(vendor, told(rated()), at(14, n)), "poll": lambda n: read_ratings(at(14, n))}
    for n, way in enumerate([first, "push", "poll", "push"]):
        ways[way](15 * n)
    assert codes(booking).count(STORED) == Rating.objects.count() == 1
    assert session(booking).rating_state == "rated"
    assert [one.status for one in WebhookMessage.objects.order_by("pk")][-1] == "ignored"
    # Told of what is here already is no news.
    assert codes(booking).count(ANNOUNCED) == (first == "push")


@pytest.mark.parametrize("first", ["push", "poll"])
def test_of_an_attempt_too(vendor: Vendor, first: str) -> None:
    attempt = AttemptFactory(status="submitted", external_id="a-1", backend=ALIAS)
    row = rated(session_external_id="", attempt_external_id="a-1")
    pages(vendor, row, rated(session_external_id="", attempt_external_id="a-1", risk=0.1, rated_at=at(12, 30)))
    event = AttemptRated(
        occurred_at=AFTER,
        external_id="a-1",
        raw_value=row.raw_value,
        raw_scale=row.raw_scale,
        risk=row.risk,
        mapping_version=row.mapping_version,
    )
    ways = {"push": lambda: tell(vendor, event, at(14, 0)).status, "poll": lambda: read_ratings(at(14, 0))}
    ways[first]()
    ways["poll" if first == "push" else "push"]()
    assert [(float(one.risk), one.is_current) for one in attempt.ratings.order_by("rated_at")] == [
        (0.1, False),
        (0.5, True),
    ]


@pytest.mark.parametrize(
    "said",
    [
        {"problem": "no scale"},
        {"risk": 1.5},
        {"risk": float("nan")},
        {"rated_at": None},
        {"exam_external_id": "another"},
        {"attempt_external_id": "a-2"},
    ],
)
def test_an_attempts_row_that_is_none_is_passed_over(vendor: Vendor, said: dict[str, Any]) -> None:
    AttemptFactory(status="submitted", external_id="a-1", backend=ALIAS)
    pages(vendor, rated(**{"session_external_id": "", "attempt_external_id": "a-1", **said}), rated(2))
    booking = begun(2)
    read_ratings(at(14, 0))
    assert codes(booking) == [STORED]
    assert Rating.objects.get().attempt.user == session(booking, 2).user


DROPPED = [
    ({"problem": "no scale", "rated_at": None}, INVALID),
    ({"risk": 1.01}, INVALID),
    ({"risk": float("nan")}, INVALID),
    ({"rated_at": None}, INVALID),
    ({"exam_external_id": "another"}, MISMATCH),
    ({"candidate_number": 2}, MISMATCH),
    ({"candidate_number": 2, "rated_at": at(13, 0).replace(year=2036)}, MISMATCH),
]


@pytest.mark.parametrize(("said", "code"), DROPPED)
class TestWhatIsDropped:
    def test_is_said_once_for_a_row_and_not_at_each_reading(
        self, vendor: Vendor, booking: Booking, said: dict[str, Any], code: str
    ) -> None:
        pages(vendor, rated(**said), rated(2))
        for hour in (14, 15, 16):
            read_ratings(at(hour, 0))
        assert sorted(codes(booking)) == sorted([code, STORED])
        assert session(booking).rating_state == "abandoned"
        assert Rating.objects.count() == 1

    def test_neither_where_there_is_a_good_one_before_it(
        self, vendor: Vendor, booking: Booking, said: dict[str, Any], code: str
    ) -> None:
        pages(vendor, rated(rated_at=at(12, 30)), rated(**said))
        for hour in (14, 15, 16):
            read_ratings(at(hour, 0))
        assert sorted(codes(booking)) == sorted([code, STORED])
        assert session(booking).rating_state == "rated"

    def test_a_later_good_one_counts(self, vendor: Vendor, booking: Booking, said: dict[str, Any], code: str) -> None:
        pages(vendor, rated(**said))
        read_ratings(at(14, 0))
        pages(vendor, rated(**said), rated(rated_at=at(14, 30)))
        read_ratings(at(15, 0))
        assert codes(booking) == [code, STORED]
        assert session(booking).rating_state == "rated"

    def test_is_said_of_a_message_too(self, vendor: Vendor, booking: Booking, said: dict[str, Any], code: str) -> None:
        assert tell(vendor, told(rated(**said)), at(14, 0)).status == "ignored"
        assert codes(booking) == [ANNOUNCED, code]


def test_a_session_that_has_a_rating_stays_rated_whatever_comes_after_it(vendor: Vendor, booking: Booking) -> None:
    pages(vendor, rated())
    read_ratings(at(14, 0))
    pages(vendor, rated(), rated(rated_at=at(14, 30), candidate_number=2))
    read_ratings(at(15, 0))
    assert (codes(booking), session(booking).rating_state) == ([STORED, MISMATCH], "rated")


def test_a_clock_that_is_years_ahead_hides_nothing_that_comes_after(vendor: Vendor, booking: Booking) -> None:
    pages(vendor, rated(rated_at=AFTER.replace(year=2036), candidate_number=2))
    read_ratings(at(14, 0))
    pages(vendor, rated(rated_at=at(14, 30), candidate_number=2))
    read_ratings(at(15, 0))
    assert codes(booking) == [MISMATCH, MISMATCH]


def test_who_never_began_has_nothing_to_be_rated(vendor: Vendor, booking: Booking) -> None:
    TimeEntry.objects.all().delete()
    Attempt.objects.all().delete()
    pages(vendor, rated())
    read_ratings(at(14, 0))
    assert codes(booking) == [MISMATCH]


def test_of_several_attempts_the_one_that_was_watched_is_rated(vendor: Vendor, booking: Booking) -> None:
    one = session(booking)
    watched = Attempt.objects.get(user=one.user)
    AttemptFactory(exam=booking.exam, user=one.user, number=2, status="submitted", started_at=at(18, 0))
    pages(vendor, rated())
    read_ratings(at(19, 0))
    assert Rating.objects.get().attempt == watched


class TestAnnounced:
    def test_it_is_looked_for_at_once_whatever_rest_the_list_has(self, vendor: Vendor, booking: Booking) -> None:
        read_ratings(AFTER)
        tell(vendor, told(), at(13, 1))
        pages(vendor, rated())
        read_ratings(at(13, 1))
        assert codes(booking) == [ANNOUNCED, STORED]
        # Nobody knows when it was given, but not before the session.
        assert vendor.since == [None, at(9, 0)]

    def test_a_message_about_a_session_that_is_not_known_yet(self, vendor: Vendor, booking: Booking) -> None:
        LiveSession.objects.update(external_id=None)
        assert tell(vendor, told(), AFTER).status == "received"
        room = SessionRecord(external_id="s-1", booking_external_id="b-1", candidate_number=1)
        vendor.script.sessions = [room]
        read_sessions(AFTER)
        process(AFTER)
        assert session(booking).rating_state == "announced"

    def test_not_in_the_list_it_is_looked_for_later_and_given_up(self, clock: Any, db: None, settings: Any) -> None:
        configure(settings, RATING_TRIES=3, RATING_SECONDS=60)
        vendor, booking = vendor_of(settings), begun(2)
        tell(vendor, told(), AFTER)
        now, looks = AFTER, []
        while (due := session(booking).next_rating_at) is not None:
            now = max(now, due) + timedelta(seconds=1)
            read_ratings(now)
            looks.append(session(booking).rating_tries)
        assert looks == [1, 2, 3]
        assert codes(booking) == [ANNOUNCED, LATER, LATER, FAILED]
        assert session(booking).rating_state == "failed"
        # Given up is not forbidden.
        pages(vendor, rated())
        read_ratings(now + timedelta(hours=1))
        assert codes(booking)[-1] == STORED
        assert session(booking).rating_state == "rated"

    @pytest.mark.parametrize(
        ("failure", "code", "state"),
        [
            (BackendError("away"), LATER, "announced"),
            (BackendRejected("no such list"), LATER, "announced"),
            (ValueError("api_key=hush"), LATER, "announced"),
            (BackendAuthenticationError("no"), FAILED, "failed"),
        ],
    )
    def test_a_list_that_cannot_be_read(
        self, vendor: Vendor, booking: Booking, failure: Exception, code: str, state: str
    ) -> None:
        tell(vendor, told(), AFTER)
        pages(vendor, failure)  # type: ignore[arg-type]
        read_ratings(AFTER)
        assert (codes(booking), session(booking).rating_state) == ([ANNOUNCED, code], state)
        assert "hush" not in cursor().last_error

    def test_announced_while_the_list_is_read_is_not_missed_by_it(self, vendor: Vendor, booking: Booking) -> None:
        pages(vendor, rated(2), rated(7), size=1)
        RatingList().read_next_page(ALIAS, now=AFTER)
        tell(vendor, told(), at(13, 5))
        read_ratings(at(13, 6))
        assert cursor().finished_at == at(13, 6)
        assert (session(booking).rating_state, session(booking).rating_tries) == ("announced", 0)

    def test_a_repeated_announcement_is_fulfilled_by_the_rating_that_is_here(
        self, vendor: Vendor, booking: Booking
    ) -> None:
        pages(vendor, rated())
        read_ratings(AFTER)
        tell(vendor, told(), at(13, 1))
        read_ratings(at(13, 1))
        assert session(booking).rating_state == "rated"
        assert codes(booking) == [STORED, ANNOUNCED]
