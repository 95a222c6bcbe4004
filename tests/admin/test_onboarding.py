"""Onboarding profiles: seen by whoever sees an attempt of that person with that vendor, and written by nobody."""

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from proctoring.attempts.models import Attempt, OnboardingProfile


@pytest.fixture
def profile(attempt: Attempt) -> OnboardingProfile:
    """Of somebody with an attempt in the course algebra; its history has two versions."""
    row = OnboardingProfile.objects.create(user=attempt.user, backend="null", status="submitted", course_id="algebra")
    row.status, row.expires_at = "verified", timezone.now()
    row.save()
    return row


def url(page: str = "changelist", *args: object) -> str:
    return reverse(f"admin:proctoring_onboardingprofile_{page}", args=args)


def test_staff_see_the_people_of_their_courses(as_person: Callable[..., Client], profile: OnboardingProfile) -> None:
    staff = as_person("staff-of-algebra")
    assert [row.pk for row in staff.get(url()).context["cl"].queryset] == [profile.pk]
    assert staff.get(url("change", profile.pk)).status_code == 200
    history = staff.get(url("history", profile.pk)).content.decode()
    assert "Waiting for the review" in history


def test_others_do_not(as_person: Callable[..., Client], profile: OnboardingProfile) -> None:
    stranger = as_person("staff-of-botany")
    assert not stranger.get(url()).context["cl"].queryset.exists()
    assert stranger.get(url("change", profile.pk)).status_code in (302, 403, 404)
    assert stranger.get(url("history", profile.pk)).status_code == 404
    assert as_person("somebody").get(url()).status_code == 403


def test_a_profile_with_a_vendor_that_the_course_does_not_have_is_not_its_staffs_business(
    as_person: Callable[..., Client], profile: OnboardingProfile
) -> None:
    OnboardingProfile.objects.update(backend="another")
    staff = as_person("staff-of-algebra")
    assert not staff.get(url()).context["cl"].queryset.exists()
    assert staff.get(url("change", profile.pk)).status_code in (302, 403, 404)


def test_a_user_name_is_found_by_its_beginning(boss_client: Client, profile: OnboardingProfile) -> None:
    name = profile.user.get_username()
    assert boss_client.get(url(), {"q": name[:9]}).context["cl"].result_count == 1
    assert boss_client.get(url(), {"q": name[1:]}).context["cl"].result_count == 0


def test_nothing_is_written(boss_client: Client, profile: OnboardingProfile) -> None:
    for page, args in (("add", ()), ("change", (profile.pk,)), ("delete", (profile.pk,))):
        assert boss_client.post(url(page, *args), {"status": "rejected"}).status_code == 403
    assert OnboardingProfile.objects.get().status == "verified"


def test_a_list_costs_the_same_whatever_its_length(boss_client: Client, profile: OnboardingProfile) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            boss_client.get(url())
        return len(captured)

    before = cost()
    for number in range(20):
        person = User.objects.create_user(f"other-{number}")
        OnboardingProfile.objects.create(user=person, backend="null", status="rejected")
    assert cost() == before
