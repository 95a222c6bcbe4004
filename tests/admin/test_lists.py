"""A page of a list costs the same statements for ten rows as for sixty, whatever the rows refer to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from proctoring.admin.base import ProctoringAdmin
from proctoring.attempts.models import Attempt, OnboardingProfile
from proctoring.inbox.models import WebhookMessage
from proctoring.outbox.models import DeliveryStatus
from proctoring.reviews.models import Review, ReviewComment
from tests.factories import AllowanceFactory, AttemptFactory, ExamFactory, UserFactory

from .conftest import make_delivery, make_message, make_review

COURSE = "algebra"


def an_attempt() -> Attempt:
    """Of another person at another exam each time: what is looked up once for all must not hide what is not."""
    return AttemptFactory(exam=ExamFactory(course_id=COURSE, exam_type="proctored"), status="submitted")


def a_review() -> Review:
    """With everything that a review can refer to."""
    attempt = an_attempt()
    message = make_message()
    review = make_review(attempt, author=UserFactory(), message=message, note="seen")
    ReviewComment.objects.create(review=review, text="A voice")
    WebhookMessage.objects.filter(pk=message.pk).update(attempt=attempt, error="odd", type="reviewed")
    return review


def an_allowance() -> None:
    exam = ExamFactory(course_id=COURSE)
    AllowanceFactory(exam=exam, course_id=COURSE, granted_by=UserFactory())
    AllowanceFactory(course_id=COURSE, kind="exemption", exemptions=[1, 2], granted_by=UserFactory())


def a_delivery() -> None:
    attempt = an_attempt()
    make_delivery(attempt)
    make_delivery(attempt)
    make_delivery(attempt, DeliveryStatus.GIVEN_UP, argument="x", topic="grade")


def a_profile() -> None:
    attempt = an_attempt()
    OnboardingProfile.objects.create(
        user=attempt.user, backend=attempt.backend, status="verified", course_id=COURSE, newest_try=attempt
    )


LISTS: dict[str, Callable[[], object]] = {
    "review": a_review,
    "allowance": an_allowance,
    "delivery": a_delivery,
    "webhookmessage": a_review,
    "onboardingprofile": a_profile,
}


@pytest.fixture(autouse=True)
def _one_page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ProctoringAdmin, "list_per_page", 500)


@pytest.mark.long
@pytest.mark.parametrize("query", ["", "?q=1"])
@pytest.mark.parametrize("model", LISTS)
def test_to_the_superuser(model: str, query: str, boss_client: Client) -> None:
    compare(model, query, boss_client)


@pytest.mark.parametrize("model", ["review", "allowance", "onboardingprofile"])
def test_to_staff_of_the_course(model: str, as_person: Callable[..., Client]) -> None:
    compare(model, "", as_person(f"staff-of-{COURSE}"))


def compare(model: str, query: str, client: Client) -> None:
    address = reverse(f"admin:proctoring_{model}_changelist") + query
    few, for_few = page(address, client, LISTS[model], 10)
    many, for_many = page(address, client, LISTS[model], 50)
    assert for_many == for_few <= 10
    if not query:
        assert few >= 10
        assert many >= 60


def page(address: str, client: Client, make: Callable[[], object], more: int) -> tuple[int, int]:
    """Rows on the page, and what they cost, after so many more were made."""
    for _ in range(more):
        make()
    client.get(address)
    with CaptureQueriesContext(connection) as statements:
        answer: Any = client.get(address)
    assert answer.status_code == 200
    return len(answer.context["cl"].result_list), len(statements)
