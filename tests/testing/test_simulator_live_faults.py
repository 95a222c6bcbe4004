"""The simulator's faults, on the paths of live proctoring."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from proctoring.backends.live import BookingState, BookingWord, SessionRated
from proctoring.backends.rest import RestBackend
from proctoring.errors import BackendAuthenticationError, BackendError
from proctoring.testing.contract_base import EXAM
from proctoring.testing.simulator.process import SimulatorProcess
from tests.testing.lms import Receiver, book, wish


@pytest.fixture
def exam(backend: RestBackend) -> str:
    return backend.register_exam(EXAM, key="exam")


def calls(backend: RestBackend, exam: str) -> dict[str, Callable[[], object]]:
    booking = book(backend, wish(exam, "plan-9"))["plan-9"].external_id
    return {
        "book": lambda: book(backend, wish(exam)),
        "fetch": lambda: backend.fetch_booking(booking),
        "sessions": lambda: backend.list_sessions(exam, cursor=""),
        "ratings": lambda: backend.list_ratings(since=None, cursor=""),
        "cancel": lambda: backend.cancel_booking(booking, reference="plan-9", key="c"),
    }


@pytest.mark.parametrize(
    ("rule", "retry_after"),
    [
        ({"kind": "status", "status": 500}, None),
        ({"kind": "status", "status": 429, "retry_after": "3"}, 3.0),
        ({"kind": "broken_json"}, None),
        ({"kind": "error_inside"}, None),
        ({"kind": "lost_answer"}, None),
        ({"kind": "hang", "seconds": 0}, None),
    ],
)
def test_every_call_fails_once_and_succeeds_after_it(
    simulator: SimulatorProcess, backend: RestBackend, exam: str, rule: dict[str, Any], retry_after: float | None
) -> None:
    for name, call in calls(backend, exam).items():
        simulator.set_faults({**rule, "times": 1})
        with pytest.raises(BackendError) as caught:
            call()
        assert (caught.value.retryable, caught.value.retry_after) == (True, retry_after), name
        call()
    held = [one["reference"] for one in simulator.live()["bookings"] if one["state"] == "pending"]
    assert held == ["plan-1"]


def test_credentials_that_are_withdrawn_show_on_every_call(
    simulator: SimulatorProcess, backend: RestBackend, exam: str
) -> None:
    every = calls(backend, exam)
    simulator.set_faults({"kind": "expired_token", "times": 1})
    every["fetch"]()
    simulator.set_faults({"kind": "wrong_credentials"}, {"kind": "expired_token"})
    for call in every.values():
        with pytest.raises(BackendAuthenticationError):
            call()


@pytest.mark.parametrize("word", [word.value for word in BookingWord])
def test_a_booking_is_answered_with_any_word(
    simulator: SimulatorProcess, backend: RestBackend, exam: str, word: str
) -> None:
    simulator.set_faults({"kind": "booking", "word": word, "times": 1})
    answers = book(backend, wish(exam), wish(exam, "plan-2"))
    assert answers["plan-1"].word == word
    assert answers["plan-2"].word is BookingWord.ACCEPTED
    first = simulator.live()["bookings"][0]
    states = {"accepted": "pending", "exists": "confirmed"}
    assert first["state"] == states.get(word, "rejected")
    if word == "exists":
        report = backend.fetch_booking(answers["plan-1"].external_id)
        assert (report.state, report.reason) == (BookingState.CONFIRMED, BookingWord.EXISTS)


def test_a_booking_that_is_held_is_not_refused_by_a_fault(
    simulator: SimulatorProcess, backend: RestBackend, exam: str
) -> None:
    first = book(backend, wish(exam))
    simulator.set_faults({"kind": "booking", "word": "no_capacity"})
    assert book(backend, wish(exam)) == first


def test_a_word_nobody_agreed_on_is_a_rejection_in_the_book_too(
    simulator: SimulatorProcess, backend: RestBackend, exam: str
) -> None:
    simulator.set_faults({"kind": "booking", "word": "perhaps"})
    assert book(backend, wish(exam))["plan-1"].word is BookingWord.REJECTED
    [booking] = simulator.live()["bookings"]
    assert (booking["state"], booking["reason"]) == ("rejected", "perhaps")


@pytest.mark.parametrize(
    ("word", "state", "reason"),
    [
        ("confirmed", "confirmed", "rejected"),
        ("availability_unknown", "rejected", "availability_unknown"),
        ("bad weather", "rejected", "rejected"),
    ],
)
def test_what_a_fault_says_of_a_booking_comes_true(
    simulator: SimulatorProcess, backend: RestBackend, exam: str, word: str, state: str, reason: str
) -> None:
    booking = book(backend, wish(exam))["plan-1"].external_id
    simulator.set_faults({"kind": "booking_status", "word": word, "times": 1})
    for _ in range(2):
        report = backend.fetch_booking(booking)
        assert (report.state, report.reason) == (state, reason)


def test_a_vendor_that_is_never_done_changes_nothing(
    simulator: SimulatorProcess, backend: RestBackend, exam: str
) -> None:
    booking = book(backend, wish(exam))["plan-1"].external_id
    simulator.set_booking(booking, "confirmed")
    simulator.set_faults({"kind": "booking_status"})
    assert backend.fetch_booking(booking).state is BookingState.PENDING
    simulator.set_faults()
    assert backend.fetch_booking(booking).state is BookingState.CONFIRMED


def test_a_rating_may_name_somebody_else_or_be_none(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver
) -> None:
    simulator.fill_sessions("e-1", 1, rated=False)
    simulator.set_faults({"kind": "rating_mismatch", "times": 1})
    simulator.rate_session("bulk-1", inline=True)
    mismatch = receiver.next_event(backend)
    simulator.set_faults({"kind": "rating_invalid", "times": 1})
    simulator.rate_session("bulk-1", inline=True)
    invalid = receiver.next_event(backend)
    listed = backend.list_ratings(since=None, cursor="").records
    assert isinstance(mismatch, SessionRated)
    assert mismatch.rating == listed[0]
    assert (listed[0].candidate_number, listed[0].problem) == (2, "")
    assert isinstance(invalid, SessionRated)
    assert invalid.rating == listed[1]
    assert (listed[1].session_external_id, bool(listed[1].problem)) == ("bulk-1", True)


def test_rules_of_live_proctoring_are_read_from_the_command_line() -> None:
    with SimulatorProcess("--fault", "booking=conflict,probability=0.5", "--fault", "booking_status") as simulator:
        booking, status = simulator.control("GET", "faults")["faults"]
    assert (booking["word"], booking["probability"], status["word"]) == ("conflict", 0.5, "pending")
