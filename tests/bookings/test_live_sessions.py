"""What a vendor says of live sessions, by list and by message, and the link that is its candidate's alone."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest

from proctoring.backends.live import BookingReport, BookingState, BookingUpdated, SessionJoined, SessionRecord
from proctoring.bookings.log_codes import JOINED
from proctoring.bookings.models import Booking, LiveSession
from proctoring.bookings.services import cancel_booking
from proctoring.bookings.sessions import is_open, link_of
from proctoring.errors import NotConfigured
from proctoring.inbox.models import WebhookMessage
from tests.bookings.desk import (
    NOW,
    Vendor,
    booked,
    check,
    codes,
    fresh,
    planner,
    process,
    read_sessions,
    send,
    statements,
    tell,
    vendor_of,
)
from tests.factories import LiveSessionFactory, at
from tests.hosts import configure

LINK, OTHER = "https://vendor.example/room/1?t=secret", "https://vendor.example/room/2"


def record(number: int = 1, *, link: str = LINK, booking: str = "b-1", **said: Any) -> SessionRecord:
    given = {"external_id": f"s-{number}", "booking_external_id": booking, "candidate_number": number}
    return SessionRecord(join_url=link, **{**given, **said})


def joined(said: SessionRecord, occurred_at: datetime = NOW) -> SessionJoined:
    return SessionJoined(occurred_at=occurred_at, session=said)


def lists(vendor: Vendor, *records: SessionRecord, now: datetime = NOW) -> None:
    vendor.script.sessions = list(records)
    read_sessions(now)


def session(booking: Booking, number: int = 1) -> LiveSession:
    return LiveSession.objects.select_related("booking").get(booking=booking, candidate_number=number)


@pytest.fixture
def booking(vendor: Vendor) -> Booking:
    return booked("confirmed", people=2, next_check_at=None)


@pytest.mark.parametrize("order", list(permutations(["list", "message", "message again"])))
def test_list_and_message_in_any_order(vendor: Vendor, booking: Booking, order: tuple[str, ...]) -> None:
    for place, way in enumerate(order):
        now = NOW + timedelta(minutes=20 * place)
        if way == "list":
            lists(vendor, record(joined_at=at(9, 50)), now=now)
        else:
            assert tell(vendor, joined(record(joined_at=at(9, 50)), now), now).status == "processed"
    one = session(booking)
    assert (one.external_id, one.join_url, one.joined_at) == ("s-1", LINK, at(9, 50))
    assert codes(booking) == [JOINED]
    assert booking.log.get().context == {"exam": booking.exam.name, "candidate_number": 1}
    assert booking.log.get().session == one
    assert not session(booking, 2).has_link


def test_older_news_change_nothing(vendor: Vendor, booking: Booking) -> None:
    tell(vendor, joined(record(link=OTHER), at(8, 5)), at(8, 5))
    assert tell(vendor, joined(record(joined_at=at(8, 1)), at(8, 1)), at(8, 10)).status == "processed"
    one = session(booking)
    assert (one.join_url, one.joined_at, one.told_at) == (OTHER, None, at(8, 5))
    tell(vendor, joined(record(), at(8, 6)), at(8, 10))
    assert session(booking).join_url == LINK
    assert codes(booking) == [JOINED]


def test_news_without_a_link_or_a_moment_take_nothing_away(vendor: Vendor, booking: Booking) -> None:
    tell(vendor, joined(record(joined_at=at(8, 0)), at(8, 0)), at(8, 0))
    tell(vendor, joined(record(link=""), at(8, 5)), at(8, 5))
    tell(vendor, joined(record(link="javascript:alert(1)"), at(8, 6)), at(8, 6))
    assert (session(booking).join_url, session(booking).joined_at) == (LINK, at(8, 0))


def test_a_vendors_clock_that_is_years_ahead_does_not_rule_for_years(vendor: Vendor, booking: Booking) -> None:
    tell(vendor, joined(record(link=OTHER), NOW.replace(year=2036)), NOW)
    tell(vendor, joined(record(), at(8, 5)), at(8, 5))
    assert session(booking).join_url == LINK


def test_a_message_that_is_faster_than_the_bookings_id(vendor: Vendor) -> None:
    booking = booked()
    early = joined(record(booking=f"booking-{booking.reference}"))
    assert tell(vendor, early, NOW).status == "received"
    send()
    check()
    process(NOW)
    assert WebhookMessage.objects.get().status == "processed"
    assert session(booking).join_url == LINK


def test_a_number_that_nobody_has_is_left_to_people(vendor: Vendor, booking: Booking) -> None:
    assert tell(vendor, joined(record(3)), NOW).status == "quarantined"
    lists(vendor, record(3), record(1, booking="b-9"))
    assert not LiveSession.objects.exclude(external_id=None).exists()


def test_one_room_for_two_candidates_is_a_mistake_that_stops_nothing(vendor: Vendor, booking: Booking) -> None:
    lists(vendor, record(1), record(2, external_id="s-1", link=OTHER))
    assert [session(booking, n).external_id for n in (1, 2)] == ["s-1", None]
    assert tell(vendor, joined(record(2, external_id="s-1"), at(8, 1)), at(8, 1)).status == "quarantined"
    assert session(booking, 1).join_url == LINK
    assert not session(booking, 2).has_link


def test_a_room_moves_on_with_its_candidate_to_the_new_window(vendor: Vendor, booking: Booking) -> None:
    lists(vendor, record())
    cancel_booking(booking, by=planner())
    new = booked("confirmed", external_id="b-2", next_check_at=None, exam=booking.exam)
    lists(vendor, record(booking="b-2"), now=at(8, 30))
    assert (session(new).join_url, session(new).external_id) == (LINK, "s-1")
    assert session(booking).external_id is None


def shared(first: Booking, status: str = "confirmed", **fields: Any) -> Booking:
    """Another booking of the same exam and window, which "existed already", for the same people in another order."""
    second = booked(status, people=0, exam=first.exam, next_check_at=None, **fields)
    for number, one in enumerate(first.sessions.order_by("-candidate_number"), start=1):
        LiveSessionFactory(booking=second, user=one.user, candidate_number=number)
    return second


def test_where_one_of_two_is_given_up_its_people_keep_their_own_rooms(vendor: Vendor, booking: Booking) -> None:
    second = shared(booking)
    people = [session(booking, n).user for n in (1, 2)]
    lists(vendor, record(1), record(2, link=OTHER))
    assert [link_of(booking.exam, one, now=at(10, 0)) for one in people] == [LINK, OTHER]
    cancel_booking(booking, by=planner())
    assert link_of(booking.exam, people[0], now=at(10, 0)) == ""
    lists(vendor, record(1), record(2, link=OTHER), now=at(8, 30))
    # By who they are, not by their numbers: to the vendor those are the first booking's.
    assert [link_of(booking.exam, one, now=at(10, 0)) for one in people] == [LINK, OTHER]
    assert [session(second, n).user for n in (1, 2)] == people[::-1]
    assert codes(second) == [JOINED, JOINED]


def test_the_numbers_are_of_the_booking_that_was_sent_and_not_of_the_older_one(vendor: Vendor) -> None:
    older = booked("confirmed", people=2, next_check_at=None)
    sent = shared(older, "scheduled")
    send()
    Booking.objects.filter(pk=older.pk).update(external_id=fresh(sent).external_id)
    lists(vendor, record(1, booking=f"booking-{sent.reference}"))
    first = session(sent, 1)
    assert (first.join_url, first.user) == (LINK, session(older, 2).user)
    assert codes(older) == []


class TestTheLink:
    @pytest.fixture
    def mine(self, vendor: Vendor, booking: Booking) -> LiveSession:
        lists(vendor, record(1), record(2, link=OTHER))
        return session(booking)

    @pytest.mark.parametrize(
        ("moment", "seen"),
        [
            (at(9, 44, 59), False),
            (at(9, 45), True),
            (at(12, 9, 59), True),
            (at(12, 10), False),
        ],
    )
    def test_only_while_the_room_is_open(self, mine: LiveSession, moment: datetime, seen: bool) -> None:
        assert link_of(mine.exam, mine.user, now=moment) == (LINK if seen else "")
        assert is_open(mine, moment) is seen

    @pytest.mark.parametrize("other", ["draft", "scheduled", "sent", "rejected", "cancelled"])
    def test_only_of_a_confirmed_booking(self, mine: LiveSession, other: str) -> None:
        Booking.objects.update(status=other)
        assert link_of(mine.exam, mine.user, now=at(10, 0)) == ""
        assert not is_open(session(mine.booking), at(10, 0))

    def test_only_its_own_candidate(self, mine: LiveSession, booking: Booking) -> None:
        neighbour = session(booking, 2)
        assert link_of(mine.exam, neighbour.user, now=at(10, 0)) == OTHER
        assert link_of(mine.exam, planner(), now=at(10, 0)) == ""
        assert link_of(booked().exam, mine.user, now=at(10, 0)) == ""

    def test_it_costs_one_statement(self, mine: LiveSession) -> None:
        exam, user = mine.exam, mine.user
        assert statements(lambda: link_of(exam, user, now=at(10, 0))) == 1

    def test_it_is_sealed_for_this_candidate_in_this_booking(self, mine: LiveSession, booking: Booking) -> None:
        assert b"vendor.example" not in bytes(mine.sealed_join_url)
        neighbour, elsewhere = session(booking, 2), LiveSessionFactory(user=mine.user)
        for thief in (neighbour, elsewhere):
            thief.sealed_join_url = mine.sealed_join_url
            with pytest.raises(NotConfigured):
                _ = thief.join_url

    def test_another_key_does_not_open_it_and_the_vendors_next_word_mends_that(
        self, mine: LiveSession, settings: Any
    ) -> None:
        configure(settings, ENCRYPTION_KEYS=["another-key-of-more-than-32-characters-x"])
        with pytest.raises(NotConfigured):
            _ = session(mine.booking).join_url
        vendor = vendor_of(settings)
        lists(vendor, record(1, link=OTHER, joined_at=at(9, 50)), now=at(9, 55))
        assert session(mine.booking).join_url == OTHER


def test_what_is_known_costs_a_page_no_writes(vendor: Vendor) -> None:
    booking = booked("confirmed", people=30, next_check_at=None)
    records = [record(number) for number in range(1, 31)]
    lists(vendor, *records)
    costs = []
    for hour, page in ((9, records[:3]), (10, records)):
        vendor.script.sessions = page
        costs.append(statements(lambda hour=hour: read_sessions(at(hour, 0))))  # type: ignore[misc]
    assert costs[0] == costs[1]
    assert codes(booking) == [JOINED] * 30


def test_who_joins_is_learned_without_a_message(vendor: Vendor, booking: Booking) -> None:
    lists(vendor, record(1), record(2, link=OTHER))
    lists(vendor, record(1, joined_at=at(9, 50)), record(2, link=OTHER), now=at(10, 0))
    assert [session(booking, n).joined_at for n in (1, 2)] == [at(9, 50), None]
    LiveSession.objects.update(joined_at=at(9, 50))
    vendor.calls.clear()
    read_sessions(at(10, 30))
    assert vendor.calls == []


@pytest.mark.parametrize("fields", [{"status": "rejected"}, {"starts_at": at(8, 0) + timedelta(days=2)}])
def test_lists_are_read_of_confirmed_bookings_about_now(vendor: Vendor, fields: dict[str, Any]) -> None:
    booked(**{"status": "confirmed", "ends_at": at(8, 0) + timedelta(days=3), **fields})
    read_sessions(NOW)
    assert vendor.calls == []


def test_the_link_of_a_withdrawn_booking_is_gone(vendor: Vendor, booking: Booking) -> None:
    lists(vendor, record())
    vendor.script.reports["b-1"] = BookingReport(state=BookingState.REJECTED)
    tell(vendor, BookingUpdated(occurred_at=NOW, booking_external_id="b-1"), NOW)
    check()
    assert fresh(booking).status == "rejected"
    assert link_of(booking.exam, session(booking).user, now=at(10, 0)) == ""
