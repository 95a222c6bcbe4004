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

from proctoring.attempts.models import Attempt
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


def cost(client: Client, status: str) -> int:
    AttemptFactory(
        exam__exam_type=ExamType.PROCTORED, exam__backend="vendor", status=Status.SUBMITTED, external_id="ext-1"
    )
    body = json.dumps({"type": "reviewed", "id": "ext-1", "status": status, "at": "2026-03-02T10:00:00+00:00"})
    headers = {"X-Vendor-Secret": SECRET, "X-Delivery": "msg-1"}
    url = reverse("proctoring:webhook", args=["vendor"])
    with CaptureQueriesContext(connection) as captured:
        answer = client.post(url, body, content_type="application/json", headers=headers)
        assert answer.status_code == 202
        [message] = claim_due(now=timezone.now(), limit=10)
        process(message)
    return sum(bool(STATEMENT.match(query["sql"])) for query in captured.captured_queries)


def test_a_verdict_by_webhook(client: Client, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR)
    assert cost(client, "passed") == 17  # bound: 20
    assert (Attempt.objects.get().status, Delivery.objects.get().argument) == ("verified", "verified")


def test_a_verdict_by_webhook_without_mail(client: Client, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR, SEND_MAIL=False)
    assert cost(client, "passed") == 15


def test_a_rejection_with_every_effect(client: Client, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR, SECOND_REVIEWS=False)
    effects(settings)
    assert cost(client, "violation") == 22
    assert Delivery.objects.count() == 4
