"""The fake vendor, configured."""

from __future__ import annotations

from typing import Any

import pytest

from proctoring.backends import backends
from tests.exchange.vendor import VENDOR, FakeVendor
from tests.hosts import configure


@pytest.fixture
def vendor(db: None, settings: Any) -> FakeVendor:
    configure(settings, BACKENDS=VENDOR, DELIVERY_BACKOFF_SECONDS=10)
    backend = backends["vendor"]
    assert isinstance(backend, FakeVendor)
    return backend
