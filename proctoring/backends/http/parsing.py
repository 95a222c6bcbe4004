"""Reading what a stranger sent: JSON and ``Retry-After``. Pure, no network."""

from __future__ import annotations

import json
import math
import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NoReturn

MAX_RETRY_AFTER = 3600.0
"""Seconds. A vendor that asks for more is asked again after this long: an exam may be near."""


def parse_json(body: bytes) -> Any:
    """JSON as the standard has it: ``ValueError`` for NaN, infinity, numbers beyond a float and bottomless nesting."""
    try:
        return json.loads(body, parse_constant=_no_constant, parse_float=_finite)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None


def parse_retry_after(value: str, *, now: datetime) -> float | None:
    """Seconds in a ``Retry-After`` (a number or an HTTP date), at most ``MAX_RETRY_AFTER``; None if unusable."""
    value = value.strip()
    if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,6})?", value):
        return min(float(value), MAX_RETRY_AFTER)
    if len(value) > 64 or not value[:1].isalpha():
        return None
    try:
        at = parsedate_to_datetime(value)
        seconds = (at.replace(tzinfo=at.tzinfo or UTC) - now).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER)


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is too large")
    return number
