"""Facts are announced once they are true for everybody, and nobody who listens can spoil them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, current_app
from django.db import transaction
from django.dispatch import Signal

from proctoring import signals
from proctoring.attempts import services
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.states import Actor
from proctoring.exams.models import ExamType
from proctoring.outbox.models import Delivery
from proctoring.signals import announce
from tests.exchange.vendor import VENDOR
from tests.factories import TEN, AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import configure

fact = Signal()


@pytest.fixture
def heard() -> Iterator[list[Any]]:
    told: list[Any] = []

    def hear(what: Any, **_: Any) -> None:
        told.append(what)

    fact.connect(hear)
    yield told
    fact.disconnect(hear)


@pytest.mark.django_db(transaction=True)
def test_a_fact_is_announced_after_the_commit(heard: list[Any]) -> None:
    with transaction.atomic():
        with transaction.atomic():
            announce(fact, what=1)
        announce(fact, what=2)
        assert heard == []
    assert heard == [1, 2]
    announce(fact, what=3)
    assert heard == [1, 2, 3]


@pytest.mark.django_db(transaction=True)
def test_what_is_undone_is_not_announced(heard: list[Any]) -> None:
    with transaction.atomic():
        with transaction.atomic():
            announce(fact, what="undone")
            transaction.set_rollback(True)
        announce(fact, what="kept")
    assert heard == ["kept"]


@pytest.mark.django_db(transaction=True)
def test_a_receiver_that_fails_is_logged_and_the_others_hear_it(
    heard: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: Any) -> None:
        raise ZeroDivisionError("receiver")

    fact.connect(broken)
    try:
        with caplog.at_level(logging.ERROR, "proctoring.signals"), transaction.atomic():
            announce(fact, what=1)
    finally:
        fact.disconnect(broken)
    assert heard == [1]
    assert "broken" in caplog.text
    assert "ZeroDivisionError" in caplog.text


def steps(attempt: Any) -> None:
    """One life with a change of every kind."""
    user = attempt.user
    services.start_attempt(attempt, by=user, now=TEN)
    services.pause_attempt(attempt, by=UserFactory(), actor=Actor.STAFF, now=at(10, 10))
    services.resume_attempt(attempt, by=UserFactory(), actor=Actor.STAFF, now=at(10, 20))
    services.extend_time(attempt, minutes=5, by=UserFactory(), reason_code=10010, note="", now=at(10, 21))
    services.submit_attempt(attempt, by=user, now=at(10, 30))


def test_each_step_of_an_attempt_is_announced_with_old_and_new(
    db: None, django_capture_on_commit_callbacks: Any
) -> None:
    changes: list[tuple[str, str]] = []
    deadlines: list[int] = []

    def changed(old: str, new: str, **_: Any) -> None:
        changes.append((old, new))

    def moved(attempt: Any, **_: Any) -> None:
        deadlines.append(attempt.pk)

    signals.attempt_status_changed.connect(changed)
    signals.deadline_changed.connect(moved)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            steps(create_attempt(ExamFactory(), UserFactory(), now=TEN))
    finally:
        signals.attempt_status_changed.disconnect(changed)
        signals.deadline_changed.disconnect(moved)
    assert changes == [("", "created"), ("created", "started"), ("started", "paused"), ("paused", "started"),
                       ("started", "submitted")]  # fmt: skip
    assert len(deadlines) == 3


@pytest.mark.parametrize("url", ["amqp://guest:guest@127.0.0.1:1//", "redis://127.0.0.1:1/0"])
@pytest.mark.django_db(transaction=True)
def test_a_broker_that_is_away_costs_the_candidate_nothing(
    url: str, settings: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CELERY_BROKER_URL", url)
    configure(settings, BACKENDS=VENDOR)
    exam = ExamFactory(exam_type=ExamType.PROCTORED, backend="vendor")
    usual = current_app._get_current_object()
    away = Celery("away")
    away.set_current()
    try:
        began = time.monotonic()
        with caplog.at_level(logging.WARNING, "proctoring.receivers"):
            attempt = create_attempt(exam, UserFactory(), now=TEN)
        took = time.monotonic() - began
    finally:
        usual.set_current()
        away.close()
    assert attempt.pk
    assert Delivery.objects.count() == 1
    assert "could not wake proctoring.deliver_due" in caplog.text
    assert took < 2


def test_an_attempt_that_ended_wakes_its_kept_reviews_and_a_new_id_its_messages(
    db: None, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from proctoring import receivers

    woken: list[tuple[str, Any]] = []
    monkeypatch.setattr(receivers, "_start", lambda task, *args: woken.append((task.name, args)))
    attempt = AttemptFactory(status="started", exam__exam_type=ExamType.PROCTORED)
    timed = AttemptFactory(status="started")
    with django_capture_on_commit_callbacks(execute=True):
        services.submit_attempt(attempt, by=attempt.user, now=at(10, 30))
        services.submit_attempt(timed, by=timed.user, now=at(10, 30))
    assert ("proctoring.apply_kept_reviews", (attempt.pk,)) in woken
    assert {name for name, _ in woken} == {"proctoring.apply_kept_reviews", "proctoring.deliver_due"}, "and the mail"
