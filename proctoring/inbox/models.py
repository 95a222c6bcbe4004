"""``WebhookMessage``: a message whose sender is proven, as it came."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from proctoring.inbox import sealing


class MessageStatus(models.TextChoices):
    RECEIVED = "received", _("Received")
    PROCESSED = "processed", _("Processed")
    IGNORED = "ignored", _("Ignored: nothing to change")
    FAILED = "failed", _("Failed")
    QUARANTINED = "quarantined", _("Quarantined: not understood")


def message_status_choices() -> list[tuple[str, Any]]:
    return MessageStatus.choices


class MessageQuerySet(models.QuerySet["WebhookMessage"]):
    def claimable(self, now: datetime) -> MessageQuerySet:
        """Waiting, due, and not held by a worker."""
        return self.filter(
            Q(claimed_until__isnull=True) | Q(claimed_until__lte=now),
            status__in=(MessageStatus.RECEIVED, MessageStatus.FAILED),
            next_try_at__lte=now,
        )


class WebhookMessage(models.Model):
    backend = models.CharField(_("backend"), max_length=100)
    delivery_id = models.CharField(_("vendor's delivery id"), max_length=255)
    sha256 = models.CharField(_("SHA-256 of the body"), max_length=64)
    sealed_body = models.BinaryField(editable=False)
    """The raw bytes, encrypted; read through ``body``."""
    headers = models.JSONField(_("headers"), default=dict)
    received_at = models.DateTimeField(_("received at"))
    attempt = models.ForeignKey(
        "proctoring.Attempt",
        verbose_name=_("attempt"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="messages",
    )
    """Whom it is about, once that is known: erasure blanks the bodies of a person's messages."""
    blanked_at = models.DateTimeField(_("body blanked at"), null=True, blank=True)
    sent_at = models.DateTimeField(_("happened at"), null=True, blank=True)
    """The vendor's timestamp inside the body: what the order of messages goes by."""
    type = models.CharField(_("type"), max_length=100, blank=True)
    status = models.CharField(
        _("status"), max_length=20, choices=message_status_choices, default=MessageStatus.RECEIVED
    )
    tries = models.PositiveIntegerField(_("tries"), default=0)
    next_try_at = models.DateTimeField(_("next try at"), null=True, blank=True)
    waits_for = models.CharField(_("waits for the id"), max_length=255, blank=True)
    give_up_at = models.DateTimeField(null=True, blank=True)
    """Until when it may wait for an id that is not stored yet."""
    claimed_until = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=64, blank=True)
    error = models.TextField(_("error"), blank=True)
    processed_at = models.DateTimeField(_("processed at"), null=True, blank=True)

    objects = MessageQuerySet.as_manager()

    class Meta:
        verbose_name = _("webhook message")
        verbose_name_plural = _("webhook messages")
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(fields=("backend", "delivery_id", "sha256"), name="proctoring_message_once"),
        )
        indexes = (
            # In the order in which they are claimed. What is settled has no next try.
            models.Index(fields=("next_try_at", "id"), name="proctoring_message_due"),
            models.Index(fields=("waits_for", "backend"), name="proctoring_message_waits"),
        )

    def __str__(self) -> str:
        return f"{self.backend}: {self.type or self.delivery_id}"

    @property
    def body(self) -> bytes:
        """The raw bytes as they were signed, empty once blanked. Raises ``NotConfigured`` where the key is gone."""
        if self.blanked_at is not None:
            return b""
        return sealing.unseal(bytes(self.sealed_body), context=self.sha256)


class SweepCursor(models.Model):
    """Where the reading of a vendor's list stands, so that a sweep goes on where the last one had to stop."""

    name = models.CharField(_("list"), max_length=100)
    backend = models.CharField(_("backend"), max_length=100)
    position = models.CharField(_("position"), max_length=500, blank=True)
    """As the vendor names it; empty: at the beginning."""
    claimed_until = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(_("read to its end at"), null=True, blank=True)
    last_error = models.TextField(_("last error"), blank=True)

    class Meta:
        verbose_name = _("sweep")
        verbose_name_plural = _("sweeps")
        constraints = (models.UniqueConstraint(fields=("name", "backend"), name="proctoring_sweep_once"),)

    def __str__(self) -> str:
        return f"{self.name} ({self.backend})"
