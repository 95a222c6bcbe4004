"""The one typed seam to the LMS. An LMS subclasses ``Host`` and names it in ``PROCTORING["HOST"]``.

Each method has a default that works in any Django project: every active account may see and take active exams,
nobody is enrolled anywhere, a superuser has every role and Django permissions give the others. Most of an LMS is said
with ``courses_with_role`` and ``visible_courses``: the other questions about courses are answered from these two.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.conf import settings as django_settings
from django.core.signals import setting_changed
from django.utils.module_loading import import_string

from proctoring.conf import SETTING, settings

if TYPE_CHECKING:
    from django.db.models import QuerySet

User = Any
"""A row of the host's ``AUTH_USER_MODEL``, or ``AnonymousUser``; only Django knows the class at run time."""


class Role(StrEnum):
    """What a person can be in a course. The value is the Django permission that gives it in the default host."""

    STAFF = "proctoring.manage_course_exams"
    INVIGILATOR = "proctoring.invigilate"
    REVIEWER = "proctoring.review_attempt"
    LOG_VIEWER = "proctoring.view_candidate_log"
    LMS = "proctoring.record_lms_events"
    """The LMS's own server, which reports what candidates did there."""
    PLANNER = "proctoring.plan_bookings"
    SERVICE_DESK = "proctoring.confirm_booking"
    PRIVACY_OFFICER = "proctoring.handle_personal_data"


COURSE_ROLES = (Role.STAFF, Role.INVIGILATOR, Role.REVIEWER)
"""The roles that let a person see a course's attempts. Planners, the service desk and privacy officers have no business
there."""


class CreditStatus(StrEnum):
    """What an LMS is told about a credit requirement that the exam is."""

    SUBMITTED = "submitted"
    SATISFIED = "satisfied"
    FAILED = "failed"
    DECLINED = "declined"
    WITHDRAWN = "withdrawn"
    """There is no attempt any more that says anything."""


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

    def enrolled(self, course_id: str) -> QuerySet[Any] | None:
        """The accounts enrolled in this course, lazily: lists join it. None: nobody knows, and lists show the people
        with an attempt."""
        return None

    def personal_due_at(self, user: User, course_id: str, content_id: str) -> datetime | None:
        """A due date of this person's own; None: the exam's. Tell ``attempts.schedule.change_personal_dates`` when it
        changes while an attempt is open."""
        return None

    def client_address(self, headers: Mapping[str, str]) -> str:
        """The address of the candidate's browser, from the request's ``META``. Behind a proxy the connection's own is
        the proxy's: name the header that yours sets, and only where no candidate can set it past the proxy."""
        return headers.get("REMOTE_ADDR", "")

    def exam_url(self, course_id: str, content_id: str) -> str:
        """Where the exam's questions are in the LMS. Empty: candidate pages show no link to them."""
        return ""

    def course_url(self, course_id: str) -> str:
        """Where a candidate goes when the exam is over. Empty: no link."""
        return ""

    def verified_name(self, user: User) -> str:
        """The name on the person's checked documents, where the LMS knows it. Empty: it does not."""
        return ""

    def full_name(self, user: User) -> str:
        """The name as vendors get it."""
        return str(self.verified_name(user) or user.get_full_name() or user.get_username())

    def email(self, user: User) -> str:
        """The address as vendors get it. Empty: vendors get none."""
        return str(getattr(user, user.get_email_field_name(), "") or "")

    def language(self, user: User) -> str:
        """The language in which vendors' instructions are asked for, as in ``Accept-Language``."""
        return "en"

    def timezone(self, user: User) -> str:
        """The person's zone, a name of the IANA database, for times in mails."""
        return "UTC"

    def escalation_email(self, course_id: str) -> str:
        """Where candidates of this course turn to about a proctored exam. Empty: mails and pages name nobody."""
        return ""

    # Effects on the LMS. Each is optional: what a subclass does not override is never promised. They are called by a
    # worker, at least once, in the order of their facts; ``key`` is the same on every repetition of the same call.
    # Whatever they raise is tried again later, and shown to staff in the end.

    def set_credit_requirement(
        self, user: User, course_id: str, content_id: str, status: CreditStatus, *, key: str
    ) -> None:
        """The exam, as a requirement for credit, is in this state."""

    def override_grade(self, user: User, course_id: str, content_id: str, *, key: str) -> None:
        """The person was rejected: the grade of this content is zero."""

    def undo_grade_override(self, user: User, course_id: str, content_id: str, *, key: str) -> None:
        """The rejection does not stand any more: the earned grade counts again."""

    def invalidate_certificate(self, user: User, course_id: str, *, key: str) -> None:
        """The person was rejected: a certificate of this course is not valid."""

    def restore_certificate(self, user: User, course_id: str, *, key: str) -> None:
        """The rejection does not stand any more."""

    def complete_content(self, user: User, course_id: str, content_id: str, *, key: str) -> None:
        """The person has ended the exam: all that it contains is completed."""

    def reset_learner_state(self, user: User, course_id: str, content_id: str, *, key: str) -> None:
        """Staff gave the person a fresh attempt: answers and scores of the old one are to be dropped."""

    def notify_support(self, course_id: str, content_id: str, *, review_status: str, attempt_id: int, key: str) -> None:
        """A vendor found an attempt suspicious, and no person has looked at it."""


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
        names = ours.order_by().values_list("codename", flat=True)
        held = frozenset(names.filter(user=user.pk).union(names.filter(group__user=user.pk)))
        user.__dict__["_proctoring_permissions"] = held
    return role.value.removeprefix("proctoring.") in held


def provides(effect: str) -> bool:
    """Whether the configured host has an answer of its own to this method of ``Host``."""
    return getattr(type(host()), effect) is not getattr(Host, effect)


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
