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

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sent:
    """What has to be known of a page's rows before they are looked at one by one."""

    count: int
    begins: str
    """The stream of the first row: it may go on from the batch before."""
    ends: str
    """That of the last: the next batch may go on from it."""
    latest_ms: int
    """Up to when that stream goes, by the page's clock, in milliseconds since 1970."""

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]]) -> Sent | None:
        if not rows:
            return None
        ends = _stream(rows[-1])
        latest = max(_milliseconds(row.get("occurred_at")) for row in rows if _stream(row) == ends)
        return cls(count=len(rows), begins=_stream(rows[0]), ends=ends, latest_ms=latest)


def as_counted(events: Sequence[Event], *, stream: str, ordered_from_ms: int) -> list[Event]:
    """Each stream's in the order of its sequence, none before the one it follows. What is in no stream keeps its place.

    Of ``stream`` the log has events already, the last of them at ``ordered_from_ms``.
    """
    in_order = list(events)
    for name, places in _places(events).items():
        counted = sorted((events[place] for place in places), key=lambda event: event.sequence or 0)
        latest = EPOCH + timedelta(milliseconds=ordered_from_ms) if name == stream else EPOCH
        for place, event in zip(places, counted, strict=True):
            latest = event.at = min(max(latest, event.at), event.received_at)
            in_order[place] = event
    return in_order


def _places(events: Sequence[Event]) -> dict[str, list[int]]:
    places: dict[str, list[int]] = {}
    for place, event in enumerate(events):
        if event.stream and event.sequence is not None:
            places.setdefault(event.stream, []).append(place)
    return places


def _stream(row: Mapping[str, Any]) -> str:
    """Nothing where it is none: such a row is refused when its turn comes."""
    name = row.get("stream")
    return name if isinstance(name, str) and STREAM.fullmatch(name) else ""


def _milliseconds(text: Any) -> int:
    """The next whole one, so that nothing of the same moment lies behind it."""
    try:
        return -((EPOCH - datetime.fromisoformat(text)) // timedelta(milliseconds=1))
    except (TypeError, ValueError, OverflowError):
        return 0
