"""Legal holds: while one is in force, nothing of its person or course is erased, whatever its age."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from proctoring.allowances.models import Allowance
from proctoring.attempts.models import Attempt, OnboardingProfile
from proctoring.bookings.models import LiveSession
from proctoring.errors import Conflict, InvalidInput
from proctoring.privacy.models import LegalHold

if TYPE_CHECKING:
    from proctoring.host import User

MAX_REASON = 4000


def place_hold(
    *, by: User | None, reason: str, user: User | None = None, course_id: str = "", now: datetime | None = None
) -> LegalHold:
    """Keep everything of a person, of a course, or of a person's attempts in all courses, from now on.

    Raises ``InvalidInput`` where it is about nothing, about both, or has no reason.
    """
    if (user is None) == (not course_id):
        raise InvalidInput(errors={"course_id": [_("Name either a person or a course.")]})
    if not reason.strip():
        raise InvalidInput(errors={"reason": [_("Say why.")]})
    with transaction.atomic():
        if user is not None:
            lock_person(user.pk)
        return LegalHold.objects.create(
            user=user,
            course_id=course_id,
            reason=reason.strip()[:MAX_REASON],
            placed_by=by,
            placed_at=now or timezone.now(),
        )


def release_hold(hold: LegalHold, *, by: User | None, now: datetime | None = None) -> LegalHold:
    """The case is closed. Raises ``Conflict`` (``hold_released``) where it was closed before."""
    released = {"released_at": now or timezone.now(), "released_by": by}
    if not _in_force().filter(pk=hold.pk).update(**released):
        raise Conflict(_("This hold was released already."), code="hold_released")
    hold.refresh_from_db()
    return hold


def refuse_under_hold(user_pk: int) -> None:
    """Raise ``Conflict`` (``legal_hold``) where the person is held, or a course in which something is kept of them."""
    if _in_force().filter(Q(user=user_pk) | Q(course_id__in=courses_of(user_pk))).exists():
        raise Conflict(_("A legal hold is in force: nothing of this person may be erased."), code="legal_hold")


def held_rows(attempt: str) -> Q:
    """The rows that a hold protects, of a model that reaches its attempt by this path. Read once: one statement.

    A row that belongs to no attempt could be anybody's, so any hold protects it.
    """
    people, courses = held_now()
    if not people and not courses:
        return Q(pk__in=())
    return (
        Q(**{f"{attempt}__isnull": True})
        | Q(**{f"{attempt}__user__in": people})
        | Q(**{f"{attempt}__exam__course_id__in": courses})
    )


def held_now() -> tuple[Collection[int], Collection[str]]:
    """The people and the courses that are under a hold. One statement."""
    holds = list(_in_force().values_list("user_id", "course_id"))
    people = {user_id for user_id, _course in holds if user_id is not None}
    return people, {course_id for _user, course_id in holds if course_id}


def courses_of(user_pk: int) -> set[str]:
    """Those of which erasure would take a row: allowances, also withdrawn ones, profiles and live sessions need no
    attempt. One statement."""
    kept: tuple[tuple[Any, str], ...] = (
        (Attempt.objects, "exam__course_id"),
        (Allowance.objects, "course_id"),
        (Allowance.history, "course_id"),
        (OnboardingProfile.objects, "course_id"),
        (OnboardingProfile.objects, "approved_course_id"),
        (LiveSession.objects, "exam__course_id"),
    )
    first, *others = (rows.filter(user=user_pk).order_by().values_list(name, flat=True) for rows, name in kept)
    # Empty: of no course. A hold on a person names none either.
    return set(first.union(*others)) - {""}


def lock_person(user_pk: int) -> None:
    """Until the end of the transaction nobody else erases this person or places a hold on them.

    Taken after attempts: whoever changes one, and writes a version that names its author, comes in that order too.
    """
    rows = get_user_model()._default_manager.select_for_update(no_key=connection.features.has_select_for_no_key_update)
    list(rows.filter(pk=user_pk).values_list("pk"))


def _in_force() -> QuerySet[LegalHold]:
    return LegalHold.objects.filter(released_at=None)
