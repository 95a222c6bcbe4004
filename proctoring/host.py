"""The one typed seam to the LMS. An LMS subclasses ``Host`` and names it in ``PROCTORING["HOST"]``.

Each method has a default that works in any Django project: every active account may see and take active exams,
nobody is enrolled anywhere, a superuser has every role and Django permissions give the others. Most of an LMS is said
with ``courses_with_role`` and ``visible_courses``: the other questions about courses are answered from these two.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from proctoring.conf import SETTING, settings

User = Any
"""A row of the host's ``AUTH_USER_MODEL``, or ``AnonymousUser``; only Django knows the class at run time."""


class Role(StrEnum):
    """What a person can be in a course. The value is the Django permission that gives it in the default host."""

    STAFF = "proctoring.manage_course_exams"
    INVIGILATOR = "proctoring.invigilate"
    REVIEWER = "proctoring.review_attempt"


class PrerequisiteState(StrEnum):
    SATISFIED = "satisfied"
    PENDING = "pending"
    FAILED = "failed"
    DECLINED = "declined"


@dataclass(frozen=True, kw_only=True, slots=True)
class Prerequisite:
    """Something that a candidate must have before an exam, such as a verified identity."""

    name: str
    label: str
    state: PrerequisiteState
    url: str = ""
    """Where the candidate can see to it."""


class Host:
    """What the app needs to know of the LMS. Answers are about the object's own course, never the request's."""

    def has_role(self, user: User, course_id: str, role: Role) -> bool:
        """Whether ``user`` holds ``role`` in this course. Asked before every staff action."""
        return _among(course_id, self.courses_with_role(user, role))

    def courses_with_role(self, user: User, role: Role) -> Collection[str] | None:
        """The courses in which ``user`` holds ``role``; None means all of them. Used by lists, in one query."""
        return None if user.is_active and _has_permission(user, role) else ()

    def may_see_course(self, user: User, course_id: str) -> bool:
        """Whether a candidate may know of this course's exams."""
        return _among(course_id, self.visible_courses(user))

    def visible_courses(self, user: User) -> Collection[str] | None:
        """The courses that a candidate may see; None means all of them."""
        return None if user.is_active else ()

    def may_take(self, user: User, course_id: str, content_id: str) -> bool:
        """Whether this person has the right to take this exam (enrolment, mode, permission)."""
        return self.may_see_course(user, course_id)

    def may_open_without_attempt(self, user: User, course_id: str, content_id: str) -> bool:
        """Whether a person without the right to proctoring sees the content all the same (an audit learner)."""
        return False

    def may_open_inactive(self, user: User, course_id: str, content_id: str) -> bool:
        """The host's own rule for content whose exam is draft or archived: the app does not gate it."""
        return False

    def prerequisites(self, user: User, course_id: str, content_id: str) -> Sequence[Prerequisite]:
        """What must be satisfied before an attempt is created and, again, before it starts."""
        return ()

    def cascades_opt_out(self, user: User, course_id: str) -> bool:
        """Whether declining one proctored exam declines the course's other unattempted ones."""
        return False

    def course_ends_at(self, course_id: str) -> datetime | None:
        """When the course is over, for read-only access to timed exams."""
        return None

    def exam_url(self, course_id: str, content_id: str) -> str:
        """Where the exam's questions are in the LMS. Empty: candidate pages show no link to them."""
        return ""

    def course_url(self, course_id: str) -> str:
        """Where a candidate goes when the exam is over. Empty: no link."""
        return ""

    def full_name(self, user: User) -> str:
        """The name as vendors get it."""
        return str(user.get_full_name() or user.get_username())

    def email(self, user: User) -> str:
        """The address as vendors get it. Empty: vendors get none."""
        return str(getattr(user, user.get_email_field_name(), "") or "")

    def language(self, user: User) -> str:
        """The language in which vendors' instructions are asked for, as in ``Accept-Language``."""
        return "en"


DJANGOS_OWN = ["django.contrib.auth.backends.ModelBackend"]


def _has_permission(user: User, role: Role) -> bool:
    """Django's answer. Where only Django's own backend has a say, it costs one statement a request instead of two."""
    alone = list(django_settings.AUTHENTICATION_BACKENDS) == DJANGOS_OWN
    if not alone or user.is_superuser or not hasattr(user, "user_permissions"):
        return bool(user.has_perm(role.value))
    # Remembered on the instance, as long as Django remembers what it found itself.
    held = user.__dict__.get("_proctoring_permissions")
    if held is None:
        ours = apps.get_model("auth.Permission").objects.filter(content_type__app_label="proctoring")
        ours = ours.order_by().values_list("codename", flat=True)
        held = user.__dict__["_proctoring_permissions"] = frozenset(
            ours.filter(user=user.pk).union(ours.filter(group__user=user.pk))
        )
    return role.value.removeprefix("proctoring.") in held


def _among(course_id: str, courses: Collection[str] | None) -> bool:
    return courses is None or course_id in courses


@lru_cache(maxsize=1)
def host() -> Host:
    """The configured host, one instance a process. Raises ``ImportError`` where the path is wrong."""
    return import_string(settings.host)()


def _forget(*, setting: str, **_: object) -> None:
    if setting == SETTING:
        host.cache_clear()


setting_changed.connect(_forget, dispatch_uid="proctoring.host")
