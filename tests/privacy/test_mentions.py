"""Where a person is mentioned in words that are about something else."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.attempts.models import Attempt
from proctoring.inbox.models import SweepCursor
from proctoring.privacy.erasure import erase_user
from tests.factories import UserFactory, at
from tests.privacy.conftest import EMAIL

NOON = at(12, 0)
pytestmark = pytest.mark.usefixtures("_noon")


def test_what_a_vendor_said_while_its_list_was_read(
    known: Attempt, zuleika: AbstractUser, officer: AbstractUser
) -> None:
    SweepCursor.objects.create(name="onboarding", backend="vendor", last_error=f"no such candidate: {EMAIL}")
    other = SweepCursor.objects.create(name="onboarding", backend="another", last_error="away")
    certificate = erase_user(zuleika, by=officer, reason="asked", now=NOON)
    assert SweepCursor.objects.get(backend="vendor").last_error == "no such candidate: [removed]"
    assert certificate.counts["sweepcursor"] == 1
    other.refresh_from_db()
    assert other.last_error == "away"


def test_a_certificates_reason_keeps_no_part_of_a_name_however_short(officer: AbstractUser, db: None) -> None:
    ann = UserFactory(username="ann", email="a@b.example", first_name="Ann", last_name="Wu")
    said = "ANN (Ann Wu, a@b.example) has asked; Ms Wu’s letter of 4 May is in the annex"
    certificate = erase_user(ann, by=officer, reason=said, now=NOON)
    assert certificate.reason == (
        "[removed] ([removed], [removed]) has asked; Ms [removed]’s letter of 4 May is in the annex"
    )
