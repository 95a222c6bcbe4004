"""A vendor's values made storable: bounded, no NUL, no stray surrogates, moments with their offset, links http(s)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from proctoring.backends.types import FIRST_YEAR, LAST_YEAR

MAX_ID = 255
MAX_URL = 2000
MAX_DEPTH = 32
MAX_NUMBER = 2**31 - 1


def tame_text(value: Any, *, limit: int) -> str:
    """Return a string as text of at most ``limit`` characters; everything else is the empty string."""
    return _storable(value)[:limit].strip() if isinstance(value, str) else ""


def tame_id(value: Any) -> str:
    """Return a vendor's id, a string or a whole number, as 1 to 255 characters; ``ValueError`` if it is none."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**40:
        value = str(value)
    # Dot segments would be resolved away when the id becomes part of a path, and the call would reach something else.
    if not isinstance(value, str) or not value.strip() or value in (".", ".."):
        raise ValueError("not an id")
    if len(value) > MAX_ID or not value.isprintable():
        raise ValueError("not an id of at most 255 printable characters")
    return value


def tame_number(value: Any) -> int:
    """Return a whole number from 0 that a database column holds; ``ValueError`` for anything else."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= MAX_NUMBER:
        raise ValueError("not a whole number")
    return value


def tame_url(value: Any) -> str:
    """Return an absolute http(s) address, or the empty string."""
    if not isinstance(value, str) or len(value) > MAX_URL or not value.isprintable() or " " in value:
        return ""
    try:
        parts = urlsplit(value)
        host = parts.hostname
    except ValueError:
        return ""
    return value if parts.scheme in ("http", "https") and host else ""


def tame_lines(value: Any, *, max_lines: int = 50, limit: int = 2000) -> tuple[str, ...]:
    """Return a list of texts (or one text) without the empty ones."""
    lines = value if isinstance(value, list) else [value]
    return tuple(line for line in (tame_text(line, limit=limit) for line in lines[:max_lines]) if line)


def tame_moment(value: Any) -> datetime:
    """Return an ISO 8601 moment as UTC; ``ValueError`` if it is none, has no offset (it could be any hour then), or is
    before 1970 or after 9000."""
    try:
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is None:
            raise ValueError("no offset from UTC")
        moment = moment.astimezone(UTC)
    except (TypeError, OverflowError):
        raise ValueError("not an ISO 8601 moment") from None
    if not FIRST_YEAR <= moment.year <= LAST_YEAR:
        raise ValueError("not a moment between the years 1970 and 9000")
    return moment


def tame_tree(value: Any, depth: int = 0) -> Any:
    """Return JSON that a database can store; ``ValueError`` below ``MAX_DEPTH`` levels."""
    if depth > MAX_DEPTH:
        raise ValueError("nested too deeply")
    if isinstance(value, str):
        return _storable(value)
    if isinstance(value, list):
        return [tame_tree(item, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_storable(name): tame_tree(item, depth + 1) for name, item in value.items()}
    return value


def _storable(text: str) -> str:
    return text.replace("\x00", "").encode("utf-8", "replace").decode()
