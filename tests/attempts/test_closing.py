"""Until when somebody with accommodations may still begin or continue; every door says the same about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from proctoring.attempts import services
from proctoring.attempts.access import decide
from proctoring.attempts.beginnings import Basis
from proctoring.attempts.closing import is_over
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt
from proctoring.attempts.retries import authorize_resume, reset_attempt, restart_sample, usable_retries
from proctoring.attempts.standing import own_onboarding
from proctoring.attempts.states import Actor, Status
from proctoring.candidate.screens import Screen
from proctoring.candidate.situation import look
from proctoring.errors import CreationRefused
from proctoring.exams.models import Exam, ExamStatus, ExamType
from tests.attempts.granting import COMFORT, grant, minutes, started, times
from tests.factories import TEN, AllowanceFactory, AttemptFactory, ExamFactory, UserFactory, at

DUE, BOUND = at(10, 40), at(11, 10)
"""The exam's date, and half an hour later."""


def refusal_at(moment: datetime, exam: Exam, person: AbstractUser) -> str:
    """Why nothing could be created; nothing where it could, and is not kept."""
    try:
        with transaction.atomic():
            create_attempt(exam, person, now=moment)
            transaction.set_rollback(True)
    except CreationRefused as refused:
        return refused.code
    return ""


def usable_at(moment: datetime, attempt: Attempt) -> bool:
    row = Attempt.objects.for_reading().get(pk=attempt.pk)  # type: ignore[attr-defined]
    return usable_retries([row], now=moment) == {attempt.pk}


class TestBeginning:
    @pytest.mark.parametrize("terms", [minutes(30), times("1.5")], ids=["minutes", "multiplier"])
    def test_whoever_was_granted_time_may_begin_as_long_as_it_lasts(
        self, terms: Any, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        exam = ExamFactory(due_at=DUE)
        grant(exam, candidate, terms, staff)
        late = BOUND - timedelta(seconds=1)
        assert (refusal_at(late, exam, candidate), refusal_at(BOUND, exam, candidate)) == ("", "past_due")
        attempt = services.start_attempt(create_attempt(exam, candidate, now=late), by=candidate, now=late)
        assert attempt.expires_at == BOUND
        assert refusal_at(DUE, exam, UserFactory()) == "past_due"

    def test_not_where_the_exam_keeps_to_its_date(self, candidate: AbstractUser, staff: AbstractUser) -> None:
        exam = ExamFactory(due_at=DUE, accommodations_past_due=False)
        grant(exam, candidate, minutes(30), staff)
        assert refusal_at(DUE, exam, candidate) == "past_due"

    def test_practice_may_be_started_over_as_long(self, candidate: AbstractUser, staff: AbstractUser) -> None:
        exam = ExamFactory(due_at=DUE, exam_type=ExamType.PRACTICE)
        grant(exam, candidate, minutes(30), staff)
        done = AttemptFactory(exam=exam, user=candidate, status=Status.SUBMITTED)
        assert restart_sample(done, actor=Actor.CANDIDATE, by=candidate, now=at(10, 50)).closes_at == BOUND

    def test_one_for_whom_onboarding_stood_in_the_way_may_try_again_as_long(
        self, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        exam = ExamFactory(due_at=DUE, exam_type=ExamType.PROCTORED)
        grant(exam, candidate, minutes(30), staff)
        AttemptFactory(exam=exam, user=candidate, status=Status.ONBOARDING_MISSING, closes_at=BOUND)
        assert refusal_at(at(11, 9), exam, candidate) == ""
        assert refusal_at(BOUND, exam, candidate) == "past_due"


class TestContinuing:
    @pytest.fixture
    def broken(self, candidate: AbstractUser, staff: AbstractUser) -> Attempt:
        """Broken off at half past ten with 15 minutes of an allowance and 15 of staff's; the resume is granted."""
        attempt = started(candidate, due_at=DUE)
        grant(attempt.exam, candidate, minutes(15), staff, at(10, 10))
        services.extend_time(attempt, minutes=15, by=staff, reason_code=COMFORT, note="", now=at(10, 11))
        services.report_error(attempt, by=candidate, actor=Actor.CANDIDATE, now=at(10, 30))
        return authorize_resume(attempt, by=staff, reason="", now=at(10, 31))

    def test_an_authorised_resume_can_be_used_as_long_as_its_accommodations_reach(
        self, broken: Attempt, candidate: AbstractUser
    ) -> None:
        for moment, why in ((at(10, 35), ""), (DUE, ""), (at(11, 9), ""), (BOUND, "past_due"), (at(12, 0), "past_due")):
            assert refusal_at(moment, broken.exam, candidate) == why
            assert usable_at(moment, broken) is not bool(why)
        second = create_attempt(broken.exam, candidate, now=at(10, 50))
        assert (second.resumed_from, second.closes_at) == (broken, BOUND)
        assert not usable_at(at(10, 51), broken)

    def test_what_was_granted_or_taken_back_since_counts(
        self, broken: Attempt, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        grant(broken.exam, candidate, minutes(25), staff, at(10, 32))
        assert (refusal_at(at(11, 19), broken.exam, candidate), usable_at(at(11, 19), broken)) == ("", True)
        assert (refusal_at(at(11, 20), broken.exam, candidate), usable_at(at(11, 20), broken)) == ("past_due", False)
        grant(broken.exam, candidate, minutes(5), staff, at(10, 33))
        assert (refusal_at(at(11, 0), broken.exam, candidate), usable_at(at(11, 0), broken)) == ("past_due", False)

    def test_a_later_due_date_makes_it_usable_again(self, broken: Attempt, candidate: AbstractUser) -> None:
        Exam.objects.filter(pk=broken.exam_id).update(due_at=at(12, 0))
        assert (refusal_at(BOUND, broken.exam, candidate), usable_at(BOUND, broken)) == ("past_due", True)
        assert refusal_at(BOUND, Exam.objects.get(pk=broken.exam_id), candidate) == ""

    def test_after_a_reset_what_staff_had_extended_is_gone(
        self, broken: Attempt, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        reset_attempt(broken, by=staff, reason="", now=at(10, 32))
        for moment, why in ((at(10, 54), ""), (at(10, 55), "past_due")):
            assert (refusal_at(moment, broken.exam, candidate), usable_at(moment, broken)) == (why, not why)

    @pytest.mark.parametrize(
        "obstacle",
        [{"status": ExamStatus.ARCHIVED}, {"opens_at": at(10, 45)}, {"accommodations_past_due": False}],
        ids=str,
    )
    def test_it_cannot_be_used_where_creation_would_refuse(
        self, obstacle: dict[str, Any], broken: Attempt, candidate: AbstractUser
    ) -> None:
        Exam.objects.filter(pk=broken.exam_id).update(**obstacle)
        assert refusal_at(DUE, Exam.objects.get(pk=broken.exam_id), candidate)
        assert not usable_at(DUE, broken)

    def test_nor_by_an_account_that_was_closed(self, broken: Attempt, candidate: AbstractUser) -> None:
        candidate.is_active = False
        candidate.save()
        assert not usable_at(at(10, 35), broken)

    def test_many_cost_two_statements(self, broken: Attempt) -> None:
        for _ in range(10):
            other = AttemptFactory(exam=broken.exam, status=Status.ERROR, retry_kind="resume", resumed_from=broken)
            AllowanceFactory(user=other.user, course_id=other.exam.course_id, minutes=30)
        rows = list(Attempt.objects.for_reading())  # type: ignore[attr-defined]
        with CaptureQueriesContext(connection) as statements:
            assert len(usable_retries(rows, now=at(10, 50))) == 11
        assert len(statements) == 2
        with CaptureQueriesContext(connection) as statements:
            assert len(usable_retries(rows, now=at(10, 35))) == 11
        assert len(statements) == 0


class TestOtherDoors:
    def test_questions_stay_closed_to_who_may_still_begin(self, candidate: AbstractUser, staff: AbstractUser) -> None:
        exam = ExamFactory(due_at=DUE)
        grant(exam, candidate, minutes(30), staff)
        answers = [decide(exam, candidate, None, moment) for moment in (at(10, 50), BOUND)]
        assert [(one.allowed, one.reason) for one in answers] == [(False, "not_started"), (True, "past_due")]
        assert decide(exam, UserFactory(), None, DUE).allowed

    def test_the_page_offers_to_begin_and_names_the_bound(self, candidate: AbstractUser, staff: AbstractUser) -> None:
        exam = ExamFactory(due_at=DUE)
        grant(exam, candidate, minutes(30), staff)
        before, after = (look(exam, candidate, now=moment) for moment in (at(10, 50), BOUND))
        assert (before.screen, before.due_at) == (Screen.ENTRANCE, BOUND)
        assert (after.screen, after.refusal and after.refusal.code) == (Screen.UNAVAILABLE, "past_due")

    def test_so_does_the_onboarding(self, candidate: AbstractUser, staff: AbstractUser) -> None:
        exam = ExamFactory(due_at=DUE, exam_type=ExamType.ONBOARDING)
        grant(exam, candidate, minutes(30), staff)
        answers = [own_onboarding(candidate, exam.course_id, now=moment) for moment in (at(10, 50), BOUND)]
        assert [(one and one.past_due, one and one.next_step) for one in answers] == [(False, "begin"), (True, "none")]

    def test_asking_costs_nothing_before_the_date(
        self, candidate: AbstractUser, django_assert_num_queries: Any
    ) -> None:
        exam = ExamFactory(due_at=DUE)
        with django_assert_num_queries(0):
            assert not is_over(Basis(exam, candidate, None), now=TEN)
        with django_assert_num_queries(1):
            assert is_over(Basis(exam, candidate, None), now=DUE)
