"""Deliveries that come several times, in any order, to several workers: one verdict, the newer one."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from django.utils import timezone

from proctoring.attempts.states import Status
from proctoring.exams.models import ExamType
from proctoring.exchange.processing import process
from proctoring.inbox import services as inbox
from proctoring.inbox.models import MessageStatus, WebhookMessage
from proctoring.reviews.models import ReviewComment
from tests.attempts.racing import TIMES, kinds, race
from tests.exchange.vendor import VENDOR
from tests.factories import AttemptFactory, at
from tests.hosts import configure

pytestmark = [pytest.mark.concurrency, pytest.mark.django_db(transaction=True)]


def deliver(name: str, external_id: str, status: str, minute: int) -> None:
    """As the door does it, under a delivery id of its own."""
    body = {"type": "reviewed", "id": external_id, "at": at(10, minute).isoformat(), "status": status}
    given = {**body, "comments": ["A voice", "Another voice"]}
    inbox.store_message(
        backend="vendor", delivery_id=name, body=json.dumps(given).encode(), headers={}, now=timezone.now()
    )


def worker() -> None:
    while claimed := inbox.claim_due(now=timezone.now(), limit=2):
        for message in claimed:
            process(message)


def test_five_deliveries_and_their_correction_in_any_order_make_one_verdict(settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR)
    chance = random.Random(7)
    for turn in range(TIMES):
        external_id = f"ext-{turn}"
        attempt = AttemptFactory(
            status=Status.SUBMITTED,
            external_id=external_id,
            exam__exam_type=ExamType.PROCTORED,
            exam__backend="vendor",
        )
        deliveries = [(f"{turn}-{n}", external_id, "violation", 30) for n in range(5)]
        deliveries += [(f"{turn}-correction-{n}", external_id, "passed", 31) for n in range(2)]
        chance.shuffle(deliveries)
        for one in deliveries:
            deliver(*one)
        assert kinds(race(worker, worker)) == ["ok", "ok"]
        attempt.refresh_from_db()
        assert attempt.status == Status.VERIFIED
        reviews = attempt.reviews.for_reading()  # type: ignore[attr-defined]
        assert sorted(one.status for one in reviews) == ["passed", "violation"]
        assert [one.status for one in reviews if one.is_current] == ["passed"]
        assert ReviewComment.objects.filter(review__attempt=attempt).count() == 4
        verdicts = [row.status for row in attempt.history.order_by("history_id")]
        assert verdicts in (
            ["submitted", "second_review_required", "verified"],
            ["submitted", "verified"],
        )
    done = {MessageStatus.PROCESSED, MessageStatus.IGNORED}
    assert set(WebhookMessage.objects.values_list("status", flat=True)) <= {one.value for one in done}
