"""The one writer of ``Booking.status``: lock, step through the table, save with history, log, announce."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction

from proctoring.bookings import cancellations, states
from proctoring.bookings.models import Booking, BookingLogEntry, LiveSession
from proctoring.bookings.states import Actor, Status, can_become
from proctoring.errors import IllegalTransition
from proctoring.signals import announce, booking_status_changed

if TYPE_CHECKING:
    from proctoring.host import User

REASON_LENGTH = 4000


@contextmanager
def locked(booking: Booking) -> Iterator[Booking]:
    """A transaction with the booking's row locked and read anew. What the caller had loaded beside it goes along."""
    with transaction.atomic():
        row = Booking.objects.select_for_update().get(pk=booking.pk)
        row._state.fields_cache.update(booking._state.fields_cache)
        yield row


@contextmanager
def locked_all(bookings: Iterable[Booking]) -> Iterator[list[Booking]]:
    """The same for many, in the order of their keys.

    Found by their keys alone: InnoDB locks by way of any index that a further condition fits, and then waits for
    somebody who has the row and is about to change that index.
    """
    loaded = {booking.pk: booking for booking in bookings}
    with transaction.atomic():
        rows = list(Booking.objects.select_for_update().filter(pk__in=loaded).order_by("pk"))
        for row in rows:
            row._state.fields_cache.update(loaded[row.pk]._state.fields_cache)
        yield rows


def move(
    booking: Booking,
    new: Status,
    code: str,
    *,
    actor: Actor,
    now: datetime,
    by: User | None = None,
    comment: str = "",
    error: str = "",
) -> None:
    """Take one step of the table and write its entry. The caller holds the lock. Raises ``IllegalTransition``.

    The system's steps are a worker's, whose claim ends with them. A person's leave a claim as it is: whoever has the
    booking in hand finds it in another status, and until then nobody knows whether a call is under way. What was
    rejected and is wanted again is not cancelled any more.
    """
    old = Status(booking.status)
    refuse_step(booking, new, code, actor)
    if old == Status.REJECTED:
        cancellations.take_back(booking)
    booking.status = new
    booking.rejection_reason = code if new == Status.REJECTED else ""
    booking.next_send_at = now if new == Status.SCHEDULED else None
    booking.next_check_at = None
    if actor == Actor.SYSTEM:
        booking.claimed_until, booking.claimed_by = None, ""
    booking.last_error = error
    save(booking, by=by, reason=": ".join(part for part in (code or f"{old.value} → {new.value}", comment) if part))
    context: dict[str, Any] = {} if code else {"step": new.value}
    log(booking, code, now=now, by=by, comment=comment, **context)
    announce(booking_status_changed, booking=booking, old=old.value, new=new.value)


def refuse_step(booking: Booking, new: Status, code: str, actor: Actor) -> None:
    """Raise ``IllegalTransition`` where the table does not have this step for this actor."""
    old = Status(booking.status)
    if not can_become(old, new, actor, code):
        raise IllegalTransition(
            f"A booking that is {old.value!r} cannot become {new.value!r} by the {actor.value}.",
            data={"from": old.value, "to": new.value, "actor": actor.value},
        )


def save(booking: Booking, *, by: User | None = None, reason: str) -> None:
    """Save with one history row that says who and why."""
    booking._history_user = by if by is not None and by.is_authenticated else None  # type: ignore[attr-defined]  # simple-history's protocol
    booking._change_reason = reason[:REASON_LENGTH]  # type: ignore[attr-defined]  # simple-history's protocol
    booking.save()


def log(
    booking: Booking,
    code: str,
    *,
    now: datetime,
    by: User | None = None,
    comment: str = "",
    session: LiveSession | None = None,
    **context: Any,
) -> BookingLogEntry:
    """Write an entry, in the transaction of what it is about."""
    entry = entry_of(booking, code, now=now, by=by, comment=comment, session=session, **context)
    entry.save()
    return entry


def entry_of(
    booking: Booking,
    code: str,
    *,
    now: datetime,
    by: User | None = None,
    comment: str = "",
    session: LiveSession | None = None,
    **context: Any,
) -> BookingLogEntry:
    """The entry, not saved yet. Its context has the variables that the vocabulary names for its code."""
    facts: dict[str, Any] = {"exam": booking.exam.name, **context}
    if code == states.WRONG_STATUS:
        facts["exam_status"] = booking.exam.status
    if code in (states.CONFIRMED_BY_HAND, states.BY_HAND):
        facts["agent"] = ""
    if session is not None:
        facts["candidate_number"] = session.candidate_number
    return BookingLogEntry(
        booking=booking,
        course_id=booking.exam.course_id,
        session=session,
        code=code,
        at=now,
        context=facts,
        comment=comment[:REASON_LENGTH],
        by=by if by is not None and by.is_authenticated else None,
    )
