"""An erasure beside a worker: whoever comes first, nothing is left behind."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.utils import timezone

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam, ExamType
from proctoring.exchange.deliveries import carry_out
from proctoring.exchange.processing import process
from proctoring.inbox import services as inbox
from proctoring.outbox.models import Delivery
from proctoring.outbox.services import claim_due
from proctoring.privacy.erasure import erase_user
from proctoring.privacy.holds import place_hold
from proctoring.privacy.models import DeletionCertificate
from tests.attempts.racing import kinds, race
from tests.factories import AttemptFactory, DeliveryFactory, ExamFactory, UserFactory
from tests.hosts import configure
from tests.privacy.dump import dump
from tests.privacy.vendor import FORGETFUL

pytestmark = [pytest.mark.concurrency, pytest.mark.django_db(transaction=True)]

TIMES = 8


@pytest.fixture
def exam(settings: Any) -> Exam:
    configure(settings, BACKENDS=FORGETFUL)
    return ExamFactory(exam_type=ExamType.PROCTORED, backend="vendor", external_ids={"vendor": "exam-1"})


def ended(exam: Exam, number: int) -> Attempt:
    user = UserFactory(username=f"zuleika-{number}")
    status = Status.SUBMITTED
    return AttemptFactory(exam=exam, user=user, external_id=f"ext-{number}", status=status, full_name="Zuleika Q")


def officer() -> AbstractUser:
    return UserFactory(is_superuser=True)


def erase(attempt: Attempt, by: AbstractUser) -> DeletionCertificate:
    return erase_user(attempt.user, by=by, reason="asked for").certificate


def test_a_review_that_arrives_during_the_erasure_leaves_no_word(exam: Exam) -> None:
    by = officer()
    for number in range(TIMES):
        attempt = ended(exam, number)
        now = timezone.now()
        said = {"type": "reviewed", "status": "passed", "id": f"ext-{number}", "at": now.isoformat()}
        body = json.dumps(
            {**said, "by": "Zuleika Q", "remarks": ["looked-at-the-wall"], "video": "https://v.example/x"}
        )
        inbox.store_message(backend="vendor", delivery_id=f"m-{number}", body=body.encode(), headers={}, now=now)
        [message] = inbox.claim_due(now=now, limit=1)
        answers = race(lambda: erase(attempt, by), lambda: process(message))  # noqa: B023 - run at once
        assert kinds(answers) == ["ok", "ok"], answers
        # What the loser still had in hand is taken up by the next worker.
        for claimed in inbox.claim_due(now=timezone.now(), limit=5):
            process(claimed)
        everything = dump()
        for word in ("looked-at-the-wall", "v.example", "Zuleika Q"):
            assert word not in everything, (number, word)


def test_a_removal_that_is_confirmed_during_the_erasure_takes_the_vendors_id_with_it(exam: Exam) -> None:
    by = officer()
    for number in range(TIMES):
        attempt = ended(exam, number)
        DeliveryFactory(operation="remove_attempt", target_id=attempt.pk, next_try_at=timezone.now())
        [delivery] = claim_due(now=timezone.now(), limit=1)
        answers = race(lambda: erase(attempt, by), lambda: carry_out(delivery))  # noqa: B023 - run at once
        assert kinds(answers) == ["ok", "ok"], answers
        for owed in claim_due(now=timezone.now(), limit=5):
            carry_out(owed)
        attempt.refresh_from_db()
        assert attempt.external_id is None
        assert not Delivery.objects.owed().exists()


def test_two_erasures_at_once_are_one(exam: Exam) -> None:
    by = officer()
    for number in range(TIMES):
        attempt = ended(exam, number)
        answers = race(*[lambda: erase(attempt, by)] * 2)  # noqa: B023 - run at once
        assert kinds(answers) == ["ok", "ok"], answers
        assert answers[0] == answers[1]


def test_a_hold_comes_before_the_erasure_or_after_it(exam: Exam) -> None:
    by = officer()
    for number in range(TIMES):
        attempt = ended(exam, number)
        answers = race(
            lambda: erase(attempt, by),  # noqa: B023 - run at once
            lambda: place_hold(user=attempt.user, by=by, reason="a case"),  # noqa: B023
        )
        attempt.refresh_from_db()
        assert kinds(answers) == (["ok", "ok"] if attempt.erased_at else ["Conflict", "ok"])
