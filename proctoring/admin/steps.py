"""What a person may do to an attempt here: each step with its words, its form, and the one service that it calls."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy

from proctoring.admin.reasons import CorrectionForm, ExtensionForm, MessageForm, ReasonForm, RiskForm, SpokenReasonForm
from proctoring.admin.stepping import Act, Possible, Request, Step, capacities
from proctoring.attempts import services
from proctoring.attempts.models import Attempt, RetryKind
from proctoring.attempts.retries import authorize_resume, can_be_resumed, reset_attempt
from proctoring.attempts.states import OPEN, TRAITS, Actor, Phase, Status, can_become
from proctoring.invigilation.actions import Action
from proctoring.invigilation.services import intervene
from proctoring.reviews.ratings import set_risk
from proctoring.reviews.services import record_decision

if TYPE_CHECKING:
    from proctoring.host import User

STAFF = (Actor.STAFF,)
INVIGILATORS = (Actor.STAFF, Actor.PROCTOR)
JUDGES = (Actor.REVIEWER, Actor.STAFF)


def steps_for(attempt: Attempt, user: User, now: datetime) -> list[Step]:
    """What this person may do to this attempt now, the likeliest first. Nobody acts on their own attempt, except who
    answers for the whole LMS."""
    if attempt.user_id == user.pk and not user.is_superuser:
        return []
    held = capacities(user, attempt.exam.course_id)
    return [step for step in STEPS.values() if step.capacity(attempt, held, now) is not None]


def _by_table(new: Status) -> Possible:
    return lambda attempt, actor, now: can_become(attempt.status_at(now), new, actor)


def _while_open(attempt: Attempt, actor: Actor, now: datetime) -> bool:
    return attempt.status_at(now) in OPEN


def _always(attempt: Attempt, actor: Actor, now: datetime) -> bool:
    return True


def _until_decided(attempt: Attempt, actor: Actor, now: datetime) -> bool:
    return TRAITS[attempt.status_at(now)].phase not in (Phase.DECIDED, Phase.CLOSED)


def _fails_while_open(attempt: Attempt, actor: Actor, now: datetime) -> bool:
    return _while_open(attempt, actor, now) and _by_table(Status.ERROR)(attempt, actor, now)


def _unreviewable(attempt: Attempt, actor: Actor, now: datetime) -> bool:
    return not _while_open(attempt, actor, now) and _by_table(Status.ERROR)(attempt, actor, now)


def _has_begun(attempt: Attempt, actor: Actor, now: datetime) -> bool:
    return attempt.started_at is not None


def _resumable(attempt: Attempt, actor: Actor, now: datetime) -> bool:
    return can_be_resumed(attempt, now=now)


def _resettable(attempt: Attempt, actor: Actor, now: datetime) -> bool:
    newer = getattr(attempt, "has_successor", False)
    return not newer and not (attempt.status == Status.VOIDED and attempt.retry_kind == RetryKind.FRESH)


def _correct(ask: Request) -> Attempt:
    why = ask.why
    return services.correct_time(
        ask.attempt, seconds=why.seconds, by=ask.by, reason_code=why.reason_code, note=why.comment, now=ask.now
    )


def _ready(ask: Request) -> Attempt:
    return services.mark_ready(ask.attempt, by=ask.by, actor=ask.actor, reason=ask.why.reason, now=ask.now)


def _fail(ask: Request) -> Attempt:
    return services.report_error(ask.attempt, by=ask.by, actor=ask.actor, detail=ask.why.reason, now=ask.now)


def _submit(ask: Request) -> Attempt:
    actors = {ask.actor}
    return services.change_status(
        ask.attempt, Status.SUBMITTED, by=ask.by, actors=actors, reason=ask.why.reason, now=ask.now
    )


def _resume_later(ask: Request) -> Attempt:
    return authorize_resume(ask.attempt, by=ask.by, reason=ask.why.reason, now=ask.now)


def _reset(ask: Request) -> Attempt:
    return reset_attempt(ask.attempt, by=ask.by, reason=ask.why.reason, now=ask.now)


def _rate(ask: Request) -> Attempt:
    return set_risk(ask.attempt, ask.why.risk, by=ask.by, now=ask.now).attempt


def _intervene(action: Action) -> Act:
    def act(ask: Request) -> Attempt:
        wish = STEPS[action.value].wish(ask.why)
        return intervene(ask.attempt, wish, by=ask.by, actor=ask.actor, now=ask.now)

    return act


def _decide(verdict: Status) -> Act:
    def act(ask: Request) -> Attempt:
        return record_decision(ask.attempt, verdict, by=ask.by, actors={ask.actor}, reason=ask.why.reason, now=ask.now)

    return act


_ALL = (
    Step(
        name="extend",
        title=gettext_lazy("Extend"),
        explanation=gettext_lazy("The candidate gets more minutes at once."),
        done=gettext_lazy("extended."),
        actors=INVIGILATORS,
        possible=_while_open,
        act=_intervene(Action.EXTEND),
        action=Action.EXTEND,
        form=ExtensionForm,
    ),
    Step(
        name="pause",
        title=gettext_lazy("Pause"),
        explanation=gettext_lazy("The clock stops. The exam’s own closing time still ends a pause that nobody ends."),
        done=gettext_lazy("paused."),
        actors=INVIGILATORS,
        possible=_by_table(Status.PAUSED),
        act=_intervene(Action.PAUSE),
        action=Action.PAUSE,
        form=SpokenReasonForm,
        leads_to=Status.PAUSED,
    ),
    Step(
        name="resume",
        title=gettext_lazy("Resume"),
        explanation=gettext_lazy("The clock runs again. The pause is given back in the ledger."),
        done=gettext_lazy("resumed."),
        actors=INVIGILATORS,
        possible=_by_table(Status.STARTED),
        act=_intervene(Action.RESUME),
        action=Action.RESUME,
        form=SpokenReasonForm,
        leads_to=Status.STARTED,
    ),
    Step(
        name="message",
        title=gettext_lazy("Send a message"),
        explanation=gettext_lazy("The candidate’s page shows it within a few seconds."),
        done=gettext_lazy("the message is on its way."),
        actors=INVIGILATORS,
        possible=_while_open,
        act=_intervene(Action.MESSAGE),
        action=Action.MESSAGE,
        form=MessageForm,
    ),
    Step(
        name="flag",
        title=gettext_lazy("Flag"),
        explanation=gettext_lazy("This moment is marked in the log. The candidate hears nothing of it."),
        done=gettext_lazy("flagged."),
        actors=INVIGILATORS,
        possible=_always,
        act=_intervene(Action.FLAG),
        action=Action.FLAG,
    ),
    Step(
        name="reload",
        title=gettext_lazy("Load the page again"),
        explanation=gettext_lazy(
            "The candidate’s page loads again. What was entered there is kept by the LMS, or lost."
        ),
        done=gettext_lazy("the page is told to load again."),
        actors=INVIGILATORS,
        possible=_while_open,
        act=_intervene(Action.RELOAD),
        action=Action.RELOAD,
    ),
    Step(
        name="ready",
        title=gettext_lazy("Mark as ready"),
        explanation=gettext_lazy("You say in the vendor’s place that the candidate may start."),
        done=gettext_lazy("ready to start."),
        actors=STAFF,
        possible=_by_table(Status.READY_TO_START),
        act=_ready,
        form=ReasonForm,
        leads_to=Status.READY_TO_START,
    ),
    Step(
        name="authorize_resume",
        title=gettext_lazy("Authorise a resume"),
        explanation=gettext_lazy("The candidate’s next attempt goes on with exactly the time that was left."),
        done=gettext_lazy("a resume is authorised."),
        actors=STAFF,
        possible=_resumable,
        act=_resume_later,
    ),
    Step(
        name="verify",
        title=gettext_lazy("Verify"),
        explanation=gettext_lazy("Your verdict, under your name: the attempt is in order."),
        done=gettext_lazy("verified."),
        actors=JUDGES,
        possible=_by_table(Status.VERIFIED),
        act=_decide(Status.VERIFIED),
        form=ReasonForm,
        leads_to=Status.VERIFIED,
    ),
    Step(
        name="reject",
        title=gettext_lazy("Reject"),
        explanation=gettext_lazy("Your verdict, under your name: the rules were violated."),
        done=gettext_lazy("rejected."),
        actors=JUDGES,
        possible=_by_table(Status.REJECTED),
        act=_decide(Status.REJECTED),
        form=ReasonForm,
        leads_to=Status.REJECTED,
    ),
    Step(
        name="second_review",
        title=gettext_lazy("Ask for a second review"),
        explanation=gettext_lazy("Your verdict, under your name: somebody else has to look at it."),
        done=gettext_lazy("waits for a second review."),
        actors=JUDGES,
        possible=_by_table(Status.SECOND_REVIEW_REQUIRED),
        act=_decide(Status.SECOND_REVIEW_REQUIRED),
        form=ReasonForm,
        leads_to=Status.SECOND_REVIEW_REQUIRED,
    ),
    Step(
        name="not_reviewable",
        title=gettext_lazy("Cannot be reviewed"),
        explanation=gettext_lazy("Your verdict, under your name: there is nothing to judge. The attempt is in error."),
        done=gettext_lazy("in error: cannot be reviewed."),
        actors=JUDGES,
        possible=_unreviewable,
        act=_decide(Status.ERROR),
        form=ReasonForm,
        leads_to=Status.ERROR,
    ),
    Step(
        name="correct_time",
        title=gettext_lazy("Correct the time"),
        explanation=gettext_lazy("An entry in the ledger, in either direction."),
        done=gettext_lazy("the time is corrected."),
        actors=STAFF,
        possible=_until_decided,
        act=_correct,
        form=CorrectionForm,
    ),
    Step(
        name="submit",
        title=gettext_lazy("Submit"),
        explanation=gettext_lazy("The attempt is handed in as it is now, in the candidate’s place."),
        done=gettext_lazy("submitted."),
        actors=JUDGES[::-1],
        possible=_by_table(Status.SUBMITTED),
        act=_submit,
        leads_to=Status.SUBMITTED,
        grave=True,
    ),
    Step(
        name="set_risk",
        title=gettext_lazy("Set risk"),
        explanation=gettext_lazy("Your rating counts from now on. It decides nothing; older ratings are kept."),
        done=gettext_lazy("rated."),
        actors=STAFF,
        possible=_has_begun,
        act=_rate,
        form=RiskForm,
    ),
    Step(
        name="fail",
        title=gettext_lazy("Report an error"),
        explanation=gettext_lazy("The attempt ends in error. A resume can be authorised afterwards."),
        done=gettext_lazy("ended in error."),
        actors=STAFF,
        possible=_fails_while_open,
        act=_fail,
        leads_to=Status.ERROR,
        grave=True,
    ),
    Step(
        name="terminate",
        title=gettext_lazy("Terminate"),
        explanation=gettext_lazy("The attempt ends at once, against the candidate’s will."),
        done=gettext_lazy("terminated."),
        actors=INVIGILATORS,
        possible=_by_table(Status.TERMINATED),
        act=_intervene(Action.TERMINATE),
        action=Action.TERMINATE,
        form=SpokenReasonForm,
        leads_to=Status.TERMINATED,
        grave=True,
    ),
    Step(
        name="reset",
        title=gettext_lazy("Reset"),
        explanation=gettext_lazy(
            "The attempt is voided, the vendor is told to drop it, and the candidate may begin again with the full "
            "time. Of a practice or onboarding exam the next attempt is made at once."
        ),
        done=gettext_lazy("reset, a fresh attempt is granted."),
        actors=STAFF,
        possible=_resettable,
        act=_reset,
        grave=True,
    ),
    Step(
        name="void",
        title=gettext_lazy("Void"),
        explanation=gettext_lazy("The attempt is annulled. The candidate gets no other."),
        done=gettext_lazy("voided."),
        actors=INVIGILATORS,
        possible=_by_table(Status.VOIDED),
        act=_intervene(Action.VOID),
        action=Action.VOID,
        leads_to=Status.VOIDED,
        grave=True,
    ),
)

STEPS = {step.name: step for step in _ALL}

BULK = tuple(
    STEPS[name]
    for name in (
        *("pause", "resume", "extend", "message", "flag", "reload", "terminate", "void"),
        *("authorize_resume", "reset"),
    )
)
"""What the list offers for several attempts at once."""
