"""Which screen belongs to which status of which type of exam. Every pair has one; what is not here shows no content."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _

from proctoring.attempts.states import Status
from proctoring.exams.models import ExamType


class Screen(TextChoices):
    """The value names the template ``proctoring/exam/<value>.html``, the label is the page's heading."""

    ENTRANCE = "entrance", _("Before you begin")
    UNAVAILABLE = "unavailable", _("This exam cannot be taken now")
    INSTRUCTIONS = "instructions", _("Set up the proctoring")
    READY = "ready", _("Ready to start")
    RUNNING = "running", _("Your exam is running")
    PAUSED = "paused", _("Your exam is paused")
    HAND_IN = "hand_in", _("Submit your exam?")
    DONE = "done", _("You have submitted your exam")
    SUBMITTED = "submitted", _("Submitted, waiting for the review")
    TIMED_OUT = "timed_out", _("Your time is over")
    TERMINATED = "terminated", _("Your exam was ended")
    ERROR = "error", _("Something went wrong")
    SECOND_REVIEW = "second_review", _("Under review")
    VERIFIED = "verified", _("Passed the review")
    REJECTED = "rejected", _("Did not pass the review")
    DECLINED = "declined", _("Without proctoring")
    EXPIRED = "expired", _("Not started in time")
    VOIDED = "voided", _("This attempt was annulled")
    ONBOARDING_MISSING = "onboarding_missing", _("Onboarding comes first")
    ONBOARDING_PENDING = "onboarding_pending", _("Your onboarding is being checked")
    ONBOARDING_FAILED = "onboarding_failed", _("Your onboarding was not approved")
    ONBOARDING_EXPIRED = "onboarding_expired", _("Your onboarding is no longer valid")
    REPLACED = "replaced", _("This attempt was closed")
    UNKNOWN = "unknown", _("This page cannot be shown")


def _row(timed: Screen, proctored: Screen, practice: Screen, onboarding: Screen) -> Mapping[str, Screen]:
    return {
        ExamType.TIMED: timed,
        ExamType.PROCTORED: proctored,
        ExamType.PRACTICE: practice,
        ExamType.ONBOARDING: onboarding,
    }


def _same(screen: Screen) -> Mapping[str, Screen]:
    return _row(screen, screen, screen, screen)


_SETUP = _row(Screen.READY, Screen.INSTRUCTIONS, Screen.INSTRUCTIONS, Screen.INSTRUCTIONS)

TABLE: Mapping[str, Mapping[str, Screen]] = {
    Status.CREATED: _SETUP,
    Status.DOWNLOAD_SOFTWARE_CLICKED: _SETUP,
    Status.READY_TO_START: _same(Screen.READY),
    Status.STARTED: _same(Screen.RUNNING),
    Status.PAUSED: _same(Screen.PAUSED),
    Status.READY_TO_SUBMIT: _same(Screen.HAND_IN),
    Status.SUBMITTED: _row(Screen.DONE, Screen.SUBMITTED, Screen.SUBMITTED, Screen.SUBMITTED),
    Status.TIMED_OUT: _same(Screen.TIMED_OUT),
    Status.TERMINATED: _same(Screen.TERMINATED),
    Status.ERROR: _same(Screen.ERROR),
    Status.SECOND_REVIEW_REQUIRED: _same(Screen.SECOND_REVIEW),
    Status.VERIFIED: _same(Screen.VERIFIED),
    Status.REJECTED: _same(Screen.REJECTED),
    Status.DECLINED: _same(Screen.DECLINED),
    Status.EXPIRED: _same(Screen.EXPIRED),
    Status.VOIDED: _same(Screen.VOIDED),
    Status.ONBOARDING_MISSING: _same(Screen.ONBOARDING_MISSING),
    Status.ONBOARDING_PENDING: _same(Screen.ONBOARDING_PENDING),
    Status.ONBOARDING_FAILED: _same(Screen.ONBOARDING_FAILED),
    Status.ONBOARDING_EXPIRED: _same(Screen.ONBOARDING_EXPIRED),
    Status.ONBOARDING_RESET: _same(Screen.REPLACED),
}


def screen_for(status: str, exam_type: str) -> Screen:
    """The screen of the table; ``UNKNOWN`` for a word that it does not have."""
    return TABLE.get(status, {}).get(exam_type, Screen.UNKNOWN)
