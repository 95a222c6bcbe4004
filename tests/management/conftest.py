"""The person of whom everything is kept, again, and an attempt that has ended."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam
from tests.factories import AttemptFactory, UserFactory
from tests.privacy.conftest import _noon, exam, known, officer, vendor, zuleika

__all__ = ["_noon", "exam", "known", "officer", "vendor", "zuleika"]


@pytest.fixture
def reviewer(db: None) -> AbstractUser:
    return UserFactory(username="nobody-in-particular")


@pytest.fixture
def ended(exam: Exam) -> Attempt:
    return AttemptFactory(exam=exam, status=Status.SUBMITTED, external_id="ended-1")
