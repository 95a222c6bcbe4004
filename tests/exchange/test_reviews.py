"""Reviews and ratings from the vendor's request to what they change, and what that costs the database."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from proctoring import tasks
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.exams.models import ExamType
from proctoring.inbox.models import WebhookMessage
from proctoring.reviews.models import Rating, Review
from tests.api.test_statements import STATEMENT
from tests.exchange.vendor import SECRET
from tests.factories import AttemptFactory, at

pytestmark = [pytest.mark.usefixtures("vendor"), pytest.mark.django_db(transaction=True)]


@pytest.fixture
def submitted() -> Attempt:
    return AttemptFactory(
        status=Status.SUBMITTED,
        external_id="ext-1",
        exam__exam_type=ExamType.PROCTORED,
        exam__backend="vendor",
    )


@pytest.fixture(autouse=True)
def _without_a_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a task would do is done by hand here."""
    monkeypatch.setattr("proctoring.receivers._start", lambda *_: None)


def send(event: dict[str, Any], delivery: str = "msg-1") -> int:
    body = json.dumps({"id": "ext-1", "at": at(10, 25).isoformat(), **event})
    headers = {"X-Vendor-Secret": SECRET, "X-Delivery": delivery}
    url = reverse("proctoring:webhook", args=["vendor"])
    return Client().post(url, body, content_type="application/json", headers=headers).status_code


def cost(act: Callable[[], object]) -> int:
    with CaptureQueriesContext(connection) as captured:
        act()
    return sum(bool(STATEMENT.match(query["sql"])) for query in captured.captured_queries)


REVIEWED = {"type": "reviewed", "status": "passed", "comments": ["A voice", "A telephone", "Looked away"]}


def test_a_verdict_costs_at_most_twenty_statements_from_the_request_to_its_effects(submitted: Attempt) -> None:
    request = cost(lambda: send(REVIEWED))
    # With the task's second look, which finds nothing due.
    work = cost(tasks.process_messages)
    submitted.refresh_from_db()
    review = Review.objects.get()
    assert (submitted.status, review.comments.count(), review.history.count()) == (Status.VERIFIED, 3, 1)
    assert request == 2
    assert work <= 18  # bound: 20 together, the mail to the candidate included


def test_the_same_verdict_again_changes_nothing(submitted: Attempt) -> None:
    send(REVIEWED)
    tasks.process_messages()
    send(REVIEWED, "msg-2")
    tasks.process_messages()
    assert (Review.objects.count(), submitted.history.count()) == (1, 2)


def test_a_rating_is_recorded_and_knows_its_message(submitted: Attempt) -> None:
    send({"type": "rated", "risk": 0.7})
    send({"type": "rated", "risk": 0.1, "at": at(10, 20).isoformat()}, "msg-2")
    tasks.process_messages()
    newest, older = Rating.objects.order_by("-rated_at")
    assert (newest.is_current, older.is_current) == (True, False)
    messages = WebhookMessage.objects.order_by("pk")
    assert [(one.status, one.error) for one in messages] == [
        ("processed", ""),
        ("ignored", "a newer rating counts"),
    ]
    assert newest.message == messages[0]


@pytest.mark.parametrize("risk", [1.5, -1])
def test_a_risk_that_is_none_is_quarantined(submitted: Attempt, risk: float) -> None:
    send({"type": "rated", "risk": risk})
    tasks.process_messages()
    assert WebhookMessage.objects.get().status == "quarantined"
    assert not Rating.objects.exists()
