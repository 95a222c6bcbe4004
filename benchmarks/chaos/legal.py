"""Whether the log of a booking is a path of ``booking_transitions.csv``."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from proctoring.bookings.models import Booking, BookingLogEntry

FOLDER = Path(__file__).resolve().parents[2] / "tests" / "catalogues"
SYSTEM = "system"


@cache
def _steps() -> dict[tuple[str, str, str], frozenset[str]]:
    """(from, to, code) → who may take the step."""
    with (FOLDER / "booking_transitions.csv").open(encoding="utf-8", newline="") as file:
        return {
            (row["from"], row["to"], row["log_code"]): frozenset(row["who"].split(";")) for row in csv.DictReader(file)
        }


@cache
def _afterwards() -> dict[str, str]:
    """Code → the booking's status after it, or ``unchanged``."""
    with (FOLDER / "booking_log_codes.csv").open(encoding="utf-8", newline="") as file:
        return {row["code"]: row["booking_status_after"] for row in csv.DictReader(file)}


def path_problem(booking: Booking, entries: Sequence[BookingLogEntry]) -> str:
    """What is wrong with the log, the oldest entry first; empty if nothing is."""
    status = "draft"
    for entry in entries:
        after = _after(entry, status)
        if after == status and (status, after, entry.code) not in _steps():
            continue
        who = _steps().get((status, after, entry.code))
        if who is None:
            return f"from {status} to {after} by {entry.code or 'no code'} is no step"
        if (entry.by_id is None) != (SYSTEM in who):
            return f"{entry.code} is a step of {', '.join(sorted(who))}, and was taken by {entry.by_id or SYSTEM}"
        status = after
    return "" if status == booking.status else f"the log ends with {status}, the booking is {booking.status}"


def was_confirmed(entries: Iterable[BookingLogEntry]) -> bool:
    return any(_after(entry, "") == "confirmed" for entry in entries)


def _after(entry: BookingLogEntry, status: str) -> str:
    if not entry.code:
        return "cancelled" if entry.context.get("step") == "cancelled" else status
    after = _afterwards()[entry.code]
    return status if after == "unchanged" else after
