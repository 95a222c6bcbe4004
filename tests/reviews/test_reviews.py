"""Verdicts: what a vendor concluded, kept in full and applied where the rules let it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.attempts import services
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import DECIDED, ENDED, OPEN, RUNNING, Actor, Status
from proctoring.backends.types import AttemptReviewed, ReviewStatus
from proctoring.exams.models import Exam, ExamType
from proctoring.host import Role
from proctoring.reviews.models import Review
from proctoring.reviews.services import apply_kept_review, attempts_with_waiting_review, receive_review
from tests.attempts.racing import TIMES, kinds, race
from tests.factories import AttemptFactory, UserFactory, at
from tests.hosts import ScriptedHost, configure, scripted

HALF_PAST, LATER = at(10, 30), at(10, 40)

pytestmark = pytest.mark.django_db

PASSED, VIOLATION, SUSPICIOUS, NOT_REVIEWED = ReviewStatus


def attempt_in(status: Status, exam_type: str = ExamType.PROCTORED, **fields: Any) -> Attempt:
    return AttemptFactory(**{"status": status, "exam__exam_type": exam_type, **fields})


def receive(
    attempt: Attempt, status: ReviewStatus, moment: datetime = HALF_PAST, now: datetime = LATER, **event: Any
) -> Review:
    said = AttemptReviewed(occurred_at=moment, external_id="ext-1", status=status, **event)
    review = receive_review(attempt, said, message=None, now=now)
    attempt.refresh_from_db()
    return review


@pytest.fixture
def lms(settings: Any) -> ScriptedHost:
    return scripted(settings)


@pytest.fixture
def reviewer(lms: ScriptedHost) -> AbstractUser:
    person = UserFactory(email="reviewer@example.org")
    lms.roles.add((person.pk, "course-v1:Demo+Tests+2026", Role.REVIEWER))
    return person


VERDICTS = {
    PASSED: Status.VERIFIED,
    VIOLATION: Status.SECOND_REVIEW_REQUIRED,
    SUSPICIOUS: Status.SECOND_REVIEW_REQUIRED,
    NOT_REVIEWED: Status.ERROR,
}


@pytest.mark.parametrize("ended", [Status.SUBMITTED, Status.TIMED_OUT, Status.TERMINATED])
@pytest.mark.parametrize("status", list(ReviewStatus), ids=str)
def test_a_review_decides_an_ended_attempt(status: ReviewStatus, ended: Status) -> None:
    attempt = attempt_in(ended)
    review = receive(attempt, status)
    assert (attempt.status, review.applied_at, review.not_applied_reason) == (VERDICTS[status], at(10, 40), "")
    newest = attempt.history.latest()
    assert (newest.history_change_reason, newest.history_user) == (f"review: {status}", None)


@pytest.mark.parametrize("status", [VIOLATION, SUSPICIOUS])
def test_without_second_reviews_a_violation_rejects(status: ReviewStatus, settings: Any) -> None:
    configure(settings, SECOND_REVIEWS=False)
    attempt = attempt_in(Status.SUBMITTED)
    receive(attempt, status)
    assert attempt.status == Status.REJECTED


@pytest.mark.parametrize(
    ("exam_type", "verdict"),
    [(ExamType.ONBOARDING, Status.REJECTED), (ExamType.PRACTICE, Status.SECOND_REVIEW_REQUIRED)],
)
def test_onboarding_is_rejected_at_once(exam_type: str, verdict: Status) -> None:
    attempt = attempt_in(Status.SUBMITTED, exam_type)
    receive(attempt, SUSPICIOUS)
    assert attempt.status == verdict


def test_a_person_who_may_review_decides_under_their_own_name(reviewer: AbstractUser) -> None:
    attempt = attempt_in(Status.SUBMITTED)
    review = receive(attempt, VIOLATION, reviewed_by="reviewer@example.org")
    assert (attempt.status, attempt.history.latest().history_user) == (Status.REJECTED, reviewer)
    assert review.reviewed_by == "reviewer@example.org"


STRANGERS = ("nobody", "person", "elsewhere", "gone", "twin")


@pytest.mark.parametrize(
    "claim", [*(f"{name}@example.org" for name in STRANGERS), "reviewer", "", "@", "x" * 5000 + "@"]
)
def test_a_claimed_reviewer_who_may_not_review_is_not_believed(
    claim: str, reviewer: AbstractUser, lms: ScriptedHost
) -> None:
    UserFactory(email="person@example.org")
    lms.roles |= {
        (UserFactory(email="elsewhere@example.org").pk, "another", Role.REVIEWER),
        (UserFactory(email="gone@example.org", is_active=False).pk, "course-v1:Demo+Tests+2026", Role.REVIEWER),
        *((UserFactory(email="twin@example.org").pk, "course-v1:Demo+Tests+2026", Role.REVIEWER) for _ in range(2)),
    }
    attempt = attempt_in(Status.SUBMITTED)
    review = receive(attempt, VIOLATION, reviewed_by=claim)
    assert (attempt.status, attempt.history.latest().history_user) == (Status.SECOND_REVIEW_REQUIRED, None)
    assert review.reviewed_by == claim[:255]


def test_the_newest_review_by_the_vendors_clock_counts_in_whatever_order_they_come() -> None:
    reviews = [(PASSED, at(10, 30)), (VIOLATION, at(10, 31)), (PASSED, at(10, 32))]
    for order in ([0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]):
        attempt = attempt_in(Status.SUBMITTED)
        for place in order:
            receive(attempt, *reviews[place])
        assert attempt.status == Status.VERIFIED, order
        assert attempt.reviews.count() == 3
        late = attempt.reviews.filter(applied_at=None)
        assert all(review.not_applied_reason == "older_than_applied" for review in late)


def test_a_correction_changes_a_verdict() -> None:
    attempt = attempt_in(Status.SUBMITTED)
    seen = []
    for minute, status in enumerate([PASSED, SUSPICIOUS, PASSED, NOT_REVIEWED, PASSED], start=30):
        receive(attempt, status, at(10, minute))
        seen.append(attempt.status)
    assert seen == ["verified", "second_review_required", "verified", "error", "verified"]


@pytest.mark.parametrize("status", list(ReviewStatus), ids=str)
def test_the_very_same_review_again_changes_nothing(status: ReviewStatus) -> None:
    attempt = attempt_in(Status.SUBMITTED)
    payload = {"score": 0.25, "list": [1, {"é": None}], "video": "https://vendor.example/1"}
    first = receive(attempt, status, payload=payload)
    assert receive(attempt, status, payload=dict(payload), now=at(11, 0)) == first
    assert (Review.objects.count(), attempt.history.count(), first.history.count()) == (1, 2, first.history.count())
    assert receive(attempt, status, payload={**payload, "score": 0.5}) != first


@pytest.mark.parametrize("status", sorted(OPEN))
def test_a_review_of_an_attempt_that_has_not_ended_is_kept(status: Status) -> None:
    attempt = attempt_in(status)
    review = receive(attempt, PASSED, now=at(10, 25))
    assert (attempt.status, review.applied_at, review.not_applied_reason) == (status, None, "attempt_not_ended")
    assert apply_kept_review(attempt, now=at(10, 26)) is None


@pytest.mark.parametrize("end", ["submit", "deadline", "termination"])
@pytest.mark.parametrize("status", sorted(RUNNING))
def test_the_newest_kept_review_is_applied_when_the_attempt_ends(status: Status, end: str) -> None:
    attempt = attempt_in(status, exam__due_at=at(10, 40))
    receive(attempt, VIOLATION, at(10, 12), now=at(10, 15))
    newest = receive(attempt, PASSED, at(10, 14), now=at(10, 16))
    older = receive(attempt, SUSPICIOUS, at(10, 13), now=at(10, 17))
    if end == "submit":
        services.submit_attempt(attempt, by=UserFactory(), actor=Actor.STAFF, now=at(10, 20))
    elif end == "termination":
        services.terminate_attempt(attempt, by=UserFactory(), actor=Actor.STAFF, now=at(10, 20))
    # By its deadline the attempt is over before any sweep has been here.
    assert apply_kept_review(attempt, now=at(10, 41)) == newest
    attempt.refresh_from_db()
    older.refresh_from_db()
    assert (attempt.status, older.not_applied_reason, older.applied_at) == (Status.VERIFIED, "older_than_applied", None)
    assert apply_kept_review(attempt, now=at(10, 42)) is None
    assert not attempts_with_waiting_review().exists()


def test_a_sweep_finds_ended_attempts_whose_review_still_waits() -> None:
    running, ended, applied = attempt_in(Status.STARTED), attempt_in(Status.STARTED), attempt_in(Status.SUBMITTED)
    for attempt in (running, ended, applied):
        receive(attempt, PASSED, now=at(10, 25))
    services.submit_attempt(ended, by=ended.user, now=at(10, 26))
    assert list(attempts_with_waiting_review()) == [ended]


def test_a_kept_review_gives_way_to_a_newer_one_that_came_after_the_end() -> None:
    attempt = attempt_in(Status.STARTED)
    receive(attempt, VIOLATION, at(10, 12), now=at(10, 15))
    services.submit_attempt(attempt, by=attempt.user, now=at(10, 20))
    receive(attempt, PASSED, at(10, 30))
    apply_kept_review(attempt, now=at(10, 41))
    attempt.refresh_from_db()
    assert attempt.status == Status.VERIFIED


CLOSED = sorted(set(Status) - OPEN - ENDED - DECIDED)


@pytest.mark.parametrize("status", CLOSED)
def test_a_review_of_a_closed_attempt_is_kept_and_changes_nothing(status: Status) -> None:
    attempt = attempt_in(status)
    review = receive(attempt, PASSED)
    assert (attempt.status, review.not_applied_reason, review.applied_at) == (status, "attempt_closed", None)


def test_a_kept_review_of_an_attempt_that_was_voided_is_laid_aside() -> None:
    attempt = attempt_in(Status.STARTED)
    review = receive(attempt, PASSED, now=at(10, 15))
    services.void_attempt(attempt, by=UserFactory(), actor=Actor.STAFF, now=at(10, 16))
    apply_kept_review(attempt, now=at(10, 17))
    review.refresh_from_db()
    attempt.refresh_from_db()
    assert (attempt.status, review.not_applied_reason) == (Status.VOIDED, "attempt_closed")
    assert not attempts_with_waiting_review().exists()


@pytest.mark.parametrize("status", [Status.SUBMITTED, Status.STARTED])
def test_a_review_of_an_exam_that_is_no_longer_proctored_changes_nothing(status: Status) -> None:
    attempt = attempt_in(status)
    Exam.objects.update(exam_type=ExamType.TIMED)
    review = receive(Attempt.objects.get(), PASSED)
    assert (Attempt.objects.get().status, review.not_applied_reason) == (status, "exam_not_proctored")
    assert attempt.taking_as_proctored


def test_a_review_of_an_attempt_without_proctoring_changes_nothing() -> None:
    attempt = attempt_in(Status.SUBMITTED, taking_as_proctored=False)
    assert receive(attempt, VIOLATION).not_applied_reason == "exam_not_proctored"


def test_a_vendor_corrects_its_own_not_reviewed_and_no_other_error(reviewer: AbstractUser) -> None:
    broken = attempt_in(Status.ERROR)
    for claim in ("", "reviewer@example.org"):
        assert (
            receive(broken, PASSED, reviewed_by=claim, payload={"by": claim}).not_applied_reason == "attempt_in_error"
        )
    assert broken.status == Status.ERROR
    assert receive(broken, NOT_REVIEWED, at(10, 31)).not_applied_reason == "attempt_in_error"
    own = attempt_in(Status.SUBMITTED)
    receive(own, NOT_REVIEWED)
    assert own.status == Status.ERROR
    receive(own, SUSPICIOUS, at(10, 31))
    assert own.status == Status.SECOND_REVIEW_REQUIRED


def test_links_do_not_stay_in_the_payload() -> None:
    attempt = attempt_in(Status.SUBMITTED)
    payload = {
        "video": "https://vendor.example/v?token=secret",
        "deep": [{"note": "see rtmp://secret.example/x now, and HTTPS://SECRET.example"}, ("s3://secret/y", 3)],
        "plain": "10:30 // nothing",
        "count": 2,
    }
    review = receive(attempt, PASSED, payload=payload, video_url="https://vendor.example/secret")
    review.refresh_from_db()
    assert review.payload == {
        "video": "[link removed]",
        "deep": [{"note": "see [link removed] now, and [link removed]"}, ["[link removed]", 3]],
        "plain": "10:30 // nothing",
        "count": 2,
    }
    assert "secret" not in str(Review.objects.values()).lower()


def test_a_review_of_an_overdue_attempt_ends_it_first() -> None:
    attempt = attempt_in(Status.STARTED)
    receive(attempt, PASSED, at(11, 0), now=at(11, 5))
    assert (attempt.status, attempt.ended_at) == (Status.VERIFIED, at(11, 0))


def test_a_review_is_announced_once(django_capture_on_commit_callbacks: Any) -> None:
    from proctoring.signals import review_received

    heard: list[Review] = []

    def hear(review: Review, **_: Any) -> None:
        heard.append(review)

    attempt = attempt_in(Status.STARTED)
    review_received.connect(hear)
    try:
        for _ in range(2):
            with django_capture_on_commit_callbacks(execute=True):
                receive(attempt, PASSED, now=at(10, 15))
    finally:
        review_received.disconnect(hear)
    assert heard == [Review.objects.get()]


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_two_reviews_at_once_end_with_the_newer_one() -> None:
    for _ in range(TIMES):
        attempt = attempt_in(Status.SUBMITTED)

        def send(status: ReviewStatus, seconds: int, attempt: Attempt = attempt) -> Review:
            said = AttemptReviewed(occurred_at=at(10, 30) + timedelta(seconds=seconds), external_id="", status=status)
            return receive_review(attempt, said, message=None, now=at(10, 40))

        answers = race(lambda: send(VIOLATION, 0), lambda: send(PASSED, 1), lambda: send(PASSED, 1))
        assert kinds(answers) == ["ok"] * 3
        attempt.refresh_from_db()
        assert (attempt.status, attempt.reviews.count()) == (Status.VERIFIED, 2)
