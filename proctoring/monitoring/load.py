"""How busy this process is with heartbeats, by its own watch: what decides whether pages are asked to send fewer."""

from __future__ import annotations

from proctoring.conf import settings
from proctoring.monitoring.quality import stretch

WEIGHT = 0.05
"""Of the newest heartbeat in the mean: some twenty of them make the picture."""


class Load:
    """A mean of how long heartbeats take, which forgets. One for each process; a lost update does no harm."""

    def __init__(self) -> None:
        self.mean_ms = 0.0

    def note(self, seconds: float) -> None:
        self.mean_ms += WEIGHT * (seconds * 1000 - self.mean_ms)

    def stretch(self) -> int:
        """How many times longer than usual pages are asked to wait."""
        return stretch(self.mean_ms, settings.heartbeat_busy_ms)


load = Load()
