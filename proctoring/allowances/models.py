"""``Allowance``: for one exam, or for a whole course now and later. ``storage.py`` writes rows, and only
``attempts/accommodations.py`` asks it to: running attempts follow."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from proctoring.permissions import staff_courses

if TYPE_CHECKING:
    from proctoring.exams.models import Exam
    from proctoring.host import User

MAX_MINUTES = 1_440
MIN_MULTIPLIER, MAX_MULTIPLIER = Decimal(1), Decimal(10)
WHOLE_COURSE = 0


class AllowanceKind(models.TextChoices):
    EXTRA_MINUTES = "extra_minutes", _("Extra minutes")
    TIME_MULTIPLIER = "time_multiplier", _("Time multiplier")
    POLICY_EXCEPTION = "policy_exception", _("Exception to the review policy")
    EXEMPTION = "exemption", _("Events that are not held against the person")


TIME_KINDS = frozenset({AllowanceKind.EXTRA_MINUTES, AllowanceKind.TIME_MULTIPLIER})


def allowance_kind_choices() -> list[tuple[str, Any]]:
    return AllowanceKind.choices


class AllowanceQuerySet(models.QuerySet["Allowance"]):
    def visible_to(self, user: User) -> AllowanceQuerySet:
        """Those of the courses that the person administers. What a candidate was granted shows in their ledger."""
        return self.filter(staff_courses(user, "course_id"))

    def of_person_at(self, exam: Exam, user: User) -> AllowanceQuerySet:
        """All that may count for this person at this exam; ``in_force`` says which do."""
        return self.filter(user=user, course_id=exam.course_id, exam_slot__in=(WHOLE_COURSE, exam.pk))


class Allowance(models.Model):
    user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("person"),
        on_delete=models.PROTECT,
        related_name="proctoring_allowances",
    )
    course_id = models.CharField(_("course"), max_length=255)
    """The exam's own course, or the course whose exams are all meant."""
    exam = models.ForeignKey(
        "proctoring.Exam",
        verbose_name=_("exam"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="allowances",
        help_text=_("Empty: every exam of the course, now and later."),
    )
    exam_slot = models.PositiveBigIntegerField(default=WHOLE_COURSE, editable=False)
    """The exam's id, 0 for the whole course: nulls would not collide in the unique constraint."""
    kind = models.CharField(_("kind"), max_length=20, choices=allowance_kind_choices)
    minutes = models.PositiveIntegerField(
        _("minutes"), null=True, blank=True, validators=[MinValueValidator(1), MaxValueValidator(MAX_MINUTES)]
    )
    multiplier = models.DecimalField(
        _("multiplier"),
        null=True,
        blank=True,
        max_digits=4,
        decimal_places=2,
        validators=[MinValueValidator(MIN_MULTIPLIER), MaxValueValidator(MAX_MULTIPLIER)],
    )
    note = models.TextField(_("note"), blank=True)
    """Why, or the exception to the review policy in words, as the vendor gets it."""
    exemptions = models.JSONField(_("exempt event types"), default=list, blank=True)
    """Ids of event types that are not held against this person."""
    granted_by = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("granted by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    modified_at = models.DateTimeField(_("modified at"), auto_now=True)

    history = HistoricalRecords(history_change_reason_field=models.TextField(null=True))
    objects = AllowanceQuerySet.as_manager()

    class Meta:
        verbose_name = _("allowance")
        verbose_name_plural = _("allowances")
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(
                fields=("user", "course_id", "exam_slot", "kind"), name="proctoring_allowance_once"
            ),
            models.CheckConstraint(
                # "Not null" is said, because a check that comes to null lets a row through.
                condition=Q(
                    kind=AllowanceKind.EXTRA_MINUTES,
                    minutes__isnull=False,
                    minutes__gte=1,
                    minutes__lte=MAX_MINUTES,
                )
                | (~Q(kind=AllowanceKind.EXTRA_MINUTES) & Q(minutes__isnull=True)),
                name="proctoring_allowance_minutes",
            ),
            models.CheckConstraint(
                condition=Q(
                    kind=AllowanceKind.TIME_MULTIPLIER,
                    multiplier__isnull=False,
                    multiplier__gte=MIN_MULTIPLIER,
                    multiplier__lte=MAX_MULTIPLIER,
                )
                | (~Q(kind=AllowanceKind.TIME_MULTIPLIER) & Q(multiplier__isnull=True)),
                name="proctoring_allowance_multiplier",
            ),
        )
        indexes = (models.Index(fields=("course_id", "-id"), name="proctoring_allowance_course"),)

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.value}"

    @property
    def scope(self) -> tuple[Any, str, int]:
        return self.user_id, self.course_id, self.exam_slot

    @property
    def value(self) -> str:
        """What was granted, in words short enough for a list."""
        if self.kind == AllowanceKind.EXTRA_MINUTES:
            return f"+{self.minutes} min"
        if self.kind == AllowanceKind.TIME_MULTIPLIER:
            return f"× {self.multiplier}"
        if self.kind == AllowanceKind.EXEMPTION:
            return ", ".join(str(one) for one in self.exemptions)
        return self.note
