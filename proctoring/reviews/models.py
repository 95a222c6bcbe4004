"""``Review``: one version of a verdict on an attempt. Written once; only whether it counts is added later."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from proctoring.fields import VendorJSONField


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

    class Meta:
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        ordering = ("-occurred_at", "-pk")
        indexes = (models.Index(fields=("not_applied_reason", "received_at"), name="proctoring_review_waiting"),)

    def __str__(self) -> str:
        return f"{self.get_status_display()} ({self.attempt_id})"

    @property
    def effective_at(self) -> datetime:
        """What the order goes by: the vendor's word, but a clock that is ahead must not rule for years."""
        return min(self.occurred_at, self.received_at)
