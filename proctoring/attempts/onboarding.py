"""Onboarding, beyond the attempts at it: what a vendor's list says of many people, and whom an approval sets free."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from simple_history.utils import bulk_update_with_history

from proctoring.attempts.creation import void_blocked
from proctoring.attempts.lifecycle import locked
from proctoring.attempts.models import Attempt, OnboardingProfile, ProfileStatus
from proctoring.attempts.profiles import FACTS, approve, facts_of, valid_until, withdraw_approval
from proctoring.attempts.states import BLOCKED, Actor, Phase
from proctoring.backends.types import OnboardingRecord
from proctoring.backends.types import ProfileStatus as VendorStatus

logger = logging.getLogger(__name__)

UNDER_WAY = frozenset({ProfileStatus.SETUP_STARTED, ProfileStatus.ONBOARDING_STARTED})
"""A try of which the vendor's list need not know yet: what it says is about the one before."""

CHANGE = "the vendor's list"


def apply_vendor_list(
    backend: str, course_id: str, records: Mapping[int, OnboardingRecord], *, now: datetime
) -> set[int]:
    """Bring profiles in step with what the vendor's list of this course says, by primary key of the person.

    A word that the vendor has said before is no news and changes nothing, unless it is about a renewal. Returns the
    people of whom it is news that they are approved. Two statements, however many people, and those that write what has
    changed, many rows at once. Raises ``IntegrityError`` where a candidate began at the same moment, and has then
    written nothing.
    """
    with transaction.atomic():
        rows = OnboardingProfile.objects.select_for_update().filter(backend=backend, user__in=list(records))
        known = {row.user_id: row for row in rows.order_by("pk")}
        changed, approved = [], set()
        for user_id, row in known.items():
            before = facts_of(row)
            if _take_in(row, records[user_id], course_id, now=now):
                approved.add(user_id)
            if facts_of(row) != before:
                row.modified_at = now
                changed.append(row)
        if changed:
            bulk_update_with_history(
                changed, OnboardingProfile, [*FACTS, "modified_at"], default_change_reason=CHANGE, default_date=now
            )
        approved |= _begin_profiles(backend, course_id, _strangers(records, known), now=now)
        # Of each person on the page, changed or not: no fact about them, so no version of the history either.
        OnboardingProfile.objects.filter(backend=backend, user__in=list(records)).update(synced_at=now)
    return approved


def _strangers(
    records: Mapping[int, OnboardingRecord], known: Collection[int]
) -> Iterable[tuple[int, OnboardingRecord]]:
    """Those of whom there is nothing here, and something at the vendor."""
    for user_id, record in sorted(records.items()):
        if user_id not in known and record.status is not VendorStatus.NONE:
            yield user_id, record


def _begin_profiles(
    backend: str, course_id: str, strangers: Iterable[tuple[int, OnboardingRecord]], *, now: datetime
) -> set[int]:
    fresh, approved = [], set()
    for user_id, record in strangers:
        row = OnboardingProfile(user_id=user_id, backend=backend, status=ProfileStatus.NOT_STARTED)
        if _take_in(row, record, course_id, now=now):
            approved.add(user_id)
        fresh.append(row)
    if fresh:
        OnboardingProfile.objects.bulk_create(fresh)
        # Read again: not every database tells the keys of many new rows.
        stored = OnboardingProfile.objects.filter(backend=backend, user__in=[row.user_id for row in fresh])
        OnboardingProfile.history.bulk_history_create(stored, default_change_reason=CHANGE, default_date=now)
    return approved


def _take_in(row: OnboardingProfile, record: OnboardingRecord, course_id: str, *, now: datetime) -> bool:
    """Change the row, in memory, as the record says. True where it is news that the person is approved."""
    said, row.vendor_status = row.vendor_status, record.status.value
    is_news = said != record.status.value
    if record.status is VendorStatus.APPROVED:
        if record.in_course and row.approved_at is not None and not row.approved_course_id:
            row.approved_course_id = course_id
        return (is_news or _is_renewed(row, record, now=now)) and _take_approval(row, record, course_id, now=now)
    if not is_news or (record.status is VendorStatus.NONE and not said):
        return False
    if row.is_approved(now):
        # The list may lag behind a verdict that came as a message: only what it had shown itself can end here. And who
        # waits for the review of a renewal is approved until the old date.
        if said != VendorStatus.APPROVED or record.status is VendorStatus.PENDING:
            return False
        withdraw_approval(row)
    if record.status is VendorStatus.EXPIRED:
        row.expires_at = min(record.expires_at or now, now)
    _follow(row, record.status)
    return False


def _take_approval(row: OnboardingProfile, record: OnboardingRecord, course_id: str, *, now: datetime) -> bool:
    renewed = _is_renewed(row, record, now=now)
    if renewed or not row.is_approved(now):
        at = min(record.changed_at or now, now)
        known = row.approved_course_id if renewed else ""
        approve(row, at=at, until=record.expires_at, course_id=course_id if record.in_course else known)
        if row.status not in UNDER_WAY:
            row.status = ProfileStatus.VERIFIED
    return row.is_approved(now)


def _is_renewed(row: OnboardingProfile, record: OnboardingRecord, *, now: datetime) -> bool:
    """Whether the vendor has approved again, for longer, somebody whose approval here was not taken back since."""
    if row.approved_at is None or row.expires_at is None or record.changed_at is None:
        return False
    until = record.expires_at or valid_until(record.changed_at)
    return row.approved_at < record.changed_at <= now and until > row.expires_at


def _follow(row: OnboardingProfile, said: VendorStatus) -> None:
    older = said in (VendorStatus.NONE, VendorStatus.EXPIRED) and row.status == ProfileStatus.SUBMITTED
    if row.status not in UNDER_WAY and not older:
        row.status = _STATUS[said]


_STATUS: Mapping[VendorStatus, ProfileStatus] = {
    VendorStatus.NONE: ProfileStatus.NOT_STARTED,
    VendorStatus.PENDING: ProfileStatus.SUBMITTED,
    VendorStatus.REJECTED: ProfileStatus.REJECTED,
    # An approval whose date is over is what "expired" means here.
    VendorStatus.EXPIRED: ProfileStatus.VERIFIED,
}


def blocked_of(backend: str, people: Collection[int]) -> QuerySet[Attempt]:
    """The attempts of these people for which this vendor's onboarding stood in the way."""
    return Attempt.objects.filter(backend=backend, user__in=people, status__in=BLOCKED)


def blocked_in_vain(now: datetime) -> QuerySet[Attempt]:
    """Attempts for which onboarding stood in the way and that nobody waits for any more: the person was approved since,
    or the exam has closed.

    An approval from before the attempt frees nothing: the vendor knew of it, or did not believe it, when it answered.
    """
    since = OnboardingProfile.objects.filter(
        user=OuterRef("user"), backend=OuterRef("backend"), expires_at__gt=now, approved_at__gt=OuterRef("created_at")
    )
    over = Q(closes_at__isnull=False, closes_at__lte=now)
    return Attempt.objects.filter(Exists(since) | over, status__in=BLOCKED)


def free_blocked(attempts: QuerySet[Attempt], *, now: datetime, limit: int = 500) -> int:
    """Void them as system and leave a retry behind, each in a transaction of its own. Returns how many."""
    freed = 0
    for attempt in attempts.select_related("exam", "user").order_by("pk")[:limit]:
        try:
            with locked(attempt, now=now) as row:
                # The candidate may have been faster.
                if row.traits.phase == Phase.BLOCKED:
                    void_blocked(row, actor=Actor.SYSTEM, now=now)
                    freed += 1
        # One row that cannot be saved (a receiver of the LMS that raises) must not keep the others waiting.
        except Exception:
            logger.exception("attempt %s could not be freed", attempt.pk)
    return freed
