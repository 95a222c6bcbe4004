"""Time that is granted while the candidate works is on their clock with the next poll."""

from __future__ import annotations

from decimal import Decimal

from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.urls import reverse

from proctoring.allowances.models import AllowanceKind
from proctoring.allowances.terms import Grant, Terms
from proctoring.attempts.accommodations import grant_allowance, withdraw_allowance
from tests.factories import AttemptFactory, UserFactory, at


def test_the_next_poll_shows_the_new_deadline_and_the_ledger_why(page_client: Client, candidate: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status="started")
    staff = UserFactory(is_superuser=True)
    state = reverse("proctoring:exam_state", args=[attempt.exam_id])
    assert page_client.get(state).json()["expires_at"] == "2026-03-02T11:00:00Z"
    terms = Terms(kind=AllowanceKind.TIME_MULTIPLIER, multiplier=Decimal("1.25"), note="dyslexia, see file 17")
    grant = Grant(user=candidate, course_id=attempt.exam.course_id, exam=attempt.exam, terms=terms)
    allowance = grant_allowance(grant, by=staff, now=at(10, 10)).allowance
    seen = page_client.get(state).json()
    assert (seen["expires_at"], seen["seconds_left"], seen["total_seconds"]) == ("2026-03-02T11:15:00Z", 3900, 4500)
    ledger = page_client.get(f"/proctoring/api/v1/attempts/{attempt.pk}/time/")
    entry = ledger.json()["entries"][-1]
    assert (entry["kind"], entry["seconds"], entry["note"]) == ("allowance", 900, "allowance granted: × 1.25")
    assert b"dyslexia" not in ledger.content
    assert allowance is not None
    withdraw_allowance(allowance, by=staff, now=at(10, 10))
    assert page_client.get(state).json()["expires_at"] == "2026-03-02T11:00:00Z"
