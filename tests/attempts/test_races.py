"""Two requests at once: one wins, the other is told so, and the rows are as if they had come one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser
from django.utils import timezone

from proctoring.attempts import services
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.deadlines import end_overdue
from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.retries import authorize_resume, reset_attempt, restart_sample
from proctoring.attempts.schedule import change_exam, register_exams
from proctoring.attempts.states import Actor, Status
from proctoring.exams.models import Exam, ExamType
from proctoring.outbox.models import Delivery
from tests.attempts.racing import TIMES, kinds, race
from tests.exchange.vendor import VENDOR
from tests.factories import TEN, AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import ScriptedHost, configure

pytestmark = [pytest.mark.concurrency, pytest.mark.django_db(transaction=True)]

NOW = at(10, 30)


def colleague() -> AbstractUser:
    """Somebody other than the candidate: nobody intervenes in their own attempt."""
    return get_user_model().objects.get_or_create(username="colleague")[0]


def test_of_two_creations_one_wins(settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR)
    exam = ExamFactory(exam_type=ExamType.PROCTORED, backend="vendor")
    for _ in range(TIMES):
        user = UserFactory()
        answers = race(*[lambda user=user: create_attempt(exam, user, now=TEN)] * 3)
        assert kinds(answers) == ["AttemptExists", "AttemptExists", "ok"]
        attempt = Attempt.objects.get(user=user)
        assert attempt.history.count() == attempt.time_entries.count() == 1
        assert Delivery.objects.filter(target_id=attempt.pk).count() == 1


def test_of_two_creations_after_a_blocked_one_one_wins() -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED)
    for _ in range(TIMES):
        blocked = AttemptFactory(exam=exam, status=Status.ONBOARDING_MISSING)
        answers = race(*[lambda user=blocked.user: create_attempt(exam, user, now=TEN)] * 2)
        assert kinds(answers) == ["AttemptExists", "ok"]
        assert [row.status for row in blocked.history.order_by("history_id")] == ["onboarding_missing", "voided"]
        assert list(Attempt.objects.filter(user=blocked.user).order_by("number").values_list("status", flat=True)) == [
            "voided",
            "created",
        ]


ONE_WINS: dict[str, tuple[Status, Callable[[Attempt, Any], Any], str]] = {
    "start": (Status.CREATED, lambda a, u: services.start_attempt(a, by=u, now=NOW), "IllegalTransition"),
    "stop": (Status.STARTED, lambda a, u: services.stop_attempt(a, by=u, now=NOW), "IllegalTransition"),
    "submit": (Status.STARTED, lambda a, u: services.submit_attempt(a, by=u, now=NOW), "IllegalTransition"),
    "decline": (Status.CREATED, lambda a, u: services.decline_attempt(a, by=u, now=NOW), "IllegalTransition"),
    "pause": (
        Status.STARTED,
        lambda a, u: services.pause_attempt(a, by=colleague(), actor=Actor.PROCTOR, now=NOW),
        "IllegalTransition",
    ),
    "resume": (
        Status.PAUSED,
        lambda a, u: services.resume_attempt(a, by=colleague(), actor=Actor.PROCTOR, now=NOW),
        "IllegalTransition",
    ),
    "authorise": (
        Status.ERROR,
        lambda a, u: authorize_resume(a, by=colleague(), reason="", now=NOW),
        "RetryNotPossible",
    ),
}


@pytest.mark.parametrize("name", ONE_WINS)
def test_of_two_who_do_the_same_one_wins(name: str) -> None:
    status, act, loser = ONE_WINS[name]
    exam = ExamFactory(exam_type=ExamType.PROCTORED, allow_opt_out=True)
    for _ in range(TIMES):
        attempt = AttemptFactory(exam=exam, status=status)
        answers = race(*[lambda a=attempt: act(a, a.user)] * 2)
        assert kinds(answers) == sorted([loser, "ok"])
        assert attempt.history.count() == 2
        assert attempt.time_entries.count() == (2 if name == "resume" else 1)


def test_a_reset_twice_at_once_is_one_reset(settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR)
    exam = ExamFactory(exam_type=ExamType.PROCTORED, backend="vendor")
    for _ in range(TIMES):
        attempt = AttemptFactory(exam=exam, status=Status.SUBMITTED)
        answers = race(*[lambda a=attempt: reset_attempt(a, by=colleague(), reason="", now=NOW)] * 2)
        assert kinds(answers) == ["ok", "ok"]
        assert attempt.history.count() == 2
        assert Delivery.objects.filter(target_id=attempt.pk).count() == 1


def test_practice_started_over_twice_at_once_makes_one_attempt() -> None:
    exam = ExamFactory(exam_type=ExamType.PRACTICE)
    for _ in range(TIMES):
        attempt = AttemptFactory(exam=exam, status=Status.STARTED)
        again = lambda a=attempt: restart_sample(a, actor=Actor.CANDIDATE, by=a.user, now=NOW)  # noqa: E731
        assert kinds(race(again, again)) == ["RetryNotPossible", "ok"]
        assert Attempt.objects.filter(user=attempt.user).count() == 2


def test_a_submission_and_the_sweep_end_an_attempt_once() -> None:
    exam = ExamFactory()
    for _ in range(TIMES):
        attempt = AttemptFactory(exam=exam, status=Status.STARTED)
        answers = race(
            lambda a=attempt: services.submit_attempt(a, by=a.user, now=at(11, 0)),
            lambda: end_overdue(now=at(11, 0)),
            lambda: end_overdue(now=at(11, 0)),
        )
        assert kinds(answers) == ["ok"] * 3
        attempt.refresh_from_db()
        assert (attempt.status, attempt.ended_at, attempt.history.count()) == (Status.SUBMITTED, at(11, 0), 2)


def test_extra_time_from_two_people_adds_up() -> None:
    for _ in range(TIMES):
        attempt = AttemptFactory(status=Status.STARTED)
        extend = lambda a=attempt: services.extend_time(  # noqa: E731
            a, minutes=5, by=colleague(), reason_code=10010, note="", now=NOW
        )
        assert kinds(race(extend, extend)) == ["ok", "ok"]
        attempt.refresh_from_db()
        assert (attempt.total_seconds, attempt.expires_at) == (4200, at(11, 10))


def test_an_entry_is_reversed_by_one_of_two() -> None:
    for _ in range(TIMES):
        attempt = AttemptFactory(status=Status.STARTED)
        entry = TimeEntry.objects.create(attempt=attempt, kind="extra_time", seconds=300, at=TEN)
        reverse = lambda a=attempt, e=entry: services.reverse_time(  # noqa: E731
            a, entry=e, by=colleague(), reason_code=None, note="", now=NOW
        )
        assert kinds(race(reverse, reverse)) == ["Conflict", "ok"]
        assert sum(attempt.time_entries.values_list("seconds", flat=True)) == 3600


def test_attempts_that_are_created_or_started_while_the_due_date_moves_get_the_new_one() -> None:
    staff = UserFactory()
    for turn in range(TIMES):
        exam = ExamFactory(due_at=at(11, 0))
        waiting = [AttemptFactory(exam=exam) for _ in range(2)]
        due_at = at(10, 50) if turn % 2 else at(12, 0)
        answers = race(
            lambda e=exam: create_attempt(Exam.objects.get(pk=e.pk), UserFactory(), now=TEN),
            lambda e=exam: create_attempt(Exam.objects.get(pk=e.pk), UserFactory(), now=TEN),
            lambda a=waiting[0]: services.start_attempt(a, by=a.user, now=TEN),
            lambda e=exam, d=due_at: change_exam(Exam.objects.get(pk=e.pk), {"due_at": d}, by=staff, now=TEN),
        )
        assert kinds(answers) == ["ok"] * 4, answers
        assert set(exam.attempts.values_list("closes_at", flat=True)) == {due_at}
        running = exam.attempts.get(status=Status.STARTED)
        assert running.expires_at == min(due_at, at(11, 0))


def test_attempts_that_are_replaced_while_the_due_date_moves_deadlock_nobody() -> None:
    staff = UserFactory()
    exam = ExamFactory(exam_type=ExamType.PRACTICE, due_at=at(20, 0))
    for turn in range(TIMES):
        old = AttemptFactory(exam=exam, status=Status.STARTED)
        overdue = AttemptFactory(exam=exam, status=Status.STARTED, expires_at=at(10, 10))
        blocked = AttemptFactory(exam=exam, status=Status.ONBOARDING_PENDING)
        due_at = at(20, turn % 2 + 1)
        answers = race(
            lambda a=old: restart_sample(a, actor=Actor.CANDIDATE, by=a.user, now=NOW),
            lambda a=overdue: create_attempt(a.exam, a.user, now=NOW),
            lambda a=blocked: create_attempt(a.exam, a.user, now=NOW),
            lambda d=due_at: change_exam(Exam.objects.get(pk=exam.pk), {"due_at": d}, by=staff, now=NOW),
        )
        assert kinds(answers) == ["ok"] * 4, answers
        assert set(exam.attempts.filter(open_slot=1).values_list("closes_at", flat=True)) == {due_at}


def test_two_people_who_change_different_things_of_an_exam_both_get_them() -> None:
    staff = UserFactory()
    for _ in range(TIMES):
        exam = ExamFactory()
        one, two = (Exam.objects.get(pk=exam.pk) for _ in range(2))
        answers = race(
            lambda e=one: change_exam(e, {"name": "New"}, by=staff),
            lambda e=two: change_exam(e, {"review_policy": "No books."}, by=staff),
        )
        assert kinds(answers) == ["ok", "ok"]
        exam.refresh_from_db()
        assert (exam.name, exam.review_policy) == ("New", "No books.")


def test_a_course_registered_twice_at_once_has_each_exam_once() -> None:
    staff = UserFactory()
    for turn in range(TIMES):
        items = [{"content_id": f"{turn}-{n}", "name": "Exam", "time_limit_minutes": 30} for n in range(3)]
        answers = race(*[lambda i=items, t=turn: register_exams(f"course-{t}", i, by=staff)] * 2)
        assert kinds(answers) == ["ok", "ok"]
        assert Exam.objects.filter(course_id=f"course-{turn}", status="active").count() == 3


def test_people_who_opt_out_of_each_others_exams_at_once_do_not_lock_each_other(lms: ScriptedHost) -> None:
    lms.cascades = True
    for _ in range(TIMES):
        course = f"course-{timezone.now().timestamp()}"
        one, two = (ExamFactory(course_id=course, exam_type=ExamType.PROCTORED, allow_opt_out=True) for _ in range(2))
        user: AbstractUser = UserFactory()
        other: AbstractUser = UserFactory()
        answers = race(
            lambda e=one, u=user: create_attempt(e, u, proctored=False, now=TEN),
            lambda e=two, u=other: create_attempt(e, u, proctored=False, now=TEN),
            lambda e=two, u=user: create_attempt(e, u, proctored=False, now=TEN),
        )
        assert set(kinds(answers)) <= {"ok", "AttemptExists", "CreationRefused"}, answers
        for person in (user, other):
            assert Attempt.objects.filter(user=person, status=Status.DECLINED).count() == 2
