"""The violation report: every attempt of a course with its reviews, one row for each comment."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam
from proctoring.reports.tables import Row
from proctoring.reviews.models import Review, ReviewComment

if TYPE_CHECKING:
    from proctoring.host import User

BATCH = 500
"""Attempts that are in memory at once."""

COLUMNS = (
    "course_id",
    "exam",
    "exam_name",
    "exam_type",
    "user_id",
    "username",
    "attempt",
    "attempt_number",
    "status",
    "started_at",
    "submitted_at",
    "review_status",
    "source",
    "reviewed_by",
    "occurred_at",
    "applied",
    "comment_start_seconds",
    "comment_stop_seconds",
    "comment_severity",
    "comment_text",
    "suspicious_count",
    "violation_count",
)

SUSPICIOUS = re.compile(r"\s*suspicious\s*", re.IGNORECASE)
VIOLATION = re.compile(r"\s*(?:rules?[ _-])?violation\s*", re.IGNORECASE)
"""Comments say how severe they are in the vendor's words; these two are the field's own."""


def violation_rows(course_id: str, *, viewer: User | None = None, now: datetime | None = None) -> Iterator[Row]:
    """By exam, attempt, review (the newest first) and comment. What has none of the next kind still is one row.

    ``suspicious_count`` and ``violation_count`` are those of the row's review. ``viewer`` is who reads it: nobody reads
    here about their own attempts. Three statements a batch, and one for the list of exams; memory does not grow with
    the course.
    """
    now = now or timezone.now()
    exams = Exam.objects.filter(course_id=course_id, attempts__isnull=False).distinct().order_by("pk")
    for exam in list(exams.defer("rules", "review_policy")):
        for attempt in _attempts(exam, viewer):
            yield from _rows(exam, attempt, now=now)


def filename(course_id: str, extension: str) -> str:
    """A course's id holds signs that no file system wants."""
    return f"violations-{re.sub(r'[^A-Za-z0-9._-]+', '-', course_id)[:150].strip('-')}.{extension}"


def _attempts(exam: Exam, viewer: User | None) -> Iterator[Attempt]:
    """By primary key, so that the next batch begins where the last one ended, whatever came in between."""
    comments = Prefetch("comments", ReviewComment.objects.order_by("pk"))
    reviews = Review.objects.defer("payload", "sealed_video_url", "note").prefetch_related(comments)
    rows: QuerySet[Attempt] = Attempt.objects.filter(exam=exam).order_by("pk").select_related("user")
    rows = rows.defer("launch_data", "review_policy").prefetch_related(Prefetch("reviews", reviews))
    if viewer is not None and not viewer.is_superuser:
        rows = rows.exclude(user=viewer.pk)
    last = 0
    while batch := list(rows.filter(pk__gt=last)[:BATCH]):
        yield from batch
        if len(batch) < BATCH:
            return
        last = batch[-1].pk


def _rows(exam: Exam, attempt: Attempt, *, now: datetime) -> Iterator[Row]:
    about_attempt: dict[str, Any] = {
        **dict.fromkeys(COLUMNS),
        "course_id": exam.course_id,
        "exam": exam.pk,
        "exam_name": exam.name,
        "exam_type": exam.exam_type,
        "user_id": attempt.user_id,
        "username": attempt.user.get_username(),
        "attempt": attempt.pk,
        "attempt_number": attempt.number,
        "status": attempt.status_at(now).value,
        "started_at": attempt.started_at,
        "submitted_at": attempt.submitted_at,
        "suspicious_count": 0,
        "violation_count": 0,
    }
    reviews = list(attempt.reviews.all())
    if not reviews:
        yield about_attempt
    for review in reviews:
        comments = list(review.comments.all())
        about_review = {
            **about_attempt,
            "review_status": review.status,
            "source": review.source,
            "reviewed_by": review.reviewed_by,
            "occurred_at": review.occurred_at,
            "applied": review.applied_at is not None,
            "suspicious_count": sum(bool(SUSPICIOUS.fullmatch(one.severity)) for one in comments),
            "violation_count": sum(bool(VIOLATION.fullmatch(one.severity)) for one in comments),
        }
        yield from (about_review | _about_comment(one) for one in comments)
        if not comments:
            yield about_review


def _about_comment(comment: ReviewComment) -> dict[str, Any]:
    return {
        "comment_start_seconds": comment.start_seconds,
        "comment_stop_seconds": comment.stop_seconds,
        "comment_severity": comment.severity,
        "comment_text": comment.text,
    }
