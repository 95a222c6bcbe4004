"""Heartbeats of candidates' pages: the usual one in one statement, the unusual one under the attempt's lock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from proctoring.attempts.lifecycle import locked, save, settle_deadline
from proctoring.attempts.models import Attempt
from proctoring.attempts.outages import settle_outage
from proctoring.attempts.reporting import report_events
from proctoring.attempts.states import OPEN
from proctoring.conf import settings
from proctoring.errors import Conflict
from proctoring.logs.event_types import Source
from proctoring.logs.intake import Refused, Reporter, add_rows
from proctoring.logs.models import Event, EventActor
from proctoring.logs.services import event_of, record_together
from proctoring.logs.streams import Known, Sent
from proctoring.monitoring.beating import Pulse, Seen, beat
from proctoring.monitoring.models import Command, Presence, SeenAddress
from proctoring.monitoring.quality import State, quality_of, still_like
from proctoring.monitoring.room import in_the_log, turned_away
from proctoring.monitoring.silence import RESTORED, lose
from proctoring.signals import announce, deadline_changed

QUALITY_CHANGED, ADDRESS_CHANGED = 1022, 1023

MAX_ADDRESSES = 100
"""Of an attempt: one that comes from more of them is conspicuous enough."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """What a page must know, and which of its events will never be taken."""

    seen: Seen
    refused: tuple[Refused, ...] = ()


def take_heartbeat(
    attempt_id: int, user_id: Any, pulse: Pulse, rows: Sequence[Any] = (), *, now: datetime, stretch: int = 1
) -> Heard | None:
    """Note that the page of this attempt is there, and store the events that it sends along.

    One statement, with events one more, where nothing is out of the ordinary. None where the attempt is not this
    person's. Raises ``Conflict`` (``attempt_erased``).
    """
    if not rows:
        return _heard(_seen(attempt_id, user_id, pulse, now=now, stretch=stretch))
    sent = Sent.of(rows)
    with transaction.atomic():
        # The row of presence is locked until the events are there: an erasure empties it first, and so comes before
        # both, and is seen, or after both.
        seen = _seen(attempt_id, user_id, pulse, now=now, stretch=stretch, sent=sent)
        if seen is not None and seen.is_full:
            return _heard(seen, turned_away(rows))
        if seen is None or seen.attempt.status in OPEN:
            return _heard(seen, add_rows(seen.attempt, rows, _reporter(pulse, seen, sent), now=now) if seen else ())
    # What comes after the end is written under the attempt's own lock, as everything that a seal has to wait for.
    return _heard(seen, report_events(seen.attempt, rows, _reporter(pulse, seen, sent), now=now).refused)


def _heard(seen: Seen | None, refused: tuple[Refused, ...] = ()) -> Heard | None:
    return None if seen is None else Heard(seen=seen, refused=refused)


def _seen(
    attempt_id: int, user_id: Any, pulse: Pulse, *, now: datetime, stretch: int, sent: Sent | None = None
) -> Seen | None:
    seen = beat(attempt_id, user_id, pulse, now=now, stretch=stretch, sent=sent)
    return seen or _look_closely(attempt_id, user_id, pulse, now=now, stretch=stretch, sent=sent)


def _reporter(pulse: Pulse, seen: Seen, sent: Sent | None) -> Reporter:
    return Reporter(
        source=Source.PAGE,
        ip=pulse.ip,
        user_agent=pulse.user_agent,
        clock_offset_ms=seen.clock_offset_ms,
        known=Known(
            stream=sent.begins if sent else "", last_sequence=seen.ordered_after, latest_ms=seen.ordered_from_ms
        ),
    )


def _look_closely(
    attempt_id: int, user_id: Any, pulse: Pulse, *, now: datetime, stretch: int, sent: Sent | None
) -> Seen | None:
    attempt = Attempt.objects.select_related("exam").filter(pk=attempt_id, user=user_id).first()
    if attempt is None:
        return None
    with locked(attempt, now=now, settles=False) as row:
        if row.erased_at is not None:
            raise Conflict(_("What was known of this attempt has been erased."), code="attempt_erased")
        presence = Presence.objects.select_for_update().filter(attempt=row.pk).first()
        if presence is not None:
            # Before the deadline is looked at: it may have to wait for somebody who was out of reach.
            lose(row, presence, now=now)
        settle_deadline(row, now=now)
        had = presence.page_events if presence else 0
        if presence is None and (sent or row.traits.open):
            had = in_the_log(row.pk)
        if row.traits.open:
            presence = presence or Presence(attempt=row, clock_offset_ms=pulse.clock_offset_ms, page_events=had)
            _note_presence(row, presence, pulse, now=now, stretch=stretch, sent=sent)
        elif presence is not None:
            presence.note_events(sent, now=now)
            presence.save()
        # Of an attempt that has ended, too: that its page shall leave is a command.
        waits = Command.objects.filter(attempt=row.pk, applied_at=None).exists()
    return Seen(
        attempt=row,
        clock_offset_ms=presence.clock_offset_ms if presence else pulse.clock_offset_ms,
        interval_seconds=row.exam.heartbeat_seconds,
        has_commands=waits,
        is_full=had >= settings.page_max_events,
        ordered_from_ms=presence.ordered_from_ms if presence else 0,
        ordered_after=presence.ordered_after if presence else 0,
    )


def _note_presence(
    row: Attempt, presence: Presence, pulse: Pulse, *, now: datetime, stretch: int, sent: Sent | None
) -> None:
    """The page is there, whatever was thought of it before."""
    news = [*_quality_news(row, presence, pulse, now=now), *_address_news(row, presence, pulse, now=now)]
    if presence.state == State.LOST:
        news.insert(0, _restored(row, presence, now=now))
    presence.state, presence.lost_since = State.ONLINE, None
    presence.interval_seconds = row.exam.heartbeat_seconds
    presence.expect_next(now, stretch=stretch)
    presence.ip, presence.user_agent = pulse.ip, pulse.user_agent
    if abs(presence.clock_offset_ms - pulse.clock_offset_ms) > pulse.uncertainty_ms:
        presence.clock_offset_ms = pulse.clock_offset_ms
    presence.note_events(sent, now=now)
    presence.save(force_insert=presence._state.adding)
    record_together(news)


def _quality_news(row: Attempt, presence: Presence, pulse: Pulse, *, now: datetime) -> list[Event]:
    """The first heartbeat of a page has measured nothing yet: that is no news of its connection."""
    if pulse.round_trip_ms is None:
        return []
    presence.round_trip_ms, before = pulse.round_trip_ms, presence.quality
    if before in still_like(pulse.round_trip_ms):
        return []
    presence.quality = quality_of(pulse.round_trip_ms)
    data = {"from": before, "to": presence.quality.value, "round_trip_ms": pulse.round_trip_ms}
    return [event_of(row, QUALITY_CHANGED, actor=EventActor.SYSTEM, now=now, data=data)]


def _restored(row: Attempt, presence: Presence, *, now: datetime) -> Event:
    """The page is back: what the outage has cost is settled."""
    since, given_back = presence.lost_since, 0
    if row.outage_since is not None:
        given_back = settle_outage(row, until=now)
        save(row, by=None, reason="connection restored")
        announce(deadline_changed, attempt=row)
    seconds = int((now - since).total_seconds()) if since else 0
    data = {"seconds": seconds, "given_back_seconds": given_back, "quality": str(presence.quality)}
    return event_of(row, RESTORED, actor=EventActor.SYSTEM, now=now, data=data)


def _address_news(row: Attempt, presence: Presence, pulse: Pulse, *, now: datetime) -> list[Event]:
    """An address that this attempt has not come from before is remembered, and an event where it is not the first."""
    if pulse.ip is None or presence.ip == pulse.ip:
        return []
    known = set(SeenAddress.objects.filter(attempt=row.pk).values_list("ip", flat=True))
    if pulse.ip in known or len(known) >= MAX_ADDRESSES:
        return []
    SeenAddress.objects.create(attempt=row, exam_id=row.exam_id, ip=pulse.ip, first_seen_at=now)
    if not known:
        return []
    event = event_of(row, ADDRESS_CHANGED, actor=EventActor.SYSTEM, now=now)
    event.ip, event.user_agent = pulse.ip, pulse.user_agent
    return [event]
