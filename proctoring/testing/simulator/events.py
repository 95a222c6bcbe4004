"""What the vendor notices while an exam runs: by itself now and then, or as it is told. No HTTP."""

from __future__ import annotations

import functools
import random
import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from proctoring.testing.simulator.vendor import Vendor

Record = dict[str, Any]

TYPES = (
    3, 4, 5, 6, 7, 9, 10, 12, 13, 14, 15, 16, 17, 18, 26, 27, 34, 60, 81, 113, 145, 146, 149, 150, 154, 155, 156, 158,
    159, 161, 169, 170, 181,
)  # fmt: skip
"""The numbers of what a vendor of this wire notices."""
UNKNOWN_TYPE = 999
"""And one that nobody has heard of."""
SHORTEST = 0.05
"""Seconds between two messages about an attempt, however often they are wanted."""
KEPT = 500
"""So many delivered messages about events stay in the book: they come all day."""


class Events:
    """Uses the vendor's lock, agenda and messenger. ``seed`` decides what is noticed."""

    def __init__(self, vendor: Vendor, *, seed: int) -> None:
        self._vendor = vendor
        # Repeatable on purpose; it protects nothing.
        self._random = random.Random(seed)  # noqa: S311  # nosec B311
        self._followed: set[str] = set()

    def clear(self) -> None:
        self._followed.clear()

    def follow(self, *attempts: Record) -> None:
        """From now on notice something now and then, in those that run."""
        every = self._vendor.settings.events_every
        for attempt in attempts:
            if every is not None and attempt["status"] == "started" and attempt["id"] not in self._followed:
                self._followed.add(attempt["id"])
                self._vendor.agenda.after(max(every, SHORTEST), functools.partial(self._look, attempt["id"]))

    def send(self, attempt: Record, events: list[Any] | None = None, *, session: str = "", timestamp: str = "") -> str:
        """Tell of these events, or of one or two of any kind. What they lack of an id and a moment is added. With
        ``session`` they are told of that instead of the attempt. Return the message's id."""
        with self._vendor.lock:
            now = datetime.now(UTC).isoformat()
            given = self._some(attempt) if events is None else events
            usual = [{"id": uuid.uuid4().hex, "occurred_at": now} for _ in given]
            rows = [{**usual, **one} if isinstance(one, dict) else one for usual, one in zip(usual, given, strict=True)]
            whose = {"session": session} if session else {"attempt": attempt["id"]}
            message = self._vendor.messenger.announce("session.events", {**whose, "events": rows}, timestamp=timestamp)
            self._vendor.messenger.prune("session.events", keep=KEPT)
            return message

    def _look(self, attempt_id: str) -> None:
        with self._vendor.lock:
            self._followed.discard(attempt_id)
            attempt = self._vendor.attempts.get(attempt_id)
            if attempt and attempt["status"] == "started" and self._vendor.settings.events_every is not None:
                self.send(attempt)
                self._vendor.save()
                self.follow(attempt)

    def _some(self, attempt: Record) -> list[Record]:
        noticed = [{"type": self._random.choice(TYPES)} for _ in range(self._random.randint(1, 2))]
        if self._vendor.settings.unknown_events and not attempt.get("unknown_told"):
            attempt["unknown_told"] = True
            noticed.append({"type": UNKNOWN_TYPE})
        return noticed
