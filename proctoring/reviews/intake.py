"""A vendor's review made into rows: bounded, without links and names, its recording encrypted; and a fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime

from proctoring.attempts.models import Attempt
from proctoring.backends.http import tame_url
from proctoring.backends.types import AttemptReviewed
from proctoring.backends.types import ReviewComment as Remark
from proctoring.host import host
from proctoring.inbox import sealing
from proctoring.reviews.models import Review, ReviewComment, ReviewSource, video_context
from proctoring.reviews.redaction import Redaction

MAX_COMMENTS = 1000
MAX_SECONDS = 2**31 - 1


def vendors_review(row: Attempt, event: AttemptReviewed, *, now: datetime) -> tuple[Review, Sequence[ReviewComment]]:
    """What would be kept of it, not saved yet. Raises ``NotConfigured`` where its recording cannot be encrypted."""
    redaction = Redaction(_names(row))
    review = Review(
        attempt=row,
        status=event.status.value,
        source=ReviewSource.VENDOR,
        reviewed_by=event.reviewed_by.replace("\x00", "")[:255],
        payload=redaction.tree(event.payload),
        occurred_at=event.occurred_at,
        received_at=now,
    )
    if url := tame_url(event.video_url):
        review.sealed_video_url = sealing.seal(url.encode(), context=video_context(row.pk))
    comments = [_comment(review, remark, redaction) for remark in event.comments[:MAX_COMMENTS]]
    review.sha256 = _fingerprint(review, comments)
    return review, comments


def _fingerprint(review: Review, comments: Sequence[ReviewComment]) -> str:
    remarks = [(one.start_seconds, one.stop_seconds, one.text, one.severity) for one in comments]
    moment = review.occurred_at.astimezone(UTC).isoformat()
    said = json.dumps([moment, review.status, review.payload, remarks], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def _names(row: Attempt) -> set[str]:
    return {row.full_name, host().full_name(row.user), host().email(row.user)}


def _comment(review: Review, remark: Remark, redaction: Redaction) -> ReviewComment:
    """Made storable, whatever the plugin let through."""
    return ReviewComment(
        review=review,
        start_seconds=_seconds(remark.start_seconds),
        stop_seconds=_seconds(remark.stop_seconds),
        text=redaction.text(remark.comment.replace("\x00", "")),
        severity=redaction.text(remark.status.replace("\x00", ""))[:60],
    )


def _seconds(value: int | None) -> int | None:
    return value if value is not None and 0 <= value <= MAX_SECONDS else None
