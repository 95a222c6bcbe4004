"""What a vendor says of live sessions, written down page by page. A page costs a constant number of statements."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.core.exceptions import ValidationError
from django.db import DataError, IntegrityError, transaction

from proctoring.backends.http import tame_url
from proctoring.backends.live import SessionRecord
from proctoring.bookings.lifecycle import entry_of
from proctoring.bookings.log_codes import JOINED
from proctoring.bookings.models import Booking, BookingLogEntry, LiveSession
from proctoring.bookings.session_lookup import bookings_known_as, holders_of, sessions_meant
from proctoring.bookings.states import LIVE
from proctoring.bulk import update_each
from proctoring.errors import NotConfigured
from proctoring.inbox.services import wake_waiting

logger = logging.getLogger(__name__)

AHEAD = timedelta(days=1)
"""A vendor's clock that is further ahead is not believed: its word would stand against all that comes later."""
BATCH = 500
TOLD = ["external_id", "sealed_join_url", "joined_at", "told_at"]
UNTAKEABLE = (DataError, IntegrityError, TypeError, ValidationError, ValueError)
"""What one row of a page can cost all of them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class News:
    record: SessionRecord
    told_at: datetime
    """Older news than what is written here change nothing."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Taken:
    """What came of one piece of news."""

    session: LiveSession | None = None
    """None where no candidate of that booking has this number, or where the id is another candidate's."""
    is_known: bool = True
    """Whether the booking is."""
    was_erased: bool = False
    """The link had been here, and went when the candidate was forgotten: it does not come back."""


def take_in_sessions(backend: str, records: Sequence[SessionRecord], *, told_at: datetime, now: datetime) -> None:
    """Write down a page of the vendor's list. What is known already costs one statement and no lock.

    A row that cannot be written is refused alone, and found again when the list is read next.
    """
    held = holders_of(backend, {one.external_id for one in records})
    known = {one.external_id: one for one in held}
    news = [News(record=one, told_at=told_at) for one in records if _is_news(known.get(one.external_id), one)]
    if not news:
        return
    try:
        take_in_news(backend, news, now=now, dated=False)
    except UNTAKEABLE:
        logger.warning("a page of sessions of %s is taken in one by one", backend, exc_info=True)
        for one in news:
            _take_in_alone(backend, one, now=now)


def take_in_news(backend: str, news: Sequence[News], *, now: datetime, dated: bool = True) -> list[Taken]:
    """Write down the vendor's words about sessions, in their order: ids, candidates' links, when they joined.

    All or nothing. A first link leaves an entry in the log. ``dated``: the moment of news that say nothing new is kept
    all the same, as nothing before it counts any more.
    """
    bookings = bookings_known_as(backend, {one.record.booking_external_id for one in news})
    if not bookings:
        return [Taken(is_known=False) for _ in news]
    with transaction.atomic():
        page = _Page(backend, [one.record for one in news], bookings, now=now)
        taken = [page.take(one, dated=dated) for one in news]
        page.write()
    return taken


def _take_in_alone(backend: str, news: News, *, now: datetime) -> None:
    try:
        take_in_news(backend, [news], now=now, dated=False)
    except UNTAKEABLE:
        logger.warning("a session of %s is refused", backend, exc_info=True)


def _is_news(known: LiveSession | None, record: SessionRecord) -> bool:
    # A booking that was given up may have left its room to another one that shares it.
    if known is None or known.booking.status not in LIVE:
        return True
    return (bool(record.join_url) and not known.has_link) or (record.joined_at is not None and known.joined_at is None)


class _Page:
    """The sessions that some news are about, locked, with what has to be written of them.

    Found first and then locked by their keys, in the order of their keys: two workers with the same page, or with
    halves of it, go one after the other.
    """

    def __init__(
        self, backend: str, records: Sequence[SessionRecord], bookings: Mapping[str, list[Booking]], *, now: datetime
    ) -> None:
        self.backend, self.now, self._known = backend, now, bookings
        self._meant = sessions_meant(records, bookings)
        ids = {one.external_id for one in records}
        holders = holders_of(backend, ids)
        self._bookings = {one.booking_id: one.booking for one in holders}
        self._bookings |= {one.pk: one for some in bookings.values() for one in some}
        keys = {*self._meant.values(), *(one.pk for one in holders)}
        rows = LiveSession.objects.select_for_update().filter(pk__in=keys).order_by("pk")
        self._rows = {one.pk: one for one in rows}
        self._stored = {pk: one.external_id for pk, one in self._rows.items()}
        self._held = {one.external_id: one for one in self._rows.values() if one.external_id is not None}
        self._hold_what_looks_alike(holders, ids)
        self._erased = _erased(one for one in self._rows.values() if not one.has_link)
        self._changed: dict[int, LiveSession] = {}
        self._entries: list[BookingLogEntry] = []

    def take(self, news: News, *, dated: bool) -> Taken:
        record = news.record
        if record.booking_external_id not in self._known:
            return Taken(is_known=False)
        session = self._rows.get(self._meant.get((record.booking_external_id, record.candidate_number), 0))
        told_at = news.told_at if news.told_at <= self.now + AHEAD else self.now
        if session is None:
            return Taken()
        if session.told_at is None or told_at >= session.told_at:
            if not self._is_free(session, record.external_id):
                return Taken()
            if self._apply(session, record) or dated:
                session.told_at = told_at
                self._changed[session.pk] = session
        return Taken(session=session, was_erased=session.pk in self._erased)

    def write(self) -> None:
        """Five statements at most."""
        moved = {pk: one.external_id for pk, one in self._rows.items() if one.external_id != self._stored[pk]}
        # First: no two rows may have the same id for a moment.
        if left := [pk for pk in moved if self._stored[pk] is not None]:
            LiveSession.objects.filter(pk__in=left).update(external_id=None)
        update_each(self._changed.values(), TOLD)
        # In the order of the bookings, which the database locks for it.
        self._entries.sort(key=lambda entry: entry.booking_id)
        BookingLogEntry.objects.bulk_create(self._entries, batch_size=BATCH)
        if new := {one for one in moved.values() if one is not None}:
            wake_waiting(self.backend, new, now=self.now)

    def _is_free(self, session: LiveSession, external_id: str) -> bool:
        """See to it that no other session has this id: one whose booking was given up lets it go. False where the
        vendor uses it for two candidates at once."""
        holder = self._held.get(external_id)
        if holder is None or holder is session:
            return True
        if self._bookings[holder.booking_id].status in LIVE:
            logger.warning("sessions %s and %s are one to the vendor", holder.pk, session.pk)
            return False
        holder.external_id = None
        return True

    def _apply(self, session: LiveSession, record: SessionRecord) -> bool:
        """Whether something of it is new."""
        before = (session.external_id, session.sealed_join_url, session.joined_at)
        url = "" if session.pk in self._erased else tame_url(record.join_url)
        if url and not session.has_link:
            booking = self._bookings[session.booking_id]
            self._entries.append(entry_of(booking, JOINED, now=self.now, session=session))
        if url and not _has_link(session, url):
            session.join_url = url
        if session.external_id != record.external_id:
            self._held.pop(session.external_id or "", None)
            self._held[record.external_id] = session
            session.external_id = record.external_id
        session.joined_at = record.joined_at or session.joined_at
        return before != (session.external_id, session.sealed_join_url, session.joined_at)

    def _hold_what_looks_alike(self, holders: Sequence[LiveSession], ids: Collection[str]) -> None:
        """Some databases take "ab" and "AB" for one id. Whose it is then can be said of one piece of news alone."""
        for one in holders:
            if one.external_id in ids or self._stored.get(one.pk) != one.external_id:
                continue
            if len(ids) > 1:
                raise IntegrityError("Two ids of the page are one to the database.")
            self._held.update(dict.fromkeys(ids, self._rows[one.pk]))


def _has_link(session: LiveSession, url: str) -> bool:
    """Whether it has this very link, and can be read."""
    try:
        return session.join_url == url
    except NotConfigured:
        return False


def _erased(sessions: Iterable[LiveSession]) -> set[int]:
    """Those of these sessions without a link that have had one."""
    keys = [one.pk for one in sessions]
    if not keys:
        return set()
    return set(BookingLogEntry.objects.filter(session__in=keys, code=JOINED).values_list("session_id", flat=True))
