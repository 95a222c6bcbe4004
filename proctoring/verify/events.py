"""The events of a bundle beside the leaves that were sealed: which is as it was, and what became of the others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from proctoring.verify import findings
from proctoring.verify.findings import ADDED, ALTERED, MISSING, REORDERED, Report
from proctoring.verify.layout import EVENTS, NOTE_TYPE, RETENTION, SEAL_NOTE
from proctoring.verify.merkle import actor_hash, leaf_hash, personal_hash
from proctoring.verify.reading import Bundle, NotABundle
from proctoring.verify.seals import Chain, Place

LARGEST_KEY = 2**63

PARTS = frozenset({"seal", "public", "salt", "personal", "personal_hash", "left", "removed_by", "actor_user"})


@dataclass(frozen=True, slots=True)
class Row:
    """An event of the bundle."""

    key: int
    seal: int | None
    leaf: bytes
    """Empty where none follows from what is there."""
    public: dict[str, Any]
    salt: bytes | None
    actor: str | None
    removed_by: str | None

    @classmethod
    def read(cls, row: Any, number: int) -> Row:
        """Raises ``NotABundle`` where it is no event at all."""
        public = row.get("public") if isinstance(row, dict) else None
        key = public.get("id") if isinstance(public, dict) else None
        if not isinstance(public, dict) or type(key) is not int or not 0 < key < LARGEST_KEY:
            raise NotABundle(f"{EVENTS}, line {number} is no event.")
        seal, actor = row.get("seal"), row.get("actor_user")
        return cls(
            key=key,
            seal=seal if type(seal) is int and abs(seal) < LARGEST_KEY else None,
            leaf=_leaf(row),
            public=public,
            salt=_bytes(row.get("salt")),
            actor=None if actor is None else str(actor),
            removed_by=None if row.get("personal_hash") is None else str(row.get("removed_by")),
        )


def _leaf(row: dict[str, Any]) -> bytes:
    if {*row} != PARTS:
        return b""
    is_gone = row["personal_hash"] is not None
    if is_gone and not (row["personal"] is None and row["salt"] is None):
        return b""
    if not is_gone and row["left"] is not None:
        return b""
    try:
        inner = _bytes(row["personal_hash"]) if is_gone else personal_hash(_bytes(row["salt"]) or b"", row["personal"])
        return leaf_hash(row["public"], inner or b"")
    except ValueError:
        return b""


def _actor(salt: bytes, account: str) -> str | None:
    try:
        return actor_hash(salt, account).hex()
    except ValueError:
        return None


def _bytes(text: Any) -> bytes | None:
    try:
        return bytes.fromhex(text)
    except (TypeError, ValueError):
        return None


class Comparison:
    """Goes through the events once; then ``finish``."""

    def __init__(self, chain: Chain, attempt: int, report: Report) -> None:
        self.chain, self.attempt, self.report = chain, attempt, report
        self.count = self.sealed = self.notes = 0
        self._seen = bytearray(len(chain.places))
        self._strange: dict[int, Row] = {}
        """Events that say they are sealed, or came among sealed ones, and have no leaf."""
        self._furthest = -1
        self._last_unsealed = 0

    def run(self, bundle: Bundle) -> None:
        for number, row in enumerate(bundle.lines(EVENTS), start=1):
            self.count = number
            self._take(Row.read(row, number))
        self._finish()

    def _take(self, event: Row) -> None:
        if event.public.get("attempt") != self.attempt:
            self._say(ALTERED, event, "belongs to another attempt")
        self._check_actor(event)
        self._check_note(event)
        index = self.chain.index.get(event.leaf)
        if index is not None:
            self._take_sealed(event, index)
        elif event.seal is None and event.key > self.chain.last_event:
            self._take_unsealed(event)
        elif len(self._strange) < findings.SHOWN * 20:
            if event.key in self._strange:
                self._say(ADDED, event, "is there twice, in two forms")
            self._strange.setdefault(event.key, event)
        else:
            self._say(ALTERED, event, "is not as it was sealed, or was added")

    def _take_sealed(self, event: Row, index: int) -> None:
        place = self.chain.places[index]
        if self._seen[index]:
            self._say(ADDED, event, "is there twice", place)
            return
        self._seen[index] = 1
        self.sealed += 1
        if index < self._furthest:
            self._say(REORDERED, event, "stands behind an event that comes after it", place)
        self._furthest = max(self._furthest, index)
        if event.seal != place.seal:
            self._say(ALTERED, event, f"says that seal {event.seal} holds it; it is seal {place.seal}", place)
        if place.event != event.key:
            self._say(ALTERED, event, f"is listed among the leaves as event {place.event}", place)
        if event.removed_by == RETENTION:
            self._say(
                findings.RETENTION, event, "has lost its personal part to its age; what is public is as it was", place
            )
        elif event.removed_by is not None:
            self._say(
                findings.ERASED,
                event,
                "has lost its personal part, or a name in it, to an erasure; what is public is as it was",
                place,
            )

    def _take_unsealed(self, event: Row) -> None:
        if event.key <= self._last_unsealed:
            self._say(REORDERED, event, "stands behind an event that comes after it")
        self._last_unsealed = max(self._last_unsealed, event.key)
        if event.public.get("type") == NOTE_TYPE and str(event.public.get("message_id")).startswith(SEAL_NOTE):
            self.notes += 1
        else:
            self._say(findings.UNSEALED, event, "is not sealed yet: nothing is proved of it")

    def _check_actor(self, event: Row) -> None:
        kept = event.public.get("actor_hash")
        if event.actor is None:
            if kept is not None:
                self._say(findings.NOTE, event, "was somebody's act whose account is gone")
        elif kept is None:
            self._say(ALTERED, event, "names who acted; nobody is known to have")
        elif event.salt is not None and _actor(event.salt, event.actor) != kept:
            self._say(ALTERED, event, f"names account {ascii(event.actor)[:40]} as who acted, which it was not")

    def _check_note(self, event: Row) -> None:
        """The log itself says how many seals there are."""
        name = event.public.get("message_id")
        if event.public.get("type") != NOTE_TYPE or not isinstance(name, str) or not name.startswith(SEAL_NOTE):
            return
        number = name.removeprefix(SEAL_NOTE)
        if not (number.isascii() and number.isdigit() and len(number) < 10 and int(number) in self.chain.numbers):
            text = f"Event {event.key} says that there is a seal {ascii(number)[:20]}; it is missing."
            self.report.add(MISSING, text, event=event.key)

    def _finish(self) -> None:
        for index, seen in enumerate(self._seen):
            if not seen:
                self._miss(self.chain.places[index])
        for event in self._strange.values():
            self._say(ADDED, event, "is not among those that were sealed")

    def _miss(self, place: Place) -> None:
        event = self._strange.pop(place.event, None)
        if event is not None:
            self._say(ALTERED, event, "is not as it was sealed", place)
            return
        text = f"Event {place.event} is missing (place {place.place} of seal {place.seal})."
        self.report.add(MISSING, text, file=EVENTS, event=place.event, seal=place.seal, place=place.place)

    def _say(self, kind: str, event: Row, what: str, place: Place | None = None) -> None:
        where = f"place {place.place} of seal {place.seal}, " if place else ""
        happened = f"type {ascii(event.public.get('type'))[:20]}, {ascii(event.public.get('at'))[:40]}"
        self.report.add(
            kind,
            f"Event {event.key} {what} ({where}{happened}).",
            file=EVENTS,
            event=event.key,
            seal=place.seal if place else event.seal,
            place=place.place if place else None,
        )
