"""What a person decides is kept as a review, and an older one of a vendor's does not undo it."""

from __future__ import annotations

from typing import Any

import pytest

from proctoring.attempts.models import RetryKind
from proctoring.attempts.states import Actor, Status
from proctoring.backends.types import AttemptReviewed, ReviewStatus
from proctoring.errors import IllegalTransition, NotPermitted
from proctoring.exams.models import ExamType
from proctoring.reviews.services import is_decision, receive_review, record_decision
from tests.factories import AttemptFactory, UserFactory, at

pytestmark = pytest.mark.django_db


@pytest.fixture
def submitted() -> Any:
    return AttemptFactory(status=Status.SUBMITTED, exam__exam_type=ExamType.PROCTORED)


def vendor_says(attempt: Any, status: ReviewStatus, moment: Any, now: Any) -> Any:
    event = AttemptReviewed(occurred_at=moment, external_id="", status=status)
    return receive_review(attempt, event, message=None, now=now)


def test_a_decision_is_kept_with_its_author_and_an_older_review_changes_nothing(submitted: Any) -> None:
    reviewer = UserFactory(username="reviewer")
    decided = record_decision(
        submitted, Status.VERIFIED, by=reviewer, actors=[Actor.REVIEWER], reason="seen the video", now=at(12, 0)
    )
    assert decided.status == Status.VERIFIED
    review = submitted.reviews.get()
    assert (review.source, review.reviewed_by, review.status) == ("staff", "reviewer", "passed")
    late = vendor_says(submitted, ReviewStatus.VIOLATION, at(11, 30), at(12, 30))
    assert (late.applied_at, late.not_applied_reason) == (None, "older_than_applied")
    newer = vendor_says(submitted, ReviewStatus.VIOLATION, at(12, 45), at(12, 50))
    assert newer.applied_at == at(12, 50)


def test_a_vendors_clock_that_is_years_ahead_has_not_the_last_word_for_years(submitted: Any) -> None:
    vendor_says(submitted, ReviewStatus.PASSED, at(12, 0).replace(year=2036), at(12, 0))
    vendor_says(submitted, ReviewStatus.VIOLATION, at(12, 30), at(12, 30))
    submitted.refresh_from_db()
    assert submitted.status == Status.SECOND_REVIEW_REQUIRED


def test_a_clock_that_is_somewhat_ahead_still_says_which_one_is_the_correction(submitted: Any) -> None:
    vendor_says(submitted, ReviewStatus.PASSED, at(12, 2, 20), at(12, 0, 25))
    overtaken = vendor_says(submitted, ReviewStatus.VIOLATION, at(12, 2, 10), at(12, 0, 30))
    assert overtaken.not_applied_reason == "older_than_applied"
    submitted.refresh_from_db()
    assert submitted.status == Status.VERIFIED


def test_a_decision_takes_back_a_resume_that_was_not_used(submitted: Any) -> None:
    submitted.retry_kind = RetryKind.RESUME
    submitted.save()
    vendor_says(submitted, ReviewStatus.PASSED, at(12, 0), at(12, 0))
    submitted.refresh_from_db()
    assert (submitted.status, submitted.retry_kind) == (Status.VERIFIED, "")


def test_nobody_decides_on_their_own_attempt(submitted: Any) -> None:
    with pytest.raises(NotPermitted):
        record_decision(
            submitted, Status.VERIFIED, by=submitted.user, actors=[Actor.REVIEWER], reason="", now=at(12, 0)
        )
    assert not submitted.reviews.exists()


def test_staff_alone_forge_no_verdict_and_a_running_attempt_is_not_decided(submitted: Any) -> None:
    with pytest.raises(IllegalTransition):
        record_decision(submitted, Status.VERIFIED, by=UserFactory(), actors=[Actor.STAFF], reason="", now=at(12, 0))
    running = AttemptFactory(status=Status.STARTED)
    assert not is_decision(running, Status.ERROR)
    assert is_decision(submitted, Status.ERROR)
