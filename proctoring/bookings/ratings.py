"""Ratings of live sessions: announced, fetched from the vendor's list, stored with their attempt, given up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet, prefetch_related_objects

from proctoring.attempts.models import Attempt
from proctoring.backends.live import RatingRecord
from proctoring.backends.types import AttemptRated
from proctoring.bookings import log_codes
from proctoring.bookings.lifecycle import entry_of, log
from proctoring.bookings.models import Booking, BookingLogEntry, LiveSession, RatingState
from proctoring.bookings.sessions import attempts_of
from proctoring.conf import settings
from proctoring.outbox.services import backoff
from proctoring.reviews.models import RatingSource
from proctoring.reviews.ratings import record_ratings
from proctoring.signals import announce, rating_announced

BATCH = 500

WRITTEN = ["attempt", "rating_state", "next_rating_at", "rating_tries", "rated_at"]


def announce_rating(session: LiveSession, *, now: datetime) -> None:
    """The vendor says that it has rated the session: the rating is to be fetched. The caller has a transaction."""
    session.rating_state, session.next_rating_at, session.rating_tries = RatingState.ANNOUNCED, now, 0
    session.save(update_fields=WRITTEN[1:4])
    log(_booking(session), log_codes.RATING_ANNOUNCED, now=now, session=session)
    announce(rating_announced, session=session)


def store_told_rating(session: LiveSession, record: RatingRecord, *, now: datetime) -> bool:
    """The vendor's message says the rating itself. True where it counts now. The caller has a transaction."""
    log(_booking(session), log_codes.RATING_ANNOUNCED, now=now, session=session)
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
    """Store what was rated, with its entry in the log, or write why a rating was dropped. What was taken in before
    changes nothing. A constant number of statements. Returns how many ratings are new.

    Sessions need ``booking`` and ``exam`` loaded.
    """
    news = [(session, record) for session, record in rated if not _was_taken_in(session, record)]
    if not news:
        return 0
    with transaction.atomic():
        attempts = attempts_of([session for session, _record in news])
        fitting, entries = [], []
        for session, record in news:
            code = _complaint(session, record, attempts.get(session.pk))
            if code is None:
                fitting.append((session, record))
            else:
                _close(session, RatingState.ABANDONED, record)
                entries.append(_entry(session, code, now=now))
        ratings = record_ratings(
            [(attempts[session.pk], as_event(record, now=now)) for session, record in fitting], source=source, now=now
        )
        for (session, record), rating in zip(fitting, ratings, strict=True):
            _close(session, RatingState.RATED, record)
            session.attempt = attempts[session.pk]
            if rating is not None:
                entries.append(_entry(session, log_codes.RATING_STORED, now=now))
        LiveSession.objects.bulk_update([session for session, _record in news], WRITTEN, batch_size=BATCH)
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
            some = list(looked_for.filter(pk__gt=last).order_by("pk").select_for_update()[:BATCH])
            prefetch_related_objects(some, "booking__exam", "exam")
            if not some:
                return done
            entries = [_entry(session, _look_again(session, now=now, for_good=for_good), now=now) for session in some]
            LiveSession.objects.bulk_update(some, WRITTEN, batch_size=BATCH)
            BookingLogEntry.objects.bulk_create(entries, batch_size=BATCH)
        done, last = done + len(some), some[-1].pk


def _look_again(session: LiveSession, *, now: datetime, for_good: bool) -> str:
    session.rating_tries += 1
    if for_good or session.rating_tries >= settings.rating_tries:
        session.rating_state, session.next_rating_at = RatingState.FAILED, None
        return log_codes.RATING_FAILED
    session.next_rating_at = now + backoff(session.rating_tries, first_seconds=settings.rating_seconds)
    return log_codes.RATING_LATER


def _was_taken_in(session: LiveSession, record: RatingRecord) -> bool:
    """A list shows the same rows at every reading."""
    if session.rating_state not in (RatingState.RATED, RatingState.ABANDONED):
        return False
    if record.rated_at is None:
        return True
    return session.rated_at is not None and record.rated_at <= session.rated_at


def _complaint(session: LiveSession, record: RatingRecord, attempt: Attempt | None) -> str | None:
    if record.problem or not 0 <= record.risk <= 1 or record.rated_at is None:
        return log_codes.RATING_INVALID
    exam_id = session.exam.external_id_at(session.backend)
    other_exam = record.exam_external_id not in ("", exam_id)
    other_candidate = record.candidate_number not in (None, session.candidate_number)
    if other_exam or other_candidate or attempt is None:
        return log_codes.RATING_MISMATCH
    return None


def _close(session: LiveSession, state: RatingState, record: RatingRecord) -> None:
    session.rating_state, session.next_rating_at = state, None
    session.rated_at = record.rated_at or session.rated_at


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


def _booking(session: LiveSession) -> Booking:
    return Booking.objects.select_related("exam").get(pk=session.booking_id)


def _entry(session: LiveSession, code: str, *, now: datetime) -> BookingLogEntry:
    return entry_of(session.booking, code, now=now, session=session)
