"""Carry an effect to the LMS: one call of a method of the host, built from current rows, outside of any transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable

from proctoring.attempts.models import Attempt
from proctoring.exchange.outcomes import Apply, HostFailed, Moot, nothing_to_apply
from proctoring.host import CreditStatus, host, provides
from proctoring.outbox.models import Delivery, DeliveryStatus, Operation
from proctoring.outbox.services import HOST_METHODS, is_outdated

logger = logging.getLogger(__name__)


def carry_to_host(delivery: Delivery) -> Apply:
    """Call the host. Raises ``Moot`` where the effect has lost its object, ``HostFailed`` for whatever the host raises.

    What it says may name people or secrets: that goes to the log, and only its kind into the row.
    """
    attempt = Attempt.objects.select_related("exam", "user").get(pk=delivery.target_id)
    operation = Operation(delivery.operation)
    if not provides(HOST_METHODS[operation]):
        raise Moot("the LMS has no such effect any more")
    if operation == Operation.NOTIFY_SUPPORT:
        call = _notification(delivery, attempt)
    else:
        call = _effect(delivery, operation, attempt)
    try:
        call()
    except Exception as failure:
        logger.exception("the LMS failed at delivery %s", delivery.pk)
        raise HostFailed(f"{type(failure).__name__}, see the log") from failure
    return nothing_to_apply


def _notification(delivery: Delivery, attempt: Attempt) -> Callable[[], None]:
    exam = attempt.exam
    return lambda: host().notify_support(
        exam.course_id, exam.content_id, review_status=delivery.argument, attempt_id=attempt.pk, key=delivery.key
    )


def _effect(delivery: Delivery, operation: Operation, attempt: Attempt) -> Callable[[], None]:
    exam, user, key, lms = attempt.exam, attempt.user, delivery.key, host()
    if attempt.erased_at is not None or not user.is_active:
        raise Moot("the account is erased or not active")
    if is_outdated(delivery):
        raise Moot("a later effect on the same has taken its place")
    if operation == Operation.COMPLETE_CONTENT and _is_reset_since(delivery):
        raise Moot("the answers have been dropped since")
    if operation == Operation.RESET_LEARNER_STATE and _has_begun_again(attempt, after=int(delivery.argument)):
        raise Moot("the candidate works on a newer attempt, whose answers it would take")
    about = (user, exam.course_id, exam.content_id)
    calls: dict[Operation, Callable[[], None]] = {
        Operation.SET_CREDIT: lambda: lms.set_credit_requirement(*about, CreditStatus(delivery.argument), key=key),
        Operation.OVERRIDE_GRADE: lambda: lms.override_grade(*about, key=key),
        Operation.UNDO_GRADE_OVERRIDE: lambda: lms.undo_grade_override(*about, key=key),
        Operation.INVALIDATE_CERTIFICATE: lambda: lms.invalidate_certificate(user, exam.course_id, key=key),
        Operation.RESTORE_CERTIFICATE: lambda: lms.restore_certificate(user, exam.course_id, key=key),
        Operation.COMPLETE_CONTENT: lambda: lms.complete_content(*about, key=key),
        Operation.RESET_LEARNER_STATE: lambda: lms.reset_learner_state(*about, key=key),
    }
    return calls[operation]


def _is_reset_since(delivery: Delivery) -> bool:
    """Whether the LMS has to forget, or has forgotten, what this says is completed: the two do not wait for each
    other."""
    resets = Delivery.objects.filter(
        operation=Operation.RESET_LEARNER_STATE, target=delivery.target, target_id=delivery.target_id
    )
    return resets.filter(pk__gt=delivery.pk).exclude(status=DeliveryStatus.SUPERSEDED).exists()


def _has_begun_again(attempt: Attempt, *, after: int) -> bool:
    """Whether the person has started a later attempt than the one with this number."""
    newer = Attempt.objects.filter(exam=attempt.exam_id, user=attempt.user_id, number__gt=after)
    return newer.filter(started_at__isnull=False).exists()
