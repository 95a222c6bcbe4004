"""What becomes of credit, grade, certificate, completion and answers: rules over the chain of a person's attempts."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring.attempts import services
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.effects import follow
from proctoring.attempts.lifecycle import locked, move
from proctoring.attempts.models import Attempt
from proctoring.attempts.retries import authorize_resume, reset_attempt, restart_sample
from proctoring.attempts.states import OPEN, Actor, Status
from proctoring.backends.types import AttemptReviewed, ReviewStatus
from proctoring.exams.models import Exam, ExamType
from proctoring.host import Host
from proctoring.outbox.models import Delivery, DeliveryKind
from proctoring.outbox.services import claim_due
from proctoring.reviews.services import receive_review
from tests.attempts.test_chains import chain
from tests.effecting import EffectsHost, effects, mails_owed, owed, reread, work
from tests.factories import TEN, AttemptFactory, DeliveryFactory, ExamFactory, at
from tests.hosts import configure

pytestmark = pytest.mark.django_db

LATER = at(10, 45)


@pytest.fixture(autouse=True)
def lms(settings: Any) -> EffectsHost:
    configure(settings, SEND_MAIL=False)
    return effects(settings)


@pytest.fixture
def exam(db: None) -> Exam:
    return ExamFactory(exam_type=ExamType.PROCTORED, backend="null", allow_opt_out=True)


def step(attempt: Attempt, new: Status, actor: Actor = Actor.REVIEWER) -> None:
    with locked(reread(attempt), now=LATER) as row:
        move(row, new, actor=actor, now=LATER)


TABLE = {
    Status.SUBMITTED: ["complete_content", "set_credit submitted"],
    Status.TIMED_OUT: ["complete_content", "set_credit submitted"],
    Status.TERMINATED: ["complete_content", "set_credit submitted"],
    Status.SECOND_REVIEW_REQUIRED: ["set_credit submitted"],
    Status.VERIFIED: ["set_credit satisfied"],
    Status.REJECTED: ["set_credit failed", "override_grade", "invalidate_certificate"],
    Status.DECLINED: ["set_credit declined"],
    Status.EXPIRED: ["set_credit failed"],
}


def had(attempt: Attempt) -> Status:
    """From where an attempt comes into its status."""
    if attempt.status in (Status.DECLINED, Status.EXPIRED):
        return Status.CREATED
    undecided = (Status.SUBMITTED, Status.TIMED_OUT, Status.TERMINATED, Status.ERROR)
    return Status.STARTED if attempt.status in undecided else Status.SUBMITTED


@pytest.mark.parametrize("status", Status)
def test_each_status_has_its_effects(status: Status, exam: Exam) -> None:
    attempt = AttemptFactory(exam=exam, status=status)
    follow(attempt, old=had(attempt), now=LATER)
    assert owed() == TABLE.get(status, [])
    keys = set(Delivery.objects.values_list("key", flat=True))
    assert len(keys) == len(owed())


@pytest.mark.parametrize("status", [status for status in Status if status not in OPEN])
def test_the_same_verdict_again_promises_nothing(status: Status, exam: Exam) -> None:
    attempt = AttemptFactory(exam=exam, status=status)
    follow(attempt, old=Status.ERROR, now=LATER)
    count = Delivery.objects.count()
    work()
    follow(attempt, old=Status.ERROR, now=LATER)
    assert (owed(), Delivery.objects.count()) == ([], count)


@pytest.mark.parametrize("exam_type", [ExamType.PRACTICE, ExamType.ONBOARDING, ExamType.TIMED])
@pytest.mark.parametrize("status", Status)
def test_other_exams_touch_nothing_but_a_timed_ones_completion(status: Status, exam_type: ExamType) -> None:
    attempt = AttemptFactory(exam__exam_type=exam_type, status=status)
    follow(attempt, old=had(attempt), now=LATER)
    timed_end = exam_type == ExamType.TIMED and "complete_content" in TABLE.get(status, [])
    assert owed() == (["complete_content"] if timed_end else [])


def test_an_attempt_that_never_began_completes_nothing(exam: Exam) -> None:
    attempt = AttemptFactory(exam=exam, status=Status.READY_TO_START)
    step(attempt, Status.TERMINATED, Actor.PROCTOR)
    assert owed() == ["set_credit submitted"]


def test_who_opts_out_at_once_declines_the_requirement(
    exam: Exam, candidate: AbstractUser, staff: AbstractUser
) -> None:
    attempt = create_attempt(exam, candidate, proctored=False, now=TEN)
    assert (attempt.taking_as_proctored, owed()) == (False, ["set_credit declined"])
    work()
    services.void_attempt(attempt, by=staff, actor=Actor.STAFF, now=LATER)
    assert owed() == ["set_credit withdrawn"]


def test_an_attempt_that_was_not_proctored_gives_no_credit(exam: Exam) -> None:
    attempt = AttemptFactory(exam=exam, status=Status.STARTED, taking_as_proctored=False)
    step(attempt, Status.SUBMITTED, Actor.CANDIDATE)
    assert owed() == ["complete_content"]


def test_a_corrected_verdict_supersedes_what_has_not_gone_out(exam: Exam) -> None:
    attempt = AttemptFactory(exam=exam, status=Status.SUBMITTED)
    step(attempt, Status.REJECTED)
    step(attempt, Status.VERIFIED)
    assert owed() == ["set_credit satisfied"]
    work()
    assert set(Delivery.objects.values_list("status", flat=True)) == {"done", "superseded"}


def test_a_corrected_verdict_reverses_what_has_gone_out(exam: Exam, lms: EffectsHost) -> None:
    attempt = AttemptFactory(exam=exam, status=Status.SUBMITTED)
    step(attempt, Status.REJECTED)
    work()
    step(attempt, Status.VERIFIED)
    assert owed() == ["set_credit satisfied", "undo_grade_override", "restore_certificate"]
    work()
    assert sorted(lms.calls) == [
        ("credit", "failed"), ("credit", "satisfied"), ("invalidate",), ("override",), ("restore",), ("undo",)
    ]  # fmt: skip
    step(attempt, Status.REJECTED)
    assert owed() == ["set_credit failed", "override_grade", "invalidate_certificate"]


@pytest.mark.parametrize("end", ["claimed", "failed", "given_up", "tried", "repeated"])
def test_what_may_have_arrived_is_reversed(end: str, exam: Exam) -> None:
    attempt = AttemptFactory(exam=exam, status=Status.SUBMITTED)
    step(attempt, Status.REJECTED)
    rows = Delivery.objects.filter(operation="override_grade")
    if end == "claimed":
        claim_due(now=LATER, limit=30)
    elif end == "tried":
        rows.update(tries=1)
    elif end == "repeated":
        rows.update(last_error="HostFailed: x")
    else:
        rows.update(status=end, tries=3)
    step(attempt, Status.VERIFIED)
    assert "undo_grade_override" in owed()
    assert rows.get().status == {"claimed": "due", "tried": "superseded", "repeated": "superseded"}.get(end, end)


def test_there_and_back_before_the_undo_has_gone_out_changes_nothing(exam: Exam, lms: EffectsHost) -> None:
    attempt = AttemptFactory(exam=exam, status=Status.SUBMITTED)
    step(attempt, Status.REJECTED)
    work()
    step(attempt, Status.VERIFIED)
    step(attempt, Status.REJECTED)
    assert owed() == []
    work()
    assert sorted(lms.calls) == [("credit", "failed"), ("invalidate",), ("override",)]


def test_there_and_back_after_the_undo_was_tried_is_said_again(exam: Exam) -> None:
    attempt = AttemptFactory(exam=exam, status=Status.SUBMITTED)
    step(attempt, Status.REJECTED)
    work()
    step(attempt, Status.VERIFIED)
    Delivery.objects.filter(operation="undo_grade_override").update(tries=1)
    step(attempt, Status.REJECTED)
    assert owed() == ["override_grade"]


@pytest.mark.parametrize("verdict", [Status.VERIFIED, Status.REJECTED])
def test_a_verdict_that_is_taken_back_leaves_the_requirement_submitted(verdict: Status, exam: Exam) -> None:
    attempt = AttemptFactory(exam=exam, status=Status.SUBMITTED)
    step(attempt, verdict)
    work()
    step(attempt, Status.ERROR)
    undone = ["undo_grade_override", "restore_certificate"] if verdict == Status.REJECTED else []
    assert owed() == ["set_credit submitted", *undone]


def test_a_reset_withdraws_reverses_and_drops_the_answers(exam: Exam, staff: AbstractUser, lms: EffectsHost) -> None:
    attempt = AttemptFactory(exam=exam, status=Status.REJECTED)
    follow(attempt, old=Status.SUBMITTED, now=LATER)
    work()
    reset_attempt(attempt, by=staff, reason="", now=LATER)
    assert owed() == ["reset_learner_state 1", "set_credit withdrawn", "undo_grade_override", "restore_certificate"]
    reset_attempt(reread(attempt), by=staff, reason="", now=LATER)
    assert len(owed()) == 4


def test_a_void_alone_keeps_the_answers_and_a_later_reset_drops_them(exam: Exam, staff: AbstractUser) -> None:
    attempt = AttemptFactory(exam=exam, status=Status.SUBMITTED)
    services.void_attempt(attempt, by=staff, actor=Actor.STAFF, now=LATER)
    assert owed() == []
    reset_attempt(reread(attempt), by=staff, reason="", now=LATER)
    assert owed() == ["reset_learner_state 1"]


def test_a_reset_of_a_part_that_was_voided_before_annuls_the_whole_chain(
    exam: Exam, candidate: AbstractUser, staff: AbstractUser, lms: EffectsHost
) -> None:
    first, second = chain(exam, candidate, "terminated", "submitted")
    step(first, Status.REJECTED)
    work()
    services.void_attempt(reread(second), by=staff, actor=Actor.STAFF, now=LATER)
    assert owed() == [], "what is left of the chain is rejected"
    reset_attempt(reread(second), by=staff, reason="", now=LATER)
    assert owed() == ["reset_learner_state 2", "set_credit withdrawn", "undo_grade_override", "restore_certificate"]


def test_a_completion_that_is_late_does_not_come_after_the_reset(
    exam: Exam, candidate: AbstractUser, staff: AbstractUser, lms: EffectsHost
) -> None:
    attempt = AttemptFactory(exam=exam, user=candidate, status=Status.STARTED)
    lms.failing["complete"] = ConnectionError()
    step(attempt, Status.SUBMITTED, Actor.CANDIDATE)
    work(LATER)
    reset_attempt(reread(attempt), by=staff, reason="", now=LATER)
    work(LATER)
    lms.failing.clear()
    work()
    assert [call[0] for call in lms.calls if call[0] in ("complete", "reset")] == ["reset"]
    assert owed() == []


def test_content_is_completed_once_for_all_attempts_until_the_answers_are_reset(
    exam: Exam, candidate: AbstractUser, staff: AbstractUser, lms: EffectsHost
) -> None:
    first = AttemptFactory(exam=exam, user=candidate, status=Status.STARTED)
    step(first, Status.TERMINATED, Actor.PROCTOR)
    authorize_resume(reread(first), by=staff, reason="", now=LATER)
    assert owed() == ["complete_content", "set_credit submitted"], "a resume is no reset"
    work()
    second = AttemptFactory(exam=exam, user=candidate, number=2, status=Status.STARTED, resumed_from=first)
    step(second, Status.SUBMITTED, Actor.CANDIDATE)
    assert owed() == []
    reset_attempt(reread(second), by=staff, reason="", now=LATER)
    work()
    third = AttemptFactory(exam=exam, user=candidate, number=3, status=Status.STARTED)
    step(third, Status.SUBMITTED, Actor.CANDIDATE)
    work()
    assert [call[0] for call in lms.calls if call[0] in ("complete", "reset")] == ["complete", "reset", "complete"]
    assert [call[1] for call in lms.calls if call[0] == "credit"] == ["submitted", "withdrawn", "submitted"]


def test_starting_practice_over_resets_nothing_in_the_lms(candidate: AbstractUser) -> None:
    exam = ExamFactory(exam_type=ExamType.PRACTICE)
    attempt = AttemptFactory(exam=exam, user=candidate, status=Status.SUBMITTED)
    restart_sample(attempt, actor=Actor.CANDIDATE, by=candidate, now=TEN)
    assert owed() == []


def test_a_resumed_chain_is_satisfied_when_all_of_it_is(exam: Exam, candidate: AbstractUser) -> None:
    first, second = chain(exam, candidate, "terminated", "submitted")
    step(second, Status.VERIFIED)
    assert owed() == ["set_credit submitted"]
    step(first, Status.VERIFIED)
    assert owed() == ["set_credit satisfied"]
    assert set(Delivery.objects.values_list("target_id", flat=True)) == {first.pk}, "one queue for person and exam"


def test_a_late_review_of_the_part_that_broke_off_completes_the_verdict(exam: Exam, candidate: AbstractUser) -> None:
    broken, second = chain(exam, candidate, "error", "submitted")
    step(second, Status.VERIFIED)
    assert owed() == ["set_credit submitted"]
    event = AttemptReviewed(external_id="x", status=ReviewStatus.PASSED, occurred_at=LATER)
    with locked(reread(broken), now=LATER) as row:
        receive_review(row, event, message=None, now=LATER)
    assert reread(broken).status == Status.ERROR
    assert owed() == ["set_credit satisfied"]


def test_whoever_goes_on_after_a_blocked_attempt_is_not_verified_in_between(
    exam: Exam, candidate: AbstractUser
) -> None:
    first = AttemptFactory(exam=exam, user=candidate, status=Status.SUBMITTED, retry_kind="resume")
    AttemptFactory(
        exam=exam, user=candidate, number=2, resumed_from=first, started_at=None, status=Status.ONBOARDING_MISSING
    )
    step(first, Status.VERIFIED)
    assert create_attempt(exam, candidate, now=TEN).number == 3
    assert (owed(), mails_owed()) == ([], [])


def test_a_certificate_stays_invalid_while_another_exam_of_the_course_stands_against_it(
    candidate: AbstractUser,
) -> None:
    one, two = (
        AttemptFactory(exam__exam_type=ExamType.PROCTORED, exam__course_id="c", user=candidate, status=Status.SUBMITTED)
        for _ in range(2)
    )

    def certificate() -> list[str]:
        work()
        rows = Delivery.objects.filter(topic="certificate").order_by("pk")
        assert set(rows.values_list("target_id", flat=True)) <= {one.pk}, "one queue for person and course"
        return list(rows.values_list("operation", flat=True))

    step(one, Status.REJECTED)
    step(two, Status.REJECTED)
    assert certificate() == ["invalidate_certificate"]
    step(one, Status.VERIFIED)
    assert certificate() == ["invalidate_certificate"]
    step(two, Status.VERIFIED)
    assert certificate() == ["invalidate_certificate", "restore_certificate"]
    step(one, Status.REJECTED)
    assert certificate() == ["invalidate_certificate", "restore_certificate", "invalidate_certificate"]


def test_what_the_host_does_not_have_is_not_promised_and_costs_nothing(exam: Exam, settings: Any) -> None:
    configure(settings, HOST="proctoring.host.Host")
    for status in (Status.SUBMITTED, Status.REJECTED, Status.VOIDED):
        attempt = AttemptFactory(exam=exam, status=status, retry_kind="fresh" if status == Status.VOIDED else "")
        with CaptureQueriesContext(connection) as captured:
            follow(attempt, old=had(attempt), now=LATER)
        assert captured.captured_queries == []
    assert owed() == []


class CreditOnly(Host):
    def set_credit_requirement(self, *args: Any, **kwargs: Any) -> None:
        """An LMS that knows of nothing else."""


def test_a_host_gets_the_effects_that_it_has(exam: Exam, settings: Any) -> None:
    configure(settings, HOST=f"{__name__}.CreditOnly")
    attempt = AttemptFactory(exam=exam, status=Status.STARTED)
    step(attempt, Status.SUBMITTED, Actor.CANDIDATE)
    step(attempt, Status.REJECTED)
    reset_attempt(reread(attempt), by=None, reason="", now=LATER)
    rows = Delivery.objects.filter(kind=DeliveryKind.HOST).order_by("pk")
    assert [(row.operation, row.argument, row.status) for row in rows] == [
        ("set_credit", "submitted", "superseded"), ("set_credit", "failed", "superseded")
    ]  # fmt: skip


def test_a_topic_that_is_stuck_holds_no_other_up(exam: Exam, lms: EffectsHost) -> None:
    attempt = AttemptFactory(exam=exam, status=Status.SUBMITTED)
    lms.failing["invalidate"] = RuntimeError("away")
    step(attempt, Status.REJECTED)
    work()
    step(attempt, Status.VERIFIED)
    work()
    assert ("override",) in lms.calls
    assert ("undo",) in lms.calls
    assert ("restore",) in lms.calls, "what it takes back was given no second try"
    assert ("invalidate",) not in lms.calls
    assert owed() == []


def test_other_peoples_deliveries_are_left_alone(exam: Exam) -> None:
    attempt = AttemptFactory(exam=exam, status=Status.SUBMITTED)
    vendors = DeliveryFactory(target_id=attempt.pk)
    others = DeliveryFactory(
        kind="host", topic="credit", operation="set_credit", argument="failed", target_id=attempt.pk + 1
    )
    step(attempt, Status.VERIFIED)
    assert {row.status for row in (Delivery.objects.get(pk=vendors.pk), Delivery.objects.get(pk=others.pk))} == {"due"}
