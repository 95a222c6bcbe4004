"""``{% proctoring_page attempt %}``: who gets a token for what, and what the page is told."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.contrib.staticfiles import finders
from django.db import connection
from django.template import Context, Template
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from django.utils.translation import override

from proctoring.attempts.models import Attempt
from proctoring.attempts.reporting import AFTERWARDS
from proctoring.attempts.states import RUNNING, Status
from proctoring.attempts.tokens import verify_page_token
from proctoring.candidate.script import FILES
from proctoring.conf import PAGE_BLOCKS, PAGE_KINDS, ProctoringSettings
from tests.candidate.pages import page_url
from tests.factories import AttemptFactory, ExamFactory, UserFactory
from tests.hosts import configure


def rendered(attempt: Attempt | None, user: Any, wishes: str = "") -> str:
    request = RequestFactory().get("/")
    request.user = user
    page = Template("{% load proctoring %}{% proctoring_page attempt " + wishes + " %}")
    return str(page.render(Context({"attempt": attempt, "request": request, "csrf_token": "token-of-the-page"})))


def config_in(text: str) -> dict[str, Any]:
    found = re.search(r'<script id="proctoring-page" type="application/json">(.*?)</script>', text)
    assert found, text
    config: dict[str, Any] = json.loads(found[1])
    return config


def test_page_of_a_running_attempt_is_told_everything_without_a_statement(candidate: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status=Status.STARTED, exam=ExamFactory(heartbeat_seconds=14))
    with CaptureQueriesContext(connection) as statements:
        text = rendered(attempt, candidate, "item='page-3'")
    assert len(statements) == 0
    config = config_in(text)
    claims = verify_page_token(config["token"], now=timezone.now())
    assert (claims.user, claims.attempt) == (str(candidate.pk), attempt.pk)
    assert {name: config[name] for name in ("attempt", "status", "beats", "interval", "item", "language")} == {
        "attempt": attempt.pk,
        "status": "started",
        "beats": True,
        "interval": 14,
        "item": "page-3",
        "language": "en",
    }
    assert config["urls"] == {
        "heartbeat": f"/proctoring/api/v1/attempts/{attempt.pk}/heartbeat/",
        "events": f"/proctoring/api/v1/attempts/{attempt.pk}/events/",
        "state": f"/proctoring/exam/{attempt.exam_id}/state/",
        "page": f"/proctoring/exam/{attempt.exam_id}/",
        "ticker": "/static/proctoring/page/ticker.js",
    }
    assert config["csrf"] == {"cookie": "csrftoken", "header": "X-CSRFTOKEN", "token": "token-of-the-page"}
    assert set(config["running"]) == set(RUNNING)


def test_every_file_of_the_script_is_there_and_the_last_one_begins(candidate: AbstractUser) -> None:
    text = rendered(AttemptFactory(user=candidate, status=Status.STARTED), candidate)
    assert re.findall(r'<script type="module" src="/static/(.*?)">', text) == [*FILES]
    assert FILES[-1] == "proctoring/proctoring.js"
    for name in (*FILES, "proctoring/page/ticker.js"):
        assert finders.find(name)


@pytest.mark.parametrize("status", Status)
def test_heartbeats_are_for_running_attempts_and_what_is_left_for_ended_ones(
    candidate: AbstractUser, status: Status
) -> None:
    attempt = AttemptFactory(user=candidate, status=status)
    text = rendered(attempt, candidate)
    if status in RUNNING:
        assert config_in(text)["beats"] is True
    elif attempt.ended_at is None:
        assert text.strip() == ""
    else:
        assert config_in(text)["beats"] is False


def test_after_a_while_nothing_is_left_to_send(candidate: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status=Status.SUBMITTED)
    attempt.ended_at = timezone.now() - AFTERWARDS - timedelta(seconds=1)
    assert rendered(attempt, candidate).strip() == ""


def test_nobody_else_gets_the_candidates_token(candidate: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status=Status.STARTED)
    for other in (UserFactory(is_superuser=True), AnonymousUser()):
        assert rendered(attempt, other).strip() == ""


def test_nothing_for_nobody_for_erased_and_for_unknown_statuses(candidate: AbstractUser) -> None:
    assert rendered(None, candidate).strip() == ""
    attempt = AttemptFactory(user=candidate, status=Status.STARTED)
    attempt.status = "thinking"
    assert rendered(attempt, candidate).strip() == ""
    attempt.status, attempt.erased_at = Status.STARTED, timezone.now()
    assert rendered(attempt, candidate).strip() == ""


def test_session_speaks_where_there_is_no_key(candidate: AbstractUser, settings: Any) -> None:
    configure(settings, ACCESS_TOKEN_KEYS=[])
    settings.CSRF_COOKIE_HTTPONLY = True
    settings.CSRF_HEADER_NAME = "HTTP_X_XSRF_TOKEN"
    config = config_in(rendered(AttemptFactory(user=candidate, status=Status.STARTED), candidate))
    assert config["token"] is None
    assert config["csrf"] == {"cookie": "", "header": "X-XSRF-TOKEN", "token": "token-of-the-page"}


def test_settings_say_what_is_noted_and_a_page_says_otherwise(candidate: AbstractUser, settings: Any) -> None:
    attempt = AttemptFactory(user=candidate, status=Status.STARTED)
    usual = config_in(rendered(attempt, candidate))
    assert usual["notes"] == sorted(ProctoringSettings().page_notes)
    assert usual["blocks"] == []
    configure(settings, PAGE_NOTES=["focus", "errors"], PAGE_BLOCKS=["shortcuts"])
    assert config_in(rendered(attempt, candidate))["notes"] == ["errors", "focus", "shortcuts"]
    wishes = "without='focus shortcuts' also='questions' block='clipboard'"
    config = config_in(rendered(attempt, candidate, wishes))
    assert config["notes"] == ["clipboard", "errors", "questions"]
    assert config["blocks"] == ["clipboard"]


@pytest.mark.parametrize("wishes", ["block='focus'", "without='fokus'", "also='everything'"])
def test_misspelt_wish_is_an_error_of_the_template(candidate: AbstractUser, wishes: str) -> None:
    with pytest.raises(ValueError, match="no such kinds"):
        rendered(AttemptFactory(user=candidate, status=Status.STARTED), candidate, wishes)


def test_what_can_be_stopped_can_be_noted() -> None:
    assert set(PAGE_BLOCKS) < set(PAGE_KINDS)
    assert set(ProctoringSettings().page_notes) < set(PAGE_KINDS)


def test_words_are_in_the_persons_language(candidate: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status=Status.STARTED)
    english = config_in(rendered(attempt, candidate))["texts"]
    with override("de"):
        config = config_in(rendered(attempt, candidate))
    assert config["language"] == "de"
    assert [name for name, words in config["texts"].items() if words == english[name]] == []


def test_name_cannot_break_out_of_the_data(candidate: AbstractUser) -> None:
    exam = ExamFactory(content_id="</script><script>alert(1)</script>")
    attempt = AttemptFactory(exam=exam, user=candidate, status=Status.STARTED)
    request = RequestFactory().get("/")
    request.user = candidate
    bar = Template("{% load proctoring %}{% exam_bar exam %}").render(Context({"exam": exam, "request": request}))
    assert config_in(bar)["item"] == exam.content_id
    assert attempt.pk == config_in(bar)["attempt"]


@pytest.mark.parametrize("status", [Status.STARTED, Status.PAUSED, Status.READY_TO_SUBMIT])
def test_candidate_pages_beat_but_visit_nothing(page_client: Client, candidate: AbstractUser, status: Status) -> None:
    attempt = AttemptFactory(user=candidate, status=status)
    config = config_in(page_client.get(page_url(attempt.exam)).content.decode())
    assert config["beats"] is True
    assert {"pages", "questions"} & set(config["notes"]) == set()


def test_state_has_a_new_token_while_the_exam_runs(page_client: Client, candidate: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status=Status.STARTED)
    state = page_client.get(f"{page_url(attempt.exam)}state/").json()
    assert verify_page_token(state["page_token"], now=timezone.now()).attempt == attempt.pk
    Attempt.objects.filter(pk=attempt.pk).update(status=Status.SUBMITTED)
    assert page_client.get(f"{page_url(attempt.exam)}state/").json()["page_token"] is None
