"""Who may come in, by which method, and what a stranger learns: nothing."""

import logging
import re
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.attempts.tokens import verify_page_token
from proctoring.candidate.actions import ACTIONS, CONFIRMED
from proctoring.candidate.screens import Screen
from proctoring.exams.models import ExamStatus, ExamType
from proctoring.host import Role
from tests.candidate.pages import act, page_url, screen_of
from tests.factories import AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import configure, scripted


def test_anonymous_person_is_sent_to_the_login_and_back_to_the_page(client: Client) -> None:
    exam = ExamFactory()
    there = f"/accounts/login/?next={page_url(exam)}"
    assert client.get(page_url(exam)).headers["Location"] == there
    for action in ACTIONS:
        assert client.post(f"{page_url(exam)}{action}/").headers["Location"] == there
    assert client.get(f"{page_url(exam)}state/").status_code == 401
    assert not Attempt.objects.exists()


def test_exam_that_is_not_there_is_404(page_client: Client) -> None:
    for path in ("", "state/"):
        assert page_client.get(f"/proctoring/exam/4711/{path}").status_code == 404
    assert page_client.post("/proctoring/exam/4711/begin/").status_code == 404


def test_exam_of_a_course_out_of_sight_is_404_unless_the_person_has_sat_it(
    page_client: Client, candidate: AbstractUser, settings: object
) -> None:
    host = scripted(settings)
    host.visible_courses = lambda user: ["other-course"]
    exam = ExamFactory()
    assert page_client.get(page_url(exam)).status_code == 404
    assert page_client.get(f"{page_url(exam)}state/").status_code == 404
    assert act(page_client, exam, "begin").status_code == 404
    AttemptFactory(exam=exam, user=candidate, status=Status.SUBMITTED)
    assert page_client.get(page_url(exam)).status_code == 200


def test_page_never_shows_or_touches_the_attempt_of_somebody_else(page_client: Client) -> None:
    exam = ExamFactory()
    other = AttemptFactory(exam=exam, user=UserFactory(), status=Status.STARTED)
    assert screen_of(page_client.get(page_url(exam))) == Screen.ENTRANCE
    assert page_client.get(f"{page_url(exam)}state/").json()["attempt"] is None
    for action in ("submit", "stop", "error", "acknowledge"):
        assert act(page_client, exam, action, attempt=other.pk).status_code == 409
    other.refresh_from_db()
    assert other.status == Status.STARTED


@pytest.mark.parametrize("action", sorted(set(ACTIONS)))
def test_get_changes_nothing(page_client: Client, candidate: AbstractUser, action: str) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED, allow_opt_out=True)
    attempt = AttemptFactory(exam=exam, user=candidate)
    answer = page_client.get(f"{page_url(exam)}{action}/")
    assert answer.status_code == (200 if action in CONFIRMED else 405)
    attempt.refresh_from_db()
    assert (attempt.status, Attempt.history.count()) == (Status.CREATED, 1)


def test_staff_of_a_course_out_of_sight_see_its_exams_page(
    page_client: Client, candidate: AbstractUser, settings: object
) -> None:
    host = scripted(settings)
    host.visible_courses = lambda user: []
    exam = ExamFactory(status=ExamStatus.DRAFT)
    assert page_client.get(page_url(exam)).status_code == 404
    host.roles.add((candidate.pk, exam.course_id, Role.REVIEWER))
    assert page_client.get(page_url(exam)).status_code == 200


def test_state_answers_for_itself_where_every_page_needs_a_login(client: Client, settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    exam = ExamFactory()
    answer = client.get(f"{page_url(exam)}state/")
    assert (answer.status_code, answer.json()) == (401, {"code": "not_authenticated"})
    assert client.get(page_url(exam)).headers["Location"] == f"/accounts/login/?next={page_url(exam)}"


@pytest.mark.parametrize("action", sorted(set(ACTIONS)))
def test_form_without_its_token_is_refused(candidate: AbstractUser, action: str) -> None:
    exam = ExamFactory()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(candidate)
    assert act(strict, exam, action).status_code == 403
    assert not Attempt.objects.exists()


def test_form_with_the_token_of_the_page_works(candidate: AbstractUser) -> None:
    exam = ExamFactory()
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(candidate)
    strict.get(page_url(exam))
    token = strict.cookies["csrftoken"].value
    assert act(strict, exam, "begin", csrfmiddlewaretoken=token).status_code == 302
    assert Attempt.objects.get().user == candidate


def test_form_with_an_old_token_is_shown_again_with_a_new_one(
    candidate: AbstractUser, caplog: pytest.LogCaptureFixture
) -> None:
    exam = ExamFactory()
    attempt = AttemptFactory(exam=exam, user=candidate, status=Status.STARTED)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(candidate)
    strict.get(page_url(exam))
    old = strict.cookies["csrftoken"].value
    strict.cookies["csrftoken"] = "n" * len(old)
    with caplog.at_level(logging.WARNING, logger="django.security.csrf"):
        refused = act(strict, exam, "stop", attempt=attempt.pk, csrfmiddlewaretoken=old)
    assert refused.status_code == 403
    assert "CSRF token from POST incorrect" in caplog.text
    assert screen_of(refused) == Screen.RUNNING
    assert "Please press again." in refused.content.decode()
    attempt.refresh_from_db()
    assert attempt.status == Status.STARTED
    token = refused.context["csrf_token"]
    assert act(strict, exam, "stop", attempt=attempt.pk, csrfmiddlewaretoken=token).status_code == 302


def test_confirmation_with_an_old_token_is_asked_again_and_keeps_what_was_written(candidate: AbstractUser) -> None:
    exam = ExamFactory()
    AttemptFactory(exam=exam, user=candidate, status=Status.STARTED)
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(candidate)
    refused = act(strict, exam, "error", detail="The <camera> broke")
    text = refused.content.decode()
    assert refused.status_code == 403
    assert "Please press again." in text
    assert "The &lt;camera&gt; broke</textarea>" in text
    german = strict.post(f"{page_url(exam)}error/", headers={"Accept-Language": "de"}).content.decode()
    assert "Bitte drücken Sie noch einmal." in german


def test_form_from_elsewhere_does_nothing(candidate: AbstractUser) -> None:
    exam = ExamFactory()
    strict = Client(enforce_csrf_checks=True, headers={"Origin": "https://elsewhere.example"})
    strict.force_login(candidate)
    strict.get(page_url(exam))
    token = strict.cookies["csrftoken"].value
    assert act(strict, exam, "begin", csrfmiddlewaretoken=token).status_code == 403
    assert not Attempt.objects.exists()


def test_only_get_and_post_and_only_known_words(page_client: Client) -> None:
    exam = ExamFactory()
    assert page_client.post(page_url(exam)).status_code == 405
    assert page_client.post(f"{page_url(exam)}state/").status_code == 405
    assert page_client.delete(f"{page_url(exam)}begin/").status_code == 405
    assert page_client.post(f"{page_url(exam)}verify/").status_code == 404


def test_confirmation_that_has_no_sense_leads_back(page_client: Client) -> None:
    exam = ExamFactory()
    for action in CONFIRMED:
        assert page_client.get(f"{page_url(exam)}{action}/").headers["Location"] == page_url(exam)


def test_pages_are_not_kept_and_run_no_script_of_their_own(page_client: Client, candidate: AbstractUser) -> None:
    exam = ExamFactory()
    AttemptFactory(exam=exam, user=candidate, status=Status.STARTED)
    answer = page_client.get(page_url(exam))
    text = answer.content.decode()
    assert "no-store" in answer.headers["Cache-Control"]
    assert '<script type="module" src="/static/proctoring/exam.js"></script>' in text
    scripts = re.findall(r"<script([^>]*)>([^<]*)", text)
    assert [content for attributes, content in scripts if "src=" in attributes and content] == []
    # What has no address is data, which no policy forbids.
    assert [attributes for attributes, _ in scripts if "src=" not in attributes] == [
        ' id="proctoring-page" type="application/json"'
    ]
    for inline in (" style=", "<style", " onclick=", " onload=", "javascript:"):
        assert inline not in text


def test_state_is_small_and_costs_the_same_for_everybody(page_client: Client, candidate: AbstractUser) -> None:
    exam = ExamFactory()
    for status, number in ((Status.SUBMITTED, 1), (Status.VOIDED, 2), (Status.STARTED, 3)):
        AttemptFactory(exam=exam, user=candidate, status=status, number=number)
    for _ in range(3):
        AttemptFactory(exam=exam, status=Status.STARTED)
    with CaptureQueriesContext(connection) as statements:
        answer = page_client.get(f"{page_url(exam)}state/")
    assert len(statements) == 4
    assert answer.headers["Cache-Control"].startswith("max-age=0, no-cache, no-store")
    state = answer.json()
    assert state.pop("page_version")
    assert state.pop("content_version")
    assert verify_page_token(state.pop("page_token"), now=at(10, 10)).attempt == state["attempt"]
    assert state == {
        "attempt": Attempt.objects.get(user=candidate, number=3).pk,
        "status": "started",
        "screen": "running",
        "seconds_left": 3000,
        "total_seconds": 3600,
        "low_threshold_seconds": 720,
        "critical_threshold_seconds": 180,
        "expires_at": "2026-03-02T11:00:00Z",
        "server_time": "2026-03-02T10:10:00Z",
        "allowed": True,
        "read_only": False,
    }


@pytest.mark.parametrize("exam_type", ExamType)
@pytest.mark.parametrize("exam_status", [ExamStatus.ACTIVE, ExamStatus.ARCHIVED])
@pytest.mark.parametrize("status", Status)
def test_state_costs_little_where_the_host_asks_its_database_for_each_answer(
    page_client: Client,
    candidate: AbstractUser,
    settings: Any,
    status: Status,
    exam_status: ExamStatus,
    exam_type: ExamType,
) -> None:
    configure(settings, HOST="tests.candidate.hosts.CostlyHost")
    exam = ExamFactory(exam_type=exam_type, status=exam_status)
    AttemptFactory(exam=exam, user=candidate, status=status)
    running = status in (Status.STARTED, Status.PAUSED, Status.READY_TO_SUBMIT) and exam_status == ExamStatus.ACTIVE
    with CaptureQueriesContext(connection) as statements:
        assert page_client.get(f"{page_url(exam)}state/").status_code == 200
    # The session, the person, the exam, the attempt; then what the host must know for another attempt.
    assert len(statements) <= (5 if running else 6)


def test_version_changes_when_the_page_does_and_only_then(page_client: Client, candidate: AbstractUser) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED)
    attempt = AttemptFactory(exam=exam, user=candidate)

    def version() -> str:
        return str(page_client.get(f"{page_url(exam)}state/").json()["page_version"])

    seen = [version(), version()]
    assert seen[0] == seen[1]
    assert f'data-version="{seen[0]}"' in page_client.get(page_url(exam)).content.decode()
    attempt.launch_data = {"download_url": "https://vendor.example/", "instructions": [], "join_url": ""}
    attempt.save()
    seen.append(version())
    attempt.status = Status.READY_TO_START
    attempt.save()
    seen.append(version())
    assert len(set(seen)) == 3


def test_archived_exam_says_so(page_client: Client) -> None:
    exam = ExamFactory(status=ExamStatus.ARCHIVED)
    answer = page_client.get(page_url(exam))
    assert screen_of(answer) == Screen.UNAVAILABLE
    assert "archived" in answer.content.decode()
