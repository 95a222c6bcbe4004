"""What a vendor noticed during an exam, in the reference wire's words."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from proctoring.backends.http import tame_moment, tame_number, tame_text, tame_tree
from proctoring.backends.types import ReportedEvent

MAX_EVENTS = 500
"""Of a message."""
MAX_ID = 4096
"""Characters that are looked at; longer ids are none."""
FITTING = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


def read_events(rows: Any) -> Sequence[ReportedEvent]:
    """``ValueError`` where this is no list of at most ``MAX_EVENTS``, or nothing in it can be understood. Single events
    that cannot be understood are left out: the others are good without them."""
    if not isinstance(rows, list) or len(rows) > MAX_EVENTS:
        raise ValueError(f"not a list of at most {MAX_EVENTS}")
    events = [event for event in map(_event_or_none, rows) if event is not None]
    if rows and not events:
        raise ValueError("none of the events has an id, a type and a moment")
    return events


def _event_or_none(row: Any) -> ReportedEvent | None:
    try:
        return _event(row) if isinstance(row, dict) else None
    except ValueError:
        return None


def _event(row: Mapping[str, Any]) -> ReportedEvent:
    return ReportedEvent(
        id=_fitting(row.get("id")),
        type=tame_number(row.get("type")),
        occurred_at=tame_moment(row.get("occurred_at")),
        severity=tame_text(row.get("severity"), limit=20),
        data=_data(row.get("data")),
    )


def _fitting(value: Any) -> str:
    """The vendor's id where the log takes it, else its fingerprint: the same id always becomes the same."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**40:
        value = str(value)
    if not isinstance(value, str) or not 1 <= len(value) <= MAX_ID:
        raise ValueError("not an id")
    if FITTING.fullmatch(value):
        return value
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()


def _data(value: Any) -> dict[str, Any]:
    """What is no object, or has no bottom, is left out: that something happened is told without it."""
    try:
        tamed = tame_tree(value)
    except ValueError:
        return {}
    return tamed if isinstance(tamed, dict) else {}
