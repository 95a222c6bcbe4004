"""What the end of an attempt, and every verdict on it, means to the LMS: rules alone. ``exchange/effects.py`` calls it.

An effect that the configured host does not have is never promised and costs no statement.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from django.db.models import QuerySet

from proctoring.attempts import mails
from proctoring.attempts.chains import UNDECIDED_ENDS, ChainStatus, Record, chain_status, newest_chain
from proctoring.attempts.models import Attempt, RetryKind
from proctoring.attempts.states import OPEN, Status
from proctoring.exams.models import ExamType
from proctoring.host import CreditStatus, provides
from proctoring.outbox.corrections import Word, unheard
from proctoring.outbox.models import Delivery, DeliveryKind, DeliveryStatus, DeliveryTarget, Operation
from proctoring.outbox.services import promise_effect

CREDIT, GRADE, CERTIFICATE = "credit", "grade", "certificate"
COMPLETION, LEARNER_STATE = "completion", "learner_state"

VERDICT_TOPICS = {
    CREDIT: "set_credit_requirement",
    GRADE: "override_grade",
    CERTIFICATE: "invalidate_certificate",
}
"""The topics that follow the verdict on the chain, and the method without which the host does not take part."""

CREDIT_OF = {
    ChainStatus.SUBMITTED: CreditStatus.SUBMITTED,
    ChainStatus.SECOND_REVIEW: CreditStatus.SUBMITTED,
    ChainStatus.VERIFIED: CreditStatus.SATISFIED,
    ChainStatus.REJECTED: CreditStatus.FAILED,
    ChainStatus.EXPIRED: CreditStatus.FAILED,
    ChainStatus.DECLINED: CreditStatus.DECLINED,
    ChainStatus.NONE: CreditStatus.WITHDRAWN,
}
VERDICT_CREDITS = (CreditStatus.SATISFIED, CreditStatus.FAILED)

REJECTED = {GRADE: Operation.OVERRIDE_GRADE, CERTIFICATE: Operation.INVALIDATE_CERTIFICATE}
NOT_REJECTED = {GRADE: Operation.UNDO_GRADE_OVERRIDE, CERTIFICATE: Operation.RESTORE_CERTIFICATE}


def follow(attempt: Attempt, *, old: Status, now: datetime) -> None:
    """An attempt has taken a step: promise the effects and mails, take back and reverse what no longer holds.

    The caller has saved the attempt under its lock. Locks the person's first attempt at the exam, and the first in the
    course where certificates depend on it.
    """
    if Status(attempt.status) in OPEN:
        return
    record = Record(attempt, begun_now=attempt.number == 1 and old in OPEN)
    exam_type = attempt.exam.exam_type
    if exam_type in (ExamType.TIMED, ExamType.PROCTORED):
        if attempt.status == Status.VOIDED and attempt.retry_kind == RetryKind.FRESH:
            _reset_learner_state(attempt, now=now)
        if attempt.status in UNDECIDED_ENDS and attempt.started_at is not None:
            _complete(record, now=now)
    # Whoever opts out is not proctored from then on, and that is what the credit requirement hears.
    if exam_type == ExamType.PROCTORED and (attempt.taking_as_proctored or Status.DECLINED in (old, attempt.status)):
        _follow_verdict(record, now=now)
    mails.follow(record, old=old, now=now)


def reconsider(attempt: Attempt, *, now: datetime) -> None:
    """Something other than a status has come to speak for this attempt. The caller holds its lock."""
    follow(attempt, old=Status(attempt.status), now=now)


def _reset_learner_state(attempt: Attempt, *, now: datetime) -> None:
    """Staff gave a fresh attempt in place of this one."""
    if not provides("reset_learner_state"):
        return
    promise_effect(
        operation=Operation.RESET_LEARNER_STATE,
        attempt=Record(attempt).first,
        topic=LEARNER_STATE,
        argument=str(attempt.number),
        now=now,
    )


def _complete(record: Record, *, now: datetime) -> None:
    """Once for person and exam, and again after the LMS has forgotten the answers."""
    if not provides("complete_content"):
        return
    if not record.begun_now:
        about = (Operation.COMPLETE_CONTENT, Operation.RESET_LEARNER_STATE)
        told = _told(record.first).filter(operation__in=about).exclude(status=DeliveryStatus.SUPERSEDED)
        if told.values_list("operation", flat=True).first() == Operation.COMPLETE_CONTENT:
            return
    promise_effect(operation=Operation.COMPLETE_CONTENT, attempt=record.first, topic=COMPLETION, now=now)


def _follow_verdict(record: Record, *, now: datetime) -> None:
    topics = [topic for topic, method in VERDICT_TOPICS.items() if provides(method)]
    if record.begun_now:
        # There was no verdict before, and there is none now.
        topics = [topic for topic in topics if topic == CREDIT]
    if not topics:
        return
    queues = {topic: _first_in_course(record) if topic == CERTIFICATE else record.first for topic in topics}
    words = dict(_words(record, queues))
    if not words:
        return
    heard = unheard(list(words.values()))
    for topic, word in words.items():
        if word in heard and word.operation is not None:
            promise_effect(
                operation=word.operation, attempt=queues[topic], topic=topic, argument=word.argument, now=now
            )


def _words(record: Record, queues: Mapping[str, Attempt]) -> Iterator[tuple[str, Word]]:
    rows = [] if record.begun_now else list(_told(*queues.values()).filter(topic__in=queues))
    for topic, first in queues.items():
        told = [row for row in rows if (row.topic, row.target_id) == (topic, first.pk)]
        if topic == CREDIT:
            credit = _credit(record.status, told)
            if credit is not None:
                withdraws = credit == CreditStatus.WITHDRAWN
                yield topic, Word(told=told, operation=Operation.SET_CREDIT, argument=credit, is_reversal=withdraws)
        elif record.status == ChainStatus.REJECTED:
            yield topic, Word(told=told, operation=REJECTED[topic])
        elif topic == GRADE or (told and not _is_rejected_elsewhere(record.attempt)):
            yield topic, Word(told=told, operation=NOT_REJECTED[topic], is_reversal=True)


def _credit(now_stands: ChainStatus, told: list[Delivery]) -> CreditStatus | None:
    """The requirement's state; None: as it was. Without a verdict, an earlier one does not go on either."""
    if now_stands in CREDIT_OF:
        return CREDIT_OF[now_stands]
    last = next((row for row in told if row.status != DeliveryStatus.SUPERSEDED), None)
    return CreditStatus.SUBMITTED if last is not None and last.argument in VERDICT_CREDITS else None


def _told(*firsts: Attempt) -> QuerySet[Delivery]:
    return Delivery.objects.filter(
        kind=DeliveryKind.HOST, target=DeliveryTarget.ATTEMPT, target_id__in={first.pk for first in firsts}
    ).order_by("-pk")


def _first_in_course(record: Record) -> Attempt:
    """The person's first attempt in the course, locked: a certificate is the course's, whichever exam decides."""
    attempt = record.attempt
    mine = Attempt.objects.filter(user=attempt.user_id, exam__course_id=attempt.exam.course_id).order_by("pk")
    first_pk = mine.values_list("pk", flat=True)[0]
    held = {record.first.pk: record.first, attempt.pk: attempt}
    # By its key alone: a locking read that sorts and joins would lock more than this one row.
    return held.get(first_pk) or Attempt.objects.select_for_update().get(pk=first_pk)


def _is_rejected_elsewhere(attempt: Attempt) -> bool:
    """Whether another exam of the course still stands against the person's certificate."""
    others = Attempt.objects.filter(
        user=attempt.user_id,
        exam__course_id=attempt.exam.course_id,
        exam__exam_type=ExamType.PROCTORED,
        status=Status.REJECTED,
    ).exclude(exam=attempt.exam_id)
    exams = set(others.order_by().values_list("exam", flat=True))
    return any(
        chain_status(newest_chain(exam_id=exam_id, user_id=attempt.user_id)) == ChainStatus.REJECTED
        for exam_id in exams
    )
