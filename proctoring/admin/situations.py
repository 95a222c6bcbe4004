"""What attempts wait for, as filters of the list and sections of the overview: both find the same rows."""

from __future__ import annotations

from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any

from django.contrib import admin
from django.db.models import Exists, F, OuterRef, Q, QuerySet, TextChoices
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from proctoring.admin.base import CourseFilter
from proctoring.attempts.models import Attempt, AttemptQuerySet
from proctoring.attempts.states import BLOCKED, RUNNING, Status, status_choices
from proctoring.exams.models import ExamType
from proctoring.reviews.models import Review, ReviewSource, ReviewStatus


class Situation(TextChoices):
    RUNNING = "running", _("Its end (running)")
    VERDICT = "verdict", _("A verdict")
    SECOND_REVIEW = "second_review", _("A second review")
    RESUME = "resume", _("A resume after an error")
    ONBOARDING = "onboarding", _("Onboarding")


def in_situation(rows: AttemptQuerySet, situation: str, now: datetime) -> AttemptQuerySet:
    """Those of ``rows``, a queryset ``for_reading``, that are in this situation."""
    match situation:
        case Situation.RUNNING:
            return _in_any(rows, sorted(RUNNING), now)
        case Situation.VERDICT:
            judged = rows.filter(
                taking_as_proctored=True, exam__exam_type__in=(ExamType.PROCTORED, ExamType.ONBOARDING)
            )
            return _in_any(judged, [Status.SUBMITTED, Status.TIMED_OUT], now) | _broken_parts(judged)
        case Situation.SECOND_REVIEW:
            return rows.filter(status=Status.SECOND_REVIEW_REQUIRED)
        case Situation.RESUME:
            real = rows.filter(exam__exam_type__in=(ExamType.PROCTORED, ExamType.TIMED))
            return real.filter(status=Status.ERROR, retry_kind="").filter(Q(has_successor=False))
        case Situation.ONBOARDING:
            return rows.filter(status__in=BLOCKED)
    return rows.none()


def _in_any(rows: AttemptQuerySet, statuses: list[Status], now: datetime) -> AttemptQuerySet:
    found: AttemptQuerySet = reduce(or_, (rows.in_status(status, now) for status in statuses))
    return found


def _broken_parts(rows: AttemptQuerySet) -> AttemptQuerySet:
    """Errors that were resumed: what came after them counts only once they have a verdict, too."""
    of_vendor = Review.objects.filter(source=ReviewSource.VENDOR)
    later = of_vendor.filter(attempt=OuterRef("attempt")).filter(
        Q(occurred_at__gt=OuterRef("occurred_at")) | Q(occurred_at=OuterRef("occurred_at"), pk__gt=OuterRef("pk"))
    )
    passed = of_vendor.filter(~Exists(later), attempt=OuterRef("pk"), status=ReviewStatus.PASSED)
    return rows.filter(~Exists(passed), status=Status.ERROR, started_at__isnull=False).filter(Q(has_successor=True))


SOONEST_DEADLINE = (F("expires_at").asc(nulls_last=True), "pk")
LONGEST_ENDED = (F("ended_at").asc(nulls_last=True), "pk")


class AttemptCourseFilter(CourseFilter):
    path = "exam__course_id"


class StatusFilter(admin.SimpleListFilter):
    """By the status that a reader sees: an overdue attempt has ended, whether or not a sweep has been here."""

    title = _("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return status_choices()

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Attempt]:
        return queryset.in_status(self.value(), timezone.now()) if self.value() else queryset


class SituationFilter(admin.SimpleListFilter):
    title = _("what it waits for")
    parameter_name = "waits_for"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return Situation.choices

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Attempt]:
        return in_situation(queryset, self.value() or "", timezone.now()) if self.value() else queryset
