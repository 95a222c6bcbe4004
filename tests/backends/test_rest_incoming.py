"""The incoming half of the reference wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from proctoring.backends.rest.incoming import parse_message
from proctoring.backends.types import AttemptReady, AttemptReviewed, ReviewComment, ReviewStatus, UnknownEvent
from proctoring.errors import MalformedMessage

AT = datetime(2030, 1, 1, 11, 59, tzinfo=UTC)


def message(kind: str, timestamp: Any = "2030-01-01T11:59:00Z", **data: Any) -> bytes:
    return json.dumps({"type": kind, "timestamp": timestamp, "data": data}).encode()


def review(**data: Any) -> AttemptReviewed:
    (event,) = parse_message(message("attempt.reviewed", **{"attempt": "a-1", "status": "passed", **data}))
    assert isinstance(event, AttemptReviewed)
    return event


def test_a_ready_attempt() -> None:
    assert parse_message(message("attempt.ready", attempt="a-1")) == [AttemptReady(occurred_at=AT, external_id="a-1")]


def test_an_id_may_be_a_number() -> None:
    assert parse_message(message("attempt.ready", attempt=7)) == [AttemptReady(occurred_at=AT, external_id="7")]


def test_the_moment_is_kept_as_utc() -> None:
    (event,) = parse_message(message("attempt.ready", "2030-01-01T13:59:00+02:00", attempt="a"))
    assert event.occurred_at == AT
    assert event.occurred_at.tzinfo is UTC


@pytest.mark.parametrize("status", list(ReviewStatus))
def test_each_verdict_of_the_wire(status: ReviewStatus) -> None:
    assert review(status=status.value).status is status


def test_a_review_with_everything() -> None:
    event = review(
        comments=[{"comment": "A voice", "status": "suspicious", "start": 61, "stop": 75.9}, {"comment": "x"}],
        reviewed_by="ada@example.com",
        video_url="https://v.example.com/1",
        software="1.2",
    )
    assert event.comments == (
        ReviewComment(comment="A voice", status="suspicious", start_seconds=61, stop_seconds=75),
        ReviewComment(comment="x"),
    )
    assert (event.reviewed_by, event.video_url) == ("ada@example.com", "https://v.example.com/1")
    assert event.payload["software"] == "1.2"


def test_texts_are_cut_and_made_storable() -> None:
    event = review(comments=[{"comment": "a\x00\ud800b" + "x" * 20_000, "status": ["?"]}], reviewed_by={"a": 1})
    assert event.comments[0].comment.startswith("a?b")
    assert len(event.comments[0].comment) == 10_000
    assert event.comments[0].status == ""
    assert event.reviewed_by == ""
    assert "\x00" not in json.dumps(event.payload, ensure_ascii=False)


@pytest.mark.parametrize("url", ["javascript:alert(1)", "ftp://x.example.com/", "//x", "https://a b", 7])
def test_a_video_that_is_no_web_address_is_dropped(url: Any) -> None:
    assert review(video_url=url).video_url == ""


def test_a_type_of_next_year_is_kept_aside() -> None:
    assert parse_message(message("session.teleported")) == [UnknownEvent(occurred_at=AT, type="session.teleported")]


@pytest.mark.parametrize(
    "data",
    [
        {"status": "Clean"},
        {"status": "PASSED"},
        {"status": None},
        {"status": ["passed"]},
        {"attempt": None},
        {"attempt": ""},
        {"attempt": True},
        {"attempt": "x" * 256},
        {"attempt": ".."},
        {"comments": "A voice"},
        {"comments": ["A voice"]},
        {"comments": [{"status": "suspicious"}]},
        {"comments": [{"comment": "x", "start": "1"}]},
        {"comments": [{"comment": "x", "start": -1}]},
        {"comments": [{"comment": "x", "stop": True}]},
        {"comments": [{"comment": "x", "stop": 2**31}]},
        {"comments": [{"comment": "x"}] * 1001},
    ],
)
def test_a_review_that_is_not_what_the_wire_describes_is_malformed(data: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        review(**data)


@pytest.mark.parametrize(
    "timestamp",
    [
        *(None, 7, "", "yesterday", "2030-01-01", "2030-01-01T11:59:00", "2030-13-01T00:00Z"),
        *("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00+00:01"),
        *("9001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59-01:00"),
    ],
)
def test_a_moment_without_offset_or_sense_is_malformed(timestamp: Any) -> None:
    with pytest.raises(MalformedMessage):
        parse_message(message("attempt.ready", timestamp, attempt="a-1"))


@pytest.mark.parametrize("depth", [40, 900, 100_000])
def test_nesting_without_end_is_malformed(depth: int) -> None:
    nested = b"[" * depth + b"]" * depth
    with pytest.raises(MalformedMessage):
        parse_message(b'{"type": "attempt.ready", "timestamp": "2030-01-01T11:59:00Z", "data": ' + nested + b"}")


def test_a_message_larger_than_a_mebibyte_is_malformed() -> None:
    with pytest.raises(MalformedMessage, match="larger"):
        parse_message(message("attempt.ready", attempt="a-1", padding="x" * 1024 * 1024))
