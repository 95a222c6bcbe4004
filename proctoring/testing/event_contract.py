"""The contract's part on events: what the vendor notices while an exam runs."""

from __future__ import annotations

import json
import re
import unittest
from collections.abc import Iterator
from typing import ClassVar

from proctoring.backends.base import Backend
from proctoring.backends.types import FIRST_YEAR, LAST_YEAR, EventsReported, ReportedEvent
from proctoring.errors import MalformedMessage
from proctoring.testing.contract_base import STRANGE, ContractBase, altered

MAX_EVENTS = 500
MAX_TYPE = 2**31 - 1
ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class EventContract(ContractBase):
    """For backends that claim ``sends_events``."""

    events_body: ClassVar[bytes] = b""
    """A verified message of the vendor's that reports one event at least."""

    def test_the_events_are_read(self) -> None:
        backend = self.require("sends_events")
        assert backend.receives_webhooks, "events come as messages: receives_webhooks is not claimed"
        reports = list(_reports(backend, self.events_body))
        assert any(report.events for report in reports), "events_body has no event that is understood"
        for report in reports:
            _assert_can_be_kept(report)

    def test_a_repeated_event_is_known_by_its_id(self) -> None:
        backend = self.require("sends_events")
        first, again = ([one.events for one in _reports(backend, self.events_body)] for _ in range(2))
        assert first == again, "the same message means something else when it comes again"
        ids = [event.id for events in first for event in events]
        assert len(ids) == len(set(ids)), "two events of events_body have the same id"

    def test_strange_values_in_a_message_of_events_do_no_harm(self) -> None:
        """Events may be left out, or the message be refused; what is returned can be stored."""
        backend = self.require("sends_events")
        try:
            good = json.loads(self.events_body)
        except ValueError:
            raise unittest.SkipTest("the vendor's messages are not JSON") from None
        for strange in STRANGE:
            for body in altered(good, strange):
                try:
                    reports = list(_reports(backend, json.dumps(body).encode()))
                except MalformedMessage:
                    continue
                for report in reports:
                    _assert_can_be_kept(report)


def _reports(backend: Backend, body: bytes) -> Iterator[EventsReported]:
    return (event for event in backend.parse(body) if isinstance(event, EventsReported))


def _assert_can_be_kept(report: EventsReported) -> None:
    named = [name for name in (report.attempt_external_id, report.session_external_id) if name]
    assert len(named) == 1, "events are of one attempt or one session"
    assert len(named[0]) <= 255
    assert named[0].isprintable()
    assert len(report.events) <= MAX_EVENTS
    for event in report.events:
        _assert_event_can_be_kept(event)


def _assert_event_can_be_kept(event: ReportedEvent) -> None:
    assert ID.fullmatch(event.id), f"{event.id[:80]!r} is no id"
    assert 0 <= event.type <= MAX_TYPE
    assert not isinstance(event.type, bool)
    assert event.occurred_at.utcoffset() is not None, "an event without its offset from UTC"
    assert FIRST_YEAR <= event.occurred_at.year <= LAST_YEAR
    text = json.dumps(event.data, ensure_ascii=False, allow_nan=False) + event.severity
    assert "\\u0000" not in text
    assert "\x00" not in text
    text.encode()
