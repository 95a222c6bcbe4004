"""People, a course with an exam, and rows of every kind."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from proctoring.attempts import services
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Actor
from proctoring.exams.models import Exam
from proctoring.exams.services import create_exam
from proctoring.inbox.models import WebhookMessage
from proctoring.inbox.services import store_message
from proctoring.outbox.models import Circuit, Delivery, DeliveryStatus, DeliveryTarget, Operation
from proctoring.outbox.services import promise_call
from proctoring.reviews.models import Review

HOSTILE = "<script>alert(1)</script> https://evil.example/?a=1"
numbers = itertools.count(1)


@pytest.fixture
def boss(db: None) -> User:
    return get_user_model().objects.create_superuser("boss")


@pytest.fixture
def boss_client(boss: User) -> Client:
    client = Client()
    client.force_login(boss)
    return client


@pytest.fixture
def as_person(settings: Any, db: None) -> Callable[..., Client]:
    """Log in somebody whose role is in their name, under a host that reads it there."""
    settings.PROCTORING = {**settings.PROCTORING, "HOST": "tests.admin.hosts.CourseHost"}

    def log_in(username: str, *, is_staff: bool = True) -> Client:
        user, _ = get_user_model().objects.get_or_create(username=username, defaults={"is_staff": is_staff})
        client = Client()
        client.force_login(user)
        return client

    return log_in


@pytest.fixture
def make_exam(boss: User) -> Callable[..., Exam]:
    def make(**fields: Any) -> Exam:
        given = {
            "course_id": "algebra",
            "content_id": f"block-{next(numbers)}",
            "name": "Final",
            "exam_type": "proctored",
            "status": "active",
            "time_limit_minutes": 60,
        }
        return create_exam({**given, **fields}, by=boss)

    return make


@pytest.fixture
def exam(make_exam: Callable[..., Exam]) -> Exam:
    return make_exam()


@pytest.fixture
def make_attempt(exam: Exam) -> Callable[..., Attempt]:
    def make(status: str = "started", *, exam: Exam = exam) -> Attempt:
        candidate = get_user_model().objects.create_user(f"candidate-{next(numbers)}")
        attempt = create_attempt(exam, candidate)
        if status != "created":
            attempt = services.start_attempt(attempt, by=candidate)
        if status == "paused":
            attempt = services.pause_attempt(attempt, by=None, actor=Actor.SYSTEM, reason="a reason")
        if status == "submitted":
            attempt = services.submit_attempt(attempt, by=candidate)
        return attempt

    return make


@pytest.fixture
def attempt(make_attempt: Callable[..., Attempt]) -> Attempt:
    return make_attempt()


def make_review(attempt: Attempt, **fields: Any) -> Review:
    now = timezone.now()
    given = {
        "status": "suspicious",
        "reviewed_by": HOSTILE,
        "payload": {"comment": HOSTILE, "apiToken": "hush-hush"},
        "occurred_at": now,
        "received_at": now,
        "applied_at": now,
    }
    return Review.objects.create(attempt=attempt, **{**given, **fields})


def make_delivery(attempt: Attempt, status: str = DeliveryStatus.DUE, **fields: Any) -> Delivery:
    delivery = promise_call(
        backend="rest",
        operation=Operation.REPORT_STARTED,
        target=DeliveryTarget.ATTEMPT,
        target_id=attempt.pk,
        key=f"key-{next(numbers)}",
    )
    Delivery.objects.filter(pk=delivery.pk).update(status=status, last_error=HOSTILE, **fields)
    delivery.refresh_from_db()
    return delivery


def make_message(body: bytes = b'{"type": "ready"}') -> WebhookMessage:
    message, _ = store_message(
        backend="rest",
        delivery_id=f"d-{next(numbers)}",
        body=body,
        headers={"content-type": "application/json"},
        now=timezone.now(),
    )
    return message


def make_circuit(**fields: Any) -> Circuit:
    given = {"failures": 5, "open_until": timezone.now() + timedelta(hours=1), "last_error": HOSTILE}
    return Circuit.objects.create(backend=f"rest-{next(numbers)}", **{**given, **fields})


def told(response: Any) -> list[str]:
    """What the page that follows says at its top."""
    return [str(message) for message in response.context["messages"]]
