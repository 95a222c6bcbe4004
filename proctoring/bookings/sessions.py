"""Live sessions: what a vendor says of them, and the link that is its candidate's alone."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.db.models import QuerySet

from proctoring.attempts.models import Attempt
from proctoring.backends.http import tame_url
from proctoring.backends.live import SessionRecord
from proctoring.bookings.lifecycle import log
from proctoring.bookings.log_codes import JOINED
from proctoring.bookings.models import Booking, BookingLogEntry, LiveSession
from proctoring.bookings.states import LIVE, SENT, Status
from proctoring.exams.models import Exam
from proctoring.inbox.services import wake_waiting

if TYPE_CHECKING:
    from proctoring.host import User

logger = logging.getLogger(__name__)

AHEAD = timedelta(days=1)
"""A vendor's clock that is further ahead is not believed: its word would stand against all that comes later."""


def bookings_known_as(backend: str, external_id: str) -> list[Booking]:
    """The bookings here that the vendor knows by this id, the oldest first: one that "existed already" shares it."""
    found = Booking.objects.filter(backend=backend, external_id=external_id.replace("\x00", ""))
    # Some databases take "ab" and "AB" for one word.
    return [one for one in found.select_related("exam").order_by("pk") if one.external_id == external_id]


def take_in_session(backend: str, record: SessionRecord, *, told_at: datetime, now: datetime) -> LiveSession | None:
    """Write down what the vendor says of one session: its id, the candidate's link, when they joined.

    Older news than what is written here change nothing. The first link leaves an entry in the log. None where no
    candidate of that booking has this number, or where the id is another candidate's.
    """
    told_at = told_at if told_at <= now + AHEAD else now
    with transaction.atomic():
        session = _session_called(record, bookings_known_as(backend, record.booking_external_id))
        if session is None or (session.told_at is not None and told_at < session.told_at):
            return session
        if session.external_id != record.external_id and not _free_id(session, record.external_id):
            return None
        return _write(session, record, told_at=told_at, now=now)


def take_in_sessions(
    backend: str, records: Sequence[SessionRecord], *, told_at: datetime, now: datetime
) -> list[LiveSession]:
    """The same for a page of the vendor's list; what is known already costs no write."""
    rows = LiveSession.objects.filter(backend=backend, external_id__in=[one.external_id for one in records])
    known = {one.external_id: one for one in rows.select_related("booking")}
    return [
        session
        for record in records
        if _is_news(known.get(record.external_id), record)
        and (session := take_in_session(backend, record, told_at=told_at, now=now))
    ]


def link_was_erased(session: LiveSession) -> bool:
    """Whether the link had been here, and went when the candidate was forgotten: it does not come back."""
    return not session.has_link and session.log.filter(code=JOINED).exists()


def link_of(exam: Exam, user: User, *, now: datetime) -> str:
    """The person's own link to their live session at this exam, while the room of a confirmed booking is open; else
    empty. One statement."""
    session = next(iter(_open_sessions(LiveSession.objects.filter(exam=exam.pk, user=user.pk), now)), None)
    return session.join_url if session is not None else ""


def sessions_of(user: User, *, exam: Exam | None = None) -> QuerySet[LiveSession]:
    """The person's sessions of confirmed bookings, the next one first."""
    mine = LiveSession.objects.filter(user=user.pk, booking__status=Status.CONFIRMED)
    if exam is not None:
        mine = mine.filter(exam=exam.pk)
    return mine.select_related("booking", "exam").order_by("booking__starts_at", "pk")


def is_open(session: LiveSession, now: datetime) -> bool:
    """Whether the candidate may have the link now. Wants ``booking`` loaded."""
    booking = session.booking
    confirmed = booking.status == Status.CONFIRMED
    return session.has_link and confirmed and booking.reserved_from <= now < booking.reserved_until


def attempt_of(session: LiveSession) -> Attempt | None:
    """Which of the candidate's attempts the session is about. Wants ``booking`` loaded. One statement at most."""
    return attempts_of([session]).get(session.pk)


def attempts_of(sessions: Sequence[LiveSession]) -> dict[int, Attempt]:
    """Session → its attempt: the one it was tied to, else the last that was begun within its booking's time, else the
    last one. One statement."""
    people = {session.user_id for session in sessions}
    exams = {session.exam_id for session in sessions}
    rows = Attempt.objects.filter(user__in=people, exam__in=exams).order_by("number")
    theirs: dict[tuple[int, int], list[Attempt]] = {}
    for attempt in rows:
        theirs.setdefault((attempt.exam_id, attempt.user_id), []).append(attempt)
    found = {}
    for session in sessions:
        mine = theirs.get((session.exam_id, session.user_id), [])
        tied = [one for one in mine if one.pk == session.attempt_id]
        within = [one for one in mine if _began_within(one, session.booking)]
        if mine:
            found[session.pk] = (tied or within or mine)[-1]
    return found


def _open_sessions(sessions: QuerySet[LiveSession], now: datetime) -> Iterable[LiveSession]:
    rows = sessions.filter(booking__status=Status.CONFIRMED).exclude(sealed_join_url=b"").select_related("booking")
    return (session for session in rows.order_by("-booking__starts_at", "-pk") if is_open(session, now))


def _is_news(known: LiveSession | None, record: SessionRecord) -> bool:
    # A booking that was given up may have left its room to another one that shares it.
    if known is None or known.booking.status not in LIVE:
        return True
    return (bool(record.join_url) and not known.has_link) or (record.joined_at is not None and known.joined_at is None)


def _session_called(record: SessionRecord, bookings: Sequence[Booking]) -> LiveSession | None:
    """The session that the vendor means, locked.

    Of bookings that share one at the vendor, the one that was sent first gave the candidates their numbers. Where that
    one was given up, the same person's session of another one takes its place: never another person's.
    """
    theirs = LiveSession.objects.select_for_update().filter(booking__in=[one.pk for one in bookings])
    named = theirs.filter(booking=_sent_first(bookings), candidate_number=record.candidate_number).first()
    live = [one.pk for one in bookings if one.status in LIVE]
    if named is None or named.booking_id in live or not live:
        return named
    return theirs.filter(booking__in=live, user=named.user_id).order_by("booking_id").first() or named


def _sent_first(bookings: Sequence[Booking]) -> int | None:
    if len(bookings) < 2:
        return bookings[0].pk if bookings else None
    keys = [one.pk for one in bookings]
    entries = BookingLogEntry.objects.filter(booking__in=keys, code=SENT).order_by("pk")
    return entries.values_list("booking_id", flat=True).first() or keys[0]


def _free_id(session: LiveSession, external_id: str) -> bool:
    """See to it that no other session has this id: one whose booking was given up lets it go. False where the vendor
    uses it for two candidates at once."""
    held = LiveSession.objects.filter(backend=session.backend, external_id=external_id).exclude(pk=session.pk)
    holder = held.select_related("booking").first()
    if holder is None:
        return True
    if holder.booking.status in LIVE:
        logger.warning("sessions %s and %s are one to the vendor", holder.pk, session.pk)
        return False
    LiveSession.objects.filter(pk=holder.pk).update(external_id=None)
    return True


def _write(session: LiveSession, record: SessionRecord, *, told_at: datetime, now: datetime) -> LiveSession:
    url = tame_url(record.join_url)
    if link_was_erased(session):
        url = ""
    is_first_link = bool(url) and not session.has_link
    if url:
        session.join_url = url
    if session.external_id != record.external_id:
        session.external_id = record.external_id
        wake_waiting(session.backend, record.external_id, now=now)
    session.joined_at = record.joined_at or session.joined_at
    session.told_at = told_at
    session.save()
    if is_first_link:
        booking = Booking.objects.select_related("exam").get(pk=session.booking_id)
        log(booking, JOINED, now=now, session=session)
    return session


def _began_within(attempt: Attempt, booking: Booking) -> bool:
    begun = attempt.started_at
    return begun is not None and booking.reserved_from <= begun < booking.reserved_until
