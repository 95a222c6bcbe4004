"""A candidate who is logged in, at a time within the tests' exams, and a vendor that is never called."""

from collections.abc import Iterator
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import AbstractUser
from django.test import Client

from tests.factories import UserFactory, at
from tests.hosts import configure

VENDOR = {
    "BACKEND": "proctoring.backends.rest.RestBackend",
    "OPTIONS": {
        "base_url": "http://127.0.0.1:9",
        "client_id": "tests",
        "client_secret": "tests",
        "webhook_secrets": ["whsec_dGVzdHMgdGVzdHMgdGVzdHMgdGVzdHMgdGVzdHM="],
    },
}


@pytest.fixture(autouse=True)
def ten_past_ten(db: None) -> Iterator[None]:
    with time_machine.travel(at(10, 10), tick=False):
        yield


@pytest.fixture(autouse=True)
def vendor(settings: Any) -> None:
    """``vendor`` is the default. A call to it would be refused by the port, and fail its test loudly."""
    configure(settings, BACKENDS={"vendor": VENDOR}, DEFAULT_BACKEND="vendor")


@pytest.fixture
def candidate() -> AbstractUser:
    return UserFactory()


@pytest.fixture
def page_client(client: Client, candidate: AbstractUser) -> Client:
    client.force_login(candidate)
    return client
