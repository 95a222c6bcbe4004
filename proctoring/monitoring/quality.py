"""How good a connection is, and how patient the server: pure arithmetic, no clock, no settings, no database."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class State(TextChoices):
    """How a running attempt's page stands. ``late`` is read off the clock and stored nowhere."""

    ONLINE = "online", _("Online")
    LATE = "late", _("Late")
    LOST = "lost", _("Lost")


class Quality(TextChoices):
    """Buckets of the round trip that a page measures between two heartbeats."""

    UNKNOWN = "unknown", _("Unknown")
    GOOD = "good", _("Good")
    FAIR = "fair", _("Fair")
    POOR = "poor", _("Poor")


GOOD_MS = 300
"""A round trip below is good: nobody notices it."""
FAIR_MS = 1000
"""One below is fair; from here on people see that they wait."""

TOLERANCE = 0.2
"""Share of a round trip by which a border has to be passed: one that lies on it does not change with each heartbeat."""

MAX_STRETCH = 4
"""So many times its usual length may the interval become under load."""


def quality_of(round_trip_ms: int | None) -> Quality:
    if round_trip_ms is None:
        return Quality.UNKNOWN
    if round_trip_ms < GOOD_MS:
        return Quality.GOOD
    return Quality.FAIR if round_trip_ms < FAIR_MS else Quality.POOR


def still_like(round_trip_ms: int) -> tuple[Quality, Quality]:
    """The buckets that this round trip does not take a connection out of: its own, and the one whose border is near.
    Twice the same where none is."""
    near = {quality_of(int(round_trip_ms * factor)) for factor in (1 - TOLERANCE, 1 + TOLERANCE)}
    near.add(quality_of(round_trip_ms))
    first, *others = sorted(near)
    return first, others[-1] if others else first


def stretch(mean_ms: float, busy_ms: int) -> int:
    """How many times longer than usual pages are asked to wait, where heartbeats take ``mean_ms`` on the average.

    1 below ``busy_ms``; from there a whole number that grows with the load, up to ``MAX_STRETCH``.
    """
    return max(1, min(MAX_STRETCH, int(mean_ms // busy_ms) + 1))
