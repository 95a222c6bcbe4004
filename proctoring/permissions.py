"""Who may do what: predicates over a person and the object's own course, shared by querysets and doors."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from django.db.models import Q

from proctoring.host import COURSE_ROLES, Role, host

if TYPE_CHECKING:
    from proctoring.host import User


def is_course_staff(user: User, course_id: str) -> bool:
    """Staff write exams, grant resumes, reset, correct time."""
    return host().has_role(user, course_id, Role.STAFF)


def may_invigilate(user: User, course_id: str) -> bool:
    """Invigilators pause, resume, extend, terminate, void, flag, and speak to candidates. Course staff may too."""
    return host().has_role(user, course_id, Role.INVIGILATOR) or is_course_staff(user, course_id)


def may_review(user: User, course_id: str) -> bool:
    """Reviewers decide on ended attempts, under their own name."""
    return host().has_role(user, course_id, Role.REVIEWER)


def may_watch(user: User, course_id: str) -> bool:
    """Whoever has any of the roles sees the course's attempts."""
    return may_invigilate(user, course_id) or may_review(user, course_id)


def may_view_logs(user: User, course_id: str) -> bool:
    """Log viewers read what happened, and gain no power over it. Invigilators and staff may too."""
    return host().has_role(user, course_id, Role.LOG_VIEWER) or may_invigilate(user, course_id)


def reports_for_lms(user: User, course_id: str) -> bool:
    """The LMS's server, as an account of its own."""
    return host().has_role(user, course_id, Role.LMS)


def logged_courses(user: User, field: str) -> Q:
    """The rows whose course (``field``) the person reads the logs of."""
    return _in_courses(user, field, Role.LOG_VIEWER, Role.INVIGILATOR, Role.STAFF)


def invigilated_courses(user: User, field: str) -> Q:
    """The rows whose course (``field``) the person may intervene in."""
    return _in_courses(user, field, Role.INVIGILATOR, Role.STAFF)


def invigilates_somewhere(user: User) -> bool:
    """Whether there is any course in which the person may intervene."""
    given = (host().courses_with_role(user, role) for role in (Role.INVIGILATOR, Role.STAFF))
    return any(courses is None or len(courses) > 0 for courses in given)


def may_plan(user: User, course_id: str) -> bool:
    """Planners book proctors for a course's exams. Course staff may too."""
    return host().has_role(user, course_id, Role.PLANNER) or is_course_staff(user, course_id)


def sits_at_service_desk(user: User, course_id: str) -> bool:
    """Service-desk agents confirm and reject bookings by hand."""
    return host().has_role(user, course_id, Role.SERVICE_DESK)


def may_see_bookings(user: User, course_id: str) -> bool:
    """Whoever plans a course's bookings, or mends them."""
    return may_plan(user, course_id) or sits_at_service_desk(user, course_id)


def is_privacy_officer(user: User) -> bool:
    """Privacy officers export and erase people, in no course in particular: the host gives them the role in all."""
    return host().courses_with_role(user, Role.PRIVACY_OFFICER) is None


def staff_courses(user: User, field: str) -> Q:
    """The rows whose course (``field``) the person administers."""
    return _in_courses(user, field, Role.STAFF)


def watched_courses(user: User, field: str) -> Q:
    """The rows whose course (``field``) the person has any role in."""
    return _in_courses(user, field, *COURSE_ROLES)


def reviewed_courses(user: User, field: str) -> Q:
    """The rows whose course (``field``) the person reviews."""
    return _in_courses(user, field, Role.REVIEWER)


def booked_courses(user: User, field: str) -> Q:
    """The rows whose course (``field``) the person plans or mends bookings for."""
    return _in_courses(user, field, Role.PLANNER, Role.SERVICE_DESK, Role.STAFF)


def seen_courses(user: User, field: str) -> Q:
    """The rows whose course (``field``) the person may see as a candidate."""
    return _among(host().visible_courses(user), field)


def _in_courses(user: User, field: str, *roles: Role) -> Q:
    wanted = _among((), field)
    for role in roles:
        wanted |= _among(host().courses_with_role(user, role), field)
    return wanted


def _among(courses: Collection[str] | None, field: str) -> Q:
    # An empty Q would vanish in "Q(...) | Q()"; the negation of nothing stays true in every combination.
    return ~Q(pk__in=()) if courses is None else Q(**{f"{field}__in": courses})
