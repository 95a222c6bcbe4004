"""A page of sessions, and a batch of messages about them: what it costs, what one bad row does, two workers at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.db import connection

from proctoring.backends.live import SessionJoined, SessionRecord
from proctoring.bookings import session_news
from proctoring.bookings.log_codes import JOINED
from proctoring.bookings.models import Booking, BookingLogEntry, LiveSession
from proctoring.bookings.services import cancel_booking
from proctoring.bookings.session_news import News, take_in_news, take_in_sessions
from proctoring.exchange import batches
from proctoring.exchange.live import SessionList
from proctoring.inbox import services as inbox
from proctoring.inbox.models import SweepCursor, WebhookMessage
from proctoring.privacy.erasure import erase_user
from tests.attempts.racing import TIMES, race
from tests.booking_vendor import ALIAS
from tests.bookings.desk import (
    NOW,
    Vendor,
    booked,
    codes,
    people_of,
    planner,
    process,
    read_sessions,
    statements,
    tell,
    vendor_of,
)
from tests.factories import MessageFactory, at

PEOPLE = 300


def link(number: int) -> str:
    return f"https://vendor.example/room/{number}"


def record(number: int, **said: Any) -> SessionRecord:
    given = {"external_id": f"s-{number}", "booking_external_id": "b-1", "candidate_number": number}
    return SessionRecord(**{**given, "join_url": link(number), **said})


def records(count: int, **said: Any) -> list[SessionRecord]:
    return [record(number, **said) for number in range(1, count + 1)]


def full(people: int, **fields: Any) -> Booking:
    booking = booked("confirmed", people=0, next_check_at=None, **fields)
    LiveSession.objects.bulk_create(
        LiveSession(booking=booking, exam=booking.exam, user=user, candidate_number=number, backend=ALIAS)
        for number, user in enumerate(people_of(f"{booking.pk}-", people), start=1)
    )
    return booking


def rows(booking: Booking) -> list[tuple[str | None, str]]:
    return [(one.external_id, one.join_url) for one in booking.sessions.order_by("candidate_number")]


def expected(count: int) -> list[tuple[str | None, str]]:
    return [(f"s-{number}", link(number)) for number in range(1, count + 1)]


def take_in(*page: SessionRecord) -> None:
    take_in_sessions(ALIAS, page, told_at=NOW, now=NOW)


def messages(said: Sequence[SessionRecord], vendor: Vendor) -> None:
    vendor.events = [SessionJoined(occurred_at=NOW, session=one) for one in said]
    for place in range(len(said)):
        MessageFactory(backend=ALIAS, plain=str(place).encode(), received_at=NOW, next_try_at=NOW)


class TestCosts:
    def test_a_page_is_nine_statements_for_3_and_for_300_and_one_when_it_is_known(self, vendor: Vendor) -> None:
        costs = {}
        for count in (3, PEOPLE):
            name = f"b-{count}"
            booking = full(count, external_id=name)
            page = [record(n, external_id=f"{name}-{n}", booking_external_id=name) for n in range(1, count + 1)]
            costs[count] = [statements(lambda page=page: take_in(*page)) for _ in range(2)]  # type: ignore[misc]
            assert codes(booking) == [JOINED] * count
        # SQLite takes so few values in one statement that the log needs some more.
        assert costs == {3: [9, 1], PEOPLE: [11 if connection.vendor == "sqlite" else 9, 1]}

    def test_of_300_the_one_that_has_joined_costs_no_more_than_itself(self, vendor: Vendor) -> None:
        full(PEOPLE)
        take_in(*records(PEOPLE))
        assert statements(lambda: take_in(record(1, joined_at=at(9, 50)), *records(PEOPLE)[1:])) == 6
        assert LiveSession.objects.get(external_id="s-1").joined_at == at(9, 50)

    def test_a_page_of_candidates_who_were_forgotten_is_written_to_nowhere(self, vendor: Vendor) -> None:
        booking = full(3)
        take_in(*records(3))
        for one in booking.sessions.all():
            erase_user(one.user, by=None, reason="wish")
        before = list(LiveSession.objects.values())
        assert statements(lambda: take_in(*records(3))) == 6
        assert list(LiveSession.objects.values()) == before

    def test_a_batch_of_messages_costs_what_one_costs(self, vendor: Vendor) -> None:
        full(60)
        costs = []
        for said in (records(60)[:1], records(60)[1:10], records(60)[10:]):
            messages(said, vendor)
            costs.append(statements(lambda: process(NOW)))
        assert costs == [11, 11, 11]
        assert set(WebhookMessage.objects.values_list("status", "type", "sent_at", "claimed_by", "waits_for")) == {
            ("processed", "SessionJoined", NOW, "", "")
        }
        assert LiveSession.objects.filter(told_at=NOW).count() == 60


class TestOneRow:
    @pytest.mark.parametrize("bad", [{"external_id": "a\x00b"}, {"joined_at": "yesterday"}], ids=str)
    def test_that_cannot_be_written_holds_up_no_other(self, vendor: Vendor, bad: dict[str, Any]) -> None:
        booking = full(3)
        vendor.script.sessions = [record(1), record(2, **bad), record(3)]
        read_sessions(NOW)
        found = rows(booking)
        assert [found[0], found[2]] == [expected(3)[0], expected(3)[2]]
        assert codes(booking).count(JOINED) in (2, 3)
        assert SweepCursor.objects.get(name="sessions").finished_at == NOW

    def test_with_a_number_beyond_every_column_is_nobodys(self, vendor: Vendor) -> None:
        booking = full(1)
        take_in(record(1), record(2**63), record(-1))
        assert rows(booking) == expected(1)

    def test_of_a_batch_that_is_not_understood_is_left_to_people_alone(self, vendor: Vendor) -> None:
        booking = full(3)
        erased = booking.sessions.get(candidate_number=3)
        tell(vendor, SessionJoined(occurred_at=NOW, session=record(3)), NOW)
        erase_user(erased.user, by=None, reason="wish")
        WebhookMessage.objects.all().delete()
        messages([record(1), record(7), record(2), record(3), record(1, booking_external_id="b-9")], vendor)
        process(NOW)
        found = WebhookMessage.objects.order_by("pk").values_list("status", "blanked_at", "waits_for")
        assert list(found) == [
            ("processed", None, ""),
            ("quarantined", None, ""),
            ("processed", None, ""),
            ("ignored", NOW, ""),
            ("received", None, "b-9"),
        ]
        assert rows(booking) == [*expected(2), ("s-3", "")]

    def test_that_stops_a_batch_is_noted_and_the_others_go_on(
        self, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        booking = full(2)
        apply = session_news._Page._apply

        def choke(page: Any, session: LiveSession, said: SessionRecord) -> bool:
            if said.candidate_number == 1:
                raise RuntimeError("choked")
            return apply(page, session, said)

        monkeypatch.setattr(session_news._Page, "_apply", choke)
        messages(records(2), vendor)
        process(NOW)
        assert list(WebhookMessage.objects.order_by("pk").values_list("status", flat=True)) == ["failed", "processed"]
        assert rows(booking) == [(None, ""), expected(2)[1]]

    def test_of_a_batch_that_another_worker_took_over_stays_with_it(self, vendor: Vendor) -> None:
        booking = full(3)
        messages(records(3), vendor)
        claimed = inbox.claim_due(now=NOW, limit=10)
        WebhookMessage.objects.filter(pk=claimed[1].pk).update(claimed_by="another")
        batches.process_batch(claimed)
        assert [bool(url) for _, url in rows(booking)] == [True, False, True]
        assert list(WebhookMessage.objects.order_by("pk").values_list("status", "claimed_by")) == [
            ("processed", ""),
            ("received", "another"),
            ("processed", ""),
        ]


class TestOnePage:
    def test_may_speak_of_a_session_twice_and_the_log_does_not(self, vendor: Vendor) -> None:
        booking = full(1)
        take_in(record(1), record(1, join_url=link(9)), record(1, join_url="", joined_at=at(7, 50)))
        assert rows(booking) == [("s-1", link(9))]
        assert (booking.sessions.get().joined_at, codes(booking)) == (at(7, 50), [JOINED])

    def test_of_messages_goes_by_the_vendors_clock(self, vendor: Vendor) -> None:
        booking = full(1)
        said = [(9, at(7, 30)), (1, at(7, 40)), (8, at(7, 20))]
        news = [News(record=record(1, join_url=link(n)), told_at=moment) for n, moment in said]
        take_in_news(ALIAS, news, now=NOW)
        assert rows(booking) == [("s-1", link(1))]
        assert booking.sessions.get().told_at == at(7, 40)

    def test_may_move_an_id_that_its_holder_leaves_on_the_same_page(self, vendor: Vendor) -> None:
        booking = full(2)
        take_in(*records(2))
        take_in_news(ALIAS, [_news(1, "s-9"), _news(2, "s-1"), _news(1, "s-2")], now=NOW)
        assert [one for one, _ in rows(booking)] == ["s-2", "s-1"]
        assert codes(booking) == [JOINED] * 2

    def test_does_not_swap_two_ids_that_are_both_taken(self, vendor: Vendor) -> None:
        booking = full(2)
        take_in(*records(2))
        taken = take_in_news(ALIAS, [_news(1, "s-2"), _news(2, "s-1")], now=NOW)
        assert [one.session for one in taken] == [None, None]
        assert rows(booking) == expected(2)

    def test_moves_many_rooms_on_to_the_new_window(self, vendor: Vendor) -> None:
        old = full(5)
        take_in(*records(5))
        cancel_booking(old, by=planner())
        new = full(5, external_id="b-2", exam=old.exam)
        take_in(*records(5, booking_external_id="b-2"))
        assert rows(new) == expected(5)
        assert {one for one, _ in rows(old)} == {None}

    def test_may_hold_ids_that_only_their_case_tells_apart(self, vendor: Vendor) -> None:
        booking = full(3)
        take_in(record(1, external_id="room"), record(2, external_id="ROOM"), record(3))
        found = [one for one, _ in rows(booking)]
        # MariaDB takes them for one: then the second is refused, and the rest is not.
        assert found in (["room", "ROOM", "s-3"], ["room", None, "s-3"])
        take_in(record(2, external_id="Room", join_url=""), record(3))
        assert rows(booking)[2] == expected(3)[2]


def _news(number: int, external_id: str) -> News:
    return News(record=record(number, external_id=external_id), told_at=NOW)


def test_a_worker_that_dies_in_the_middle_of_a_page_leaves_it_to_the_next(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, clock: Any
) -> None:
    booking = full(3)
    vendor.script.sessions = records(3)
    with monkeypatch.context() as dying:
        dying.setattr(session_news, "wake_waiting", _die)
        with pytest.raises(KeyboardInterrupt):
            SessionList().read_next_page(ALIAS, now=NOW)
    assert rows(booking) == [(None, "")] * 3
    read_sessions(at(8, 30))
    assert (rows(booking), codes(booking)) == (expected(3), [JOINED] * 3)


def _die(*_: Any, **__: Any) -> int:
    raise KeyboardInterrupt


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
class TestAtOnce:
    def test_pages_and_messages_about_the_same_sessions_get_along(self, settings: Any, clock: Any) -> None:
        vendor = vendor_of(settings)
        for turn in range(TIMES):
            booking = full(30, external_id=f"b-{turn}")
            said = [record(n, external_id=f"{turn}-{n}", booking_external_id=f"b-{turn}") for n in range(1, 31)]
            messages(said[::-1], vendor)
            answers = race(
                lambda page=said: take_in(*page),  # type: ignore[misc]
                lambda page=said: take_in(*page[::-1]),  # type: ignore[misc]
                lambda page=said: take_in(*page[10:20]),  # type: ignore[misc]
                lambda: [batches.process_batch(inbox.claim_due(now=NOW, limit=10)) for _ in range(4)],
            )
            assert not [one for one in answers if isinstance(one, Exception)]
            process(NOW)
            assert [url for _, url in rows(booking)] == [link(number) for number in range(1, 31)]
            joined = BookingLogEntry.objects.filter(booking=booking, code=JOINED)
            assert sorted(joined.values_list("context__candidate_number", flat=True)) == list(range(1, 31))
            assert set(WebhookMessage.objects.values_list("status", "tries")) == {("processed", 1)}

    def test_pages_that_cross_two_bookings_get_along_with_ratings_and_cancelling(
        self, settings: Any, clock: Any
    ) -> None:
        vendor_of(settings)
        for turn in range(TIMES // 4):
            names = [f"{turn}-a", f"{turn}-b"]
            bookings = [full(10, external_id=name) for name in names]
            said = [
                record(n, external_id=f"{name}-{n}", booking_external_id=name) for n in range(1, 11) for name in names
            ]
            answers = race(
                lambda page=said: take_in(*page),  # type: ignore[misc]
                lambda page=said: take_in(*page[::-1]),  # type: ignore[misc]
                lambda booking=bookings[1]: cancel_booking(booking, by=planner()),  # type: ignore[misc]
                lambda booking=bookings[0]: cancel_booking(booking, by=planner()),  # type: ignore[misc]
            )
            assert not [one for one in answers if isinstance(one, Exception)]
            for booking in bookings:
                assert codes(booking).count(JOINED) == 10
