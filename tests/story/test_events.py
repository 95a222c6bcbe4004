"""Events of a running exam, from the vendor's process to the log: each once, whatever happens to its message."""

from __future__ import annotations

from typing import Any

import pytest

from proctoring.attempts.models import Attempt
from proctoring.attempts.services import start_attempt, submit_attempt
from proctoring.inbox.models import MessageStatus, WebhookMessage
from proctoring.logs.models import Event, EventActor
from proctoring.testing.simulator.events import UNKNOWN_TYPE
from tests.story.conftest import ALIAS, House


def from_vendor(attempt: Attempt) -> Any:
    return Event.objects.filter(attempt=attempt, actor=EventActor.VENDOR, backend=ALIAS)


def begin(house: House) -> Attempt:
    house.begin()
    house.until_status("ready_to_start")
    return start_attempt(house.attempt(), by=house.candidate)


def test_what_the_vendor_notices_while_the_exam_runs_is_in_the_log(house: House) -> None:
    house.simulator.change_settings(events_every=0.1, unknown_events=True)
    attempt = begin(house)
    house.until(lambda: from_vendor(attempt).count() >= 5, "five events")
    submit_attempt(house.attempt(), by=house.candidate)
    house.until_status("verified")
    unknown = from_vendor(attempt).get(type=UNKNOWN_TYPE)
    assert (unknown.known, unknown.severity) == (None, "notice")
    assert all(event.known for event in from_vendor(attempt).exclude(pk=unknown.pk))
    assert not WebhookMessage.objects.filter(status=MessageStatus.QUARANTINED).exists()
    times = list(from_vendor(attempt).order_by("at").values_list("at", "received_at"))
    assert all(house.attempt().created_at <= at <= received for at, received in times)


FAULTS: dict[str, dict[str, Any]] = {
    "duplicate": {"kind": "duplicate", "copies": 3},
    "reordered": {"kind": "reorder", "seconds": 1},
    "late": {"kind": "late", "seconds": 0.5},
    "altered body": {"kind": "altered_body", "times": 1},
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_in_the_messages_loses_and_doubles_no_event(house: House, name: str) -> None:
    attempt = begin(house)
    house.simulator.set_faults({**FAULTS[name], "type": "session.events"})
    # The same events told in two messages, as vendors do that are not sure whether the first one arrived.
    told = [{"id": f"e-{number}", "type": 16, "occurred_at": f"2026-03-02T10:00:0{number}Z"} for number in range(4)]
    for part in (told[:3], told[1:]):
        house.simulator.send_events(attempt.external_id or "", part)
    house.until(lambda: from_vendor(attempt).count() >= 4, "the four events")
    house.until(
        lambda: not [one for one in house.simulator.book()["deliveries"] if one["state"] == "pending" or one["copies"]],
        "every copy to be delivered",
    )
    house.work()
    names = sorted(event.message_id.rpartition(":")[2] for event in from_vendor(attempt))
    assert names == ["e-0", "e-1", "e-2", "e-3"]
    unsettled = WebhookMessage.objects.exclude(status__in=("processed", "ignored"))
    house.until(lambda: not unsettled.exists(), "every message to be worked off")
