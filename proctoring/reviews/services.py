"""Receive a review, keep it, and apply it where the attempt is in a state that a verdict can change."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.utils import timezone

from proctoring.attempts.lifecycle import locked, move
from proctoring.attempts.models import Attempt
from proctoring.attempts.retries import withdraw_retry
from proctoring.attempts.states import DECIDED, ENDED, OPEN, Actor, Status, can_become
from proctoring.backends.types import AttemptReviewed
from proctoring.conf import settings
from proctoring.exams.models import ExamType
from proctoring.permissions import may_review
from proctoring.reviews.models import Review, ReviewSource, ReviewStatus
from proctoring.signals import announce, review_received

if TYPE_CHECKING:
    from proctoring.host import User
    from proctoring.inbox.models import WebhookMessage


DECISIONS = {
    Status.VERIFIED: ReviewStatus.PASSED,
    Status.REJECTED: ReviewStatus.VIOLATION,
    Status.SECOND_REVIEW_REQUIRED: ReviewStatus.SUSPICIOUS,
    Status.ERROR: ReviewStatus.NOT_REVIEWED,
}
"""What a person's verdict is called as a review."""

LINK = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://\S+", re.IGNORECASE)


class NotApplied(StrEnum):
    """Why a review changes nothing. Kept beside it."""

    ATTEMPT_NOT_ENDED = "attempt_not_ended"
    ATTEMPT_CLOSED = "attempt_closed"
    EXAM_NOT_PROCTORED = "exam_not_proctored"
    OLDER = "older_than_applied"
    ATTEMPT_IN_ERROR = "attempt_in_error"


def receive_review(
    attempt: Attempt, event: AttemptReviewed, *, message: WebhookMessage | None, now: datetime | None = None
) -> Review:
    """Keep a vendor's review and apply it where that is possible now.

    The very same review sent again, under whatever delivery id, is the one that is kept already. The caller has a
    transaction.
    """
    now = now or timezone.now()
    with locked(attempt, now=now) as row:
        payload = _without_links(event.payload)
        for kept in row.reviews.filter(occurred_at=event.occurred_at, status=event.status.value):
            if kept.payload == payload:
                return kept
        review = Review.objects.create(
            attempt=row,
            status=event.status.value,
            source=ReviewSource.VENDOR,
            reviewed_by=event.reviewed_by.replace("\x00", "")[:255],
            payload=payload,
            occurred_at=event.occurred_at,
            received_at=now,
            message=message,
        )
        _apply(row, review, now=now)
        announce(review_received, review=review)
    return review


def is_decision(attempt: Attempt, new: Status) -> bool:
    """Whether this change of status is a verdict on an attempt that has ended: ``record_decision`` makes it."""
    return new in DECISIONS and attempt.status not in OPEN


def record_decision(
    attempt: Attempt,
    verdict: Status,
    *,
    by: User,
    actors: Collection[Actor],
    reason: str,
    now: datetime | None = None,
) -> Attempt:
    """A person decides on an attempt that has ended, under their own name, in one of the capacities they have.

    Kept as a review, so that a vendor's older one that arrives later changes nothing. Raises ``IllegalTransition``.
    """
    now = now or timezone.now()
    with locked(attempt, now=now) as row:
        able = [actor for actor in (Actor.REVIEWER, Actor.STAFF) if actor in actors]
        actor = next((one for one in able if can_become(row.status, verdict, one)), Actor.STAFF)
        _end_retry(row, verdict)
        move(row, verdict, actor=actor, by=by, now=now, reason=reason)
        review = Review.objects.create(
            attempt=row,
            status=DECISIONS[verdict],
            source=ReviewSource.STAFF,
            reviewed_by=by.get_username(),
            payload={"reason": reason},
            occurred_at=now,
            received_at=now,
            applied_at=now,
        )
        announce(review_received, review=review)
    return row


def apply_kept_review(attempt: Attempt, *, now: datetime | None = None) -> Review | None:
    """The attempt has ended: apply the newest review that came too early, if there is one."""
    now = now or timezone.now()
    with locked(attempt, now=now) as row:
        early = sorted(
            row.reviews.filter(not_applied_reason=NotApplied.ATTEMPT_NOT_ENDED),
            key=lambda review: (review.effective_at, review.pk),
            reverse=True,
        )
        if not early or row.status in OPEN:
            return None
        for review in early[1:]:
            _note(review, NotApplied.OLDER)
        _apply(row, early[0], now=now)
    return early[0]


def attempts_with_waiting_review() -> QuerySet[Attempt]:
    """Attempts that have ended with a review still kept back: what a sweep finds after a lost message."""
    return Attempt.objects.filter(reviews__not_applied_reason=NotApplied.ATTEMPT_NOT_ENDED).exclude(status__in=OPEN)


def _apply(row: Attempt, review: Review, *, now: datetime) -> None:
    why_not = _obstacle(row, review)
    if why_not is not None:
        _note(review, why_not)
        return
    reviewer = _believed_reviewer(row, review.reviewed_by)
    verdict = _verdict(row, review, reviewer)
    if verdict != row.status:
        actor = Actor.REVIEWER if reviewer else Actor.VENDOR
        _end_retry(row, verdict)
        move(row, verdict, actor=actor, by=reviewer, reason=f"review: {review.status}", now=now)
    review.applied_at, review.not_applied_reason = now, ""
    review.save()


def _end_retry(row: Attempt, verdict: Status) -> None:
    """A resume is for an undecided attempt: one that was granted and not used is taken back by the decision."""
    if verdict in DECIDED:
        withdraw_retry(row)


def _obstacle(row: Attempt, review: Review) -> NotApplied | None:
    if row.exam.exam_type == ExamType.TIMED or not row.taking_as_proctored:
        return NotApplied.EXAM_NOT_PROCTORED
    if row.status in OPEN:
        return NotApplied.ATTEMPT_NOT_ENDED
    if row.status not in ENDED | DECIDED:
        return NotApplied.ATTEMPT_CLOSED
    last = row.reviews.filter(applied_at__isnull=False).order_by("-applied_at", "-pk").first()
    if last is not None and last.effective_at > review.effective_at:
        return NotApplied.OLDER
    corrects_itself = last is not None and last.status == ReviewStatus.NOT_REVIEWED
    if row.status == Status.ERROR and not corrects_itself:
        return NotApplied.ATTEMPT_IN_ERROR
    return None


def _verdict(row: Attempt, review: Review, reviewer: User | None) -> Status:
    if review.status == ReviewStatus.PASSED:
        return Status.VERIFIED
    if review.status == ReviewStatus.NOT_REVIEWED:
        return Status.ERROR
    final = not settings.second_reviews or reviewer is not None or row.exam.exam_type == ExamType.ONBOARDING
    return Status.REJECTED if final else Status.SECOND_REVIEW_REQUIRED


def _believed_reviewer(row: Attempt, claimed: str) -> User | None:
    """The person whom the vendor names, if there is exactly one such account and it may review this course."""
    if "@" not in claimed:
        return None
    model = get_user_model()
    found = list(model._default_manager.filter(**{model.get_email_field_name(): claimed, "is_active": True})[:2])
    if len(found) != 1 or not may_review(found[0], row.exam.course_id):
        return None
    return found[0]


def _note(review: Review, why_not: NotApplied) -> None:
    review.not_applied_reason = why_not
    review.save()


def _without_links(value: Any) -> Any:
    """The payload with every link replaced: recordings are personal data and are not kept in clear."""
    if isinstance(value, Mapping):
        return {str(key): _without_links(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_links(item) for item in value]
    return LINK.sub("[link removed]", value) if isinstance(value, str) else value
