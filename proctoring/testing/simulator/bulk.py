"""Very many sessions and ratings at once, for measuring how they are read. Nobody is told of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from proctoring.testing.simulator.live import Live
from proctoring.testing.simulator.sessions import Session

MAX_COUNT = 1_000_000
USUAL: Mapping[str, Any] = {
    "exam": "",
    "count": 0,
    "prefix": "bulk",
    "booking": "",
    "per_booking": 20,
    "first": 1,
    "rated": True,
    "rating": 90,
    "scale": "trust_0_100",
    "rated_at": "",
    "seconds_apart": 0.001,
}


def fill(live: Live, said: Mapping[str, Any]) -> dict[str, Any]:
    """Add sessions ``<prefix>-<first>`` and following, each rated a moment after the one before.

    Their bookings are ``<prefix>-booking-1`` and so on, of ``per_booking`` candidates each with numbers from 1, unless
    one ``booking`` has them all. ``ValueError`` with a sentence for what makes no sense.
    """
    unknown = [name for name in said if name not in USUAL]
    if unknown:
        raise ValueError(f"{', '.join(unknown)} means nothing here; {', '.join(USUAL)} do.")
    wish = {**USUAL, **said}
    for name, lowest in (("count", 1), ("first", 1), ("per_booking", 1)):
        if not isinstance(wish[name], int) or not lowest <= wish[name] <= MAX_COUNT:
            raise ValueError(f"{name} is a whole number from {lowest} to {MAX_COUNT}.")
    if not isinstance(wish["exam"], str) or not wish["exam"]:
        raise ValueError("exam is missing.")
    apart = timedelta(seconds=float(wish["seconds_apart"]))
    begin = datetime.fromisoformat(wish["rated_at"]) if wish["rated_at"] else datetime.now(UTC) - wish["count"] * apart
    numbers = range(wish["first"], wish["first"] + wish["count"])
    for place, number in enumerate(numbers):
        session = _session(wish, number)
        live.sessions.add(session)
        if wish["rated"]:
            live.ratings.add(_rating(wish, session, begin + place * apart))
    return {
        "sessions": wish["count"],
        "first": f"{wish['prefix']}-{numbers[0]}",
        "last": f"{wish['prefix']}-{numbers[-1]}",
    }


def _session(wish: Mapping[str, Any], number: int) -> Session:
    booking, candidate = divmod(number - 1, wish["per_booking"])
    return Session(
        id=f"{wish['prefix']}-{number}",
        booking=wish["booking"] or f"{wish['prefix']}-booking-{booking + 1}",
        exam=wish["exam"],
        candidate_number=number if wish["booking"] else candidate + 1,
        user_id=f"{wish['prefix']}-user-{number}",
    )


def _rating(wish: Mapping[str, Any], session: Session, rated_at: datetime) -> dict[str, Any]:
    return {
        "session": session.id,
        "exam": session.exam,
        "candidate_number": session.candidate_number,
        "rating": wish["rating"],
        "scale": wish["scale"],
        "rated_at": rated_at.isoformat(),
    }
