"""Eight o'clock, and a vendor of live proctoring."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine

from tests.bookings.desk import NOW, Vendor, vendor_of


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def vendor(db: None, settings: Any, clock: Any) -> Vendor:
    return vendor_of(settings)
