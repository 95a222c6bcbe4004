"""``session.events`` of the reference wire: what is understood, what is left out, what is refused."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from proctoring.backends.rest.incoming import parse_message
from proctoring.backends.types import EventsReported, ReportedEvent
from proctoring.errors import MalformedMessage
from proctoring.logs.intake import MESSAGE_ID
from tests.backends.test_rest_incoming import AT, message

NOTICED = {"id": "e-1", "type": 16, "occurred_at": "2030-01-01T11:59:00Z"}


def parse(*events: Any, **data: Any) -> EventsReported:
    (event,) = parse_message(message("session.events", **{"attempt": "a-1", "events": list(events), **data}))
    assert isinstance(event, EventsReported)
    return event


def one(**fields: Any) -> ReportedEvent:
    (event,) = parse({**NOTICED, **fields}).events
    return event


def test_events_of_an_attempt() -> None:
    event = ReportedEvent(id="e-1", type=16, occurred_at=AT, severity="alert", data={"faces": 0})
    assert parse({**NOTICED, "severity": "alert", "data": {"faces": 0}, "next year": 1}) == EventsReported(
        occurred_at=AT, attempt_external_id="a-1", events=(event,)
    )


def test_events_of_a_live_session() -> None:
    found = parse(NOTICED, attempt=None, session=7)
    assert (found.attempt_external_id, found.session_external_id) == ("", "7")
    both = parse(NOTICED, session="s-1")
    assert (both.attempt_external_id, both.session_external_id) == ("a-1", "")


@pytest.mark.parametrize("value", ["e-1", "A_z.9:-", "x" * 64, 17])
def test_an_id_that_the_log_takes_stays_as_it_is(value: Any) -> None:
    assert one(id=value).id == str(value)


@pytest.mark.parametrize("value", ["two words", "é", "\ud800", "a\x00b", "x" * 65, "x" * 4096, "a/b"])
def test_any_other_id_becomes_its_fingerprint(value: str) -> None:
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
    assert one(id=value).id == digest
    assert MESSAGE_ID.fullmatch(digest)


def test_a_moment_is_kept_as_utc() -> None:
    found = one(occurred_at="2030-01-01T13:00:00+02:00").occurred_at
    assert (found, found.tzinfo) == (datetime(2030, 1, 1, 11, tzinfo=UTC), UTC)


@pytest.mark.parametrize("value", [None, [], "x", 1, True])
def test_data_that_are_no_object_are_left_out(value: Any) -> None:
    assert one(data=value).data == {}


def test_data_are_tamed() -> None:
    assert one(data={"a\x00": ["b\x00", "\ud800"]}).data == {"a": ["b", "?"]}
    deep: dict[str, Any] = {}
    for _ in range(40):
        deep = {"a": deep}
    assert one(data=deep).data == {}


@pytest.mark.parametrize(
    "fields",
    [
        {"id": None},
        {"id": ""},
        {"id": True},
        {"id": []},
        {"id": "x" * 4097},
        {"type": None},
        {"type": "16"},
        {"type": 1.5},
        {"type": -1},
        {"type": True},
        {"type": 2**31},
        {"occurred_at": None},
        {"occurred_at": "2030-01-01T11:59:00"},
        {"occurred_at": "yesterday"},
        {"occurred_at": "9999-01-01T00:00:00Z"},
    ],
    ids=str,
)
def test_an_event_that_is_not_understood_keeps_no_other_out(fields: dict[str, Any]) -> None:
    found = parse({**NOTICED, **fields}, {**NOTICED, "id": "e-2"}, "no event")
    assert ([event.id for event in found.events], found.left_out) == (["e-2"], 2)
    with pytest.raises(MalformedMessage, match=r"data\.events"):
        parse({**NOTICED, **fields})


@pytest.mark.parametrize("value", [None, {}, "x", 1, [NOTICED] * 501, ["x"], [[]]], ids=lambda value: str(value)[:9])
def test_nonsense_is_malformed(value: Any) -> None:
    with pytest.raises(MalformedMessage, match=r"data\.events"):
        parse(events=value)


def test_events_of_nobody_are_malformed() -> None:
    for whose in ({"attempt": None}, {"attempt": []}, {"attempt": None, "session": "\x00"}):
        with pytest.raises(MalformedMessage, match="is not an id"):
            parse(NOTICED, **whose)


def test_five_hundred_events_and_none_at_all_are_understood() -> None:
    assert len(parse(*({**NOTICED, "id": number} for number in range(500))).events) == 500
    assert parse() == EventsReported(occurred_at=AT, attempt_external_id="a-1")


def test_a_message_of_five_hundred_full_events_is_no_larger_than_a_message_may_be() -> None:
    full = {**NOTICED, "severity": "warning", "data": {"words": "x" * 1800}}
    found = parse(*({**full, "id": f"event-{number}"} for number in range(500)))
    assert len(json.dumps(found.events[0].data)) > 1800
