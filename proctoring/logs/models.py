"""``Event``: one fact about an exam or an attempt. Stored once, read in three ways, never changed."""

from __future__ import annotations

from typing import Any, NoReturn

from django.conf import settings as django_settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from proctoring.fields import ExactCharField
from proctoring.logs.event_types import EVENT_TYPES, FIRST_OWN, EventType, Severity

MAX_TEXT = 4000
"""Characters of a reason or an error."""


class EventActor(models.TextChoices):
    """Who did it, in the words of the Assessment Control Service's log; ``vendor`` where a vendor's machine speaks."""

    TEST_TAKER = "test-taker", _("Candidate")
    PROCTOR = "proctor", _("Proctor")
    SYSTEM = "system", _("System")
    DELIVER_FE = "deliver-fe", _("Candidate's page")
    VENDOR = "vendor", _("Vendor")


def actor_choices() -> list[tuple[str, Any]]:
    return EventActor.choices


def severity_choices() -> list[tuple[str, Any]]:
    return [(one.value, one.value) for one in Severity]


class EventQuerySet(models.QuerySet["Event"]):
    """Events are written and read. What age or erasure empties goes past this, through the base manager."""

    def update(self, **kwargs: Any) -> NoReturn:
        raise TypeError("Events are never changed.")

    def delete(self) -> NoReturn:
        raise TypeError("Events are never deleted.")

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Events are never changed.")


class Event(models.Model):
    exam = models.ForeignKey("proctoring.Exam", on_delete=models.PROTECT, related_name="+", db_index=False)
    attempt = models.ForeignKey(
        "proctoring.Attempt",
        verbose_name=_("attempt"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="events",
        db_index=False,
    )
    type = models.PositiveIntegerField(_("type"))
    """An id of ``event_types.py``, or one that is not known here (yet)."""
    actor = models.CharField(_("actor"), max_length=20, choices=actor_choices)
    actor_user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
    )
    occurred_at = models.DateTimeField(_("happened at"))
    """By the clock of whoever reports it."""
    received_at = models.DateTimeField(_("received at"))
    """By ours."""
    at = models.DateTimeField(_("at"))
    """What the reading order goes by: ``occurred_at`` where that can be believed."""
    stream = models.CharField(_("stream"), max_length=64, blank=True)
    sequence = models.PositiveBigIntegerField(_("sequence"), null=True, blank=True)
    """Counts within its stream, one load of a page: a number that is missing is an event that is missing."""
    message_id = ExactCharField(_("message id"), max_length=64)
    severity = models.CharField(_("severity"), max_length=10, choices=severity_choices)
    status = models.CharField(_("attempt's status"), max_length=40, blank=True)
    """After what happened."""
    reason_code = models.PositiveIntegerField(_("reason"), null=True, blank=True)
    reason_message = models.TextField(_("reason in words"), blank=True)
    extra_minutes = models.IntegerField(_("extra minutes"), null=True, blank=True)
    item_id = models.CharField(_("item"), max_length=255, blank=True)
    question_number = models.PositiveIntegerField(_("question"), null=True, blank=True)
    error = models.TextField(_("error"), blank=True)
    ip = models.GenericIPAddressField(_("address"), null=True, blank=True)
    user_agent = models.CharField(_("browser"), max_length=400, blank=True)
    data = models.JSONField(_("data"), default=dict, blank=True)
    backend = models.CharField(_("backend"), max_length=100, blank=True)

    objects = EventQuerySet.as_manager()

    class Meta:
        verbose_name = _("event")
        verbose_name_plural = _("events")
        ordering = ("-at", "-pk")
        permissions = (
            ("view_candidate_log", "Reads the logs of every course (default host)"),
            ("record_lms_events", "Is the server of an LMS, which reports events (default host)"),
        )
        constraints = (models.UniqueConstraint(fields=("attempt", "message_id"), name="proctoring_event_once"),)
        indexes = (
            models.Index(fields=("attempt", "at", "id"), name="proctoring_event_attempt"),
            models.Index(fields=("exam", "at", "id"), name="proctoring_event_exam"),
        )

    def __str__(self) -> str:
        return str(self.known.label) if self.known else str(_("Unknown event %s") % self.type)

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("Events are never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("Events are never deleted.")

    @property
    def known(self) -> EventType | None:
        """None for a vendor's id that is not known here: it is shown as unknown."""
        return EVENT_TYPES.get(self.type)

    @property
    def is_vendors(self) -> bool:
        return self.type < FIRST_OWN
