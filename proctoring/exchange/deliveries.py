"""Carry out what the outbox owes: build the request from current rows, call, apply the answer by one service call.

Calls to vendors are here; effects on the LMS are in ``effects.py``, mails in ``mail.py``.

The call happens outside of any transaction. The answer and the row's settlement are one transaction, so a worker
that dies in between leaves the row claimed: another repeats the call under the same key when the lease is over.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from proctoring.attempts.models import Attempt
from proctoring.attempts.registration import record_launch, record_refused_registration, record_registration
from proctoring.attempts.states import OPEN, Phase
from proctoring.backends import backends
from proctoring.backends.base import Backend
from proctoring.backends.types import AttemptRegistration, ExamRegistration, ExamType, Progress
from proctoring.bookings.cancellations import is_shared
from proctoring.bookings.models import Booking
from proctoring.bookings.sending import wake_bookings
from proctoring.bookings.states import LIVE
from proctoring.conf import settings
from proctoring.errors import (
    BackendAuthenticationError,
    BackendError,
    BackendRejected,
    LeaseLost,
    NotConfigured,
    UnknownBackend,
)
from proctoring.exams.models import Exam
from proctoring.exams.services import owe_registration, record_exam_registration
from proctoring.exchange.effects import carry_to_host
from proctoring.exchange.mail import send
from proctoring.exchange.outcomes import Apply, HostFailed, MailFailed, Moot, NotYet, nothing_to_apply
from proctoring.host import host
from proctoring.outbox import circuits
from proctoring.outbox import services as outbox
from proctoring.outbox.models import Delivery, DeliveryKind, DeliveryTarget, Operation
from proctoring.privacy.pseudonyms import candidate_id
from proctoring.privacy.vendors import record_removed_attempt, record_retired_candidate

logger = logging.getLogger(__name__)

WAIT = timedelta(minutes=5)
"""For something that wakes who waits for it; a look now and then is enough."""


def carry_out(delivery: Delivery) -> bool:
    """Make the call that ``delivery`` promises and settle the row. True where the receiver has it now.

    Never raises for what a vendor, a plugin or the LMS does: the row says what happened. A call to a vendor is one
    HTTP exchange, or two where a token is needed.
    """
    try:
        return _carry_out(delivery, began=time.monotonic())
    except LeaseLost:
        logger.warning("delivery %s was taken over by another worker", delivery.pk)
        return False


def give_back(delivery: Delivery) -> None:
    """Leave the row to the next worker."""
    try:
        outbox.release(delivery)
    except LeaseLost:
        logger.warning("delivery %s was taken over by another worker", delivery.pk)


def _carry_out(delivery: Delivery, *, began: float) -> bool:
    outbox.renew(delivery, now=timezone.now())
    if delivery.tries > settings.delivery_max_tries:
        _settle_mistake(delivery, BackendError("given up: its workers did not come back from the call"))
        return False
    try:
        apply = _call(delivery)
    except NotYet as wait:
        outbox.postpone(delivery, why=str(wait), until=timezone.now() + WAIT)
    except Moot as gone:
        outbox.settle_moot(delivery, why=str(gone))
    except (HostFailed, MailFailed) as failure:
        outbox.settle_failure(delivery, failure, now=timezone.now(), duration_ms=_milliseconds(began))
    except BackendError as error:
        _hide_person(delivery, error)
        _settle_failure(delivery, error, began)
    except (UnknownBackend, NotConfigured) as ours:
        _settle_mistake(delivery, BackendError(str(ours)))
    # A plugin's mistake must not stop the other vendors' deliveries. Its words may hold anything, a secret included:
    # they go to the log, and only their kind into the row.
    except Exception as mistake:
        logger.exception("delivery %s failed in an unforeseen way", delivery.pk)
        _settle_mistake(delivery, BackendError(f"unforeseen {type(mistake).__name__}, see the log"))
    else:
        return _apply(delivery, apply, began)
    return False


def _call(delivery: Delivery) -> Apply:
    if delivery.kind == DeliveryKind.HOST:
        return carry_to_host(delivery)
    if delivery.kind == DeliveryKind.MAIL:
        return send(delivery)
    return OPERATIONS[Operation(delivery.operation)](delivery, backends[delivery.backend])


def _apply(delivery: Delivery, apply: Apply, began: float) -> bool:
    now = timezone.now()
    if delivery.kind == DeliveryKind.VENDOR:
        circuits.note_vendor_answered(delivery.backend, now=now)
    try:
        with transaction.atomic():
            apply()
            outbox.settle_success(delivery, now=now, duration_ms=_milliseconds(began))
    except LeaseLost:
        raise
    # The vendor did its part; ours is repeated, and the key makes the repeated call harmless.
    except Exception as mistake:
        logger.exception("the answer to delivery %s could not be applied", delivery.pk)
        _settle_mistake(delivery, BackendError(f"the answer could not be applied: {type(mistake).__name__}"))
        return False
    return True


def _settle_failure(delivery: Delivery, error: BackendError, began: float) -> None:
    now = timezone.now()
    with transaction.atomic():
        outbox.settle_failure(delivery, error, now=now, duration_ms=_milliseconds(began))
        if isinstance(error, BackendRejected) and delivery.operation == Operation.REGISTER_ATTEMPT:
            record_refused_registration(_attempt(delivery), reason=error.reason, now=now)
    if error.retryable or isinstance(error, BackendAuthenticationError):
        circuits.note_vendor_failed(delivery.backend, error, now=now)
    else:
        circuits.note_vendor_answered(delivery.backend, now=now)


def _hide_person(delivery: Delivery, error: BackendError) -> None:
    """Vendors like to say whom they refuse. Rows and history keep what was wrong, and not with whom."""
    if delivery.target != DeliveryTarget.ATTEMPT:
        return
    attempt = _attempt(delivery)
    for personal in (attempt.full_name, host().email(attempt.user)):
        if personal:
            error.args = tuple(str(part).replace(personal, "[candidate]") for part in error.args)
            if isinstance(error, BackendRejected):
                error.reason = error.reason.replace(personal, "[candidate]")


def _settle_mistake(delivery: Delivery, ours: BackendError) -> None:
    """It failed on our side, or in the plugin, which says nothing about the vendor's health."""
    outbox.settle_failure(delivery, ours, now=timezone.now())
    circuits.end_trial(delivery.backend)


def _milliseconds(began: float) -> int:
    return math.ceil((time.monotonic() - began) * 1000)


def _register_exam(delivery: Delivery, backend: Backend) -> Apply:
    exam = Exam.objects.get(pk=delivery.target_id)
    waiting = Attempt.objects.filter(exam=exam, external_id=None, backend=delivery.backend)
    if exam.backend_alias != delivery.backend and not waiting.filter(status__in=OPEN).exists():
        raise Moot("the exam has another vendor now")
    external_id = backend.register_exam(
        ExamRegistration(
            course_id=exam.course_id,
            content_id=exam.content_id,
            name=exam.name,
            exam_type=ExamType(exam.exam_type),
            time_limit_minutes=exam.time_limit_minutes,
            is_active=exam.is_active(),
            due_at=exam.due_at,
            external_id=exam.external_id_at(delivery.backend),
            rules=exam.rules,
        ),
        key=delivery.key,
    )

    def apply() -> None:
        # Bookings are locked before their exam, as a change of their window does.
        wake_bookings(Booking.objects.filter(exam=exam.pk, backend=delivery.backend), now=timezone.now())
        record_exam_registration(exam.pk, delivery.backend, external_id)
        outbox.wake(
            operation=Operation.REGISTER_ATTEMPT,
            target=DeliveryTarget.ATTEMPT,
            target_ids=waiting.values_list("pk"),
            now=timezone.now(),
        )

    return apply


def _register_attempt(delivery: Delivery, backend: Backend) -> Apply:
    attempt = _attempt(delivery)
    exam = attempt.exam
    # An earlier try may have reached the vendor although its answer did not reach us: repeated under the same key, the
    # call tells us the id, which the removal behind it needs.
    unheard = delivery.tries <= 1
    if attempt.traits.phase == Phase.BLOCKED or (attempt.traits.phase == Phase.CLOSED and unheard):
        raise Moot(f"the attempt is {attempt.status}")
    if backend.registers_exams and not exam.external_id_at(delivery.backend):
        owe_registration(exam.pk, delivery.backend)
        raise NotYet("the exam is not registered with the vendor yet")
    answer = backend.register_attempt(
        AttemptRegistration(
            exam_external_id=exam.external_id_at(delivery.backend),
            candidate_id=candidate_id(delivery.backend, attempt.user_id),
            full_name=attempt.full_name,
            email=host().email(attempt.user),
            time_limit_minutes=math.ceil(attempt.total_seconds / 60),
            is_sample=exam.is_sample,
            review_policy=attempt.review_policy,
            lms_host=settings.lms_host,
        ),
        key=delivery.key,
    )
    if not answer.external_id and answer.blocked is None:
        raise BackendError("The vendor's answer to the registration has no id.")

    def apply() -> None:
        record_registration(attempt, answer)

    return apply


def _fetch_launch(delivery: Delivery, backend: Backend) -> Apply:
    attempt = _attempt(delivery)
    if attempt.traits.phase != Phase.SETUP:
        raise Moot(f"the attempt is {attempt.status}")
    exam_id, attempt_id = _external_ids(attempt)
    launch = backend.fetch_launch(exam_id, attempt_id, language=host().language(attempt.user))

    def apply() -> None:
        record_launch(attempt, launch)

    return apply


def _report(progress: Progress) -> Callable[[Delivery, Backend], Apply]:
    def report(delivery: Delivery, backend: Backend) -> Apply:
        if outbox.later_is_done(delivery):
            raise Moot("the vendor has heard of what came after")
        exam_id, attempt_id = _external_ids(_attempt(delivery))
        backend.report_progress(exam_id, attempt_id, progress, key=delivery.key)
        return nothing_to_apply

    return report


def _remove_attempt(delivery: Delivery, backend: Backend) -> Apply:
    exam_id, attempt_id = _external_ids(_attempt(delivery))
    backend.remove_attempt(exam_id, attempt_id, key=delivery.key)

    def apply() -> None:
        record_removed_attempt(delivery.target_id)

    return apply


def _cancel_booking(delivery: Delivery, backend: Backend) -> Apply:
    booking = Booking.objects.select_related("plan").get(pk=delivery.target_id)
    if booking.claimed_until is not None and booking.claimed_until > timezone.now():
        raise NotYet("a worker may be sending this booking at the moment")
    if booking.status in LIVE:
        raise Moot("the booking is wanted again")
    if is_shared(booking):
        raise Moot("another booking here stands for the same one at the vendor")
    backend.cancel_booking(booking.external_id or "", reference=booking.reference, key=delivery.key)

    def apply() -> None:
        waiting = Q(pk=booking.pk) | Q(plan__replaces=booking.plan_id)
        wake_bookings(Booking.objects.filter(waiting), now=timezone.now())

    return apply


def _retire_candidate(delivery: Delivery, backend: Backend) -> Apply:
    if not backend.retires_candidates:
        raise Moot("the vendor forgets nobody on request")
    backend.retire_candidate(delivery.argument, key=delivery.key)

    def apply() -> None:
        record_retired_candidate(delivery)

    return apply


def _attempt(delivery: Delivery) -> Attempt:
    return Attempt.objects.select_related("exam", "user").get(pk=delivery.target_id)


def _external_ids(attempt: Attempt) -> tuple[str, str]:
    """The ids of exam and attempt at the attempt's own vendor.

    Calls of one attempt go in order, so where there is no id now, the vendor never had the attempt.
    """
    if not attempt.external_id:
        raise Moot("the attempt was never registered with the vendor")
    return attempt.exam.external_id_at(attempt.backend), attempt.external_id


OPERATIONS: dict[Operation, Callable[[Delivery, Backend], Apply]] = {
    Operation.REGISTER_EXAM: _register_exam,
    Operation.REGISTER_ATTEMPT: _register_attempt,
    Operation.FETCH_LAUNCH: _fetch_launch,
    Operation.REPORT_STARTED: _report(Progress.STARTED),
    Operation.REPORT_SUBMITTED: _report(Progress.SUBMITTED),
    Operation.REPORT_ERROR: _report(Progress.ERROR),
    Operation.REMOVE_ATTEMPT: _remove_attempt,
    Operation.CANCEL_BOOKING: _cancel_booking,
    Operation.RETIRE_CANDIDATE: _retire_candidate,
}
