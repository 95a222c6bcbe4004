"""How the log of events is narrowed down: to an exam or an attempt first, then by what, how grave, who and when."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from proctoring.admin.base import EXAM_ID, MAX_CHOICES, CourseFilter, ExamFilter
from proctoring.admin.event_rows import ATTEMPT, CATEGORIES, SEVERITIES, UNKNOWN
from proctoring.admin.rendering import person
from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam
from proctoring.host import Role
from proctoring.logs.event_types import EVENT_TYPES
from proctoring.logs.models import EventActor
from proctoring.permissions import logged_courses

READERS = (Role.LOG_VIEWER, Role.INVIGILATOR, Role.STAFF)
"""The roles that ``permissions.may_view_logs`` takes."""


def not_ones_own(user: Any, path: str) -> Q:
    """Not what was noted about one's own attempts: of those a person sees here no more than a candidate does."""
    return Q() if user.is_superuser else ~Q(**{path: user.pk})


class LogCourseFilter(CourseFilter):
    path = "exam__course_id"
    roles = READERS


class LogExamFilter(ExamFilter):
    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        exams = Exam.objects.filter(logged_courses(request.user, "course_id"))
        if course_id := request.GET.get(CourseFilter.parameter_name):
            exams = exams.filter(course_id=course_id)
        found = exams.values_list("pk", "name", "course_id")[:MAX_CHOICES]
        return [(str(pk), f"{name} ({course_id})") for pk, name, course_id in found]


class AttemptFilter(admin.SimpleListFilter):
    """Says which attempt was chosen. Links choose one: nobody scrolls through all of them."""

    title = _("attempt")
    parameter_name = ATTEMPT

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        value = request.GET.get(self.parameter_name, "")
        if not value:
            return []
        # A filter without choices would not be applied: one that is not found has its number for a name.
        return [(value, _name(request, value) or value)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        if not EXAM_ID.fullmatch(value):
            raise IncorrectLookupParameters(value)
        return queryset.filter(attempt=int(value))


def _name(request: HttpRequest, value: str) -> str:
    if not EXAM_ID.fullmatch(value):
        return ""
    found = Attempt.objects.filter(
        logged_courses(request.user, "exam__course_id"), not_ones_own(request.user, "user"), pk=int(value)
    )
    attempt = found.select_related("user").first()
    return f"{person(attempt)}, #{attempt.number}" if attempt is not None else ""


class SeverityFilter(admin.SimpleListFilter):
    title = _("severity")
    parameter_name = "severity"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(SEVERITIES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(severity=self.value()) if self.value() else queryset


class CategoryFilter(admin.SimpleListFilter):
    title = _("category")
    parameter_name = "category"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return list(CATEGORIES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        if value == UNKNOWN:
            return queryset.exclude(type__in=EVENT_TYPES)
        return queryset.filter(type__in=[code for code, one in EVENT_TYPES.items() if one.category == value])


class ActorFilter(admin.SimpleListFilter):
    title = _("actor")
    parameter_name = "actor"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return EventActor.choices

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(actor=self.value()) if self.value() else queryset
