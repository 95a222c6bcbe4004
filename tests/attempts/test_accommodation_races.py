"""Allowances beside creations, and beside each other: nobody is missed, nobody waits in a circle."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from proctoring.allowances.models import Allowance, AllowanceKind
from proctoring.allowances.terms import Grant, Terms
from proctoring.attempts import services
from proctoring.attempts.accommodations import Outcome, change_allowance, grant_allowances, withdraw_allowance
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.exams.models import Exam, ExamType
from tests.attempts.racing import TIMES, kinds, race
from tests.effecting import effects
from tests.factories import TEN, AllowanceFactory, AttemptFactory, ExamFactory, UserFactory, at

pytestmark = [pytest.mark.concurrency, pytest.mark.django_db(transaction=True)]

NOW = at(10, 30)
TEN_MORE = Terms(kind=AllowanceKind.EXTRA_MINUTES, minutes=10)
HALF_MORE = Terms(kind=AllowanceKind.TIME_MULTIPLIER, multiplier=Decimal("1.5"))


def grant(exam: Exam, users: list[Any], terms: Terms, by: Any, *, course: bool = False) -> list[Outcome]:
    where = None if course else exam
    return grant_allowances(
        [Grant(user=user, course_id=exam.course_id, exam=where, terms=terms) for user in users], by=by, now=NOW
    )


def allowance_seconds(attempt: Attempt) -> int:
    return sum(attempt.time_entries.filter(kind="allowance").values_list("seconds", flat=True))


def test_a_creation_and_a_grant_at_once_do_not_miss_each_other() -> None:
    boss = UserFactory(is_superuser=True)
    for turn in range(2 * TIMES):
        exam, user = ExamFactory(due_at=at(12, 0)), UserFactory()
        answers = race(
            lambda e=exam, u=user: create_attempt(e, u, now=NOW),
            lambda e=exam, u=user, c=bool(turn % 2): grant(e, [u], TEN_MORE, boss, course=c),
        )
        assert kinds(answers) == ["ok", "ok"], answers
        attempt = Attempt.objects.get(user=user)
        assert (allowance_seconds(attempt), attempt.total_seconds, attempt.closes_at) == (600, 4200, at(12, 10))


def test_a_creation_and_a_withdrawal_at_once_do_not_miss_each_other() -> None:
    boss = UserFactory(is_superuser=True)
    for _ in range(TIMES):
        allowance = AllowanceFactory()
        exam = ExamFactory(course_id=allowance.course_id)
        answers = race(
            lambda e=exam, a=allowance: create_attempt(e, a.user, now=NOW),
            lambda a=allowance: withdraw_allowance(a, by=boss, now=NOW),
        )
        assert kinds(answers) == ["ok", "ok"], answers
        attempt = Attempt.objects.get(user=allowance.user)
        assert (allowance_seconds(attempt), attempt.total_seconds) == (0, 3600)


@pytest.mark.parametrize("attempting", [False, True])
def test_the_same_grant_three_times_at_once_is_one_grant_and_two_updates(attempting: bool) -> None:
    boss = UserFactory(is_superuser=True)
    for _ in range(TIMES):
        exam, users = ExamFactory(), [UserFactory() for _ in range(4)]
        for user in users if attempting else ():
            AttemptFactory(exam=exam, user=user, status="started")
        there, back = list(users), users[::-1]
        answers = race(
            lambda e=exam, u=there: grant(e, u, TEN_MORE, boss),
            lambda e=exam, u=back: grant(e, u, TEN_MORE, boss),
            lambda e=exam, u=there: grant(e, u, TEN_MORE, boss),
        )
        assert kinds(answers) == ["ok"] * 3, answers
        by_person = zip(answers[0], answers[1][::-1], answers[2], strict=True)
        assert [sorted(one.result for one in three) for three in by_person] == [["granted", "updated", "updated"]] * 4
        assert Allowance.objects.filter(exam=exam).count() == 4
        if attempting:
            assert set(Attempt.objects.filter(exam=exam).values_list("total_seconds", flat=True)) == {4200}
            assert TimeEntry.objects.filter(attempt__exam=exam, kind="allowance").count() == 4


def test_different_kinds_at_once_add_up() -> None:
    boss = UserFactory(is_superuser=True)
    for _ in range(TIMES):
        exam, user = ExamFactory(), UserFactory()
        answers = race(
            lambda e=exam, u=user: grant(e, [u], TEN_MORE, boss),
            lambda e=exam, u=user: grant(e, [u], HALF_MORE, boss, course=True),
            lambda e=exam, u=user: create_attempt(e, u, now=NOW),
        )
        assert kinds(answers) == ["ok"] * 3, answers
        assert Attempt.objects.get(user=user).total_seconds == 3600 + 600 + 1800


def test_changes_starts_and_submissions_at_once_deadlock_nobody() -> None:
    boss = UserFactory(is_superuser=True)
    for _ in range(TIMES):
        exam, users = ExamFactory(), [UserFactory() for _ in range(3)]
        rows = [
            AttemptFactory(exam=exam, user=user, status=s)
            for user, s in zip(users, ("created", "started", "started"), strict=True)
        ]
        own = AllowanceFactory(user=users[2], course_id=exam.course_id, exam=exam)
        answers = race(
            lambda e=exam, u=users: grant(e, u, HALF_MORE, boss),
            lambda a=own: change_allowance(a, {"minutes": 20}, by=boss, now=NOW),
            lambda r=rows: services.start_attempt(r[0], by=r[0].user, now=NOW),
            lambda r=rows: services.submit_attempt(r[1], by=r[1].user, now=NOW),
        )
        assert kinds(answers) == ["ok"] * 4, answers
        for row in rows:
            row.refresh_from_db()
        assert (rows[0].total_seconds, rows[0].expires_at) == (5400, at(12, 0))
        assert rows[1].total_seconds in (3600, 5400)
        assert (rows[2].total_seconds, rows[2].expires_at) == (6600, TEN.replace(hour=11, minute=50))


def test_a_course_wide_grant_beside_the_end_of_a_resumed_attempt_deadlocks_nobody(settings: Any) -> None:
    """Who ends the later one goes on to the person's first attempts at the exam and in the course."""
    effects(settings)
    boss = UserFactory(is_superuser=True)
    for turn in range(TIMES):
        user: Any = UserFactory()
        here = {"exam__exam_type": ExamType.PROCTORED, "exam__course_id": f"c{turn}", "user": user}
        AttemptFactory(**here, status="started")
        first = AttemptFactory(**here, status="error", retry_kind="resume")
        second = AttemptFactory(exam=first.exam, user=user, number=2, status="started", resumed_from=first)
        answers = race(
            lambda e=first.exam, u=user: grant(e, [u], TEN_MORE, boss, course=True),
            lambda row=second: services.submit_attempt(row, by=row.user, now=NOW),
        )
        assert kinds(answers) == ["ok", "ok"], answers
