"""What a candidate's page is told, and what it says has become of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import transaction

from proctoring.attempts.models import Attempt
from proctoring.logs.models import Event, EventActor
from proctoring.logs.services import event_of, record, record_together
from proctoring.monitoring.models import Command, CommandKind

if TYPE_CHECKING:
    from proctoring.host import User

SENT, SEEN, APPLIED = 1050, 1051, 1052

AT_ONCE = 50
"""Commands that one answer carries; the next ones follow when these have been carried out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Acknowledged:
    """A page has shown a command, or has carried it out, which includes having seen it."""

    command: int
    applied: bool


def send_command(
    attempt: Attempt,
    kind: CommandKind,
    *,
    by: User | None,
    now: datetime,
    text: str = "",
    minutes: int | None = None,
    reason_code: int | None = None,
    comment: str = "",
) -> Command:
    """Tell the page with its next heartbeat. In the transaction of what the command is about; two statements.

    ``reason_code`` and ``comment`` are for the log alone: why it was sent, where nothing else says so.
    """
    command = Command.objects.create(attempt=attempt, kind=kind, text=text, minutes=minutes, by=by, sent_at=now)
    # The minutes are no extra time of this event's: the step before it has them, and sums must not count them twice.
    told = {"text": text, "minutes": minutes}
    data = {"command": command.pk, "kind": kind.value, **{name: value for name, value in told.items() if value}}
    record(
        attempt,
        SENT,
        actor=EventActor.SYSTEM if by is None else EventActor.PROCTOR,
        by=by,
        now=now,
        reason_code=reason_code,
        reason_message=comment or text,
        data=data,
    )
    return command


def waiting_commands(attempt: Attempt) -> list[Command]:
    """What the page has yet to carry out, in the order in which it was sent. One statement."""
    return list(Command.objects.filter(attempt=attempt.pk, applied_at=None).order_by("pk")[:AT_ONCE])


def parting_words(attempt: Attempt) -> str:
    """What was said to the candidate when the attempt was ended: its page goes before anybody can read there."""
    told = Command.objects.filter(attempt=attempt.pk, kind=CommandKind.TERMINATE).order_by("pk")
    return told.values_list("text", flat=True).last() or ""


def acknowledge_commands(attempt: Attempt, acknowledged: Sequence[Acknowledged], *, now: datetime) -> None:
    """Note what the page says. What is said again, or of another attempt's command, changes nothing."""
    words = {one.command: one.applied for one in sorted(acknowledged, key=lambda one: one.applied)}
    with transaction.atomic():
        found = Command.objects.select_for_update().filter(attempt=attempt.pk, pk__in=words, applied_at=None)
        changed, events = [], []
        for command in found.order_by("pk"):
            news = _note(command, applied=words[command.pk], now=now)
            if news:
                changed.append(command)
                events += [_event(attempt, command, type_, now) for type_ in news]
        if changed:
            Command.objects.bulk_update(changed, ["seen_at", "applied_at"])
            record_together(events)


def _note(command: Command, *, applied: bool, now: datetime) -> list[int]:
    """Change the row in memory; the events that this makes."""
    news = []
    if command.seen_at is None:
        command.seen_at = now
        news.append(SEEN)
    if applied:
        command.applied_at = now
        news.append(APPLIED)
    return news


def _event(attempt: Attempt, command: Command, type_: int, now: datetime) -> Event:
    data = {"command": command.pk, "kind": command.kind}
    return event_of(attempt, type_, actor=EventActor.DELIVER_FE, now=now, data=data)
