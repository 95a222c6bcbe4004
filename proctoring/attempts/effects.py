"""What the end of an attempt, and every verdict on it, means to the LMS: rules alone. ``exchange/effects.py`` calls it.

An effect that the configured host does not have is never promised and costs no statement.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial

from django.db.models import Q

from proctoring.attempts import mails
from proctoring.attempts.chains import UNDECIDED_ENDS, ChainStatus, Record, chain_status, newest_chain
from proctoring.attempts.models import Attempt, RetryKind
from proctoring.attempts.states import OPEN, Status
from proctoring.exams.models import ExamType
from proctoring.host import CreditStatus, provides
from proctoring.outbox.corrections import Word, unheard
from proctoring.outbox.models import Delivery, DeliveryKind, DeliveryStatus, DeliveryTarget, Operation
from proctoring.outbox.services import owed_effect, owed_mail, promise_all

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
    """Promise what ``owed_after`` says."""
    promise_all(owed_after(attempt, old=old, now=now))


def reconsider(attempt: Attempt, *, now: datetime) -> None:
    """Something other than a status has come to speak for this attempt. The caller holds its lock."""
    follow(attempt, old=Status(attempt.status), now=now)


def owed_after(attempt: Attempt, *, old: Status, now: datetime) -> list[Delivery | None]:
    """An attempt has taken a step: the effects and mails that are owed now, for ``promise_all``. What was promised
    before and no longer holds is taken back here.

    The caller has saved the attempt under its lock. Locks the person's attempts at the exam before it, and the first in
    the course where certificates depend on it. One statement reads all that was said so far, another takes back.
    """
    if Status(attempt.status) in OPEN:
        return []
    record = Record(attempt, old=old)
    queues = {topic: _queue(record, topic) for topic in _topics(record, old)}
    completes = _completes(attempt)
    hosts = {first.pk for first in (*queues.values(), *([record.first] if completes else []))}
    told = _told(record, hosts)
    words = [*_words(record, queues, told), *mails.words(record, told)]
    return [
        _reset_learner_state(record, now=now),
        _completion(record, told, now=now) if completes else None,
        *(_delivery(word, now=now) for word in unheard(words)),
        mails.end(record, now=now),
    ]


def _delivery(word: Word, *, now: datetime) -> Delivery | None:
    if word.operation == Operation.SEND_MAIL or word.operation is None:
        return owed_mail(name=word.argument, attempt=word.attempt, now=now)
    return owed_effect(
        operation=word.operation, attempt=word.attempt, topic=word.topic, argument=word.argument, now=now
    )


def _reset_learner_state(record: Record, *, now: datetime) -> Delivery | None:
    """Staff gave a fresh attempt in place of this one."""
    attempt = record.attempt
    is_reset = attempt.status == Status.VOIDED and attempt.retry_kind == RetryKind.FRESH
    if attempt.exam.is_sample or not is_reset or not provides("reset_learner_state"):
        return None
    return owed_effect(
        operation=Operation.RESET_LEARNER_STATE,
        attempt=record.first,
        topic=LEARNER_STATE,
        argument=str(attempt.number),
        now=now,
    )


def _completes(attempt: Attempt) -> bool:
    ended = attempt.status in UNDECIDED_ENDS and attempt.started_at is not None
    return ended and not attempt.exam.is_sample and provides("complete_content")


def _completion(record: Record, told: Sequence[Delivery], *, now: datetime) -> Delivery | None:
    """Once for person and exam, and again after the LMS has forgotten the answers."""
    about = (Operation.COMPLETE_CONTENT, Operation.RESET_LEARNER_STATE)
    valid = (row for row in told if row.target_id == record.first.pk and row.status != DeliveryStatus.SUPERSEDED)
    if next((row.operation for row in valid if row.operation in about), None) == Operation.COMPLETE_CONTENT:
        return None
    return owed_effect(operation=Operation.COMPLETE_CONTENT, attempt=record.first, topic=COMPLETION, now=now)


def _topics(record: Record, old: Status) -> list[str]:
    """Of which effects that follow the verdict this step may have changed something."""
    attempt = record.attempt
    # Whoever opts out is not proctored from then on, and that is what the credit requirement hears.
    speaks = attempt.taking_as_proctored or Status.DECLINED in (old, attempt.status)
    if attempt.exam.exam_type != ExamType.PROCTORED or not speaks:
        return []
    topics = [topic for topic, method in VERDICT_TOPICS.items() if provides(method)]
    if record.begun_now or (record.ends_now and attempt.status != Status.VOIDED):
        # An attempt that ends is not rejected by that, and no earlier part of its chain ceases to be.
        return [topic for topic in topics if topic == CREDIT]
    return topics


def _queue(record: Record, topic: str) -> Attempt:
    return _first_in_course(record) if topic == CERTIFICATE else record.first


def _words(record: Record, queues: Mapping[str, Attempt], told: Sequence[Delivery]) -> Iterator[Word]:
    for topic, first in queues.items():
        said = [row for row in told if (row.kind, row.topic, row.target_id) == (DeliveryKind.HOST, topic, first.pk)]
        word = partial(Word, attempt=first, topic=topic, told=said)
        if topic == CREDIT:
            credit = _credit(record.status, said)
            if credit is not None:
                withdraws = credit == CreditStatus.WITHDRAWN
                yield word(operation=Operation.SET_CREDIT, argument=credit, is_reversal=withdraws)
        elif record.status == ChainStatus.REJECTED:
            yield word(operation=REJECTED[topic])
        elif topic == GRADE or (said and not _is_rejected_elsewhere(record.attempt)):
            yield word(operation=NOT_REJECTED[topic], is_reversal=True)


def _credit(now_stands: ChainStatus, told: list[Delivery]) -> CreditStatus | None:
    """The requirement's state; None: as it was. Without a verdict, an earlier one does not go on either."""
    if now_stands in CREDIT_OF:
        return CREDIT_OF[now_stands]
    last = next((row for row in told if row.status != DeliveryStatus.SUPERSEDED), None)
    return CreditStatus.SUBMITTED if last is not None and last.argument in VERDICT_CREDITS else None


def _told(record: Record, hosts: Collection[int]) -> Sequence[Delivery]:
    """What the LMS was told about these attempts, and the candidate about the verdict, newest first. One statement."""
    asked = Q()
    if hosts:
        asked |= Q(kind=DeliveryKind.HOST, target_id__in=hosts)
    if mails.tells_verdict(record):
        asked |= mails.told_verdicts(record)
    if record.begun_now or not asked:
        return []
    return list(Delivery.objects.filter(asked, target=DeliveryTarget.ATTEMPT).order_by("-pk"))


def _first_in_course(record: Record) -> Attempt:
    """The person's first attempt in the course, locked: a certificate is the course's, whichever exam decides."""
    attempt = record.attempt
    mine = Attempt.objects.filter(user=attempt.user_id, exam__course_id=attempt.exam.course_id).order_by("pk")
    first_pk = mine.values_list("pk", flat=True)[0]
    held = {record.first.pk: record.first, attempt.pk: attempt}
    # By its key alone: a locking read that sorts and joins would lock more than this one row.
    return held.get(first_pk) or Attempt.objects.locked().get(pk=first_pk)


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
