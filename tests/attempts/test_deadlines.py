"""Deadlines end attempts on time, whether or not anybody looks."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from proctoring.attempts import services, states
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Actor, Status
from proctoring.errors import IllegalTransition
from proctoring.exams.models import ExamType
from proctoring.outbox.models import Delivery, Operation
from tests.attempts.sweeping import sweep
from tests.exchange.vendor import VENDOR
from tests.factories import TEN, AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import configure

SETUP = sorted(states.SETUP)


@pytest.mark.parametrize("status", ["started", "ready_to_submit"])
def test_a_sweep_ends_a_running_attempt_at_its_deadline_not_at_its_own_moment(status: str, db: None) -> None:
    attempt = AttemptFactory(status=status)
    assert sweep(now=at(10, 59, 59, 999_999)) == 0
    assert sweep(now=at(11, 7)) == 1
    attempt.refresh_from_db()
    assert (attempt.status, attempt.ended_at, attempt.submitted_at) == (Status.SUBMITTED, at(11, 0), None)
    newest = attempt.history.latest()
    assert (newest.status, newest.history_user, newest.history_change_reason) == ("submitted", None, "deadline passed")
    assert sweep(now=at(11, 8)) == 0


@pytest.mark.parametrize("status", ["started", "ready_to_submit", "paused"])
def test_the_setting_keeps_timed_out_apart(status: str, db: None, settings: Any) -> None:
    configure(settings, KEEP_TIMED_OUT=True)
    attempt = AttemptFactory(status=status, exam__due_at=at(10, 40))
    sweep(now=at(11, 0))
    attempt.refresh_from_db()
    assert (attempt.status, attempt.ended_at) == (Status.TIMED_OUT, at(10, 40))


@pytest.mark.parametrize("status", SETUP)
def test_an_attempt_that_never_began_expires_when_the_exam_closes(status: str, db: None) -> None:
    attempt = AttemptFactory(status=status, exam__due_at=at(10, 40))
    assert sweep(now=at(10, 39)) == 0
    assert sweep(now=at(12, 0)) == 1
    attempt.refresh_from_db()
    assert (attempt.status, attempt.ended_at, attempt.open_slot) == (Status.EXPIRED, at(10, 40), None)


def test_without_a_due_date_nothing_but_the_clock_ends_an_attempt(db: None) -> None:
    for status in (*SETUP, "paused"):
        AttemptFactory(status=status)
    assert sweep(now=at(10, 0) + timedelta(days=400)) == 0


def test_a_sweep_takes_as_many_as_it_is_told_and_goes_on_where_it_stopped(db: None) -> None:
    for _ in range(5):
        AttemptFactory(status=Status.STARTED)
    assert [sweep(now=at(12, 0), limit=2) for _ in range(4)] == [2, 2, 1, 0]


def test_the_vendor_hears_that_an_attempt_ran_out(db: None, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR)
    running = AttemptFactory(status=Status.STARTED, exam__exam_type=ExamType.PROCTORED, exam__backend="vendor")
    AttemptFactory(exam=running.exam, status=Status.CREATED, closes_at=at(10, 40))
    assert sweep(now=at(12, 0)) == 2
    assert [(row.operation, row.target_id) for row in Delivery.objects.filter(backend="vendor")] == [
        (Operation.REPORT_SUBMITTED, running.pk)
    ]


@pytest.mark.parametrize("status", ["started", "ready_to_submit", "paused"])
def test_submitting_after_the_deadline_answers_with_the_ended_attempt(status: str, candidate: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status=status, exam__due_at=at(10, 40))
    for minute in (41, 50):
        answer = services.submit_attempt(attempt, by=candidate, now=at(10, minute))
        assert (answer.status, answer.ended_at, answer.submitted_at) == (Status.SUBMITTED, at(10, 40), None)
    assert attempt.history.count() == 2


def test_submitting_in_time_keeps_both_moments(candidate: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status=Status.READY_TO_SUBMIT)
    answer = services.submit_attempt(attempt, by=candidate, now=at(10, 59, 59))
    assert (answer.submitted_at, answer.ended_at, answer.ended_by_deadline) == (at(10, 59, 59), at(10, 59, 59), False)
    with pytest.raises(IllegalTransition):
        services.submit_attempt(attempt, by=candidate, now=at(11, 30))


@pytest.mark.parametrize(
    "act",
    [
        lambda a, u: services.start_attempt(a, by=u, now=at(11, 0)),
        lambda a, u: services.stop_attempt(a, by=u, now=at(11, 0)),
        lambda a, u: services.report_error(a, by=u, actor=Actor.CANDIDATE, now=at(11, 0)),
        lambda a, u: services.pause_attempt(a, by=UserFactory(), actor=Actor.PROCTOR, now=at(11, 0)),
        lambda a, u: services.terminate_attempt(a, by=UserFactory(), actor=Actor.STAFF, now=at(11, 0)),
    ],
    ids=["start", "stop", "error", "pause", "terminate"],
)
def test_nothing_that_a_running_attempt_can_do_is_possible_at_its_deadline(act: Any, candidate: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status=Status.STARTED)
    with pytest.raises(IllegalTransition):
        act(attempt, candidate)
    assert Attempt.objects.get().status_at(at(11, 0)) == Status.SUBMITTED


def test_an_overdue_setup_attempt_does_not_start(candidate: AbstractUser) -> None:
    attempt = create_attempt(ExamFactory(due_at=at(10, 40)), candidate, now=TEN)
    with pytest.raises(IllegalTransition):
        services.start_attempt(attempt, by=candidate, now=at(10, 40))
    assert services.start_attempt(attempt, by=candidate, now=at(10, 39)).expires_at == at(10, 40)


def test_the_clock_shows_whole_seconds_and_none_where_it_stands(candidate: AbstractUser) -> None:
    running = AttemptFactory(status=Status.STARTED)
    assert running.seconds_left(at(10, 59, 58, 500_000)) == 1
    assert running.seconds_left(at(10, 0)) == 3600
    assert running.seconds_left(at(11, 0)) is None
    for status in (Status.CREATED, Status.PAUSED, Status.SUBMITTED):
        assert AttemptFactory(status=status).seconds_left(at(10, 30)) is None


def test_a_reader_is_never_told_that_an_overdue_attempt_runs(db: None) -> None:
    attempt = AttemptFactory(status=Status.STARTED)
    assert (attempt.is_overdue(at(10, 59)), attempt.is_overdue(at(11, 0))) == (False, True)
    assert attempt.status_at(at(11, 0)) == Status.SUBMITTED
    assert list(Attempt.objects.in_status("started", at(11, 0))) == []
    assert list(Attempt.objects.in_status("submitted", at(11, 0))) == [attempt]
    assert list(Attempt.objects.overdue(at(11, 0))) == [attempt]


MINUTES = st.integers(-30, 120).map(lambda minutes: TEN + timedelta(minutes=minutes))


class FilterAgreesWithReader(TestCase):
    """``in_status`` asks the database what ``status_at`` computes; for every row they say the same."""

    @settings(max_examples=40)
    @given(
        now=MINUTES,
        rows=st.lists(
            st.tuples(st.sampled_from(Status), MINUTES | st.none(), MINUTES | st.none()), min_size=1, max_size=4
        ),
        keep=st.booleans(),
    )
    def test_every_row_is_found_under_the_status_that_a_reader_sees_and_no_other(
        self, now: datetime, rows: list[tuple[Status, datetime | None, datetime | None]], keep: bool
    ) -> None:
        exam, user = ExamFactory(), UserFactory()
        Attempt.objects.bulk_create(
            Attempt(
                exam=exam,
                user=user,
                number=number,
                open_slot=None,
                backend="null",
                status=status,
                started_at=None if status in states.SETUP | states.BLOCKED else TEN - timedelta(hours=1),
                paused_at=TEN - timedelta(minutes=40) if status == Status.PAUSED else None,
                expires_at=None if status in states.SETUP | {Status.PAUSED} else expires_at or now,
                closes_at=closes_at,
            )
            for number, (status, expires_at, closes_at) in enumerate(rows)
        )
        with self.settings(PROCTORING={"KEEP_TIMED_OUT": keep}):
            kept = list(Attempt.objects.all())
            for status in Status:
                found = set(Attempt.objects.in_status(status.value, now).values_list("pk", flat=True))
                assert found == {row.pk for row in kept if row.status_at(now) == status}
            overdue = set(Attempt.objects.overdue(now).values_list("pk", flat=True))
            assert overdue == {row.pk for row in kept if row.is_overdue(now)}
