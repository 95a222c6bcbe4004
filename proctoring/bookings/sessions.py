"""Live sessions: whose they are, which attempt they are about, and the link that is its candidate's alone."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import QuerySet

from proctoring.attempts.models import Attempt
from proctoring.bookings.models import Booking, LiveSession
from proctoring.bookings.states import Status
from proctoring.exams.models import Exam

if TYPE_CHECKING:
    from proctoring.host import User


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


def _began_within(attempt: Attempt, booking: Booking) -> bool:
    begun = attempt.started_at
    return begun is not None and booking.reserved_from <= begun < booking.reserved_until
