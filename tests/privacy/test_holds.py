"""What a legal hold keeps beside the attempts of whom it is about."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.allowances.models import Allowance
from proctoring.attempts.models import OnboardingProfile
from proctoring.errors import Conflict
from proctoring.exams.models import Exam
from proctoring.inbox.models import WebhookMessage
from proctoring.privacy.erasure import erase_user
from proctoring.privacy.holds import place_hold, release_hold
from proctoring.reviews.models import Review
from tests.factories import TEN, AllowanceFactory, BookingFactory, LiveSessionFactory, at
from tests.privacy.conftest import EMAIL, a_strangers_attempt, receive
from tests.privacy.dump import dump
from tests.privacy.vendor import Forgetful

NOON = at(12, 0)
HELD = "course-v1:Held+X+1"
pytestmark = pytest.mark.usefixtures("_noon")


def refuse_erasure(person: AbstractUser, officer: AbstractUser) -> None:
    before = dump()
    with pytest.raises(Conflict) as refused:
        erase_user(person, by=officer, reason="asked", now=NOON)
    assert refused.value.code == "legal_hold"
    assert dump() == before


def test_a_course_keeps_who_was_booked_there(exam: Exam, zuleika: AbstractUser, officer: AbstractUser) -> None:
    LiveSessionFactory(booking=BookingFactory(exam=exam), user=zuleika)
    place_hold(course_id=exam.course_id, by=officer, reason="a case", now=TEN)
    refuse_erasure(zuleika, officer)


@pytest.mark.parametrize("what", ["allowance", "withdrawn", "profile", "approval"])
def test_a_course_keeps_what_needs_no_attempt(
    what: str, zuleika: AbstractUser, officer: AbstractUser, vendor: Forgetful
) -> None:
    if what in ("allowance", "withdrawn"):
        allowance = AllowanceFactory(user=zuleika, course_id=HELD)
        if what == "withdrawn":
            allowance.delete()
    else:
        named: dict[str, Any] = {"course_id" if what == "profile" else "approved_course_id": HELD}
        OnboardingProfile.objects.create(user=zuleika, backend="vendor", status="verified", **named)
    hold = place_hold(course_id=HELD, by=officer, reason="a case", now=TEN)
    refuse_erasure(zuleika, officer)
    release_hold(hold, by=officer)
    assert erase_user(zuleika, by=officer, reason="asked", now=NOON).certificate.counts
    assert not Allowance.history.exists()
    assert not OnboardingProfile.history.exists()


def test_a_profile_of_no_course_is_not_held_by_a_hold_on_somebody_else(
    zuleika: AbstractUser, officer: AbstractUser, vendor: Forgetful
) -> None:
    OnboardingProfile.objects.create(user=zuleika, backend="vendor", status="verified")
    place_hold(user=officer, by=officer, reason="a case", now=TEN)
    assert erase_user(zuleika, by=officer, reason="asked", now=NOON).certificate.counts


@pytest.mark.parametrize("about", ["person", "course"])
def test_a_case_keeps_who_has_reviewed_and_the_message_that_says_so(
    about: str, exam: Exam, zuleika: AbstractUser, officer: AbstractUser
) -> None:
    attempt = a_strangers_attempt(exam, officer)
    receive({"type": "reviewed", "status": "passed", "id": "of-a-stranger", "by": EMAIL}, now=at(11, 0))
    what: Any = {"user": attempt.user} if about == "person" else {"course_id": exam.course_id}
    hold = place_hold(by=officer, reason="a case", now=TEN, **what)
    refuse_erasure(zuleika, officer)
    release_hold(hold, by=officer)
    erase_user(zuleika, by=officer, reason="asked", now=NOON)
    assert Review.objects.get().reviewed_by == "[removed]"
    assert WebhookMessage.objects.get().blanked_at == NOON
