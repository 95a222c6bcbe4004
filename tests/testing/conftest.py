"""One simulator in a process of its own, forgetful between tests, and a receiver for its messages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from pytest_httpserver import HTTPServer

from proctoring.backends.rest import RestBackend
from proctoring.testing.simulator.process import SimulatorProcess
from tests.testing.lms import Receiver


@pytest.fixture(scope="session")
def process() -> Iterator[SimulatorProcess]:
    with SimulatorProcess() as running:
        yield running


@pytest.fixture
def simulator(process: SimulatorProcess, receiver: Receiver) -> SimulatorProcess:
    process.control("POST", "reset")
    process.change_settings(
        webhook_url=receiver.url,
        auto_ready=None,
        review_after=0.05,
        verdict="passed",
        rating=None,
        require_onboarding=False,
    )
    return process


@pytest.fixture
def backend(simulator: SimulatorProcess) -> RestBackend:
    return RestBackend(**simulator.backend_options(), total_timeout=5)


@pytest.fixture
def receiver(httpserver: HTTPServer) -> Receiver:
    return Receiver(httpserver)
