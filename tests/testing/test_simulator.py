"""The simulator as another process, and the reference backend against it."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import requests

from proctoring.backends.rest import RestBackend
from proctoring.backends.types import (
    AttemptRated,
    AttemptReady,
    AttemptReviewed,
    ExamType,
    OnboardingBlock,
    Progress,
    ReviewStatus,
    UnknownEvent,
)
from proctoring.errors import BackendAuthenticationError, BackendError, BackendRejected
from proctoring.testing.contract_base import ATTEMPT, EXAM
from proctoring.testing.simulator.process import SimulatorProcess
from tests.testing.lms import PATIENCE, Receiver, register


def test_an_exam_from_its_registration_to_its_review(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver
) -> None:
    exam, attempt = register(backend)
    launch = backend.fetch_launch(exam, attempt, language="de")
    assert launch.instructions[0].startswith("Öffnen")
    page = requests.get(launch.download_url, timeout=5)
    assert "Start the check" in page.text
    action = re.search(r'action="([^"]+)"', page.text)
    assert action
    after = requests.post(simulator.url + action[1], timeout=5)
    assert "The check is done" in after.text
    ready = receiver.next_event(backend)
    assert isinstance(ready, AttemptReady)
    assert ready.external_id == attempt
    backend.report_progress(exam, attempt, Progress.STARTED, key="k-started")
    backend.report_progress(exam, attempt, Progress.SUBMITTED, key="k-submitted")
    reviewed = receiver.next_event(backend)
    assert isinstance(reviewed, AttemptReviewed)
    assert (reviewed.external_id, reviewed.status) == (attempt, ReviewStatus.PASSED)
    assert reviewed.comments
    assert reviewed.occurred_at > ready.occurred_at
    history = [entry["status"] for entry in simulator.book()["attempts"][0]["history"]]
    assert history == ["created", "ready", "started", "submitted", "reviewed"]


def test_the_candidates_page_needs_no_script_and_no_inline_style(backend: RestBackend) -> None:
    page = requests.get(backend.fetch_launch(*register(backend), language="en").download_url, timeout=5)
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    assert "<script" not in page.text
    assert "style=" not in page.text
    assert '<html lang="en">' in page.text


def test_the_check_is_announced_once_however_often_the_button_is_pressed(
    simulator: SimulatorProcess, backend: RestBackend
) -> None:
    url = backend.fetch_launch(*register(backend), language="en").download_url
    for _ in range(3):
        requests.post(url + "start", timeout=5)
    assert [item["type"] for item in simulator.book()["deliveries"]] == ["attempt.ready"]


def test_a_call_repeated_with_its_key_is_answered_the_same_and_doubles_nothing(
    simulator: SimulatorProcess, backend: RestBackend
) -> None:
    assert register(backend, "once") == register(backend, "once")
    assert register(backend, "twice") != register(backend, "once")
    book = simulator.book()
    assert len(book["exams"]) == len(book["attempts"]) == 2
    assert sum(call.get("replayed", False) for call in book["calls"]) == 4


def test_an_exam_is_updated_in_its_place(simulator: SimulatorProcess, backend: RestBackend) -> None:
    exam = backend.register_exam(EXAM, key="1")
    assert backend.register_exam(replace(EXAM, name="Physics", external_id=exam), key="2") == exam
    assert [item["exam_name"] for item in simulator.book()["exams"]] == ["Physics"]
    with pytest.raises(BackendRejected, match="no such exam"):
        backend.register_exam(replace(EXAM, external_id="never-heard-of"), key="3")


def test_a_removed_attempt_is_gone_and_may_be_removed_again(simulator: SimulatorProcess, backend: RestBackend) -> None:
    exam, attempt = register(backend)
    backend.remove_attempt(exam, attempt, key="1")
    backend.remove_attempt(exam, attempt, key="2")
    with pytest.raises(BackendRejected):
        backend.report_progress(exam, attempt, Progress.STARTED, key="3")
    assert simulator.book()["attempts"][0]["status"] == "deleted"


def test_wrong_credentials_are_refused(simulator: SimulatorProcess) -> None:
    backend = RestBackend(**{**simulator.backend_options(), "client_secret": "something-else-entirely-of-32-bytes"})
    with pytest.raises(BackendAuthenticationError):
        backend.register_exam(EXAM, key="k")


def test_a_person_can_be_retired(simulator: SimulatorProcess, backend: RestBackend) -> None:
    register(backend)
    token = _token(simulator)
    for known in (True, True, False):
        candidate = ATTEMPT.candidate_id if known else "stranger"
        answer = requests.delete(f"{simulator.url}/api/v1/user/{candidate}/", headers=token, timeout=5)
        assert answer.json() is known
    assert simulator.book()["attempts"][0]["email"] == ""


def test_onboarding_blocks_until_the_profile_is_approved(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver
) -> None:
    simulator.change_settings(require_onboarding=True)
    exam = backend.register_exam(EXAM, key="e")
    mine = replace(ATTEMPT, exam_external_id=exam)
    assert backend.register_attempt(mine, key="1").blocked is OnboardingBlock.MISSING
    simulator.control("PUT", f"profiles/{ATTEMPT.candidate_id}", {"status": "rejected"})
    assert backend.register_attempt(mine, key="2").blocked is OnboardingBlock.FAILED
    onboarding = backend.register_exam(replace(EXAM, exam_type=ExamType.ONBOARDING), key="o")
    sample = backend.register_attempt(replace(ATTEMPT, exam_external_id=onboarding), key="3").external_id
    backend.report_progress(onboarding, sample, Progress.SUBMITTED, key="4")
    receiver.next()
    assert backend.register_attempt(mine, key="5").external_id
    answer = requests.get(
        f"{simulator.url}/api/v1/courses/{EXAM.course_id}/onboarding_statuses",
        params={"status": "approved", "page_size": "1"},
        headers=_token(simulator),
        timeout=5,
    ).json()
    assert [row["user_id"] for row in answer["results"]] == [ATTEMPT.candidate_id]


def test_the_dashboard_opens_with_a_good_link_only(backend: RestBackend) -> None:
    exam, attempt = register(backend)
    url = backend.dashboard_url(course_id=EXAM.course_id, user_label="Ada", exam_external_id=exam)
    page = requests.get(url, timeout=5)
    assert page.status_code == 200
    assert attempt in page.text
    assert requests.get(url[:-3] + "AAA", timeout=5).status_code == 403


def test_an_attempt_becomes_ready_by_itself_when_told_to(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver
) -> None:
    simulator.change_settings(auto_ready=0)
    _, attempt = register(backend)
    event = receiver.next_event(backend)
    assert isinstance(event, AttemptReady)
    assert event.external_id == attempt


def test_a_verdict_may_be_chosen_for_one_attempt(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver
) -> None:
    exam, attempt = register(backend)
    simulator.control("PUT", f"attempts/{attempt}", {"verdict": "suspicious"})
    backend.report_progress(exam, attempt, Progress.SUBMITTED, key="s")
    event = receiver.next_event(backend)
    assert isinstance(event, AttemptReviewed)
    assert event.status is ReviewStatus.SUSPICIOUS


def test_a_review_can_be_sent_in_any_words_and_from_any_time(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver
) -> None:
    _, attempt = register(backend)
    simulator.send_review(attempt, status="violation", timestamp="2029-01-01T00:00:00Z", reviewed_by="ada@example.com")
    event = receiver.next_event(backend)
    assert isinstance(event, AttemptReviewed)
    assert (event.status, event.reviewed_by, event.occurred_at.year) == (
        ReviewStatus.VIOLATION,
        "ada@example.com",
        2029,
    )


def test_a_rating_follows_each_review_when_told_to(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver
) -> None:
    simulator.change_settings(rating=2, rating_scale="stars_1_5")
    exam, attempt = register(backend)
    backend.report_progress(exam, attempt, Progress.SUBMITTED, key="s")
    events = {type(event): event for event in (receiver.next_event(backend) for _ in range(2))}
    rated = events[AttemptRated]
    assert isinstance(rated, AttemptRated)
    assert (rated.external_id, rated.raw_value, rated.raw_scale, rated.risk) == (attempt, "2", "stars_1_5", 0.75)
    assert AttemptReviewed in events


def test_a_rating_can_be_sent_on_any_scale_and_without_its_value(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver
) -> None:
    _, attempt = register(backend)
    simulator.send_rating(attempt, rating=90, scale="trust_0_100", timestamp="2029-01-01T00:00:00Z")
    rated = receiver.next_event(backend)
    assert isinstance(rated, AttemptRated)
    assert (round(rated.risk, 4), rated.occurred_at.year) == (0.1, 2029)
    simulator.send_rating(attempt)
    assert isinstance(receiver.next_event(backend), UnknownEvent)


def test_a_message_is_sent_again_under_its_id_until_it_is_taken(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver
) -> None:
    receiver.answers[:] = [500, 302]
    message = simulator.send_ready(register(backend)[1])
    assert {receiver.next().headers["webhook-id"] for _ in range(3)} == {message}


def test_any_message_at_all_can_be_sent(simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver) -> None:
    simulator.control("POST", "messages", {"body": "{no json"})
    request = receiver.next()
    backend.verify(request, now=datetime.now(UTC))
    assert request.body == b"{no json"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("faults", {"faults": [{"kind": "earthquake"}]}),
        ("faults", {"faults": [{"kind": "status", "stauts": 500}]}),
        ("faults", {"faults": [{"kind": "latency", "seconds": "long"}]}),
        ("settings", {"verdct": "passed"}),
        ("settings", {"verdict": "Clean"}),
        ("settings", {"webhook_secret": "hunter2"}),
        ("settings", {"review_after": "soon"}),
    ],
)
def test_the_control_interface_refuses_what_it_does_not_know(
    simulator: SimulatorProcess, path: str, body: dict[str, Any]
) -> None:
    with pytest.raises(RuntimeError, match="400"):
        simulator.control("PUT", path, body)


def test_a_vendor_with_a_memory_survives_a_power_cut() -> None:
    with SimulatorProcess(remember=True) as simulator:
        backend = RestBackend(**simulator.backend_options(), total_timeout=5)
        before, port = register(backend), simulator.port
        simulator.kill()
        with pytest.raises(BackendError) as caught:
            register(backend)
        assert caught.value.retryable
        simulator.restart()
        assert simulator.port == port
        assert register(backend) == before
        assert len(simulator.book()["attempts"]) == 1
        simulator.stop()
        assert simulator.returncode == 0


def test_a_port_in_use_is_one_line_that_names_port_and_option() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = _run("--port", port)
    assert ended.returncode == 2
    assert len(ended.stderr.splitlines()) == 1
    assert port in ended.stderr
    assert "--port" in ended.stderr


def test_a_fault_the_command_line_does_not_know_is_an_error() -> None:
    ended = _run("--port", "0", "--fault", "status=503,tims=2")
    assert ended.returncode == 2
    assert "tims" in ended.stderr


def test_options_of_the_command_line_are_the_settings() -> None:
    options = ("--fault", "status=503,times=2,path=/exam/", "--verdict", "violation", "--review-after", "never")
    with SimulatorProcess(*options) as simulator:
        (fault,) = simulator.control("GET", "faults")["faults"]
        assert (fault["kind"], fault["status"], fault["times"], fault["path"]) == ("status", 503, 2, "/exam/")
        settings = simulator.control("GET", "settings")
        assert (settings["verdict"], settings["review_after"]) == ("violation", None)


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "proctoring.testing.simulator", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)


def _token(simulator: SimulatorProcess) -> dict[str, str]:
    options = simulator.backend_options()
    form = {
        "grant_type": "client_credentials",
        "client_id": options["client_id"],
        "client_secret": options["client_secret"],
    }
    answer = requests.post(f"{simulator.url}/oauth2/access_token", data=form, timeout=5)
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def test_the_onboarding_list_has_pages_and_the_words_of_the_wire(
    simulator: SimulatorProcess, backend: RestBackend
) -> None:
    simulator.change_settings(require_onboarding=True)
    exam = backend.register_exam(EXAM, key="e")
    people = [f"candidate-{number:03}" for number in range(101)]
    for person in people:
        answer = backend.register_attempt(replace(ATTEMPT, exam_external_id=exam, candidate_id=person), key=person)
        assert answer.blocked is OnboardingBlock.MISSING
    simulator.set_profile(people[0], "approved")
    simulator.set_profile(people[1], "rejected")
    first = backend.list_onboarding(EXAM.course_id, cursor="")
    second = backend.list_onboarding(EXAM.course_id, cursor=first.next_cursor)
    assert [record.candidate_id for record in (*first.records, *second.records)] == people
    assert (len(first.records), first.next_cursor, second.next_cursor) == (100, "2", "")
    assert [record.status.value for record in first.records[:3]] == ["approved", "rejected", "none"]
    assert [record.in_course for record in first.records[:3]] == [True, None, None]
    assert backend.list_onboarding("another-course", cursor="").records == ()
    backend.retire_candidate(people[0], key="r1")
    backend.retire_candidate(people[0], key="r2")
    assert people[0] not in {
        record.candidate_id for record in backend.list_onboarding(EXAM.course_id, cursor="").records
    }


def test_an_approval_of_another_course_is_told_as_such(simulator: SimulatorProcess, backend: RestBackend) -> None:
    elsewhere = replace(EXAM, course_id="course-v1:Acme+Physics+2030", exam_type=ExamType.ONBOARDING)
    onboarding = backend.register_exam(elsewhere, key="o")
    exam = backend.register_exam(EXAM, key="e")
    for number, place in enumerate((onboarding, exam)):
        backend.register_attempt(replace(ATTEMPT, exam_external_id=place), key=str(number))
    simulator.set_profile(ATTEMPT.candidate_id, "approved")
    [here] = backend.list_onboarding(EXAM.course_id, cursor="").records
    [there] = backend.list_onboarding(elsewhere.course_id, cursor="").records
    assert (here.in_course, there.in_course) == (False, True)
