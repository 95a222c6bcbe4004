"""Streams of a page's events: each load of a page counts what it notes, and that is the order in which it happened.

What the page's clock says is not: it is measured through a network, and somebody may set it meanwhile.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from proctoring.logs.models import Event

STREAM = re.compile(r"[A-Za-z0-9_.:-]{0,64}")
MAX_SEQUENCE = 2**53

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What has to be known of a page's rows before they are looked at one by one. Rows that are in no stream, or are
    not counted in it, say nothing of an order."""

    count: int
    begins: str = ""
    """The stream of the first counted row: it may go on from the batch before."""
    ends: str = ""
    """That of the last: the next batch may go on from it."""
    last_sequence: int = 0
    latest_ms: int = 0
    """Up to when that stream goes, by the page's clock, in milliseconds since 1970."""

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Sent | None:
        if not rows:
            return None
        counted = [row for row in rows if _is_counted(row)]
        if not counted:
            return cls(count=len(rows))
        begins, ends = counted[0]["stream"], counted[-1]["stream"]
        of_last = [row for row in counted if row["stream"] == ends]
        return cls(
            count=len(rows),
            begins=begins,
            ends=ends,
            last_sequence=max(row["sequence"] for row in of_last),
            latest_ms=max(_milliseconds(row.get("occurred_at")) for row in of_last),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What the log has of the stream that a batch begins with: events up to this sequence, the last at this moment.

    What comes later than it should, of a lower number, keeps its own moment.
    """

    stream: str = ""
    last_sequence: int = 0
    latest_ms: int = 0


NOTHING = Known()


def as_counted(events: Sequence[Event], known: Known) -> list[Event]:
    """Each stream's in the order of its sequence, none before the one it follows. What is in no stream keeps its
    place."""
    in_order = list(events)
    for name, places in _places(events).items():
        counted = sorted((events[place] for place in places), key=lambda event: event.sequence or 0)
        latest = EPOCH
        for place, event in zip(places, counted, strict=True):
            if name == known.stream and (event.sequence or 0) > known.last_sequence:
                latest = max(latest, EPOCH + timedelta(milliseconds=known.latest_ms))
            latest = event.at = min(max(latest, event.at), event.received_at)
            in_order[place] = event
    return in_order


def _places(events: Sequence[Event]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, event in enumerate(events):
        if event.stream and event.sequence is not None:
            places.setdefault(event.stream, []).append(place)
    return places


def _is_counted(row: Mapping[str, Any]) -> bool:
    """One whose stream or number is none is refused when its turn comes."""
    name, sequence = row.get("stream"), row.get("sequence")
    is_number = isinstance(sequence, int) and not isinstance(sequence, bool) and 0 <= sequence <= MAX_SEQUENCE
    return is_number and isinstance(name, str) and name != "" and STREAM.fullmatch(name) is not None


def _milliseconds(text: Any) -> int:
    """The next whole one, so that nothing of the same moment lies behind it."""
    try:
        return -((EPOCH - datetime.fromisoformat(text)) // timedelta(milliseconds=1))
    except (TypeError, ValueError, OverflowError):
        return 0
