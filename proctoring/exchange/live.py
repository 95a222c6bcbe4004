"""The vendors' lists of live sessions and of ratings."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q

from proctoring.attempts.models import Attempt
from proctoring.backends.base import Backend
from proctoring.backends.live import RatingPage, RatingRecord, SessionPage
from proctoring.bookings import ratings as live_ratings
from proctoring.bookings.models import Booking, LiveSession
from proctoring.bookings.session_news import take_in_sessions
from proctoring.bookings.states import Status
from proctoring.conf import settings
from proctoring.exams.models import Exam
from proctoring.exchange.lists import VendorList
from proctoring.inbox.models import SweepCursor
from proctoring.reviews.models import RatingSource
from proctoring.reviews.ratings import record_ratings

OVERLAP = timedelta(hours=1)
"""Ratings are read from so long before the last reading: vendors' clocks, and rows that were written late."""
AROUND = timedelta(days=1)
"""So long before and after its window a booking's sessions are looked for."""


class SessionList(VendorList):
    """Scopes are exams with confirmed bookings about now, by primary key."""

    name = "sessions"
    flag = "takes_live_bookings"

    @property
    def rest(self) -> timedelta:
        return timedelta(minutes=settings.ratings_minutes)

    def next_scope(self, alias: str, after: str, *, now: datetime) -> str:
        # Who has not joined too: a message that was lost must not cost the fact.
        untold = Q(external_id=None) | Q(sealed_join_url=b"") | Q(joined_at=None)
        bookings = Booking.objects.filter(
            # The first session that is found will do: there may be many thousands.
            Exists(LiveSession.objects.filter(untold, booking=OuterRef("pk"))),
            backend=alias,
            status=Status.CONFIRMED,
            starts_at__lte=now + AROUND,
            ends_at__gte=now - AROUND,
            exam__pk__gt=int(after or 0),
        )
        return str(bookings.order_by("exam_id").values_list("exam_id", flat=True).first() or "")

    def ask(self, backend: Backend, scope: str, cursor: str) -> SessionPage:
        external_id = Exam.objects.get(pk=int(scope)).external_id_at(backend.alias)
        return backend.list_sessions(external_id, cursor=cursor)

    def take_in(self, alias: str, scope: str, page: SessionPage, *, now: datetime) -> None:
        take_in_sessions(alias, page.records, told_at=now, now=now)


class RatingList(VendorList):
    """One scope: since when ratings are asked for, and when the reading began."""

    name = "ratings"
    flag = "gives_ratings"

    @property
    def rest(self) -> timedelta:
        return timedelta(minutes=settings.ratings_minutes)

    def is_wanted(self, alias: str, *, now: datetime) -> bool:
        return live_ratings.waiting(alias).filter(next_rating_at__lte=now).exists()

    def next_scope(self, alias: str, after: str, *, now: datetime) -> str:
        if after:
            return ""
        since = SweepCursor.objects.values_list("finished_at", flat=True).get(name=self.name, backend=alias)
        if since is not None:
            # Of an announced rating it is not known when it was given, but not before its session.
            waiting = live_ratings.waiting(alias).order_by("booking__starts_at")
            oldest = waiting.values_list("booking__starts_at", flat=True).first()
            since = min(since, oldest or since) - OVERLAP
        return f"{since.isoformat() if since else ''}|{now.isoformat()}"

    def ask(self, backend: Backend, scope: str, cursor: str) -> RatingPage:
        since, _ = _moments(scope)
        return backend.list_ratings(since=since, cursor=cursor)

    def take_in(self, alias: str, scope: str, page: RatingPage, *, now: datetime) -> None:
        sessions = live_ratings.sessions_known_as(alias, [one.session_external_id for one in page.records])
        live_ratings.take_in_ratings(
            [(sessions[one.session_external_id], one) for one in page.records if one.session_external_id in sessions],
            source=RatingSource.POLL,
            now=now,
        )
        _take_in_attempts(alias, [one for one in page.records if not one.session_external_id], now=now)

    def note_end(self, alias: str, scope: str, *, now: datetime) -> None:
        _, began = _moments(scope)
        live_ratings.note_vain_look(alias, now=now, since=began or now)

    def note_failure(self, alias: str, *, now: datetime, for_good: bool) -> None:
        live_ratings.note_vain_look(alias, now=now, since=now, for_good=for_good)


def _take_in_attempts(alias: str, records: list[RatingRecord], *, now: datetime) -> None:
    """Ratings that are of an attempt, not of a live session."""
    sound = [one for one in records if not one.problem and one.rated_at is not None and 0 <= one.risk <= 1]
    wanted = {one.attempt_external_id for one in sound if "\x00" not in one.attempt_external_id}
    attempts = Attempt.objects.filter(backend=alias, external_id__in=wanted).select_related("exam")
    known = {one.external_id: one for one in attempts}
    rated = [
        (attempt, live_ratings.as_event(one, now=now))
        for one in sound
        if (attempt := known.get(one.attempt_external_id)) is not None
        and one.exam_external_id in ("", attempt.exam.external_id_at(alias))
    ]
    with transaction.atomic():
        record_ratings(rated, source=RatingSource.POLL, now=now)


def _moments(scope: str) -> tuple[datetime | None, datetime | None]:
    since, _, began = scope.partition("|")
    return (
        datetime.fromisoformat(since) if since else None,
        datetime.fromisoformat(began) if began else None,
    )
