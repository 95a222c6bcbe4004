"""What an invigilator does to one attempt. The server acts at once; the candidate's page hears with its next heartbeat.

Vendors and the system take the same steps without this room: they say nothing to the page.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from proctoring.attempts import services
from proctoring.attempts.lifecycle import locked, refuse_own
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Actor
from proctoring.errors import Conflict, NotPermitted
from proctoring.invigilation.actions import SPEAKING, Action, Wish
from proctoring.logs.models import EventActor
from proctoring.logs.services import record
from proctoring.monitoring.commands import send_command
from proctoring.monitoring.models import CommandKind
from proctoring.permissions import is_course_staff, may_invigilate

if TYPE_CHECKING:
    from proctoring.host import User

FLAGGED = 1017


@dataclass(frozen=True, kw_only=True, slots=True)
class Intervention:
    """A wish of somebody, in a capacity, at a moment."""

    wish: Wish
    by: User
    actor: Actor
    now: datetime


def capacity(user: User, course_id: str) -> Actor:
    """In which capacity the person intervenes in this course. Raises ``NotPermitted``."""
    if is_course_staff(user, course_id):
        return Actor.STAFF
    if may_invigilate(user, course_id):
        return Actor.PROCTOR
    raise NotPermitted(_("You are no invigilator of this course."), code="not_permitted")


def intervene(attempt: Attempt, wish: Wish, *, by: User, actor: Actor, now: datetime | None = None) -> Attempt:
    """Do it, and tell the page in the same transaction. ``actor`` is what ``capacity`` said.

    Raises ``NotPermitted`` (``own_attempt``), ``IllegalTransition``, ``Conflict`` (``attempt_closed``: there is no page
    any more that could show a message or be loaded again, or no time that could be extended; ``attempt_erased``).
    """
    refuse_own(attempt, by)
    step = Intervention(wish=wish, by=by, actor=actor, now=now or timezone.now())
    with transaction.atomic():
        return _STEPS[wish.action](attempt, step)


def _pause(attempt: Attempt, step: Intervention) -> Attempt:
    row = services.pause_attempt(attempt, by=step.by, actor=step.actor, reason=step.wish.reason, now=step.now)
    _tell(row, CommandKind.PAUSE, step)
    return row


def _resume(attempt: Attempt, step: Intervention) -> Attempt:
    row = services.resume_attempt(
        attempt,
        by=step.by,
        actor=step.actor,
        reason=step.wish.comment,
        reason_code=step.wish.reason_code,
        now=step.now,
    )
    _tell(row, CommandKind.RESUME, step)
    return row


def _extend(attempt: Attempt, step: Intervention) -> Attempt:
    minutes = step.wish.minutes or 0
    row = services.extend_time(
        attempt,
        minutes=minutes,
        by=step.by,
        reason_code=step.wish.reason_code,
        note=step.wish.comment,
        now=step.now,
    )
    _tell(row, CommandKind.EXTEND, step, minutes=minutes)
    return row


def _terminate(attempt: Attempt, step: Intervention) -> Attempt:
    row = services.terminate_attempt(attempt, by=step.by, actor=step.actor, reason=step.wish.reason, now=step.now)
    _tell(row, CommandKind.TERMINATE, step)
    return row


def _void(attempt: Attempt, step: Intervention) -> Attempt:
    row = services.void_attempt(attempt, by=step.by, actor=step.actor, reason=step.wish.reason, now=step.now)
    if row.ended_at == step.now:
        # It was open: what the page shows now, it finds where it came from.
        _tell(row, CommandKind.RELOAD, step)
    return row


def _message(attempt: Attempt, step: Intervention) -> Attempt:
    return _say_to_open(attempt, CommandKind.MESSAGE, step, text=step.wish.text)


def _reload(attempt: Attempt, step: Intervention) -> Attempt:
    return _say_to_open(attempt, CommandKind.RELOAD, step)


def _flag(attempt: Attempt, step: Intervention) -> Attempt:
    """A person's own mark: what the candidate is exempt from is not held against them by machines alone."""
    with locked(attempt, now=step.now) as row:
        _refuse_erased(row)
        record(
            row,
            FLAGGED,
            actor=EventActor.PROCTOR,
            by=step.by,
            now=step.now,
            reason_code=step.wish.reason_code,
            reason_message=step.wish.comment,
        )
    return row


_STEPS: Mapping[Action, Callable[[Attempt, Intervention], Attempt]] = {
    Action.PAUSE: _pause,
    Action.RESUME: _resume,
    Action.EXTEND: _extend,
    Action.TERMINATE: _terminate,
    Action.VOID: _void,
    Action.MESSAGE: _message,
    Action.FLAG: _flag,
    Action.RELOAD: _reload,
}


def _say_to_open(attempt: Attempt, kind: CommandKind, step: Intervention, *, text: str = "") -> Attempt:
    """What is no step of the attempt, so that the command itself says why."""
    with locked(attempt, now=step.now) as row:
        _refuse_erased(row)
        if not row.traits.open:
            raise Conflict(_("The attempt has ended: no page of it is open."), code="attempt_closed")
        send_command(
            row,
            kind,
            by=step.by,
            now=step.now,
            text=text,
            reason_code=step.wish.reason_code,
            comment=step.wish.comment,
        )
    return row


def _tell(row: Attempt, kind: CommandKind, step: Intervention, *, minutes: int | None = None) -> None:
    """The step before it in the log has said why already."""
    text = step.wish.text if step.wish.action in SPEAKING else ""
    send_command(row, kind, by=step.by, now=step.now, text=text, minutes=minutes)


def _refuse_erased(row: Attempt) -> None:
    if row.erased_at is not None:
        raise Conflict(_("What was known of this attempt has been erased."), code="attempt_erased")
