"""What the answers of the reference wire have in common: objects, lists, cursors and moments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from proctoring.backends.http import Answer, tame_id
from proctoring.errors import BackendError

GONE = (404, 410)
MAX_ROWS = 1000
"""Of a page, whatever its size was asked to be."""
MAX_CURSOR = 200


def segment(text: str) -> str:
    """``text`` as one part of a path."""
    return quote(text, safe="")


def answer_object(answer: Answer) -> dict[str, Any]:
    value = answer.json_object()
    if value.get("error"):
        raise BackendError(f"The vendor answered {answer.status} with an error inside.")
    return value


def refuse_error_inside(answer: Answer) -> None:
    if answer.body.strip():
        answer_object(answer)


def rows_of(value: Mapping[str, Any], what: str) -> list[Any]:
    """``results``. Raises ``BackendError`` (retryable) where there is no list, or one that is far too long."""
    rows = value.get("results")
    if not isinstance(rows, list):
        raise BackendError(f"The vendor's answer contains no list of {what}.")
    if len(rows) > MAX_ROWS:
        raise BackendError(f"The vendor's page of {what} has more than {MAX_ROWS} rows.")
    return rows


def next_cursor_of(value: Mapping[str, Any], cursor: str) -> str:
    """Where the list goes on after ``cursor``. Raises ``BackendError`` for what would end the reading too early, or
    never."""
    following = value.get("next_cursor")
    if following is None or following == "":
        return ""
    try:
        read = tame_id(following)
    except ValueError:
        read = ""
    if not read or len(read) > MAX_CURSOR or read == cursor:
        raise BackendError("The vendor's answer does not say where its list goes on.")
    return read
