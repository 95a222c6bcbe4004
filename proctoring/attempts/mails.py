"""Which mails a candidate is owed about an attempt. What is in them, and the sending: ``exchange/mail.py``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from django.db.models import Q

from proctoring.attempts.chains import UNDECIDED_ENDS, ChainStatus, Record
from proctoring.attempts.models import Attempt
from proctoring.conf import settings
from proctoring.exams.models import ExamType
from proctoring.outbox.corrections import Word
from proctoring.outbox.models import Delivery, DeliveryKind, Operation
from proctoring.outbox.services import MAIL_TOPIC, owed_mail, promise_mail


class MailName(StrEnum):
    """The value is the folder of the templates."""

    SUBMITTED = "submitted"
    VERIFIED = "verified"
    REJECTED = "rejected"
    SECOND_REVIEW = "second_review"
    RESUME_AUTHORISED = "resume_authorised"


VERDICTS = {
    ChainStatus.VERIFIED: MailName.VERIFIED,
    ChainStatus.REJECTED: MailName.REJECTED,
    ChainStatus.SECOND_REVIEW: MailName.SECOND_REVIEW,
}


def end(record: Record, *, now: datetime) -> Delivery | None:
    """The mail that an attempt has ended and waits for its review, where one is owed."""
    attempt = record.attempt
    if not (_is_end(record) and attempt.started_at is not None and _is_written_about(attempt)):
        return None
    return owed_mail(name=MailName.SUBMITTED, attempt=attempt, now=now)


def tells_verdict(record: Record) -> bool:
    """Whether the candidate may have to read another verdict after this step, or none."""
    return not record.begun_now and not _is_end(record) and _is_written_about(record.attempt)


def told_verdicts(record: Record) -> Q:
    """The mails about verdicts on this chain."""
    parts = [part.pk for part in record.chain]
    return Q(kind=DeliveryKind.MAIL, target_id__in=parts, argument__in=VERDICTS.values())


def words(record: Record, told: Sequence[Delivery]) -> Iterator[Word]:
    """One mail for each verdict on the whole chain; where it is not changed by this step, none."""
    if tells_verdict(record):
        verdict = VERDICTS.get(record.status)
        yield Word(
            attempt=record.chain[-1],
            topic=MAIL_TOPIC,
            told=[row for row in told if row.kind == DeliveryKind.MAIL],
            operation=Operation.SEND_MAIL if verdict else None,
            argument=verdict or "",
        )


def promise_resume(attempt: Attempt, *, now: datetime) -> None:
    """Staff let the candidate go on. The caller holds the attempt's lock."""
    if _is_written_about(attempt):
        promise_mail(name=MailName.RESUME_AUTHORISED, attempt=attempt, now=now)


def _is_written_about(attempt: Attempt) -> bool:
    return (
        settings.send_mail
        and attempt.taking_as_proctored
        and attempt.exam.exam_type in (ExamType.PROCTORED, ExamType.ONBOARDING)
    )


def _is_end(record: Record) -> bool:
    return record.ends_now and record.attempt.status in UNDECIDED_ENDS
