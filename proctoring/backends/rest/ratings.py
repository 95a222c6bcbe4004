"""The scales of the reference wire, each mapped to a risk from 0 to 1. A map that changes gets a new version."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from proctoring.errors import MalformedMessage

MAP_VERSION = "rest-1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    lowest: float
    highest: float
    risk: Callable[[float], float]


SCALES: Mapping[str, Scale] = {
    "risk_0_1": Scale(lowest=0, highest=1, risk=lambda value: value),
    "risk_0_100": Scale(lowest=0, highest=100, risk=lambda value: value / 100),
    "trust_0_100": Scale(lowest=0, highest=100, risk=lambda value: 1 - value / 100),
    "stars_1_5": Scale(lowest=1, highest=5, risk=lambda value: (5 - value) / 4),
}


def risk_of(value: float, scale: str) -> float:
    """The risk, 0 to 1, high is risky. Raises ``MalformedMessage`` for an unknown scale and a value outside of it."""
    known = SCALES.get(scale)
    if known is None:
        raise MalformedMessage(f"data.scale is none of {', '.join(SCALES)}.")
    if not known.lowest <= value <= known.highest:
        raise MalformedMessage(f"data.rating is not between {known.lowest} and {known.highest}.")
    return known.risk(value)
