"""Ratings of live sessions: announced, fetched from the vendor's list, stored with their attempt, given up."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet, prefetch_related_objects

from proctoring.attempts.models import Attempt
from proctoring.backends.live import RatingRecord
from proctoring.backends.types import AttemptRated
from proctoring.bookings import log_codes
from proctoring.bookings.lifecycle import entry_of, log
from proctoring.bookings.models import BookingLogEntry, LiveSession, RatingState
from proctoring.bookings.session_news import AHEAD
from proctoring.bookings.sessions import attempts_of
from proctoring.bulk import update_each
from proctoring.conf import settings
from proctoring.outbox.services import backoff
from proctoring.reviews.models import RatingSource
from proctoring.reviews.ratings import record_ratings
from proctoring.signals import announce, rating_announced

BATCH = 500

CLOSED = (RatingState.RATED, RatingState.ABANDONED)
"""Nothing is expected of the vendor."""

WAITING = ["rating_state", "next_rating_at", "rating_tries"]
WRITTEN = [*WAITING, "attempt_id", "rated_at"]


def announce_rating(session: LiveSession, *, now: datetime) -> None:
    """The vendor says that it has rated the session: the rating is to be fetched. The caller has a transaction."""
    session.rating_state, session.next_rating_at, session.rating_tries = RatingState.ANNOUNCED, now, 0
    session.save(update_fields=WAITING)
    log(session.booking, log_codes.RATING_ANNOUNCED, now=now, session=session)
    announce(rating_announced, session=session)


def store_told_rating(session: LiveSession, record: RatingRecord, *, now: datetime) -> bool:
    """The vendor's message says the rating itself. True where it is new. The caller has a transaction."""
    session.rating_state = RatingState.ANNOUNCED
    return take_in_ratings([(session, record)], source=RatingSource.WEBHOOK, now=now) == 1


def sessions_known_as(backend: str, external_ids: Sequence[str]) -> dict[str, LiveSession]:
    """Vendor's id → session, with booking and exam."""
    rows = LiveSession.objects.filter(
        backend=backend, external_id__in=[one for one in external_ids if "\x00" not in one]
    ).select_related("booking__exam", "exam")
    # Some databases take "ab" and "AB" for one word.
    return {one.external_id: one for one in rows if one.external_id is not None and one.external_id in external_ids}


def take_in_ratings(rated: Sequence[tuple[LiveSession, RatingRecord]], *, source: RatingSource, now: datetime) -> int:
    """Store what was rated, with its entry in the log, or write why a rating was dropped. What is here, or was dropped
    before, leaves no entry. A constant number of statements. Returns how many ratings are new.

    Sessions need ``booking`` and ``exam`` loaded.
    """
    if not rated:
        return 0
    with transaction.atomic():
        attempts = attempts_of([session for session, _record in rated])
        fitting: list[tuple[LiveSession, RatingRecord]] = []
        changed: dict[int, LiveSession] = {}
        entries: list[BookingLogEntry] = []
        for session, record in rated:
            code = _complaint(session, record, attempts.get(session.pk))
            if code is None:
                fitting.append((session, record))
            elif not _was_dropped(session, record, now=now):
                _drop(session, record, now=now)
                changed[session.pk] = session
                entries += _entries(session, code, source=source, now=now)
        events = [(attempts[session.pk], as_event(record, now=now)) for session, record in fitting]
        ratings = record_ratings(events, source=source, now=now)
        for (session, record), rating in zip(fitting, ratings, strict=True):
            if rating is not None:
                entries += _entries(session, log_codes.RATING_STORED, source=source, now=now)
            if rating is not None or session.rating_state not in CLOSED:
                _close(session, record, attempts[session.pk], now=now)
                changed[session.pk] = session
        _lock(changed)
        update_each(changed.values(), WRITTEN)
        BookingLogEntry.objects.bulk_create(entries, batch_size=BATCH)
    return sum(rating is not None for rating in ratings)


def waiting(backend: str) -> QuerySet[LiveSession]:
    """The sessions of this vendor whose rating was announced and is not here yet."""
    return LiveSession.objects.filter(backend=backend, rating_state=RatingState.ANNOUNCED)


def note_vain_look(backend: str, *, now: datetime, since: datetime, for_good: bool = False) -> int:
    """The list could not be read, or did not hold what was announced: look again later, or give up at the last try.

    Only what was due at ``since``, when the look began, counts. Returns how many sessions that were. Statements grow
    with batches of sessions.
    """
    looked_for = waiting(backend).filter(next_rating_at__lte=since)
    done, last = 0, 0
    while True:
        with transaction.atomic():
            keys = list(looked_for.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:BATCH])
            if not keys:
                return done
            # By their keys alone: InnoDB would lock by way of the index that is about to be changed.
            rows = LiveSession.objects.select_for_update().filter(pk__in=keys).order_by("pk")
            some = [one for one in rows if one.next_rating_at is not None and one.next_rating_at <= since]
            prefetch_related_objects(some, "booking__exam", "exam")
            entries = [_entry(session, _look_again(session, now=now, for_good=for_good), now=now) for session in some]
            update_each(some, WRITTEN)
            BookingLogEntry.objects.bulk_create(entries, batch_size=BATCH)
        done, last = done + len(some), keys[-1]


def _lock(keys: Collection[int]) -> None:
    """In the order in which everybody locks sessions: an UPDATE of many takes them as they come."""
    list(LiveSession.objects.select_for_update().filter(pk__in=keys).order_by("pk").values_list("pk"))


def _look_again(session: LiveSession, *, now: datetime, for_good: bool) -> str:
    session.rating_tries += 1
    if for_good or session.rating_tries >= settings.rating_tries:
        session.rating_state, session.next_rating_at = RatingState.FAILED, None
        return log_codes.RATING_FAILED
    session.next_rating_at = now + backoff(session.rating_tries, first_seconds=settings.rating_seconds)
    return log_codes.RATING_LATER


def _was_dropped(session: LiveSession, record: RatingRecord, *, now: datetime) -> bool:
    """A list shows the same rows at every reading. One without a moment that can be believed is the one before."""
    if session.rating_state not in CLOSED:
        return False
    moment = _moment(record, now)
    return moment is None or (session.rated_at is not None and moment <= session.rated_at)


def _moment(record: RatingRecord, now: datetime) -> datetime | None:
    """When it was rated; None where the vendor does not say, or has a clock that is far ahead."""
    return record.rated_at if record.rated_at is not None and record.rated_at <= now + AHEAD else None


def _complaint(session: LiveSession, record: RatingRecord, attempt: Attempt | None) -> str | None:
    if record.problem or not 0 <= record.risk <= 1 or record.rated_at is None:
        return log_codes.RATING_INVALID
    exam_id = session.exam.external_id_at(session.backend)
    other_exam = record.exam_external_id not in ("", exam_id)
    other_candidate = record.candidate_number not in (None, session.candidate_number)
    if other_exam or other_candidate or attempt is None:
        return log_codes.RATING_MISMATCH
    return None


def _close(session: LiveSession, record: RatingRecord, attempt: Attempt, *, now: datetime) -> None:
    session.rating_state, session.next_rating_at = RatingState.RATED, None
    session.attempt = attempt
    _remember(session, record, now=now)


def _drop(session: LiveSession, record: RatingRecord, *, now: datetime) -> None:
    """A session that has a rating keeps its state: the log says the rest."""
    if session.rating_state != RatingState.RATED:
        session.rating_state, session.next_rating_at = RatingState.ABANDONED, None
    _remember(session, record, now=now)


def _remember(session: LiveSession, record: RatingRecord, *, now: datetime) -> None:
    moments = [one for one in (session.rated_at, _moment(record, now)) if one is not None]
    session.rated_at = max(moments, default=None)


def as_event(record: RatingRecord, *, now: datetime) -> AttemptRated:
    """The rating as attempts take it."""
    return AttemptRated(
        occurred_at=record.rated_at or now,
        external_id=record.session_external_id or record.attempt_external_id,
        raw_value=record.raw_value,
        raw_scale=record.raw_scale,
        risk=record.risk,
        mapping_version=record.mapping_version,
    )


def _entries(session: LiveSession, code: str, *, source: RatingSource, now: datetime) -> list[BookingLogEntry]:
    """A message that says the rating announces it as well."""
    announced = [log_codes.RATING_ANNOUNCED] if source == RatingSource.WEBHOOK else []
    return [_entry(session, one, now=now) for one in (*announced, code)]


def _entry(session: LiveSession, code: str, *, now: datetime) -> BookingLogEntry:
    return entry_of(session.booking, code, now=now, session=session)
