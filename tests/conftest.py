"""What every test may use: the database that was chosen, the brokers, the browser, and how hypothesis behaves."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.db import connection
from django.utils import translation
from hypothesis import HealthCheck, settings

from tests import services

settings.register_profile("dev", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ci" if os.environ.get("CI") == "true" else "dev")


def pytest_configure(config: pytest.Config) -> None:
    """A run that was killed leaves its SQLite files behind. A journal beside a new database would be played into it."""
    if connection.vendor == "sqlite" and not hasattr(config, "workerinput"):
        database = Path(connection.settings_dict["TEST"]["NAME"])
        for left in database.parent.glob(f"{database.name}*"):
            left.unlink()


def pytest_report_header() -> str:
    return f"database: {connection.vendor}"


STORIES = ("tests/story/", "tests/demo/")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(STORIES):
            item.add_marker(pytest.mark.long)
    if connection.vendor == "sqlite":
        lacking = pytest.mark.skip(reason="needs a database server: make test-postgres, make test-mariadb")
        for item in items:
            if item.get_closest_marker("concurrency"):
                item.add_marker(lacking)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Playwright keeps an event loop running in the tests' thread, which Django would take for asynchronous code."""
    if any(item.get_closest_marker("browser") for item in session.items):
        os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"


@pytest.fixture(params=sorted(services.BROKERS))
def broker_url(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """RabbitMQ's address, then Redis's; Celery apps made by the test or started by it use it."""
    url = services.BROKERS[request.param]
    monkeypatch.setenv("CELERY_BROKER_URL", url)
    return url


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, object]) -> dict[str, object]:
    """The system's Chromium, which starts for root only without its sandbox and is kept from calling home."""
    arguments = [
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-gpu",
        "--disable-quic",
        "--disable-sync",
        "--no-first-run",
    ]
    if os.geteuid() == 0:
        arguments.append("--no-sandbox")
    return {**browser_type_launch_args, "executable_path": services.chromium(), "args": arguments}


@pytest.fixture(autouse=True)
def _own_language() -> Iterator[None]:
    """A page that was asked for in German leaves its language behind in this thread."""
    yield
    translation.deactivate()
