"""What the simulator notices while an exam runs: now and then by itself, or as a test tells it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest

from proctoring.backends.rest import RestBackend
from proctoring.backends.types import EventsReported, Progress
from proctoring.testing.simulator.events import TYPES, UNKNOWN_TYPE
from proctoring.testing.simulator.process import SimulatorProcess
from proctoring.testing.simulator.settings import Settings
from proctoring.testing.simulator.vendor import Vendor
from tests.testing.lms import PATIENCE, Receiver, register


def next_report(receiver: Receiver, backend: RestBackend) -> EventsReported:
    event = receiver.next_event(backend)
    assert isinstance(event, EventsReported)
    return event


def sent(simulator: SimulatorProcess) -> int:
    return sum(one["type"] == "session.events" for one in simulator.book()["deliveries"])


def test_while_an_attempt_runs_something_is_noticed_now_and_then(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver
) -> None:
    simulator.change_settings(events_every=0.05, review_after=None)
    exam, attempt = register(backend)
    time.sleep(0.2)
    assert sent(simulator) == 0
    backend.report_progress(exam, attempt, Progress.STARTED, key="s")
    reports = [next_report(receiver, backend) for _ in range(3)]
    events = [event for report in reports for event in report.events]
    assert {report.attempt_external_id for report in reports} == {attempt}
    assert all(1 <= len(report.events) <= 2 for report in reports)
    assert {event.type for event in events} <= set(TYPES)
    assert len({event.id for event in events}) == len(events)
    backend.report_progress(exam, attempt, Progress.SUBMITTED, key="e")
    time.sleep(0.1)
    before = sent(simulator)
    time.sleep(0.2)
    assert sent(simulator) == before


def test_an_attempt_that_runs_already_is_followed_when_the_setting_is_changed(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver
) -> None:
    exam, attempt = register(backend)
    backend.report_progress(exam, attempt, Progress.STARTED, key="s")
    simulator.change_settings(events_every=0.0, unknown_events=True)
    types = [event.type for _ in range(4) for event in next_report(receiver, backend).events]
    assert types.count(UNKNOWN_TYPE) == 1
    simulator.change_settings(events_every=None)
    time.sleep(0.1)
    before = sent(simulator)
    time.sleep(0.2)
    assert sent(simulator) == before


def test_events_of_ones_own_are_sent_as_they_are(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver
) -> None:
    _, attempt = register(backend)
    moment = "2030-01-01T10:00:00+00:00"
    simulator.send_events(
        attempt, [{"id": "e-1", "type": 16, "severity": "alert", "data": {"a": 1}, "occurred_at": moment}, {"type": 4}]
    )
    first, second = next_report(receiver, backend).events
    assert (first.id, first.type, first.severity, first.data) == ("e-1", 16, "alert", {"a": 1})
    assert first.occurred_at.isoformat() == moment
    assert (second.type, len(second.id)) == (4, 32)
    simulator.send_events(attempt, [{"type": 4}], session="s-1", timestamp=moment)
    report = next_report(receiver, backend)
    assert (report.attempt_external_id, report.session_external_id) == ("", "s-1")
    assert report.occurred_at.isoformat() == moment
    simulator.send_events(attempt)
    assert next_report(receiver, backend).events


@pytest.mark.parametrize("said", [{"events": "x"}, {"severity": "alert"}, {"events": None}], ids=str)
def test_what_makes_no_sense_is_refused(simulator: SimulatorProcess, backend: RestBackend, said: Any) -> None:
    _, attempt = register(backend)
    with pytest.raises(RuntimeError, match="400"):
        simulator.control("POST", f"attempts/{attempt}/events", said)
    with pytest.raises(RuntimeError, match="404"):
        simulator.send_events("nobody")


@pytest.mark.parametrize("kind", ["duplicate", "late", "reorder"])
def test_faults_of_messages_strike_events_too(
    simulator: SimulatorProcess, backend: RestBackend, receiver: Receiver, kind: str
) -> None:
    _, attempt = register(backend)
    extra = {"copies": 1} if kind == "duplicate" else {"seconds": 0.2}
    simulator.set_faults({"kind": kind, "type": "session.events", "times": 1, **extra})
    first = simulator.send_events(attempt)
    second = simulator.send_events(attempt)
    came = [receiver.next().headers["webhook-id"] for _ in range(3 if kind == "duplicate" else 2)]
    assert sorted(came) == sorted([first, second, *([first] if kind == "duplicate" else [])])
    assert kind == "duplicate" or came == [second, first]


def test_the_same_seed_notices_the_same() -> None:
    def noticed(seed: int) -> list[list[int]]:
        vendor = Vendor(Settings(), seed=seed)
        attempt = vendor.create_attempt("e-1", {})
        return [[event["type"] for event in vendor.events._some(attempt)] for _ in range(20)]

    assert noticed(1) == noticed(1)
    assert noticed(1) != noticed(2)


def test_events_go_on_after_a_power_cut_and_stop_when_everything_is_forgotten(receiver: Receiver) -> None:
    options = ("--events-every", "0.05", "--unknown-events", "--review-after", "never")
    with SimulatorProcess(*options, webhook_url=receiver.url, remember=True) as simulator:
        backend = RestBackend(**simulator.backend_options(), total_timeout=5)
        exam, attempt = register(backend)
        backend.report_progress(exam, attempt, Progress.STARTED, key="s")
        until(lambda: sent(simulator) > 0)
        simulator.kill()
        simulator.restart()
        before = sent(simulator)
        until(lambda: sent(simulator) > before)
        simulator.control("POST", "reset")
        time.sleep(0.2)
        assert sent(simulator) == 0


def test_the_book_keeps_the_newest_messages_about_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctoring.testing.simulator.events.KEPT", 3)
    vendor = Vendor(Settings())
    attempt = vendor.create_attempt("e-1", {})
    ready, waiting = vendor.send_ready(attempt), vendor.events.send(attempt)
    messages = [vendor.events.send(attempt) for _ in range(5)]
    for delivery in vendor.messenger.deliveries:
        delivery.state = "pending" if delivery.id == waiting else "delivered"
    messages.append(vendor.events.send(attempt))
    assert [one.id for one in vendor.messenger.deliveries] == [ready, waiting, *messages[-4:]]


def until(happened: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.02)
