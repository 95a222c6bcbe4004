"""Live sessions in the reference wire's words."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from proctoring.backends.http import tame_id, tame_moment, tame_number, tame_url
from proctoring.backends.live import SessionPage, SessionRecord
from proctoring.backends.rest.answers import next_cursor_of, rows_of


def read_sessions(value: Mapping[str, Any], *, cursor: str) -> SessionPage:
    """Raises ``BackendError`` where there is no list at all; rows that cannot be understood are left out."""
    records = (_record_or_none(row) for row in rows_of(value, "sessions"))
    return SessionPage(
        records=tuple(record for record in records if record is not None), next_cursor=next_cursor_of(value, cursor)
    )


def session_record(row: Mapping[str, Any], *, id_name: str = "id") -> SessionRecord:
    """``ValueError`` where nobody can say whose session it is. A link or moment that is none is left out instead: the
    rest is good without it."""
    return SessionRecord(
        external_id=tame_id(row.get(id_name)),
        booking_external_id=tame_id(row.get("booking")),
        candidate_number=tame_number(row.get("candidate_number")),
        join_url=tame_url(row.get("join_url")),
        joined_at=_moment_or_none(row.get("joined_at")),
    )


def _record_or_none(row: Any) -> SessionRecord | None:
    try:
        return session_record(row) if isinstance(row, dict) else None
    except ValueError:
        return None


def _moment_or_none(value: Any) -> datetime | None:
    try:
        return tame_moment(value)
    except ValueError:
        return None
