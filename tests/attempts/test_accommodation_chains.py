"""The arithmetic of time: what a new attempt begins with, what a chain of resumes passes on, the design's examples."""

from __future__ import annotations

from datetime import datetime

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.allowances.models import AllowanceKind
from proctoring.allowances.terms import Grant, Terms
from proctoring.attempts import services
from proctoring.attempts.accommodations import (
    change_allowance,
    grant_allowances,
)
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.retries import authorize_resume, reset_attempt
from proctoring.attempts.states import Actor
from proctoring.exams.models import ExamType
from tests.attempts.granting import COMFORT, entries, grant, minutes, now_of, started, times
from tests.factories import TEN, ExamFactory, UserFactory, at


class TestExamples:
    """The worked examples of the design, through the services."""

    def test_a_quarter_more_granted_at_half_past(self, candidate: AbstractUser, staff: AbstractUser) -> None:
        attempt = started(candidate)
        grant(attempt.exam, candidate, times("1.25"), staff, at(10, 30))
        assert (now_of(attempt).expires_at, entries(attempt)) == (at(11, 15), [("base", 3600), ("allowance", 900)])
        assert now_of(attempt).total_seconds == 4500

    def test_a_quarter_and_ten_minutes(self, candidate: AbstractUser, staff: AbstractUser) -> None:
        attempt = started(candidate)
        exam = attempt.exam
        both = [
            Grant(user=candidate, course_id=exam.course_id, exam=exam, terms=one)
            for one in (times("1.25"), minutes(10))
        ]
        grant_allowances(both, by=staff, now=at(10, 30))
        assert (now_of(attempt).expires_at, entries(attempt)) == (at(11, 25), [("base", 3600), ("allowance", 1500)])
        assert attempt.time_entries.last().note == "allowance granted: × 1.25; allowance granted: +10 min"

    @pytest.mark.parametrize(("past_due", "expected"), [(True, at(10, 55)), (False, at(10, 40))])
    def test_due_at_40_with_15_more_minutes(
        self, past_due: bool, expected: datetime, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        attempt = started(candidate, due_at=at(10, 40), accommodations_past_due=past_due)
        grant(attempt.exam, candidate, minutes(15), staff, at(10, 30))
        assert (now_of(attempt).closes_at, now_of(attempt).expires_at) == (expected, expected)

    @pytest.mark.parametrize("before", [True, False])
    def test_a_resume_before_and_after_a_quarter_more(
        self, before: bool, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        first = started(candidate)
        if before:
            grant(first.exam, candidate, times("1.25"), staff, at(10, 30))
        services.report_error(first, by=candidate, actor=Actor.CANDIDATE, now=at(10, 45))
        authorize_resume(first, by=staff, reason="power cut", now=at(11, 0))
        second = create_attempt(first.exam, candidate, now=at(11, 50))
        second = services.start_attempt(second, by=candidate, now=at(12, 0))
        if not before:
            assert second.expires_at == at(12, 15)
            grant(first.exam, candidate, times("1.25"), staff, at(12, 5))
        else:
            # Granted again, it changes nothing: what was carried over contains it.
            grant(first.exam, candidate, times("1.25"), staff, at(12, 5))
        expected = [("carried_over", 1800)] if before else [("carried_over", 900), ("allowance", 900)]
        assert (now_of(second).expires_at, entries(second)) == (at(12, 30), expected)

    def test_granted_between_the_error_and_the_resume(self, candidate: AbstractUser, staff: AbstractUser) -> None:
        first = started(candidate)
        services.report_error(first, by=candidate, actor=Actor.CANDIDATE, now=at(10, 45))
        grant(first.exam, candidate, times("1.25"), staff, at(10, 50))
        assert (entries(first), now_of(first).expires_at) == ([("base", 3600)], at(11, 0))
        authorize_resume(first, by=staff, reason="power cut", now=at(11, 0))
        second = create_attempt(first.exam, candidate, now=at(11, 50))
        assert entries(second) == [("carried_over", 900), ("allowance", 900)]


class TestCreation:
    def test_an_allowance_that_exists_is_in_the_first_entries(
        self, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        exam = ExamFactory(due_at=at(10, 40))
        grant(exam, candidate, times("1.25", note="dyslexia"), staff)
        grant(exam, candidate, minutes(10), staff)
        attempt = create_attempt(exam, candidate, now=TEN)
        assert entries(attempt) == [("base", 3600), ("allowance", 1500)]
        assert (attempt.base_seconds, attempt.total_seconds, attempt.closes_at) == (3600, 5100, at(11, 5))
        assert attempt.time_entries.last().note == "allowance: × 1.25, +10 min"
        attempt = services.start_attempt(attempt, by=candidate, now=at(10, 5))
        assert attempt.expires_at == at(11, 5)

    def test_a_course_allowance_is_for_exams_to_come(self, candidate: AbstractUser, staff: AbstractUser) -> None:
        grant(ExamFactory(), candidate, minutes(10), staff, course=True)
        assert create_attempt(ExamFactory(), candidate, now=TEN).total_seconds == 4200
        assert create_attempt(ExamFactory(course_id="other"), candidate, now=TEN).total_seconds == 3600

    def test_an_exams_own_allowance_beats_the_courses_kind_by_kind(
        self, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        exam = ExamFactory()
        grant(exam, candidate, minutes(30), staff, course=True)
        grant(exam, candidate, times("1.5"), staff, course=True)
        grant(exam, candidate, minutes(5), staff)
        assert create_attempt(exam, candidate, now=TEN).total_seconds == 3600 + 1800 + 300

    def test_the_vendor_hears_the_exception_to_the_policy(self, candidate: AbstractUser, staff: AbstractUser) -> None:
        exam = ExamFactory(exam_type=ExamType.PROCTORED, review_policy="No books.")
        grant(exam, candidate, Terms(kind=AllowanceKind.POLICY_EXCEPTION, note="A dictionary is allowed."), staff)
        attempt = create_attempt(exam, candidate, now=TEN)
        assert attempt.review_policy == "No books.\n\nA dictionary is allowed."
        assert entries(attempt) == [("base", 3600)]

    def test_somebody_elses_allowance_changes_nothing(self, candidate: AbstractUser, staff: AbstractUser) -> None:
        exam = ExamFactory()
        grant(exam, UserFactory(), minutes(10), staff)
        assert create_attempt(exam, candidate, now=TEN).total_seconds == 3600

    def test_a_broken_second_is_the_candidates(self, candidate: AbstractUser, staff: AbstractUser) -> None:
        exam = ExamFactory(time_limit_minutes=1)
        grant(exam, candidate, times("1.01"), staff)
        assert create_attempt(exam, candidate, now=TEN).total_seconds == 61


class TestChains:
    def test_an_accommodation_reaches_past_due_in_the_next_attempt_too(
        self, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        first = started(candidate, due_at=at(10, 40))
        grant(first.exam, candidate, minutes(15), staff, at(10, 10))
        services.extend_time(first, minutes=5, by=staff, reason_code=COMFORT, note="", now=at(10, 11))
        services.report_error(first, by=candidate, actor=Actor.CANDIDATE, now=at(10, 20))
        authorize_resume(first, by=staff, reason="", now=at(10, 21))
        second = create_attempt(first.exam, candidate, now=at(10, 22))
        inherited = second.inherited_allowance_seconds, second.inherited_accommodation_seconds
        assert (inherited, second.total_seconds, second.closes_at) == ((900, 1200), 3600, at(11, 0))
        second = services.start_attempt(second, by=candidate, now=at(10, 23))
        assert second.expires_at == at(11, 0)
        grant(first.exam, candidate, minutes(20), staff, at(10, 30))
        assert (entries(second)[1:], now_of(second).expires_at) == ([("allowance", 300)], at(11, 5))

    def test_a_chain_of_resumes_neither_grows_nor_shrinks(self, candidate: AbstractUser, staff: AbstractUser) -> None:
        attempt = started(candidate, due_at=at(11, 0))
        grant(attempt.exam, candidate, times("1.25"), staff, at(10, 10))
        for minute in (20, 35, 59):
            services.report_error(attempt, by=candidate, actor=Actor.CANDIDATE, now=at(10, minute))
            authorize_resume(attempt, by=staff, reason="", now=at(10, minute))
            attempt = create_attempt(attempt.exam, candidate, now=at(10, minute))
            assert attempt.time_entries.count() == 1
            attempt = services.start_attempt(attempt, by=candidate, now=at(10, minute))
            assert (attempt.expires_at, attempt.closes_at) == (at(11, 15), at(11, 15))
        assert (attempt.inherited_allowance_seconds, attempt.base_seconds) == (900, 3600)

    def test_an_unstarted_attempt_passes_its_allowance_on_as_an_allowance(
        self, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        exam = ExamFactory()
        grant(exam, candidate, minutes(10), staff)
        first = create_attempt(exam, candidate, now=TEN)
        services.report_error(first, by=candidate, actor=Actor.CANDIDATE, now=at(10, 5))
        authorize_resume(first, by=staff, reason="", now=at(10, 6))
        second = create_attempt(exam, candidate, now=at(10, 7))
        assert (entries(second), second.inherited_allowance_seconds) == ([("base", 3600), ("allowance", 600)], 0)

    def test_a_fresh_attempt_inherits_nothing_and_gets_what_is_in_force(
        self, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        first = started(candidate)
        grant(first.exam, candidate, minutes(10), staff, at(10, 10))
        services.extend_time(first, minutes=5, by=staff, reason_code=COMFORT, note="", now=at(10, 11))
        reset_attempt(first, by=staff, reason="again", now=at(10, 20))
        second = create_attempt(first.exam, candidate, now=at(10, 21))
        assert entries(second) == [("base", 3600), ("allowance", 600)]
        assert (second.inherited_allowance_seconds, second.inherited_accommodation_seconds) == (0, 0)

    def test_less_than_was_inherited_is_taken_back_at_the_resume(
        self, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        first = started(candidate)
        allowance = grant(first.exam, candidate, minutes(30), staff, at(10, 10)).allowance
        assert allowance is not None
        services.report_error(first, by=candidate, actor=Actor.CANDIDATE, now=at(10, 20))
        change_allowance(allowance, {"minutes": 10}, by=staff, now=at(10, 30))
        authorize_resume(first, by=staff, reason="", now=at(10, 31))
        second = create_attempt(first.exam, candidate, now=at(10, 32))
        assert (entries(second), second.total_seconds) == ([("carried_over", 4200), ("allowance", -1200)], 3000)
