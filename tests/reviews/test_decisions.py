"""What a person decides is kept as a review, and an older one of a vendor's does not undo it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proctoring.attempts.models import RetryKind
from proctoring.attempts.states import Actor, Status
from proctoring.backends.types import AttemptReviewed, ReviewStatus
from proctoring.errors import IllegalTransition, NotPermitted
from proctoring.exams.models import ExamType
from proctoring.reviews.models import Review
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


def decide(attempt: Any, verdict: Status, now: Any) -> None:
    record_decision(attempt, verdict, by=UserFactory(), actors=[Actor.REVIEWER], reason="", now=now)


@pytest.mark.parametrize("ahead", [timedelta(seconds=100), timedelta(hours=1), timedelta(days=3650)], ids=str)
@pytest.mark.parametrize("in_order", [True, False])
def test_a_clock_that_is_ahead_still_says_which_one_is_the_correction(
    submitted: Any, ahead: timedelta, in_order: bool
) -> None:
    said = [(ReviewStatus.VIOLATION, at(12, 0) + ahead), (ReviewStatus.PASSED, at(12, 1) + ahead)]
    for minute, (status, moment) in enumerate(said if in_order else reversed(said), start=1):
        vendor_says(submitted, status, moment, at(12, minute))
    submitted.refresh_from_db()
    assert submitted.status == Status.VERIFIED
    applied = submitted.reviews.filter(applied_at__isnull=False).count()
    assert applied == (2 if in_order else 1)


def test_a_clock_that_is_years_ahead_does_not_overrule_people_for_years(submitted: Any) -> None:
    years_ahead = at(12, 0).replace(year=2036)
    vendor_says(submitted, ReviewStatus.VIOLATION, years_ahead, at(12, 0))
    decide(submitted, Status.VERIFIED, at(12, 10))
    before = vendor_says(submitted, ReviewStatus.SUSPICIOUS, years_ahead - timedelta(minutes=1), at(12, 20))
    assert before.not_applied_reason == "older_than_applied"
    submitted.refresh_from_db()
    assert submitted.status == Status.VERIFIED
    after = vendor_says(submitted, ReviewStatus.VIOLATION, years_ahead + timedelta(minutes=25), at(12, 25))
    assert after.applied_at == at(12, 25)


def test_the_order_of_vendors_reviews_and_peoples_decisions_goes_in_no_circle(submitted: Any) -> None:
    """By the vendor's dates B is older than A, which came before the decision: so B did, although it arrived after."""
    vendor_says(submitted, ReviewStatus.PASSED, at(13, 30), at(12, 0))
    decide(submitted, Status.REJECTED, at(12, 10))
    older = vendor_says(submitted, ReviewStatus.SUSPICIOUS, at(13, 0), at(12, 20))
    assert older.not_applied_reason == "older_than_applied"
    submitted.refresh_from_db()
    assert submitted.status == Status.REJECTED


@settings(max_examples=60)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["passed", "suspicious"]), st.integers(-40, 40)),
            st.sampled_from([Status.VERIFIED, Status.REJECTED]),
        ),
        min_size=2,
        max_size=7,
    )
)
def test_what_stands_is_the_last_one_of_a_single_order(statements: list[Any]) -> None:
    """One statement arrives each minute; what the vendor's are dated is up to the vendor."""
    attempt = AttemptFactory(status=Status.SUBMITTED, exam__exam_type=ExamType.PROCTORED)
    for minute, said in enumerate(statements):
        now = at(12, minute)
        if isinstance(said, Status):
            attempt.refresh_from_db()
            if attempt.status != said:
                decide(attempt, said, now)
        else:
            vendor_says(attempt, ReviewStatus(said[0]), now + timedelta(minutes=said[1], seconds=1), now)
    kept = list(attempt.reviews.order_by("pk"))
    rows = sorted(kept, key=lambda one: (_made(one, kept), one.source == "vendor", one.occurred_at, one.pk))
    assert rows[-1].applied_at == max(one.applied_at for one in kept if one.applied_at is not None)
    vendors = [one for one in rows if one.source == "vendor"]
    assert vendors == sorted(vendors, key=lambda one: (one.occurred_at, one.pk))


def _made(review: Review, kept: list[Review]) -> Any:
    if review.source == "staff":
        return review.occurred_at
    dated_later = [one for one in kept if one.source == "vendor" and one.occurred_at >= review.occurred_at]
    return min(review.occurred_at, *(one.received_at for one in dated_later))


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
