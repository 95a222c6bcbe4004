"""Receive a review or write one, keep it with its comments, and show its recording to those who may see it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from proctoring.attempts import effects
from proctoring.attempts.lifecycle import locked, refuse_own
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import DECIDED, ENDED, OPEN, Actor, Status, can_become
from proctoring.backends.http import tame_url
from proctoring.backends.types import AttemptReviewed
from proctoring.backends.types import ReviewComment as Remark
from proctoring.errors import Conflict, IllegalTransition
from proctoring.reviews.intake import vendors_review
from proctoring.reviews.models import Review, ReviewComment, ReviewSource, ReviewStatus, VideoView
from proctoring.reviews.verdicts import NotApplied, after, decide, judge, last_applied, notify_support, verdict_of
from proctoring.signals import announce, review_received

if TYPE_CHECKING:
    from proctoring.host import User
    from proctoring.inbox.models import WebhookMessage

APPLIED = Q(applied_at__isnull=False)

DECISIONS = {
    Status.VERIFIED: ReviewStatus.PASSED,
    Status.REJECTED: ReviewStatus.VIOLATION,
    Status.SECOND_REVIEW_REQUIRED: ReviewStatus.SUSPICIOUS,
    Status.ERROR: ReviewStatus.NOT_REVIEWED,
}
"""What a person's verdict is called as a review."""


def receive_review(
    attempt: Attempt, event: AttemptReviewed, *, message: WebhookMessage | None, now: datetime | None = None
) -> Review:
    """Keep a vendor's review and apply it where that is possible now.

    The very same review sent again, under whatever delivery id, is the one that is kept already. The caller has a
    transaction. Raises ``NotConfigured`` where a recording's address cannot be encrypted.
    """
    now = now or timezone.now()
    with locked(attempt, now=now) as row:
        if row.erased_at is not None:
            # That there was a verdict, and nothing of what it says about the person.
            event = replace(event, reviewed_by="", comments=(), video_url="", payload={})
        review, comments = vendors_review(row, event, now=now)
        # What is rarely looked at is fetched when it is: payloads may be large.
        known = list(row.reviews.filter(APPLIED | Q(sha256=review.sha256)).defer("payload", "sealed_video_url"))
        if (kept := next((one for one in known if one.sha256 == review.sha256), None)) is not None:
            return kept
        review.message = message
        judge(row, review, known=known, now=now)
        _keep(review, comments)
        notify_support(row, review, now=now)
        if review.not_applied_reason == NotApplied.ATTEMPT_IN_ERROR:
            # It does not decide this attempt, but it speaks for the part that broke off.
            effects.reconsider(row, now=now)
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
    comments: Sequence[Remark] = (),
    now: datetime | None = None,
) -> Attempt:
    """A person decides on an attempt that has ended, under their own name, in one of the capacities they have.

    Kept as a review, so that a vendor's older one that arrives later changes nothing. Raises ``IllegalTransition``, and
    ``Conflict`` (``attempt_erased``).
    """
    now = now or timezone.now()
    with locked(attempt, now=now) as row:
        able = [actor for actor in (Actor.REVIEWER, Actor.STAFF) if actor in actors]
        actor = next((one for one in able if can_become(row.status, verdict, one)), Actor.STAFF)
        review = _persons_review(row, DECISIONS[verdict], by=by, note=reason, now=now)
        decide(row, verdict, actor=actor, by=by, reason=reason, now=now)
        _keep(review, [_persons_comment(review, remark) for remark in comments], by=by)
    return row


def record_review(
    attempt: Attempt,
    status: ReviewStatus,
    *,
    by: User,
    note: str = "",
    comments: Sequence[Remark] = (),
    now: datetime | None = None,
) -> Review:
    """A reviewer's own review of an attempt that has ended. It decides, or confirms what has been decided.

    No second person has to look at what a person found suspicious: that rejects. Raises ``IllegalTransition`` where
    the attempt has not ended or is closed, ``Conflict`` (``attempt_erased``), ``NotPermitted`` as ``refuse_own`` does.
    """
    now = now or timezone.now()
    refuse_own(attempt, by)
    with locked(attempt, now=now) as row:
        if row.status not in ENDED | DECIDED:
            raise IllegalTransition(_("Only an attempt that has ended can be reviewed."))
        review = _persons_review(row, status, by=by, note=note, now=now)
        verdict = verdict_of(status, final=True)
        if verdict != row.status:
            decide(row, verdict, actor=Actor.REVIEWER, by=by, reason=note or f"review: {status}", now=now)
        _keep(review, [_persons_comment(review, remark) for remark in comments], by=by)
    return review


def apply_kept_review(attempt: Attempt, *, now: datetime | None = None) -> Review | None:
    """The attempt has ended, for the first time or anew: apply the newest review that waited for that, if any did."""
    now = now or timezone.now()
    with locked(attempt, now=now) as row:
        waiting = [] if row.status in OPEN else list(row.reviews.filter(not_applied_reason__in=_reasons_over(row)))
        if not waiting:
            return None
        # Only a vendor's has to wait.
        newest, *others = sorted(waiting, key=lambda one: (one.occurred_at, one.pk), reverse=True)
        for review in others:
            review.not_applied_reason = NotApplied.OLDER
            review.save()
        judge(row, newest, known=_applied(row), now=now)
        newest.save()
        notify_support(row, newest, now=now)
    return newest


def attempts_with_waiting_review() -> QuerySet[Attempt]:
    """Attempts that have ended with a review still kept back: what a sweep finds after a lost message."""
    early = Q(not_applied_reason=NotApplied.ATTEMPT_NOT_ENDED) & ~Q(attempt__status__in=OPEN)
    mended = Q(not_applied_reason=NotApplied.ATTEMPT_IN_ERROR, attempt__status__in=ENDED - {Status.ERROR})
    return Attempt.objects.filter(pk__in=Review.objects.filter(early | mended).values("attempt"))


def open_video(review: Review, *, by: User, now: datetime | None = None) -> str:
    """Write down that this person is sent to the recording, and return where it is; empty where there is none.

    Raises ``NotConfigured`` where the key is gone, ``NotPermitted`` as ``refuse_own`` does.
    """
    refuse_own(review.attempt, by)
    # What is stored has been looked at when it came; it is looked at again because a browser goes there.
    url = tame_url(review.video_url)
    if url:
        VideoView.objects.create(review=review, by=by, at=now or timezone.now())
    return url


def _reasons_over(row: Attempt) -> list[NotApplied]:
    """What reviews waited for and need not wait for any more, now that the attempt has ended as it has."""
    mended = row.status in ENDED and row.status != Status.ERROR
    return [NotApplied.ATTEMPT_NOT_ENDED, *([NotApplied.ATTEMPT_IN_ERROR] if mended else [])]


def _persons_review(row: Attempt, status: ReviewStatus, *, by: User, note: str, now: datetime) -> Review:
    if row.erased_at is not None:
        raise Conflict(_("What was known about this attempt has been erased."), code="attempt_erased")
    return Review(
        attempt=row,
        status=status,
        source=ReviewSource.STAFF,
        reviewed_by=by.get_username()[:255],
        author=by,
        note=note,
        occurred_at=now,
        received_at=now,
        applied_at=after(last_applied(_applied(row)), now),
    )


def _persons_comment(review: Review, remark: Remark) -> ReviewComment:
    return ReviewComment(
        review=review,
        start_seconds=remark.start_seconds,
        stop_seconds=remark.stop_seconds,
        text=remark.comment,
        severity=remark.status,
    )


def _applied(row: Attempt) -> QuerySet[Review]:
    return row.reviews.filter(APPLIED).defer("payload", "sealed_video_url")


def _keep(review: Review, comments: Sequence[ReviewComment], *, by: User | None = None) -> None:
    review._history_user = by  # type: ignore[attr-defined]  # simple-history's protocol
    review.save()
    ReviewComment.objects.bulk_create(comments)
    announce(review_received, review=review)
