"""``Exam``: one piece of content of the LMS that is sat as an exam."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from proctoring.backends import backends
from proctoring.backends.base import Backend
from proctoring.backends.types import FIRST_YEAR, LAST_YEAR
from proctoring.fields import VendorJSONField
from proctoring.permissions import seen_courses, watched_courses

if TYPE_CHECKING:
    from proctoring.host import User


MAX_REVIEW_POLICY = 10_000


class ExamType(models.TextChoices):
    TIMED = "timed", _("Timed")
    PROCTORED = "proctored", _("Proctored")
    PRACTICE = "practice", _("Practice")
    ONBOARDING = "onboarding", _("Onboarding")


class ExamStatus(models.TextChoices):
    DRAFT = "draft", _("Draft")
    ACTIVE = "active", _("Active")
    ARCHIVED = "archived", _("Archived")


class OutagePolicy(models.TextChoices):
    OFF = "off", _("Lost time is not given back")
    PROPOSE = "propose", _("Lost time is proposed to staff")
    CREDIT = "credit", _("Lost time is given back")


def exam_type_choices() -> list[tuple[str, Any]]:
    return ExamType.choices


def exam_status_choices() -> list[tuple[str, Any]]:
    return ExamStatus.choices


def outage_policy_choices() -> list[tuple[str, Any]]:
    return OutagePolicy.choices


MAX_RULES = 65_536
"""Characters of JSON. Each change stores another copy in the history."""


def validate_heartbeat_seconds(value: int) -> None:
    """Clients act at half of the interval, so an odd one, or one too short to halve, never beats."""
    if value <= 10 or value % 2:
        raise ValidationError(_("Must be an even number above 10."), code="heartbeat_seconds")


class ExamQuerySet(models.QuerySet["Exam"]):
    def active(self) -> ExamQuerySet:
        return self.filter(status=ExamStatus.ACTIVE)

    def visible_to(self, user: User) -> ExamQuerySet:
        """What the person may read: active exams of their courses, what they have sat, what they watch over."""
        # "in", because an anonymous person's key, none, would else be found in exams that nobody has attempted.
        own = self.model.objects.filter(pk=OuterRef("pk"), attempts__user__in=[user.pk])
        return self.filter(
            (Q(status=ExamStatus.ACTIVE) & seen_courses(user, "course_id"))
            | watched_courses(user, "course_id")
            | Exists(own)
        )

    def in_sight_of(self, user: User) -> ExamQuerySet:
        """``visible_to`` and, in their own courses, inactive ones: a candidate's click on an exam that was just
        archived deserves the reason, not "not found"."""
        return self.filter(seen_courses(user, "course_id") | watched_courses(user, "course_id"))


class Exam(models.Model):
    course_id = models.CharField(_("course"), max_length=255, db_index=True)
    content_id = models.CharField(_("content"), max_length=255)
    name = models.CharField(_("name"), max_length=255)
    exam_type = models.CharField(_("type"), max_length=20, choices=exam_type_choices, default=ExamType.PROCTORED)
    status = models.CharField(_("status"), max_length=20, choices=exam_status_choices, default=ExamStatus.DRAFT)
    time_limit_minutes = models.PositiveIntegerField(
        _("time limit (minutes)"), validators=[MinValueValidator(1), MaxValueValidator(10_080)]
    )
    opens_at = models.DateTimeField(_("opens at"), null=True, blank=True)
    due_at = models.DateTimeField(_("due at"), null=True, blank=True)
    accommodations_past_due = models.BooleanField(
        _("accommodations reach past the due date"),
        default=True,
    )
    hide_after_due = models.BooleanField(_("hidden after the due date"), default=False)
    viewable_past_due = models.BooleanField(_("own work viewable after the due date"), default=False)
    backend = models.CharField(_("backend"), max_length=100, blank=True, help_text=_("Empty: the default vendor."))
    external_ids = models.JSONField(_("vendors' ids"), default=dict, blank=True, editable=False)
    """Alias → that vendor's id. Attempts stay with the vendor they began with, so an id outlives a switch."""
    rules = VendorJSONField(_("vendor's rules"), blank=True)
    review_policy = models.TextField(_("review policy"), blank=True, max_length=MAX_REVIEW_POLICY)
    allow_opt_out = models.BooleanField(_("may be taken without proctoring"), default=False)
    heartbeat_seconds = models.PositiveIntegerField(
        _("heartbeat (seconds)"), default=30, validators=[validate_heartbeat_seconds, MaxValueValidator(3600)]
    )
    outage_policy = models.CharField(
        _("outage policy"), max_length=20, choices=outage_policy_choices, default=OutagePolicy.OFF
    )
    outage_cap_minutes = models.PositiveIntegerField(
        _("outage cap (minutes)"), default=15, validators=[MaxValueValidator(1440)]
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    modified_at = models.DateTimeField(_("modified at"), auto_now=True)

    history = HistoricalRecords(history_change_reason_field=models.TextField(null=True))
    objects = ExamQuerySet.as_manager()

    class Meta:
        verbose_name = _("exam")
        verbose_name_plural = _("exams")
        ordering = ("course_id", "name", "pk")
        permissions = (
            ("manage_course_exams", "Is course staff of every course (default host)"),
            ("invigilate", "Is an invigilator in every course (default host)"),
            ("review_attempt", "Is a reviewer in every course (default host)"),
        )
        constraints = (
            models.UniqueConstraint(fields=("course_id", "content_id"), name="proctoring_exam_content_once"),
            models.CheckConstraint(
                condition=Q(time_limit_minutes__gte=1, time_limit_minutes__lte=10_080),
                name="proctoring_exam_time_limit",
            ),
        )

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Rules over more than one field, the same for the API and the admin."""
        for name in ("opens_at", "due_at"):
            moment = getattr(self, name)
            # Beyond, adding an allowance would leave the calendar.
            if moment is not None and not FIRST_YEAR <= moment.year <= LAST_YEAR:
                raise ValidationError({name: _("Must be between the years 1970 and 9000.")}, code="invalid")
        if self.opens_at is not None and self.due_at is not None and self.due_at <= self.opens_at:
            raise ValidationError({"due_at": _("Must be after the exam opens.")}, code="invalid")
        if self.backend and self.backend not in backends:
            known = ", ".join(backends)
            raise ValidationError({"backend": _("No such backend. Configured are: %s.") % known}, code="invalid")
        if len(self.review_policy) > MAX_REVIEW_POLICY:
            # A text column's max_length binds forms alone.
            raise ValidationError({"review_policy": _("Must be 10,000 characters or less.")}, code="invalid")
        if not isinstance(self.rules, dict):
            raise ValidationError({"rules": _("Must be an object.")}, code="invalid")
        if len(json.dumps(self.rules)) > MAX_RULES:
            raise ValidationError({"rules": _("Must not be longer than 64 kB.")}, code="invalid")

    @property
    def backend_alias(self) -> str:
        """The vendor in charge: the exam's own, else the default one. Timed exams have none."""
        if self.exam_type == ExamType.TIMED:
            return "null"
        return self.backend or backends.default()

    @property
    def external_id(self) -> str:
        """The id that the vendor in charge has given, empty where it has given none."""
        return self.external_id_at(self.backend_alias)

    def external_id_at(self, backend: str) -> str:
        """The id that this vendor has given, empty where it has given none."""
        return str(self.external_ids.get(backend, ""))

    @property
    def vendor(self) -> Backend:
        """Raises ``UnknownBackend`` where the alias is not configured or its plugin is broken."""
        return backends[self.backend_alias]

    @property
    def is_sample(self) -> bool:
        """Practice and onboarding: repeatable, without effect on grades or credit."""
        return self.exam_type in {ExamType.PRACTICE, ExamType.ONBOARDING}

    def is_active(self) -> bool:
        return self.status == ExamStatus.ACTIVE
