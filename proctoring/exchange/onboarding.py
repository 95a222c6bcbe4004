"""Read the vendors' lists of onboarding profiles, page by page, so that no request ever has to ask a vendor.

``SweepCursor`` says where each vendor's list stands. It is claimed by a lease, as everywhere; the call happens outside
of any transaction.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from django.db import IntegrityError
from django.db.models import Q, QuerySet

from proctoring.attempts.onboarding import apply_vendor_list, blocked_of, free_blocked
from proctoring.backends import backends
from proctoring.backends.base import Backend
from proctoring.backends.types import OnboardingPage
from proctoring.conf import settings
from proctoring.errors import BackendAuthenticationError, BackendError, UnknownBackend
from proctoring.exams.models import Exam, ExamType
from proctoring.inbox.models import SweepCursor
from proctoring.outbox import circuits
from proctoring.privacy.pseudonyms import people_of

logger = logging.getLogger(__name__)

NAME = "onboarding"
REST = timedelta(minutes=15)
"""So long a list that was read to its end is left alone."""
PAUSE = timedelta(minutes=5)
"""After a failure, unless the vendor asks for more."""
MAX_RECORDS = 1000
"""Of a page; a plugin that returns more is asked to think again."""
MAX_POSITION = 500


def backends_with_profiles() -> Iterator[str]:
    """The vendors that keep profiles. One whose plugin is broken is reported by the system check, not here."""
    for alias in backends:
        try:
            if backends[alias].supports_onboarding:
                yield alias
        except UnknownBackend:
            continue


def read_next_page(alias: str, *, now: datetime) -> bool:
    """Read one page of this vendor's lists and take it in. True where there is more to read now.

    Never raises for what a vendor or a plugin does: the cursor's row says what happened.
    """
    cursor = _claim(alias, now=now)
    if cursor is None:
        return False
    course_id, position = _place(cursor.position)
    if not course_id:
        course_id = _course_after(alias, "")
    if not course_id:
        _settle(cursor, now=now, position="", finished=True)
        return False
    if not _may_call(alias, now=now):
        _settle(cursor, now=now)
        return False
    try:
        page = _ask(backends[alias], course_id, position)
    except BackendError as error:
        return _note_failure(cursor, course_id, error, now=now)
    except Exception as mistake:  # noqa: BLE001 - logged there
        circuits.end_trial(alias)
        return _note_mistake(cursor, mistake, now=now)
    circuits.note_vendor_answered(alias, now=now)
    try:
        _take_in(alias, course_id, page, now=now)
    except IntegrityError:
        # Somebody began at the same moment: the page is read again at once.
        _settle(cursor, now=now, error="a candidate began meanwhile")
        return True
    except Exception as mistake:  # noqa: BLE001 - logged there
        return _note_mistake(cursor, mistake, now=now)
    return _advance(cursor, course_id, page.next_cursor if page.next_cursor != position else "", now=now)


def _ask(backend: Backend, course_id: str, position: str) -> OnboardingPage:
    page = backend.list_onboarding(course_id, cursor=position)
    if len(page.records) > MAX_RECORDS or len(_position(course_id, page.next_cursor)) > MAX_POSITION:
        raise BackendError("The page of the onboarding list, or its cursor, is too long.", retryable=False)
    return page


def _take_in(alias: str, course_id: str, page: OnboardingPage, *, now: datetime) -> None:
    records = {record.candidate_id: record for record in page.records}
    # Ids that are nobody's here are other LMSs', or of people who were erased.
    people = people_of(alias, list(records))
    known = {user_id: records[value] for value, user_id in people.items()}
    if known:
        approved = apply_vendor_list(alias, course_id, known, now=now)
        if approved:
            free_blocked(blocked_of(alias, approved), now=now)


def _note_failure(cursor: SweepCursor, course_id: str, error: BackendError, *, now: datetime) -> bool:
    lasting = isinstance(error, BackendAuthenticationError)
    text = circuits.shorten(error)
    if error.retryable or lasting:
        circuits.note_vendor_failed(cursor.backend, error, now=now)
        wish = timedelta(seconds=circuits.wished_pause(error.retry_after))
        _settle(cursor, now=now, error=text, until=now + max(PAUSE, wish))
        return False
    # The vendor will not have this question, about a course it has never heard of perhaps: the others have a right to
    # be read.
    logger.warning("the onboarding list of %s for the course %r was refused: %s", cursor.backend, course_id, text)
    circuits.note_vendor_answered(cursor.backend, now=now)
    return _advance(cursor, course_id, "", now=now, error=f"{course_id}: {text}")


def _note_mistake(cursor: SweepCursor, mistake: Exception, *, now: datetime) -> bool:
    """A plugin's mistake, in its call or in what it returned, must not stop the other vendors' lists. Its words may
    hold anything: they go to the log."""
    logger.error("the onboarding list of %s could not be read", cursor.backend, exc_info=mistake)
    _settle(cursor, now=now, error=f"unforeseen {type(mistake).__name__}, see the log", until=now + PAUSE)
    return False


def _advance(cursor: SweepCursor, course_id: str, next_cursor: str, *, now: datetime, error: str | None = None) -> bool:
    """To the next page, the next course, or the end of the list. True unless that was the end."""
    if not next_cursor:
        course_id = _course_after(cursor.backend, course_id)
    position = _position(course_id, next_cursor) if course_id else ""
    _settle(cursor, now=now, position=position, finished=not course_id, error=error)
    return bool(course_id)


def _course_after(alias: str, course_id: str) -> str:
    """The next course with an exam of this vendor's for which onboarding matters; empty after the last one."""
    named = Q(backend=alias)
    if alias == backends.default():
        named |= Q(backend="")
    exams = Exam.objects.active().filter(named, exam_type__in=(ExamType.ONBOARDING, ExamType.PROCTORED))
    courses = exams.filter(course_id__gt=course_id).order_by("course_id").values_list("course_id", flat=True)
    return courses.first() or ""


def _position(course_id: str, next_cursor: str) -> str:
    return f"{course_id}\n{next_cursor}"


def _place(position: str) -> tuple[str, str]:
    course_id, _, cursor = position.partition("\n")
    return course_id, cursor


def _claim(alias: str, *, now: datetime) -> SweepCursor | None:
    """The cursor, held by this worker; None where another has it, or where the list was read just now."""
    SweepCursor.objects.get_or_create(name=NAME, backend=alias)
    rested = Q(finished_at__isnull=True) | Q(finished_at__lte=now - REST) | ~Q(position="")
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    lease = now + timedelta(seconds=settings.lease_seconds)
    return _of(alias).get() if _of(alias).filter(rested, free).update(claimed_until=lease) else None


def _may_call(alias: str, *, now: datetime) -> bool:
    """Whether the vendor's circuit lets a call through, or wants this one as its trial."""
    resting, trial = circuits.open_circuits(now)
    return alias not in resting and (alias not in trial or circuits.begin_trial(alias, now))


def _settle(
    cursor: SweepCursor,
    *,
    now: datetime,
    position: str | None = None,
    finished: bool = False,
    error: str | None = None,
    until: datetime | None = None,
) -> None:
    """Write down where the list stands and let the next worker have it, at ``until``. Only while the lease is ours."""
    changes: dict[str, object] = {"claimed_until": until}
    if position is not None:
        changes["position"] = position
    if finished:
        changes["finished_at"] = now
    if error is not None or position is not None:
        changes["last_error"] = error or ""
    _of(cursor.backend).filter(claimed_until=cursor.claimed_until).update(**changes)


def _of(alias: str) -> QuerySet[SweepCursor]:
    return SweepCursor.objects.filter(name=NAME, backend=alias)
