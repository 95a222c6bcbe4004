"""What the tests of attempts share."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from tests.factories import UserFactory
from tests.hosts import ScriptedHost, scripted


@pytest.fixture
def candidate(db: None) -> AbstractUser:
    return UserFactory(username="candidate")


@pytest.fixture
def staff(db: None) -> AbstractUser:
    return UserFactory(username="staff", is_superuser=True)


@pytest.fixture
def lms(settings: Any) -> ScriptedHost:
    return scripted(settings)
