"""``Event``: one fact about an exam or an attempt. Stored once, read in three ways, never changed.

``Seal``: that a log was as it is. ``EvidenceCopy``: who took one away.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NoReturn

from django.conf import settings as django_settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from proctoring.fields import ExactCharField
from proctoring.logs.event_types import EVENT_TYPES, FIRST_OWN, EventType, Severity
from proctoring.verify.merkle import ALGORITHM, HASH_BYTES, SALT_BYTES, actor_hash

if TYPE_CHECKING:
    BinaryField = models.BinaryField[Any, Any]
else:
    BinaryField = models.BinaryField

MAX_TEXT = 4000
"""Characters of a reason or an error."""

PLACE = struct.Struct(f">q{HASH_BYTES}s")
"""An event's key and its leaf, as a seal keeps them."""


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


def new_salt() -> bytes:
    return secrets.token_bytes(SALT_BYTES)


class ActorHashField(BinaryField):
    """Made of ``actor_user`` and ``salt`` whenever a row is inserted, one by one or many at once."""

    def pre_save(self, model_instance: Any, add: bool) -> bytes | None:
        if add and model_instance.actor_user_id is not None and model_instance.salt is not None:
            made = actor_hash(bytes(model_instance.salt), str(model_instance.actor_user_id))
            setattr(model_instance, self.attname, made)
        kept: bytes | None = super().pre_save(model_instance, add)
        return kept

    def deconstruct(self) -> Any:
        """For migrations it is a column like any other."""
        name, _path, args, kwargs = super().deconstruct()
        return name, "django.db.models.BinaryField", args, kwargs


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
    salt = models.BinaryField(null=True, default=new_salt, editable=False)
    """Keeps what is personal from being guessed from its hash. Goes with what is personal."""
    personal_hash = models.BinaryField(null=True, editable=False)
    """Of what was personal, since it was emptied: with it the event's leaf still follows (``sealing.py``)."""
    actor_hash = ActorHashField(null=True, editable=False)
    """Of who acted. The account is the LMS's, which may delete it: the leaf must not change then."""

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


class WriteOnceQuerySet(models.QuerySet[Any]):
    def update(self, **kwargs: Any) -> NoReturn:
        raise TypeError("What proves something is never changed.")

    def delete(self) -> NoReturn:
        raise TypeError("What proves something is never deleted.")

    def bulk_update(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("What proves something is never changed.")


class WriteOnce(models.Model):
    objects = WriteOnceQuerySet.as_manager()

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("What proves something is never changed.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("What proves something is never deleted.")


class Seal(WriteOnce):
    """The root over some events of an attempt, and over the seal before it. ``sealing.py`` makes them."""

    attempt = models.ForeignKey(
        "proctoring.Attempt", verbose_name=_("attempt"), on_delete=models.PROTECT, related_name="seals", db_index=False
    )
    number = models.PositiveIntegerField(_("number"))
    """1, 2, … in its attempt."""
    algorithm = models.PositiveSmallIntegerField(_("algorithm"), default=ALGORITHM)
    previous_root = models.CharField(_("root before"), max_length=64, blank=True)
    root = models.CharField(_("root"), max_length=64)
    count = models.PositiveIntegerField(_("events"))
    first_event = models.BigIntegerField(_("first event"))
    last_event = models.BigIntegerField(_("last event"))
    """Keys, not relations: a seal outlives whatever becomes of its events."""
    sealed_at = models.DateTimeField(_("sealed at"))
    packed_places = models.BinaryField(editable=False)
    """Key and leaf of each event, in their order. The root follows from it; with the root alone nobody could say which
    event was altered, or that one is missing."""

    class Meta:
        verbose_name = _("seal")
        verbose_name_plural = _("seals")
        ordering = ("attempt", "number")
        constraints = (models.UniqueConstraint(fields=("attempt", "number"), name="proctoring_seal_once"),)

    def __str__(self) -> str:
        return f"#{self.number} {self.root[:16]}"

    def places(self) -> Iterator[tuple[int, bytes]]:
        """Key and leaf of each event."""
        yield from PLACE.iter_unpack(bytes(self.packed_places))


class EvidenceCopy(WriteOnce):
    """Somebody was handed an attempt's evidence."""

    attempt = models.ForeignKey(
        "proctoring.Attempt", verbose_name=_("attempt"), on_delete=models.PROTECT, related_name="evidence_copies"
    )
    by = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    at = models.DateTimeField(_("at"))
    sha256 = models.CharField(_("SHA-256 of the manifest"), max_length=64)
    """By it a copy that turns up somewhere is known."""

    class Meta:
        verbose_name = _("copy of evidence")
        verbose_name_plural = _("copies of evidence")
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M}"
