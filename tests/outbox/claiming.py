"""What the tests of deliveries and of circuits both do."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from proctoring.errors import BackendError
from proctoring.outbox import circuits
from proctoring.outbox import services as outbox
from tests.factories import TEN
from tests.hosts import configure

SECOND = timedelta(seconds=1)


def claimed(now: datetime = TEN, limit: int = 100, worker: str | None = None) -> list[int]:
    return [row.pk for row in outbox.claim_due(now=now, limit=limit, worker=worker)]


def trip(settings: Any, failures: int = 3, **error: Any) -> None:
    configure(settings, CIRCUIT_FAILURES=3, CIRCUIT_OPEN_SECONDS=30, LEASE_SECONDS=60)
    for _ in range(failures):
        circuits.note_vendor_failed("vendor", BackendError("away", **error), now=TEN)
