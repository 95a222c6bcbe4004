"""Verdicts that meet: what is said of them is said once, and the last word holds. Database servers only."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from django.core import mail
from django.db import transaction
from django.utils import timezone

from proctoring.attempts.effects import follow
from proctoring.attempts.lifecycle import locked, move
from proctoring.attempts.models import Attempt
from proctoring.attempts.services import submit_attempt
from proctoring.attempts.states import Actor, Status
from proctoring.backends.types import AttemptReviewed, ReviewStatus
from proctoring.exams.models import ExamType
from proctoring.exchange.deliveries import carry_out
from proctoring.outbox.models import Delivery
from proctoring.outbox.services import claim_due
from proctoring.reviews.services import receive_review
from tests.attempts.racing import TIMES, race
from tests.effecting import EffectsHost, effects, owed, reread
from tests.factories import TEN, AttemptFactory, UserFactory
from tests.hosts import configure

pytestmark = [pytest.mark.concurrency, pytest.mark.django_db(transaction=True)]


@pytest.fixture(autouse=True)
def lms(settings: Any) -> EffectsHost:
    configure(settings, SECOND_REVIEWS=False)
    return effects(settings)


def carry_out_all() -> None:
    while claimed := claim_due(now=timezone.now(), limit=10):
        for delivery in claimed:
            carry_out(delivery)


def send(attempt: Attempt, statuses: list[ReviewStatus]) -> Callable[[], None]:
    """The vendor sends its verdict and the correction of it, a minute younger, in this order."""

    def sending() -> None:
        for status in statuses:
            occurred_at = TEN + timedelta(hours=1, minutes=status == ReviewStatus.PASSED)
            event = AttemptReviewed(
                external_id="x", status=status, occurred_at=occurred_at, payload={"v": status.value}
            )
            with transaction.atomic():
                receive_review(attempt, event, message=None)

    return sending


def decide(attempt: Attempt, verdict: Status) -> Callable[[], None]:
    def deciding() -> None:
        now = timezone.now()
        with locked(attempt, now=now) as row:
            move(row, verdict, actor=Actor.REVIEWER, now=now)

    return deciding


@pytest.mark.parametrize("delivering", [False, True], ids=["afterwards", "meanwhile"])
def test_a_review_sent_five_times_with_its_correction_has_one_effect_each(delivering: bool, lms: EffectsHost) -> None:
    for turn in range(TIMES):
        lms.calls.clear()
        mail.outbox.clear()
        attempt = AttemptFactory(exam__exam_type=ExamType.PROCTORED, exam__name=f"Exam {turn}", status=Status.SUBMITTED)
        both = [ReviewStatus.VIOLATION, ReviewStatus.PASSED] * 5
        threads = [send(attempt, random.sample(both, len(both))) for _ in range(2)]
        answers = race(*threads, *([carry_out_all] if delivering else []))
        assert answers == [None] * len(answers), answers
        carry_out_all()
        assert reread(attempt).status == Status.VERIFIED
        grade = [call[0] for call in lms.calls if call[0] in ("override", "undo")]
        assert grade in ([], ["override", "undo"], ["undo"]), "an undo alone where the override was under way"
        assert [call for call in lms.calls if call[0] == "credit"][-1] == ("credit", "satisfied")
        assert lms.calls.count(("credit", "satisfied")) == 1
        subjects = [message.subject for message in mail.outbox]
        assert subjects.count(f"“Exam {turn}” is verified") == 1
        assert subjects.count(f"“Exam {turn}” was not accepted") <= 1
        assert subjects[-1] == f"“Exam {turn}” is verified"
        assert not Delivery.objects.filter(status="due").exists()


def test_two_parts_of_a_chain_that_are_decided_at_once_verify_it_once() -> None:
    for _ in range(TIMES):
        Delivery.objects.all().delete()
        first = AttemptFactory(exam__exam_type=ExamType.PROCTORED, status=Status.TERMINATED, retry_kind="resume")
        second = AttemptFactory(exam=first.exam, user=first.user, number=2, status=Status.SUBMITTED, resumed_from=first)
        answers = race(decide(first, Status.VERIFIED), decide(second, Status.VERIFIED))
        assert answers == [None, None], answers
        assert owed() == ["set_credit satisfied"]
        assert list(Delivery.objects.filter(kind="mail", status="due").values_list("argument")) == [("verified",)]


def test_two_parts_of_a_chain_that_are_rejected_at_once_override_the_grade_once() -> None:
    for _ in range(TIMES):
        Delivery.objects.all().delete()
        first = AttemptFactory(exam__exam_type=ExamType.PROCTORED, status=Status.TERMINATED, retry_kind="resume")
        second = AttemptFactory(exam=first.exam, user=first.user, number=2, status=Status.SUBMITTED, resumed_from=first)
        answers = race(decide(first, Status.REJECTED), decide(second, Status.REJECTED))
        assert answers == [None, None], answers
        assert owed() == ["set_credit failed", "override_grade", "invalidate_certificate"]
        assert Delivery.objects.filter(kind="mail").count() == 1


def test_a_part_that_is_rejected_while_a_later_one_is_submitted_leaves_the_requirement_failed() -> None:
    for _ in range(TIMES):
        Delivery.objects.all().delete()
        first = AttemptFactory(exam__exam_type=ExamType.PROCTORED, status=Status.TERMINATED, retry_kind="resume")
        facts = {"exam": first.exam, "user": first.user}
        second = AttemptFactory(**facts, number=2, status=Status.SUBMITTED, resumed_from=first, retry_kind="resume")
        third = AttemptFactory(**facts, number=3, status=Status.STARTED, resumed_from=second)
        submit = partial(submit_attempt, third, by=first.user, now=third.started_at)
        answers = race(decide(second, Status.REJECTED), submit, decide(first, Status.VERIFIED))
        assert not [one for one in answers if isinstance(one, Exception)], answers
        assert owed()[-1] != "set_credit submitted"
        assert owed().count("set_credit failed") == owed().count("override_grade") == 1


def test_two_exams_of_a_course_that_are_accepted_at_once_restore_the_certificate_once() -> None:
    for turn in range(TIMES):
        user: Any = UserFactory()
        one, two = (
            AttemptFactory(
                exam__exam_type=ExamType.PROCTORED, exam__course_id=f"c{turn}", user=user, status=Status.REJECTED
            )
            for _ in range(2)
        )
        for attempt in (one, two):
            with transaction.atomic():
                follow(attempt, old=Status.SUBMITTED, now=TEN)
        carry_out_all()
        answers = race(decide(one, Status.VERIFIED), decide(two, Status.VERIFIED))
        assert answers == [None, None], answers
        rows = Delivery.objects.filter(topic="certificate", target_id=one.pk).order_by("pk")
        assert [row.operation for row in rows] == ["invalidate_certificate", "restore_certificate"]
