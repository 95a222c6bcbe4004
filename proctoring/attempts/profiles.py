"""What attempts at onboarding exams mean for a person's profile with the vendor. Called by ``lifecycle.move`` alone."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from proctoring.attempts.models import Attempt, OnboardingProfile, ProfileStatus
from proctoring.attempts.states import Status
from proctoring.backends.types import ProfileStatus as VendorStatus
from proctoring.conf import settings
from proctoring.exams.models import ExamType

WORDS: Mapping[str, ProfileStatus] = {
    Status.CREATED: ProfileStatus.SETUP_STARTED,
    Status.DOWNLOAD_SOFTWARE_CLICKED: ProfileStatus.SETUP_STARTED,
    Status.READY_TO_START: ProfileStatus.SETUP_STARTED,
    Status.STARTED: ProfileStatus.ONBOARDING_STARTED,
    Status.PAUSED: ProfileStatus.ONBOARDING_STARTED,
    Status.READY_TO_SUBMIT: ProfileStatus.ONBOARDING_STARTED,
    Status.SUBMITTED: ProfileStatus.SUBMITTED,
    Status.TIMED_OUT: ProfileStatus.SUBMITTED,
    Status.SECOND_REVIEW_REQUIRED: ProfileStatus.SUBMITTED,
    Status.VERIFIED: ProfileStatus.VERIFIED,
    Status.REJECTED: ProfileStatus.REJECTED,
    Status.TERMINATED: ProfileStatus.ERROR,
    Status.ERROR: ProfileStatus.ERROR,
}
"""What an attempt says of its person. Those that were declined, annulled, reset, blocked, or closed before their start
say nothing: then the one before them counts."""


def note_profile(attempt: Attempt, old: str, *, now: datetime) -> None:
    """An attempt has come to its status from ``old`` (empty: it is new): keep its person's profile in step.

    Nothing for exams of other types. The caller holds the attempt's lock; the profile's is taken after it, always. One
    statement while the newest try goes on, two for a first attempt; what came of a try takes one more to be looked at.
    """
    if attempt.exam.exam_type != ExamType.ONBOARDING:
        return
    mine = OnboardingProfile.objects.filter(user=attempt.user_id, backend=attempt.backend)
    # Of who begins for the first time there is none, as a rule. Not asked, also because a locking read of what is not
    # there keeps others on MySQL from inserting it.
    is_first = not old and attempt.number == 1
    if (is_first and _begin(attempt, old, now=now)) or _goes_on(mine, attempt, old):
        return
    profile = mine.select_for_update().first()
    if profile is None:
        if _begin(attempt, old, now=now):
            return
        profile = mine.select_for_update().get()
    _follow(profile, attempt, old, now=now)


def _begin(attempt: Attempt, old: str, *, now: datetime) -> bool:
    """Make the profile. False where there is one."""
    fresh = OnboardingProfile(user_id=attempt.user_id, backend=attempt.backend, status=ProfileStatus.NOT_STARTED)
    with suppress(IntegrityError), transaction.atomic():
        _follow(fresh, attempt, old, now=now)
        return True
    return False


def _goes_on(mine: QuerySet[OnboardingProfile], attempt: Attempt, old: str) -> bool:
    """Write how the newest try goes on, where this is it and no more than that has happened. One statement.

    No version: this is in the attempt's own history, and the profile's keeps what came of it.
    """
    status = WORDS.get(attempt.status)
    if status not in GOING_ON or old == Status.VERIFIED:
        return False
    newest = Q(newest_try__lte=attempt.pk)
    if not old:
        newest |= Q(newest_try=None)
    course_id = attempt.exam.course_id
    changes = {"status": status, "newest_try": attempt, "course_id": course_id, "modified_at": timezone.now()}
    return bool(mine.filter(newest).update(**changes))


def _follow(profile: OnboardingProfile, attempt: Attempt, old: str, *, now: datetime) -> None:
    before, said = facts_of(profile), profile.newest_try_id
    _follow_tries(profile, attempt, old)
    if attempt.status == Status.VERIFIED:
        approve(profile, at=now, course_id=attempt.exam.course_id)
    elif old == Status.VERIFIED:
        _take_back(profile, attempt)
    if profile.pk is None or (before, said) != (facts_of(profile), profile.newest_try_id):
        profile._change_reason = f"attempt {attempt.pk} is {attempt.status}"  # type: ignore[attr-defined]  # simple-history's protocol
        profile.save()


def _follow_tries(profile: OnboardingProfile, attempt: Attempt, old: str) -> None:
    """Set what the newest try says. It is looked for only where it is not known already."""
    known = profile.newest_try_id
    if known is not None and attempt.pk < known:
        return
    newest: Attempt | None = attempt
    if attempt.status not in WORDS or (known is None and old):
        tries = telling_attempts(attempt.user_id, attempt.backend)
        newest = tries.select_related("exam").order_by("-pk").first()
    profile.newest_try = newest
    profile.status = WORDS[newest.status] if newest else ProfileStatus.NOT_STARTED
    profile.course_id = newest.exam.course_id if newest else ""


def telling_attempts(user_id: int, backend: str) -> QuerySet[Attempt]:
    """The person's onboarding attempts with this vendor that say something."""
    return Attempt.objects.filter(
        user=user_id, backend=backend, exam__exam_type=ExamType.ONBOARDING, status__in=list(WORDS)
    )


def approve(profile: OnboardingProfile, *, at: datetime, course_id: str, until: datetime | None = None) -> None:
    """Write the approval into the row, in memory."""
    profile.approved_at, profile.approved_course_id = at, course_id
    profile.expires_at = until or valid_until(at)


def valid_until(at: datetime) -> datetime:
    """How long an approval from then holds where the vendor has no date of its own."""
    return at + timedelta(days=settings.onboarding_valid_days)


def withdraw_approval(profile: OnboardingProfile) -> None:
    """Take the approval from the row, in memory."""
    profile.approved_at, profile.approved_course_id, profile.expires_at = None, "", None


def _take_back(profile: OnboardingProfile, attempt: Attempt) -> None:
    """The attempt's verdict does not stand any more, so its approval goes, unless another attempt has earned one."""
    # Whatever the vendor's list still says is what has just been corrected, and no news when it is read next.
    profile.vendor_status = VendorStatus.APPROVED.value
    if profile.approved_course_id not in ("", attempt.exam.course_id):
        return
    verified = telling_attempts(attempt.user_id, attempt.backend).filter(status=Status.VERIFIED)
    others = verified.filter(ended_at__isnull=False).exclude(pk=attempt.pk)
    other = others.select_related("exam").order_by("-ended_at").first()
    if other is None or other.ended_at is None:
        withdraw_approval(profile)
    else:
        approve(profile, at=other.ended_at, course_id=other.exam.course_id)


GOING_ON = frozenset({ProfileStatus.SETUP_STARTED, ProfileStatus.ONBOARDING_STARTED, ProfileStatus.SUBMITTED})

FACTS = ("status", "course_id", "approved_at", "approved_course_id", "expires_at", "vendor_status")


def facts_of(profile: OnboardingProfile) -> tuple[object, ...]:
    """What the row says of the person: where none of it changes, nothing has to be saved."""
    return tuple(getattr(profile, name) for name in FACTS)
