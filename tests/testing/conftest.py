"""One simulator in a process of its own, forgetful between tests, and a receiver for its messages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer

from proctoring.backends.rest import RestBackend
from proctoring.testing.simulator.process import SimulatorProcess
from proctoring.testing.simulator.settings import Settings
from tests.testing.lms import Receiver


@pytest.fixture(scope="session")
def process() -> Iterator[SimulatorProcess]:
    with SimulatorProcess() as running:
        yield running


@pytest.fixture
def simulator(process: SimulatorProcess, receiver: Receiver) -> SimulatorProcess:
    process.control("POST", "reset")
    usual = Settings(webhook_url=receiver.url, review_after=0.05, confirm_after=None, rating_after=0.05)
    process.change_settings(**usual.as_json())
    return process


@pytest.fixture
def backend(simulator: SimulatorProcess) -> RestBackend:
    return RestBackend(**simulator.backend_options(), total_timeout=5, live_proctoring=True)


@pytest.fixture
def receiver(httpserver: HTTPServer) -> Receiver:
    return Receiver(httpserver)
