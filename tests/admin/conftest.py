"""People, a course with an exam, and rows of every kind."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from proctoring.allowances.models import Allowance
from proctoring.attempts import services
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt, OnboardingProfile, TimeEntry
from proctoring.attempts.states import Actor
from proctoring.bookings.models import Booking, BookingLogEntry
from proctoring.exams.models import Exam
from proctoring.exams.services import create_exam
from proctoring.inbox.models import WebhookMessage
from proctoring.inbox.services import store_message
from proctoring.invigilation.models import BulkAction, BulkItem
from proctoring.logs.models import Event
from proctoring.outbox.models import Circuit, Delivery, DeliveryStatus, DeliveryTarget, Operation
from proctoring.outbox.services import promise_call
from proctoring.privacy.models import DeletionCertificate, LegalHold
from proctoring.reviews.models import Rating, Review
from tests.factories import AttemptFactory, BookingFactory, ExamFactory, LiveSessionFactory, UserFactory

HOSTILE = "<script>alert(1)</script> https://evil.example/?a=1"
numbers = itertools.count(1)
LIST = "admin:proctoring_attempt_changelist"
NOISE = 10030


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


def make_booking(exam: Exam, *people: Any, **fields: Any) -> Booking:
    """A booking for tomorrow, with a place for each of these people."""
    opens = timezone.now().replace(minute=0, second=0, microsecond=0) + timedelta(days=1)
    given = {"starts_at": opens, "ends_at": opens + timedelta(hours=2)}
    booking = BookingFactory(exam=exam, **{**given, **fields})
    for number, person in enumerate(people, start=1):
        LiveSessionFactory(booking=booking, user=person, candidate_number=number)
    return booking


def make_entry(booking: Booking, code: str = "booking_declared_as_sent", **fields: Any) -> BookingLogEntry:
    given = {
        "course_id": booking.exam.course_id,
        "at": timezone.now(),
        "context": {"exam": booking.exam.name},
        "comment": HOSTILE,
    }
    return BookingLogEntry.objects.create(booking=booking, code=code, **{**given, **fields})


def make_event(attempt: Attempt, type_: int = 16, **fields: Any) -> Event:
    """Something that the vendor noticed, in hostile words."""
    now = timezone.now()
    given = {
        "actor": "vendor",
        "occurred_at": now,
        "received_at": now,
        "at": now,
        "message_id": f"e-{next(numbers)}",
        "severity": "warning",
        "reason_message": HOSTILE,
        "item_id": HOSTILE,
        "error": HOSTILE,
        "data": {"said": HOSTILE, "apiToken": "hush-hush"},
        "backend": "rest",
    }
    return Event.objects.create(exam=attempt.exam, attempt=attempt, type=type_, **{**given, **fields})


def make_bulk_action(attempt: Attempt, **fields: Any) -> BulkAction:
    """Somebody flagged this attempt, and another that they named was not found."""
    given = {"action": "flag", "exam": attempt.exam, "reason_code": NOISE, "created_at": timezone.now()}
    bulk = BulkAction.objects.create(**{**given, **fields})
    BulkItem.objects.create(bulk=bulk, asked=attempt.pk, attempt=attempt, result="done")
    BulkItem.objects.create(bulk=bulk, asked=10**9, result="refused", code="not_found", detail=HOSTILE)
    return bulk


def rows_of_a_course(course_id: str, prefix: str, status: str = "submitted") -> dict[str, Any]:
    """A row of each model that has a page, about one candidate of this course."""
    now = timezone.now()
    name = prefix.lower()
    exam = ExamFactory(
        course_id=course_id, content_id=f"{name}-block", name=f"{prefix} exam", exam_type="proctored", backend="null"
    )
    person = UserFactory(username=f"{name}-candidate", first_name=prefix, last_name="candidate")
    attempt = AttemptFactory(exam=exam, user=person, status=status, full_name=f"{name}-candidate")
    booking = make_booking(exam, person, backend="null", last_error=f"{prefix} note")
    rated = {"raw_value": "1", "risk": "0.5", "mapping_version": "1", "source": "poll"}
    return {
        "allowance": Allowance.objects.create(
            user=person, course_id=course_id, kind="extra_minutes", minutes=5, note=f"{prefix} note"
        ),
        "attempt": attempt,
        "booking": booking,
        "bookinglogentry": make_entry(booking, comment=f"{prefix} note", session=booking.sessions.get()),
        "bulkaction": make_bulk_action(attempt, comment=f"{prefix} note", filter={"search": f"{name}-candidate"}),
        "circuit": make_circuit(),
        "deletioncertificate": DeletionCertificate.objects.create(kind="erasure", made_at=now, digest="0" * 64),
        "delivery": make_delivery(attempt),
        "event": make_event(attempt, reason_message=f"{prefix} note"),
        "exam": exam,
        "legalhold": LegalHold.objects.create(user=person, reason=f"{prefix} note", placed_at=now),
        "onboardingprofile": OnboardingProfile.objects.create(
            user=person, backend="null", course_id=course_id, status="verified"
        ),
        "rating": Rating.objects.create(attempt=attempt, exam=exam, rated_at=now, fetched_at=now, **rated),
        "review": make_review(attempt, reviewed_by="", note=f"{prefix} note"),
        "webhookmessage": make_message(),
    }


def told(response: Any) -> list[str]:
    """What the page that follows says at its top."""
    return [str(message) for message in response.context["messages"]]


def address(attempt: Attempt) -> str:
    return reverse("admin:proctoring_attempt_change", args=(attempt.pk,))


def step_address(attempt: Attempt, step: str) -> str:
    return reverse("admin:proctoring_attempt_step", args=(attempt.pk, step))


def say(reason: str = "fire alarm", **fields: Any) -> dict[str, Any]:
    return {"comment": reason, "reason_code": NOISE, "minutes": 10, "seconds": 90, "text": "Please sit down.", **fields}


def take(client: Client, attempt: Attempt, step: str, **fields: Any) -> Any:
    return client.post(step_address(attempt, step), say(**fields))


def together(step: str, *attempts: Attempt, **fields: Any) -> dict[str, Any]:
    chosen = [one.pk for one in attempts]
    return {"action": step, ACTION_CHECKBOX_NAME: chosen, "confirmed": "yes", **say(**fields)}


def errors(response: Any) -> str:
    assert response.status_code == 200
    return str(response.context["form"].errors)


def offered(response: Any) -> set[str]:
    return {step.name for step in response.context["steps"]}


def everything(attempt: Attempt) -> tuple[Any, ...]:
    """All that a step could have changed."""
    return (
        Attempt.objects.filter(pk=attempt.pk).values().get(),
        attempt.history.count(),
        attempt.reviews.count(),
        TimeEntry.objects.count(),
        Delivery.objects.count(),
    )
