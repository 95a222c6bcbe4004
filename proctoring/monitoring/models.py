"""``Presence`` of a candidate's page, the ``SeenAddress``es it came from, and the ``Command``s that it carries out."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings as django_settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from proctoring.attempts.states import TICKING
from proctoring.conf import settings
from proctoring.fields import ExactCharField
from proctoring.logs.streams import Sent
from proctoring.monitoring.quality import Quality, State


def state_choices() -> list[tuple[str, Any]]:
    return State.choices


def quality_choices() -> list[tuple[str, Any]]:
    return Quality.choices


class PresenceQuerySet(models.QuerySet["Presence"]):
    def silent(self, now: datetime) -> PresenceQuerySet:
        """Those whose silence has become too long while the candidate's clock runs, and nothing has come of it yet."""
        silent = self.filter(lost_at_ms__lte=milliseconds(now), attempt__outage_since=None)
        return silent.filter(attempt__status__in=TICKING)


class Presence(models.Model):
    """When the page of an attempt was last heard of. A heartbeat changes this row alone (``beating.py``)."""

    attempt = models.OneToOneField(
        "proctoring.Attempt",
        verbose_name=_("attempt"),
        primary_key=True,
        on_delete=models.PROTECT,
        related_name="presence",
    )
    last_seen_at = models.DateTimeField(_("last seen at"))
    interval_seconds = models.PositiveIntegerField(_("interval (seconds)"))
    """The exam's, as the page was told."""
    lost_at_ms = models.BigIntegerField(null=True, editable=False)
    """From when silence counts as loss, in milliseconds since 1970; null where nobody waits any more.

    A number, because each heartbeat moves it by the row's own interval, and only whole numbers are added up in the
    same way on every database.
    """
    late_at_ms = models.BigIntegerField(null=True, editable=False)
    """From when it is conspicuous, in the same way."""
    state = models.CharField(_("state"), max_length=10, choices=state_choices, default=State.ONLINE)
    """``online`` or ``lost``, as noticed; ``state_at`` knows what a reader must see."""
    lost_since = models.DateTimeField(_("lost since"), null=True, blank=True)
    ip = models.GenericIPAddressField(_("address"), null=True, blank=True)
    user_agent = models.CharField(_("browser"), max_length=400, blank=True)
    clock_offset_ms = models.BigIntegerField(_("clock offset (ms)"), default=0)
    """So much is the page's clock ahead of ours."""
    round_trip_ms = models.PositiveIntegerField(_("round trip (ms)"), null=True, blank=True)
    quality = models.CharField(_("connection"), max_length=10, choices=quality_choices, default=Quality.UNKNOWN)
    page_events = models.PositiveBigIntegerField(_("events from the page"), default=0, editable=False)
    """So many have arrived, repeated and refused ones too."""
    stream = ExactCharField(max_length=64, default="", editable=False)
    """That of the last of them,"""
    last_at_ms = models.BigIntegerField(default=0, editable=False)
    """and up to when the log has it, in milliseconds since 1970,"""
    last_sequence = models.BigIntegerField(default=0, editable=False)
    """and number."""
    ordered_from_ms = models.BigIntegerField(default=0, editable=False)
    ordered_after = models.BigIntegerField(default=0, editable=False)
    """The two of the stream with which the newest batch began, before it came: what follows in it lies behind them."""

    objects = PresenceQuerySet.as_manager()

    class Meta:
        verbose_name = _("presence")
        verbose_name_plural = _("presences")
        indexes = (models.Index(fields=("lost_at_ms",), name="proctoring_presence_silent"),)

    def __str__(self) -> str:
        return f"{self.attempt_id}: {self.get_state_display()}"

    @property
    def clock_offset(self) -> timedelta:
        return timedelta(milliseconds=self.clock_offset_ms)

    @property
    def is_full(self) -> bool:
        """Whether no more events of the page are kept."""
        return self.page_events >= settings.page_max_events

    def state_at(self, now: datetime) -> State:
        """What a reader must see, whether or not a sweep has been here."""
        if self.state == State.LOST or self.lost_at_ms is None:
            return State(self.state)
        if milliseconds(now) >= self.lost_at_ms:
            return State.LOST
        return State.LATE if self.late_at_ms and milliseconds(now) >= self.late_at_ms else State.ONLINE

    def note_events(self, sent: Sent | None, *, now: datetime) -> None:
        """In memory: these came from the page, whose clock is measured. As ``beating.py`` says it to the database."""
        if sent is not None:
            begins, ends = self.stream == sent.begins, self.stream == sent.ends
            self.ordered_from_ms, self.ordered_after = (self.last_at_ms, self.last_sequence) if begins else (0, 0)
            latest_ms = min(milliseconds(now) + 1, sent.latest_ms - self.clock_offset_ms)
            self.last_at_ms = max(self.last_at_ms if ends else 0, latest_ms)
            self.last_sequence = max(self.last_sequence if ends else 0, sent.last_sequence)
            self.stream = sent.ends
            self.page_events += sent.count

    def expect_next(self, now: datetime, *, stretch: int) -> None:
        """In memory: heard of now, and told to beat again after its interval, ``stretch`` times as long."""
        self.last_seen_at = now
        patience = patience_ms(stretch)
        self.late_at_ms = milliseconds(now) + self.interval_seconds * patience // 2
        self.lost_at_ms = milliseconds(now) + self.interval_seconds * patience


class SeenAddress(models.Model):
    """An address from which the page of an attempt was heard. One that is used by several candidates shows here, and
    so does an attempt that changed its own."""

    attempt = models.ForeignKey("proctoring.Attempt", on_delete=models.PROTECT, related_name="addresses")
    exam = models.ForeignKey("proctoring.Exam", on_delete=models.PROTECT, related_name="+", db_index=False)
    ip = models.GenericIPAddressField(_("address"))
    first_seen_at = models.DateTimeField(_("first seen at"))

    class Meta:
        verbose_name = _("address")
        verbose_name_plural = _("addresses")
        constraints = (models.UniqueConstraint(fields=("attempt", "ip"), name="proctoring_address_once"),)
        indexes = (models.Index(fields=("exam", "ip"), name="proctoring_address_shared"),)

    def __str__(self) -> str:
        return self.ip


class CommandKind(models.TextChoices):
    MESSAGE = "message", _("Message")
    PAUSE = "pause", _("Pause")
    RESUME = "resume", _("Resume")
    EXTEND = "extend", _("Extra time")
    TERMINATE = "terminate", _("Terminate")
    RELOAD = "reload", _("Load the page again")


def command_kind_choices() -> list[tuple[str, Any]]:
    return CommandKind.choices


class Command(models.Model):
    """What a candidate's page is told with its next heartbeat, until it says that it has carried it out.

    What a command is about has happened at the server already: a page that never answers is paused all the same.
    """

    attempt = models.ForeignKey(
        "proctoring.Attempt", verbose_name=_("attempt"), on_delete=models.PROTECT, related_name="commands"
    )
    kind = models.CharField(_("kind"), max_length=20, choices=command_kind_choices)
    text = models.TextField(_("text"), blank=True)
    minutes = models.IntegerField(_("minutes"), null=True, blank=True)
    by = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    sent_at = models.DateTimeField(_("sent at"))
    seen_at = models.DateTimeField(_("seen at"), null=True, blank=True)
    applied_at = models.DateTimeField(_("applied at"), null=True, blank=True)

    class Meta:
        verbose_name = _("command")
        verbose_name_plural = _("commands")
        ordering = ("pk",)
        indexes = (models.Index(fields=("attempt", "applied_at"), name="proctoring_command_waiting"),)

    def __str__(self) -> str:
        return str(self.get_kind_display())


def page_in_state(state: State, now: datetime, prefix: str = "") -> Q:
    """The rows whose page a reader must see in this state, as ``Presence.state_at`` says; ``prefix`` is the way to
    them."""
    now_ms = milliseconds(now)
    lost = Q(**{f"{prefix}state": State.LOST}) | Q(**{f"{prefix}lost_at_ms__lte": now_ms})
    if state == State.LOST:
        return lost
    there = Q(**{f"{prefix}state": State.ONLINE, f"{prefix}lost_at_ms__gt": now_ms})
    late = Q(**{f"{prefix}late_at_ms__lte": now_ms})
    return there & late if state == State.LATE else there & ~late


def patience_ms(stretch: int) -> int:
    """How long nothing may be heard, for each second of the interval: half of it is late, all of it is lost."""
    return 1000 * settings.heartbeat_lost_after * stretch


def milliseconds(moment: datetime) -> int:
    """Since 1970."""
    return int(moment.timestamp() * 1000)
