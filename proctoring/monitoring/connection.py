"""How good the connection was at each moment of an attempt: read off the events of its changes."""

from __future__ import annotations

from collections.abc import Sequence

from proctoring.logs.models import Event
from proctoring.monitoring.heartbeats import QUALITY_CHANGED
from proctoring.monitoring.quality import Quality, State
from proctoring.monitoring.silence import LOST, RESTORED

CHANGES = (LOST, RESTORED, QUALITY_CHANGED)


def connections_at(attempt_id: int, events: Sequence[Event]) -> list[str]:
    """For each of these events of one attempt a word of ``Quality``, or ``lost``. Two statements, however many."""
    if not events:
        return []
    places = [(event.at, event.pk) for event in events]
    changes = [(change.at, change.pk, _word(change)) for change in _changes(attempt_id, places)]
    words, current, passed = {}, Quality.UNKNOWN.value, 0
    for place in sorted(places):
        while passed < len(changes) and changes[passed][:2] <= place:
            current, passed = changes[passed][2], passed + 1
        words[place] = current
    return [words[place] for place in places]


def _changes(attempt_id: int, places: Sequence[tuple[object, int]]) -> list[Event]:
    """Those between the first and the last place, and the one before them all, in their order."""
    first, last = min(places)[0], max(places)[0]
    of_attempt = Event.objects.filter(attempt=attempt_id, type__in=CHANGES).only("at", "type", "data")
    before = of_attempt.filter(at__lt=first).order_by("-at", "-pk")[:1]
    return [*before, *of_attempt.filter(at__gte=first, at__lte=last).order_by("at", "pk")]


def _word(change: Event) -> str:
    if change.type == LOST:
        return State.LOST.value
    word = change.data.get("quality" if change.type == RESTORED else "to")
    return word if word in Quality.values else Quality.UNKNOWN.value
