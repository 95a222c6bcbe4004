"""``Review``, its comments, ``Rating``, and who looked at a recording.

A review is one version of a verdict on an attempt, written once; only whether it counts is added later.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from proctoring.attempts.states import DECIDED, Status
from proctoring.fields import VendorJSONField
from proctoring.inbox import sealing
from proctoring.permissions import reviewed_courses, staff_courses

if TYPE_CHECKING:
    from proctoring.host import User


class ReviewStatus(models.TextChoices):
    PASSED = "passed", _("Passed")
    VIOLATION = "violation", _("Rules were violated")
    SUSPICIOUS = "suspicious", _("Suspicious")
    NOT_REVIEWED = "not_reviewed", _("Not reviewed")


class ReviewSource(models.TextChoices):
    VENDOR = "vendor", _("Vendor")
    STAFF = "staff", _("Staff")


def review_status_choices() -> list[tuple[str, Any]]:
    return ReviewStatus.choices


def review_source_choices() -> list[tuple[str, Any]]:
    return ReviewSource.choices


def believed_moment(stated: datetime, arrivals: Iterable[datetime]) -> datetime:
    """When a vendor made a statement, by our clock: what is compared with the moment of a person's decision here.

    ``arrivals``: its own, and those of the vendor's statements that are dated like it or later. Before each of them it
    was made, however far ahead the vendor's clock is. So a vendor's statements have among people's decisions the order
    that they have among themselves, which is that of the vendor's dates alone.
    """
    return min(stated, *arrivals)


def video_context(attempt_id: int) -> str:
    """What the address of a recording is sealed for: copied to another attempt's review it cannot be read."""
    return f"video of attempt {attempt_id}"


class ReviewQuerySet(models.QuerySet["Review"]):
    def visible_to(self, user: User) -> ReviewQuerySet:
        """Those of the courses that one reviews or is staff of, but not about one's own attempts."""
        course = "attempt__exam__course_id"
        rows = self.filter(reviewed_courses(user, course) | staff_courses(user, course))
        return rows if user.is_superuser else rows.exclude(attempt__user=user.pk)

    def for_reading(self) -> ReviewQuerySet:
        """With all that a representation needs, in two statements; ``is_current`` can be asked of such rows only."""
        applied = self.model.objects.filter(attempt=OuterRef("attempt"), applied_at__isnull=False)
        later = applied.filter(
            Q(applied_at__gt=OuterRef("applied_at")) | Q(applied_at=OuterRef("applied_at"), pk__gt=OuterRef("pk"))
        )
        rows = self.select_related("attempt__exam", "author").prefetch_related("comments").defer("payload")
        return rows.annotate(overruled=Exists(later))


class Review(models.Model):
    attempt = models.ForeignKey(
        "proctoring.Attempt", verbose_name=_("attempt"), on_delete=models.PROTECT, related_name="reviews"
    )
    status = models.CharField(_("status"), max_length=20, choices=review_status_choices)
    source = models.CharField(_("source"), max_length=20, choices=review_source_choices, default=ReviewSource.VENDOR)
    reviewed_by = models.CharField(_("reviewed by"), max_length=255, blank=True)
    """As the vendor names them; whether that is believed shows in the attempt's history."""
    payload = VendorJSONField(_("payload"))
    """The vendor's own data with links to videos replaced."""
    sha256 = models.CharField(max_length=64, blank=True, editable=False)
    """Of what the vendor said, as it is kept. By it the same review is known when it comes again, also when its words
    have been kept long enough and are gone. Empty: a person's."""
    author = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("decided by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    """The account that answers for it: a person here, or the vendor's reviewer where they may review."""
    note = models.TextField(_("message"), blank=True)
    """A person's reason."""
    sealed_video_url = models.BinaryField(default=b"", editable=False)
    """Encrypted; read through ``video_url``."""
    occurred_at = models.DateTimeField(_("decided at"))
    """The vendor's timestamp: the newest one counts, whenever it arrived."""
    received_at = models.DateTimeField(_("received at"))
    applied_at = models.DateTimeField(_("applied at"), null=True, blank=True)
    not_applied_reason = models.CharField(_("not applied because"), max_length=40, blank=True)
    message = models.ForeignKey(
        "proctoring.WebhookMessage",
        verbose_name=_("message"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="reviews",
    )

    history = HistoricalRecords(history_change_reason_field=models.TextField(null=True))
    objects = ReviewQuerySet.as_manager()

    class Meta:
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        ordering = ("-occurred_at", "-pk")
        indexes = (models.Index(fields=("not_applied_reason", "received_at"), name="proctoring_review_waiting"),)

    def __str__(self) -> str:
        return f"{self.get_status_display()} ({self.attempt_id})"

    @property
    def has_video(self) -> bool:
        return bool(self.sealed_video_url)

    @property
    def video_url(self) -> str:
        """Where the recording is, empty where there is none. Raises ``NotConfigured`` where the key is gone.

        Nobody is shown it: ``services.open_video`` writes down who looked, and redirects there.
        """
        sealed = bytes(self.sealed_video_url)
        return sealing.unseal(sealed, context=video_context(self.attempt_id)).decode() if sealed else ""

    @property
    def is_current(self) -> bool:
        """Whether this is the review that the attempt's present verdict comes from. Wants a row of ``for_reading``."""
        if self.applied_at is None or self.overruled:  # type: ignore[attr-defined]  # an annotation
            return False
        status = self.attempt.status
        return status in DECIDED or (status == Status.ERROR and self.status == ReviewStatus.NOT_REVIEWED)


class ReviewComment(models.Model):
    """What the reviewer saw, and where in the recording: whole seconds from its beginning."""

    review = models.ForeignKey("proctoring.Review", on_delete=models.PROTECT, related_name="comments")
    start_seconds = models.PositiveIntegerField(_("from (seconds)"), null=True, blank=True)
    stop_seconds = models.PositiveIntegerField(_("to (seconds)"), null=True, blank=True)
    text = models.TextField(_("text"))
    severity = models.CharField(_("severity"), max_length=60, blank=True)
    """In the reviewer's own word."""

    class Meta:
        verbose_name = _("comment")
        verbose_name_plural = _("comments")
        ordering = ("pk",)

    def __str__(self) -> str:
        return self.text[:60]


class RatingSource(models.TextChoices):
    WEBHOOK = "webhook", _("Message")
    POLL = "poll", _("Asked")
    STAFF = "staff", _("Staff")


def rating_source_choices() -> list[tuple[str, Any]]:
    return RatingSource.choices


class RatingQuerySet(models.QuerySet["Rating"]):
    def visible_to(self, user: User) -> RatingQuerySet:
        """Those of the courses that one is staff of, but not of one's own attempts."""
        rows = self.filter(staff_courses(user, "exam__course_id"))
        return rows if user.is_superuser else rows.exclude(attempt__user=user.pk)


class Rating(models.Model):
    """How risky somebody rates an attempt. All are kept; the newest of an attempt counts."""

    attempt = models.ForeignKey("proctoring.Attempt", on_delete=models.PROTECT, related_name="ratings")
    exam = models.ForeignKey("proctoring.Exam", on_delete=models.PROTECT, related_name="+")
    """The attempt's, so that an exam's riskiest attempts are found by an index."""
    raw_value = models.CharField(_("as given"), max_length=60)
    raw_scale = models.CharField(_("scale"), max_length=60, blank=True)
    risk = models.DecimalField(_("risk"), max_digits=5, decimal_places=4)
    """0 to 1, high is risky: vendors disagree on the direction, so each states its map and the map's version."""
    mapping_version = models.CharField(_("version of the map"), max_length=40)
    source = models.CharField(_("source"), max_length=20, choices=rating_source_choices)
    by = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    rated_at = models.DateTimeField(_("rated at"))
    fetched_at = models.DateTimeField(_("fetched at"))
    is_current = models.BooleanField(_("counts"), default=True)
    message = models.ForeignKey(
        "proctoring.WebhookMessage", null=True, blank=True, on_delete=models.SET_NULL, related_name="ratings"
    )

    objects = RatingQuerySet.as_manager()

    class Meta:
        verbose_name = _("rating")
        verbose_name_plural = _("ratings")
        ordering = ("-pk",)
        constraints = (
            models.CheckConstraint(condition=Q(risk__gte=0, risk__lte=1), name="proctoring_rating_risk"),
            models.UniqueConstraint(
                fields=("attempt", "source", "rated_at", "raw_value"), name="proctoring_rating_once"
            ),
        )
        indexes = (models.Index(fields=("exam", "is_current", "-risk"), name="proctoring_rating_riskiest"),)

    def __str__(self) -> str:
        return f"{self.risk}"


class VideoView(models.Model):
    """Somebody was sent to a recording."""

    review = models.ForeignKey("proctoring.Review", on_delete=models.PROTECT, related_name="views")
    by = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    at = models.DateTimeField(_("at"))

    class Meta:
        verbose_name = _("look at a recording")
        verbose_name_plural = _("looks at recordings")
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"
