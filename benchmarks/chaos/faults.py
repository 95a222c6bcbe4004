"""How the vendor misbehaves during the run, and how often it did."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Rule = dict[str, Any]

SPOILING: tuple[Rule, ...] = (
    {"kind": "status", "status": 500},
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 429, "retry_after": "1"},
    {"kind": "hang", "seconds": 3},
    {"kind": "broken_json"},
    {"kind": "error_inside"},
    {"kind": "expired_token"},
    {"kind": "lost_answer"},
)
"""A call that meets one of these has to be made again."""

REFUSALS = ("conflict", "no_capacity", "availability_unknown", "rejected", "too_late")
ANSWERS: tuple[Rule, ...] = tuple({"kind": "booking", "word": word} for word in (*REFUSALS, "exists"))
"""To a booking that is sent."""
REPORTS: tuple[Rule, ...] = tuple({"kind": "booking_status", "word": word} for word in REFUSALS)
"""On a booking that is asked about: these come true."""

TIRESOME: tuple[Rule, ...] = (
    {"kind": "latency", "seconds": 0.3},
    {"kind": "slow_body", "seconds": 0.004},
    {"kind": "missing_result"},
    {"kind": "booking_status", "word": "pending"},
    {"kind": "duplicate"},
    {"kind": "late", "seconds": 2},
    {"kind": "reorder", "seconds": 2},
    {"kind": "wrong_signature"},
    {"kind": "altered_body"},
)

UNTIL_COUNTED = 1_000_000_000
"""A rule counts down how often it may strike: what is gone from this is how often it did."""


def rules(chance: float) -> list[Rule]:
    """With this chance a call is spoiled, by each kind alike; the answer about a booking is a refusal, by each word
    alike; and each of the other kinds strikes."""
    groups = (SPOILING, ANSWERS, REPORTS)
    shared = [[{**rule, "probability": chance / len(kinds)} for rule in kinds] for kinds in groups]
    own = [{**rule, "probability": chance} for rule in TIRESOME]
    return [{**rule, "times": UNTIL_COUNTED} for kinds in (*shared, own) for rule in kinds]


def struck(shown: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """Kind, with what tells two of a kind apart → how often it struck, from the vendor's own list of its rules."""
    return {_name(rule): UNTIL_COUNTED - int(rule["times"]) for rule in shown}


def _name(rule: Mapping[str, Any]) -> str:
    detail = {"status": "status", "booking": "word", "booking_status": "word"}.get(str(rule["kind"]))
    return f"{rule['kind']}_{rule[detail]}" if detail else str(rule["kind"])
