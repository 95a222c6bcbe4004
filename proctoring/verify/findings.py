"""What was found, in plain words, and what it means for the whole."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

ALTERED, MISSING, ADDED, REORDERED = "altered", "missing", "added", "reordered"
ERASED, RETENTION, UNSEALED, NOTE = "erased", "removed_by_retention", "not_sealed_yet", "note"

BAD = (ALTERED, MISSING, ADDED, REORDERED)
"""Any of these, and it is not what was sealed, or not what was handed out."""

SHOWN = 50
"""Of each kind; the others are counted."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    kind: str
    text: str
    file: str | None = None
    event: int | None = None
    seal: int | None = None
    place: int | None = None
    """Of the event within its seal, from 1."""

    def as_json(self) -> dict[str, Any]:
        named = {name: getattr(self, name) for name in ("file", "event", "seal", "place")}
        return {"kind": self.kind, "text": self.text, **{name: it for name, it in named.items() if it is not None}}


@dataclass(kw_only=True, slots=True)
class Report:
    findings: list[Finding] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    facts: dict[str, Any] = field(default_factory=dict)
    """What the bundle says of itself, and how much of it was checked."""

    def add(self, kind: str, text: str, **where: Any) -> None:
        self.counts[kind] += 1
        if self.counts[kind] <= SHOWN:
            self.findings.append(Finding(kind=kind, text=text, **where))

    @property
    def is_good(self) -> bool:
        return not any(self.counts[kind] for kind in BAD)

    def as_json(self) -> dict[str, Any]:
        return {
            "status": "good" if self.is_good else "altered",
            "counts": dict(sorted(self.counts.items())),
            "findings": [one.as_json() for one in self.findings],
            **self.facts,
        }

    def as_text(self) -> str:
        lines = [f"{one.kind.replace('_', ' ').upper()}: {one.text}" for one in self.findings]
        for kind, count in sorted(self.counts.items()):
            if count > SHOWN:
                lines.append(f"{kind.replace('_', ' ').upper()}: and {count - SHOWN} more.")
        return "\n".join([*lines, self._verdict()]) + "\n"

    def _verdict(self) -> str:
        facts = self.facts
        what = f"attempt {facts.get('attempt')}: {facts.get('events')} events, {facts.get('seals')} seals"
        if not self.is_good:
            return f"NOT GOOD ({what})."
        if not facts.get("anchored"):
            return (
                f"GOOD in itself ({what}). Nothing outside of the bundle vouches for it yet: name a root that was "
                "published (--root), or the key of whoever signed it (--key)."
            )
        return f"GOOD ({what})."
