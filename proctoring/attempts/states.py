"""The attempt's statuses and the one table of who may take which step. Everything not in it is refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.db.models import TextChoices
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Status(TextChoices):
    CREATED = "created", _("Created")
    DOWNLOAD_SOFTWARE_CLICKED = "download_software_clicked", _("Preparing the proctoring software")
    READY_TO_START = "ready_to_start", _("Ready to start")
    STARTED = "started", _("Running")
    PAUSED = "paused", _("Paused")
    READY_TO_SUBMIT = "ready_to_submit", _("About to submit")
    SUBMITTED = "submitted", _("Submitted")
    TIMED_OUT = "timed_out", _("Time ran out")
    TERMINATED = "terminated", _("Terminated")
    ERROR = "error", _("Error")
    SECOND_REVIEW_REQUIRED = "second_review_required", _("Waiting for a second review")
    VERIFIED = "verified", _("Verified")
    REJECTED = "rejected", _("Rejected")
    DECLINED = "declined", _("Declined")
    EXPIRED = "expired", _("Expired before the start")
    VOIDED = "voided", _("Voided")
    ONBOARDING_MISSING = "onboarding_missing", _("Onboarding missing")
    ONBOARDING_PENDING = "onboarding_pending", _("Onboarding pending")
    ONBOARDING_FAILED = "onboarding_failed", _("Onboarding failed")
    ONBOARDING_EXPIRED = "onboarding_expired", _("Onboarding expired")
    ONBOARDING_RESET = "onboarding_reset", _("Replaced by a new practice attempt")


class Phase(StrEnum):
    SETUP = "setup"
    RUNNING = "running"
    ENDED = "ended"
    DECIDED = "decided"
    CLOSED = "closed"
    BLOCKED = "blocked"


class Clock(StrEnum):
    NONE = "none"
    RUNNING = "running"
    STOPPED = "stopped"


class Actor(StrEnum):
    """In which capacity somebody acts. One person may hold several."""

    CANDIDATE = "candidate"
    PROCTOR = "proctor"
    STAFF = "staff"
    VENDOR = "vendor"
    REVIEWER = "reviewer"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Traits:
    """What a status means to the rest of the house and in other systems' vocabularies."""

    phase: Phase
    clock: Clock
    acs_status: str
    edx_status: str
    open: bool
    """Whether the attempt takes the person's one open place at the exam."""


TRAITS: dict[Status, Traits] = {
    Status.CREATED: Traits(Phase.SETUP, Clock.NONE, "initial", "created", True),
    Status.DOWNLOAD_SOFTWARE_CLICKED: Traits(Phase.SETUP, Clock.NONE, "initial", "download_software_clicked", True),
    Status.READY_TO_START: Traits(Phase.SETUP, Clock.NONE, "authorized", "ready_to_start", True),
    Status.STARTED: Traits(Phase.RUNNING, Clock.RUNNING, "interacting", "started", True),
    Status.PAUSED: Traits(Phase.RUNNING, Clock.STOPPED, "suspended", "started", True),
    Status.READY_TO_SUBMIT: Traits(Phase.RUNNING, Clock.RUNNING, "interacting", "ready_to_submit", True),
    Status.SUBMITTED: Traits(Phase.ENDED, Clock.NONE, "closed", "submitted", False),
    Status.TIMED_OUT: Traits(Phase.ENDED, Clock.NONE, "closed", "timed_out", False),
    Status.TERMINATED: Traits(Phase.ENDED, Clock.NONE, "terminated", "error", False),
    Status.ERROR: Traits(Phase.ENDED, Clock.NONE, "suspended", "error", False),
    Status.SECOND_REVIEW_REQUIRED: Traits(Phase.DECIDED, Clock.NONE, "closed", "second_review_required", False),
    Status.VERIFIED: Traits(Phase.DECIDED, Clock.NONE, "closed", "verified", False),
    Status.REJECTED: Traits(Phase.DECIDED, Clock.NONE, "closed", "rejected", False),
    Status.DECLINED: Traits(Phase.CLOSED, Clock.NONE, "canceled", "declined", False),
    Status.EXPIRED: Traits(Phase.CLOSED, Clock.NONE, "canceled", "expired", False),
    Status.VOIDED: Traits(Phase.CLOSED, Clock.NONE, "terminated", "rejected", False),
    Status.ONBOARDING_MISSING: Traits(Phase.BLOCKED, Clock.NONE, "initial", "onboarding_missing", True),
    Status.ONBOARDING_PENDING: Traits(Phase.BLOCKED, Clock.NONE, "initial", "onboarding_pending", True),
    Status.ONBOARDING_FAILED: Traits(Phase.BLOCKED, Clock.NONE, "initial", "onboarding_failed", True),
    Status.ONBOARDING_EXPIRED: Traits(Phase.BLOCKED, Clock.NONE, "initial", "onboarding_expired", True),
    Status.ONBOARDING_RESET: Traits(Phase.CLOSED, Clock.NONE, "canceled", "onboarding_reset", False),
}

_C, _P, _S, _V, _R, _SYS = (
    Actor.CANDIDATE,
    Actor.PROCTOR,
    Actor.STAFF,
    Actor.VENDOR,
    Actor.REVIEWER,
    Actor.SYSTEM,
)

TRANSITIONS: dict[Status, dict[Status, frozenset[Actor]]] = {
    Status.CREATED: {
        Status.DOWNLOAD_SOFTWARE_CLICKED: frozenset({_C}),
        Status.READY_TO_START: frozenset({_V, _S}),
        Status.STARTED: frozenset({_C}),
        Status.TERMINATED: frozenset({_P, _S, _V}),
        Status.ERROR: frozenset({_C, _V, _S, _SYS}),
        Status.DECLINED: frozenset({_C, _SYS}),
        Status.EXPIRED: frozenset({_SYS}),
        Status.VOIDED: frozenset({_P, _S}),
        Status.ONBOARDING_MISSING: frozenset({_V}),
        Status.ONBOARDING_PENDING: frozenset({_V}),
        Status.ONBOARDING_FAILED: frozenset({_V}),
        Status.ONBOARDING_EXPIRED: frozenset({_V}),
    },
    Status.DOWNLOAD_SOFTWARE_CLICKED: {
        Status.READY_TO_START: frozenset({_V, _S}),
        Status.STARTED: frozenset({_C}),
        Status.TERMINATED: frozenset({_P, _S, _V}),
        Status.ERROR: frozenset({_C, _V, _S, _SYS}),
        Status.DECLINED: frozenset({_C, _SYS}),
        Status.EXPIRED: frozenset({_SYS}),
        Status.VOIDED: frozenset({_P, _S}),
    },
    Status.READY_TO_START: {
        Status.STARTED: frozenset({_C}),
        Status.TERMINATED: frozenset({_P, _S, _V}),
        Status.ERROR: frozenset({_C, _V, _S, _SYS}),
        Status.DECLINED: frozenset({_C, _SYS}),
        Status.EXPIRED: frozenset({_SYS}),
        Status.VOIDED: frozenset({_P, _S}),
    },
    Status.STARTED: {
        Status.PAUSED: frozenset({_P, _S, _V, _SYS}),
        Status.READY_TO_SUBMIT: frozenset({_C}),
        Status.SUBMITTED: frozenset({_C, _S, _SYS}),
        Status.TIMED_OUT: frozenset({_SYS}),
        Status.TERMINATED: frozenset({_P, _S, _V}),
        Status.ERROR: frozenset({_C, _V, _S, _SYS}),
        Status.VOIDED: frozenset({_P, _S}),
    },
    Status.PAUSED: {
        Status.STARTED: frozenset({_P, _S, _V, _SYS}),
        Status.SUBMITTED: frozenset({_S, _SYS}),
        Status.TIMED_OUT: frozenset({_SYS}),
        Status.TERMINATED: frozenset({_P, _S, _V}),
        Status.ERROR: frozenset({_C, _V, _S, _SYS}),
        Status.VOIDED: frozenset({_P, _S}),
    },
    Status.READY_TO_SUBMIT: {
        Status.STARTED: frozenset({_C}),
        Status.PAUSED: frozenset({_P, _S, _V, _SYS}),
        Status.SUBMITTED: frozenset({_C, _S, _SYS}),
        Status.TIMED_OUT: frozenset({_SYS}),
        Status.TERMINATED: frozenset({_P, _S, _V}),
        Status.ERROR: frozenset({_C, _V, _S, _SYS}),
        Status.VOIDED: frozenset({_P, _S}),
    },
    Status.SUBMITTED: {
        Status.ERROR: frozenset({_V, _R}),
        Status.SECOND_REVIEW_REQUIRED: frozenset({_V, _R}),
        Status.VERIFIED: frozenset({_V, _R}),
        Status.REJECTED: frozenset({_V, _R}),
        Status.VOIDED: frozenset({_S}),
        Status.ONBOARDING_RESET: frozenset({_C, _S, _SYS}),
    },
    Status.TIMED_OUT: {
        Status.ERROR: frozenset({_V, _R}),
        Status.SECOND_REVIEW_REQUIRED: frozenset({_V, _R}),
        Status.VERIFIED: frozenset({_V, _R}),
        Status.REJECTED: frozenset({_V, _R}),
        Status.VOIDED: frozenset({_S}),
        Status.ONBOARDING_RESET: frozenset({_C, _S, _SYS}),
    },
    Status.TERMINATED: {
        Status.ERROR: frozenset({_V, _R}),
        Status.SECOND_REVIEW_REQUIRED: frozenset({_V, _R}),
        Status.VERIFIED: frozenset({_V, _R}),
        Status.REJECTED: frozenset({_V, _R}),
        Status.VOIDED: frozenset({_S}),
        Status.ONBOARDING_RESET: frozenset({_C, _S, _SYS}),
    },
    Status.ERROR: {
        Status.SUBMITTED: frozenset({_R, _S}),
        Status.SECOND_REVIEW_REQUIRED: frozenset({_R, _V, _S}),
        Status.VERIFIED: frozenset({_R, _V, _S}),
        Status.REJECTED: frozenset({_R, _V, _S}),
        Status.VOIDED: frozenset({_S}),
        Status.ONBOARDING_RESET: frozenset({_C, _S, _SYS}),
    },
    Status.SECOND_REVIEW_REQUIRED: {
        Status.ERROR: frozenset({_R, _V}),
        Status.VERIFIED: frozenset({_R, _V}),
        Status.REJECTED: frozenset({_R, _V}),
        Status.VOIDED: frozenset({_S}),
        Status.ONBOARDING_RESET: frozenset({_C, _S, _SYS}),
    },
    Status.VERIFIED: {
        Status.ERROR: frozenset({_R, _V}),
        Status.SECOND_REVIEW_REQUIRED: frozenset({_R, _V}),
        Status.REJECTED: frozenset({_R, _V}),
        Status.VOIDED: frozenset({_S}),
    },
    Status.REJECTED: {
        Status.ERROR: frozenset({_R, _V}),
        Status.SECOND_REVIEW_REQUIRED: frozenset({_R, _V}),
        Status.VERIFIED: frozenset({_R, _V}),
        Status.VOIDED: frozenset({_S}),
        Status.ONBOARDING_RESET: frozenset({_C, _S, _SYS}),
    },
    Status.DECLINED: {
        Status.VOIDED: frozenset({_S}),
        Status.ONBOARDING_RESET: frozenset({_C, _S, _SYS}),
    },
    Status.EXPIRED: {
        Status.VOIDED: frozenset({_S}),
        Status.ONBOARDING_RESET: frozenset({_C, _S, _SYS}),
    },
    Status.ONBOARDING_MISSING: {
        Status.VOIDED: frozenset({_C, _S, _SYS}),
    },
    Status.ONBOARDING_PENDING: {
        Status.VOIDED: frozenset({_C, _S, _SYS}),
    },
    Status.ONBOARDING_FAILED: {
        Status.VOIDED: frozenset({_C, _S, _SYS}),
    },
    Status.ONBOARDING_EXPIRED: {
        Status.VOIDED: frozenset({_C, _S, _SYS}),
    },
}

NOTES: dict[tuple[Status, Status], Promise] = {
    (Status.CREATED, Status.STARTED): _("only where the exam is timed or its backend does not announce readiness"),
    (Status.CREATED, Status.TERMINATED): _("refused at check-in"),
    (Status.DOWNLOAD_SOFTWARE_CLICKED, Status.TERMINATED): _("refused at check-in"),
    (Status.READY_TO_START, Status.TERMINATED): _("refused at check-in"),
    (Status.CREATED, Status.DECLINED): _("system: a failed prerequisite or the cascade from another exam"),
    (Status.DOWNLOAD_SOFTWARE_CLICKED, Status.DECLINED): _(
        "system: a failed prerequisite or the cascade from another exam"
    ),
    (Status.READY_TO_START, Status.DECLINED): _("system: a failed prerequisite or the cascade from another exam"),
    (Status.CREATED, Status.EXPIRED): _("the exam closed before the start"),
    (Status.DOWNLOAD_SOFTWARE_CLICKED, Status.EXPIRED): _("the exam closed before the start"),
    (Status.READY_TO_START, Status.EXPIRED): _("the exam closed before the start"),
    (Status.CREATED, Status.ONBOARDING_MISSING): _("answer to the registration"),
    (Status.CREATED, Status.ONBOARDING_PENDING): _("answer to the registration"),
    (Status.CREATED, Status.ONBOARDING_FAILED): _("answer to the registration"),
    (Status.CREATED, Status.ONBOARDING_EXPIRED): _("answer to the registration"),
    (Status.DOWNLOAD_SOFTWARE_CLICKED, Status.STARTED): _("only where the backend does not announce readiness"),
    (Status.STARTED, Status.TIMED_OUT): _("deadline passed and the setting keeps timed_out apart from submitted"),
    (Status.PAUSED, Status.TIMED_OUT): _("deadline passed and the setting keeps timed_out apart from submitted"),
    (Status.READY_TO_SUBMIT, Status.TIMED_OUT): _(
        "deadline passed and the setting keeps timed_out apart from submitted"
    ),
    (Status.SUBMITTED, Status.ONBOARDING_RESET): _("practice and onboarding exams only; a new attempt replaces it"),
    (Status.TIMED_OUT, Status.ONBOARDING_RESET): _("practice and onboarding exams only; a new attempt replaces it"),
    (Status.TERMINATED, Status.ONBOARDING_RESET): _("practice and onboarding exams only; a new attempt replaces it"),
    (Status.ERROR, Status.ONBOARDING_RESET): _("practice and onboarding exams only; a new attempt replaces it"),
    (Status.SECOND_REVIEW_REQUIRED, Status.ONBOARDING_RESET): _(
        "practice and onboarding exams only; a new attempt replaces it"
    ),
    (Status.REJECTED, Status.ONBOARDING_RESET): _("practice and onboarding exams only; a new attempt replaces it"),
    (Status.DECLINED, Status.ONBOARDING_RESET): _("practice and onboarding exams only; a new attempt replaces it"),
    (Status.ERROR, Status.SECOND_REVIEW_REQUIRED): _("vendor: only correcting its own not_reviewed"),
    (Status.ERROR, Status.VERIFIED): _("vendor: only correcting its own not_reviewed"),
    (Status.ERROR, Status.REJECTED): _("vendor: only correcting its own not_reviewed"),
    (Status.VERIFIED, Status.ERROR): _("a corrected review (not_reviewed)"),
    (Status.REJECTED, Status.ERROR): _("a corrected review (not_reviewed)"),
    (Status.VERIFIED, Status.SECOND_REVIEW_REQUIRED): _("a corrected review"),
    (Status.VERIFIED, Status.REJECTED): _("a corrected review"),
    (Status.REJECTED, Status.SECOND_REVIEW_REQUIRED): _("a corrected review or an upheld appeal"),
    (Status.REJECTED, Status.VERIFIED): _("a corrected review or an upheld appeal"),
    (Status.EXPIRED, Status.ONBOARDING_RESET): _("practice and onboarding exams only"),
    (Status.ONBOARDING_MISSING, Status.VOIDED): _(
        "candidate: tries again after onboarding; never counts against the limit"
    ),
    (Status.ONBOARDING_PENDING, Status.VOIDED): _(
        "candidate: tries again after onboarding; never counts against the limit"
    ),
    (Status.ONBOARDING_FAILED, Status.VOIDED): _(
        "candidate: tries again after onboarding; never counts against the limit"
    ),
    (Status.ONBOARDING_EXPIRED, Status.VOIDED): _(
        "candidate: tries again after onboarding; never counts against the limit"
    ),
}
"""Conditions that the table alone cannot say; the services keep them."""


def in_phase(*phases: Phase) -> frozenset[Status]:
    """The statuses of these phases."""
    return frozenset(status for status, traits in TRAITS.items() if traits.phase in phases)


OPEN = frozenset(status for status, traits in TRAITS.items() if traits.open)
TICKING = frozenset(status for status, traits in TRAITS.items() if traits.clock == Clock.RUNNING)
"""Those in which the candidate's time passes."""
SETUP = in_phase(Phase.SETUP)
RUNNING = in_phase(Phase.RUNNING)
BLOCKED = in_phase(Phase.BLOCKED)
ENDED = in_phase(Phase.ENDED)
DECIDED = in_phase(Phase.DECIDED)


def can_become(old: Status | str, new: Status | str, actor: Actor) -> bool:
    """Whether ``actor`` may take an attempt from ``old`` to ``new``. Unknown words are no."""
    try:
        return actor in TRANSITIONS[Status(old)].get(Status(new), frozenset())
    except (KeyError, ValueError):
        return False


def status_choices() -> list[tuple[str, Any]]:
    """A callable for the model field, so that a new status needs no migration."""
    return Status.choices
