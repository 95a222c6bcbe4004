"""What a candidate's form does: one service call for each word in the address. Rules and errors are the services'."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from django.http import QueryDict
from django.utils.translation import gettext as _

from proctoring.attempts import services
from proctoring.attempts.creation import Refusal, create_attempt, refusal
from proctoring.attempts.models import Attempt
from proctoring.attempts.retries import restart_sample
from proctoring.attempts.states import BLOCKED, OPEN, Actor
from proctoring.candidate.screens import Screen
from proctoring.candidate.situation import Situation
from proctoring.errors import Conflict
from proctoring.exams.models import ExamType

if TYPE_CHECKING:
    from proctoring.host import User

DETAIL_LENGTH = 500

Action = Callable[[Situation, "User", QueryDict], Attempt]


def carry_out(action: str, situation: Situation, user: User, form: QueryDict) -> Attempt:
    """Do what the form asks for. Raises ``ProctoringError``; for an attempt whose status nobody knows, always."""
    if situation.screen == Screen.UNKNOWN:
        raise Conflict(_("Nothing can be done here now. Please ask the course staff."), code="unknown_status")
    return ACTIONS[action](situation, user, form)


def own_attempt(situation: Situation, form: QueryDict) -> Attempt:
    """The attempt that the form was shown for.

    Raises ``Conflict`` where there is none, or where the form is one of an earlier attempt: an old tab must not
    submit the new one.
    """
    if situation.attempt is None:
        raise Conflict(_("You have no attempt at this exam yet."), code="no_attempt")
    if form.get("attempt", str(situation.attempt.pk)) != str(situation.attempt.pk):
        raise Conflict(_("That page was out of date. This one shows how things stand."), code="stale_page")
    return situation.attempt


def _begin(situation: Situation, user: User, form: QueryDict) -> Attempt:
    return create_attempt(situation.exam, user, proctored=True)


def _launch(situation: Situation, user: User, form: QueryDict) -> Attempt:
    return services.launch_software(own_attempt(situation, form), by=user)


def _start(situation: Situation, user: User, form: QueryDict) -> Attempt:
    return services.start_attempt(own_attempt(situation, form), by=user)


def _stop(situation: Situation, user: User, form: QueryDict) -> Attempt:
    return services.stop_attempt(own_attempt(situation, form), by=user)


def _submit(situation: Situation, user: User, form: QueryDict) -> Attempt:
    return services.submit_attempt(own_attempt(situation, form), by=user)


def _decline(situation: Situation, user: User, form: QueryDict) -> Attempt:
    attempt, exam = situation.attempt, situation.exam
    if attempt is not None and situation.status in OPEN - BLOCKED:
        return services.decline_attempt(own_attempt(situation, form), by=user)
    if exam.exam_type != ExamType.PROCTORED:
        raise refusal(Refusal.OPT_OUT_NOT_ALLOWED, _("This exam cannot be taken without proctoring."))
    return create_attempt(exam, user, proctored=False)


def _error(situation: Situation, user: User, form: QueryDict) -> Attempt:
    detail = form.get("detail", "")[:DETAIL_LENGTH]
    return services.report_error(own_attempt(situation, form), by=user, actor=Actor.CANDIDATE, detail=detail)


def _acknowledge(situation: Situation, user: User, form: QueryDict) -> Attempt:
    return services.acknowledge(own_attempt(situation, form), by=user)


def _restart(situation: Situation, user: User, form: QueryDict) -> Attempt:
    return restart_sample(own_attempt(situation, form), actor=Actor.CANDIDATE, by=user)


ACTIONS: dict[str, Action] = {
    "begin": _begin,
    "launch": _launch,
    "start": _start,
    "stop": _stop,
    "back": _start,
    "submit": _submit,
    "decline": _decline,
    "error": _error,
    "acknowledge": _acknowledge,
    "restart": _restart,
}

TO_THE_QUESTIONS = frozenset({"start", "back"})
"""After these the candidate goes straight to the questions: the clock is running."""

CONFIRMED = frozenset({"decline", "error"})
"""These are asked about on a page of their own, at the same address (GET)."""
