"""What is in an attempt's evidence, row by row. People are named as everywhere here: by account and user name."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.db.models import Prefetch

from proctoring.attempts.models import Attempt
from proctoring.logs.models import Event, Seal
from proctoring.logs.readings import timeline_row
from proctoring.logs.sealing import as_hex, as_text, events_of, facts_of, personal_part, public_part
from proctoring.monitoring.connection import with_connections
from proctoring.reviews.models import Review, ReviewComment
from proctoring.verify.layout import ERASURE, RETENTION

Row = dict[str, Any]

READING_ORDER = ("at", "pk")

BATCH = 200
"""Reviews, entries of the ledger in memory."""


def attempt_facts(attempt: Attempt, *, now: datetime) -> Row:
    exam = attempt.exam
    return {
        "id": attempt.pk,
        "number": attempt.number,
        "exam": {"id": exam.pk, "course_id": exam.course_id, "name": exam.name, "exam_type": exam.exam_type},
        "user": person(attempt.user),
        "full_name": attempt.full_name,
        "backend": attempt.backend,
        "taking_as_proctored": attempt.taking_as_proctored,
        "status": attempt.status_at(now).value,
        "created_at": as_text(attempt.created_at),
        "started_at": _moment(attempt.started_at),
        "submitted_at": _moment(attempt.submitted_at),
        "ended_at": _moment(attempt.ended_at),
        "total_seconds": attempt.total_seconds,
        "resumed_from": attempt.resumed_from_id,
        "erased_at": _moment(attempt.erased_at),
    }


def seal_rows(seals: Sequence[Seal]) -> list[Row]:
    return [{**facts_of(seal), "root": seal.root} for seal in seals]


def leaf_rows(seals: Sequence[Seal]) -> Iterator[Row]:
    """What each seal was made of. One statement a seal: the places of one are in memory at once."""
    for seal in seals:
        places = Seal.objects.only("packed_places").get(pk=seal.pk).places()
        for place, (event, leaf) in enumerate(places, start=1):
            yield {"seal": seal.number, "place": place, "event": event, "leaf": leaf.hex()}


def event_keys(attempt: Attempt) -> list[int]:
    """Of all events, in reading order. What comes later is in neither of the files of events."""
    return list(Event.objects.filter(attempt=attempt.pk).order_by(*READING_ORDER).values_list("pk", flat=True))


def event_rows(attempt: Attempt, keys: Sequence[int], seals: Sequence[Seal]) -> Iterator[Row]:
    """These events, in the order of their keys, which is the order in which they are sealed. One statement for each
    thousand of them."""
    reason = RETENTION if attempt.erased_at is None else ERASURE
    ends = iter(seals)
    seal = next(ends, None)
    for event in events_of(sorted(keys)):
        while seal is not None and event.pk > seal.last_event:
            seal = next(ends, None)
        yield event_row(event, seal=seal.number if seal else None, reason=reason)


def event_row(event: Event, *, seal: int | None, reason: str) -> Row:
    """All that its leaf is made of. What is not in ``public`` and ``personal`` is proved by no seal."""
    is_gone = event.personal_hash is not None
    left = personal_part(event) if is_gone else {}
    if not any(left.values()):
        left = {}
    return {
        "seal": seal,
        "public": public_part(event),
        "salt": None if is_gone else as_hex(event.salt),
        "personal": None if is_gone else personal_part(event),
        "personal_hash": as_hex(event.personal_hash),
        # Out of words about somebody else a name was taken: what is left of them is proved by nothing any more.
        "left": left or None,
        "removed_by": (ERASURE if left else reason) if is_gone else None,
        # As text: a host's accounts may have keys of any kind.
        "actor_user": None if event.actor_user_id is None else str(event.actor_user_id),
    }


def timeline_rows(attempt: Attempt, keys: Sequence[int]) -> Iterator[Row]:
    """These events as a person who watches reads them. One statement, and one for each thousand of them.

    What they carried besides is with the events, where it can be proved.
    """
    events = events_of(keys, order=READING_ORDER)
    for event, connection in with_connections(attempt.pk, events):
        row = timeline_row(event, connection=connection)
        del row["data"]
        yield {**row, **{name: as_text(row[name]) for name in ("at", "occurred_at", "received_at")}}


def ledger_rows(attempt: Attempt) -> Iterator[Row]:
    for row in attempt.time_entries.select_related("by").order_by("pk").iterator(chunk_size=BATCH):
        yield {
            "id": row.pk,
            "kind": row.kind,
            "seconds": row.seconds,
            "state": row.state,
            "reason_code": row.reason_code,
            "note": row.note,
            "by": person(row.by),
            "at": as_text(row.at),
            "reverses": row.reverses_id,
        }


def review_rows(attempt: Attempt) -> Iterator[Row]:
    """Verdicts and remarks; not the vendor's own data, and no link to a recording."""
    remarks = Prefetch("comments", ReviewComment.objects.order_by("pk"))
    rows = Review.objects.filter(attempt=attempt.pk).select_related("author").defer("payload")
    for row in rows.prefetch_related(remarks).order_by("pk").iterator(chunk_size=BATCH):
        yield {
            "id": row.pk,
            "status": row.status,
            "source": row.source,
            "reviewed_by": row.reviewed_by,
            "author": person(row.author),
            "message": row.note,
            "has_video": row.has_video,
            "occurred_at": as_text(row.occurred_at),
            "received_at": as_text(row.received_at),
            "applied_at": _moment(row.applied_at),
            "not_applied_reason": row.not_applied_reason,
            "comments": [_remark(one) for one in row.comments.all()],
        }


def person(account: Any) -> Row | None:
    return None if account is None else {"id": str(account.pk), "username": account.get_username()}


def _remark(comment: Any) -> Row:
    return {
        "start_seconds": comment.start_seconds,
        "stop_seconds": comment.stop_seconds,
        "severity": comment.severity,
        "text": comment.text,
    }


def _moment(value: datetime | None) -> str | None:
    return None if value is None else as_text(value)
