"""Effects on their way to the LMS: current rows, one key, a retry for whatever the host raises, order in a topic."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.db import connection

from proctoring.attempts.effects import follow
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.errors import BackendAuthenticationError
from proctoring.exams.models import ExamType
from proctoring.exchange.deliveries import carry_out
from proctoring.host import Host
from proctoring.outbox.models import Circuit, Delivery, Operation
from proctoring.outbox.services import claim_due, promise_effect, repeat
from tests.effecting import EVENING, EffectsHost, effects, work
from tests.factories import TEN, AttemptFactory, at
from tests.hosts import configure

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def lms(settings: Any) -> EffectsHost:
    configure(settings, SEND_MAIL=False, DELIVERY_MAX_TRIES=2, DELIVERY_BACKOFF_SECONDS=10)
    return effects(settings)


@pytest.fixture
def attempt(db: None) -> Attempt:
    return AttemptFactory(
        exam__exam_type=ExamType.PROCTORED, exam__course_id="c", exam__content_id="b", status="rejected"
    )


def promise(attempt: Attempt, operation: Operation, **fields: Any) -> Delivery:
    delivery = promise_effect(operation=operation, attempt=attempt, now=TEN, **{"topic": "topic", **fields})
    assert delivery is not None
    return delivery


CALLS = [
    (Operation.SET_CREDIT, "satisfied", ("credit", "satisfied")),
    (Operation.OVERRIDE_GRADE, "", ("override",)),
    (Operation.UNDO_GRADE_OVERRIDE, "", ("undo",)),
    (Operation.INVALIDATE_CERTIFICATE, "", ("invalidate",)),
    (Operation.RESTORE_CERTIFICATE, "", ("restore",)),
    (Operation.COMPLETE_CONTENT, "", ("complete",)),
    (Operation.RESET_LEARNER_STATE, "1", ("reset",)),
    (Operation.NOTIFY_SUPPORT, "suspicious", ("support", "suspicious", "{pk}")),
]


@pytest.mark.parametrize(("operation", "argument", "call"), CALLS, ids=str)
def test_each_effect_is_one_method_of_the_host_with_the_deliverys_key(
    operation: Operation, argument: str, call: tuple[str, ...], attempt: Attempt, lms: EffectsHost
) -> None:
    delivery = promise(attempt, operation, argument=argument)
    work()
    assert lms.calls == [tuple(word.format(pk=attempt.pk) for word in call)]
    assert lms.keys == [delivery.key]
    delivery.refresh_from_db()
    assert (delivery.status, delivery.last_error, delivery.backend) == ("done", "", "")
    assert not Circuit.objects.exists()


class Exact(Host):
    seen: list[tuple[Any, ...]] = []

    def set_credit_requirement(self, user: Any, course_id: str, content_id: str, status: Any, *, key: str) -> None:
        self.seen.append((user, course_id, content_id, status, key))


def test_the_host_gets_person_course_and_content_as_they_are_now(attempt: Attempt, settings: Any) -> None:
    configure(settings, HOST=f"{__name__}.Exact")
    delivery = promise(attempt, Operation.SET_CREDIT, argument="failed")
    work()
    assert Exact.seen == [(attempt.user, "c", "b", "failed", delivery.key)]


def test_a_host_is_called_outside_of_any_transaction(transactional_db: None, lms: EffectsHost) -> None:
    attempt = AttemptFactory(exam__exam_type=ExamType.PROCTORED)
    promise(attempt, Operation.OVERRIDE_GRADE)
    seen: list[bool] = []
    lms.look = lambda: seen.append(connection.in_atomic_block)
    work()
    assert seen == [False]


@pytest.mark.parametrize("error", [RuntimeError("of Ada, with a secret"), BackendAuthenticationError("with a secret")])
def test_whatever_the_host_raises_is_tried_again_given_up_and_repeated_by_hand(
    error: Exception, attempt: Attempt, lms: EffectsHost
) -> None:
    promise(attempt, Operation.OVERRIDE_GRADE)
    lms.failing["override"] = error
    work(TEN)
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.tries) == ("due", 1)
    assert delivery.last_error == f"HostFailed: {type(error).__name__}, see the log"
    assert delivery.next_try_at > TEN
    work(at(10, 5))
    delivery.refresh_from_db()
    assert (delivery.status, delivery.tries) == ("given_up", 2)
    assert len(set(lms.keys)) == 1
    assert not Circuit.objects.exists(), "the LMS has no circuit"
    lms.failing.clear()
    repeat(delivery, now=at(10, 6))
    work(at(10, 6))
    assert lms.calls == [("override",)]
    assert Attempt.objects.get().status == "rejected"


def test_a_failing_effect_is_tried_again_alone(attempt: Attempt, lms: EffectsHost) -> None:
    lms.failing["invalidate"] = RuntimeError("away")
    follow(attempt, old=Status.SUBMITTED, now=TEN)
    work(TEN)
    assert lms.calls == [("credit", "failed"), ("override",)]
    lms.failing.clear()
    work(at(10, 5))
    assert lms.calls == [("credit", "failed"), ("override",), ("invalidate",)]


@pytest.mark.parametrize("gone", ["inactive", "erased", "host"])
def test_an_effect_without_an_object_is_moot(gone: str, attempt: Attempt, lms: EffectsHost, settings: Any) -> None:
    promise(attempt, Operation.OVERRIDE_GRADE)
    if gone == "inactive":
        attempt.user.is_active = False
        attempt.user.save()
    elif gone == "erased":
        Attempt.objects.update(erased_at=TEN)
    else:
        configure(settings, HOST="proctoring.host.Host")
    work()
    assert (Delivery.objects.get().status, lms.calls) == ("superseded", [])


def test_support_hears_of_an_attempt_whose_account_is_gone(attempt: Attempt, lms: EffectsHost) -> None:
    attempt.user.is_active = False
    attempt.user.save()
    promise(attempt, Operation.NOTIFY_SUPPORT, argument="suspicious")
    work()
    assert lms.calls == [("support", "suspicious", str(attempt.pk))]


def test_what_is_overtaken_between_claim_and_call_is_not_called(attempt: Attempt, lms: EffectsHost) -> None:
    promise(attempt, Operation.OVERRIDE_GRADE, topic="grade")
    with time_machine.travel(at(10, 1), tick=False):
        [held] = claim_due(now=at(10, 1), limit=5)
        promise(attempt, Operation.UNDO_GRADE_OVERRIDE, topic="grade")
        assert claim_due(now=at(10, 1), limit=5) == [], "in its turn"
        assert carry_out(held) is False
    work()
    assert lms.calls == [("undo",)]


def test_a_repeated_effect_does_not_overwrite_a_later_one(attempt: Attempt, lms: EffectsHost) -> None:
    first = promise(attempt, Operation.OVERRIDE_GRADE, topic="grade")
    Delivery.objects.update(status="given_up")
    promise(attempt, Operation.UNDO_GRADE_OVERRIDE, topic="grade")
    work(TEN)
    repeat(first, now=TEN)
    work(TEN)
    assert lms.calls == [("undo",)]


def test_a_late_reset_does_not_take_the_answers_of_the_attempt_that_runs(attempt: Attempt, lms: EffectsHost) -> None:
    Attempt.objects.update(status="voided")
    delivery = promise(attempt, Operation.RESET_LEARNER_STATE, argument="1")
    lms.failing["reset"] = RuntimeError("away")
    work(TEN)
    lms.failing.clear()
    newer = AttemptFactory(exam=attempt.exam, user=attempt.user, number=2, status=Status.READY_TO_START)
    Attempt.objects.filter(pk=newer.pk).update(started_at=TEN)
    work()
    delivery.refresh_from_db()
    assert (delivery.status, lms.calls) == ("superseded", [])
    assert "newer attempt" in delivery.last_error


def test_the_lms_mails_and_each_vendor_get_a_fair_share_of_every_claim(attempt: Attempt) -> None:
    vendor = [
        Delivery(operation="report_started", backend="v", target="attempt", target_id=n, key=f"v{n}") for n in range(50)
    ]
    mail = [Delivery(kind="mail", operation="send_mail", target="attempt", target_id=n, key=f"m{n}") for n in range(50)]
    for row in [*vendor, *mail]:
        row.next_try_at = TEN
    Delivery.objects.bulk_create([*vendor, *mail])
    promise(attempt, Operation.OVERRIDE_GRADE)
    kinds = [row.kind for row in claim_due(now=at(10, 1), limit=9)]
    assert {kind: kinds.count(kind) for kind in kinds} == {"vendor": 3, "mail": 3, "host": 1}


def test_a_promise_with_a_key_is_made_once(attempt: Attempt) -> None:
    one = promise(attempt, Operation.NOTIFY_SUPPORT, key="mine")
    assert promise(attempt, Operation.NOTIFY_SUPPORT, key="mine").pk == one.pk
    assert promise(attempt, Operation.NOTIFY_SUPPORT).key != promise(attempt, Operation.NOTIFY_SUPPORT).key
    assert Delivery.objects.count() == 3
    assert Delivery.objects.latest("pk").next_try_at < EVENING
