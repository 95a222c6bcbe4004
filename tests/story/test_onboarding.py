"""A vendor that approves somebody without a message to us: its list tells, and the candidate goes on."""

from __future__ import annotations

from django.utils import timezone

from proctoring.attempts.models import Attempt, OnboardingProfile
from proctoring.exchange.onboarding import OnboardingList
from proctoring.privacy.pseudonyms import known_id
from tests.story.conftest import House


def test_an_approval_in_the_vendors_list_frees_the_candidate(house: House) -> None:
    house.simulator.change_settings(require_onboarding=True)
    house.begin()
    house.work()
    attempt = house.until_status("onboarding_missing")
    house.simulator.set_profile(known_id(attempt.backend, attempt.user_id), "approved")
    assert not OnboardingList().read_next_page(attempt.backend, now=timezone.now())
    assert house.attempt().status == "voided"
    assert OnboardingProfile.objects.get().status == "verified"
    house.begin()
    house.work()
    again = Attempt.objects.get(number=2)
    assert again.external_id
    assert again.total_seconds == attempt.total_seconds
