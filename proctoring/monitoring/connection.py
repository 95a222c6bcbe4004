"""How good the connection was at each moment of an attempt: read off the events of its changes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from django.db.models import QuerySet

from proctoring.logs.models import Event
from proctoring.monitoring.heartbeats import QUALITY_CHANGED
from proctoring.monitoring.quality import Quality, State
from proctoring.monitoring.silence import LOST, RESTORED

CHANGES = (LOST, RESTORED, QUALITY_CHANGED)

BATCH = 200
"""Changes in memory, of a long log."""


def connections_at(attempt_id: int, events: Sequence[Event]) -> list[str]:
    """For each of these events of one attempt a word of ``Quality``, or ``lost``. Two statements, however many."""
    if not events:
        return []
    in_order = sorted(events, key=_place)
    changes = _changes_between(attempt_id, in_order[0].at, in_order[-1].at)
    words = {event.pk: word for event, word in _along(changes, in_order)}
    return [words[event.pk] for event in events]


def with_connections(attempt_id: int, events: Iterable[Event]) -> Iterator[tuple[Event, str]]:
    """The same beside each of a long log's events, which come in reading order. One statement; neither they nor the
    changes are all in memory at once."""
    changes = _changes(attempt_id).order_by("at", "pk").iterator(chunk_size=BATCH)
    return _along(changes, events)


def _along(changes: Iterable[Event], events: Iterable[Event]) -> Iterator[tuple[Event, str]]:
    """Both in reading order."""
    ahead, current = iter(changes), Quality.UNKNOWN.value
    change = next(ahead, None)
    for event in events:
        while change is not None and _place(change) <= _place(event):
            current, change = _word(change), next(ahead, None)
        yield event, current


def _changes(attempt_id: int) -> QuerySet[Event]:
    return Event.objects.filter(attempt=attempt_id, type__in=CHANGES).only("at", "type", "data")


def _changes_between(attempt_id: int, first: datetime, last: datetime) -> list[Event]:
    """And the one before them all, in their order."""
    of_attempt = _changes(attempt_id)
    before = of_attempt.filter(at__lt=first).order_by("-at", "-pk")[:1]
    return [*before, *of_attempt.filter(at__gte=first, at__lte=last).order_by("at", "pk")]


def _place(event: Event) -> tuple[datetime, int]:
    return event.at, event.pk


def _word(change: Event) -> str:
    if change.type == LOST:
        return State.LOST.value
    word = change.data.get("quality" if change.type == RESTORED else "to")
    return word if word in Quality.values else Quality.UNKNOWN.value
