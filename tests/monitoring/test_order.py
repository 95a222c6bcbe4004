"""A stream of events stays in the order in which its page counted it, whatever the network and the clock do."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from proctoring.attempts.models import Attempt
from proctoring.logs.event_types import Source
from proctoring.logs.intake import Reporter
from proctoring.logs.models import Event
from proctoring.monitoring.models import Presence
from proctoring.monitoring.room import report_from_page
from tests.factories import at
from tests.monitoring.conftest import Beat

SECOND = timedelta(seconds=1)
HOURS = timedelta(hours=2)


def note(sequence: int, moment: datetime, *, stream: str = "p1") -> dict[str, Any]:
    name = f"{stream}.{sequence}"
    return {
        "message_id": name, "type": 1004, "occurred_at": moment.isoformat(), "stream": stream, "sequence": sequence
    }  # fmt: skip


def alone(attempt: Attempt, now: datetime, rows: list[Any]) -> None:
    """Events that come without a heartbeat, as the API hands them over."""
    loaded = Attempt.objects.select_related("presence").get(pk=attempt.pk)
    offset = loaded.presence.clock_offset_ms
    report_from_page(loaded, rows, Reporter(source=Source.PAGE, clock_offset_ms=offset), now=now)


def read(attempt: Attempt, stream: str = "p1") -> list[int | None]:
    found = Event.objects.filter(attempt=attempt.pk, stream=stream).order_by("at", "pk")
    return list(found.values_list("sequence", flat=True))


def moments(attempt: Attempt) -> list[datetime]:
    found = Event.objects.filter(attempt=attempt.pk, type=1004).order_by("pk")
    return list(found.values_list("at", flat=True))


class Page:
    """One load of a page that notes something every few seconds and sends it in batches, over a network that may keep
    each of them for seconds, from a computer whose clock somebody sets."""

    def __init__(self, attempt: Attempt, beat: Beat, seed: int) -> None:
        self.attempt, self.beat, self.dice = attempt, beat, random.Random(seed)
        self.now, self.wrong, self.sequence = at(10, 1), self.dice.choice([-HOURS, 0 * HOURS, HOURS]), 0
        self.round_trip: int | None = None

    def passes(self, most: float) -> timedelta:
        passed = timedelta(seconds=round(self.dice.uniform(0, most), 3))
        self.now += passed
        return passed

    def rows(self) -> Iterator[dict[str, Any]]:
        for _ in range(self.dice.randrange(6)):
            self.passes(self.dice.choice([0.2, 8]))
            if self.dice.random() < 0.15:
                self.wrong += self.dice.choice([-HOURS, -SECOND, SECOND, HOURS])
            self.sequence += 1
            # What began earlier may be noted later: that a tab was left is known after a while.
            began = self.dice.choice([0, 0, 0, 0.5]) * SECOND
            yield note(self.sequence, self.now + self.wrong - began)

    def send(self) -> None:
        rows, said = list(self.rows()), self.now + self.wrong
        under_way = self.passes(self.dice.choice([0.1, 6]))
        if rows and self.sequence > len(rows) and self.dice.random() < 0.3:
            alone(self.attempt, self.now, rows)
            return
        before = timedelta(milliseconds=(self.round_trip or 0) / 2)
        offset = (said + before - self.now) // timedelta(milliseconds=1)
        self.beat(self.attempt, self.now, rows, clock_offset_ms=offset, round_trip_ms=self.round_trip)
        self.round_trip = int((under_way + self.passes(0.2)) / timedelta(milliseconds=1))


@pytest.mark.parametrize("seed", range(25))
def test_a_stream_is_read_as_it_was_counted(seed: int, make: Callable[..., Attempt], beat: Beat) -> None:
    attempt = make()
    beat(attempt, at(10, 0, 30))
    page = Page(attempt, beat, seed)
    for _ in range(20):
        page.send()

    assert page.sequence > 20
    assert read(attempt) == list(range(1, page.sequence + 1))
    assert not Event.objects.filter(attempt=attempt, at__gt=page.now).exists()


def test_first_heartbeat_that_was_long_on_its_way(make: Callable[..., Attempt], beat: Beat) -> None:
    """Nothing is known yet of the way, so that the clock seems to be four seconds slow."""
    attempt = make()
    late = at(10, 0, 10)
    beat(attempt, late, [note(1, late - 4.5 * SECOND)], clock_offset_ms=-4000)
    after = at(10, 0, 40)
    beat(attempt, after, [note(2, late - 3 * SECOND), note(3, after - SECOND)], round_trip_ms=100)

    assert read(attempt) == [1, 2, 3]
    assert moments(attempt) == [late - SECOND / 2, late - SECOND / 2, after - SECOND]


def test_what_was_kept_through_a_time_without_network_keeps_its_moments(
    make: Callable[..., Attempt], beat: Beat
) -> None:
    attempt = make()
    beat(attempt, at(10, 1))
    back = at(10, 30)
    beat(attempt, back, [note(n, at(10, n)) for n in (2, 3)], clock_offset_ms=-5000)
    alone(attempt, back + SECOND, [note(n, at(10, n)) for n in (4, 5)])
    beat(attempt, back + 30 * SECOND, [note(6, at(10, 6))], round_trip_ms=100)

    assert moments(attempt) == [*(at(10, n, 5) for n in (2, 3, 4, 5)), at(10, 6)]


@pytest.mark.parametrize("by_itself", [False, True])
def test_what_comes_late_keeps_its_moment(by_itself: bool, make: Callable[..., Attempt], beat: Beat) -> None:
    """The page could not get them through before others that follow them."""
    attempt = make()
    beat(attempt, at(10, 5), [note(n, at(10, n)) for n in (3, 4)])
    rows = [note(n, at(10, n)) for n in (1, 2, 5)]
    if by_itself:
        alone(attempt, at(10, 6), rows)
    else:
        beat(attempt, at(10, 6), rows)
    beat(attempt, at(10, 7), [note(6, at(10, 2))])

    assert read(attempt) == [1, 2, 3, 4, 5, 6]
    assert moments(attempt) == [at(10, 3), at(10, 4), at(10, 1), at(10, 2), at(10, 5), at(10, 5)]


def test_what_is_not_counted_says_nothing_of_the_order(make: Callable[..., Attempt], beat: Beat) -> None:
    attempt = make()
    uncounted = {**note(9, at(10, 29)), "sequence": None}
    beat(attempt, at(10, 30), [note(1, at(10, 2)), uncounted])
    beat(attempt, at(10, 31), [note(2, at(10, 3))])

    assert moments(attempt) == [at(10, 2), at(10, 29), at(10, 3)]


def test_clock_that_is_set_within_a_batch(make: Callable[..., Attempt], beat: Beat) -> None:
    attempt = make()
    beat(attempt, at(10, 1))
    rows = [note(1, at(10, 2)), note(2, at(10, 3) + HOURS), note(3, at(10, 4))]
    # Sent as it came to hand.
    beat(attempt, at(10, 5), [rows[2], rows[0], rows[1]])

    assert read(attempt) == [1, 2, 3]
    assert moments(attempt) == [at(10, 2), at(10, 5), at(10, 5)]


def test_streams_do_not_wait_for_each_other(make: Callable[..., Attempt], beat: Beat) -> None:
    attempt = make()
    beat(attempt, at(10, 5), [note(1, at(10, 4))])
    beat(attempt, at(10, 6), [note(1, at(10, 3), stream="p2")])
    beat(attempt, at(10, 7), [note(2, at(10, 2)), {**note(7, at(10, 1)), "stream": "", "message_id": "m"}])

    assert moments(attempt) == [at(10, 4), at(10, 3), at(10, 2), at(10, 1)]


def test_the_database_notes_what_the_longer_way_notes(make: Callable[..., Attempt], beat: Beat) -> None:
    """The first heartbeat goes the longer way, and so does one from another address."""
    names = (
        "stream",
        "last_at_ms",
        "last_sequence",
        "ordered_from_ms",
        "ordered_after",
        "page_events",
        "clock_offset_ms",
    )
    batches = [
        [note(1, at(10, 1))],
        [note(2, at(10, 2)), note(1, at(10, 1), stream="p2")],
        [note(2, at(10, 4) + HOURS, stream="p2")],
        [note(3, at(10, 1), stream="p2"), {"nonsense": True}],
        [{"stream": 7, "occurred_at": 7}, {"stream": "x" * 65, "occurred_at": "9999-99-99"}],
        [],
        [note(4, at(10, 6), stream="\u00e9")],
        [note(4, at(10, 6), stream="p3")],
    ]
    usual, unusual = make(), make()
    for minute, rows in enumerate(batches, start=1):
        offset = 0 if minute < 4 else 7_200_000
        beat(usual, at(10, minute), rows, clock_offset_ms=offset)
        beat(unusual, at(10, minute), rows, clock_offset_ms=offset, ip=f"192.0.2.{minute}")
        kept = [Presence.objects.filter(pk=one.pk).values(*names).get() for one in (usual, unusual)]
        assert kept[0] == kept[1], minute
