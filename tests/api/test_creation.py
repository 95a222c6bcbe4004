"""``exams/{id}/attempts/`` and ``exams/{id}/access/``: how an exam's door is tried."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.attempts.tokens import verify_access_token
from proctoring.exams.models import Exam, ExamStatus, ExamType
from proctoring.host import PrerequisiteState
from tests.api.conftest import A, Person, created, refused
from tests.factories import TEN, AttemptFactory, ExamFactory
from tests.hosts import ScriptedHost, configure

pytestmark = pytest.mark.usefixtures("lms")

FIELDS = {
    "id", "exam", "course_id", "content_id", "exam_name", "exam_type", "user", "number", "status", "phase",
    "taking_as_proctored", "backend", "created_at", "started_at", "submitted_at", "ended_at", "acknowledged_at",
    "expires_at", "paused_until", "seconds_left", "server_time", "total_seconds", "low_threshold_seconds",
    "critical_threshold_seconds", "launch", "resume",
}  # fmt: skip


def test_creation_answers_with_the_whole_attempt(candidate: Person, exam: Exam) -> None:
    with time_machine.travel(TEN, tick=False):
        body = created(candidate, exam)
    assert set(body) == FIELDS
    assert body | {"id": 0, "content_id": ""} == {
        "id": 0,
        "exam": exam.pk,
        "course_id": A,
        "content_id": "",
        "exam_name": exam.name,
        "exam_type": "timed",
        "user": {"id": candidate.user.pk, "username": candidate.user.username},
        "number": 1,
        "status": "created",
        "phase": "setup",
        "taking_as_proctored": False,
        "backend": "null",
        "created_at": "2026-03-02T10:00:00Z",
        "started_at": None,
        "submitted_at": None,
        "ended_at": None,
        "acknowledged_at": None,
        "expires_at": None,
        "paused_until": None,
        "seconds_left": None,
        "server_time": "2026-03-02T10:00:00Z",
        "total_seconds": 3600,
        "low_threshold_seconds": 720,
        "critical_threshold_seconds": 180,
        "launch": {"download_url": "", "instructions": [], "join_url": ""},
        "resume": {"allowed": False, "kind": None, "granted_at": None, "grantable": False},
    }


def test_the_unguessable_code_is_never_shown(candidate: Person, exam: Exam) -> None:
    body = candidate.post(f"/exams/{exam.pk}/attempts/").content.decode()
    assert Attempt.objects.get().code not in body


def test_proctored_defaults_to_true(candidate: Person, proctored: Exam) -> None:
    assert created(candidate, proctored)["taking_as_proctored"] is True


def test_opting_out_creates_and_declines_in_one_step(candidate: Person, proctored: Exam) -> None:
    body = created(candidate, proctored, proctored=False)
    assert (body["status"], body["taking_as_proctored"]) == ("declined", False)


@pytest.mark.parametrize("value", ["true", "false", 1, 0, None, [], {}])
def test_proctored_is_a_boolean_and_nothing_else(candidate: Person, proctored: Exam, value: object) -> None:
    body = refused(candidate.post(f"/exams/{proctored.pk}/attempts/", {"proctored": value}), 400, "invalid")
    assert list(body["errors"]) == ["proctored"]
    assert not Attempt.objects.exists()


def test_anonymous_hears_401_whether_or_not_the_exam_exists(nobody: Person, exam: Exam) -> None:
    for number in (exam.pk, 999_999):
        refused(nobody.post(f"/exams/{number}/attempts/"), 401, "not_authenticated")
        refused(nobody.get(f"/exams/{number}/access/"), 401, "not_authenticated")


def test_an_exam_of_a_course_that_one_may_not_see_is_not_there(
    candidate: Person, exam: Exam, lms: ScriptedHost
) -> None:
    lms.blind.add(candidate.user.pk)
    refused(candidate.post(f"/exams/{exam.pk}/attempts/", {"proctored": "?"}), 404, "not_found")
    refused(candidate.get(f"/exams/{exam.pk}/access/"), 404, "not_found")


class TestRefusals:
    def ask(self, person: Person, exam: Exam, code: str, status: int = 422, **body: Any) -> Any:
        return refused(person.post(f"/exams/{exam.pk}/attempts/", body), status, code)

    @pytest.mark.parametrize("status", [ExamStatus.DRAFT, ExamStatus.ARCHIVED])
    def test_exam_not_active(self, candidate: Person, status: str) -> None:
        self.ask(candidate, ExamFactory(status=status), "exam_not_active")

    def test_not_open_yet_says_when(self, candidate: Person) -> None:
        exam = ExamFactory(opens_at=TEN + timedelta(hours=1))
        with time_machine.travel(TEN, tick=False):
            body = self.ask(candidate, exam, "not_open_yet")
        assert body["data"]["opens_at"].startswith("2026-03-02T11:00:00")

    def test_past_due(self, candidate: Person) -> None:
        self.ask(candidate, ExamFactory(due_at=TEN), "past_due")

    def test_not_permitted(self, candidate: Person, exam: Exam, lms: ScriptedHost) -> None:
        lms.barred.add(candidate.user.pk)
        self.ask(candidate, exam, "not_permitted")

    @pytest.mark.parametrize("state", ["pending", "failed", "declined"])
    def test_prerequisites_say_which_and_where_to_go(
        self, candidate: Person, proctored: Exam, lms: ScriptedHost, state: str
    ) -> None:
        lms.require(PrerequisiteState(state))
        body = self.ask(candidate, proctored, f"prerequisites_{state}")
        assert body["data"]["prerequisites"] == [
            {"name": "identity", "label": "Identity", "state": state, "url": "/identity"}
        ]

    def test_opt_out_not_allowed(self, candidate: Person) -> None:
        self.ask(candidate, ExamFactory(exam_type=ExamType.PROCTORED), "opt_out_not_allowed", proctored=False)

    def test_attempt_exists_names_it(self, candidate: Person, attempt: Attempt) -> None:
        assert self.ask(candidate, attempt.exam, "attempt_exists", 409)["data"] == {"attempt": attempt.pk}

    def test_attempt_limit_reached(self, candidate: Person, exam: Exam) -> None:
        AttemptFactory(exam=exam, user=candidate.user, status=Status.SUBMITTED)
        self.ask(candidate, exam, "attempt_limit_reached")


class TestAccess:
    def test_running_is_open_with_a_token_that_needs_no_database(self, candidate: Person, exam: Exam) -> None:
        attempt = AttemptFactory(exam=exam, user=candidate.user, status=Status.STARTED)
        with time_machine.travel(TEN, tick=False):
            body = candidate.get(f"/exams/{exam.pk}/access/").json()
            claims = verify_access_token(body["token"])
        assert body | {"token": ""} == {
            "allowed": True,
            "reason": "started",
            "attempt": attempt.pk,
            "token": "",
            "expires_at": "2026-03-02T10:01:00Z",
        }
        assert (claims.user, claims.attempt, claims.course_id) == (str(candidate.user.pk), attempt.pk, A)

    def test_not_started_is_shut(self, candidate: Person, exam: Exam) -> None:
        body = candidate.get(f"/exams/{exam.pk}/access/").json()
        assert body == {
            "allowed": False,
            "reason": "not_started",
            "attempt": None,
            "token": None,
            "expires_at": None,
        }

    def test_an_overdue_attempt_opens_nothing(self, candidate: Person, exam: Exam) -> None:
        AttemptFactory(exam=exam, user=candidate.user, status=Status.STARTED)
        body = candidate.get(f"/exams/{exam.pk}/access/").json()
        assert (body["allowed"], body["reason"]) == (False, "submitted")

    def test_an_archived_exam_is_seen_and_says_so(self, candidate: Person) -> None:
        exam = ExamFactory(status=ExamStatus.ARCHIVED)
        assert candidate.get(f"/exams/{exam.pk}/access/").json()["reason"] == "exam_not_active"

    def test_without_keys_there_is_no_token(self, settings: Any, lms: ScriptedHost, candidate: Person) -> None:
        configure(settings, ACCESS_TOKEN_KEYS=[])
        exam = ExamFactory(due_at=TEN)
        body = candidate.get(f"/exams/{exam.pk}/access/").json()
        assert (body["allowed"], body["token"]) == (True, None)
