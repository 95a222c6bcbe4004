"""The same to many attempts: a record first, then each attempt in a transaction of its own.

Locks: one attempt at a time, so that two bulk actions cannot wait for each other. What is refused, or breaks, keeps
nothing else back. Where a worker was killed, ``go_on`` does the rest. Nobody can tell whether one is dead or slow, so
two may be at it: an item takes one result, and whoever comes second has their step rolled back.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from proctoring.attempts.models import TimeEntry
from proctoring.errors import ProctoringError
from proctoring.invigilation.actions import Action, Wish
from proctoring.invigilation.choosing import Choice, Target, choose_named
from proctoring.invigilation.models import NOT_REACHED, BulkAction, BulkItem, Result
from proctoring.invigilation.services import intervene

if TYPE_CHECKING:
    from proctoring.host import User

logger = logging.getLogger(__name__)

FAILED = "failed"
"""The code of an item that broke: something else than a rule stood in its way."""

POSTS = frozenset({Action.EXTEND, Action.RESUME})
"""Those that write into the ledger."""

Act = Callable[[datetime], Mapping[str, Any]]
"""Does it at this moment, and returns what else the item keeps."""


class _Stopped(Exception):
    """The item has a result already: somebody has undone the whole action while it ran, or went on with it too."""


def record_bulk_action(choice: Choice, wish: Wish, *, by: User, now: datetime | None = None) -> BulkAction:
    """Write down what is going to be done, in one transaction. Nothing is done yet: ``carry_out`` does it."""
    with transaction.atomic():
        bulk = BulkAction.objects.create(
            by=by,
            action=wish.action,
            exam=choice.exam,
            filter=dict(choice.filter),
            more=choice.more,
            reason_code=wish.reason_code,
            comment=wish.comment,
            minutes=wish.minutes,
            text=wish.text,
            created_at=now or timezone.now(),
        )
        BulkItem.objects.bulk_create(_item(bulk, target) for target in choice.targets)
    return bulk


def _item(bulk: BulkAction, target: Target) -> BulkItem:
    if target.refusal is None:
        return BulkItem(bulk=bulk, asked=target.asked, attempt=target.attempt)
    code, detail = target.refusal.code, str(target.refusal)
    return BulkItem(bulk=bulk, asked=target.asked, result=Result.REFUSED, code=code, detail=detail)


def carry_out(bulk: BulkAction, choice: Choice, *, by: User) -> BulkAction:
    """Do it to each attempt, now. Not inside of a transaction, which would hold the locks of all of them.

    Two statements, and one for each item, beside those of the steps.
    """
    targets, wish = {target.asked: target for target in choice.targets}, bulk.wish
    for item in bulk.items.filter(result=NOT_REACHED):
        settle(item, partial(_act, targets[item.asked], wish, by))
    bulk.finished_at = timezone.now()
    BulkAction.objects.filter(pk=bulk.pk).update(finished_at=bulk.finished_at)
    return bulk


def go_on(bulk: BulkAction, *, by: User) -> BulkAction:
    """Do what is left of one that was never finished; of any other, nothing. Rights are those of now, and of ``by``.

    Raises ``NotPermitted`` as ``choose_named`` does.
    """
    if bulk.finished_at is not None or bulk.undone_at is not None:
        return bulk
    # Not by the filter again: it would find others by now.
    left = bulk.items.filter(result=NOT_REACHED).values_list("asked", flat=True)
    return carry_out(bulk, choose_named(left, by=by), by=by)


def act_on_many(choice: Choice, wish: Wish, *, by: User) -> BulkAction:
    """Both in one, for doors that nobody knocks at twice with the same key."""
    return carry_out(record_bulk_action(choice, wish, by=by), choice, by=by)


def _act(target: Target, wish: Wish, by: User, now: datetime) -> Mapping[str, Any]:
    if target.refusal is not None:
        raise target.refusal
    if target.attempt is None or target.actor is None:
        raise ValueError("Only what may be done is tried.")
    row = intervene(target.attempt, wish, by=by, actor=target.actor, now=now)
    kept: dict[str, Any] = {"at": now}
    if wish.action in POSTS:
        # The attempt is locked: nobody else has written since.
        kept["entry"] = TimeEntry.objects.filter(attempt=row.pk).order_by("-pk").values_list("pk", flat=True)[0]
    return kept


def settle(item: BulkItem, act: Act, *, prefix: str = "") -> None:
    """Do it, and write what became of it into the item, in one transaction; a refusal in another one.

    ``prefix``: of the item's fields; those of the undoing begin with ``undo_``.
    """
    try:
        with transaction.atomic():
            kept = act(timezone.now())
            if not write_result(item, Result.DONE, prefix=prefix, **kept):
                raise _Stopped
    except _Stopped:
        return
    except ProctoringError as refused:
        write_result(item, Result.REFUSED, prefix=prefix, code=refused.code, detail=str(refused))
    # A receiver of the LMS, or the database: one attempt's bad luck is not everybody's.
    except Exception:
        logger.exception("a bulk action failed at attempt %s", item.attempt_id)
        # Where the step was committed before this was raised, its result stands, and this changes nothing.
        sentence = _("Something went wrong with this attempt. Look at it before you try again.")
        write_result(item, Result.REFUSED, prefix=prefix, code=FAILED, detail=sentence)


def write_result(
    item: BulkItem, result: Result, *, prefix: str = "", code: str = "", detail: str = "", **further: Any
) -> bool:
    """Whether the item had none yet."""
    said: dict[str, Any] = {"result": result, "code": code, "detail": detail}
    values = {f"{prefix}{name}": value for name, value in said.items()}
    waiting = BulkItem.objects.filter(**{"pk": item.pk, f"{prefix}result": NOT_REACHED})
    return bool(waiting.update(**values, **further))
