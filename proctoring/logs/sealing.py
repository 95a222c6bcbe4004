"""Seal the log of an attempt: what of an event is public, what is personal, and the root over both.

``proctoring.verify`` has the arithmetic, ``docs/evidence.rst`` the format. Whatever changes here changes every root.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime
from ipaddress import ip_address
from typing import Any

from django.db.models import Max

from proctoring.bulk import update_by_key
from proctoring.logs.models import PLACE, Event, EventActor, Seal
from proctoring.logs.services import event_of
from proctoring.signals import announce, log_sealed
from proctoring.verify.layout import NOTE_TYPE, SEAL_NOTE
from proctoring.verify.merkle import ALGORITHM, Tree, leaf_hash, personal_hash, seal_root

MOST = 50_000
"""Events of one seal. What is more goes into the next one, at once: memory has a bound."""
BATCH = 1000
"""Events in memory."""

PUBLIC = (
    *("id", "exam", "attempt", "type", "actor", "actor_hash", "occurred_at", "received_at", "at", "stream", "sequence"),
    *("message_id", "severity", "status", "reason_code", "extra_minutes", "item_id", "question_number", "backend"),
)
"""What happened, when and where. Erasure leaves it."""
PERSONAL = ("reason_message", "error", "ip", "user_agent", "data")
"""What erasure takes: words, addresses, and whatever somebody has put into ``data``."""


def public_part(event: Event) -> dict[str, Any]:
    """``actor_user`` is not in it, only the hash of it: the account may go without altering what happened."""
    return {
        "id": event.pk,
        "exam": event.exam_id,
        "attempt": event.attempt_id,
        "type": event.type,
        "actor": str(event.actor),
        "actor_hash": as_hex(event.actor_hash),
        "occurred_at": as_text(event.occurred_at),
        "received_at": as_text(event.received_at),
        "at": as_text(event.at),
        "stream": event.stream,
        "sequence": event.sequence,
        "message_id": event.message_id,
        "severity": str(event.severity),
        "status": str(event.status),
        "reason_code": event.reason_code,
        "extra_minutes": event.extra_minutes,
        "item_id": event.item_id,
        "question_number": event.question_number,
        "backend": event.backend,
    }


def personal_part(event: Event) -> dict[str, Any]:
    return {
        "reason_message": event.reason_message,
        "error": event.error,
        "ip": _address(event.ip),
        "user_agent": event.user_agent,
        "data": event.data,
    }


def inner_hash(event: Event) -> bytes:
    """Of the personal part, also when that is gone."""
    if event.personal_hash is not None:
        return bytes(event.personal_hash)
    if event.salt is None:
        raise ValueError(f"event {event.pk} has neither a salt nor the hash that was made with it")
    return personal_hash(bytes(event.salt), personal_part(event))


def leaf_of(event: Event) -> bytes:
    """Wants the event as it is stored: a database may write a number, or a moment, in its own way."""
    return leaf_hash(public_part(event), inner_hash(event))


def keep_hashes(keys: Collection[int]) -> None:
    """Before what is personal in these events is emptied, or somebody's name is taken out of it: keep the hash of it as
    it was, and let go of the salt. In the caller's transaction, which changes them. Two statements."""
    events = list(Event.objects.filter(pk__in=keys, personal_hash=None, salt__isnull=False).order_by("pk"))
    for event in events:
        event.personal_hash = inner_hash(event)
    if events:
        hashes = {event.pk: event.personal_hash for event in events}
        update_by_key(Event._base_manager.all(), {"personal_hash": hashes}, salt=None)


def facts_of(seal: Seal) -> dict[str, Any]:
    """All that the root is over, beside the events."""
    return {
        "algorithm": seal.algorithm,
        "attempt": seal.attempt_id,
        "number": seal.number,
        "previous_root": seal.previous_root or None,
        "count": seal.count,
        "first_event": seal.first_event,
        "last_event": seal.last_event,
        "sealed_at": as_text(seal.sealed_at),
    }


def last_seal(attempt: Any) -> Seal | None:
    return Seal.objects.filter(attempt=attempt.pk).defer("packed_places").order_by("-number").first()


def waits_since(attempt: Any, last: Seal | None) -> datetime | None:
    """When the last of the events arrived that no seal holds; None where all are sealed.

    The note that the log was sealed is the seal's own, and no reason for another one: the next seal holds it, when
    something else happens. One statement.
    """
    news = _after(attempt, last).exclude(type=NOTE_TYPE)
    return news.aggregate(newest=Max("received_at"))["newest"]


def seal_log(attempt: Any, last: Seal | None, *, now: datetime) -> tuple[Seal, bool]:
    """Seal what no seal holds yet, and say whether that is all. In the caller's transaction, which holds the attempt's
    lock: no event is on its way then, and nobody else seals.

    Three statements, and one for each thousand of events.
    """
    keys = list(_after(attempt, last).order_by("pk").values_list("pk", flat=True)[: MOST + 1])
    tree, places = Tree(), bytearray()
    for event in events_of(keys[:MOST]):
        leaf = leaf_of(event)
        tree.add(leaf)
        places += PLACE.pack(event.pk, leaf)
    seal = Seal(
        attempt_id=attempt.pk,
        number=last.number + 1 if last else 1,
        algorithm=ALGORITHM,
        previous_root=last.root if last else "",
        count=tree.count,
        first_event=keys[0],
        last_event=keys[:MOST][-1],
        sealed_at=now,
        packed_places=bytes(places),
    )
    seal.root = seal_root(facts_of(seal), tree.root()).hex()
    seal.save(force_insert=True)
    _note(attempt, seal, now=now)
    announce(log_sealed, seal=seal)
    return seal, len(keys) <= MOST


def events_of(keys: Sequence[int], *, order: Sequence[str] = ("pk",)) -> Iterator[Event]:
    """The events with these keys, which are in this order. One statement for each thousand of them."""
    for begin in range(0, len(keys), BATCH):
        yield from Event.objects.filter(pk__in=keys[begin : begin + BATCH]).order_by(*order)


def as_text(moment: datetime) -> str:
    """In UTC, always with six digits of a second."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def as_hex(given: bytes | memoryview | None) -> str | None:
    return None if given is None else bytes(given).hex()


def _after(attempt: Any, last: Seal | None) -> Any:
    events = Event.objects.filter(attempt=attempt.pk).order_by()
    return events if last is None else events.filter(pk__gt=last.last_event)


def _note(attempt: Any, seal: Seal, *, now: datetime) -> None:
    """Its id is the seal's number: a second one is refused by the database. Past ``record``, which would ask for the
    next seal."""
    note = event_of(attempt, NOTE_TYPE, actor=EventActor.SYSTEM, now=now)
    note.message_id = f"{SEAL_NOTE}{seal.number}"
    note.save(force_insert=True)


def _address(ip: str | None) -> str | None:
    """IPv6 in full: libraries do not agree on how to shorten it."""
    return None if ip is None else ip_address(ip).exploded
