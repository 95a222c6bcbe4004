"""The vendor's book of bookings: who asked for proctors, and whether there are enough. No HTTP, no clock of its own."""

from __future__ import annotations

import math
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

HELD = ("pending", "confirmed")
"""States in which proctors are kept for a booking."""
DECISIONS = ("confirmed", "rejected", "withdrawn")
STATES = (*HELD, "rejected", "withdrawn", "cancelled")
REASONS = ("exists", "conflict", "no_capacity", "availability_unknown", "too_late", "rejected")
_MOMENTS = ("starts_at", "ends_at", "reserved_from", "reserved_until")


@dataclass(kw_only=True, slots=True)
class Booking:
    """One booking as it was asked for, moments in UTC, and what became of it."""

    reference: str
    exam: str
    starts_at: str
    ends_at: str
    reserved_from: str
    reserved_until: str
    ratio: int
    candidates: list[dict[str, Any]]
    """Each with ``number`` and ``user_id``."""
    id: str = field(default_factory=lambda: f"booking-{uuid.uuid4().hex}")
    state: str = "pending"
    """One of ``STATES``."""
    reason: str = ""
    rooms_open: bool = False

    @property
    def plan(self) -> str:
        """References are ``<plan>-<part>``; a reference without a part is a plan of its own."""
        return self.reference.rpartition("-")[0] or self.reference

    @property
    def held(self) -> bool:
        return self.state in HELD

    @property
    def proctors(self) -> int:
        return math.ceil(len(self.candidates) / self.ratio)

    def reserved(self) -> tuple[float, float]:
        return _seconds(self.reserved_from), _seconds(self.reserved_until)

    def candidate(self, number: int) -> str:
        return next((str(one["user_id"]) for one in self.candidates if one["number"] == number), "")


class Bookings:
    def __init__(self) -> None:
        self.rows: dict[str, Booking] = {}
        """All there ever were, also those that were refused, by id."""
        self._held: dict[str, Booking] = {}
        self._spans: dict[str, tuple[float, float, int]] = {}
        """Of the held ones: reserved from, until, and how many proctors."""

    def clear(self) -> None:
        for memory in (self.rows, self._held, self._spans):
            memory.clear()

    def load(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self.clear()
        for row in rows:
            self.keep(Booking(**row))

    def as_json(self) -> list[dict[str, Any]]:
        return [asdict(booking) for booking in self.rows.values()]

    def keep(self, booking: Booking) -> None:
        """Enter a booking, or note that its state has changed."""
        self.rows[booking.id] = booking
        if booking.held:
            self._held[booking.reference] = booking
            self._spans[booking.reference] = (*booking.reserved(), booking.proctors)
        elif self._held.get(booking.reference) is booking:
            del self._held[booking.reference], self._spans[booking.reference]

    def held_under(self, reference: str) -> Booking | None:
        return self._held.get(reference)

    def find(self, name: str) -> Booking | None:
        """By id, or by the reference under which it is held."""
        return self.rows.get(name) or self._held.get(name)

    def obstacle(
        self, asked: Booking, *, now: datetime, lead_minutes: float, proctors: float
    ) -> tuple[str, Booking | None]:
        """Why it cannot be had, and the booking in the way; ("", None) if it can."""
        # Parts of one plan share an exam and a window, and are not in each other's way.
        others = [one for one in self._held.values() if one.exam == asked.exam and one.plan != asked.plan]
        window = (asked.starts_at, asked.ends_at)
        twin = next((one for one in others if (one.starts_at, one.ends_at) == window), None)
        if twin:
            return "exists", twin
        if others:
            return "conflict", others[0]
        begins = _seconds(asked.starts_at)
        if begins <= now.timestamp() + lead_minutes * 60:
            return "too_late", None
        if self._busiest(asked) + asked.proctors > proctors:
            return "no_capacity", None
        return "", None

    def _busiest(self, asked: Booking) -> int:
        """How many proctors are taken at the worst moment of what is asked for."""
        begins, ends = asked.reserved()
        overlapping = [span for span in self._spans.values() if span[0] < ends and span[1] > begins]
        changes = [(max(start, begins), count) for start, _, count in overlapping]
        changes += [(end, -count) for _, end, count in overlapping if end < ends]
        taken = worst = 0
        for _, change in sorted(changes):
            taken += change
            worst = max(worst, taken)
        return worst


def read_booking(value: Any) -> Booking:
    """``ValueError`` with a sentence for anything that the wire does not describe."""
    if not isinstance(value, dict):
        raise ValueError("a booking is an object")
    for name in ("reference", "exam"):
        if not isinstance(value.get(name), str) or not value[name]:
            raise ValueError(f"{name} is not a text")
    if not _is_whole(value.get("ratio"), lowest=1):
        raise ValueError("ratio is not a whole number above 0")
    moments = {name: _utc(value.get(name), name) for name in _MOMENTS}
    if not moments["reserved_from"] <= moments["starts_at"] < moments["ends_at"] <= moments["reserved_until"]:
        raise ValueError("the reserved time does not contain the window")
    return Booking(
        reference=value["reference"],
        exam=value["exam"],
        ratio=value["ratio"],
        candidates=_candidates(value.get("candidates")),
        starts_at=moments["starts_at"],
        ends_at=moments["ends_at"],
        reserved_from=moments["reserved_from"],
        reserved_until=moments["reserved_until"],
    )


def _candidates(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not value:
        raise ValueError("candidates is not a list with somebody on it")
    read = [one if isinstance(one, dict) else {} for one in value]
    for one in read:
        if not _is_whole(one.get("number"), lowest=0) or not isinstance(one.get("user_id"), str) or not one["user_id"]:
            raise ValueError("a candidate has a number and a user_id")
    if len({one["number"] for one in read}) < len(read):
        raise ValueError("two candidates have the same number")
    return [{"number": one["number"], "user_id": one["user_id"]} for one in read]


def _is_whole(value: Any, *, lowest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= lowest


def _utc(value: Any, name: str) -> str:
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        return moment.astimezone(UTC).isoformat()
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{name} is not an ISO 8601 moment with its offset from UTC") from None


def _seconds(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp()
