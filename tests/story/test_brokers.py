"""The same house with Celery workers behind RabbitMQ and Redis."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery, current_app

from proctoring.attempts.models import Attempt
from proctoring.attempts.services import start_attempt, submit_attempt
from proctoring.outbox.models import Delivery
from tests.story.conftest import House
from tests.workers.process import celery_worker, kill

pytestmark = pytest.mark.broker


@pytest.fixture
def queue(broker_url: str) -> Iterator[str]:
    """A queue of this test's own; this process publishes to it, as a host's web server does."""
    before = current_app._get_current_object()
    app = Celery("publisher", broker=broker_url, set_as_current=False)
    app.conf.task_default_queue = f"proctoring-test-{uuid.uuid4().hex[:12]}"
    app.set_current()
    yield app.conf.task_default_queue
    with app.connection_for_write() as connection:
        connection.default_channel.queue_delete(app.conf.task_default_queue)
    app.close()
    before.set_current()


@pytest.fixture
def watched(house: House) -> House:
    """Only the worker works; this process looks on."""
    house.work = lambda: None  # type: ignore[method-assign]
    return house


def test_a_worker_behind_a_broker_carries_an_exam_through(watched: House, broker_url: str, queue: str) -> None:
    with celery_worker(broker_url, queue):
        watched.begin()
        watched.until_status("ready_to_start")
        start_attempt(watched.attempt(), by=watched.candidate)
        submit_attempt(watched.attempt(), by=watched.candidate)
        watched.until_status("verified")
        watched.until(lambda: not Delivery.objects.owed().exists(), "everything owed to be delivered")


def test_a_killed_worker_loses_nothing(watched: House, broker_url: str, queue: str, settings: Any) -> None:
    settings.PROCTORING = {**settings.PROCTORING, "LEASE_SECONDS": 3}
    watched.simulator.set_faults({"kind": "latency", "seconds": 2})
    with celery_worker(broker_url, queue) as worker:
        watched.begin()
        watched.until(lambda: Delivery.objects.exclude(claimed_by="").exists(), "a worker to begin a call")
        kill(worker)
    assert watched.attempt().external_id is None
    watched.simulator.set_faults()
    with celery_worker(broker_url, queue):
        watched.until_status("ready_to_start")
    [registered] = watched.simulator.book()["attempts"]
    assert registered["id"] == Attempt.objects.get().external_id
