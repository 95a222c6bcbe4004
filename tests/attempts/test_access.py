"""Access is fail-closed: what no row of the table opens stays shut."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import AbstractUser, AnonymousUser
from pytest_django import DjangoAssertNumQueries

from proctoring.attempts.access import current_attempt, decide
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.attempts.tokens import verify_access_token
from proctoring.exams.models import Exam, ExamStatus, ExamType
from tests.factories import TEN, AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import ScriptedHost, configure

BEFORE, DUE, AFTER = at(10, 30), at(10, 40), at(10, 45)


def built(attempt_status: Status, **exam: Any) -> tuple[Exam, AbstractUser, Attempt]:
    """In memory: a decision makes no query of its own."""
    user = UserFactory.build(pk=7)
    row = ExamFactory.build(pk=3, due_at=DUE, **exam)
    return row, user, AttemptFactory.build(exam=row, user=user, pk=11, status=attempt_status, expires_at=at(11, 0))


def should_be_open(exam: Exam, attempt: Attempt, *, past: bool) -> str:
    """The table of the design, written down a second time: the reason, or nothing."""
    status, kind = attempt.status, exam.exam_type
    if status in {"started", "ready_to_submit"}:
        return str(status)
    if kind == "timed" and status in {"submitted", "timed_out"} and past and not exam.hide_after_due:
        return "past_due"
    viewable = {"submitted", "verified", "rejected", "second_review_required"}
    if kind == "proctored" and status in viewable and past and exam.viewable_past_due and attempt.acknowledged_at:
        return "viewable_past_due"
    opted_out = status == "declined" and not attempt.taking_as_proctored
    if kind == "proctored" and opted_out and not (past and exam.hide_after_due):
        return "declined"
    return ""


@pytest.mark.parametrize("exam_type", list(ExamType), ids=str)
def test_the_rows_of_the_table_open_and_nothing_else_does(exam_type: ExamType) -> None:
    opened = set()
    for status, past, hide, viewable, acknowledged, as_proctored in itertools.product(Status, *[(False, True)] * 5):
        exam, user, attempt = built(
            status, exam_type=exam_type, hide_after_due=hide, viewable_past_due=viewable, allow_opt_out=True
        )
        attempt.closes_at = None  # the due date is asked about here, not what a sweep would make of it
        attempt.acknowledged_at = at(10, 25) if acknowledged else None
        attempt.taking_as_proctored = as_proctored
        decision = decide(exam, user, attempt, AFTER if past else BEFORE)
        wanted = should_be_open(exam, attempt, past=past)
        case = (status, past, hide, viewable, acknowledged, as_proctored)
        assert (decision.allowed, decision.reason if decision.allowed else "") == (bool(wanted), wanted), case
        assert decision.reason, case
        assert (decision.token is None) is (decision.expires_at is None) is not decision.allowed, case
        assert decision.read_only is (wanted in {"past_due", "viewable_past_due"}) or not decision.allowed, case
        if wanted:
            opened.add(status)
    assert {Status.STARTED, Status.READY_TO_SUBMIT} <= opened
    assert not opened & {Status.PAUSED, Status.VOIDED, Status.TERMINATED, Status.ERROR, Status.EXPIRED, Status.CREATED}


@pytest.mark.parametrize("status", ["started", "ready_to_submit"])
def test_a_running_attempt_is_open_until_its_deadline(status: str) -> None:
    exam, user, attempt = built(Status(status), exam_type=ExamType.PROCTORED)
    assert decide(exam, user, attempt, at(10, 59, 59)).allowed
    shut = decide(exam, user, attempt, at(11, 0))
    assert (shut.allowed, shut.reason, shut.token) == (False, "submitted", None)


def test_an_answer_is_not_good_for_longer_than_the_deadline() -> None:
    exam, user, attempt = built(Status.STARTED)
    assert decide(exam, user, attempt, at(10, 59, 30)).expires_at == at(11, 0)
    assert decide(exam, user, attempt, at(10, 30)).expires_at == at(10, 31)


def test_a_running_attempt_stays_open_when_its_exam_is_archived() -> None:
    exam, user, attempt = built(Status.STARTED, status=ExamStatus.ARCHIVED)
    assert decide(exam, user, attempt, BEFORE).allowed


@pytest.mark.parametrize("past", [False, True])
@pytest.mark.parametrize("status", [ExamStatus.DRAFT, ExamStatus.ARCHIVED])
def test_an_exam_that_is_not_active_is_the_hosts_own_matter(
    status: str, past: bool, candidate: AbstractUser, lms: ScriptedHost
) -> None:
    exam = ExamFactory(status=status, due_at=DUE, exam_type=ExamType.PROCTORED)
    now = AFTER if past else BEFORE
    closed = decide(exam, candidate, None, now)
    assert (closed.allowed, closed.reason) == (False, "exam_not_active")
    lms.opens_inactive = True
    assert decide(exam, candidate, None, now).allowed


@pytest.mark.parametrize("past", ["before", "due", "course over"])
@pytest.mark.parametrize("hide", [False, True])
@pytest.mark.parametrize("exam_type", list(ExamType), ids=str)
@pytest.mark.parametrize("barred", [False, True])
@pytest.mark.parametrize("audits", [False, True])
def test_without_an_attempt_a_timed_exam_that_is_over_opens_and_an_auditors_content(
    past: str, hide: bool, exam_type: ExamType, barred: bool, audits: bool, lms: ScriptedHost, db: None
) -> None:
    user = UserFactory.build(pk=7)
    exam = ExamFactory.build(pk=3, exam_type=exam_type, hide_after_due=hide, due_at=at(12, 0))
    lms.opens_without_attempt = audits
    lms.course_end = at(11, 0)
    if barred:
        lms.barred.add(7)
    now = {"before": at(10, 0), "course over": at(11, 0), "due": at(12, 0)}[past]
    decision = decide(exam, user, None, now)
    timed = exam_type == "timed" and past != "before" and not hide
    auditor = exam_type in {"proctored", "practice"} and barred and audits
    assert decision.allowed is (timed or auditor)
    if decision.allowed:
        assert decision.reason == ("past_due" if timed else "not_proctored")
        with time_machine.travel(now, tick=False):
            assert verify_access_token(decision.token or "").attempt is None


def test_whoever_may_not_see_the_course_sees_nothing(candidate: AbstractUser, lms: ScriptedHost) -> None:
    lms.blind.add(candidate.pk)
    lms.opens_without_attempt = True
    lms.barred.add(candidate.pk)
    for exam_type in ExamType:
        decision = decide(ExamFactory(exam_type=exam_type, due_at=DUE), candidate, None, AFTER)
        assert (decision.allowed, decision.reason) == (False, "not_permitted")


@pytest.mark.parametrize("user", [UserFactory.build(pk=7, is_active=False), AnonymousUser()])
def test_an_inactive_or_unknown_person_sees_nothing(user: Any) -> None:
    exam = ExamFactory.build(pk=3, due_at=DUE)
    assert not decide(exam, user, None, AFTER).allowed
    running = AttemptFactory.build(exam=exam, user_id=user.pk, user=None, status=Status.STARTED, expires_at=at(11, 0))
    decision = decide(exam, user, running, BEFORE)
    assert (decision.allowed, decision.reason) == (False, "not_permitted")


def test_a_declined_attempt_opens_only_what_may_be_taken_without_proctoring() -> None:
    for exam_type, opt_out in itertools.product(ExamType, (False, True)):
        exam, user, attempt = built(Status.DECLINED, exam_type=exam_type, allow_opt_out=opt_out)
        attempt.taking_as_proctored = False
        assert decide(exam, user, attempt, BEFORE).allowed is (exam_type == "proctored" and opt_out)


def test_another_persons_or_exams_attempt_opens_nothing() -> None:
    exam, user, attempt = built(Status.STARTED)
    with pytest.raises(ValueError, match="not this person's"):
        decide(exam, UserFactory.build(pk=8), attempt, BEFORE)
    with pytest.raises(ValueError, match="not this person's"):
        decide(ExamFactory.build(pk=4), user, attempt, BEFORE)


def test_the_current_attempt_is_the_persons_newest(candidate: AbstractUser) -> None:
    exam = ExamFactory()
    assert current_attempt(exam, candidate) is None
    AttemptFactory(exam=exam)
    AttemptFactory(exam=exam, user=candidate, status=Status.ERROR)
    newest = AttemptFactory(exam=exam, user=candidate, number=2)
    assert current_attempt(exam, candidate) == newest
    assert current_attempt(exam, AnonymousUser()) is None


def test_asking_costs_one_statement_and_deciding_none(
    candidate: AbstractUser, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    exam = ExamFactory()
    AttemptFactory(exam=exam, user=candidate, status=Status.STARTED)
    with django_assert_num_queries(1):
        attempt = current_attempt(exam, candidate)
    with django_assert_num_queries(0):
        decision = decide(exam, candidate, attempt, TEN)
    assert decision.allowed


def test_without_a_key_an_answer_carries_no_token(candidate: AbstractUser, settings: Any) -> None:
    configure(settings, ACCESS_TOKEN_KEYS=[])
    exam, user, attempt = built(Status.STARTED)
    decision = decide(exam, user, attempt, BEFORE)
    assert (decision.allowed, decision.token) == (True, None)


def test_the_lifetime_is_a_setting(settings: Any) -> None:
    configure(settings, ACCESS_TOKEN_SECONDS=5)
    exam, user, attempt = built(Status.STARTED)
    assert decide(exam, user, attempt, BEFORE).expires_at == BEFORE + timedelta(seconds=5)


def test_a_status_that_this_version_does_not_know_opens_nothing() -> None:
    exam, user, attempt = built(Status.STARTED)
    attempt.status = "written_by_a_newer_version"
    decision = decide(exam, user, attempt, BEFORE)
    assert (decision.allowed, decision.reason) == (False, "unknown_status")


def test_who_was_declined_by_a_cascade_sees_nothing_before_the_exam_opens() -> None:
    exam, user, attempt = built(Status.DECLINED, exam_type=ExamType.PROCTORED, allow_opt_out=True, opens_at=BEFORE)
    attempt.taking_as_proctored = False
    decision = decide(exam, user, attempt, TEN)
    assert (decision.allowed, decision.reason) == (False, "not_open_yet")
    assert decide(exam, user, attempt, BEFORE).allowed
