"""May this person see this exam's content now? Fail-closed: what no row of the table opens stays shut."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from django.utils import timezone

from proctoring.attempts import tokens
from proctoring.attempts.beginnings import Basis
from proctoring.attempts.closing import is_over
from proctoring.attempts.due_dates import due_at_for, has_passed
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import SETUP, Status
from proctoring.conf import settings
from proctoring.exams.models import Exam, ExamStatus, ExamType
from proctoring.host import host

if TYPE_CHECKING:
    from proctoring.host import User

WRITING = frozenset({Status.STARTED, Status.READY_TO_SUBMIT})
VIEWABLE = frozenset({Status.SUBMITTED, Status.VERIFIED, Status.REJECTED, Status.SECOND_REVIEW_REQUIRED})


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessDecision:
    """``reason`` is a code in both cases; ``token`` and ``expires_at`` are set where ``allowed``.

    ``expires_at`` says until when the answer may be believed: ask again then.
    """

    allowed: bool
    reason: str
    attempt: Attempt | None = None
    token: str | None = None
    expires_at: datetime | None = None

    @property
    def read_only(self) -> bool:
        """Content may be shown, answers may not be taken."""
        return self.reason in READ_ONLY_REASONS


READ_ONLY_REASONS = frozenset({"past_due", "viewable_past_due"})


def decide(exam: Exam, user: User, attempt: Attempt | None, now: datetime | None = None) -> AccessDecision:
    """Answer for one person, one exam and that person's newest attempt (None: there is none). No query of its own; one
    for what the person was granted, where there is no attempt and the due date has passed.

    Raises ``ValueError`` for an attempt of another person or exam: that mistake must not open anything.
    """
    now = now or timezone.now()
    if attempt is not None and (attempt.user_id != user.pk or attempt.exam_id != exam.pk):
        raise ValueError("The attempt is not this person's at this exam.")
    allowed, reason = _judge(exam, user, attempt, now)
    if not allowed:
        return AccessDecision(allowed=False, reason=reason, attempt=attempt)
    expires_at = now + timedelta(seconds=settings.access_token_seconds)
    if attempt is not None and attempt.expires_at is not None and reason in WRITING:
        expires_at = min(expires_at, attempt.expires_at)
    claims = tokens.AccessClaims(
        user=str(user.pk),
        course_id=exam.course_id,
        content_id=exam.content_id,
        attempt=attempt.pk if attempt else None,
        reason=reason,
        read_only=reason in READ_ONLY_REASONS,
        expires_at=expires_at,
    )
    token = tokens.issue(claims, now=now)
    return AccessDecision(allowed=True, reason=reason, attempt=attempt, token=token, expires_at=expires_at)


def current_attempt(exam: Exam, user: User) -> Attempt | None:
    """The person's newest attempt at this exam, the one that ``decide`` wants."""
    attempt = Attempt.objects.filter(exam=exam, user=user.pk).order_by("-number").first()
    if attempt is not None:
        attempt.exam = exam
    return attempt


def _judge(exam: Exam, user: User, attempt: Attempt | None, now: datetime) -> tuple[bool, str]:
    """The table, row by row. Every path ends in a word; only these rows end in True."""
    if not user.is_active:
        return False, "not_permitted"
    if attempt is not None and attempt.status not in Status.values:
        return False, "unknown_status"
    status = attempt.status_at(now) if attempt else None
    if attempt is not None and status in WRITING and attempt.expires_at is not None:
        return True, str(status)
    if exam.status != ExamStatus.ACTIVE:
        return host().may_open_inactive(user, exam.course_id, exam.content_id), "exam_not_active"
    if attempt is None or status is None:
        return _without_attempt(exam, user, now)
    past_due = has_passed(due_at_for(exam, user, attempt), now)
    if exam.exam_type == ExamType.TIMED:
        return _timed(exam, status, past_due=past_due)
    if status == Status.DECLINED and _opted_out(exam, attempt):
        return _declined(exam, now, past_due=past_due)
    viewable = exam.viewable_past_due and past_due and attempt.acknowledged_at is not None
    if exam.exam_type == ExamType.PROCTORED and status in VIEWABLE and viewable:
        return True, "viewable_past_due"
    return False, _word(status)


def _without_attempt(exam: Exam, user: User, now: datetime) -> tuple[bool, str]:
    if not host().may_see_course(user, exam.course_id):
        return False, "not_permitted"
    if exam.exam_type == ExamType.TIMED:
        # Who may still begin must not see the questions first.
        over = has_passed(host().course_ends_at(exam.course_id), now) or is_over(Basis(exam, user, None), now=now)
        return (not exam.hide_after_due, "past_due") if over else (False, "not_started")
    entitled = host().may_take(user, exam.course_id, exam.content_id)
    audits = exam.exam_type in (ExamType.PROCTORED, ExamType.PRACTICE) and not entitled
    if audits and host().may_open_without_attempt(user, exam.course_id, exam.content_id):
        return True, "not_proctored"
    if not entitled:
        return False, "not_permitted"
    return False, "past_due" if is_over(Basis(exam, user, None), now=now) else "not_started"


def _opted_out(exam: Exam, attempt: Attempt) -> bool:
    """Whether the person chose to go without proctoring. Who was declined for a prerequisite that failed did not."""
    return exam.exam_type == ExamType.PROCTORED and exam.allow_opt_out and not attempt.taking_as_proctored


def _declined(exam: Exam, now: datetime, *, past_due: bool) -> tuple[bool, str]:
    # A cascade declines exams that nobody can begin yet, and whoever opts out of one sees nothing earlier for it.
    if exam.opens_at is not None and now < exam.opens_at:
        return False, "not_open_yet"
    return not (past_due and exam.hide_after_due), "declined"


def _timed(exam: Exam, status: Status, *, past_due: bool) -> tuple[bool, str]:
    if status in (Status.SUBMITTED, Status.TIMED_OUT) and past_due and not exam.hide_after_due:
        return True, "past_due"
    return False, _word(status)


def _word(status: Status) -> str:
    return "not_started" if status in SETUP else status.value
