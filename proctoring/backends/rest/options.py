"""What can be wrong with the options of ``RestBackend``, in sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from proctoring.backends.live import BookingLimits

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


def as_list(value: Any) -> tuple[Any, ...]:
    """Whatever settings say, so that ``check`` can tell what is wrong with it."""
    if isinstance(value, str):
        return (value,) if value else ()
    return tuple(value) if isinstance(value, Sequence) else (value,) if value else ()


def address_problems(base_url: str, *, allow_http: bool) -> Iterator[str]:
    try:
        parts = urlsplit(base_url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or parts.scheme not in ("http", "https"):
        yield "base_url is not an http(s) address, such as https://proctoring.example.com."
        return
    if parts.scheme == "http" and host not in _LOOPBACK and not allow_http:
        yield "base_url is not https, so secrets would travel in the clear (allow_http=True permits it)."
    if parts.username or parts.password or parts.query or parts.fragment:
        yield "base_url has credentials, a query or a fragment in it."


def number_problems(numbers: Mapping[str, Any]) -> Iterator[str]:
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
            yield f"{name} is not a positive number."


def booking_problems(limits: BookingLimits, *, live_proctoring: Any) -> Iterator[str]:
    if not isinstance(live_proctoring, bool):
        yield "live_proctoring is neither True nor False."
    for name, value in (
        ("booking_max_candidates", limits.max_candidates),
        ("booking_max_minutes", limits.max_minutes),
    ):
        if value is not None and not _is_whole(value, lowest=1):
            yield f"{name} is not a whole number above 0 (None: no limit)."
    if not _is_whole(limits.lead_minutes, lowest=0):
        yield "booking_lead_minutes is not a whole number from 0."
    if not all(_is_whole(ratio, lowest=1) for ratio in limits.ratios):
        yield "booking_ratios is not a list of whole numbers above 0, such as [4, 8]."


def _is_whole(value: Any, *, lowest: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= lowest
