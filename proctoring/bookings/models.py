"""``BookingPlan``, ``Booking``, ``LiveSession``, ``BookingLogEntry``: who watches whom, when, and how it came about."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from proctoring.bookings.doctor import ADVICE, Advice
from proctoring.bookings.log_codes import LOG_CODES
from proctoring.bookings.states import CHECKED, Status
from proctoring.exams.models import ExamStatus
from proctoring.inbox import sealing
from proctoring.permissions import booked_courses

if TYPE_CHECKING:
    from proctoring.host import User


class Selection(models.TextChoices):
    ENROLLED = "enrolled", _("Everybody enrolled")
    LISTED = "listed", _("Named one by one")


class RatingState(models.TextChoices):
    NONE = "none", _("Not rated")
    ANNOUNCED = "announced", _("There is a rating to be fetched")
    RATED = "rated", _("Rated")
    ABANDONED = "abandoned", _("A rating was dropped")
    FAILED = "failed", _("The rating could not be fetched")


def booking_status_choices() -> list[tuple[str, Any]]:
    return Status.choices


def selection_choices() -> list[tuple[str, Any]]:
    return Selection.choices


def rating_state_choices() -> list[tuple[str, Any]]:
    return RatingState.choices


def new_reference() -> str:
    return uuid.uuid4().hex


def _acted(label: Any) -> models.ForeignKey[Any, Any]:
    return models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=label,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )


CHURNING = ["claimed_until", "claimed_by", "send_tries", "next_send_at", "check_count", "next_check_at", "last_error"]
"""Columns of a booking that workers write at every try: no facts, and no versions of the history."""


class BookingPlan(models.Model):
    """What a planner asked for in one go; more candidates than the vendor takes at once make several bookings of it."""

    exam = models.ForeignKey("proctoring.Exam", on_delete=models.PROTECT, related_name="booking_plans")
    reference = models.CharField(max_length=32, unique=True, default=new_reference, editable=False)
    """With the number of the part: what the vendor knows a booking by before it has given an id of its own."""
    selection = models.CharField(_("candidates"), max_length=20, choices=selection_choices)
    replaces = models.ForeignKey(
        "self", null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="replaced_by"
    )
    created_by = _acted(_("planned by"))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)

    class Meta:
        verbose_name = _("booking plan")
        verbose_name_plural = _("booking plans")
        ordering = ("-pk",)

    def __str__(self) -> str:
        return f"{self.exam} ({self.pk})"


class BookingQuerySet(models.QuerySet["Booking"]):
    def visible_to(self, user: User) -> BookingQuerySet:
        """Those of the courses for which the person plans, or sits at the service desk."""
        return self.filter(booked_courses(user, "exam__course_id"))

    def due_to_send(self, now: datetime) -> BookingQuerySet:
        """Scheduled, due, and not held by a worker."""
        return self.filter(_free(now), status=Status.SCHEDULED, next_send_at__lte=now)

    def due_to_check(self, now: datetime) -> BookingQuerySet:
        """Waiting for an answer, or confirmed and to be looked at again; due, and not held by a worker."""
        return self.filter(_free(now), status__in=CHECKED, next_check_at__lte=now)


def _free(now: datetime) -> Q:
    return Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)


class Booking(models.Model):
    exam = models.ForeignKey(
        "proctoring.Exam", verbose_name=_("exam"), on_delete=models.PROTECT, related_name="bookings"
    )
    plan = models.ForeignKey(
        "proctoring.BookingPlan", verbose_name=_("plan"), on_delete=models.PROTECT, related_name="bookings"
    )
    part = models.PositiveIntegerField(_("part"), default=1)
    backend = models.CharField(_("backend"), max_length=100)
    starts_at = models.DateTimeField(_("window opens"))
    ends_at = models.DateTimeField(_("window closes"))
    extra_minutes = models.PositiveIntegerField(_("extra time (minutes)"), default=0)
    """The most that one of its candidates is allowed beyond the exam's time."""
    onboarding_minutes = models.PositiveIntegerField(_("before the window (minutes)"), default=0)
    """To meet every candidate and check who they are."""
    closing_minutes = models.PositiveIntegerField(_("after the window (minutes)"), default=0)
    ratio = models.PositiveIntegerField(_("candidates to a proctor"), validators=[MinValueValidator(1)])
    status = models.CharField(_("status"), max_length=20, choices=booking_status_choices, default=Status.DRAFT)
    rejection_reason = models.CharField(_("rejected because"), max_length=100, blank=True)
    external_id = models.CharField(_("vendor's id"), max_length=255, null=True, blank=True)
    send_tries = models.PositiveIntegerField(_("tries to send"), default=0)
    next_send_at = models.DateTimeField(_("to be sent at"), null=True, blank=True)
    check_count = models.PositiveIntegerField(_("checks"), default=0)
    next_check_at = models.DateTimeField(_("next check at"), null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)
    claimed_by = models.CharField(max_length=64, blank=True)
    last_error = models.TextField(_("last error"), blank=True)
    replaces = models.ForeignKey(
        "self", null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="replaced_by"
    )
    created_by = _acted(_("planned by"))
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    modified_at = models.DateTimeField(_("modified at"), auto_now=True)

    history = HistoricalRecords(history_change_reason_field=models.TextField(null=True), excluded_fields=CHURNING)
    objects = BookingQuerySet.as_manager()

    class Meta:
        verbose_name = _("booking")
        verbose_name_plural = _("bookings")
        ordering = ("-pk",)
        permissions = (
            ("plan_bookings", "Plans bookings in every course (default host)"),
            ("confirm_booking", "Sits at the service desk for every course (default host)"),
        )
        constraints = (
            models.UniqueConstraint(fields=("plan", "part"), name="proctoring_booking_part_once"),
            models.CheckConstraint(condition=Q(ends_at__gt=F("starts_at")), name="proctoring_booking_window"),
            models.CheckConstraint(condition=Q(ratio__gte=1), name="proctoring_booking_ratio"),
        )
        indexes = (
            models.Index(fields=("status", "next_send_at"), name="proctoring_booking_to_send"),
            models.Index(fields=("status", "next_check_at"), name="proctoring_booking_to_check"),
            # Not unique: a booking that "exists already" at the vendor is one that another row here may have made.
            models.Index(fields=("backend", "external_id"), name="proctoring_booking_external"),
            models.Index(fields=("starts_at",), name="proctoring_booking_starts"),
        )

    def __str__(self) -> str:
        return f"{self.exam} ({self.plan_id}-{self.part})"

    @property
    def reference(self) -> str:
        """What the vendor knows the booking by. Wants ``plan`` loaded."""
        return f"{self.plan.reference}-{self.part}"

    @property
    def reserved_from(self) -> datetime:
        """From when the vendor's proctors are needed."""
        return self.starts_at - timedelta(minutes=self.onboarding_minutes)

    @property
    def reserved_until(self) -> datetime:
        return self.ends_at + timedelta(minutes=self.extra_minutes + self.closing_minutes)

    @property
    def advice(self) -> Advice | None:
        """What to do about a rejection."""
        return ADVICE.get(self.rejection_reason) if self.status == Status.REJECTED else None


class LiveSession(models.Model):
    """One candidate of a booking, and the room in which they meet their proctor."""

    booking = models.ForeignKey("proctoring.Booking", on_delete=models.PROTECT, related_name="sessions")
    exam = models.ForeignKey("proctoring.Exam", on_delete=models.PROTECT, related_name="+")
    """The booking's, so that a candidate's sessions at an exam are found by an index."""
    user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("candidate"),
        on_delete=models.PROTECT,
        related_name="proctoring_sessions",
    )
    candidate_number = models.PositiveIntegerField(_("candidate number"))
    """Within the plan, so that no two candidates of its bookings share one."""
    attempt = models.ForeignKey(
        "proctoring.Attempt",
        verbose_name=_("attempt"),
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="sessions",
    )
    """Which attempt it was, once that is asked."""
    backend = models.CharField(_("backend"), max_length=100)
    external_id = models.CharField(_("vendor's id"), max_length=255, null=True, blank=True)
    sealed_join_url = models.BinaryField(default=b"", editable=False)
    """Encrypted: whoever has it can enter as the candidate. Read through ``join_url``."""
    joined_at = models.DateTimeField(_("joined at"), null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True)
    """The vendor's timestamp of what is written here: older news change nothing."""
    rating_state = models.CharField(_("rating"), max_length=20, choices=rating_state_choices, default=RatingState.NONE)
    next_rating_at = models.DateTimeField(_("rating to be fetched at"), null=True, blank=True)
    rating_tries = models.PositiveIntegerField(_("tries to fetch the rating"), default=0)
    rated_at = models.DateTimeField(null=True, blank=True)
    """When the vendor gave the last rating that was stored or dropped: its list shows the same row again."""

    class Meta:
        verbose_name = _("live session")
        verbose_name_plural = _("live sessions")
        ordering = ("booking", "candidate_number")
        constraints = (
            models.UniqueConstraint(fields=("booking", "candidate_number"), name="proctoring_session_number_once"),
            models.UniqueConstraint(fields=("booking", "user"), name="proctoring_session_person_once"),
            models.UniqueConstraint(fields=("backend", "external_id"), name="proctoring_session_external_id_once"),
        )
        indexes = (
            models.Index(fields=("exam", "user"), name="proctoring_session_person"),
            models.Index(fields=("backend", "rating_state", "next_rating_at"), name="proctoring_session_unrated"),
        )

    def __str__(self) -> str:
        return f"{self.booking_id} #{self.candidate_number}"

    @property
    def has_link(self) -> bool:
        return bool(self.sealed_join_url)

    @property
    def join_url(self) -> str:
        """The candidate's own link, for that candidate's eyes alone. Raises ``NotConfigured`` where the key is gone."""
        sealed = bytes(self.sealed_join_url)
        return sealing.unseal(sealed, context=link_context(self)).decode() if sealed else ""

    @join_url.setter
    def join_url(self, url: str) -> None:
        self.sealed_join_url = sealing.seal(url.encode(), context=link_context(self)) if url else b""


def link_context(session: LiveSession) -> str:
    """What a link is sealed for: copied to another candidate's session it cannot be read."""
    return f"live session of person {session.user_id} in booking {session.booking_id}"


class BookingLogQuerySet(models.QuerySet["BookingLogEntry"]):
    def visible_to(self, user: User) -> BookingLogQuerySet:
        return self.filter(booked_courses(user, "course_id"))


class BookingLogEntry(models.Model):
    """One step, in a word of the vocabulary, or without one (empty) where it has none. Never changed."""

    booking = models.ForeignKey("proctoring.Booking", on_delete=models.PROTECT, related_name="log")
    course_id = models.CharField(_("course"), max_length=255)
    """The exam's, so that a course's log is read by an index."""
    session = models.ForeignKey(
        "proctoring.LiveSession", null=True, blank=True, on_delete=models.PROTECT, related_name="log"
    )
    code = models.CharField(_("code"), max_length=100, blank=True)
    at = models.DateTimeField(_("at"))
    context = models.JSONField(_("context"), default=dict)
    comment = models.TextField(_("comment"), blank=True)
    by = _acted(_("by"))

    objects = BookingLogQuerySet.as_manager()

    class Meta:
        verbose_name = _("entry of the booking log")
        verbose_name_plural = _("booking log")
        ordering = ("-pk",)
        indexes = (models.Index(fields=("course_id", "-id"), name="proctoring_bookinglog_course"),)

    def __str__(self) -> str:
        return self.code or str(self.context.get("step", ""))

    @property
    def subject(self) -> str:
        return LOG_CODES[self.code].subject if self.code in LOG_CODES else "booking"

    @property
    def text(self) -> str:
        """The sentence, in the reader's language. Wants ``by`` loaded."""
        known = LOG_CODES.get(self.code)
        template = str(known.text) if known else _now("%(exam)s: %(step)s")
        return template % _Words({**self.context, **self._shown()})

    def full_context(self) -> dict[str, Any]:
        """With the name of the agent, which is not kept in the row: accounts are renamed and erased."""
        return {**self.context, "agent": self._agent()} if "agent" in self.context else dict(self.context)

    def _shown(self) -> dict[str, Any]:
        shown: dict[str, Any] = {"agent": self._agent()}
        for name, words in (("booking_status", Status), ("exam_status", ExamStatus)):
            value = self.context.get(name)
            if value in words.values:
                shown[name] = words(value).label
        step = self.context.get("step")
        if step in STEPS:
            shown["step"] = STEPS[step]
        return shown

    def _agent(self) -> str:
        return self.by.get_username() if self.by is not None else ""


STEPS: Mapping[str, Any] = {
    "cancelled": _("cancelled"),
    "sending_postponed": _("not sent just now; it will be tried again"),
    "waits_for_cancellation": _("waits until the vendor has cancelled the booking that it replaces"),
}
"""Steps that the vocabulary has no code for → their words."""


class _Words(dict[str, Any]):
    """A parameter that an entry does not have must not cost the reader the page."""

    def __missing__(self, key: str) -> str:
        return "?"
