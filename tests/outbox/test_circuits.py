"""Circuits: when calls to a vendor make no sense, nobody makes them, and somebody tries whether it is back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from proctoring.errors import BackendAuthenticationError, BackendError
from proctoring.outbox import circuits
from proctoring.outbox import services as outbox
from proctoring.outbox.models import Circuit, Delivery, DeliveryStatus
from tests.attempts.racing import TIMES, race
from tests.factories import TEN, DeliveryFactory, at
from tests.hosts import configure
from tests.outbox.claiming import claimed, trip

pytestmark = pytest.mark.django_db

SECOND = timedelta(seconds=1)


def test_refused_credentials_stop_all_calls_until_a_person_says_that_they_were_mended() -> None:
    first, second = DeliveryFactory(), DeliveryFactory()
    [row] = outbox.claim_due(now=TEN, limit=1)
    outbox.settle_failure(row, BackendAuthenticationError("401"), now=TEN)
    circuits.note_vendor_failed("vendor", BackendAuthenticationError("401"), now=TEN)
    first.refresh_from_db()
    assert first.status == DeliveryStatus.GIVEN_UP
    assert Circuit.objects.get().state(TEN) == "stopped"
    assert claimed(TEN + timedelta(days=30)) == []
    outbox.repeat(first, now=TEN)
    assert set(claimed(at(10, 1))) == {first.pk, second.pk}


def test_a_vendor_that_is_back_gets_at_once_what_waited_for_it(settings: Any) -> None:
    waiting = DeliveryFactory(tries=9, next_try_at=at(11, 0))
    trip(settings)
    circuits.note_vendor_answered("vendor", now=at(10, 1))
    assert claimed(at(10, 1)) == [waiting.pk]


def test_failures_in_a_row_stop_the_calls_to_that_vendor_alone(settings: Any) -> None:
    DeliveryFactory()
    other = DeliveryFactory(backend="other")
    trip(settings, 2)
    assert Circuit.objects.get().state(TEN) == "closed"
    trip(settings, 1)
    assert Circuit.objects.get().state(TEN + 29 * SECOND) == "open"
    assert claimed(TEN + 29 * SECOND) == [other.pk]


def test_a_success_forgets_the_failures(settings: Any) -> None:
    trip(settings, 2)
    circuits.note_vendor_answered("vendor", now=TEN)
    trip(settings, 2)
    circuit = Circuit.objects.get()
    assert (circuit.state(TEN), circuit.failures, circuit.last_success_at) == ("closed", 2, TEN)


def test_after_the_rest_one_call_alone_tries_whether_the_vendor_is_back(settings: Any) -> None:
    rows = [DeliveryFactory() for _ in range(4)]
    trip(settings)
    now = TEN + 30 * SECOND
    assert Circuit.objects.get().state(now) == "half_open"
    [trial] = outbox.claim_due(now=now, limit=10)
    assert trial.pk == rows[0].pk
    assert claimed(now) == [], "one trial at a time"
    outbox.settle_success(trial, now=now, duration_ms=1)
    circuits.note_vendor_answered("vendor", now=now)
    assert claimed(now) == [row.pk for row in rows[1:]]


def test_a_trial_that_fails_opens_the_circuit_again(settings: Any) -> None:
    DeliveryFactory()
    DeliveryFactory()
    trip(settings)
    now = TEN + 30 * SECOND
    [trial] = outbox.claim_due(now=now, limit=10)
    outbox.settle_failure(trial, BackendError("away"), now=now)
    circuits.note_vendor_failed("vendor", BackendError("away"), now=now)
    assert claimed(now + 29 * SECOND) == []
    assert len(claimed(now + 30 * SECOND)) == 1


def test_a_trial_whose_worker_died_does_not_block_the_vendor_for_ever(settings: Any) -> None:
    DeliveryFactory()
    trip(settings)
    now = TEN + 30 * SECOND
    assert len(claimed(now)) == 1
    assert claimed(now + 59 * SECOND) == []
    assert len(claimed(now + 60 * SECOND)) == 1


@pytest.mark.parametrize("settle", ["postpone", "moot", "failure of our own"])
def test_a_trial_that_made_no_call_leaves_the_next_one_to_try(settle: str, settings: Any) -> None:
    _, second = DeliveryFactory(), DeliveryFactory()
    trip(settings)
    now = TEN + 30 * SECOND
    [trial] = outbox.claim_due(now=now, limit=10)
    if settle == "postpone":
        outbox.postpone(trial, why="", until=at(11, 0))
    elif settle == "moot":
        outbox.settle_moot(trial, why="")
    else:
        outbox.settle_failure(trial, BackendError("no key"), now=now)
        circuits.end_trial("vendor")
    assert claimed(now) == [second.pk]


def test_retry_after_rests_the_vendor_at_once(settings: Any) -> None:
    trip(settings, 1, retry_after=90)
    assert Circuit.objects.get().open_until == TEN + 90 * SECOND
    trip(settings, 1, retry_after=1e300)
    assert Circuit.objects.get().open_until <= TEN + timedelta(days=1)


def test_unverified_messages_are_counted() -> None:
    circuits.note_unverified("vendor", now=TEN)
    circuits.note_unverified("vendor", now=at(10, 1))
    circuit = Circuit.objects.get()
    assert (circuit.unverified, circuit.last_unverified_at, circuit.state(TEN)) == (2, at(10, 1), "closed")


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_one_worker_alone_makes_the_trial_call(settings: Any) -> None:
    for _ in range(TIMES):
        trip(settings)
        for _ in range(4):
            DeliveryFactory()
        answers = race(*[lambda: [row.pk for row in outbox.claim_due(now=TEN + 30 * SECOND, limit=15)]] * 3)
        assert sum(len(answer) for answer in answers) == 1
        Delivery.objects.all().delete()
        Circuit.objects.all().delete()


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_failures_noted_at_once_are_all_counted(settings: Any) -> None:
    configure(settings, CIRCUIT_FAILURES=1000)
    for turn in range(TIMES):
        note = lambda turn=turn: circuits.note_vendor_failed(f"vendor{turn}", BackendError("x"), now=TEN)  # noqa: E731
        assert race(note, note, note) == [None] * 3
        assert Circuit.objects.get(backend=f"vendor{turn}").failures == 3
