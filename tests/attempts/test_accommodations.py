"""Allowances are granted, changed and withdrawn, and open attempts follow to the second."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring.allowances.models import Allowance, AllowanceKind
from proctoring.allowances.terms import Grant, Terms
from proctoring.attempts import services
from proctoring.attempts.accommodations import (
    change_allowance,
    grant_allowances,
    withdraw_allowance,
)
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt
from proctoring.attempts.retries import authorize_resume
from proctoring.attempts.states import Actor, Status
from proctoring.errors import Conflict, InvalidInput, NotPermitted, RuleBroken
from proctoring.exams.models import Exam, ExamStatus
from proctoring.host import Role
from proctoring.logs.models import Event
from proctoring.signals import deadline_changed
from tests.attempts.granting import entries, grant, minutes, now_of, started, times
from tests.factories import TEN, AllowanceFactory, AttemptFactory, ExamFactory, UserFactory, at


def times_in_log(attempt: Attempt) -> list[Event]:
    return list(Event.objects.filter(attempt=attempt, type__in=(1012, 1062)).order_by("pk"))


class TestFollowing:
    def test_every_open_attempt_of_the_course_follows_and_no_other(
        self, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        running = [AttemptFactory(user=candidate, status=status) for status in ("started", "ready_to_submit")]
        paused = AttemptFactory(user=candidate, status="paused", exam__due_at=at(10, 50))
        waiting = AttemptFactory(user=candidate, status="created")
        ended = AttemptFactory(user=candidate, status="submitted")
        elsewhere = AttemptFactory(user=candidate, status="started", exam__course_id="other")
        neighbour = AttemptFactory(status="started")
        outcome = grant(running[0].exam, candidate, minutes(10), staff, at(10, 10), course=True)
        assert {one.attempt.pk for one in outcome.moved} == {row.pk for row in (*running, paused, waiting)}
        assert [now_of(row).expires_at for row in running] == [at(11, 10)] * 2
        assert (now_of(paused).expires_at, now_of(paused).paused_until) == (None, at(11, 0))
        assert (now_of(waiting).expires_at, now_of(waiting).total_seconds) == (None, 4200)
        for row in (ended, elsewhere, neighbour):
            assert (now_of(row).total_seconds, row.history.count()) == (3600, 1)

    def test_the_entry_the_history_and_the_fact_say_who_and_why(
        self, candidate: AbstractUser, staff: AbstractUser, django_capture_on_commit_callbacks: Any
    ) -> None:
        attempt = started(candidate)
        heard: list[Any] = []
        listener = lambda attempt, **_: heard.append((attempt.pk, attempt.expires_at))  # noqa: E731
        deadline_changed.connect(listener)
        try:
            with django_capture_on_commit_callbacks(execute=True):
                grant(attempt.exam, candidate, times("1.25", note="dyslexia"), staff, at(10, 30))
        finally:
            deadline_changed.disconnect(listener)
        entry = attempt.time_entries.last()
        assert (entry.by, entry.note, entry.at) == (staff, "allowance granted: × 1.25", at(10, 30))
        newest = attempt.history.latest()
        assert (newest.history_user, newest.history_change_reason) == (staff, "allowances changed")
        assert (newest.expires_at, newest.total_seconds) == (at(11, 15), 4500)
        assert heard == [(attempt.pk, at(11, 15))]

    def test_the_log_of_a_running_attempt_says_what_was_given_and_taken(
        self, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        attempt, waiting = started(candidate), AttemptFactory(user=candidate, status="created")
        outcome = grant(attempt.exam, candidate, minutes(10), staff, at(10, 10), course=True)
        assert outcome.allowance is not None
        withdraw_allowance(outcome.allowance, by=staff, now=at(10, 20))
        told = [(one.type, one.extra_minutes, one.data["seconds"]) for one in times_in_log(attempt)]
        assert told == [(1012, 10, 600), (1062, None, -600)]
        (given, taken) = times_in_log(attempt)
        assert (given.actor_user, given.at, given.reason_message) == (staff, at(10, 10), "allowance granted: +10 min")
        assert (taken.status, taken.data["kind"]) == (Status.STARTED, "allowance")
        assert not times_in_log(waiting)

    def test_only_the_difference_is_posted(self, candidate: AbstractUser, staff: AbstractUser) -> None:
        attempt = started(candidate)
        first = grant(attempt.exam, candidate, minutes(10), staff, at(10, 10))
        second = grant(attempt.exam, candidate, minutes(25), staff, at(10, 20))
        assert first.allowance is not None
        change_allowance(first.allowance, {"minutes": 5}, by=staff, now=at(10, 30))
        withdraw_allowance(first.allowance, by=staff, now=at(10, 40))
        assert (first.result, second.result) == ("granted", "updated")
        assert entries(attempt)[1:] == [
            ("allowance", 600),
            ("allowance", 900),
            ("allowance", -1200),
            ("allowance", -300),
        ]
        notes = [entry.note for entry in attempt.time_entries.all()[1:]]
        assert notes == [
            "allowance granted: +10 min",
            "allowance changed: +25 min",
            "allowance changed: +5 min",
            "allowance withdrawn: +5 min",
        ]
        assert (now_of(attempt).expires_at, Allowance.objects.count()) == (at(11, 0), 0)
        kept = Allowance.history.order_by("history_id").values_list("history_type", "minutes", "history_change_reason")
        assert list(kept) == [
            ("+", 10, "granted"),
            ("~", 25, "changed"),
            ("~", 5, "changed"),
            ("-", 5, "withdrawn"),
        ]

    def test_an_exams_own_allowance_shields_from_a_change_of_the_courses(
        self, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        attempt = started(candidate)
        grant(attempt.exam, candidate, minutes(5), staff)
        wide = grant(attempt.exam, candidate, minutes(30), staff, course=True)
        assert (entries(attempt)[1:], wide.moved) == ([("allowance", 300)], [])
        own = Allowance.objects.get(exam=attempt.exam)
        withdraw_allowance(own, by=staff, now=at(10, 10))
        assert (entries(attempt)[1:], now_of(attempt).expires_at) == (
            [("allowance", 300), ("allowance", 1500)],
            at(11, 30),
        )

    def test_what_is_used_up_cannot_be_taken_back(self, candidate: AbstractUser, staff: AbstractUser) -> None:
        first = started(candidate)
        allowance = grant(first.exam, candidate, minutes(10), staff, at(10, 10)).allowance
        services.report_error(first, by=candidate, actor=Actor.CANDIDATE, now=at(11, 5))
        authorize_resume(first, by=staff, reason="", now=at(11, 6))
        second = create_attempt(first.exam, candidate, now=at(11, 7))
        assert allowance is not None
        withdraw_allowance(allowance, by=staff, now=at(11, 8))
        assert (entries(second), now_of(second).total_seconds) == ([("carried_over", 300), ("allowance", -300)], 0)

    def test_a_withdrawal_into_the_past_ends_the_attempt_then(
        self, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        attempt = started(candidate)
        allowance = grant(attempt.exam, candidate, minutes(60), staff, at(10, 10)).allowance
        assert allowance is not None
        withdraw_allowance(allowance, by=staff, now=at(11, 30))
        attempt = now_of(attempt)
        assert (attempt.expires_at, attempt.status_at(at(11, 30))) == (at(11, 0), Status.SUBMITTED)

    def test_an_attempt_whose_deadline_has_passed_is_ended_and_not_reopened(
        self, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        attempt = started(candidate)
        outcome = grant(attempt.exam, candidate, minutes(30), staff, at(11, 0))
        attempt = now_of(attempt)
        assert (attempt.status, attempt.ended_at, entries(attempt)) == (Status.SUBMITTED, at(11, 0), [("base", 3600)])
        assert (outcome.result, outcome.moved) == ("granted", [])

    def test_kinds_without_time_touch_no_attempt(self, candidate: AbstractUser, staff: AbstractUser) -> None:
        attempt = started(candidate)
        for terms in (
            Terms(kind=AllowanceKind.EXEMPTION, exemptions=(1002,)),
            Terms(kind=AllowanceKind.POLICY_EXCEPTION, note="A dictionary"),
        ):
            grant(attempt.exam, candidate, terms, staff, at(10, 10))
        assert (attempt.history.count(), attempt.time_entries.count()) == (2, 1)

    def test_the_time_limit_of_the_chains_beginning_is_multiplied(
        self, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        attempt = started(candidate)
        Exam.objects.filter(pk=attempt.exam_id).update(time_limit_minutes=600)
        grant(attempt.exam, candidate, times("1.25"), staff, at(10, 10))
        assert entries(attempt)[1:] == [("allowance", 900)]

    def test_an_allowances_entry_is_changed_through_the_allowance_alone(
        self, candidate: AbstractUser, staff: AbstractUser
    ) -> None:
        attempt = started(candidate)
        grant(attempt.exam, candidate, minutes(10), staff, at(10, 10))
        with pytest.raises(RuleBroken) as why:
            services.reverse_time(
                attempt, entry=attempt.time_entries.last(), by=staff, reason_code=None, note="", now=at(10, 20)
            )
        assert why.value.code == "not_reversible"


class TestRefusals:
    def test_of_each_grant_for_its_own_reason(self, candidate: AbstractUser, staff: AbstractUser, lms: Any) -> None:
        clerk = UserFactory()
        exam, archived = ExamFactory(), ExamFactory(status=ExamStatus.ARCHIVED)
        foreign = ExamFactory(course_id="other")
        lms.roles = {(clerk.pk, exam.course_id, Role.STAFF)}

        def wish(user: Any, where: Exam, terms: Terms) -> Grant:
            return Grant(user=user, course_id=where.course_id, exam=where, terms=terms)

        outcomes = grant_allowances(
            [
                wish(candidate, exam, minutes(10)),
                wish(candidate, foreign, minutes(10)),
                wish(candidate, archived, minutes(10)),
                wish(clerk, exam, minutes(10)),
                wish(candidate, exam, minutes(10)),
                wish(candidate, exam, minutes(20)),
            ],
            by=clerk,
            now=TEN,
        )
        assert [(one.result, one.refusal and one.refusal.code) for one in outcomes] == [
            ("granted", None),
            ("refused", "not_permitted"),
            ("refused", "exam_not_active"),
            ("refused", "own_attempt"),
            ("updated", None),
            ("refused", "duplicate"),
        ]
        assert Allowance.objects.get().minutes == 10

    def test_a_superuser_may_grant_to_themselves(self, staff: AbstractUser) -> None:
        assert grant(ExamFactory(), staff, minutes(1), staff).result == "granted"

    def test_nobody_changes_or_withdraws_their_own(self, candidate: AbstractUser) -> None:
        mine = AllowanceFactory(user=candidate)
        with pytest.raises(NotPermitted):
            change_allowance(mine, {"minutes": 60}, by=candidate)
        with pytest.raises(NotPermitted):
            withdraw_allowance(mine, by=candidate)
        assert Allowance.objects.get().minutes == 10

    def test_a_change_is_held_against_the_kind(self, staff: AbstractUser) -> None:
        allowance = AllowanceFactory()
        with pytest.raises(InvalidInput) as wrong:
            change_allowance(allowance, {"multiplier": Decimal(2)}, by=staff)
        assert list(wrong.value.errors) == ["multiplier"]

    def test_what_was_withdrawn_meanwhile_is_a_conflict(self, staff: AbstractUser) -> None:
        allowance = AllowanceFactory()
        stale = Allowance.objects.get()
        withdraw_allowance(allowance, by=staff)
        with pytest.raises(Conflict) as why:
            change_allowance(stale, {"minutes": 5}, by=staff)
        assert why.value.code == "allowance_withdrawn"


def test_granting_the_same_again_writes_nothing(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = started(candidate)
    grant(attempt.exam, candidate, minutes(10), staff, at(10, 10))
    before = Allowance.objects.get().modified_at
    assert grant(attempt.exam, candidate, minutes(10), UserFactory(is_superuser=True), at(10, 20)).result == "updated"
    allowance = Allowance.objects.get()
    assert (allowance.modified_at, allowance.granted_by, allowance.history.count()) == (before, staff, 1)
    assert (attempt.time_entries.count(), attempt.history.count()) == (2, 3)


def people(count: int) -> list[Any]:
    model = type(UserFactory.build())
    model._default_manager.bulk_create([UserFactory.build(username=f"many-{n}") for n in range(count)])
    return list(model._default_manager.filter(username__startswith="many-"))


@pytest.mark.parametrize("attempting", [False, True])
def test_the_statements_do_not_grow_with_people(attempting: bool, staff: AbstractUser) -> None:
    def cost(users: list[Any], terms: Terms) -> int:
        grants = [Grant(user=user, course_id=exam.course_id, exam=exam, terms=terms) for user in users]
        with CaptureQueriesContext(connection) as statements:
            grant_allowances(grants, by=staff, now=at(10, 10))
        return len(statements)

    exam, crowd = ExamFactory(), people(20)
    if attempting:
        for user in crowd:
            AttemptFactory(exam=exam, user=user, status="started")
    assert cost(crowd[:2], minutes(10)) == cost(crowd[2:], minutes(10))
    assert cost(crowd[:2], minutes(20)) == cost(crowd[2:], minutes(20))
    if attempting:
        assert set(Attempt.objects.values_list("total_seconds", flat=True)) == {4800}
