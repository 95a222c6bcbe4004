"""Bookings of proctors in the reference wire's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from proctoring.backends.http import tame_id, tame_text
from proctoring.backends.live import BookingAnswer, BookingReport, BookingRequest, BookingState, BookingWord
from proctoring.errors import BackendError

_WITH_ID = (BookingWord.ACCEPTED, BookingWord.EXISTS)
_NO_REASONS = (BookingWord.ACCEPTED, BookingWord.EXISTS)


def booking_fields(booking: BookingRequest) -> dict[str, Any]:
    return {
        "reference": booking.reference,
        "exam": booking.exam_external_id,
        "starts_at": _utc(booking.starts_at),
        "ends_at": _utc(booking.ends_at),
        "reserved_from": _utc(booking.reserved_from),
        "reserved_until": _utc(booking.reserved_until),
        "ratio": booking.ratio,
        "candidates": [{"number": one.number, "user_id": one.candidate_id} for one in booking.candidates],
    }


def read_answers(value: Mapping[str, Any], *, references: Iterable[str]) -> tuple[BookingAnswer, ...]:
    """The answers that can be used, one for each reference at most; the bookings of all others are sent again.

    Raises ``BackendError`` where there is no list at all.
    """
    rows = value.get("results")
    if not isinstance(rows, list):
        raise BackendError("The vendor's answer contains no list of results.")
    waiting = set(references)
    return tuple(_answers(rows, waiting))


def _answers(rows: list[Any], waiting: set[str]) -> Iterator[BookingAnswer]:
    for row in rows:
        answer = _answer(row)
        if answer is not None and answer.reference in waiting:
            waiting.remove(answer.reference)
            yield answer


def _answer(row: Any) -> BookingAnswer | None:
    status = tame_text(row.get("status"), limit=50) if isinstance(row, dict) else ""
    if not status:
        return None
    word = _word(status)
    try:
        external_id = tame_id(row.get("id")) if word in _WITH_ID else ""
        return BookingAnswer(reference=tame_id(row.get("reference")), word=word, external_id=external_id)
    except ValueError:
        return None


def read_report(value: Mapping[str, Any]) -> BookingReport:
    """Raises ``BackendError`` (retryable) for a state that the wire does not have: tomorrow it may have another."""
    try:
        state = BookingState(tame_text(value.get("status"), limit=50).lower())
    except ValueError:
        raise BackendError("The vendor's answer does not say how the booking stands.") from None
    reason = _word(tame_text(value.get("reason"), limit=50))
    if state is BookingState.CONFIRMED:
        existed = reason is BookingWord.EXISTS
        return BookingReport(state=state, reason=reason) if existed else BookingReport(state=state)
    return BookingReport(state=state, reason=BookingWord.REJECTED if reason in _NO_REASONS else reason)


def _word(text: str) -> BookingWord:
    try:
        return BookingWord(text.lower())
    except ValueError:
        return BookingWord.REJECTED


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
