"""Ratings in the reference wire's words: the scales, each mapped to a risk from 0 to 1, and the vendor's list.

A map that changes gets a new version.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from proctoring.backends.http import tame_id, tame_moment, tame_number, tame_text
from proctoring.backends.live import RatingPage, RatingRecord
from proctoring.backends.rest.answers import next_cursor_of, rows_of
from proctoring.errors import MalformedMessage

MAP_VERSION = "rest-1"
PAGE_SIZE = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    lowest: float
    highest: float
    risk: Callable[[float], float]


SCALES: Mapping[str, Scale] = {
    "risk_0_1": Scale(lowest=0, highest=1, risk=lambda value: value),
    "risk_0_100": Scale(lowest=0, highest=100, risk=lambda value: value / 100),
    "trust_0_100": Scale(lowest=0, highest=100, risk=lambda value: 1 - value / 100),
    "stars_1_5": Scale(lowest=1, highest=5, risk=lambda value: (5 - value) / 4),
}


def risk_of(value: float, scale: str) -> float:
    """The risk, 0 to 1, high is risky. Raises ``MalformedMessage`` for an unknown scale and a value outside of it."""
    known = SCALES.get(scale)
    if known is None:
        raise MalformedMessage(f"data.scale is none of {', '.join(SCALES)}.")
    if not known.lowest <= value <= known.highest:
        raise MalformedMessage(f"data.rating is not between {known.lowest} and {known.highest}.")
    return known.risk(value)


def number_of(value: Any) -> float:
    """Raises ``MalformedMessage`` for anything but a number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MalformedMessage("data.rating is not a number.")
    return value


def read_ratings(value: Mapping[str, Any], *, cursor: str) -> RatingPage:
    """Raises ``BackendError`` where there is no list at all; a row is left out where nobody can say what it rates."""
    records = (_record_or_none(row) for row in rows_of(value, "ratings"))
    return RatingPage(
        records=tuple(record for record in records if record is not None), next_cursor=next_cursor_of(value, cursor)
    )


def rating_record(row: Mapping[str, Any], *, rated_at: datetime | None = None) -> RatingRecord:
    """A row, or a message's data. ``rated_at`` counts where the row has none.

    ``ValueError`` where nobody can say what was rated; all else that is wrong becomes the record's ``problem``.
    """
    # As in a message: who names an attempt beside the session rates the attempt.
    name = "session" if row.get("attempt") is None else "attempt"
    rated = tame_id(row.get(name))
    try:
        record = _valid_record(row, rated_at)
    except MalformedMessage as problem:
        record = RatingRecord(problem=str(problem))
    if name == "session":
        return replace(record, session_external_id=rated)
    return replace(record, attempt_external_id=rated)


def _record_or_none(row: Any) -> RatingRecord | None:
    try:
        return rating_record(row) if isinstance(row, dict) else None
    except ValueError:
        return None


def _valid_record(row: Mapping[str, Any], rated_at: datetime | None) -> RatingRecord:
    value, scale = number_of(row.get("rating")), tame_text(row.get("scale"), limit=60)
    return RatingRecord(
        exam_external_id="" if row.get("exam") is None else _exam(row["exam"]),
        candidate_number=None if row.get("candidate_number") is None else _number(row["candidate_number"]),
        risk=risk_of(value, scale),
        raw_value=str(value),
        raw_scale=scale,
        mapping_version=MAP_VERSION,
        rated_at=rated_at if rated_at is not None and row.get("rated_at") is None else _moment(row.get("rated_at")),
    )


def _exam(value: Any) -> str:
    try:
        return tame_id(value)
    except ValueError:
        raise MalformedMessage("data.exam is not an id.") from None


def _number(value: Any) -> int:
    try:
        return tame_number(value)
    except ValueError:
        raise MalformedMessage("data.candidate_number is not a whole number.") from None


def _moment(value: Any) -> datetime:
    try:
        return tame_moment(value)
    except ValueError:
        raise MalformedMessage("data.rated_at is not an ISO 8601 moment with its offset from UTC.") from None
