"""Online, late, lost; addresses; the connection of each moment."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring.attempts import services
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Actor
from proctoring.exams.models import Exam, OutagePolicy
from proctoring.logs.models import Event
from proctoring.monitoring.addresses import changed_addresses, shared_addresses
from proctoring.monitoring.beating import Pulse
from proctoring.monitoring.connection import connections_at
from proctoring.monitoring.heartbeats import MAX_ADDRESSES, take_heartbeat
from proctoring.monitoring.load import Load
from proctoring.monitoring.models import Presence, SeenAddress, page_in_state
from proctoring.monitoring.quality import MAX_STRETCH, State, quality_of, stretch
from proctoring.monitoring.silence import notice_silence, notice_unheard, stop_waiting
from tests.factories import AttemptFactory, EventFactory, UserFactory, at
from tests.monitoring.conftest import Beat


def presence(attempt: Attempt) -> Presence:
    return Presence.objects.get(pk=attempt.pk)


def types(attempt: Attempt) -> list[int]:
    return list(Event.objects.filter(attempt=attempt.pk).order_by("pk").values_list("type", flat=True))


@pytest.mark.parametrize(
    ("seconds", "state"), [(0, "online"), (44, "online"), (45, "late"), (89, "late"), (90, "lost"), (9999, "lost")]
)
def test_state_is_what_the_clock_says(make: Callable[..., Attempt], beat: Beat, seconds: int, state: str) -> None:
    attempt = make()
    beat(attempt, at(10, 10))

    assert presence(attempt).state_at(at(10, 10) + timedelta(seconds=seconds)) == state


def test_stretched_interval_makes_the_server_more_patient(make: Callable[..., Attempt], beat: Beat) -> None:
    attempt = make()
    beat(attempt, at(10, 10))
    beat(attempt, at(10, 10, 30))
    take_heartbeat(attempt.pk, attempt.user_id, Pulse(ip="192.0.2.1"), now=at(10, 11), stretch=4)

    assert presence(attempt).state_at(at(10, 16)) == "late"
    assert presence(attempt).state_at(at(10, 17)) == "lost"


def test_interval_that_the_exam_was_given_meanwhile_is_learnt(make: Callable[..., Attempt], beat: Beat) -> None:
    attempt = make()
    beat(attempt, at(10, 10))
    Exam.objects.filter(pk=attempt.exam_id).update(heartbeat_seconds=60)
    heard = beat(attempt, at(10, 11))

    assert heard.seen.interval_seconds == 60
    assert presence(attempt).state_at(at(10, 13, 59)) == "late"


def test_loss_is_noticed_once(make: Callable[..., Attempt], beat: Beat) -> None:
    attempt = make()
    beat(attempt, at(10, 10))
    for minute in (12, 13, 14):
        notice_silence(now=at(10, minute))

    assert types(attempt) == [1020]
    assert (presence(attempt).state, presence(attempt).lost_since) == ("lost", at(10, 10))


def test_page_of_an_attempt_that_has_ended_is_not_waited_for(make: Callable[..., Attempt], beat: Beat) -> None:
    attempt = make()
    beat(attempt, at(10, 10))
    services.submit_attempt(attempt, by=attempt.user, now=at(10, 11))
    before = types(attempt)

    assert notice_silence(now=at(10, 20)) is None
    assert [stop_waiting(now=at(10, 20)) for _ in range(2)] == [1, 0]
    assert types(attempt) == before
    assert presence(attempt).lost_at_ms is None


def test_silence_in_a_pause_is_not_looked_at_again_and_again(make: Callable[..., Attempt], beat: Beat) -> None:
    attempt = make()
    beat(attempt, at(10, 10))
    services.pause_attempt(attempt, by=UserFactory(), actor=Actor.PROCTOR, now=at(10, 11))

    assert notice_silence(now=at(10, 40)) is None
    assert stop_waiting(now=at(10, 40)) == 0


class TestUnheard:
    def test_who_keeps_the_script_from_loading_shows_as_lost(self, make: Callable[..., Attempt], beat: Beat) -> None:
        heard = make(OutagePolicy.CREDIT)
        blocking = AttemptFactory(exam=heard.exam, status="started")
        beat(heard, at(10, 1))
        assert notice_unheard(now=at(10, 1)) == blocking.pk
        assert not Presence.objects.filter(pk=blocking.pk).exists()
        assert notice_unheard(now=at(10, 2)) == blocking.pk
        assert notice_unheard(now=at(10, 3)) is None

        assert (types(blocking), types(heard)) == ([1020], [])
        assert presence(blocking).state_at(at(10, 3)) == "lost"

    def test_and_gains_no_time_by_it(self, make: Callable[..., Attempt], beat: Beat) -> None:
        heard = make(OutagePolicy.CREDIT)
        blocking = AttemptFactory(exam=heard.exam, status="started")
        beat(heard, at(10, 1))
        notice_unheard(now=at(10, 2))
        notice_silence(now=at(10, 30))
        beat(blocking, at(10, 40))

        blocking.refresh_from_db()
        assert (types(blocking), blocking.expires_at) == ([1020, 1021], at(11, 0))

    def test_exam_whose_pages_do_not_beat_has_nobody_lost(self, make: Callable[..., Attempt]) -> None:
        attempt = make()

        assert notice_unheard(now=at(10, 30)) is None
        assert types(attempt) == []


def test_heartbeat_after_the_end_hears_of_it_and_changes_nothing(make: Callable[..., Attempt], beat: Beat) -> None:
    attempt = make()
    services.submit_attempt(attempt, by=attempt.user, now=at(10, 11))

    assert beat(attempt, at(10, 12)).seen.attempt.status == "submitted"
    assert not Presence.objects.exists()


def test_sweep_looks_at_many_in_batches(make: Callable[..., Attempt], beat: Beat) -> None:
    attempts = [make() for _ in range(5)]
    for attempt in attempts:
        beat(attempt, at(10, 10))

    last = notice_silence(now=at(10, 20), limit=3)
    assert last == attempts[2].pk
    assert notice_silence(now=at(10, 20), limit=3, after=last) == attempts[4].pk
    assert Presence.objects.filter(state="lost").count() == 5


class TestAddresses:
    def test_change_is_an_event_and_the_first_is_none(self, make: Callable[..., Attempt], beat: Beat) -> None:
        attempt = make()
        beat(attempt, at(10, 10), ip="192.0.2.1")
        beat(attempt, at(10, 10, 30), ip="192.0.2.2")
        event = Event.objects.get(attempt=attempt)

        assert (event.type, event.ip) == (1023, "192.0.2.2")

    def test_two_devices_that_alternate_are_one_change(self, make: Callable[..., Attempt], beat: Beat) -> None:
        attempt = make()
        for number in range(10):
            beat(attempt, at(10, 10, number), ip=f"192.0.2.{number % 2}")

        assert types(attempt) == [1023]
        assert SeenAddress.objects.count() == 2

    def test_nobody_fills_the_table_by_changing(self, make: Callable[..., Attempt], beat: Beat) -> None:
        attempt = make()
        for number in range(MAX_ADDRESSES + 5):
            beat(attempt, at(10, 10, number % 60), ip=f"2001:db8::{number:x}")

        assert SeenAddress.objects.count() == MAX_ADDRESSES

    def test_no_address_at_all_is_no_news(self, make: Callable[..., Attempt], beat: Beat) -> None:
        attempt = make()
        beat(attempt, at(10, 10), ip=None)
        with CaptureQueriesContext(connection) as captured:
            beat(attempt, at(10, 10, 30), ip=None)

        assert (len(captured), types(attempt)) == (1, [])

    def test_shared_and_changed_are_found(self, make: Callable[..., Attempt], beat: Beat) -> None:
        first = make()
        second, alone = (AttemptFactory(exam=first.exam, status="started") for _ in range(2))
        elsewhere = make()
        for attempt, ip in (
            (first, "192.0.2.7"),
            (second, "192.0.2.7"),
            (alone, "192.0.2.8"),
            (elsewhere, "192.0.2.8"),
        ):
            beat(attempt, at(10, 10), ip=ip)
        beat(alone, at(10, 10, 30), ip="192.0.2.9")

        (shared,) = shared_addresses(first.exam)
        assert (shared.ip, shared.candidates) == ("192.0.2.7", 2)
        assert {row.attempt_id for row in shared.seen} == {first.pk, second.pk}
        (changed,) = changed_addresses(first.exam)
        assert (changed.attempt.pk, [row.ip for row in changed.seen]) == (alone.pk, ["192.0.2.8", "192.0.2.9"])

    def test_one_person_in_two_attempts_shares_with_nobody(self, make: Callable[..., Attempt], beat: Beat) -> None:
        first = make()
        beat(first, at(10, 10))
        services.submit_attempt(first, by=first.user, now=at(10, 11))
        again = AttemptFactory(exam=first.exam, user=first.user, number=2, status="started")
        beat(again, at(10, 12))

        assert shared_addresses(first.exam) == []


class TestConnection:
    def test_each_event_stands_beside_the_connection_of_its_moment(
        self, make: Callable[..., Attempt], beat: Beat
    ) -> None:
        attempt = make()
        for minute, trip in ((10, None), (11, 50), (12, 2000), (16, 500)):
            beat(attempt, at(10, minute), round_trip_ms=trip)
        moments = [at(10, 10, 30), at(10, 11, 30), at(10, 13), at(10, 17)]
        events = [EventFactory(attempt=attempt, at=moment, type=1004) for moment in moments]

        assert types(attempt)[:4] == [1022, 1022, 1020, 1021]
        assert connections_at(attempt.pk, events) == ["unknown", "good", "lost", "fair"]
        assert connections_at(attempt.pk, events[::-1]) == ["fair", "lost", "good", "unknown"]
        # A page of a later part knows what came before it.
        assert connections_at(attempt.pk, events[2:3]) == ["lost"]

    def test_page_that_is_loaded_anew_has_measured_nothing_and_changes_nothing(
        self, make: Callable[..., Attempt], beat: Beat
    ) -> None:
        attempt = make()
        for number in range(6):
            beat(attempt, at(10, 10, number), round_trip_ms=None if number % 2 == 0 else 40)
        with CaptureQueriesContext(connection) as captured:
            beat(attempt, at(10, 11), round_trip_ms=None)

        assert (types(attempt), len(captured)) == ([1022], 1)
        assert (presence(attempt).quality, presence(attempt).round_trip_ms) == ("good", 40)

    def test_round_trip_on_the_border_is_no_change_each_time(self, make: Callable[..., Attempt], beat: Beat) -> None:
        attempt = make()
        for number, trip in enumerate((290, 310, 290, 350, 280, 400, 260, 230)):
            beat(attempt, at(10, 10, number), round_trip_ms=trip)

        words = [event.data["to"] for event in Event.objects.filter(attempt=attempt).order_by("pk")]
        assert words == ["good", "fair", "good"]

    def test_statements_do_not_grow_with_the_page(self, make: Callable[..., Attempt]) -> None:
        attempt = make()
        events = [EventFactory(attempt=attempt, at=at(10, 10, number), type=1004) for number in range(50)]
        for some in (events[:1], events):
            with CaptureQueriesContext(connection) as captured:
                connections_at(attempt.pk, some)
            assert len(captured) == 2


@pytest.mark.parametrize(
    ("trip", "word"),
    [(None, "unknown"), (0, "good"), (299, "good"), (300, "fair"), (999, "fair"), (1000, "poor"), (600_000, "poor")],
)
def test_quality(trip: int | None, word: str) -> None:
    assert quality_of(trip) == word


def test_busy_server_asks_for_fewer_heartbeats_up_to_a_bound() -> None:
    assert [stretch(mean, 250) for mean in (0, 249, 250, 499, 500, 750, 10**9)] == [1, 1, 2, 2, 3, 4, MAX_STRETCH]


def test_load_is_a_mean_that_forgets(settings: object) -> None:
    load = Load()
    for _ in range(200):
        load.note(1.0)
    assert load.stretch() == 4
    for _ in range(200):
        load.note(0.001)
    assert load.stretch() == 1


@pytest.mark.parametrize("seconds", [0, 44, 45, 89, 90, 9999])
def test_rows_are_found_by_the_state_that_is_shown(make: Callable[..., Attempt], beat: Beat, seconds: int) -> None:
    beat(make(), at(10, 10))
    now = at(10, 10) + timedelta(seconds=seconds)

    found = [state for state in State if Presence.objects.filter(page_in_state(state, now)).exists()]
    assert found == [Presence.objects.get().state_at(now)]
