"""A person of whom everything is kept that can be kept, by the services themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AbstractUser
from django.contrib.contenttypes.models import ContentType

from proctoring.allowances.models import Allowance, AllowanceKind
from proctoring.allowances.terms import Grant, Terms
from proctoring.attempts import services
from proctoring.attempts.accommodations import grant_allowance
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt, OnboardingProfile
from proctoring.attempts.states import Actor, Status
from proctoring.backends import backends
from proctoring.backends.types import LaunchData, RegisteredAttempt
from proctoring.exams.models import Exam, ExamType
from proctoring.exchange.deliveries import carry_out
from proctoring.exchange.processing import process
from proctoring.idempotency.services import once
from proctoring.inbox import services as inbox
from proctoring.outbox.models import Circuit, Delivery
from proctoring.outbox.services import claim_due
from proctoring.privacy.holds import place_hold, release_hold
from proctoring.reviews.models import Rating, Review, ReviewStatus
from proctoring.reviews.services import open_video, record_review
from tests.factories import TEN, AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import configure
from tests.privacy.vendor import FORGETFUL, Forgetful

COURSE = "course-v1:Demo+Privacy+2026"
NAME, USERNAME, EMAIL = "Zuleika Quirrenbach", "zuleika.q", "zuleika@quirrenbach.example"
EXTERNAL = "vendors-own-id-of-zuleika"
VIDEO = "https://videos.example/zuleikas-room"
INSTRUCTION = "welcome-dear-zuleika"
NOTES = {
    "allowance": "migraine-attacks-doctor-confirmed",
    "policy": "may-wear-dark-glasses-migraine",
    "extension": "fainted-during-question-three",
    "change": "fainted-again-and-was-sick",
    "review": "looked-at-the-wall-all-the-time",
    "person": "spoke-with-her-on-the-phone",
    "hold": "case-about-her-cheating",
    "login": "saw-her-passport-number-x4711",
    "refusal": "refused-because-of-her-headscarf",
}


@pytest.fixture
def vendor(db: None, settings: Any) -> Forgetful:
    configure(settings, BACKENDS=FORGETFUL, DELIVERY_BACKOFF_SECONDS=10)
    backend = backends["vendor"]
    assert isinstance(backend, Forgetful)
    backend.answers["register_attempt"] = lambda: RegisteredAttempt(
        external_id=EXTERNAL, launch=LaunchData(download_url="https://vendor.example/x", instructions=(INSTRUCTION,))
    )
    return backend


@pytest.fixture
def exam(vendor: Forgetful) -> Exam:
    ids = {"vendor": "exam-1"}
    return ExamFactory(course_id=COURSE, exam_type=ExamType.PROCTORED, backend="vendor", external_ids=ids)


@pytest.fixture
def zuleika(db: None) -> AbstractUser:
    return UserFactory(username=USERNAME, email=EMAIL, first_name="Zuleika", last_name="Quirrenbach")


@pytest.fixture
def officer(db: None) -> AbstractUser:
    return UserFactory(username="officer", is_superuser=True, is_staff=True)


@pytest.fixture
def _noon() -> Iterator[None]:
    with time_machine.travel(at(12, 0), tick=False):
        yield


def deliver(now: Any = TEN) -> None:
    with time_machine.travel(now, tick=False):
        while claimed := claim_due(now=now, limit=20):
            for delivery in claimed:
                carry_out(delivery)


def receive(*events: dict[str, Any], now: Any = TEN, delivery_id: str = "") -> Any:
    """A message of the vendor arrives and is processed."""
    body = json.dumps([{"at": now.isoformat(), **event} for event in events]).encode()
    message, _new = inbox.store_message(
        backend="vendor", delivery_id=delivery_id or f"msg-{len(body)}", body=body, headers={}, now=now
    )
    with time_machine.travel(now, tick=False):
        for claimed in inbox.claim_due(now=now, limit=20):
            process(claimed)
    message.refresh_from_db()
    return message


def taken(exam: Exam, person: AbstractUser, by: AbstractUser) -> Attempt:
    """A whole exam, with everything that people and a vendor may say about it."""
    terms = Terms(kind=AllowanceKind.EXTRA_MINUTES, minutes=10, note=NOTES["allowance"])
    policy = Terms(kind=AllowanceKind.POLICY_EXCEPTION, note=NOTES["policy"])
    for one in (terms, policy):
        grant_allowance(Grant(user=person, course_id=exam.course_id, exam=exam, terms=one), by=by, now=TEN)
    with time_machine.travel(TEN, tick=False):
        attempt = create_attempt(exam, person, now=TEN)
    deliver()
    attempt.refresh_from_db()
    services.start_attempt(attempt, by=person, now=TEN)
    code = 10030
    services.extend_time(attempt, minutes=5, by=by, reason_code=code, note=NOTES["extension"], now=at(10, 5))
    services.pause_attempt(attempt, by=by, actor=Actor.STAFF, reason=NOTES["change"], now=at(10, 6))
    services.resume_attempt(attempt, by=by, actor=Actor.STAFF, reason=NOTES["change"], now=at(10, 8))
    services.submit_attempt(attempt, by=person, now=at(10, 30))
    deliver(at(10, 31))
    attempt.refresh_from_db()
    return attempt


@pytest.fixture
def known(exam: Exam, zuleika: AbstractUser, officer: AbstractUser, vendor: Forgetful) -> Attempt:
    """Zuleika's attempt, and rows about her in every table there is."""
    attempt = taken(exam, zuleika, officer)
    review = {"type": "reviewed", "status": "suspicious", "id": EXTERNAL, "by": "proctor@vendor.example"}
    receive({**review, "remarks": [NOTES["review"]], "video": VIDEO, "extra": {"name": NAME}}, now=at(10, 40))
    receive({"type": "strange", "id": EXTERNAL, "email": EMAIL}, now=at(10, 41), delivery_id="strange")
    found = Review.objects.get(attempt=attempt)
    open_video(found, by=officer, now=at(10, 50))
    record_review(attempt, ReviewStatus.VIOLATION, by=officer, note=NOTES["person"], now=at(10, 55))
    Rating.objects.create(
        attempt=attempt,
        exam=exam,
        raw_value="7",
        risk="0.7",
        mapping_version="1",
        source="staff",
        by=officer,
        rated_at=at(10, 56),
        fetched_at=at(10, 56),
    )
    OnboardingProfile.objects.create(user=zuleika, backend="vendor", status="verified", course_id=COURSE)
    release_hold(place_hold(user=zuleika, by=officer, reason=NOTES["hold"], now=TEN), by=officer, now=at(11, 0))
    answer = {"id": attempt.pk, "user": {"id": zuleika.pk, "username": USERNAME}}
    for somebody, key in ((officer, "theirs"), (zuleika, "own")):
        once(user=somebody, key=key, fingerprint="f", now=TEN, act=lambda: (200, answer))
    for row in (attempt, found, Allowance.objects.filter(user=zuleika).first()):
        LogEntry.objects.create(
            user=officer,
            content_type=ContentType.objects.get_for_model(row),
            object_id=str(row.pk),
            object_repr=f"{row} of {NAME}",
            action_flag=CHANGE,
            change_message=NOTES["login"],
        )
    Delivery.objects.filter(operation="report_submitted").update(last_error=NOTES["refusal"])
    Circuit.objects.filter(backend="vendor").update(last_error=f"refused: {EMAIL}")
    return attempt


def secrets_of(attempt: Attempt) -> list[str]:
    """What must be nowhere any more."""
    return [NAME, USERNAME, EMAIL, EXTERNAL, VIDEO, INSTRUCTION, *NOTES.values(), "Quirrenbach"]


def a_strangers_attempt(exam: Exam, officer: AbstractUser) -> Attempt:
    """Of somebody else, with an id of its own: nothing of it may be touched."""
    return AttemptFactory(exam=exam, status=Status.SUBMITTED, external_id="of-a-stranger", full_name="Otto Stranger")
