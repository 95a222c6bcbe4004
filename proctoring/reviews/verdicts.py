"""What a review does to its attempt: nothing, for a reason that is kept beside it, or one step of the table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.contrib.auth import get_user_model
from django.db import models
from django.utils.translation import gettext_lazy as _

from proctoring.attempts.chronicle import REVIEW_RECEIVED
from proctoring.attempts.lifecycle import move
from proctoring.attempts.models import Attempt
from proctoring.attempts.retries import withdraw_retry
from proctoring.attempts.states import DECIDED, ENDED, OPEN, Actor, Status
from proctoring.conf import settings
from proctoring.exams.models import ExamType
from proctoring.logs.models import Event, EventActor
from proctoring.logs.services import event_of, record_together
from proctoring.outbox.models import Operation
from proctoring.outbox.services import promise_effect
from proctoring.permissions import may_review
from proctoring.reviews.models import Review, ReviewSource, ReviewStatus, believed_moment

if TYPE_CHECKING:
    from proctoring.host import User

SUPPORT = "support"
"""The topic of notifications: they wait for nothing else that is owed to the LMS."""


class NotApplied(models.TextChoices):
    """Why a review changes nothing. Kept beside it."""

    ATTEMPT_NOT_ENDED = "attempt_not_ended", _("The attempt has not ended; the newest review is applied when it does.")
    ATTEMPT_CLOSED = "attempt_closed", _("The attempt has been annulled or replaced.")
    EXAM_NOT_PROCTORED = "exam_not_proctored", _("The exam is not proctored, or was not taken so.")
    OLDER = "older_than_applied", _("A newer review is there.")
    ATTEMPT_IN_ERROR = "attempt_in_error", _("The attempt is in error; it is looked at again when staff submit it.")
    ATTEMPT_ERASED = "attempt_erased", _("What was known about this attempt has been erased.")


def judge(row: Attempt, review: Review, *, known: Iterable[Review], now: datetime) -> None:
    """Let a vendor's review decide the locked attempt where nothing is in the way. The caller saves the review.

    ``known``: the attempt's reviews so far, at least those that were applied.
    """
    last = last_applied(known)
    review.author = believed_reviewer(row, review.reviewed_by)
    received = event_of(row, REVIEW_RECEIVED, actor=EventActor.VENDOR, now=now, data={"status": review.status})
    why_not = _obstacle(row, review, last)
    if why_not is not None:
        review.not_applied_reason = why_not
        record_together([received])
        return
    final = not settings.second_reviews or review.author is not None or row.exam.exam_type == ExamType.ONBOARDING
    verdict = verdict_of(review.status, final=final)
    if verdict != row.status:
        actor = Actor.REVIEWER if review.author else Actor.VENDOR
        reason = f"review: {review.status}"
        decide(row, verdict, actor=actor, by=review.author, reason=reason, now=now, because=[received])
    else:
        record_together([received])
    review.applied_at, review.not_applied_reason = after(last, now), ""


def last_applied(known: Iterable[Review]) -> Review | None:
    """The one that decided last."""
    applied = [one for one in known if one.applied_at is not None]
    return max(applied, key=lambda one: (one.applied_at, one.pk), default=None)


def after(last: Review | None, now: datetime) -> datetime:
    """When the next one is applied. In which order reviews decided is what ``applied_at`` is asked for, and a worker
    that had to wait for the lock looked at its clock before the one that held it."""
    if last is None or last.applied_at is None or last.applied_at < now:
        return now
    return last.applied_at + timedelta(microseconds=1)


def decide(
    row: Attempt,
    verdict: Status,
    *,
    actor: Actor,
    by: User | None,
    reason: str,
    now: datetime,
    because: Sequence[Event] = (),
) -> None:
    """Take the step to the verdict. Raises as ``move`` does."""
    if verdict in DECIDED:
        # A resume is for an undecided attempt: one that was granted and not used is taken back by the decision.
        withdraw_retry(row)
    move(row, verdict, actor=actor, by=by, reason=reason, now=now, because=because)


def verdict_of(status: str, *, final: bool) -> Status:
    """The status to which a review leads. ``final``: nobody else has to look at what is suspicious."""
    if status == ReviewStatus.PASSED:
        return Status.VERIFIED
    if status == ReviewStatus.NOT_REVIEWED:
        return Status.ERROR
    return Status.REJECTED if final else Status.SECOND_REVIEW_REQUIRED


def notify_support(row: Attempt, review: Review, *, now: datetime) -> None:
    """Promise the LMS's support word of a vendor's suspicion that has decided and that no person here answers for."""
    if review.applied_at is None or review.status != ReviewStatus.SUSPICIOUS or review.author is not None:
        return
    promise_effect(
        operation=Operation.NOTIFY_SUPPORT,
        attempt=row,
        topic=SUPPORT,
        argument=review.status,
        key=f"{Operation.NOTIFY_SUPPORT.value}-review-{review.pk}",
        now=now,
    )


def believed_reviewer(row: Attempt, claimed: str) -> User | None:
    """The person whom the vendor names, if there is exactly one such account and it may review this attempt."""
    if "@" not in claimed:
        return None
    accounts = get_user_model()
    field = accounts.get_email_field_name()
    found = list(accounts._default_manager.filter(**{f"{field}__iexact": claimed, "is_active": True})[:2])
    # To MySQL "é" is "e", and a look-alike is nobody's address.
    if len(found) != 1 or getattr(found[0], field).casefold() != claimed.casefold():
        return None
    if found[0].pk == row.user_id or not may_review(found[0], row.exam.course_id):
        return None
    return found[0]


def _obstacle(row: Attempt, review: Review, last: Review | None) -> NotApplied | None:
    if row.erased_at is not None:
        return NotApplied.ATTEMPT_ERASED
    if row.exam.exam_type == ExamType.TIMED or not row.taking_as_proctored:
        return NotApplied.EXAM_NOT_PROCTORED
    if row.status in OPEN:
        return NotApplied.ATTEMPT_NOT_ENDED
    if row.status not in ENDED | DECIDED:
        return NotApplied.ATTEMPT_CLOSED
    if last is not None and _is_older(row, review, last):
        return NotApplied.OLDER
    if row.status == Status.ERROR and not _is_vendors_not_reviewed(last):
        return NotApplied.ATTEMPT_IN_ERROR
    return None


def _is_older(row: Attempt, review: Review, last: Review) -> bool:
    if last.source == ReviewSource.VENDOR:
        return review.occurred_at < last.occurred_at
    later = row.reviews.filter(source=ReviewSource.VENDOR, occurred_at__gte=review.occurred_at)
    arrivals = (review.received_at, *later.values_list("received_at", flat=True))
    return believed_moment(review.occurred_at, arrivals) < last.occurred_at


def _is_vendors_not_reviewed(last: Review | None) -> bool:
    """A vendor corrects its own "not reviewed", and no other error."""
    return last is not None and last.source == ReviewSource.VENDOR and last.status == ReviewStatus.NOT_REVIEWED
