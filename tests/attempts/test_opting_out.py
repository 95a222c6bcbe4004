"""Who does without the proctoring, and which other exams of the course that declines."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.attempts import services
from proctoring.attempts.access import decide
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt
from proctoring.attempts.retries import reset_attempt
from proctoring.attempts.states import Status
from proctoring.errors import CreationRefused
from proctoring.exams.models import Exam, ExamStatus, ExamType
from proctoring.host import PrerequisiteState
from proctoring.outbox.models import Delivery, Operation
from tests.exchange.vendor import VENDOR
from tests.factories import TEN, AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import ScriptedHost, configure


def test_opting_out_creates_and_declines_in_one_step(candidate: AbstractUser, lms: ScriptedHost, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR)
    exam = ExamFactory(exam_type=ExamType.PROCTORED, backend="vendor", allow_opt_out=True)
    other = ExamFactory(exam_type=ExamType.PROCTORED, allow_opt_out=True)
    attempt = create_attempt(exam, candidate, proctored=False, now=TEN)
    assert (attempt.status, attempt.taking_as_proctored, attempt.ended_at) == (Status.DECLINED, False, TEN)
    assert [row.status for row in attempt.history.order_by("history_id")] == ["created", "declined"]
    assert not Delivery.objects.exists(), "nothing for declined"
    assert not Attempt.objects.filter(exam=other).exists()


def test_opting_out_is_no_matter_of_prerequisites(candidate: AbstractUser, lms: ScriptedHost) -> None:
    lms.require(PrerequisiteState.FAILED)
    exam = ExamFactory(exam_type=ExamType.PROCTORED, allow_opt_out=True)
    assert create_attempt(exam, candidate, proctored=False, now=TEN).status == Status.DECLINED


def test_only_a_proctored_exam_can_be_opted_out_of(candidate: AbstractUser) -> None:
    for exam_type in (ExamType.TIMED, ExamType.PRACTICE, ExamType.ONBOARDING):
        attempt = create_attempt(ExamFactory(exam_type=exam_type), candidate, proctored=False, now=TEN)
        assert attempt.status == Status.CREATED


def cascade_course(candidate: AbstractUser) -> tuple[Exam, dict[str, Exam]]:
    proctored = {"exam_type": ExamType.PROCTORED, "allow_opt_out": True}
    others = {
        "declined": ExamFactory(**proctored),
        "attempted": ExamFactory(**proctored),
        "compulsory": ExamFactory(**proctored | {"allow_opt_out": False}),
        "draft": ExamFactory(**proctored, status=ExamStatus.DRAFT),
        "timed": ExamFactory(allow_opt_out=True),
        "practice": ExamFactory(exam_type=ExamType.PRACTICE),
        "elsewhere": ExamFactory(**proctored, course_id="another"),
    }
    AttemptFactory(exam=others["attempted"], user=candidate, status=Status.VERIFIED)
    AttemptFactory(exam=others["declined"], status=Status.STARTED)
    return ExamFactory(**proctored), others


@pytest.mark.parametrize("door", ["create", "decline"])
def test_the_cascade_declines_the_courses_other_unattempted_exams(
    door: str, candidate: AbstractUser, lms: ScriptedHost
) -> None:
    lms.cascades = True
    exam, others = cascade_course(candidate)
    if door == "create":
        create_attempt(exam, candidate, proctored=False, now=TEN)
    else:
        services.decline_attempt(create_attempt(exam, candidate, now=TEN), by=candidate, now=TEN)
    mine = {attempt.exam_id: attempt for attempt in Attempt.objects.filter(user=candidate)}
    assert set(mine) == {exam.pk, others["attempted"].pk, others["declined"].pk}
    assert mine[others["declined"].pk].status == Status.DECLINED
    assert mine[others["declined"].pk].taking_as_proctored is False
    assert mine[others["attempted"].pk].status == Status.VERIFIED


def test_the_cascade_passes_over_what_is_not_the_persons_to_take(
    candidate: AbstractUser, lms: ScriptedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    lms.cascades = True
    exam, others_group = (ExamFactory(exam_type=ExamType.PROCTORED, allow_opt_out=True) for _ in range(2))
    monkeypatch.setattr(lms, "may_take", lambda _user, _course, content_id: content_id == exam.content_id)
    create_attempt(exam, candidate, proctored=False, now=TEN)
    assert not Attempt.objects.filter(exam=others_group).exists()


def test_who_declines_an_attempt_is_not_taking_it_as_proctored_and_has_the_content(candidate: AbstractUser) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED, allow_opt_out=True)
    declined = services.decline_attempt(create_attempt(exam, candidate, now=TEN), by=candidate, now=TEN)
    assert declined.taking_as_proctored is False
    assert decide(exam, candidate, declined, at(10, 1)).allowed


def test_who_is_declined_for_a_prerequisite_has_not(candidate: AbstractUser, lms: ScriptedHost) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED, allow_opt_out=True)
    attempt = create_attempt(exam, candidate, now=TEN)
    lms.require(PrerequisiteState.FAILED)
    declined = services.start_attempt(attempt, by=candidate, now=TEN)
    assert (declined.status, declined.taking_as_proctored) == (Status.DECLINED, True)
    decision = decide(exam, candidate, declined, at(10, 1))
    assert (decision.allowed, decision.reason) == (False, "declined")


def test_the_vendor_drops_a_declined_attempt_that_was_registered(candidate: AbstractUser, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR)
    exam = ExamFactory(exam_type=ExamType.PROCTORED, backend="vendor", allow_opt_out=True)
    registered = services.decline_attempt(create_attempt(exam, candidate, now=TEN), by=candidate, now=TEN)
    reset_attempt(registered, by=UserFactory(), reason="", now=TEN)
    never = create_attempt(exam, candidate, proctored=False, now=TEN)
    reset_attempt(never, by=UserFactory(), reason="", now=TEN)
    dropped = Delivery.objects.filter(operation=Operation.REMOVE_ATTEMPT)
    assert [one.target_id for one in dropped] == [registered.pk]


def test_declining_without_the_offer_is_refused(candidate: AbstractUser) -> None:
    offers = ((ExamType.PROCTORED, False), *((other, True) for other in ExamType if other != ExamType.PROCTORED))
    for exam_type, allow_opt_out in offers:
        attempt = AttemptFactory(user=candidate, exam__exam_type=exam_type, exam__allow_opt_out=allow_opt_out)
        with pytest.raises(CreationRefused) as refused:
            services.decline_attempt(attempt, by=candidate, now=TEN)
        assert refused.value.code == "opt_out_not_allowed"
        assert Attempt.objects.get(pk=attempt.pk).status == Status.CREATED


def test_one_exam_of_the_cascade_that_was_attempted_meanwhile_does_not_spoil_the_rest(
    candidate: AbstractUser, lms: ScriptedHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    lms.cascades = True
    proctored = {"exam_type": ExamType.PROCTORED, "allow_opt_out": True}
    exam, quick, slow = (ExamFactory(**proctored) for _ in range(3))
    real = lms.full_name

    def race(user: AbstractUser) -> str:
        """Another tab creates the attempt between the cascade's look and its insert."""
        if Attempt.objects.filter(user=candidate).count() == 1 and not Attempt.objects.filter(exam=quick).exists():
            AttemptFactory(exam=quick, user=candidate)
        return real(user)

    monkeypatch.setattr(lms, "full_name", race)
    create_attempt(exam, candidate, proctored=False, now=TEN)
    statuses = dict(Attempt.objects.filter(user=candidate).values_list("exam", "status"))
    assert statuses == {exam.pk: "declined", quick.pk: "created", slow.pk: "declined"}
