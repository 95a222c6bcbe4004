"""The profile follows the newest onboarding attempt; an approval has a life of its own."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring.attempts import services
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt, OnboardingProfile, ProfileStatus
from proctoring.attempts.profiles import WORDS, note_profile
from proctoring.attempts.retries import restart_sample
from proctoring.attempts.states import BLOCKED, Actor, Status
from proctoring.backends.types import AttemptReviewed, ReviewStatus
from proctoring.exams.models import Exam, ExamType
from proctoring.reviews.services import receive_review, record_decision
from tests.attempts.racing import TIMES, race
from tests.factories import TEN, AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import configure

pytestmark = pytest.mark.django_db

YEAR = timedelta(days=365)


@pytest.fixture
def exam() -> Exam:
    return ExamFactory(exam_type=ExamType.ONBOARDING, course_id="here")


def profile_of(user: AbstractUser) -> OnboardingProfile:
    return OnboardingProfile.objects.get(user=user)


def review(attempt: Attempt, verdict: ReviewStatus, hour: int) -> None:
    event = AttemptReviewed(occurred_at=at(hour, 0), external_id="", status=verdict)
    receive_review(attempt, event, message=None, now=at(hour, 0))


def sit(exam: Exam, user: AbstractUser, verdict: ReviewStatus | None = None, hour: int = 11) -> Attempt:
    """Onboard from beginning to verdict."""
    attempt = create_attempt(exam, user, now=TEN)
    attempt = services.start_attempt(attempt, by=user, now=TEN)
    attempt = services.submit_attempt(attempt, by=user, now=at(10, 30))
    if verdict is not None:
        review(attempt, verdict, hour)
    return attempt


def test_every_status_of_an_attempt_has_a_word_or_says_nothing() -> None:
    silent = {Status.DECLINED, Status.EXPIRED, Status.VOIDED, Status.ONBOARDING_RESET} | BLOCKED
    assert set(WORDS) == set(Status) - silent


def test_the_profile_goes_with_the_attempt(exam: Exam, candidate: AbstractUser) -> None:
    attempt = create_attempt(exam, candidate, now=TEN)
    seen = [profile_of(candidate).status]
    attempt = services.start_attempt(attempt, by=candidate, now=TEN)
    seen.append(profile_of(candidate).status)
    services.submit_attempt(attempt, by=candidate, now=at(10, 30))
    seen.append(profile_of(candidate).status)
    review(attempt, ReviewStatus.PASSED, 11)
    profile = profile_of(candidate)
    assert [*seen, profile.status] == ["setup_started", "onboarding_started", "submitted", "verified"]
    assert (profile.approved_at, profile.expires_at) == (at(11, 0), at(11, 0) + YEAR)
    assert (profile.course_id, profile.approved_course_id) == ("here", "here")
    assert [row.status for row in profile.history.order_by("history_id")] == ["setup_started", "verified"]
    assert profile.history.latest().history_change_reason == f"attempt {attempt.pk} is verified"


def test_its_history_keeps_what_came_of_each_try(exam: Exam, candidate: AbstractUser) -> None:
    sit(exam, candidate, ReviewStatus.VIOLATION)
    attempt = sit(exam, candidate, ReviewStatus.PASSED, 12)
    record_decision(
        attempt, Status.SECOND_REVIEW_REQUIRED, by=UserFactory(), actors={Actor.REVIEWER}, reason="", now=at(13, 0)
    )
    versions = profile_of(candidate).history.order_by("history_id")
    assert [row.status for row in versions] == ["setup_started", "rejected", "verified", "submitted"]
    assert versions.last().approved_at is None


def test_how_long_an_approval_holds_is_a_setting(exam: Exam, candidate: AbstractUser, settings: Any) -> None:
    configure(settings, ONBOARDING_VALID_DAYS=10)
    sit(exam, candidate, ReviewStatus.PASSED)
    assert profile_of(candidate).expires_at == at(11, 0) + timedelta(days=10)


@pytest.mark.parametrize("exam_type", [ExamType.TIMED, ExamType.PROCTORED, ExamType.PRACTICE])
def test_other_exams_leave_no_profile_and_cost_nothing(exam_type: ExamType, candidate: AbstractUser) -> None:
    attempt = AttemptFactory(exam__exam_type=exam_type, user=candidate, status=Status.STARTED)
    with CaptureQueriesContext(connection) as statements:
        note_profile(attempt, "", now=TEN)
    assert not statements
    assert not OnboardingProfile.objects.exists()


def test_a_failed_renewal_does_not_end_the_approval(exam: Exam, candidate: AbstractUser) -> None:
    sit(exam, candidate, ReviewStatus.PASSED)
    sit(exam, candidate, ReviewStatus.VIOLATION, 12)
    profile = profile_of(candidate)
    assert (profile.status, profile.is_approved(at(12, 0))) == ("rejected", True)
    assert not profile.is_approved(at(11, 0) + YEAR)


def test_a_corrected_verdict_takes_its_own_approval_back(exam: Exam, candidate: AbstractUser) -> None:
    attempt = sit(exam, candidate, ReviewStatus.PASSED)
    review(attempt, ReviewStatus.VIOLATION, 12)
    profile = profile_of(candidate)
    assert (profile.status, profile.approved_at, profile.expires_at) == ("rejected", None, None)


def test_an_annulled_attempt_takes_its_own_approval_back(
    exam: Exam, candidate: AbstractUser, staff: AbstractUser
) -> None:
    attempt = sit(exam, candidate, ReviewStatus.PASSED)
    services.void_attempt(attempt, by=staff, actor=Actor.STAFF, now=at(12, 0))
    profile = profile_of(candidate)
    assert (profile.status, profile.course_id, profile.expires_at) == ("not_started", "", None)


def test_the_approval_that_another_attempt_earned_stays(exam: Exam, candidate: AbstractUser) -> None:
    first = sit(exam, candidate, ReviewStatus.PASSED)
    sit(exam, candidate, ReviewStatus.PASSED, 12)
    review(first, ReviewStatus.VIOLATION, 13)
    profile = profile_of(candidate)
    assert (profile.status, profile.approved_at) == ("verified", at(10, 30))
    elsewhere = ExamFactory(exam_type=ExamType.ONBOARDING, course_id="there")
    sit(elsewhere, candidate, ReviewStatus.PASSED, 14)
    review(Attempt.objects.get(exam=exam, number=2), ReviewStatus.VIOLATION, 15)
    profile = profile_of(candidate)
    assert (profile.approved_course_id, profile.approved_at) == ("there", at(14, 0))


def test_an_older_attempt_that_moves_does_not_hide_the_newest(
    exam: Exam, candidate: AbstractUser, staff: AbstractUser
) -> None:
    first = sit(exam, candidate)
    second = sit(ExamFactory(exam_type=ExamType.ONBOARDING, course_id="there"), candidate, ReviewStatus.VIOLATION)
    review(first, ReviewStatus.PASSED, 12)
    profile = profile_of(candidate)
    assert (profile.status, profile.course_id) == ("rejected", "there")
    assert (profile.approved_course_id, profile.is_approved(at(13, 0))) == ("here", True)
    services.void_attempt(second, by=staff, actor=Actor.STAFF, now=at(13, 0))
    assert profile_of(candidate).status == "verified"


def test_the_newest_try_is_the_one_that_was_made_last_whichever_moves(
    exam: Exam, candidate: AbstractUser, staff: AbstractUser
) -> None:
    first = create_attempt(exam, candidate, now=TEN)
    second = create_attempt(ExamFactory(exam_type=ExamType.ONBOARDING, course_id="there"), candidate, now=TEN)
    services.start_attempt(first, by=candidate, now=TEN)
    profile = profile_of(candidate)
    assert (profile.status, profile.course_id, profile.newest_try) == ("setup_started", "there", second)
    services.void_attempt(second, by=staff, actor=Actor.STAFF, now=at(10, 5))
    profile = profile_of(candidate)
    assert (profile.status, profile.course_id, profile.newest_try) == ("onboarding_started", "here", first)
    services.void_attempt(first, by=staff, actor=Actor.STAFF, now=at(10, 6))
    profile = profile_of(candidate)
    assert (profile.status, profile.course_id, profile.newest_try) == ("not_started", "", None)


def test_a_profile_that_only_the_vendor_made_follows_the_first_try(exam: Exam, candidate: AbstractUser) -> None:
    OnboardingProfile.objects.create(user=candidate, backend=exam.backend_alias, status=ProfileStatus.REJECTED)
    attempt = create_attempt(exam, candidate, now=TEN)
    profile = profile_of(candidate)
    assert (profile.status, profile.newest_try) == ("setup_started", attempt)


def test_what_is_known_of_tries_from_before_the_profile_is_looked_for(exam: Exam, candidate: AbstractUser) -> None:
    older = AttemptFactory(exam=exam, user=candidate, status=Status.SUBMITTED)
    newer = AttemptFactory(exam__exam_type=ExamType.ONBOARDING, user=candidate, status=Status.STARTED)
    review(older, ReviewStatus.VIOLATION, 11)
    assert (profile_of(candidate).status, profile_of(candidate).newest_try) == ("onboarding_started", newer)


def test_started_over_is_begun_again(exam: Exam, candidate: AbstractUser) -> None:
    attempt = sit(exam, candidate, ReviewStatus.VIOLATION)
    restart_sample(attempt, actor=Actor.CANDIDATE, by=candidate, now=at(12, 0))
    assert profile_of(candidate).status == ProfileStatus.SETUP_STARTED


def test_a_person_who_decides_counts_like_the_vendor(exam: Exam, candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = sit(exam, candidate, ReviewStatus.VIOLATION)
    record_decision(attempt, Status.VERIFIED, by=staff, actors={Actor.REVIEWER}, reason="well seen", now=at(12, 0))
    profile = profile_of(candidate)
    assert (profile.status, profile.approved_at) == ("verified", at(12, 0))


@pytest.mark.parametrize("status", [Status.VERIFIED])
def test_a_verified_onboarding_is_not_started_over_but_stands_beside_a_new_one(
    exam: Exam, candidate: AbstractUser, status: Status
) -> None:
    attempt = AttemptFactory(exam=exam, user=candidate, status=status)
    with pytest.raises(Exception, match="was approved and stays") as refused:
        restart_sample(attempt, actor=Actor.CANDIDATE, by=candidate, now=TEN)
    assert getattr(refused.value, "code", "") == "illegal_transition"
    assert create_attempt(exam, candidate, now=TEN).number == 2
    assert Attempt.objects.get(number=1).status == Status.VERIFIED


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_two_first_tries_at_once_make_one_profile() -> None:
    for _ in range(TIMES):
        user = UserFactory()
        exams = [ExamFactory(exam_type=ExamType.ONBOARDING) for _ in range(2)]
        answers = race(*[lambda exam=exam, user=user: create_attempt(exam, user, now=TEN) for exam in exams])
        assert [type(one) for one in answers] == [Attempt] * 2
        assert profile_of(user).status == "setup_started"


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_two_clicks_on_start_over_make_one_new_attempt() -> None:
    exam = ExamFactory(exam_type=ExamType.ONBOARDING)
    for _ in range(TIMES):
        attempt = AttemptFactory(exam=exam, status=Status.REJECTED)
        again = lambda attempt=attempt: restart_sample(  # noqa: E731
            attempt, actor=Actor.CANDIDATE, by=attempt.user, now=TEN
        )
        answers = race(again, again)
        assert sorted(type(one).__name__ for one in answers) == ["Attempt", "RetryNotPossible"]
        assert Attempt.objects.filter(user=attempt.user).count() == 2
