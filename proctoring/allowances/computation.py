"""What allowances come to, pure: no database, no clock."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from decimal import Decimal

from proctoring.allowances.models import WHOLE_COURSE, Allowance, AllowanceKind


def in_force(allowances: Iterable[Allowance], exam_id: int, course_id: str) -> dict[str, Allowance]:
    """Kind → the one of a person's allowances that counts for this exam: the exam's own beats the course's."""
    found: dict[str, Allowance] = {}
    for one in allowances:
        own = one.exam_slot == exam_id
        if own or (one.exam_slot == WHOLE_COURSE and one.course_id == course_id and one.kind not in found):
            found[one.kind] = one
    return found


def granted_seconds(base_seconds: int, allowances: Mapping[str, Allowance]) -> int:
    """Seconds on top of the base: ``base × multiplier + minutes × 60 − base``, rounded up in the person's favour."""
    multiplier = Decimal(1)
    if found := allowances.get(AllowanceKind.TIME_MULTIPLIER):
        multiplier = found.multiplier or multiplier
    minutes = 0
    if found := allowances.get(AllowanceKind.EXTRA_MINUTES):
        minutes = found.minutes or 0
    return math.ceil(base_seconds * multiplier) - base_seconds + minutes * 60


def policy_with_exception(policy: str, allowances: Mapping[str, Allowance]) -> str:
    """The review policy as it holds for this person: the exam's, and the exception in words after it."""
    found = allowances.get(AllowanceKind.POLICY_EXCEPTION)
    return "\n\n".join(part for part in (policy, found.note if found else "") if part)


def ledger_note(allowances: Mapping[str, Allowance]) -> str:
    """Where an entry's time comes from, such as ``allowance: × 1.25, +10 min``. Candidates read it: no reasons."""
    words = ", ".join(
        found.value
        for kind in (AllowanceKind.TIME_MULTIPLIER, AllowanceKind.EXTRA_MINUTES)
        if (found := allowances.get(kind))
    )
    return f"allowance: {words}" if words else "allowance withdrawn"
