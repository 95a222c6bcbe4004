"""A second chance: resume, staff reset, and the free repetition of practice and onboarding. Nothing is deleted."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext as _

from proctoring.attempts import effects, mails
from proctoring.attempts.beginnings import Basis
from proctoring.attempts.chronicle import RESUME_AUTHORISED, split_reason
from proctoring.attempts.closing import too_late_to_follow
from proctoring.attempts.creation import insert_attempt, refuse_by_exam, refuse_past_due
from proctoring.attempts.lifecycle import hears_of_attempts, locked, move, promise, refuse_own, save, was_promised
from proctoring.attempts.models import Attempt, RetryKind
from proctoring.attempts.states import OPEN, Actor, Phase, Status
from proctoring.attempts.versions import versions_together
from proctoring.errors import IllegalTransition, RetryNotPossible
from proctoring.exams.models import Exam
from proctoring.logs.models import EventActor
from proctoring.logs.services import record
from proctoring.outbox.models import Operation

if TYPE_CHECKING:
    from proctoring.host import User

RESUMABLE = frozenset({Status.ERROR, Status.TERMINATED, Status.SUBMITTED, Status.TIMED_OUT})


def can_be_resumed(attempt: Attempt, *, now: datetime) -> bool:
    """Whether staff may grant a resume: ended and undecided, not practice, not granted or followed already."""
    newer = getattr(attempt, "has_successor", False)
    return attempt.status_at(now) in RESUMABLE and not attempt.exam.is_sample and not attempt.retry_kind and not newer


def usable_retries(attempts: Iterable[Attempt], *, now: datetime) -> set[int]:
    """Of these rows of ``for_reading``, the keys of those whose retry was granted, not used, and could be used now as
    far as account, exam and dates go. What else the host has against it, creation asks. Two statements where a due date
    has passed, else none."""
    granted = [
        row
        for row in attempts
        if row.retry_kind and not row.has_successor and row.user.is_active and _takes_attempts(row.exam, now)  # type: ignore[attr-defined]  # an annotation
    ]
    return {row.pk for row in granted} - too_late_to_follow(granted, now=now)


def _takes_attempts(exam: Exam, now: datetime) -> bool:
    return exam.is_active() and (exam.opens_at is None or now >= exam.opens_at)


def authorize_resume(attempt: Attempt, *, by: User, reason: str, now: datetime | None = None) -> Attempt:
    """Let the candidate's next attempt go on with the exact seconds that were left.

    Raises ``RetryNotPossible`` where ``can_be_resumed`` says no.
    """
    now = now or timezone.now()
    refuse_own(attempt, by)
    with locked(attempt, now=now) as row:
        if not can_be_resumed(row, now=now) or has_successor(row):
            raise RetryNotPossible(_("This attempt cannot be resumed."))
        _grant(row, RetryKind.RESUME, by=by, now=now)
        save(row, by=by, reason=f"resume authorised: {reason}")
        code, words = split_reason(reason)
        proctor = EventActor.PROCTOR
        record(row, RESUME_AUTHORISED, actor=proctor, by=by, now=now, reason_code=code, reason_message=words)
        mails.promise_resume(row, now=now)
    return row


def reset_attempt(attempt: Attempt, *, by: User, reason: str, now: datetime | None = None) -> Attempt:
    """Staff reset: void the attempt, let the vendor drop it, grant a fresh one. A voided one stays voided, and one
    that was reset before stays as it is.

    Raises ``RetryNotPossible`` where the candidate is already on a newer attempt, ``IllegalTransition`` where the
    status cannot be voided.
    """
    now = now or timezone.now()
    refuse_own(attempt, by)
    if attempt.exam.is_sample:
        return restart_sample(attempt, actor=Actor.STAFF, by=by, reason=reason, now=now)
    with locked(attempt, now=now) as row:
        if row.status == Status.VOIDED and row.retry_kind == RetryKind.FRESH:
            return row
        if has_successor(row):
            raise RetryNotPossible(_("A newer attempt exists: reset that one."))
        _grant(row, RetryKind.FRESH, by=by, now=now)
        if row.status == Status.VOIDED:
            save(row, by=by, reason=f"reset: {reason}")
            effects.reconsider(row, now=now)
        else:
            move(row, Status.VOIDED, actor=Actor.STAFF, by=by, now=now, reason=f"reset: {reason}")
        # Who opted out of an attempt that was registered is known to the vendor all the same.
        if hears_of_attempts(row) or was_promised(row, Operation.REGISTER_ATTEMPT):
            promise(row, Operation.REMOVE_ATTEMPT)
    return row


def restart_sample(
    attempt: Attempt, *, actor: Actor, by: User, reason: str = "", now: datetime | None = None
) -> Attempt:
    """Close a practice or onboarding attempt and make the next one, in one transaction. Returns the new one.

    Raises ``RetryNotPossible`` for other exams and for an attempt that already has a successor, ``IllegalTransition``
    for a verified one (``create_attempt`` makes the next beside it), ``CreationRefused`` where the exam can no longer
    be taken: the old attempt is then left as it was, so nobody is stranded.
    """
    now = now or timezone.now()
    exam = attempt.exam
    if not exam.is_sample:
        raise RetryNotPossible(_("Only practice and onboarding exams can be started over."))
    refuse_by_exam(exam, attempt.user, now=now)
    why = f"started over: {reason}" if reason else "started over"
    with locked(attempt, now=now) as row, versions_together() as versions:
        basis = Basis(exam, attempt.user, row)
        refuse_past_due(basis, now=now)
        if has_successor(row):
            raise RetryNotPossible(_("A newer attempt exists."))
        if row.status == Status.VERIFIED:
            raise IllegalTransition(_("This attempt was approved and stays as it is. You can begin another one."))
        for step, who in _steps_to_close(row, actor):
            move(row, step, actor=who, by=by, now=now, reason=why, versions=versions)
        return insert_attempt(basis, versions, now=now)


def _steps_to_close(row: Attempt, actor: Actor) -> list[tuple[Status, Actor]]:
    """How a sample gives way to the next one, and in whose name. The table lets only an ended attempt be replaced, so
    an open one ends first."""
    if row.status in (Status.VOIDED, Status.ONBOARDING_RESET):
        return []
    if row.traits.phase == Phase.BLOCKED:
        return [(Status.VOIDED, actor)]
    reset = (Status.ONBOARDING_RESET, actor)
    if row.traits.phase == Phase.SETUP:
        return [(Status.DECLINED, Actor.SYSTEM), reset]
    if row.status in OPEN:
        return [(Status.SUBMITTED, Actor.SYSTEM), reset]
    return [reset]


def _grant(row: Attempt, kind: RetryKind, *, by: User, now: datetime) -> None:
    row.retry_kind, row.retry_granted_by, row.retry_granted_at = kind, by, now


def withdraw_retry(row: Attempt) -> None:
    """Take back a retry that no attempt has used, in memory. The history keeps that it had been granted."""
    if row.retry_kind and not has_successor(row):
        row.retry_kind, row.retry_granted_by, row.retry_granted_at = "", None, None


def has_successor(row: Attempt) -> bool:
    """Whether the person has a newer attempt at the exam. One statement."""
    return Attempt.objects.filter(exam=row.exam_id, user=row.user_id, number__gt=row.number).exists()
