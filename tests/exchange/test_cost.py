"""What a verdict costs the database, from the vendor's request to the promised mail: SELECT, INSERT, UPDATE, DELETE."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from proctoring.attempts.models import Attempt, OnboardingProfile
from proctoring.attempts.states import Status
from proctoring.exams.models import ExamType
from proctoring.exchange.processing import process
from proctoring.inbox.services import claim_due
from proctoring.outbox.models import Delivery
from tests.api.test_statements import STATEMENT
from tests.effecting import effects
from tests.exchange.vendor import SECRET, VENDOR
from tests.factories import AttemptFactory
from tests.hosts import configure

pytestmark = pytest.mark.django_db(transaction=True)


BOUND = 20


def submitted(**fields: Any) -> Attempt:
    given = {"exam__exam_type": ExamType.PROCTORED, "exam__backend": "vendor", "status": Status.SUBMITTED}
    return AttemptFactory(**{**given, "external_id": "ext-1", **fields})


def cost(client: Client, status: str, minute: int = 0) -> int:
    """Of one message about the attempt ``ext-1``, from the door to the end of the work."""
    moment = f"2026-03-02T10:{minute:02}:00+00:00"
    body = json.dumps({"type": "reviewed", "id": "ext-1", "status": status, "at": moment})
    headers = {"X-Vendor-Secret": SECRET, "X-Delivery": f"msg-{minute}"}
    url = reverse("proctoring:webhook", args=["vendor"])
    with CaptureQueriesContext(connection) as captured:
        answer = client.post(url, body, content_type="application/json", headers=headers)
        assert answer.status_code == 202
        [message] = claim_due(now=timezone.now(), limit=10)
        process(message)
    found = sum(bool(STATEMENT.match(query["sql"])) for query in captured.captured_queries)
    assert found <= BOUND
    return found


def test_a_verdict_by_webhook(client: Client, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR)
    submitted()
    assert cost(client, "passed") == 15
    assert (Attempt.objects.get().status, Delivery.objects.get().argument) == ("verified", "verified")


def test_a_verdict_by_webhook_without_mail(client: Client, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR, SEND_MAIL=False)
    submitted()
    assert cost(client, "passed") == 13


def test_a_verdict_on_onboarding(client: Client, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR)
    attempt = submitted(exam__exam_type=ExamType.ONBOARDING)
    # The first word about somebody of whom nothing is kept, so the newest try has to be looked for.
    assert cost(client, "passed") == 19
    assert cost(client, "violation", 1) == 20  # bound: 20; whether another attempt has earned the approval
    assert cost(client, "passed", 2) == 19
    assert OnboardingProfile.objects.get().newest_try == attempt


def test_corrections(client: Client, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR, SECOND_REVIEWS=False)
    submitted()
    assert [cost(client, status, n) for n, status in enumerate(["passed", "violation", "passed"])] == [15, 16, 16]


def test_a_rejection_and_its_correction_with_every_effect(client: Client, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR, SECOND_REVIEWS=False)
    effects(settings)
    submitted()
    assert cost(client, "violation") == 16
    assert Delivery.objects.filter(status="due").count() == 4
    assert cost(client, "passed", 1) == 18
    # Support hears of it too.
    assert cost(client, "suspicious", 2) == 18


def test_the_same_of_a_resumed_attempt(client: Client, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR, SECOND_REVIEWS=False)
    effects(settings)
    first = submitted(status=Status.VERIFIED, retry_kind="resume", external_id="ext-0")
    submitted(exam=first.exam, user=first.user, number=2, resumed_from=first)
    assert cost(client, "violation") == 18
    assert cost(client, "passed", 1) == 20  # bound: 20
    assert cost(client, "violation", 2) == 19
