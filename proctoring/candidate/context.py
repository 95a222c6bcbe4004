"""What the templates get: the situation, and few things that are looked up for one screen only."""

from __future__ import annotations

from typing import Any

from proctoring.attempts.states import BLOCKED
from proctoring.candidate.screens import Screen
from proctoring.candidate.situation import Situation
from proctoring.exams.models import Exam, ExamType
from proctoring.host import host

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
        "heading": situation.screen.label,
        "full_name": _name(situation),
        "onboarding_exam": _onboarding_exam(situation),
        "poll_seconds": POLL_SECONDS.get(situation.screen, USUAL_POLL_SECONDS),
        "steady": situation.screen in STEADY,
    }


def _name(situation: Situation) -> str:
    attempt = situation.attempt
    return attempt.full_name if attempt and attempt.full_name else host().full_name(situation.user)


def _onboarding_exam(situation: Situation) -> Exam | None:
    """The course's onboarding exam with the same vendor, where the candidate is sent to it."""
    exam = situation.exam
    if situation.status not in BLOCKED or exam.exam_type == ExamType.ONBOARDING:
        return None
    found = Exam.objects.active().filter(course_id=exam.course_id, exam_type=ExamType.ONBOARDING)
    return next((one for one in found if one.backend_alias == exam.backend_alias), None)
