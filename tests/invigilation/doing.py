"""Intervening in tests, in few words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import time_machine

from proctoring.attempts.models import Attempt
from proctoring.invigilation.actions import Action, Why, Wish
from proctoring.invigilation.bulk import act_on_many
from proctoring.invigilation.choosing import choose_named
from proctoring.invigilation.models import BulkAction
from proctoring.invigilation.services import capacity, intervene
from proctoring.invigilation.undo import undo_bulk_action
from proctoring.logs.models import Event
from proctoring.signals import attempt_status_changed
from tests.factories import at

NOISE = 10030
HALF_PAST, LATER = at(10, 30), at(10, 40)


def wish(action: str, **fields: Any) -> Wish:
    given = {"minutes": 10} if action == "extend" else {"text": "Please sit down."} if action == "message" else {}
    return Wish(action=Action(action), **{"reason_code": NOISE, "comment": "Drilling next door", **given, **fields})


def do(attempt: Attempt, action: str, by: Any, *, now: datetime = HALF_PAST, **fields: Any) -> Attempt:
    actor = capacity(by, attempt.exam.course_id)
    return intervene(attempt, wish(action, **fields), by=by, actor=actor, now=now)


def do_to_all(
    attempts: Sequence[Attempt], action: str, by: Any, *, moment: datetime = HALF_PAST, **fields: Any
) -> BulkAction:
    with time_machine.travel(moment, tick=False):
        return act_on_many(choose_named([one.pk for one in attempts], by=by), wish(action, **fields), by=by)


def undo(bulk: BulkAction, by: Any, *, moment: datetime = LATER) -> BulkAction:
    with time_machine.travel(moment, tick=False):
        return undo_bulk_action(bulk, Why(reason_code=30030, comment="A mistake"), by=by)


@contextmanager
def killed_after(attempt: Attempt) -> Iterator[None]:
    """The worker dies as soon as this attempt's step is committed; only in tests whose transactions are real."""

    def kill(attempt: Attempt, **_: Any) -> None:
        if attempt.pk == last:
            raise KeyboardInterrupt

    last = attempt.pk
    attempt_status_changed.connect(kill)
    try:
        yield
    finally:
        attempt_status_changed.disconnect(kill)


def results(bulk: BulkAction) -> list[tuple[str, str]]:
    return [(item.result, item.code) for item in bulk.items.all()]


def undone(bulk: BulkAction) -> list[tuple[str, str]]:
    return [(item.undo_result, item.undo_code) for item in bulk.items.all()]


def logged(attempt: Attempt, *types: int) -> list[Event]:
    return list(Event.objects.filter(attempt=attempt, type__in=types).order_by("pk"))


def now_of(attempt: Attempt) -> Attempt:
    return Attempt.objects.get(pk=attempt.pk)
