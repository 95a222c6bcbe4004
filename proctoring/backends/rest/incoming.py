"""The incoming half of the reference wire: a verified body becomes events. Nothing is decided here."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from proctoring.backends.http import parse_json, tame_id, tame_moment, tame_text, tame_tree, tame_url
from proctoring.backends.live import BookingUpdated, SessionJoined, SessionRated
from proctoring.backends.rest.ratings import MAP_VERSION, number_of, rating_record, risk_of
from proctoring.backends.rest.sessions import session_record
from proctoring.backends.types import (
    AttemptRated,
    AttemptReady,
    AttemptReviewed,
    ReviewComment,
    ReviewStatus,
    UnknownEvent,
    VendorEvent,
)
from proctoring.errors import MalformedMessage

MAX_BODY_BYTES = 1024 * 1024
MAX_COMMENTS = 1000
MAX_COMMENT = 10_000
MAX_SECONDS = 2**31 - 1


def parse_message(body: bytes) -> Sequence[VendorEvent]:
    """Translate ``{type, timestamp, data}``. Unknown fields are ignored. Raises ``MalformedMessage``."""
    if len(body) > MAX_BODY_BYTES:
        raise MalformedMessage(f"The message is larger than {MAX_BODY_BYTES} bytes.")
    try:
        message = _object(parse_json(body), "The message")
    except ValueError:
        raise MalformedMessage("The message is not JSON.") from None
    kind = tame_text(message.get("type"), limit=100)
    if not kind:
        raise MalformedMessage("The message has no type.")
    occurred_at = _moment(message.get("timestamp"), "timestamp")
    read = _READERS.get(kind)
    if read is None:
        return [UnknownEvent(occurred_at=occurred_at, type=kind)]
    return [read(_object(message.get("data"), "data"), occurred_at)]


def _attempt_ready(data: Mapping[str, Any], occurred_at: datetime) -> VendorEvent:
    return AttemptReady(occurred_at=occurred_at, external_id=_id(data, "attempt"))


def _attempt_reviewed(data: Mapping[str, Any], occurred_at: datetime) -> VendorEvent:
    try:
        status = ReviewStatus(data["status"])
        payload = tame_tree(data)
    except (KeyError, ValueError):
        raise MalformedMessage("data.status is not a verdict of this wire, or data is nested too deeply.") from None
    return AttemptReviewed(
        occurred_at=occurred_at,
        external_id=_id(data, "attempt"),
        status=status,
        comments=_comments(data.get("comments")),
        reviewed_by=tame_text(data.get("reviewed_by"), limit=255),
        video_url=tame_url(data.get("video_url")),
        payload=payload,
    )


def _session_joined(data: Mapping[str, Any], occurred_at: datetime) -> VendorEvent:
    try:
        return SessionJoined(occurred_at=occurred_at, session=session_record(data, id_name="session"))
    except ValueError:
        raise MalformedMessage("data does not say whose session it is.") from None


def _session_rated(data: Mapping[str, Any], occurred_at: datetime) -> VendorEvent:
    if data.get("attempt") is None and data.get("session") is not None:
        return _live_session_rated(data, occurred_at)
    value, scale = data.get("rating"), tame_text(data.get("scale"), limit=60)
    # Attempts' ratings are in the message or nowhere that is known: people see it.
    if value is None:
        return UnknownEvent(occurred_at=occurred_at, type="session.rated")
    number = number_of(value)
    return AttemptRated(
        occurred_at=_moment(data["rated_at"], "data.rated_at") if data.get("rated_at") else occurred_at,
        external_id=_id(data, "attempt"),
        risk=risk_of(number, scale),
        raw_value=str(value),
        raw_scale=scale,
        mapping_version=MAP_VERSION,
    )


def _live_session_rated(data: Mapping[str, Any], occurred_at: datetime) -> VendorEvent:
    """A rating that cannot be understood is told all the same: it is about a session that somebody waits for."""
    return SessionRated(
        occurred_at=occurred_at,
        session_external_id=_id(data, "session"),
        rating=None if data.get("rating") is None else rating_record(data, rated_at=occurred_at),
    )


def _booking_updated(data: Mapping[str, Any], occurred_at: datetime) -> VendorEvent:
    return BookingUpdated(occurred_at=occurred_at, booking_external_id=_id(data, "booking"))


_READERS: Mapping[str, Callable[[Mapping[str, Any], datetime], VendorEvent]] = {
    "attempt.ready": _attempt_ready,
    "attempt.reviewed": _attempt_reviewed,
    "booking.updated": _booking_updated,
    "session.joined": _session_joined,
    "session.rated": _session_rated,
}


def _object(value: Any, what: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedMessage(f"{what} is not an object.")
    return value


def _moment(value: Any, name: str) -> datetime:
    try:
        return tame_moment(value)
    except ValueError:
        raise MalformedMessage(f"{name} is not an ISO 8601 moment with its offset from UTC.") from None


def _id(data: Mapping[str, Any], name: str) -> str:
    try:
        return tame_id(data.get(name))
    except ValueError:
        raise MalformedMessage(f"data.{name} is not an id.") from None


def _comments(value: Any) -> tuple[ReviewComment, ...]:
    if value is None:
        return ()
    if not isinstance(value, list) or len(value) > MAX_COMMENTS:
        raise MalformedMessage(f"data.comments is not a list of at most {MAX_COMMENTS}.")
    return tuple(_comment(_object(item, "A comment")) for item in value)


def _comment(item: Mapping[str, Any]) -> ReviewComment:
    if not isinstance(item.get("comment"), str):
        raise MalformedMessage("A comment has no text.")
    return ReviewComment(
        comment=tame_text(item["comment"], limit=MAX_COMMENT),
        status=tame_text(item.get("status"), limit=60),
        start_seconds=_seconds(item.get("start")),
        stop_seconds=_seconds(item.get("stop")),
    )


def _seconds(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SECONDS:
        raise MalformedMessage("A comment's start or stop is not a number of seconds.")
    return math.floor(value)
