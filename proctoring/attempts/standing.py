"""Where a person stands with the onboarding of a course: the words, the same in SQL, and what to do next.

Read from stored rows alone; nobody is asked but the host.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from django.db.models import Q

from proctoring.attempts.beginnings import Basis
from proctoring.attempts.closing import is_over
from proctoring.attempts.due_dates import has_passed
from proctoring.attempts.models import Attempt, OnboardingProfile, ProfileStatus
from proctoring.attempts.profiles import WORDS
from proctoring.attempts.states import OPEN, Status
from proctoring.conf import settings
from proctoring.exams.models import Exam, ExamType
from proctoring.host import host

if TYPE_CHECKING:
    from proctoring.host import User


class Standing(StrEnum):
    """The words of the API."""

    NOT_STARTED = "not_started"
    SETUP_STARTED = "setup_started"
    ONBOARDING_STARTED = "onboarding_started"
    SUBMITTED = "submitted"
    VERIFIED = "verified"
    REJECTED = "rejected"
    ERROR = "error"
    EXPIRED = "expired"
    OTHER_COURSE_APPROVED = "other_course_approved"
    ONBOARDING_RESET = "onboarding_reset"


class NextStep(StrEnum):
    BEGIN = "begin"
    CONTINUE = "continue"
    WAIT = "wait"
    RETRY = "retry"
    RENEW = "renew"
    NONE = "none"


APPROVED = frozenset({Standing.VERIFIED, Standing.OTHER_COURSE_APPROVED})

STEPS = {
    Standing.NOT_STARTED: NextStep.BEGIN,
    Standing.ONBOARDING_RESET: NextStep.BEGIN,
    Standing.SETUP_STARTED: NextStep.CONTINUE,
    Standing.ONBOARDING_STARTED: NextStep.CONTINUE,
    Standing.SUBMITTED: NextStep.WAIT,
    Standing.REJECTED: NextStep.RETRY,
    Standing.ERROR: NextStep.RETRY,
    Standing.EXPIRED: NextStep.RENEW,
    Standing.VERIFIED: NextStep.NONE,
    Standing.OTHER_COURSE_APPROVED: NextStep.NONE,
}


def standing_of(profile: OnboardingProfile | None, course_id: str, now: datetime) -> Standing:
    """What the profile says in this course. ``in_standing`` says the same in SQL.

    An approval that is still good comes first, wherever it was given; a try in another course says nothing here.
    """
    if profile is None:
        return Standing.NOT_STARTED
    if profile.is_approved(now):
        here = profile.approved_course_id in ("", course_id)
        return Standing.VERIFIED if here else Standing.OTHER_COURSE_APPROVED
    if profile.status == ProfileStatus.VERIFIED:
        return Standing.EXPIRED
    if profile.course_id not in ("", course_id):
        return Standing.NOT_STARTED
    return Standing(profile.status)


def in_standing(words: Iterable[str], course_id: str, now: datetime, *, prefix: str) -> Q:
    """The people whom ``standing_of`` gives one of these words.

    The query has annotations named ``prefix`` and a profile's field: null where the person has no profile.
    """
    here = ("", course_id)

    def is_(**lookups: object) -> Q:
        return Q(**{f"{prefix}{name}": value for name, value in lookups.items()})

    approved = is_(expires_at__gt=now)
    not_approved = is_(expires_at__isnull=True) | is_(expires_at__lte=now)
    was_approved = is_(status=ProfileStatus.VERIFIED)
    in_other_course = is_(course_id__isnull=False) & ~is_(course_id__in=here) & ~was_approved
    conditions = {
        Standing.VERIFIED: approved & is_(approved_course_id__in=here),
        Standing.OTHER_COURSE_APPROVED: approved & ~is_(approved_course_id__in=here),
        Standing.EXPIRED: not_approved & was_approved,
        Standing.NOT_STARTED: is_(status__isnull=True)
        | (not_approved & (is_(status=ProfileStatus.NOT_STARTED) | in_other_course)),
    }
    found = Q(pk__in=())
    for word in words:
        found |= conditions.get(Standing(word), not_approved & is_(status=word, course_id__in=here))
    return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Onboarding:
    """The answer for one person in one course. ``exam`` is the one to go to, or the one that shows how things stand."""

    person: User
    status: Standing
    exam: Exam
    past_due: bool
    """All of the course's onboarding exams are over for this person."""
    expires_at: datetime | None
    """Of the approval, also of one that is over."""
    expiring_soon: bool
    next_step: NextStep

    @property
    def opens_at(self) -> datetime | None:
        return self.exam.opens_at

    @property
    def approved(self) -> bool:
        return self.status in APPROVED

    @property
    def leads_to_exam(self) -> bool:
        """Whether the next step is taken at ``exam``, and possible there now."""
        return self.next_step not in (NextStep.WAIT, NextStep.NONE)


def onboarding_exams(course_id: str) -> list[Exam]:
    """The course's active onboarding exams, oldest first. One statement."""
    return list(Exam.objects.active().filter(course_id=course_id, exam_type=ExamType.ONBOARDING).order_by("pk"))


def own_onboarding(user: User, course_id: str, *, now: datetime, backend: str = "") -> Onboarding | None:
    """Where this person stands; None where the course has no onboarding exam that they may take.

    ``backend``: only with this vendor. Where exams have several vendors, the first one's are meant. Three statements,
    one more for each exam whose due date has passed, and two questions to the host for each exam.
    """
    exams = [
        exam
        for exam in onboarding_exams(course_id)
        if backend in ("", exam.backend_alias) and host().may_take(user, course_id, exam.content_id)
    ]
    exams = [exam for exam in exams if exam.backend_alias == exams[0].backend_alias]
    if not exams:
        return None
    profile = OnboardingProfile.objects.filter(user=user.pk, backend=exams[0].backend_alias).first()
    tries = Attempt.objects.filter(user=user.pk, exam__in=exams).order_by("-pk")
    attempts = [attempt for attempt in tries if attempt.status in WORDS or attempt.status == Status.ONBOARDING_RESET]
    for attempt in attempts:
        attempt.exam = next(exam for exam in exams if exam.pk == attempt.exam_id)
    status = _own_standing(profile, attempts, course_id, now)
    over = {exam.pk for exam in exams if is_over(Basis(exam, user, None), now=now)}
    ongoing = next((one.exam for one in attempts if one.status in OPEN and one.status_at(now) in OPEN), None)
    return _answer(user, status, profile, exams, over, now=now, ongoing=ongoing)


def onboarding_of(person: User, profile: OnboardingProfile | None, exams: list[Exam], *, now: datetime) -> Onboarding:
    """The same for somebody on staff's list: by the profile and the exams' own dates alone, without any statement."""
    status = standing_of(profile, exams[0].course_id, now)
    over = {exam.pk for exam in exams if has_passed(exam.due_at, now)}
    ongoing = exams[0] if STEPS[status] == NextStep.CONTINUE else None
    return _answer(person, status, profile, exams, over, now=now, ongoing=ongoing)


def _own_standing(
    profile: OnboardingProfile | None, attempts: list[Attempt], course_id: str, now: datetime
) -> Standing:
    """As the list has it, and more exact where that costs nothing: the deadline that no sweep has noticed yet, and a
    try in this course while the profile follows one in another."""
    status = standing_of(profile, course_id, now)
    newest = next((one for one in attempts if one.status in WORDS), None)
    if newest is None:
        reset = bool(attempts) and status == Standing.NOT_STARTED
        return Standing.ONBOARDING_RESET if reset else status
    if STEPS[status] not in (NextStep.BEGIN, NextStep.CONTINUE) or newest.status == Status.VERIFIED:
        return status
    return Standing(WORDS.get(newest.status_at(now), ProfileStatus.NOT_STARTED))


def _answer(
    person: User,
    status: Standing,
    profile: OnboardingProfile | None,
    exams: list[Exam],
    over: set[int],
    *,
    now: datetime,
    ongoing: Exam | None,
) -> Onboarding:
    coming = [exam for exam in exams if exam.pk not in over]
    open_now = [exam for exam in coming if exam.opens_at is None or exam.opens_at <= now]
    later = sorted((exam for exam in coming if exam not in open_now), key=lambda exam: (exam.opens_at or now, exam.pk))
    until = profile.expires_at if profile and (status in APPROVED or status == Standing.EXPIRED) else None
    soon = until is not None and now < until <= now + timedelta(days=settings.onboarding_warning_days)
    step = _step(status, soon=soon, ongoing=ongoing, open_now=bool(open_now), later=bool(later))
    in_order = [*open_now, *later, *exams]
    return Onboarding(
        person=person,
        status=status,
        exam=ongoing if ongoing is not None and step == NextStep.CONTINUE else in_order[0],
        past_due=not coming,
        expires_at=until,
        expiring_soon=soon,
        next_step=step,
    )


def _step(status: Standing, *, soon: bool, ongoing: Exam | None, open_now: bool, later: bool) -> NextStep:
    """What this person can do now: nobody is sent to an exam that is not open to them."""
    step = NextStep.RENEW if soon else STEPS[status]
    if step == NextStep.CONTINUE:
        if ongoing is not None:
            return step
        step = NextStep.BEGIN
    if step in (NextStep.WAIT, NextStep.NONE) or open_now:
        return step
    return NextStep.WAIT if later and not soon else NextStep.NONE
