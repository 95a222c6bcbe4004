"""``Attempt`` and its ledger of time, ``TimeEntry``. Only the services beside this file change a row."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.contrib.auth import get_user_model
from django.db import connections, models
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _
from simple_history.models import HistoricalRecords

from proctoring.attempts import states
from proctoring.attempts.states import Clock, Phase, Status, Traits, status_choices
from proctoring.attempts.timing import EntryKind, EntryState, seconds_until
from proctoring.conf import settings
from proctoring.fields import VendorJSONField
from proctoring.permissions import watched_courses

if TYPE_CHECKING:
    from proctoring.host import User


class RetryKind(models.TextChoices):
    RESUME = "resume", _("Continue with the time that was left")
    FRESH = "fresh", _("Begin again with the full time")


def retry_kind_choices() -> list[tuple[str, Any]]:
    return RetryKind.choices


def entry_kind_choices() -> list[tuple[str, Any]]:
    return EntryKind.choices


def entry_state_choices() -> list[tuple[str, Any]]:
    return EntryState.choices


def new_code() -> str:
    return secrets.token_urlsafe(24)


def next_seal(now: datetime) -> datetime:
    """When a log to which something was added at ``now`` is sealed, if nothing comes after it."""
    return now + timedelta(hours=settings.seal_after_hours)


class AttemptQuerySet(models.QuerySet["Attempt"]):
    def visible_to(self, user: User) -> AttemptQuerySet:
        """One's own attempts and those of the courses in which one has a role."""
        return self.filter(Q(user=user.pk) | watched_courses(user, "exam__course_id"))

    def locked(self) -> AttemptQuerySet:
        """Locked for a change, where the database can in a way that lets rows about them be written meanwhile: no key
        changes, and an event that a page sends waits for nobody."""
        no_key = connections[self.db].features.has_select_for_no_key_update
        return self.select_for_update(no_key=no_key)

    def for_reading(self) -> AttemptQuerySet:
        """With all that a representation needs, in one statement: exam, person, and ``has_successor`` (a newer
        attempt of the same person at the same exam exists)."""
        newer = self.model.objects.filter(exam=OuterRef("exam"), user=OuterRef("user"), number__gt=OuterRef("number"))
        return self.select_related("exam", "user").annotate(has_successor=Exists(newer))

    def of_person(self, name: str) -> AttemptQuerySet:
        """By the user name, or the id."""
        who = Q(**{f"user__{get_user_model().USERNAME_FIELD}": name})
        if name.isascii() and name.isdigit() and len(name) <= 18:
            who |= Q(user_id=int(name))
        return self.filter(who)

    def of_people_called(self, text: str) -> AttemptQuerySet:
        """By the beginning of a name or an address only: a search inside of them would read the whole table of
        accounts."""
        model = get_user_model()
        known = {field.name for field in model._meta.get_fields()}
        wanted = Q(pk__in=())
        for field in sorted({model.USERNAME_FIELD, model.get_email_field_name(), "first_name", "last_name"} & known):
            wanted |= Q(**{f"user__{field}__istartswith": text})
        return self.filter(wanted)

    def newest_each(self) -> AttemptQuerySet:
        """The newest attempt of each person and exam."""
        newer = self.model.objects.filter(exam=OuterRef("exam"), user=OuterRef("user"), number__gt=OuterRef("number"))
        return self.filter(~Exists(newer))

    def overdue(self, now: datetime) -> AttemptQuerySet:
        """Those whose deadline has passed, whatever their row still says."""
        return self.filter(_overdue(now))

    def in_status(self, status: str, now: datetime) -> AttemptQuerySet:
        """Filter by the status that a reader sees (``Attempt.status_at``), not by the one a sweep has yet to write."""
        late = _overdue(now)
        if status == Status.EXPIRED:
            return self.filter(Q(status=status) | (late & Q(status__in=states.SETUP)))
        if status == _deadline_status():
            return self.filter(Q(status=status) | (late & Q(status__in=states.RUNNING)))
        if status in states.OPEN:
            return self.filter(Q(status=status)).exclude(late)
        return self.filter(status=status)


def _overdue(now: datetime) -> Q:
    waiting = [Status.PAUSED, *sorted(states.SETUP)]
    return Q(status__in=sorted(states.TICKING), expires_at__lte=now) | Q(status__in=waiting, closes_at__lte=now)


def _deadline_status() -> Status:
    return Status.TIMED_OUT if settings.keep_timed_out else Status.SUBMITTED


class Attempt(models.Model):
    exam = models.ForeignKey(
        "proctoring.Exam", verbose_name=_("exam"), on_delete=models.PROTECT, related_name="attempts"
    )
    user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("candidate"),
        on_delete=models.PROTECT,
        related_name="proctoring_attempts",
    )
    number = models.PositiveIntegerField(_("number"))
    open_slot = models.PositiveSmallIntegerField(null=True, editable=False, default=1)
    """1 while the attempt is open, else null. Unique with exam and user: nulls do not collide on any database."""
    code = models.CharField(max_length=64, unique=True, default=new_code, editable=False)
    """Unguessable; shown to nobody but the candidate."""
    backend = models.CharField(_("backend"), max_length=100)
    external_id = models.CharField(_("vendor's id"), max_length=255, null=True, blank=True)
    launch_data = VendorJSONField(_("launch data"), blank=True)
    status = models.CharField(_("status"), max_length=40, choices=status_choices, default=Status.CREATED)
    taking_as_proctored = models.BooleanField(_("taken as proctored"), default=True)
    started_at = models.DateTimeField(_("started at"), null=True, blank=True)
    submitted_at = models.DateTimeField(_("submitted at"), null=True, blank=True)
    ended_at = models.DateTimeField(_("ended at"), null=True, blank=True)
    paused_at = models.DateTimeField(_("paused at"), null=True, blank=True)
    """Since when the clock stands; kept when the attempt ends in that pause."""
    total_seconds = models.PositiveIntegerField(_("total time (seconds)"), default=0)
    """Sum of the applied ledger entries, kept in step by ``ledger.py``."""
    expires_at = models.DateTimeField(_("deadline"), null=True, blank=True)
    """Derived by ``ledger.py``; null before the start and during a pause."""
    closes_at = models.DateTimeField(_("closes at"), null=True, blank=True)
    """The exam's due date with this attempt's accommodations: the bound of a pause and of a late start."""
    base_seconds = models.PositiveIntegerField(_("base time (seconds)"), default=0)
    """The exam's full time when the chain of resumed attempts began: what a multiplier multiplies."""
    inherited_allowance_seconds = models.IntegerField(default=0, editable=False)
    """Of the time that was carried over: granted by allowances. A later change adds only the difference."""
    inherited_accommodation_seconds = models.IntegerField(default=0, editable=False)
    """Of the time that was carried over: what may reach past the due date."""
    personal_due_at = models.DateTimeField(_("due at, for this person"), null=True, blank=True)
    """Where the host has a date of the person's own; null: the exam's."""
    resumed_from = models.ForeignKey(
        "self", null=True, blank=True, editable=False, on_delete=models.PROTECT, related_name="resumed_by"
    )
    outage_since = models.DateTimeField(null=True, editable=False)
    """Since when the candidate's page has been out of reach, while their clock runs and nothing has come of it yet."""
    held_seconds = models.PositiveIntegerField(default=0, editable=False)
    """So long the deadline waits for a page that is out of reach: what ``outages.py`` would give back at most."""
    retry_kind = models.CharField(_("retry"), max_length=20, choices=retry_kind_choices, blank=True)
    retry_granted_by = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("retry granted by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    retry_granted_at = models.DateTimeField(_("retry granted at"), null=True, blank=True)
    acknowledged_at = models.DateTimeField(_("acknowledged at"), null=True, blank=True)
    review_policy = models.TextField(_("review policy"), blank=True)
    full_name = models.CharField(_("full name"), max_length=255, blank=True)
    erased_at = models.DateTimeField(_("erased at"), null=True, blank=True, editable=False)
    """Since when nothing personal is kept here, nor taken from what a vendor still sends about it."""
    seal_due_at = models.DateTimeField(null=True, blank=True, editable=False)
    """When the log of an attempt that has ended is to be sealed; null where nothing waits for it."""
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    modified_at = models.DateTimeField(_("modified at"), auto_now=True)

    history = HistoricalRecords(
        history_change_reason_field=models.TextField(null=True), excluded_fields=["seal_due_at"]
    )
    objects = AttemptQuerySet.as_manager()

    class Meta:
        verbose_name = _("attempt")
        verbose_name_plural = _("attempts")
        ordering = ("-pk",)
        constraints = (
            models.UniqueConstraint(fields=("exam", "user", "number"), name="proctoring_attempt_number_once"),
            models.UniqueConstraint(fields=("exam", "user", "open_slot"), name="proctoring_attempt_one_open"),
            models.UniqueConstraint(fields=("backend", "external_id"), name="proctoring_attempt_external_id_once"),
        )
        indexes = (
            models.Index(fields=("status", "expires_at"), name="proctoring_att_expires"),
            models.Index(fields=("status", "closes_at"), name="proctoring_att_closes"),
            models.Index(fields=("started_at",), name="proctoring_att_started"),
            models.Index(fields=("ended_at",), name="proctoring_att_ended"),
            models.Index(fields=("seal_due_at",), name="proctoring_att_seal_due"),
        )

    def __str__(self) -> str:
        return f"{self.exam} #{self.number}"

    @property
    def traits(self) -> Traits:
        return states.TRAITS[Status(self.status)]

    @property
    def paused_until(self) -> datetime | None:
        """When a pause ends by itself because the exam closes; null where it has no due date or does not pause."""
        return self.closes_at if self.status == Status.PAUSED else None

    @property
    def due_at(self) -> datetime | None:
        """The date that counts for this person: their own, else the exam's."""
        return self.personal_due_at or self.exam.due_at

    @property
    def ended_by_deadline(self) -> bool:
        """The candidate ran out of time: nobody submitted, and the end is the deadline itself."""
        return self.started_at is not None and self.ended_at is not None and self.ended_at == self.deadline

    @property
    def deadline(self) -> datetime | None:
        """The moment at which this attempt ends, or ended, if nobody does anything."""
        if self.started_at is None:
            return self.closes_at
        if self.paused_at is not None:
            # Nothing ends before it began, even where the due date was moved to before the start.
            return self.closes_at and max(self.started_at, self.closes_at)
        return self.expires_at

    def log_grew(self, now: datetime) -> None:
        """What was written into the log of an attempt that has ended is to be sealed, too. In the transaction that
        writes it; a statement where no seal is to come, else none."""
        if self.open_slot is not None or (self.seal_due_at is not None and self.seal_due_at > now):
            return
        self.seal_due_at = next_seal(now)
        Attempt.objects.filter(pk=self.pk, open_slot=None).update(seal_due_at=self.seal_due_at)

    def is_overdue(self, now: datetime) -> bool:
        return self.status_at(now) != self.status

    def status_at(self, now: datetime) -> Status:
        """The status as a reader must see it: an overdue attempt has ended, whether or not a sweep has been here."""
        phase = self.traits.phase
        if phase not in (Phase.SETUP, Phase.RUNNING) or self.deadline is None or now < self.deadline:
            return Status(self.status)
        return Status.EXPIRED if phase == Phase.SETUP else _deadline_status()

    def seconds_left(self, now: datetime) -> int | None:
        """Whole seconds on the candidate's clock; null where no clock runs."""
        if states.TRAITS[self.status_at(now)].clock != Clock.RUNNING or self.expires_at is None:
            return None
        return seconds_until(self.expires_at, now)


class ProfileStatus(models.TextChoices):
    NOT_STARTED = "not_started", _("Not started")
    SETUP_STARTED = "setup_started", _("Setting up")
    ONBOARDING_STARTED = "onboarding_started", _("Started")
    SUBMITTED = "submitted", _("Waiting for the review")
    VERIFIED = "verified", _("Approved")
    REJECTED = "rejected", _("Not approved")
    ERROR = "error", _("Error")


def profile_status_choices() -> list[tuple[str, Any]]:
    return ProfileStatus.choices


class OnboardingProfile(models.Model):
    """Where a person stands with a vendor's onboarding. ``onboarding.py`` keeps it in step with attempts here and with
    the vendor's own list, so that nobody has to ask the vendor in a request. No row: not started."""

    user = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("person"),
        on_delete=models.PROTECT,
        related_name="proctoring_profiles",
    )
    backend = models.CharField(_("backend"), max_length=100)
    status = models.CharField(_("status"), max_length=20, choices=profile_status_choices)
    """Of the newest try that says something. An approval has fields of its own: it outlives a newer try that failed."""
    newest_try = models.ForeignKey(
        "proctoring.Attempt", null=True, blank=True, editable=False, on_delete=models.SET_NULL, related_name="+"
    )
    """That try; null where only the vendor knows of one."""
    course_id = models.CharField(_("course"), max_length=255, blank=True)
    """Of that try; empty where only the vendor knows of one."""
    approved_at = models.DateTimeField(_("approved at"), null=True, blank=True)
    approved_course_id = models.CharField(_("approved in the course"), max_length=255, blank=True)
    """Empty where only the vendor knows."""
    expires_at = models.DateTimeField(_("expires at"), null=True, blank=True)
    """Of the approval. It counts until then, whatever ``status`` says of a newer try."""
    vendor_status = models.CharField(_("vendor's word"), max_length=20, blank=True)
    """What the vendor's list said last. The same word again is no news, and undoes nothing that happened since."""
    synced_at = models.DateTimeField(_("last told by the vendor"), null=True, blank=True)
    modified_at = models.DateTimeField(_("modified at"), auto_now=True)

    history = HistoricalRecords(history_change_reason_field=models.TextField(null=True))

    class Meta:
        verbose_name = _("onboarding profile")
        verbose_name_plural = _("onboarding profiles")
        ordering = ("-pk",)
        constraints = (models.UniqueConstraint(fields=("user", "backend"), name="proctoring_profile_once"),)
        indexes = (models.Index(fields=("backend", "status", "user"), name="proctoring_profile_status"),)

    def __str__(self) -> str:
        return f"{self.backend}: {self.get_status_display()}"

    def is_approved(self, now: datetime) -> bool:
        """Whether the vendor knows this person well enough at ``now``."""
        return self.expires_at is not None and now < self.expires_at


class TimeEntry(models.Model):
    """One line of the ledger. Appended, never changed: a mistake is reversed by another line."""

    attempt = models.ForeignKey("proctoring.Attempt", on_delete=models.PROTECT, related_name="time_entries")
    kind = models.CharField(_("kind"), max_length=20, choices=entry_kind_choices)
    seconds = models.IntegerField(_("seconds"))
    state = models.CharField(_("state"), max_length=20, choices=entry_state_choices, default=EntryState.APPLIED)
    reason_code = models.PositiveIntegerField(_("reason code"), null=True, blank=True)
    note = models.TextField(_("note"), blank=True)
    by = models.ForeignKey(
        django_settings.AUTH_USER_MODEL,
        verbose_name=_("by"),
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
    )
    at = models.DateTimeField(_("at"))
    reverses = models.OneToOneField(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="reversed_by", verbose_name=_("reverses")
    )

    class Meta:
        verbose_name = _("time entry")
        verbose_name_plural = _("time entries")
        ordering = ("pk",)

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.seconds:+d} s"
