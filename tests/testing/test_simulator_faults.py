"""Each fault of the simulator, seen by the reference backend and by a receiver of messages."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from proctoring.backends.rest import RestBackend
from proctoring.backends.types import AttemptReady, OnboardingBlock, Progress
from proctoring.errors import BackendAuthenticationError, BackendError, VerificationFailed
from proctoring.testing.contract_base import ATTEMPT, EXAM
from proctoring.testing.simulator.process import SimulatorProcess
from tests.testing.lms import Receiver, register


@pytest.mark.parametrize(
    ("rule", "retry_after"),
    [
        ({"kind": "status", "status": 500}, None),
        ({"kind": "status", "status": 429, "retry_after": "3"}, 3.0),
        ({"kind": "broken_json"}, None),
        ({"kind": "error_inside"}, None),
        ({"kind": "huge_body"}, None),
        ({"kind": "lost_answer"}, None),
        ({"kind": "hang", "seconds": 0}, None),
    ],
)
def test_a_fault_strikes_as_often_as_it_should_and_the_call_succeeds_after_it(
    simulator: SimulatorProcess, backend: RestBackend, rule: dict[str, Any], retry_after: float | None
) -> None:
    simulator.set_faults({**rule, "times": 1, "path": "/exam/"})
    with pytest.raises(BackendError) as caught:
        backend.register_exam(EXAM, key="same")
    assert (caught.value.retryable, caught.value.retry_after) == (True, retry_after)
    backend.register_exam(EXAM, key="same")
    assert len(simulator.book()["exams"]) == 1


def test_a_redirect_is_final(simulator: SimulatorProcess, backend: RestBackend) -> None:
    simulator.set_faults({"kind": "redirect"})
    with pytest.raises(BackendError) as caught:
        backend.register_exam(EXAM, key="k")
    assert not caught.value.retryable


def test_an_expired_token_is_not_noticed_by_the_caller(simulator: SimulatorProcess, backend: RestBackend) -> None:
    exam, attempt = register(backend)
    simulator.set_faults({"kind": "expired_token", "times": 1})
    backend.report_progress(exam, attempt, Progress.STARTED, key="s")
    assert simulator.book()["attempts"][0]["status"] == "started"


def test_a_vendor_that_withdraws_the_credentials(simulator: SimulatorProcess, backend: RestBackend) -> None:
    simulator.set_faults({"kind": "wrong_credentials"})
    with pytest.raises(BackendAuthenticationError):
        backend.register_exam(EXAM, key="k")


def test_a_fault_may_answer_with_an_onboarding_word(simulator: SimulatorProcess, backend: RestBackend) -> None:
    simulator.set_faults({"kind": "onboarding", "word": "onboarding_expired", "times": 1})
    exam = backend.register_exam(EXAM, key="e")
    blocked = backend.register_attempt(replace(ATTEMPT, exam_external_id=exam), key="k").blocked
    assert blocked is OnboardingBlock.EXPIRED


@pytest.mark.parametrize(
    "rule", [{"kind": "wrong_signature"}, {"kind": "altered_body"}, {"kind": "header_skew", "seconds": -900}]
)
def test_a_forged_message_is_refused_and_the_next_try_is_good(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver, rule: dict[str, Any]
) -> None:
    receiver.answers[:] = [401]
    simulator.set_faults({**rule, "times": 1})
    simulator.send_ready(register(backend)[1])
    with pytest.raises(VerificationFailed):
        backend.verify(receiver.next(), now=datetime.now(UTC))
    assert isinstance(receiver.next_event(backend), AttemptReady)


def test_a_duplicated_message_comes_twice_under_one_id(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver
) -> None:
    simulator.set_faults({"kind": "duplicate", "times": 1, "type": "attempt.reviewed"})
    message = simulator.send_review(register(backend)[1])
    assert [receiver.next().headers["webhook-id"] for _ in range(2)] == [message, message]


def test_a_reordered_message_comes_after_the_one_that_followed_it(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver
) -> None:
    _, attempt = register(backend)
    simulator.set_faults({"kind": "reorder", "times": 1, "seconds": 60})
    sent = [simulator.send_ready(attempt), simulator.send_review(attempt)]
    assert [receiver.next().headers["webhook-id"] for _ in range(2)] == sent[::-1]


def test_a_late_message_comes_after_one_that_was_sent_later(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver
) -> None:
    _, attempt = register(backend)
    simulator.set_faults({"kind": "late", "times": 1, "seconds": 1})
    late, prompt = simulator.send_ready(attempt), simulator.send_review(attempt)
    assert [receiver.next().headers["webhook-id"] for _ in range(2)] == [prompt, late]


def test_a_wrong_clock_shows_in_the_body_alone(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver
) -> None:
    simulator.set_faults({"kind": "body_skew", "seconds": -86400})
    simulator.send_ready(register(backend)[1])
    assert receiver.next_event(backend).occurred_at < datetime.now(UTC) - timedelta(hours=23)
