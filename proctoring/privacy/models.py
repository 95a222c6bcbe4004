"""``Pseudonym``, ``LegalHold`` and ``DeletionCertificate``."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class Pseudonym(models.Model):
    """The id under which one vendor knows one person. It outlives a rotation of the keys until it is renewed."""

    user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL, verbose_name=_("person"), on_delete=models.CASCADE, related_name="+"
    )
    backend = models.CharField(_("backend"), max_length=100)
    value = models.CharField(_("vendor's id of the person"), max_length=64)
    key_id = models.CharField(_("key"), max_length=16)
    """The beginning of the key's own hash: which key of ``PSEUDONYM_KEYS`` made it."""
    created_at = models.DateTimeField(_("created at"))
    retired_at = models.DateTimeField(_("retired at"), null=True, blank=True)
    """Since when it is only kept until the vendor has forgotten it."""
    current_slot = models.PositiveSmallIntegerField(null=True, default=1, editable=False)
    """1 for the id in use, null for retired ones: unique with person and backend."""

    class Meta:
        verbose_name = _("pseudonymous id")
        verbose_name_plural = _("pseudonymous ids")
        constraints = (
            models.UniqueConstraint(fields=("user", "backend", "current_slot"), name="proctoring_pseudonym_current"),
            models.UniqueConstraint(fields=("backend", "value"), name="proctoring_pseudonym_once"),
        )

    def __str__(self) -> str:
        return f"{self.backend}: {self.value[:8]}…"


class LegalHold(models.Model):
    """While it is in force nothing of its person, or of its course, is erased or outlives its retention in vain."""

    user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("person"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
    )
    course_id = models.CharField(_("course"), max_length=255, blank=True)
    reason = models.TextField(_("reason"))
    placed_by = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("placed by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    placed_at = models.DateTimeField(_("placed at"))
    released_at = models.DateTimeField(_("released at"), null=True, blank=True)
    released_by = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("released by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )

    class Meta:
        verbose_name = _("legal hold")
        verbose_name_plural = _("legal holds")
        ordering = ("-pk",)
        permissions = (("handle_personal_data", "Is a privacy officer (default host)"),)
        constraints = (
            models.CheckConstraint(
                condition=Q(user__isnull=False) | ~Q(course_id=""), name="proctoring_legal_hold_of_something"
            ),
        )

    def __str__(self) -> str:
        return f"#{self.pk}"


class CertificateKind(models.TextChoices):
    ERASURE = "erasure", _("Erasure of a person")
    RETENTION = "retention", _("End of retention")


def certificate_kind_choices() -> list[tuple[str, Any]]:
    return CertificateKind.choices


class DeletionCertificate(models.Model):
    """What was deleted, when and by whom, without saying whose it was: ``subject`` is a keyed hash of the person."""

    kind = models.CharField(_("kind"), max_length=20, choices=certificate_kind_choices)
    subject = models.CharField(_("subject"), max_length=64, blank=True)
    reason = models.TextField(_("reason"), blank=True)
    """In the words of the person who asked for it, without the names of the person it was about."""
    counts = models.JSONField(_("rows"), default=dict)
    """Model → how many of its rows were changed or deleted, history included."""
    unclear = models.JSONField(_("unclear places"), default=dict)
    """Model → in how many places a word was left that may mean the person, or somebody else of that name."""
    vendors = models.JSONField(_("vendors told"), default=list)
    made_at = models.DateTimeField(_("made at"))
    made_by = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("made by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    digest = models.CharField(_("SHA-256"), max_length=64)
    """Over all of the above except ``made_by``, whose account may go: a certificate that was altered shows."""

    class Meta:
        verbose_name = _("deletion certificate")
        verbose_name_plural = _("deletion certificates")
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.made_at:%Y-%m-%d}"
