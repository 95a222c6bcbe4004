"""What bookings wait for, as filters of the list and sections of the overview: both find the same rows."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import QuerySet, TextChoices
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from proctoring.admin.base import CourseFilter, ExamFilter, courses_of
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


class BookedExamFilter(ExamFilter):
    """By the exams whose bookings the person sees."""

    def exams(self, user: User | AnonymousUser) -> QuerySet[Exam]:
        return Exam.objects.filter(booked_courses(user, "course_id"), bookings__isnull=False).distinct()


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
