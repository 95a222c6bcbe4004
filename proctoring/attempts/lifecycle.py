"""The one writer of ``Attempt.status``: lock, step through the table, save with history, promise, announce."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from proctoring.attempts import effects, states
from proctoring.attempts.chronicle import note_step
from proctoring.attempts.models import Attempt, next_seal
from proctoring.attempts.outages import settle_outage
from proctoring.attempts.profiles import note_profile
from proctoring.attempts.states import Actor, Status, can_become
from proctoring.attempts.versions import Versions
from proctoring.backends import backends
from proctoring.errors import IllegalTransition, NotPermitted, UnknownBackend
from proctoring.logs.models import Event
from proctoring.outbox.models import Delivery, DeliveryTarget, Operation
from proctoring.outbox.services import owed_call, promise_all
from proctoring.signals import announce, attempt_status_changed

if TYPE_CHECKING:
    from proctoring.host import User

REASON_LENGTH = 4000
"""Of a reason in the history; what is longer is cut."""


@contextmanager
def locked(attempt: Attempt, *, now: datetime, settles: bool = True) -> Iterator[Attempt]:
    """A transaction with the attempt's row locked and read anew; an overdue attempt is ended first, unless the caller
    has something to do before that (``settles``).

    What the caller had loaded beside it (exam, person, the annotation of ``for_reading``) goes along unchanged.
    """
    with transaction.atomic():
        row = Attempt.objects.locked().get(pk=attempt.pk)
        row._state.fields_cache.update(attempt._state.fields_cache)
        if hasattr(attempt, "has_successor"):
            row.has_successor = attempt.has_successor  # type: ignore[attr-defined]  # an annotation
        if settles:
            settle_deadline(row, now=now)
        yield row


def move(
    attempt: Attempt,
    new: Status,
    *,
    actor: Actor,
    now: datetime,
    by: User | None = None,
    reason: str = "",
    because: Sequence[Event] = (),
    versions: Versions | None = None,
    is_followed: bool = False,
) -> None:
    """Take one step of the transition table. The caller holds the lock (``locked``) or has just created the row.

    ``because``: facts that led to it, not saved yet; they go into the log before the step. ``versions``: see ``save``.
    ``is_followed``: the next attempt comes in the same transaction, and what the two come to for the LMS is as before.

    Raises ``IllegalTransition`` where the table does not have it, ``NotPermitted`` as ``refuse_own`` does.
    """
    old = Status(attempt.status)
    if actor in (Actor.PROCTOR, Actor.STAFF, Actor.REVIEWER):
        refuse_own(attempt, by)
    if not can_become(old, new, actor):
        raise IllegalTransition(
            f"An attempt that is {old.value!r} cannot become {new.value!r} by {actor.value}.",
            data={"from": old.value, "to": new.value, "actor": actor.value},
        )
    if attempt.outage_since is not None and new not in states.TICKING:
        # The clock stops here: what a page out of reach has cost until then is settled while it still counts.
        settle_outage(attempt, until=attempt.ended_at or now)
    attempt.status = new
    attempt.open_slot = 1 if new in states.OPEN else None
    if old in states.OPEN and new not in states.OPEN and attempt.ended_at is None:
        attempt.ended_at = now
    if new not in states.OPEN:
        attempt.seal_due_at = next_seal(now)
    save(attempt, by=by, reason=reason, versions=versions)
    note_step(attempt, old, new, actor=actor, by=by, reason=reason, now=now, because=because)
    owed = [] if is_followed else effects.owed_after(attempt, old=old, now=now)
    promise_all([_call_to_vendor(attempt, old, actor), *owed])
    announce(attempt_status_changed, attempt=attempt, old=old.value, new=new.value)
    note_profile(attempt, old.value, now=now)


def refuse_own(attempt: Attempt, by: User | None) -> None:
    """Nobody gives themselves time, a resume or a verdict. Superusers answer for the whole LMS, themselves included.

    Raises ``NotPermitted`` (``own_attempt``).
    """
    if by is not None and by.pk == attempt.user_id and not by.is_superuser:
        raise NotPermitted(_("Somebody else has to do this: the attempt is your own."), code="own_attempt")


def save(attempt: Attempt, *, by: User | None, reason: str, versions: Versions | None = None) -> None:
    """Save with one history row that says who and why; with ``versions`` it is written together with the others."""
    user = by if by is not None and by.is_authenticated else None
    reason = reason[:REASON_LENGTH]
    if versions is not None:
        is_new = attempt._state.adding
        attempt.save_without_historical_record()  # type: ignore[attr-defined]  # simple-history adds it
        versions.take(attempt, is_new=is_new, by=user, reason=reason)
        return
    attempt._history_user = user  # type: ignore[attr-defined]  # simple-history's protocol
    attempt._change_reason = reason  # type: ignore[attr-defined]  # simple-history's protocol
    attempt.save()


def settle_deadline(attempt: Attempt, *, now: datetime, versions: Versions | None = None) -> bool:
    """End an attempt whose deadline has passed, at that deadline. The caller holds the lock. True where it ended."""
    new = attempt.status_at(now)
    if new == attempt.status:
        return False
    attempt.ended_at = attempt.deadline
    move(attempt, new, actor=Actor.SYSTEM, now=now, reason="deadline passed", versions=versions)
    return True


def hears_of_attempts(attempt: Attempt) -> bool:
    """Whether the vendor of this attempt is told about it."""
    if not attempt.taking_as_proctored:
        return False
    try:
        return backends[attempt.backend].registers_attempts
    except UnknownBackend:
        # A vendor that cannot be loaded now is owed the call all the same; checks.py reports the broken plugin.
        return True


def promise(attempt: Attempt, operation: Operation) -> None:
    """Owe the vendor a call about this attempt; each operation is promised once in an attempt's life."""
    promise_all([_call(attempt, operation)])


def was_promised(attempt: Attempt, operation: Operation) -> bool:
    """Whether the vendor was ever owed this call. One statement."""
    return Delivery.objects.filter(key=_key(attempt, operation)).exists()


def _call(attempt: Attempt, operation: Operation) -> Delivery:
    return owed_call(
        backend=attempt.backend,
        operation=operation,
        target=DeliveryTarget.ATTEMPT,
        target_id=attempt.pk,
        key=_key(attempt, operation),
    )


def _key(attempt: Attempt, operation: Operation) -> str:
    return f"{operation.value}-{hashlib.sha256(attempt.code.encode()).hexdigest()[:32]}"


def _call_to_vendor(attempt: Attempt, old: Status, actor: Actor) -> Delivery | None:
    """What the vendor is owed because the attempt has come to its status from ``old``."""
    new, operation = attempt.status, None
    if new == Status.STARTED and old in states.SETUP:
        operation = Operation.REPORT_STARTED
    elif old in states.OPEN and new in (Status.SUBMITTED, Status.TIMED_OUT, Status.TERMINATED):
        operation = Operation.REPORT_SUBMITTED
    elif old in states.OPEN and new == Status.ERROR and actor != Actor.VENDOR:
        operation = Operation.REPORT_ERROR
    if operation is None or not hears_of_attempts(attempt):
        return None
    return _call(attempt, operation)
