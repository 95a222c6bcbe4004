"""What the templates get: the situation, and few things that are looked up for one screen only."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from proctoring.attempts.chains import ChainStatus
from proctoring.attempts.standing import Onboarding, own_onboarding
from proctoring.attempts.states import BLOCKED
from proctoring.candidate.screens import Screen
from proctoring.candidate.situation import Situation
from proctoring.exams.models import ExamType
from proctoring.host import host
from proctoring.monitoring.commands import parting_words

POLL_SECONDS = {
    Screen.INSTRUCTIONS: 3,
    Screen.READY: 5,
    Screen.RUNNING: 15,
    Screen.PAUSED: 5,
    Screen.HAND_IN: 15,
    Screen.SUBMITTED: 3,
    Screen.ONBOARDING_PENDING: 10,
}
USUAL_POLL_SECONDS = 30
STEADY = frozenset({Screen.RUNNING, Screen.PAUSED, Screen.HAND_IN})
"""Here the script asks at an even pace; elsewhere it asks more and more seldom."""


def page_context(situation: Situation) -> dict[str, Any]:
    return {
        "situation": situation,
        "exam": situation.exam,
        "attempt": situation.attempt,
        "screen": situation.screen,
        "heading": _heading(situation),
        "full_name": _name(situation),
        "onboarding": _onboarding(situation),
        "parting_words": _parting_words(situation),
        "poll_seconds": POLL_SECONDS.get(situation.screen, USUAL_POLL_SECONDS),
        "steady": situation.screen in STEADY,
    }


def _name(situation: Situation) -> str:
    attempt = situation.attempt
    return attempt.full_name if attempt and attempt.full_name else host().full_name(situation.user)


def _heading(situation: Situation) -> str:
    if situation.freed:
        return _("This attempt did not begin")
    if situation.whole not in (None, ChainStatus.VERIFIED):
        return _("This part passed the review")
    return str(Screen.TIMED_OUT.label if situation.ran_out else situation.screen.label)


def _parting_words(situation: Situation) -> str:
    attempt = situation.attempt
    return parting_words(attempt) if attempt and situation.screen == Screen.TERMINATED else ""


def _onboarding(situation: Situation) -> Onboarding | None:
    """Where the person stands with this vendor's onboarding in this course, on the screens that speak of it: those of
    an exam for which it stands in the way, and that of an onboarding which was approved."""
    exam = situation.exam
    is_onboarding = exam.exam_type == ExamType.ONBOARDING
    if situation.screen != Screen.VERIFIED if is_onboarding else situation.status not in BLOCKED:
        return None
    alias = situation.attempt.backend if situation.attempt else exam.backend_alias
    return own_onboarding(situation.user, exam.course_id, now=situation.now, backend=alias)
