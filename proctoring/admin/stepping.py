"""What a step in the admin is: its words, its form, who may take it, and the one service that it calls."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from proctoring.admin.reasons import CodedReasonForm, ReasonForm, Why
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Actor, Status
from proctoring.errors import IllegalTransition, NotPermitted
from proctoring.invigilation.actions import Action, Wish
from proctoring.permissions import is_course_staff, may_invigilate, may_review

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

    from proctoring.host import User

Possible = Callable[[Attempt, Actor, datetime], bool]
Act = Callable[["Request"], Attempt]


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """A step that somebody wants to take: on which attempt, in which capacity, and why."""

    attempt: Attempt
    actor: Actor
    by: User
    why: Why
    now: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    name: str
    title: _StrPromise
    explanation: _StrPromise
    done: _StrPromise
    actors: tuple[Actor, ...]
    """In these capacities, the preferred one first."""
    possible: Possible
    act: Act
    form: type[ReasonForm] = CodedReasonForm
    leads_to: Status | None = None
    action: Action | None = None
    """Where it is an invigilator's: what several attempts are done to under one record."""
    grave: bool = False
    """Cannot be taken back, or ends the exam: the button says so by its looks and its place."""

    def capacity(self, attempt: Attempt, held: Collection[Actor], now: datetime) -> Actor | None:
        """In which of the capacities held the step can be taken now; None: in none."""
        able = (actor for actor in self.actors if actor in held and self.possible(attempt, actor, now))
        return next(able, None)

    def wish(self, why: Why) -> Wish:
        """Of an invigilator's step. Raises ``InvalidInput``."""
        if self.action is None:
            raise ValueError("This is no invigilator's step.")
        return Wish(
            action=self.action,
            reason_code=why.reason_code or 0,
            comment=why.comment,
            minutes=why.minutes or None,
            text=why.text,
        )

    def take(self, attempt: Attempt, *, by: User, why: Why, now: datetime) -> Attempt:
        """Call the service. Raises ``NotPermitted`` for who has no capacity in the attempt's own course, and what the
        service raises. A person has no say in the steps of a table that is not theirs, so its refusal is in words."""
        held = [actor for actor in self.actors if actor in capacities(by, attempt.exam.course_id)]
        if not held:
            raise NotPermitted(_("You may not do this in this course."))
        actor = self.capacity(attempt, held, now)
        if actor is None and self.leads_to is not None:
            raise _impossible(attempt.status_at(now), self)
        try:
            # Where no capacity suffices, the service finds the better words for why.
            return self.act(Request(attempt=attempt, actor=actor or held[0], by=by, why=why))
        except IllegalTransition as refused:
            if "from" in refused.data:
                raise _impossible(Status(refused.data["from"]), self) from refused
            raise


def _impossible(status: Status, step: Step) -> IllegalTransition:
    sentence = _("“%(step)s” is not possible: the attempt is “%(status)s”.")
    return IllegalTransition(sentence % {"step": step.title, "status": status.label})


def capacities(user: User, course_id: str) -> set[Actor]:
    """In which capacities a person acts on attempts of this course. A vendor's or the system's is never among them."""
    held = {
        Actor.STAFF: is_course_staff(user, course_id),
        Actor.REVIEWER: may_review(user, course_id),
        Actor.PROCTOR: may_invigilate(user, course_id),
    }
    return {actor for actor, holds in held.items() if holds}
