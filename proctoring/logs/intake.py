"""What pages, LMSs and vendors report: each row looked at, sound ones stored in one insert, repeated ones once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils.translation import gettext as _

from proctoring.backends.types import FIRST_YEAR, LAST_YEAR
from proctoring.logs.event_types import EVENT_TYPES, FIRST_OWN, Severity, Source
from proctoring.logs.models import MAX_TEXT, Event, EventActor
from proctoring.logs.services import LMS, OWN, id_from
from proctoring.logs.streams import MAX_SEQUENCE, NOTHING, STREAM, Known, as_counted

MAX_ROWS = 500
"""Of a batch."""
MAX_ROW_BYTES = 8192
MAX_TYPE = 2**31 - 1

MESSAGE_ID = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
NULL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
"""As JSON writes it; behind a backslash that is itself escaped, the same letters are only letters."""

EXAM_STARTED, ANSWER_SAVED, EXAM_COMPLETED, CLIENT_ERROR = 1002, 1006, 1007, 1040
OURS = frozenset({EXAM_STARTED, EXAM_COMPLETED})
"""Written by the services; a page that says the same repeats it."""

INVALID, WRONG_SOURCE, TOO_LARGE = "invalid", "wrong_source", "too_large"


@dataclass(frozen=True, kw_only=True, slots=True)
class Refused:
    index: int
    code: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What became of a batch. Every row is one of the three."""

    stored: int = 0
    repeated: int = 0
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reporter:
    """Who reports, and from where."""

    source: Source
    ip: str | None = None
    user_agent: str = ""
    backend: str = ""
    clock_offset_ms: int = 0
    """So much is the reporter's clock ahead of ours."""
    known: Known = NOTHING
    """Of a page: what comes now comes behind that."""


class _Unsound(Exception):
    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code


def take_in(attempt: Any, rows: Sequence[Any], reporter: Reporter, *, now: datetime) -> Taken:
    """Store the sound rows of a batch of at most ``MAX_ROWS``. Two statements, however many, and one more where a log
    that was sealed grows.

    A row (JSON) has ``message_id``, ``type``, ``occurred_at``, and may have ``stream``, ``sequence``, ``item_id``,
    ``question_number``, ``error``, ``reason_code``, ``reason_message``, ``data``, ``severity`` (of a vendor's). Rows
    that are not sound are refused one by one and keep nobody out.
    """
    events, refused = _sorted_out(attempt, rows, reporter, now=now)
    kept = [event for event in events if not _is_ours(event, reporter)]
    fresh = _unknown(attempt, kept)
    # Another tab may send the same at this moment: the constraint lets one of the two in.
    Event.objects.bulk_create(fresh, ignore_conflicts=True)
    if fresh:
        attempt.log_grew(now)
    return Taken(stored=len(fresh), repeated=len(events) - len(fresh), refused=tuple(refused))


def add_rows(attempt: Any, rows: Sequence[Any], reporter: Reporter, *, now: datetime) -> tuple[Refused, ...]:
    """The same without a word on which rows were there already, and so in one statement."""
    events, refused = _sorted_out(attempt, rows, reporter, now=now)
    kept = [event for event in events if not _is_ours(event, reporter)]
    Event.objects.bulk_create(kept, ignore_conflicts=True)
    if kept:
        attempt.log_grew(now)
    return tuple(refused)


def _sorted_out(
    attempt: Any, rows: Sequence[Any], reporter: Reporter, *, now: datetime
) -> tuple[list[Event], list[Refused]]:
    events, refused = [], []
    for index, row in enumerate(rows[:MAX_ROWS]):
        try:
            events.append(_event(attempt, row, reporter, now=now))
        except _Unsound as wrong:
            refused.append(Refused(index=index, code=wrong.code, detail=str(wrong)))
    if reporter.source == Source.PAGE:
        events = as_counted(events, reporter.known)
    return events, refused


def _is_ours(event: Event, reporter: Reporter) -> bool:
    """A page's copy of what the services write."""
    return reporter.source == Source.PAGE and event.type in OURS


def _unknown(attempt: Any, events: Sequence[Event]) -> list[Event]:
    by_id = {event.message_id: event for event in reversed(events)}
    if not by_id:
        return []
    known = Event.objects.filter(attempt=attempt.pk, message_id__in=by_id).order_by()
    stored = set(known.values_list("message_id", flat=True))
    # In the order in which they were sent: what happened in one moment stays in it.
    return [event for event in events if by_id[event.message_id] is event and event.message_id not in stored]


def _event(attempt: Any, row: Any, reporter: Reporter, *, now: datetime) -> Event:
    if not isinstance(row, dict):
        raise _Unsound(INVALID, _("Must be an object."))
    _measure(row)
    type_ = _type(row)
    _refuse_foreign(type_, reporter.source)
    occurred_at = _moment(row.get("occurred_at"))
    known = EVENT_TYPES.get(type_)
    return Event(
        exam_id=attempt.exam_id,
        attempt=attempt,
        type=type_,
        actor=_actor(type_, reporter.source),
        occurred_at=occurred_at,
        received_at=now,
        at=_believed(attempt, occurred_at, reporter, now=now),
        stream=_word(row, "stream", STREAM),
        sequence=_whole(row, "sequence", highest=MAX_SEQUENCE),
        message_id=_message_id(row, reporter.source),
        severity=_severity(row, reporter.source) or (known.severity if known else Severity.NOTICE).value,
        status=attempt.status,
        reason_code=_whole(row, "reason_code", highest=MAX_TYPE),
        reason_message=_text(row, "reason_message", MAX_TEXT),
        item_id=_text(row, "item_id", 255),
        question_number=_whole(row, "question_number", highest=MAX_TYPE),
        error=_text(row, "error", MAX_TEXT),
        ip=reporter.ip,
        user_agent=reporter.user_agent[:400],
        data=_data(row),
        backend=reporter.backend,
    )


def _measure(row: Mapping[str, Any]) -> None:
    try:
        text = json.dumps(row, ensure_ascii=False, allow_nan=False).encode()
    except (TypeError, ValueError):
        # A lone surrogate is no text in any encoding.
        raise _Unsound(INVALID, _("Contains what cannot be stored.")) from None
    if len(text) > MAX_ROW_BYTES:
        raise _Unsound(TOO_LARGE, _("A row is at most %s bytes.") % MAX_ROW_BYTES)
    if NULL.search(text):
        raise _Unsound(INVALID, _("Null characters cannot be stored."))


def _refuse_foreign(type_: int, source: Source) -> None:
    """A candidate cannot forge what a service or an invigilator writes. Vendors' ids may be new to us."""
    known = EVENT_TYPES.get(type_)
    if type_ in OURS and source == Source.PAGE:
        return
    if known is None and type_ < FIRST_OWN and source in (Source.PAGE, Source.VENDOR):
        return
    # A vendor's new types may be anywhere: evidence is not dropped.
    if known is None and source == Source.VENDOR:
        return
    if known is None or source not in known.sources:
        raise _Unsound(WRONG_SOURCE, _("This type is not this sender's to report."))


def _actor(type_: int, source: Source) -> EventActor:
    if source == Source.VENDOR:
        return EventActor.VENDOR
    if type_ == CLIENT_ERROR:
        return EventActor.DELIVER_FE
    return EventActor.SYSTEM if source == Source.LMS and type_ == ANSWER_SAVED else EventActor.TEST_TAKER


def _believed(attempt: Any, occurred_at: datetime, reporter: Reporter, *, now: datetime) -> datetime:
    """The moment by our clock: never before the attempt, never after we have heard of it."""
    begun = min(attempt.started_at or attempt.created_at, now)
    try:
        ours = occurred_at - timedelta(milliseconds=reporter.clock_offset_ms)
    except OverflowError:
        # A clock that is off by ages.
        ours = begun if reporter.clock_offset_ms > 0 else now
    return max(begun, min(ours, now))


def _message_id(row: Mapping[str, Any], source: Source) -> str:
    given = _word(row, "message_id", MESSAGE_ID)
    if given.startswith(OWN) and source != Source.VENDOR:
        raise _Unsound(INVALID, _("message_id must not begin with %s.") % OWN)
    return id_from(LMS, given) if source == Source.LMS else given


def _word(row: Mapping[str, Any], name: str, pattern: re.Pattern[str]) -> str:
    value = row.get(name, "")
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise _Unsound(INVALID, _("%s must be letters, digits and _ . : -, 64 at most.") % name)
    return value


def _text(row: Mapping[str, Any], name: str, limit: int) -> str:
    value = row.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > limit:
        raise _Unsound(
            INVALID, _("%(name)s must be a text of at most %(limit)s characters.") % {"name": name, "limit": limit}
        )
    return value


def _type(row: Mapping[str, Any]) -> int:
    value = _whole(row, "type", highest=MAX_TYPE)
    if value is None:
        raise _Unsound(INVALID, _("type is missing."))
    return value


def _whole(row: Mapping[str, Any], name: str, *, highest: int) -> int | None:
    value = row.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= highest:
        raise _Unsound(INVALID, _("%s must be a whole number from 0.") % name)
    return value


def _moment(value: Any) -> datetime:
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError
        moment = moment.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        raise _Unsound(INVALID, _("occurred_at must be an ISO 8601 moment with its offset from UTC.")) from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise _Unsound(INVALID, _("occurred_at is no moment of our time."))
    return moment


def _severity(row: Mapping[str, Any], source: Source) -> str:
    """A vendor may say how grave it is. What is no word of ours counts as not said."""
    value = row.get("severity")
    return value if source == Source.VENDOR and isinstance(value, str) and value in set(Severity) else ""


def _data(row: Mapping[str, Any]) -> dict[str, Any]:
    value = row.get("data")
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _Unsound(INVALID, _("data must be an object."))
    return value
