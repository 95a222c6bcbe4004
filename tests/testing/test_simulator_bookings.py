"""Bookings at the simulator: what it takes, what it refuses and why, and how they stand later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
import requests

from proctoring.backends.live import BookingReport, BookingState, BookingUpdated, BookingWord
from proctoring.backends.rest import RestBackend
from proctoring.errors import BackendRejected
from proctoring.testing.contract_base import EXAM
from proctoring.testing.simulator.process import SimulatorProcess
from tests.testing.lms import Receiver, book, wish


@pytest.fixture
def exam(backend: RestBackend) -> str:
    return backend.register_exam(EXAM, key="exam")


def held(simulator: SimulatorProcess) -> Sequence[str]:
    return [one["reference"] for one in simulator.live()["bookings"] if one["state"] in ("pending", "confirmed")]


def test_a_booking_is_taken_and_confirmed_and_the_lms_hears_of_it(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver, exam: str
) -> None:
    simulator.change_settings(confirm_after=0.05)
    answer = book(backend, wish(exam))["plan-1"]
    assert answer.word is BookingWord.ACCEPTED
    event = receiver.next_event(backend)
    assert isinstance(event, BookingUpdated)
    assert event.booking_external_id == answer.external_id
    assert backend.fetch_booking(answer.external_id) == BookingReport(state=BookingState.CONFIRMED)


def test_a_booking_waits_for_the_vendors_word_where_it_does_not_come_by_itself(
    simulator: SimulatorProcess, backend: RestBackend, exam: str
) -> None:
    answer = book(backend, wish(exam))["plan-1"]
    assert backend.fetch_booking(answer.external_id).state is BookingState.PENDING
    simulator.set_booking("plan-1", "rejected", "availability_unknown")
    assert backend.fetch_booking(answer.external_id) == BookingReport(
        state=BookingState.REJECTED, reason=BookingWord.AVAILABILITY_UNKNOWN
    )


def test_a_confirmed_booking_can_be_withdrawn_and_news_is_told_once(
    simulator: SimulatorProcess, backend: RestBackend, exam: str
) -> None:
    answer = book(backend, wish(exam))["plan-1"]
    for state in ("confirmed", "confirmed", "withdrawn"):
        simulator.set_booking(answer.external_id, state)
    assert backend.fetch_booking(answer.external_id) == BookingReport(state=BookingState.REJECTED)
    assert [item["type"] for item in simulator.book()["deliveries"]] == ["booking.updated"] * 2
    simulator.change_settings(booking_messages=False)
    simulator.set_booking(answer.external_id, "confirmed", "exists")
    assert backend.fetch_booking(answer.external_id).reason is BookingWord.EXISTS
    assert len(simulator.book()["deliveries"]) == 2


def test_a_reference_that_is_held_is_the_same_booking(
    simulator: SimulatorProcess, backend: RestBackend, exam: str
) -> None:
    first = book(backend, wish(exam))["plan-1"]
    assert book(backend, wish(exam, hours=48))["plan-1"] == first
    assert held(simulator) == ["plan-1"]


def test_a_reference_that_was_refused_is_looked_at_anew(
    simulator: SimulatorProcess, backend: RestBackend, exam: str
) -> None:
    simulator.change_settings(proctors=0)
    assert book(backend, wish(exam))["plan-1"].word is BookingWord.NO_CAPACITY
    simulator.change_settings(proctors=1)
    first = book(backend, wish(exam))["plan-1"]
    simulator.set_booking("plan-1", "rejected")
    again = book(backend, wish(exam))["plan-1"]
    assert (first.word, again.word) == (BookingWord.ACCEPTED, BookingWord.ACCEPTED)
    assert first.external_id != again.external_id
    states = [(one["state"], one["reason"]) for one in simulator.book()["bookings"]]
    assert states == [("rejected", "no_capacity"), ("rejected", "rejected"), ("pending", "")]


def test_the_same_exam_and_window_exists_and_another_window_is_a_conflict(
    simulator: SimulatorProcess, backend: RestBackend, exam: str
) -> None:
    first = book(backend, wish(exam, "mine-1"))["mine-1"]
    answers = book(backend, wish(exam, "yours-1"), wish(exam, "yours-2", hours=25), wish(exam, "mine-2", hours=26))
    assert (answers["yours-1"].word, answers["yours-1"].external_id) == (BookingWord.EXISTS, first.external_id)
    assert answers["yours-2"].word is BookingWord.CONFLICT
    assert answers["mine-2"].word is BookingWord.ACCEPTED
    assert held(simulator) == ["mine-1", "mine-2"]


def test_parts_of_one_plan_share_their_window(simulator: SimulatorProcess, backend: RestBackend, exam: str) -> None:
    answers = book(backend, *(wish(exam, f"a-b-{part}") for part in range(1, 4)))
    assert {answer.word for answer in answers.values()} == {BookingWord.ACCEPTED}
    assert len({answer.external_id for answer in answers.values()}) == 3


@pytest.mark.parametrize(
    ("hours", "lead_hours", "word"),
    [(0, 0, "too_late"), (24, 20, "accepted"), (24, 24, "too_late"), (-2, 0, "too_late")],
)
def test_a_booking_may_come_too_late(
    simulator: SimulatorProcess, backend: RestBackend, exam: str, hours: float, lead_hours: float, word: str
) -> None:
    simulator.change_settings(booking_lead_minutes=lead_hours * 60)
    assert book(backend, wish(exam, hours=hours))["plan-1"].word == word


def test_proctors_are_counted_at_the_worst_moment(simulator: SimulatorProcess, backend: RestBackend, exam: str) -> None:
    simulator.change_settings(proctors=3)
    crowd = [f"c-{number}" for number in range(5)]
    early, late = wish(exam, "x-1", people=crowd), wish(exam, "x-2", hours=28, people=crowd)
    whole = wish(exam, "x-3", hours=24, ends_at=late.ends_at, reserved_until=late.reserved_until)
    answers = book(backend, early, late, whole, wish(exam, "x-4"), wish(exam, "x-5", hours=40, people=crowd * 3))
    assert [answers[f"x-{part}"].word.value for part in range(1, 6)] == [
        "accepted",
        "accepted",
        "accepted",
        "no_capacity",
        "no_capacity",
    ]
    backend.cancel_booking(answers["x-3"].external_id, reference="x-3", key="c")
    assert book(backend, wish(exam, "x-4"))["x-4"].word is BookingWord.ACCEPTED


def test_an_exam_nobody_registered_is_rejected_and_nonsense_refused_whole(
    simulator: SimulatorProcess, backend: RestBackend, exam: str
) -> None:
    assert book(backend, wish("no-such-exam"))["plan-1"].word is BookingWord.REJECTED
    good = wish(exam, "good-1")
    for bad, what in (
        (replace(good, ratio=0), "ratio"),
        (replace(good, candidates=()), "candidates"),
        (replace(good, candidates=good.candidates[:1] * 2), "same number"),
        (replace(good, reserved_from=good.starts_at + timedelta(minutes=1)), "window"),
    ):
        with pytest.raises(BackendRejected, match=rf"bookings\[1\].*{what}"):
            book(backend, good, bad)
    assert held(simulator) == []


def test_a_cancelled_booking_is_gone_and_may_be_cancelled_again(
    simulator: SimulatorProcess, backend: RestBackend, exam: str
) -> None:
    answer = book(backend, wish(exam))["plan-1"]
    for key in ("1", "2"):
        backend.cancel_booking(answer.external_id, reference="plan-1", key=key)
    with pytest.raises(BackendRejected, match="no such booking"):
        backend.fetch_booking(answer.external_id)
    assert book(backend, wish(exam, "other-1"))["other-1"].word is BookingWord.ACCEPTED
    backend.cancel_booking("", reference="other-1", key="3")
    backend.cancel_booking("", reference="never-sent-1", key="4")
    assert held(simulator) == []


def test_a_batch_that_is_sent_again_under_its_key_is_answered_as_it_is_now(
    simulator: SimulatorProcess, backend: RestBackend, exam: str
) -> None:
    simulator.set_faults({"kind": "missing_result", "times": 1})
    wishes = [wish(exam, "p-1"), wish(exam, "p-2")]
    assert set(book(backend, *wishes)) == {"p-2"}
    assert held(simulator) == ["p-1", "p-2"]
    assert set(book(backend, *wishes)) == {"p-1", "p-2"}
    assert held(simulator) == ["p-1", "p-2"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "bookings/none", {"state": "confirmed"}),
        ("PUT", "bookings/plan-1", {"state": "lost"}),
        ("PUT", "bookings/plan-1", {"state": "rejected", "why": "x"}),
        ("POST", "bookings/plan-1/rooms", None),
        ("POST", "sessions/none/enter", None),
        ("POST", "sessions/none/rating", {}),
        ("POST", "sessions", {"exam": "e", "count": 0}),
        ("POST", "sessions", {"exam": "e", "count": 1, "cuont": 1}),
    ],
)
def test_the_control_interface_refuses_what_makes_no_sense(
    simulator: SimulatorProcess, backend: RestBackend, exam: str, method: str, path: str, body: object
) -> None:
    book(backend, wish(exam))
    with pytest.raises(RuntimeError, match=r"40[049]"):
        simulator.control(method, path, body)


def test_the_desk_decides_about_bookings_and_escapes_what_it_shows(
    simulator: SimulatorProcess, backend: RestBackend, exam: str
) -> None:
    book(backend, wish(exam, "<script>-1"))
    page = requests.get(f"{simulator.url}/desk/", timeout=5)
    assert "&lt;script&gt;-1" in page.text
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    action = page.text.split('action="/desk/bookings/')[1].split('"')[0]
    for state in ("confirmed", "withdrawn"):
        requests.post(f"{simulator.url}/desk/bookings/{action}", data={"state": state}, timeout=5)
    [booking] = simulator.live()["bookings"]
    assert booking["state"] == "withdrawn"
    refused = requests.post(f"{simulator.url}/desk/bookings/{action}", data={"state": "confirmed"}, timeout=5)
    assert refused.status_code == 404
