"""Rooms and ratings at the simulator: when they open, who is in them, and how ratings are announced and listed."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import requests

from proctoring.backends.live import RatingRecord, SessionJoined, SessionRated
from proctoring.backends.rest import RestBackend
from proctoring.backends.types import AttemptReady, Progress
from proctoring.testing.contract_base import ATTEMPT, EXAM
from proctoring.testing.simulator.process import SimulatorProcess
from tests.testing.lms import PATIENCE, Receiver, book, wish


@pytest.fixture
def quiet(simulator: SimulatorProcess) -> SimulatorProcess:
    """It tells of rooms and ratings, not of bookings and reviews."""
    simulator.change_settings(booking_messages=False, review_after=None)
    return simulator


@pytest.fixture
def exam(backend: RestBackend) -> str:
    return backend.register_exam(EXAM, key="exam")


def open_rooms(simulator: SimulatorProcess, backend: RestBackend, exam: str) -> list[str]:
    book(backend, wish(exam))
    simulator.set_booking("plan-1", "confirmed")
    return [room["id"] for room in simulator.open_rooms("plan-1")]


def attempt_of(backend: RestBackend, exam: str, key: str = "a") -> str:
    return backend.register_attempt(replace(ATTEMPT, exam_external_id=exam), key=key).external_id


def all_ratings(backend: RestBackend, since: datetime | None = None) -> list[RatingRecord]:
    records: list[RatingRecord] = []
    cursor = ""
    while True:
        page = backend.list_ratings(since=since, cursor=cursor)
        records += page.records
        cursor = page.next_cursor
        if not cursor:
            return records


def test_the_rooms_of_a_confirmed_booking_open_before_its_window(
    quiet: SimulatorProcess, backend: RestBackend, receiver: Receiver, exam: str
) -> None:
    quiet.change_settings(session_lead_minutes=24 * 60)
    later = wish(backend.register_exam(EXAM, key="other"), "later-1", hours=72)
    book(backend, wish(exam, "soon-1"), later)
    for reference in ("soon-1", "later-1"):
        quiet.set_booking(reference, "confirmed")
    events = [receiver.next_event(backend) for _ in range(2)]
    sessions = {event.session.candidate_number: event.session for event in events if isinstance(event, SessionJoined)}
    assert set(sessions) == {1, 2}
    assert {one.booking_external_id for one in sessions.values()} == {quiet.live()["bookings"][0]["id"]}
    assert all(one.joined_at is None for one in sessions.values())
    assert set(backend.list_sessions(exam, cursor="").records) == set(sessions.values())
    assert backend.list_sessions(later.exam_external_id, cursor="").records == ()
    quiet.change_settings(session_lead_minutes=72 * 60)
    quiet.set_booking("later-1", "confirmed", "exists")
    assert {type(receiver.next_event(backend)) for _ in range(2)} == {SessionJoined}


def test_a_candidate_who_enters_the_room_is_ready(
    quiet: SimulatorProcess, backend: RestBackend, receiver: Receiver, exam: str
) -> None:
    quiet.change_settings(session_messages=False)
    open_rooms(quiet, backend, exam)
    url = backend.list_sessions(exam, cursor="").records[0].join_url
    attempt = attempt_of(backend, exam)
    page = requests.get(url, timeout=5)
    assert "Enter the room" in page.text
    assert EXAM.name in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    quiet.change_settings(session_messages=True)
    for _ in range(2):
        assert "You are in the room" in requests.post(f"{url}enter", timeout=5).text
    events = {type(event): event for event in (receiver.next_event(backend) for _ in range(2))}
    joined, ready = events[SessionJoined], events[AttemptReady]
    assert isinstance(joined, SessionJoined)
    assert joined.session.joined_at is not None
    assert isinstance(ready, AttemptReady)
    assert ready.external_id == attempt
    assert len(quiet.book()["deliveries"]) == 2
    assert requests.get(f"{quiet.url}/live/nobody/", timeout=5).status_code == 404


def test_who_is_in_the_room_already_is_ready_at_once(
    quiet: SimulatorProcess, backend: RestBackend, receiver: Receiver, exam: str
) -> None:
    quiet.change_settings(session_messages=False)
    quiet.enter_room(open_rooms(quiet, backend, exam)[0])
    attempt = attempt_of(backend, exam)
    ready = receiver.next_event(backend)
    assert isinstance(ready, AttemptReady)
    assert ready.external_id == attempt
    somebody = replace(ATTEMPT, exam_external_id=exam, candidate_id="somebody-else")
    backend.register_attempt(somebody, key="other")
    assert [one["status"] for one in quiet.book()["attempts"]] == ["ready", "created"]


def test_the_rooms_of_a_booking_that_was_withdrawn_are_closed(
    quiet: SimulatorProcess, backend: RestBackend, exam: str
) -> None:
    [first, _] = open_rooms(quiet, backend, exam)
    url = backend.list_sessions(exam, cursor="").records[0].join_url
    quiet.set_booking("plan-1", "withdrawn")
    assert backend.list_sessions(exam, cursor="").records == ()
    assert "This room is closed" in requests.get(url, timeout=5).text
    quiet.enter_room(first)
    assert quiet.live()["sessions"][0]["joined_at"] is None


def test_sessions_are_listed_in_pages(quiet: SimulatorProcess, backend: RestBackend) -> None:
    quiet.fill_sessions("e-1", 150, rated=False)
    first = backend.list_sessions("e-1", cursor="")
    second = backend.list_sessions("e-1", cursor=first.next_cursor)
    assert (len(first.records), len(second.records), second.next_cursor) == (100, 50, "")
    assert len({record.external_id for record in (*first.records, *second.records)}) == 150
    assert (first.records[20].booking_external_id, first.records[20].candidate_number) == ("bulk-booking-2", 1)
    assert all_ratings(backend) == []


def test_a_session_is_rated_after_the_submission_and_the_rating_is_on_the_list(
    quiet: SimulatorProcess, backend: RestBackend, receiver: Receiver, exam: str
) -> None:
    quiet.change_settings(session_messages=False)
    [session, _] = open_rooms(quiet, backend, exam)
    attempt = attempt_of(backend, exam)
    backend.report_progress(exam, attempt, Progress.SUBMITTED, key="s")
    event = receiver.next_event(backend)
    assert isinstance(event, SessionRated)
    assert (event.session_external_id, event.rating) == (session, None)
    [record] = all_ratings(backend)
    assert (record.session_external_id, record.exam_external_id, record.candidate_number) == (session, exam, 1)
    assert record.raw_value == "90.0"
    assert record.risk == pytest.approx(0.1)


def test_who_has_no_session_is_not_rated(quiet: SimulatorProcess, backend: RestBackend, exam: str) -> None:
    attempt = attempt_of(backend, exam)
    backend.report_progress(exam, attempt, Progress.SUBMITTED, key="s")
    time.sleep(0.2)
    assert quiet.live()["ratings"] == []


def test_a_rating_may_be_in_the_message_or_in_no_message(
    quiet: SimulatorProcess, backend: RestBackend, receiver: Receiver, exam: str
) -> None:
    quiet.change_settings(session_messages=False)
    [session, other] = open_rooms(quiet, backend, exam)
    quiet.rate_session(session, announce=False)
    quiet.change_settings(rating_messages=False)
    quiet.rate_session(session)
    quiet.change_settings(rating_messages=True)
    quiet.rate_session(other, inline=True, rating=2, scale="stars_1_5", rated_at="2029-01-01T00:00:00Z")
    event = receiver.next_event(backend)
    assert isinstance(event, SessionRated)
    assert event.rating is not None
    assert (event.session_external_id, event.rating.risk, event.rating.raw_scale) == (other, 0.75, "stars_1_5")
    assert event.rating.rated_at == datetime(2029, 1, 1, tzinfo=UTC)
    assert [record.session_external_id for record in all_ratings(backend)] == [session, session, other]


def test_an_attempts_rating_is_on_the_list_too(simulator: SimulatorProcess, backend: RestBackend, exam: str) -> None:
    attempt = attempt_of(backend, exam)
    simulator.send_rating(attempt)
    simulator.send_rating(attempt, rating=20, scale="risk_0_100")
    [record] = all_ratings(backend)
    assert (record.attempt_external_id, record.session_external_id, record.risk) == (attempt, "", 0.2)


def test_ratings_since_a_moment_leave_out_older_ones_and_never_a_late_one(
    quiet: SimulatorProcess, backend: RestBackend
) -> None:
    quiet.fill_sessions("e-1", 3, rated_at="2030-01-01T00:00:00+00:00", seconds_apart=3600)
    assert len(all_ratings(backend, datetime(2030, 1, 1, 1, tzinfo=UTC))) == 2
    assert all_ratings(backend, datetime(2030, 1, 1, 3, tzinfo=UTC)) == []
    quiet.rate_session("bulk-1", rated_at="2029-12-31T00:00:00+00:00")
    late = all_ratings(backend, datetime(2030, 1, 1, 2, tzinfo=UTC))
    assert [record.session_external_id for record in late] == ["bulk-3", "bulk-1"]


def test_a_cursor_stays_good_while_ratings_are_added(quiet: SimulatorProcess, backend: RestBackend) -> None:
    quiet.fill_sessions("e-1", 400)
    first = backend.list_ratings(since=None, cursor="")
    quiet.fill_sessions("e-1", 10, prefix="more")
    second = backend.list_ratings(since=None, cursor=first.next_cursor)
    ids = [record.session_external_id for record in (*first.records, *second.records)]
    assert ids == [f"bulk-{number}" for number in range(1, 401)] + [f"more-{number}" for number in range(1, 11)]
    assert len(first.records) == 300


@pytest.mark.long
def test_a_hundred_thousand_ratings_are_read_in_pages_without_a_pause(
    quiet: SimulatorProcess, backend: RestBackend
) -> None:
    answer = quiet.fill_sessions("e-1", 100_000, prefix="many")
    assert answer == {"sessions": 100_000, "first": "many-1", "last": "many-100000"}
    began = time.monotonic()
    page = backend.list_ratings(since=None, cursor="99900")
    assert (len(page.records), page.next_cursor) == (100, "")
    assert page.records[-1].session_external_id == "many-100000"
    since = page.records[-50].rated_at
    assert since is not None
    assert len(backend.list_ratings(since=since, cursor="").records) == 50
    assert time.monotonic() - began < PATIENCE / 10


def test_the_desk_rates_a_session(quiet: SimulatorProcess, backend: RestBackend, exam: str) -> None:
    [session, _] = open_rooms(quiet, backend, exam)
    assert session in requests.get(f"{quiet.url}/desk/", timeout=5).text
    requests.post(f"{quiet.url}/desk/sessions/{session}/", data={"rating": "75"}, timeout=5)
    assert [record.raw_value for record in all_ratings(backend)] == ["75.0"]
    refused = requests.post(f"{quiet.url}/desk/sessions/{session}/", data={"rating": "good"}, timeout=5)
    assert refused.status_code == 400


def test_a_person_who_is_forgotten_is_in_no_booking_and_no_session(
    quiet: SimulatorProcess, backend: RestBackend, exam: str
) -> None:
    open_rooms(quiet, backend, exam)
    backend.retire_candidate(ATTEMPT.candidate_id, key="r")
    found = quiet.live()
    assert [one["user_id"] for one in found["bookings"][0]["candidates"]] == ["", "somebody-else"]
    assert [one["user_id"] for one in found["sessions"]] == ["", "somebody-else"]


def test_bookings_rooms_and_ratings_survive_a_power_cut() -> None:
    options = ("--confirm-after", "never", "--rating-after", "0.3", "--review-after", "never")
    with SimulatorProcess(*options, remember=True) as simulator:
        backend = RestBackend(**simulator.backend_options(), total_timeout=5)
        exam = backend.register_exam(EXAM, key="e")
        [session, _] = open_rooms(simulator, backend, exam)
        answer = book(backend, wish(exam))["plan-1"]
        attempt = attempt_of(backend, exam)
        backend.report_progress(exam, attempt, Progress.SUBMITTED, key="s")
        before = simulator.live()
        simulator.kill()
        simulator.restart()
        after = simulator.live()
        assert (after["bookings"], after["sessions"]) == (before["bookings"], before["sessions"])
        assert book(backend, wish(exam))["plan-1"] == answer
        deadline = time.monotonic() + PATIENCE
        while not all_ratings(backend) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert [record.session_external_id for record in all_ratings(backend)] == [session]
        simulator.control("POST", "reset")
        assert simulator.live() == {"bookings": [], "sessions": [], "ratings": []}


def test_the_command_line_has_the_settings_of_live_proctoring() -> None:
    options = (
        *("--proctors", "7", "--booking-lead-minutes", "30", "--confirm-after", "never"),
        *("--session-lead-minutes", "5", "--rating-after", "never", "--session-rating", "4"),
        *("--session-rating-scale", "stars_1_5", "--rating-inline", "--no-booking-messages", "--no-rating-messages"),
    )
    with SimulatorProcess(*options) as simulator:
        settings = simulator.control("GET", "settings")
    assert (settings["proctors"], settings["booking_lead_minutes"], settings["confirm_after"]) == (7, 30, None)
    assert (settings["session_lead_minutes"], settings["rating_after"], settings["session_rating"]) == (5, None, 4)
    assert (settings["session_rating_scale"], settings["rating_inline"]) == ("stars_1_5", True)
    told = [settings[f"{kind}_messages"] for kind in ("booking", "session", "rating")]
    assert told == [False, True, False]
