"""What bookings wait for, as filters of the list and sections of the overview: both find the same rows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet, TextChoices
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from proctoring.admin.base import EXAM_ID, MAX_CHOICES, CourseFilter, courses_of
from proctoring.bookings.doctor import ADVICE
from proctoring.bookings.log_codes import LOG_CODES
from proctoring.bookings.models import Booking, BookingQuerySet
from proctoring.bookings.states import WAITING, Status
from proctoring.exams.models import Exam
from proctoring.host import Role
from proctoring.permissions import booked_courses

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser

    from proctoring.host import User

SOON = timedelta(days=7)
"""So far ahead people look for what they have to mend."""

PLANNERS = (Role.PLANNER, Role.STAFF)
BOOKERS = (*PLANNERS, Role.SERVICE_DESK)
"""The roles that ``permissions.may_see_bookings`` takes."""


class Situation(TextChoices):
    SOMEBODY = "somebody", _("Somebody (rejected or not scheduled, within 7 days)")
    VENDOR = "vendor", _("The vendor")


class When(TextChoices):
    TODAY = "today", _("Today")
    SOON = "soon", _("The next 7 days")
    LATER = "later", _("Later")
    PAST = "past", _("Past")


def in_situation(rows: BookingQuerySet, situation: str, now: datetime) -> QuerySet[Booking]:
    match situation:
        case Situation.SOMEBODY:
            # What was given up for another window needs nobody any more.
            open_ones = rows.filter(status__in=(Status.REJECTED, Status.DRAFT), replaced_by__isnull=True)
            return open_ones.filter(ends_at__gt=now, starts_at__lt=now + SOON)
        case Situation.VENDOR:
            return rows.filter(status__in=sorted(WAITING))
    return rows.none()


def at_time(rows: BookingQuerySet, when: str, now: datetime) -> QuerySet[Booking]:
    """By the window. The day is that of the current time zone."""
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    match when:
        case When.TODAY:
            return rows.filter(starts_at__lt=midnight + timedelta(days=1), ends_at__gte=midnight)
        case When.SOON:
            return rows.filter(starts_at__lt=now + SOON, ends_at__gt=now)
        case When.LATER:
            return rows.filter(starts_at__gte=now + SOON)
        case When.PAST:
            return rows.filter(ends_at__lte=now)
    return rows.none()


def planned_exams(user: User | AnonymousUser) -> QuerySet[Exam]:
    """The exams that the person may plan bookings for."""
    courses = courses_of(user, *PLANNERS)
    rows = Exam.objects.all()
    return rows if courses is None else rows.filter(course_id__in=courses)


class BookedCourseFilter(CourseFilter):
    path = "exam__course_id"
    roles = BOOKERS


class BookedExamFilter(admin.SimpleListFilter):
    """By the exams of the courses whose bookings the person sees, or of the course that is chosen beside it."""

    title = _("exam")
    parameter_name = "exam__id__exact"
    path = "exam"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        exams = Exam.objects.filter(booked_courses(request.user, "course_id"), bookings__isnull=False).distinct()
        if course_id := request.GET.get(CourseFilter.parameter_name):
            exams = exams.filter(course_id=course_id)
        found = exams.values_list("pk", "name", "course_id")[:MAX_CHOICES]
        several = len({course_id for _pk, _name, course_id in found}) > 1
        return [(str(pk), f"{name} ({course_id})" if several else name) for pk, name, course_id in found]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        if not EXAM_ID.fullmatch(value):
            raise IncorrectLookupParameters(value)
        return queryset.filter(**{self.path: int(value)})


class SituationFilter(admin.SimpleListFilter):
    title = _("what it waits for")
    parameter_name = "waits_for"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return Situation.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Booking]:
        return in_situation(queryset, self.value() or "", timezone.now()) if self.value() else queryset


class WhenFilter(admin.SimpleListFilter):
    title = _("window")
    parameter_name = "when"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return When.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Booking]:
        return at_time(queryset, self.value() or "", timezone.now()) if self.value() else queryset


class ReasonFilter(admin.SimpleListFilter):
    title = _("rejection reason")
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return code_choices(ADVICE)

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Booking]:
        return queryset.filter(rejection_reason=self.value()) if self.value() else queryset


def code_choices(codes: Collection[str]) -> list[tuple[str, Any]]:
    return [(code, LOG_CODES[code].label) for code in codes]
