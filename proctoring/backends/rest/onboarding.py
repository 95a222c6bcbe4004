"""The vendor's list of candidates and their onboarding, in the reference wire's words. Read tolerantly: no row is worth
the page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from proctoring.backends.http import tame_id, tame_moment, tame_text
from proctoring.backends.types import OnboardingPage, OnboardingRecord, ProfileStatus
from proctoring.errors import BackendError

PAGE_SIZE = 100
MAX_RECORDS = 1000
"""Of a page, should the vendor not honour its size."""
MAX_PAGES = 10_000

WORDS: Mapping[str, tuple[ProfileStatus, bool | None]] = {
    "no_profile": (ProfileStatus.NONE, None),
    "pending": (ProfileStatus.PENDING, None),
    "submitted": (ProfileStatus.PENDING, None),
    "approved": (ProfileStatus.APPROVED, None),
    "approved_in_course": (ProfileStatus.APPROVED, True),
    "other_course_approved": (ProfileStatus.APPROVED, False),
    "rejected": (ProfileStatus.REJECTED, None),
    "expired": (ProfileStatus.EXPIRED, None),
}
"""The wire's word → what it means, and whether an approval was given in the course that was asked about."""


def page_number(cursor: str) -> int:
    """The page that a cursor of ours stands for; the first for anything else."""
    number = int(cursor) if cursor.isascii() and cursor.isdigit() and len(cursor) <= 9 else 1
    return min(max(number, 1), MAX_PAGES)


def read_page(value: Mapping[str, Any], *, page: int) -> OnboardingPage:
    """Raises ``BackendError`` where there is no list at all; rows that cannot be understood are left out."""
    rows = value.get("results")
    if not isinstance(rows, list):
        raise BackendError("The vendor's answer contains no list of onboarding statuses.")
    records = (_record(row) for row in rows[:MAX_RECORDS])
    goes_on = bool(rows) and page < MAX_PAGES and _has_next(value, page, len(rows))
    return OnboardingPage(
        records=tuple(record for record in records if record is not None), next_cursor=str(page + 1) if goes_on else ""
    )


def _has_next(value: Mapping[str, Any], page: int, length: int) -> bool:
    pages = value.get("num_pages")
    if isinstance(pages, int) and not isinstance(pages, bool):
        return page < pages
    # A vendor that does not count says at most where the next page is; a full page may have one.
    return bool(value["next"]) if "next" in value else length >= PAGE_SIZE


def _record(row: Any) -> OnboardingRecord | None:
    if not isinstance(row, dict):
        return None
    word = tame_text(row.get("status"), limit=50).lower().replace("-", "_").replace(" ", "_")
    try:
        candidate_id = tame_id(row.get("user_id"))
        status, in_course = WORDS[word]
    except (ValueError, KeyError):
        return None
    return OnboardingRecord(
        candidate_id=candidate_id, status=status, in_course=in_course, expires_at=_moment(row.get("expiration_date"))
    )


def _moment(value: Any) -> datetime | None:
    try:
        return tame_moment(value)
    except ValueError:
        return None
