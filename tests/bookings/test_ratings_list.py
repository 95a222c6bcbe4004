"""The list of ratings is read page by page, at a constant cost, and goes on after whatever happens to a reading."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from proctoring.attempts.models import Attempt
from proctoring.bookings.log_codes import RATING_STORED as STORED
from proctoring.bookings.models import Booking, LiveSession
from proctoring.bookings.ratings import announce_rating, note_vain_look, sessions_known_as, store_told_rating
from proctoring.errors import BackendRejected
from proctoring.exchange import lists
from proctoring.exchange.live import RatingList
from proctoring.inbox.models import SweepCursor
from proctoring.reviews.models import Rating
from tests.attempts.racing import TIMES, race
from tests.booking_vendor import ALIAS
from tests.bookings.desk import Vendor, codes, people_of, read_ratings, statements, vendor_of
from tests.bookings.rated import AFTER, HALF, begun, cursor, pages, rated, session
from tests.factories import at


@pytest.fixture
def booking(vendor: Vendor) -> Booking:
    return begun(2)


def test_a_reading_that_was_killed_goes_on_from_its_page(
    vendor: Vendor, booking: Booking, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages(vendor, *(rated(n) for n in (1, 2, 7)), size=1)
    whole, seen = RatingList.take_in, []

    def take_in(self: RatingList, alias: str, scope: str, page: Any, *, now: datetime) -> None:
        seen.append(page.records[0].session_external_id)
        whole(self, alias, scope, page, now=now)
        if seen == ["s-1", "s-2"]:
            raise KeyboardInterrupt

    monkeypatch.setattr(RatingList, "take_in", take_in)
    with pytest.raises(KeyboardInterrupt):
        read_ratings(AFTER)
    assert cursor().position.endswith("\n1")
    assert read_ratings(AFTER) == 1  # the lease of the dead one holds
    read_ratings(at(13, 3))
    assert seen == ["s-1", "s-2", "s-2", "s-7"]
    assert codes(booking) == [STORED, STORED]
    assert (cursor().position, cursor().finished_at) == ("", at(13, 3))


def test_a_page_that_cannot_be_taken_in_is_read_again(
    vendor: Vendor, booking: Booking, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages(vendor, rated(1), rated(2), size=1)
    with monkeypatch.context() as patch:
        patch.setattr("proctoring.bookings.ratings.record_ratings", lambda *_, **__: 1 / 0)
        read_ratings(AFTER)
    assert (codes(booking), cursor().last_error) == ([], "unforeseen ZeroDivisionError, see the log")
    read_ratings(AFTER + lists.PAUSE)
    assert codes(booking) == [STORED, STORED]


def test_a_page_that_always_clashes_is_not_asked_for_without_end(
    vendor: Vendor, booking: Booking, monkeypatch: pytest.MonkeyPatch
) -> None:
    def clash(*_: Any, **__: Any) -> None:
        raise IntegrityError

    monkeypatch.setattr("proctoring.bookings.ratings.record_ratings", clash)
    pages(vendor, rated())
    assert read_ratings(AFTER) == 2
    assert cursor().claimed_until == AFTER + lists.PAUSE


def test_a_list_that_was_refused_half_way_is_begun_again_from_the_same_moment(vendor: Vendor, booking: Booking) -> None:
    pages(vendor, rated(1))
    read_ratings(AFTER)
    pages(vendor, rated(1), BackendRejected("the cursor is too old"), size=1)  # type: ignore[arg-type]
    read_ratings(at(19, 0))
    assert cursor().finished_at == AFTER
    pages(vendor, rated(1), rated(2))
    read_ratings(at(19, 6))
    assert vendor.since == [None, at(12, 0), at(12, 0), at(12, 0)]
    assert codes(booking) == [STORED, STORED]


def test_a_page_costs_the_same_for_3_and_for_300(vendor: Vendor) -> None:
    few, many = begun(0), begun(0)
    costs = {}
    for count, booking, now in ((3, few, AFTER), (300, many, at(15, 0))):
        crowd(booking, count)
        pages(vendor, *(rated(session_external_id=f"{count}-{n}") for n in range(count)))
        first = statements(lambda now=now: read_ratings(now))  # type: ignore[misc]
        costs[count] = (first, statements(lambda now=now: read_ratings(now + HALF)))  # type: ignore[misc]
    assert Rating.objects.count() == 303
    # The vendor's circuit is made once. SQLite takes so few values in one statement that it needs some more.
    assert costs == {3: (20, 15), 300: (24 if connection.vendor == "sqlite" else 19, 15)}


def crowd(booking: Booking, count: int) -> None:
    """So many people who have met their proctors."""
    people = people_of(f"{count}-", count)
    LiveSession.objects.bulk_create(
        LiveSession(
            booking=booking,
            exam=booking.exam,
            user=one,
            candidate_number=n,
            backend=ALIAS,
            external_id=f"{count}-{n}",
        )
        for n, one in enumerate(people)
    )
    Attempt.objects.bulk_create(
        Attempt(exam=booking.exam, user=one, number=1, status="submitted", backend=ALIAS, total_seconds=3600)
        for one in people
    )


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    @pytest.fixture(autouse=True)
    def _vendor(self, settings: Any) -> None:
        self.vendor = vendor_of(settings)

    def test_told_read_and_announced_at_once(self) -> None:
        for _ in range(TIMES):
            self.everything()

    def everything(self) -> None:
        LiveSession.objects.update(external_id=None)
        booking = begun(2)
        pages(self.vendor, rated(1), rated(2))
        SweepCursor.objects.all().delete()
        answers = race(
            transaction.atomic(lambda: store_told_rating(known(1), rated(1), now=AFTER)),
            lambda: RatingList().read_next_page(ALIAS, now=AFTER),
            transaction.atomic(lambda: announce_rating(known(2), now=AFTER)),
            lambda: note_vain_look(ALIAS, now=AFTER, since=AFTER),
        )
        assert not [one for one in answers if isinstance(one, Exception)]
        read_ratings(at(14, 0))
        assert codes(booking).count(STORED) == 2
        assert Rating.objects.filter(exam=booking.exam).count() == 2
        assert {session(booking, n).rating_state for n in (1, 2)} == {"rated"}


def known(number: int) -> LiveSession:
    return sessions_known_as(ALIAS, [f"s-{number}"])[f"s-{number}"]
