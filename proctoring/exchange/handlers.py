"""What a vendor's event does: one service call for each class of event."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from typing import Any

from proctoring.attempts.lifecycle import locked
from proctoring.attempts.models import Attempt
from proctoring.attempts.services import mark_ready
from proctoring.attempts.states import Actor, Status
from proctoring.backends.live import BookingUpdated, SessionJoined, SessionRated
from proctoring.backends.types import (
    AttemptRated,
    AttemptReady,
    AttemptReviewed,
    EventsReported,
    ReportedEvent,
    VendorEvent,
)
from proctoring.bookings.checking import hear_of_update
from proctoring.bookings.ratings import announce_rating, sessions_known_as, store_told_rating
from proctoring.bookings.session_lookup import bookings_known_as
from proctoring.bookings.session_news import News, take_in_news
from proctoring.bookings.sessions import attempt_of
from proctoring.errors import MalformedMessage, UnknownExternalId
from proctoring.inbox.models import WebhookMessage
from proctoring.logs.event_types import Source
from proctoring.logs.intake import MAX_ROWS, Reporter, Taken, take_in
from proctoring.logs.services import VENDORS, id_from
from proctoring.reviews.models import RatingSource
from proctoring.reviews.ratings import record_ratings
from proctoring.reviews.services import receive_review

NAMED = 20
"""So many refused events are named in a message's reason."""


class Outcome(StrEnum):
    APPLIED = "applied"
    IGNORED = "ignored"
    UNKNOWN = "unknown"
    ERASED = "erased"
    """It is about a person who was erased: nothing of it may be kept."""


def handle(event: VendorEvent, *, message: WebhookMessage, now: datetime) -> tuple[Outcome, str]:
    """Apply one event in the caller's transaction. Returns what came of it and why.

    Raises ``UnknownExternalId`` where it speaks of something that is not stored (yet).
    """
    handler = HANDLERS.get(type(event))
    if handler is None:
        return Outcome.UNKNOWN, f"no handler for {getattr(event, 'type', type(event).__name__)!r}"
    try:
        return handler(event, message, now)
    except _PersonErased:
        return Outcome.ERASED, "the person was erased"


def _ready(event: AttemptReady, message: WebhookMessage, now: datetime) -> tuple[Outcome, str]:
    attempt = _find(message, event.external_id)
    if attempt.status_at(now) not in (Status.CREATED, Status.DOWNLOAD_SOFTWARE_CLICKED):
        return Outcome.IGNORED, f"the attempt is {attempt.status_at(now).value}"
    mark_ready(attempt, by=None, actor=Actor.VENDOR, now=now)
    return Outcome.APPLIED, ""


def _reviewed(event: AttemptReviewed, message: WebhookMessage, now: datetime) -> tuple[Outcome, str]:
    review = receive_review(_find(message, event.external_id), event, message=message, now=now)
    _refuse_erased(review.attempt)
    return (Outcome.IGNORED, review.not_applied_reason) if review.applied_at is None else (Outcome.APPLIED, "")


def _rated(event: AttemptRated, message: WebhookMessage, now: datetime) -> tuple[Outcome, str]:
    attempt = _find(message, event.external_id)
    [rating] = record_ratings([(attempt, event)], source=RatingSource.WEBHOOK, message=message, now=now)
    if rating is None:
        attempt.refresh_from_db(fields=["erased_at"])
        _refuse_erased(attempt)
        return Outcome.IGNORED, "the rating is here already"
    return (Outcome.APPLIED, "") if rating.is_current else (Outcome.IGNORED, "a newer rating counts")


def _events_reported(event: EventsReported, message: WebhookMessage, now: datetime) -> tuple[Outcome, str]:
    if len(event.events) > MAX_ROWS:
        raise MalformedMessage(f"The message has more than {MAX_ROWS} events.")
    rows = [_row(one) for one in event.events]
    reporter = Reporter(source=Source.VENDOR, backend=message.backend)
    with locked(_find_reported(message, event), now=now) as attempt:
        _refuse_erased(attempt)
        taken = take_in(attempt, rows, reporter, now=now)
    said = _not_stored(event, taken)
    if taken.stored:
        return Outcome.APPLIED, said
    # Where nothing of it could be stored, people look at it.
    known = taken.repeated or not (taken.refused or event.left_out)
    return Outcome.IGNORED if known else Outcome.UNKNOWN, said or "nothing of it is new"


def _row(event: ReportedEvent) -> dict[str, Any]:
    return {
        "message_id": id_from(VENDORS, event.id),
        "type": event.type,
        "occurred_at": event.occurred_at.isoformat(),
        "severity": event.severity,
        "data": dict(event.data),
    }


def _not_stored(event: EventsReported, taken: Taken) -> str:
    """Which events of the message are not in the log, and why; empty where all are."""
    named = [f"{event.events[one.index].id!r}: {one.code}" for one in taken.refused[:NAMED]]
    rest = len(taken.refused) - len(named)
    parts = [*named, *([f"{rest} more"] if rest else [])]
    parts += [f"{event.left_out} not understood"] if event.left_out else []
    return f"not stored: {', '.join(parts)}" if parts else ""


def _joined(event: SessionJoined, message: WebhookMessage, now: datetime) -> tuple[Outcome, str]:
    record = event.session
    [taken] = take_in_news(message.backend, [News(record=record, told_at=event.occurred_at)], now=now)
    if not taken.is_known:
        raise UnknownExternalId(record.booking_external_id)
    if taken.session is None:
        return Outcome.UNKNOWN, f"not the session of candidate {record.candidate_number} of the booking"
    if record.join_url and taken.was_erased:
        raise _PersonErased
    return Outcome.APPLIED, ""


def _session_rated(event: SessionRated, message: WebhookMessage, now: datetime) -> tuple[Outcome, str]:
    session = sessions_known_as(message.backend, [event.session_external_id]).get(event.session_external_id)
    if session is None:
        raise UnknownExternalId(event.session_external_id)
    if event.rating is None:
        announce_rating(session, now=now)
        return Outcome.APPLIED, ""
    is_new = store_told_rating(session, event.rating, now=now)
    return (Outcome.APPLIED, "") if is_new else (Outcome.IGNORED, "the rating was dropped, or is here already")


def _booking_updated(event: BookingUpdated, message: WebhookMessage, now: datetime) -> tuple[Outcome, str]:
    known = bookings_known_as(message.backend, [event.booking_external_id])
    if not known:
        raise UnknownExternalId(event.booking_external_id)
    awaited = [hear_of_update(booking, now=now) for booking in known[event.booking_external_id]]
    return (Outcome.APPLIED, "") if any(awaited) else (Outcome.IGNORED, "no answer is awaited")


class _PersonErased(Exception):
    """What is left of them is a number in a statistic, and no more is to be learned of it."""


def _find(message: WebhookMessage, external_id: str) -> Attempt:
    # PostgreSQL refuses to look for a NUL; MySQL takes "a", "A" and "a " for one word: no verdict may go astray.
    found = Attempt.objects.filter(backend=message.backend, external_id=external_id.replace("\x00", ""))
    attempt = next((one for one in found.select_related("exam", "user") if one.external_id == external_id), None)
    if attempt is None:
        raise UnknownExternalId(external_id)
    return _concern(message, attempt)


def _find_reported(message: WebhookMessage, event: EventsReported) -> Attempt:
    """Of a session whose candidate has not begun there is no attempt yet, so the message waits."""
    if event.attempt_external_id:
        return _find(message, event.attempt_external_id)
    external_id = event.session_external_id
    session = sessions_known_as(message.backend, [external_id]).get(external_id)
    attempt = attempt_of(session) if session is not None else None
    if attempt is None:
        raise UnknownExternalId(external_id)
    return _concern(message, attempt)


def _concern(message: WebhookMessage, attempt: Attempt) -> Attempt:
    _refuse_erased(attempt)
    concerned = message.__dict__.setdefault("_concerned", set())
    concerned.add(attempt.pk)
    # One that is about several belongs to none: an erasure looks inside.
    message.attempt_id = attempt.pk if len(concerned) == 1 else None
    return attempt


def _refuse_erased(attempt: Attempt) -> None:
    """Asked before the service locks the attempt, and of what it found under the lock: an erasure comes before, and is
    seen, or after, and finds what was written."""
    if attempt.erased_at is not None:
        raise _PersonErased


HANDLERS: dict[type[VendorEvent], Callable[[Any, WebhookMessage, datetime], tuple[Outcome, str]]] = {
    AttemptReady: _ready,
    AttemptReviewed: _reviewed,
    AttemptRated: _rated,
    EventsReported: _events_reported,
    SessionJoined: _joined,
    SessionRated: _session_rated,
    BookingUpdated: _booking_updated,
}
