"""A bulk action is taken back: by the opposite step of each attempt that is still as the action left it.

Where a worker was killed, whoever undoes it again does what is left; each item is taken back once, as it is done once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from proctoring.attempts.lifecycle import locked
from proctoring.attempts.models import Attempt
from proctoring.attempts.services import reverse_time
from proctoring.attempts.states import Actor, Status
from proctoring.attempts.timing import EntryKind
from proctoring.errors import Conflict, ProctoringError, RuleBroken
from proctoring.invigilation.actions import UNDOABLE, Action, Why, Wish
from proctoring.invigilation.bulk import settle, write_result
from proctoring.invigilation.models import NOT_REACHED, BulkAction, BulkItem, Result
from proctoring.invigilation.services import capacity, intervene
from proctoring.monitoring.commands import send_command
from proctoring.monitoring.models import CommandKind

if TYPE_CHECKING:
    from django.db.models import QuerySet

    from proctoring.attempts.models import TimeEntry
    from proctoring.host import User

UNDO = "undo_"


def undo_bulk_action(bulk: BulkAction, why: Why, *, by: User, now: datetime | None = None) -> BulkAction:
    """Take back what can be. One that still runs is stopped: what it has not reached is not done any more.

    An undoing that was not finished goes on. The record keeps who began it and why; each step says who took it and why.
    Raises ``Conflict`` (``already_undone``) where nothing is left.
    """
    began = _begin(bulk, why, by=by, now=now or timezone.now())
    items = list(waiting_for_undo(bulk).select_related("attempt__exam", "attempt__user", "entry"))
    if not began and not items:
        raise Conflict(_("This has been undone already."), code="already_undone")
    for item in items:
        _undo(item, Action(bulk.action), why, by)
    bulk.refresh_from_db()
    return bulk


def waiting_for_undo(bulk: BulkAction) -> QuerySet[BulkItem]:
    """What was done and has not been tried to take back."""
    return bulk.items.filter(result=Result.DONE, undo_result=NOT_REACHED)


def _begin(bulk: BulkAction, why: Why, *, by: User, now: datetime) -> bool:
    """Whether nobody had. With the stop in one transaction: of what is undone, nothing is left to do."""
    undone = {"undone_at": now, "undone_by": by.pk}
    undone |= {"undo_reason_code": why.reason_code, "undo_comment": why.comment}
    stopped = {"code": "stopped", "detail": _("Undone before it was this attempt's turn.")}
    with transaction.atomic():
        began = BulkAction.objects.filter(pk=bulk.pk, undone_at=None).update(**undone)
        bulk.items.filter(result=NOT_REACHED).update(result=Result.REFUSED, **stopped)
    return bool(began)


def _undo(item: BulkItem, action: Action, why: Why, by: User) -> None:
    if action not in UNDOABLE:
        sentence = _("This cannot be taken back.")
        write_result(item, Result.REFUSED, prefix=UNDO, code="not_undoable", detail=sentence)
        return
    settle(item, partial(_reverse, item, action, why, by), prefix=UNDO)


def _reverse(item: BulkItem, action: Action, why: Why, by: User, now: datetime) -> Mapping[str, Any]:
    attempt = item.attempt
    if attempt is None:
        raise ValueError("Only what was done is taken back.")
    actor = capacity(by, attempt.exam.course_id)
    # Held until the opposite step is there.
    with locked(attempt, now=now) as row:
        _OPPOSITES[action](row, item, _Undoing(why=why, by=by, actor=actor, now=now))
    return {}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Undoing:
    why: Why
    by: User
    actor: Actor
    now: datetime


def _resume_again(row: Attempt, item: BulkItem, undoing: _Undoing) -> None:
    if row.status != Status.PAUSED or row.paused_at != item.at:
        raise _changed()
    _take(Action.RESUME, row, undoing)


def _pause_again(row: Attempt, item: BulkItem, undoing: _Undoing) -> None:
    pauses = row.time_entries.filter(kind=EntryKind.PAUSE, reverses=None)
    if row.status != Status.STARTED or pauses.order_by("-pk").values_list("pk", flat=True).first() != item.entry_id:
        raise _changed()
    _take(Action.PAUSE, row, undoing)


def _take_time_back(row: Attempt, item: BulkItem, undoing: _Undoing) -> None:
    """Not from who lives on it: nobody's exam ends because somebody else was given too much."""
    entry: TimeEntry | None = item.entry
    if entry is None or not row.traits.open:
        raise _changed()
    after = reverse_time(
        row,
        entry=entry,
        by=undoing.by,
        reason_code=undoing.why.reason_code,
        note=undoing.why.comment,
        now=undoing.now,
    )
    if after.expires_at is not None and after.expires_at <= undoing.now:
        raise RuleBroken(_("This time is being used already: without it the attempt would end now."), code="time_used")
    minutes = -(entry.seconds // 60)
    send_command(after, CommandKind.EXTEND, by=undoing.by, now=undoing.now, minutes=minutes)


_OPPOSITES: Mapping[Action, Callable[[Attempt, BulkItem, _Undoing], None]] = {
    Action.PAUSE: _resume_again,
    Action.RESUME: _pause_again,
    Action.EXTEND: _take_time_back,
}


def _take(action: Action, row: Attempt, undoing: _Undoing) -> None:
    wish = Wish(action=action, reason_code=undoing.why.reason_code, comment=undoing.why.comment)
    intervene(row, wish, by=undoing.by, actor=undoing.actor, now=undoing.now)


def _changed() -> ProctoringError:
    return Conflict(_("The attempt is no longer as this action left it."), code="changed_meanwhile")
