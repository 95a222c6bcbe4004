"""What the steps of an attempt are in the log of events. Called in the transaction of each step."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from proctoring.attempts.models import Attempt, RetryKind
from proctoring.attempts.states import BLOCKED, DECIDED, OPEN, SETUP, Actor, Status
from proctoring.attempts.timing import EntryKind
from proctoring.logs.models import Event, EventActor
from proctoring.logs.reason_codes import REASON_CODES
from proctoring.logs.services import event_of, record_together

if TYPE_CHECKING:
    from proctoring.host import User

CREATED, STARTED, COMPLETED, TIMED_OUT, PAUSED, RESUMED = 1001, 1002, 1007, 1008, 1010, 1011
EXTRA_TIME, TERMINATED, VOIDED, RESET, RESUME_AUTHORISED, ERROR = 1012, 1013, 1014, 1015, 1016, 1018
REVIEW_RECEIVED, VERDICT_CHANGED, TIME_CORRECTED = 1060, 1061, 1062

ACTORS: Mapping[Actor, EventActor] = {
    Actor.CANDIDATE: EventActor.TEST_TAKER,
    Actor.PROCTOR: EventActor.PROCTOR,
    Actor.STAFF: EventActor.PROCTOR,
    Actor.REVIEWER: EventActor.PROCTOR,
    Actor.VENDOR: EventActor.VENDOR,
    Actor.SYSTEM: EventActor.SYSTEM,
}
"""A person who intervenes reads as a proctor in the log, whichever of their capacities they act in."""

CAUSE = re.compile(r"^(?:[a-z][a-z ]{0,30}: )?([0-9]{5})(?:: (.*))?$", re.ASCII | re.DOTALL)
"""A cause where the doors write it: first in the reason, or after what was done."""


def note_step(
    attempt: Attempt,
    old: Status,
    new: Status,
    *,
    actor: Actor,
    by: User | None,
    reason: str,
    now: datetime,
    because: Sequence[Event] = (),
) -> None:
    """Write down what the step is in the log, and before it the facts that led to it. One statement, or none.

    That the attempt was created is written with the first such step: until then nothing has happened in it that a log
    would be read for.
    """
    events = list(because)
    type_ = _type_of(attempt, old, new, actor)
    if type_ is not None:
        if old in SETUP:
            created = min(attempt.created_at, now)
            events.append(event_of(attempt, CREATED, actor=EventActor.SYSTEM, now=now, at=created))
        events.append(_step(attempt, type_, old, new, actor=actor, by=by, reason=reason, now=now))
    record_together(events)


def _step(
    attempt: Attempt,
    type_: int,
    old: Status,
    new: Status,
    *,
    actor: Actor,
    by: User | None,
    reason: str,
    now: datetime,
) -> Event:
    code, words = split_reason(reason.removeprefix("error: ") if type_ == ERROR else reason)
    return event_of(
        attempt,
        type_,
        actor=ACTORS[actor],
        by=by,
        now=now,
        # A deadline ended the attempt when it passed, whenever that was noticed.
        at=attempt.ended_at if type_ == TIMED_OUT else now,
        reason_code=code,
        reason_message=words if actor != Actor.SYSTEM or code else "",
        data={"from": old.value, "to": new.value} if type_ == VERDICT_CHANGED else {},
    )


def note_time(
    attempt: Attempt,
    kind: EntryKind,
    seconds: int,
    *,
    by: User | None,
    reason_code: int | None,
    note: str,
    now: datetime,
) -> None:
    """Somebody gave time, or corrected it; after the end as well, when the log may be sealed already."""
    record_together([time_event(attempt, kind, seconds, by=by, reason_code=reason_code, note=note, now=now)])


def time_event(
    attempt: Attempt,
    kind: EntryKind,
    seconds: int,
    *,
    by: User | None,
    now: datetime,
    reason_code: int | None = None,
    note: str = "",
) -> Event:
    """The same, not saved yet. What an allowance gives is extra time too; what it takes away is a correction."""
    is_extra = kind in (EntryKind.EXTRA_TIME, EntryKind.ALLOWANCE) and seconds > 0
    return event_of(
        attempt,
        EXTRA_TIME if is_extra else TIME_CORRECTED,
        actor=EventActor.PROCTOR if by is not None else EventActor.SYSTEM,
        by=by,
        now=now,
        reason_code=reason_code,
        reason_message=note,
        extra_minutes=seconds // 60 if is_extra else None,
        data={"kind": kind.value, "seconds": seconds},
    )


def split_reason(reason: str) -> tuple[int | None, str]:
    """The cause that a person chose, and their comment. A number that is no cause is part of the words."""
    found = CAUSE.match(reason)
    if found is None or int(found[1]) not in REASON_CODES:
        return None, reason
    return int(found[1]), found[2] or ""


def _type_of(attempt: Attempt, old: Status, new: Status, actor: Actor) -> int | None:
    if old in BLOCKED:
        # It never came to be.
        return None
    if new == Status.STARTED:
        return {Status.PAUSED: RESUMED}.get(old, STARTED if old in SETUP else None)
    if new == Status.SUBMITTED and old in OPEN and actor == Actor.SYSTEM:
        return TIMED_OUT
    if new == Status.VOIDED:
        return RESET if attempt.retry_kind == RetryKind.FRESH else VOIDED
    if new == Status.ERROR and old not in OPEN:
        return VERDICT_CHANGED
    if new in DECIDED:
        return VERDICT_CHANGED
    return {
        Status.PAUSED: PAUSED,
        Status.SUBMITTED: COMPLETED,
        Status.TIMED_OUT: TIMED_OUT,
        Status.TERMINATED: TERMINATED,
        Status.ERROR: ERROR,
    }.get(new)
