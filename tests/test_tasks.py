"""Tasks: claim, call one service, go on until nothing is due. Any number of times, at any moment."""

from __future__ import annotations

import json
from typing import Any

import pytest
import time_machine
from celery import current_app

from proctoring import beat, tasks
from proctoring.attempts import deadlines, lifecycle
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.backends import backends
from proctoring.backends.types import AttemptReviewed, ReviewStatus
from proctoring.errors import BackendError
from proctoring.exams.models import ExamType
from proctoring.idempotency.models import IdempotencyRecord
from proctoring.outbox.models import Delivery
from proctoring.reviews.services import receive_review
from tests.exchange.vendor import VENDOR, FakeVendor
from tests.factories import TEN, AttemptFactory, DeliveryFactory, ExamFactory, MessageFactory, UserFactory, at
from tests.hosts import configure

pytestmark = pytest.mark.django_db


@pytest.fixture
def vendor(settings: Any) -> FakeVendor:
    configure(settings, BACKENDS=VENDOR)
    backend = backends["vendor"]
    assert isinstance(backend, FakeVendor)
    return backend


def test_every_task_has_a_name_of_ours_and_forgets_its_result() -> None:
    ours = {name: task for name, task in current_app.tasks.items() if name.startswith("proctoring.")}
    assert {entry["task"] for entry in beat.SCHEDULE.values()} <= set(ours)
    for task in ours.values():
        assert (task.ignore_result, task.acks_late, task.reject_on_worker_lost) == (True, True, True)


def test_the_beat_schedule_can_be_adopted_as_it_is() -> None:
    for name, entry in beat.SCHEDULE.items():
        assert name.startswith("proctoring-")
        assert entry["schedule"] > 0
        assert entry["options"]["expires"] <= entry["schedule"]
    json.dumps(beat.SCHEDULE)


@time_machine.travel(TEN, tick=False)
def test_deliveries_go_out_until_nothing_is_due_and_a_second_run_does_nothing(vendor: FakeVendor) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED, backend="vendor", external_ids={"vendor": "exam-1"})
    for _ in range(12):
        create_attempt(exam, UserFactory(), now=TEN)
    # A registration and the question that follows from its answer for each.
    assert tasks.deliver_due() == 24
    assert not Delivery.objects.exclude(status="done").exists()
    assert tasks.deliver_due() == 0
    assert len(vendor.calls) == 24


@time_machine.travel(TEN, tick=False)
def test_a_vendor_that_is_away_stops_neither_the_task_nor_the_others(vendor: FakeVendor, settings: Any) -> None:
    configure(settings, BACKENDS={**VENDOR, "other": VENDOR["vendor"]})
    for alias in ("vendor", "other"):
        exam = ExamFactory(exam_type=ExamType.PROCTORED, backend=alias, external_ids={alias: "exam-1"})
        for _ in range(8):
            create_attempt(exam, UserFactory(), now=TEN)
    away = backends["vendor"]
    assert isinstance(away, FakeVendor)
    away.answers["register_attempt"] = BackendError("away")
    tasks.deliver_due()
    assert Attempt.objects.filter(backend="other").exclude(external_id=None).count() == 8
    assert not Attempt.objects.filter(backend="vendor").exclude(external_id=None).exists()
    assert 5 <= len(away.calls) <= 9, "the circuit opened"


@time_machine.travel(at(10, 30), tick=False)
def test_messages_are_processed_until_none_is_due(vendor: FakeVendor) -> None:
    attempt = AttemptFactory(external_id="ext-1", exam__exam_type=ExamType.PROCTORED, exam__backend="vendor")
    plain = json.dumps({"type": "ready", "id": "ext-1", "at": TEN.isoformat()}).encode()
    MessageFactory(plain=plain)
    for _ in range(11):
        MessageFactory(plain=b"{")
    assert tasks.process_messages() == 12
    assert tasks.process_messages() == 0
    attempt.refresh_from_db()
    assert attempt.status == Status.READY_TO_START


@time_machine.travel(at(12, 0), tick=False)
def test_overdue_attempts_are_ended_although_one_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    attempts = [AttemptFactory(status=Status.STARTED) for _ in range(3)]
    with monkeypatch.context() as lms:
        lms.setattr(deadlines, "locked", _failing_for(attempts[0]))
        tasks.end_overdue_attempts()
    assert set(Attempt.objects.filter(status=Status.SUBMITTED)) == set(attempts[1:])
    tasks.end_overdue_attempts()
    assert set(Attempt.objects.values_list("ended_at", flat=True)) == {at(11, 0)}


@time_machine.travel(at(12, 0), tick=False)
def test_kept_reviews_are_applied_to_one_attempt_or_to_all_that_ended() -> None:
    attempts = [AttemptFactory(status=Status.STARTED, exam__exam_type=ExamType.PROCTORED) for _ in range(3)]
    for attempt in attempts:
        for minute in (10, 11):
            event = AttemptReviewed(occurred_at=at(10, minute), external_id="", status=ReviewStatus.PASSED)
            receive_review(attempt, event, message=None, now=at(10, 20))
    assert tasks.apply_kept_reviews() == 0, "none has ended"
    assert tasks.apply_kept_reviews(attempts[0].pk) == 1, "this one is found to be overdue"
    tasks.end_overdue_attempts()
    assert tasks.apply_kept_reviews() == 2
    assert tasks.apply_kept_reviews() == 0
    assert tasks.apply_kept_reviews(10**9) == 0
    assert set(Attempt.objects.values_list("status", flat=True)) == {Status.VERIFIED}


@time_machine.travel(at(12, 0), tick=False)
def test_old_idempotency_records_are_dropped() -> None:
    user = UserFactory()
    for key, moment in (("old", TEN.replace(day=1)), ("new", TEN)):
        IdempotencyRecord.objects.create(user=user, key=key, fingerprint="", created_at=moment)
    assert tasks.forget_idempotency_records() == 1


def test_a_run_of_a_task_that_has_no_more_time_gives_the_rest_back_untried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "_while_there_is_time", lambda: iter([TEN] * 3))
    with time_machine.travel(TEN, tick=False):
        for number in range(20):
            DeliveryFactory(backend=f"nobody-{number}")
        assert tasks.deliver_due() == 2
    assert not Delivery.objects.exclude(claimed_by="").exists()
    assert Delivery.objects.filter(tries=0).count() == 18


def _failing_for(broken: Attempt) -> Any:
    """What the LMS's own receiver of ``post_save`` may do to us."""

    def locked(attempt: Attempt, *, now: Any) -> Any:
        if attempt.pk == broken.pk:
            raise RuntimeError("the LMS is upside down")
        return lifecycle.locked(attempt, now=now)

    return locked
