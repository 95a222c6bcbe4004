"""What the attempts that were resumed one from another come to as a whole."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.attempts.chains import ChainStatus, chain_status, committed_status, newest_chain
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam, ExamType
from proctoring.reviews.models import Review
from tests.factories import AttemptFactory, ExamFactory, at

pytestmark = pytest.mark.django_db


@pytest.fixture
def exam(db: None) -> Exam:
    return ExamFactory(exam_type=ExamType.PROCTORED, backend="null")


def chain(exam: Exam, user: AbstractUser, *statuses: str) -> list[Attempt]:
    """Attempts that were resumed one from another; ``error-0`` is an error before the start."""
    rows: list[Attempt] = []
    for number, word in enumerate(statuses, start=1):
        status, _, unstarted = word.partition("-")
        rows.append(
            AttemptFactory(
                exam=exam,
                user=user,
                number=number,
                status=status,
                resumed_from=rows[-1] if rows else None,
                retry_kind="resume" if number < len(statuses) else "",
                **({"started_at": None} if unstarted else {}),
            )
        )
    return rows


def review_of(attempt: Attempt, status: str, minute: int = 30, **fields: Any) -> Review:
    moment = at(10, minute)
    return Review.objects.create(
        attempt=attempt, status=status, payload={}, occurred_at=moment, received_at=moment, **fields
    )


CHAINS = [
    ("none", ["voided"]),
    ("open", ["started"]),
    ("open", ["error", "created"]),
    ("open", ["onboarding_missing"]),
    ("submitted", ["submitted"]),
    ("submitted", ["timed_out"]),
    ("submitted", ["terminated"]),
    ("second_review", ["second_review_required"]),
    ("verified", ["verified"]),
    ("rejected", ["rejected"]),
    ("declined", ["declined"]),
    ("expired", ["expired"]),
    ("error", ["error"]),
    ("submitted", ["terminated", "verified"]),
    ("submitted", ["verified", "submitted"]),
    ("verified", ["verified", "verified"]),
    ("verified", ["error-0", "verified"]),
    ("submitted", ["error", "verified"]),
    ("rejected", ["rejected", "started"]),
    ("rejected", ["rejected", "verified"]),
    ("rejected", ["second_review_required", "rejected"]),
    ("second_review", ["second_review_required", "verified"]),
    ("verified", ["verified", "expired"]),
    ("error", ["error", "expired"]),
    ("submitted", ["submitted", "voided"]),
    ("none", ["voided", "voided"]),
    ("declined", ["error", "declined"]),
]


@pytest.mark.parametrize(("whole", "statuses"), CHAINS, ids=lambda value: "-".join(value) if value is list else None)
def test_a_chain_is_as_good_as_its_parts(whole: str, statuses: list[str], exam: Exam, candidate: AbstractUser) -> None:
    rows = chain(exam, candidate, *statuses)
    assert [row.pk for row in newest_chain(exam_id=exam.pk, user_id=candidate.pk)] == [row.pk for row in rows]
    assert committed_status(rows[0]) == whole


@pytest.mark.parametrize(
    ("reviews", "whole"),
    [
        ([("passed", 10)], "verified"),
        ([("violation", 10), ("passed", 20)], "verified"),
        ([("passed", 10), ("violation", 20)], "submitted"),
    ],
)
def test_an_error_that_was_resumed_speaks_through_the_vendors_newest_review(
    reviews: list[tuple[str, int]], whole: str, exam: Exam, candidate: AbstractUser
) -> None:
    broken, _ = rows = chain(exam, candidate, "error", "verified")
    review_of(broken, "passed", 59, source="staff")
    assert chain_status(rows) == ChainStatus.SUBMITTED
    for status, minute in reviews:
        review_of(broken, status, minute)
    assert chain_status(rows) == whole


def test_the_newest_chain_alone_counts(exam: Exam, candidate: AbstractUser) -> None:
    old, _ = chain(exam, candidate, "rejected", "voided")
    assert committed_status(old) == ChainStatus.REJECTED
    fresh = AttemptFactory(exam=exam, user=candidate, number=3, status=Status.SUBMITTED)
    assert [row.pk for row in newest_chain(exam_id=exam.pk, user_id=candidate.pk)] == [fresh.pk]
    assert committed_status(old) == ChainStatus.SUBMITTED


def test_an_attempt_that_staff_reset_leaves_nothing_of_its_chain(exam: Exam, candidate: AbstractUser) -> None:
    _, second = chain(exam, candidate, "rejected", "voided")
    Attempt.objects.filter(pk=second.pk).update(retry_kind="fresh")
    assert committed_status(second) == ChainStatus.NONE
