"""Second chances: resume, reset, void, and starting practice over."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.attempts import services
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt
from proctoring.attempts.retries import (
    RESUMABLE,
    authorize_resume,
    can_be_resumed,
    reset_attempt,
    restart_sample,
)
from proctoring.attempts.states import BLOCKED, DECIDED, OPEN, Actor, Status, can_become
from proctoring.errors import CreationRefused, IllegalTransition, RetryNotPossible
from proctoring.exams.models import ExamStatus, ExamType
from proctoring.outbox.models import Delivery, Operation
from tests.exchange.vendor import VENDOR
from tests.factories import AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import configure

SAMPLES = [ExamType.PRACTICE, ExamType.ONBOARDING]


@pytest.mark.parametrize("status", list(Status), ids=str)
def test_a_resume_is_granted_from_ended_and_undecided_attempts_alone(status: Status, staff: AbstractUser) -> None:
    attempt = AttemptFactory(status=status)
    possible = status in {"error", "terminated", "submitted", "timed_out"}
    assert can_be_resumed(attempt, now=at(10, 30)) is possible is (status in RESUMABLE)
    if not possible:
        with pytest.raises(RetryNotPossible):
            authorize_resume(attempt, by=staff, reason="", now=at(10, 30))
        assert Attempt.objects.get().retry_kind == ""
        return
    answer = authorize_resume(attempt, by=staff, reason="power cut", now=at(10, 30))
    assert (answer.retry_kind, answer.retry_granted_by, answer.retry_granted_at) == ("resume", staff, at(10, 30))
    assert answer.status == status
    assert attempt.history.latest().history_change_reason == "resume authorised: power cut"
    with pytest.raises(RetryNotPossible):
        authorize_resume(attempt, by=staff, reason="again", now=at(10, 31))


def test_an_overdue_attempt_can_be_resumed_before_the_sweep_has_seen_it(staff: AbstractUser) -> None:
    attempt = AttemptFactory(status=Status.STARTED)
    assert not can_be_resumed(attempt, now=at(10, 59))
    assert can_be_resumed(attempt, now=at(11, 0))
    answer = authorize_resume(attempt, by=staff, reason="", now=at(11, 0))
    assert (answer.status, answer.ended_at, answer.retry_kind) == (Status.SUBMITTED, at(11, 0), "resume")


@pytest.mark.parametrize("exam_type", SAMPLES)
def test_practice_and_onboarding_are_not_resumed(exam_type: str, staff: AbstractUser) -> None:
    attempt = AttemptFactory(status=Status.ERROR, exam__exam_type=exam_type)
    with pytest.raises(RetryNotPossible):
        authorize_resume(attempt, by=staff, reason="", now=at(10, 30))


def test_an_attempt_with_a_successor_is_neither_resumed_nor_reset(staff: AbstractUser) -> None:
    first = AttemptFactory(status=Status.ERROR)
    AttemptFactory(exam=first.exam, user=first.user, number=2, status=Status.SUBMITTED)
    read = Attempt.objects.for_reading().get(pk=first.pk)
    assert read.has_successor
    assert not can_be_resumed(read, now=at(10, 30))
    with pytest.raises(RetryNotPossible):
        authorize_resume(first, by=staff, reason="", now=at(10, 30))
    with pytest.raises(RetryNotPossible):
        reset_attempt(first, by=staff, reason="", now=at(10, 30))
    assert not Attempt.objects.exclude(retry_kind="").exists()


@pytest.mark.parametrize("status", list(Status), ids=str)
def test_a_reset_voids_where_the_table_lets_staff_and_grants_a_fresh_attempt(
    status: Status, candidate: AbstractUser, staff: AbstractUser, settings: Any
) -> None:
    configure(settings, BACKENDS=VENDOR)
    exam = ExamFactory(exam_type=ExamType.PROCTORED, backend="vendor")
    attempt = AttemptFactory(exam=exam, user=candidate, status=status)
    if status != Status.VOIDED and not can_become(status, Status.VOIDED, Actor.STAFF):
        with pytest.raises(IllegalTransition):
            reset_attempt(attempt, by=staff, reason="wrong room", now=at(10, 30))
        assert Attempt.objects.get().retry_kind == ""
        return
    answer = reset_attempt(attempt, by=staff, reason="wrong room", now=at(10, 30))
    assert (answer.status, answer.retry_kind, answer.open_slot) == (Status.VOIDED, "fresh", None)
    assert attempt.history.latest().history_change_reason == "reset: wrong room"
    assert [row.operation for row in Delivery.objects.all()] == [Operation.REMOVE_ATTEMPT]
    rows = attempt.history.count()
    assert reset_attempt(attempt, by=staff, reason="again", now=at(10, 31)).status == Status.VOIDED
    assert (attempt.history.count(), Delivery.objects.count()) == (rows, 1)
    fresh = create_attempt(exam, candidate, now=at(10, 40))
    assert (fresh.number, fresh.total_seconds, fresh.resumed_from) == (2, 3600, None)


def test_a_reset_outweighs_a_resume_that_was_granted_before(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status=Status.ERROR)
    authorize_resume(attempt, by=staff, reason="", now=at(10, 30))
    reset_attempt(attempt, by=staff, reason="", now=at(10, 31))
    assert create_attempt(attempt.exam, candidate, now=at(10, 40)).total_seconds == 3600


@pytest.mark.parametrize("door", ["service", "administration"])
def test_a_voided_attempt_grants_nothing_even_where_a_resume_had_been_authorised(
    door: str, candidate: AbstractUser, staff: AbstractUser
) -> None:
    attempt = AttemptFactory(user=candidate, status=Status.ERROR)
    authorize_resume(attempt, by=staff, reason="", now=at(10, 30))
    if door == "service":
        services.void_attempt(attempt, by=staff, actor=Actor.STAFF, reason="fraud", now=at(10, 31))
    else:
        services.change_status(attempt, Status.VOIDED, by=staff, actors={Actor.STAFF}, reason="fraud", now=at(10, 31))
    with pytest.raises(CreationRefused) as refused:
        create_attempt(attempt.exam, candidate, now=at(10, 40))
    assert refused.value.code == "attempt_limit_reached"


@pytest.mark.parametrize("actor", [Actor.CANDIDATE, Actor.STAFF])
@pytest.mark.parametrize("status", list(Status), ids=str)
def test_a_practice_attempt_is_closed_and_replaced_in_one_step(
    status: Status, actor: Actor, candidate: AbstractUser
) -> None:
    by = candidate if actor == Actor.CANDIDATE else UserFactory()
    attempt = AttemptFactory(exam=ExamFactory(exam_type=ExamType.PRACTICE), user=candidate, status=status)
    if status == Status.VERIFIED:
        with pytest.raises(IllegalTransition):
            restart_sample(attempt, actor=actor, by=by, now=at(10, 30))
        assert Attempt.objects.count() == 1
        return
    new = restart_sample(attempt, actor=actor, by=by, now=at(10, 30))
    assert (new.number, new.status, new.total_seconds) == (2, Status.CREATED, 3600)
    old = Attempt.objects.get(pk=attempt.pk)
    assert old.status == (Status.VOIDED if status in BLOCKED | {Status.VOIDED} else Status.ONBOARDING_RESET)
    assert old.open_slot is None
    assert old.ended_at == (at(10, 30) if status in OPEN else at(10, 20))
    with pytest.raises(RetryNotPossible):
        restart_sample(attempt, actor=actor, by=by, now=at(10, 31))


def test_staff_reset_of_practice_starts_it_over(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status=Status.REJECTED, exam__exam_type=ExamType.ONBOARDING)
    new = reset_attempt(attempt, by=staff, reason="", now=at(10, 30))
    assert (new.number, new.status) == (2, Status.CREATED)
    assert Attempt.objects.get(number=1).status == Status.ONBOARDING_RESET


def test_an_exam_that_closed_strands_nobody(candidate: AbstractUser) -> None:
    attempt = AttemptFactory(
        user=candidate, status=Status.STARTED, exam__exam_type=ExamType.PRACTICE, exam__status=ExamStatus.ARCHIVED
    )
    with pytest.raises(CreationRefused) as refused:
        restart_sample(attempt, actor=Actor.CANDIDATE, by=candidate, now=at(10, 30))
    assert refused.value.code == "exam_not_active"
    assert Attempt.objects.get().status == Status.STARTED


def test_other_exams_are_not_started_over(candidate: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status=Status.SUBMITTED, exam__exam_type=ExamType.PROCTORED)
    with pytest.raises(RetryNotPossible):
        restart_sample(attempt, actor=Actor.CANDIDATE, by=candidate, now=at(10, 30))


@pytest.mark.parametrize("status", sorted(DECIDED))
def test_a_candidate_reopens_no_decision(status: Status, candidate: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status=status)
    for service in (services.start_attempt, services.stop_attempt, services.submit_attempt, services.launch_software):
        with pytest.raises(IllegalTransition):
            service(attempt, by=candidate, now=at(10, 30))
    assert Attempt.objects.get().status == status


def test_acknowledging_waits_for_the_end_and_happens_once(candidate: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status=Status.STARTED)
    with pytest.raises(Exception, match="has not ended") as refused:
        services.acknowledge(attempt, by=candidate, now=at(10, 30))
    assert getattr(refused.value, "code", "") == "not_ended"
    assert services.acknowledge(attempt, by=candidate, now=at(11, 30)).acknowledged_at == at(11, 30)
    rows = attempt.history.count()
    assert services.acknowledge(attempt, by=candidate, now=at(11, 40)).acknowledged_at == at(11, 30)
    assert attempt.history.count() == rows
