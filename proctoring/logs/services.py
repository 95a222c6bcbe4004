"""Write facts down: our own, one at a time; those of pages, LMSs and vendors in batches (``intake.py``)."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import router

from proctoring.logs.event_types import EVENT_TYPES
from proctoring.logs.models import MAX_TEXT, Event, EventActor

if TYPE_CHECKING:
    from proctoring.host import User

BATCH = 500
"""Events of one insert: 11 000 parameters, where every database that we know takes 32 766."""

OWN = "s:"
"""Message ids of our services begin with it; no page's may (``intake.py``)."""

VENDORS, LMS = f"{OWN}v:", f"{OWN}l:"
"""Message ids of vendors' events, and of those of the LMS's server, begin with these. Ids are unique in an attempt,
whoever sent them, and no page may begin one so: a candidate who guesses others' ids keeps none of their events out."""

LONGEST_ID = 64


def id_from(sender: str, given: str) -> str:
    """Under which id an event is stored that its sender (``VENDORS``, ``LMS``) calls so."""
    name = sender + given
    if len(name) <= LONGEST_ID:
        return name
    return (sender + hashlib.sha256(given.encode("utf-8", "replace")).hexdigest())[:LONGEST_ID]


def record(
    attempt: Any,
    type_: int,
    *,
    actor: EventActor,
    now: datetime,
    at: datetime | None = None,
    by: User | None = None,
    reason_code: int | None = None,
    reason_message: str = "",
    extra_minutes: int | None = None,
    data: Mapping[str, Any] | None = None,
) -> Event:
    """One fact of our own services about an attempt (a row of ``Attempt``) as it is now, in the transaction that makes
    it one.

    ``at``: when it happened, where that was before ``now``. One statement, and one more where a log that was sealed
    grows.
    """
    event = event_of(
        attempt,
        type_,
        actor=actor,
        now=now,
        at=at,
        by=by,
        reason_code=reason_code,
        reason_message=reason_message,
        extra_minutes=extra_minutes,
        data=data,
    )
    event.save(force_insert=True)
    attempt.log_grew(now)
    return event


def record_together(events: Sequence[Event]) -> None:
    """Facts of one moment, in their order. One statement for each ``BATCH`` of them, also on SQLite, for which Django's
    own insert would be cut far smaller than it has to be; one more for each attempt whose log was sealed and grows."""
    fields = [field for field in Event._meta.concrete_fields if not field.primary_key]
    for at in range(0, len(events), BATCH):
        Event._base_manager._insert(events[at : at + BATCH], fields=fields, using=router.db_for_write(Event))  # type: ignore[attr-defined]  # what a model's own save calls
    for event in {event.attempt_id: event for event in events}.values():
        attempt: Any = event.attempt
        attempt.log_grew(event.received_at)


def event_of(
    attempt: Any,
    type_: int,
    *,
    actor: EventActor,
    now: datetime,
    at: datetime | None = None,
    by: User | None = None,
    reason_code: int | None = None,
    reason_message: str = "",
    extra_minutes: int | None = None,
    data: Mapping[str, Any] | None = None,
) -> Event:
    """The same, not saved yet."""
    known = EVENT_TYPES[type_]
    return Event(
        exam_id=attempt.exam_id,
        attempt=attempt,
        type=type_,
        actor=actor,
        actor_user=by if by is not None and by.is_authenticated else None,
        occurred_at=at or now,
        received_at=now,
        at=at or now,
        message_id=f"{OWN}{uuid.uuid4().hex}",
        severity=known.severity.value,
        status=attempt.status,
        reason_code=reason_code,
        reason_message=reason_message[:MAX_TEXT],
        extra_minutes=extra_minutes,
        data=dict(data or {}),
    )
