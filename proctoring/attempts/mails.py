"""Which mails a candidate is owed about an attempt. What is in them, and the sending: ``exchange/mail.py``."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from proctoring.attempts.chains import UNDECIDED_ENDS, ChainStatus, Record
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import OPEN, Status
from proctoring.conf import settings
from proctoring.exams.models import ExamType
from proctoring.outbox.corrections import Word, unheard
from proctoring.outbox.models import Delivery, DeliveryKind, DeliveryTarget, Operation
from proctoring.outbox.services import promise_mail


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


def follow(record: Record, *, old: Status, now: datetime) -> None:
    """An attempt has taken a step: promise what the candidate is to read of it, take back what no longer holds."""
    attempt = record.attempt
    if not _is_written_about(attempt):
        return
    if old in OPEN and attempt.status in UNDECIDED_ENDS:
        if attempt.started_at is not None:
            promise_mail(name=MailName.SUBMITTED, attempt=attempt, now=now)
    elif not record.begun_now:
        _tell_verdict(record, now=now)


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


def _tell_verdict(record: Record, *, now: datetime) -> None:
    """One mail for each verdict on the whole chain; where it is not changed by this step, none."""
    verdict = VERDICTS.get(record.status)
    told = Delivery.objects.filter(
        kind=DeliveryKind.MAIL,
        target=DeliveryTarget.ATTEMPT,
        target_id__in=[part.pk for part in record.chain],
        argument__in=VERDICTS.values(),
    )
    operation = Operation.SEND_MAIL if verdict else None
    word = Word(told=list(told.order_by("-pk")), operation=operation, argument=verdict or "")
    for must_be_said in unheard([word]):
        promise_mail(name=must_be_said.argument, attempt=record.chain[-1], now=now)
