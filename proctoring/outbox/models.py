"""``Delivery``, a promised call; ``Circuit``, whether calls to a vendor make sense at the moment."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _


class DeliveryKind(models.TextChoices):
    VENDOR = "vendor", _("Vendor")
    HOST = "host", _("LMS")
    MAIL = "mail", _("Mail")


class Operation(models.TextChoices):
    """What a delivery does. ``exchange/deliveries.py`` knows how."""

    REGISTER_EXAM = "register_exam", _("Register the exam")
    REGISTER_ATTEMPT = "register_attempt", _("Register the attempt")
    FETCH_LAUNCH = "fetch_launch", _("Ask how the candidate begins")
    REPORT_STARTED = "report_started", _("Report the start")
    REPORT_SUBMITTED = "report_submitted", _("Report the end")
    REPORT_ERROR = "report_error", _("Report an error")
    REMOVE_ATTEMPT = "remove_attempt", _("Drop the attempt")
    CANCEL_BOOKING = "cancel_booking", _("Cancel the booking")
    RETIRE_CANDIDATE = "retire_candidate", _("Forget the person")
    SET_CREDIT = "set_credit", _("Credit requirement")
    OVERRIDE_GRADE = "override_grade", _("Grade overridden")
    UNDO_GRADE_OVERRIDE = "undo_grade_override", _("Grade restored")
    INVALIDATE_CERTIFICATE = "invalidate_certificate", _("Certificate invalidated")
    RESTORE_CERTIFICATE = "restore_certificate", _("Certificate restored")
    COMPLETE_CONTENT = "complete_content", _("Content completed")
    RESET_LEARNER_STATE = "reset_learner_state", _("Answers reset")
    NOTIFY_SUPPORT = "notify_support", _("Support notified")
    SEND_MAIL = "send_mail", _("Mail")


class DeliveryTarget(models.TextChoices):
    EXAM = "exam", _("Exam")
    ATTEMPT = "attempt", _("Attempt")
    BOOKING = "booking", _("Booking")
    USER = "user", _("Person")


class DeliveryStatus(models.TextChoices):
    DUE = "due", _("Due")
    DONE = "done", _("Done")
    FAILED = "failed", _("Refused by the receiver")
    SUPERSEDED = "superseded", _("Superseded")
    GIVEN_UP = "given_up", _("Given up")


def kind_choices() -> list[tuple[str, Any]]:
    return DeliveryKind.choices


def operation_choices() -> list[tuple[str, Any]]:
    return Operation.choices


def target_choices() -> list[tuple[str, Any]]:
    return DeliveryTarget.choices


def delivery_status_choices() -> list[tuple[str, Any]]:
    return DeliveryStatus.choices


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def owed(self) -> DeliveryQuerySet:
        """What has not reached its receiver and is still meant to: due, refused or given up."""
        return self.filter(status__in=(DeliveryStatus.DUE, DeliveryStatus.FAILED, DeliveryStatus.GIVEN_UP))

    def claimable(self, now: datetime) -> DeliveryQuerySet:
        """Due now, not held by a worker, and first in the queue of their target.

        Deliveries of one target and topic to one receiver go in order; a question (``fetch_launch``) holds nothing
        up. One that was given up steps aside, except a registration: nothing after it would make sense to the vendor
        before a person has it repeated. One that was refused holds nothing up: what follows finds out by itself.
        """
        holds_up = (Q(status=DeliveryStatus.DUE) & ~Q(operation=Operation.FETCH_LAUNCH)) | Q(
            status=DeliveryStatus.GIVEN_UP, operation=Operation.REGISTER_ATTEMPT
        )
        earlier = self.model.objects.filter(
            holds_up,
            target=OuterRef("target"),
            target_id=OuterRef("target_id"),
            backend=OuterRef("backend"),
            topic=OuterRef("topic"),
            pk__lt=OuterRef("pk"),
        )
        return self.filter(
            Q(claimed_until__isnull=True) | Q(claimed_until__lte=now),
            ~Exists(earlier),
            status=DeliveryStatus.DUE,
            next_try_at__lte=now,
        )


class Delivery(models.Model):
    kind = models.CharField(_("kind"), max_length=20, choices=kind_choices, default=DeliveryKind.VENDOR)
    backend = models.CharField(_("backend"), max_length=100, blank=True)
    operation = models.CharField(_("operation"), max_length=40, choices=operation_choices)
    argument = models.CharField(_("with"), max_length=100, blank=True)
    """What exactly, where the operation alone does not say it: a credit status, a mail's name, a pseudonym."""
    topic = models.CharField(_("topic"), max_length=20, blank=True)
    """What it is about at a receiver of many things: those of one topic go in order, others do not wait for them."""
    target = models.CharField(_("target"), max_length=20, choices=target_choices)
    target_id = models.BigIntegerField(_("target's id"))
    key = models.CharField(_("idempotency key"), max_length=100, unique=True)
    status = models.CharField(_("status"), max_length=20, choices=delivery_status_choices, default=DeliveryStatus.DUE)
    tries = models.PositiveIntegerField(_("tries"), default=0)
    next_try_at = models.DateTimeField(_("next try at"))
    claimed_until = models.DateTimeField(_("claimed until"), null=True, blank=True)
    claimed_by = models.CharField(_("claimed by"), max_length=64, blank=True)
    last_error = models.TextField(_("last error"), blank=True)
    duration_ms = models.PositiveIntegerField(_("duration of the last call (ms)"), null=True, blank=True)
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    done_at = models.DateTimeField(_("done at"), null=True, blank=True)

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        ordering = ("-pk",)
        indexes = (
            models.Index(fields=("status", "next_try_at"), name="proctoring_delivery_due"),
            models.Index(fields=("target", "target_id", "status"), name="proctoring_delivery_target"),
        )

    def __str__(self) -> str:
        # A vendor is told no words but ids.
        what = f": {self.argument}" if self.argument and self.kind != DeliveryKind.VENDOR else ""
        return f"{self.get_operation_display()}{what} ({self.backend or self.get_kind_display()})"


class Circuit(models.Model):
    """What all workers know of a vendor's health. One row a backend."""

    backend = models.CharField(_("backend"), max_length=100, unique=True)
    failures = models.PositiveIntegerField(_("failures in a row"), default=0)
    open_until = models.DateTimeField(_("no calls before"), null=True, blank=True)
    stopped = models.BooleanField(_("stopped: the vendor refused our credentials"), default=False)
    probing_until = models.DateTimeField(null=True, blank=True)
    """While one worker tries whether the vendor is back, the others wait."""
    last_error = models.TextField(_("last error"), blank=True)
    last_success_at = models.DateTimeField(_("last success at"), null=True, blank=True)
    unverified = models.PositiveBigIntegerField(_("webhooks that were not verified"), default=0)
    last_unverified_at = models.DateTimeField(_("last one at"), null=True, blank=True)

    class Meta:
        verbose_name = _("vendor connection")
        verbose_name_plural = _("vendor connections")
        ordering = ("backend",)

    def __str__(self) -> str:
        return self.backend

    def state(self, now: datetime) -> str:
        """``closed`` (calls go out), ``open`` (they wait), ``half_open`` (the next one is a trial) or ``stopped``
        (they wait until a person says that the credentials were mended)."""
        if self.stopped:
            return "stopped"
        if self.open_until is None:
            return "closed"
        return "open" if self.open_until > now else "half_open"
