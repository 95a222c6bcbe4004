"""``attempts/{id}/heartbeat/``: what the page says, what it hears, and what that costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.attempts.tokens import PageClaims, issue_page_token
from proctoring.logs.models import Event
from proctoring.monitoring.models import Presence
from tests.api.conftest import ROOT, Person
from tests.api.test_statements import cost
from tests.hosts import configure

KEY = "a key of thirty-two characters or more"
ANSWER = {
    *("sequence", "server_time", "status", "expires_at", "seconds_left", "next_heartbeat_seconds"),
    *("commands", "refused"),
}


@pytest.fixture
def running(attempt: Attempt) -> Attempt:
    """Ten minutes into the hour."""
    now = timezone.now()
    Attempt.objects.filter(pk=attempt.pk).update(
        status=Status.STARTED, started_at=now - timedelta(minutes=10), expires_at=now + timedelta(minutes=50)
    )
    attempt.refresh_from_db()
    return attempt


def beat(person: Person, attempt: Attempt, **body: Any) -> Any:
    return person.post(f"/attempts/{attempt.pk}/heartbeat/", body)


def heard(person: Person, attempt: Attempt, **body: Any) -> dict[str, Any]:
    answer = beat(person, attempt, **body)
    assert answer.status_code == 200, answer.content
    told: dict[str, Any] = answer.json()
    assert set(told) == ANSWER
    return told


def types(attempt: Attempt) -> list[int]:
    return list(Event.objects.filter(attempt=attempt.pk).order_by("pk").values_list("type", flat=True))


def row(name: str, **fields: Any) -> dict[str, Any]:
    return {"message_id": name, "type": 1004, "occurred_at": timezone.now().isoformat(), **fields}


class Page:
    """A page without a session: its token is all it has."""

    def __init__(self, attempt: Attempt, user: Any = None, **client: Any) -> None:
        claims = PageClaims(user=str(user or attempt.user_id), attempt=attempt.pk)
        self.headers = {"X-Proctoring-Page": str(issue_page_token(claims, now=timezone.now()))}
        self.client = Client(**client)

    def post(self, path: str, body: Any) -> Any:
        return self.client.post(ROOT + path, body, content_type="application/json", headers=self.headers)


@pytest.fixture
def keys(settings: Any, lms: Any) -> None:
    configure(settings, HOST="tests.api.hosts.CourseHost", ACCESS_TOKEN_KEYS=[KEY])


def test_answer_says_how_the_attempt_stands(candidate: Person, running: Attempt) -> None:
    told = heard(candidate, running, sequence=7, client_time=timezone.now().isoformat())

    assert (told["sequence"], told["status"], told["next_heartbeat_seconds"]) == (7, "started", 30)
    assert 2990 <= told["seconds_left"] <= 3000
    assert told["commands"] == told["refused"] == []
    assert Presence.objects.get(attempt=running).state == "online"


def test_usual_heartbeat_costs_one_statement_and_writes_no_history(candidate: Person, running: Attempt) -> None:
    heard(candidate, running, sequence=1)
    before = running.history.count()

    # Session and user are the host's.
    assert cost(lambda: beat(candidate, running, sequence=2)) == 3
    assert running.history.count() == before
    assert Attempt.objects.get(pk=running.pk).modified_at == running.modified_at
    assert types(running) == []


@pytest.mark.usefixtures("keys")
def test_with_a_token_the_heartbeat_is_the_one_statement(running: Attempt) -> None:
    page = Page(running)
    beat(page, running)  # type: ignore[arg-type]

    assert cost(lambda: beat(page, running)) == 1  # type: ignore[arg-type]


def test_ten_events_cost_one_more(candidate: Person, running: Attempt) -> None:
    heard(candidate, running)
    rows = [row(f"m{number}") for number in range(10)]

    assert cost(lambda: beat(candidate, running, events=rows)) == 4
    assert Event.objects.filter(attempt=running).count() == 10
    heard(candidate, running, events=rows)
    assert Event.objects.filter(attempt=running).count() == 10
