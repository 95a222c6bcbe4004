"""The attempts that were resumed one from another, and what they come to as a whole."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any

# Not functools': up to Python 3.11 that one makes all threads wait while one of them waits for a row's lock.
from django.utils.functional import cached_property

from proctoring.attempts.models import Attempt, RetryKind
from proctoring.attempts.states import OPEN, Status
from proctoring.exams.models import ExamType

ANNULLED = (Status.VOIDED, Status.ONBOARDING_RESET)
UNDECIDED_ENDS = frozenset({Status.SUBMITTED, Status.TIMED_OUT, Status.TERMINATED})


class ChainStatus(StrEnum):
    NONE = "none"
    """There is nothing that counts: voided, or reset."""
    OPEN = "open"
    SUBMITTED = "submitted"
    """Ended, and some part of it waits for its verdict."""
    SECOND_REVIEW = "second_review"
    VERIFIED = "verified"
    REJECTED = "rejected"
    DECLINED = "declined"
    EXPIRED = "expired"
    ERROR = "error"


class Record:
    """A person's attempts at one exam, read once, under the locks of those before this one.

    They are taken after the caller's own on ``attempt``, later before earlier, and end with the person's first: two
    parts of a chain that are decided at once follow one another, and the second sees what the first has done.
    """

    def __init__(self, attempt: Attempt, *, old: Status) -> None:
        """``old``: the status from which the attempt has come."""
        self.attempt = attempt
        self.ends_now = old in OPEN
        """Until now the attempt was open, so it is the person's newest."""
        self.begun_now = self.ends_now and attempt.number == 1
        """Nothing was ever said about this exam, for its first attempt ends only now."""

    @cached_property
    def earlier(self) -> list[Attempt]:
        """The person's attempts at the exam before this one, locked, the newest first. One statement, or none."""
        if self.attempt.number == 1:
            return []
        mine = Attempt.objects.filter(exam=self.attempt.exam_id, user=self.attempt.user_id)
        return list(mine.filter(number__lt=self.attempt.number).locked().order_by("-number"))

    @property
    def first(self) -> Attempt:
        """The person's first attempt at the exam, locked: what is owed about person and exam queues there."""
        return self.earlier[-1] if self.earlier else self.attempt

    @cached_property
    def chain(self) -> list[Attempt]:
        # Nobody gets a second attempt without a retry that was granted on the first.
        alone = self.attempt.number == 1 and not self.attempt.retry_kind
        if self.begun_now or alone or self.attempt.exam.exam_type != ExamType.PROCTORED:
            return [self.attempt]
        # The locks first: what another worker is about to decide must be in what is read.
        earlier = self.earlier
        if self.ends_now:
            # Nothing is later, and nobody can change what is earlier.
            return chain_among([self.attempt, *earlier])
        return newest_chain(exam_id=self.attempt.exam_id, user_id=self.attempt.user_id)

    @cached_property
    def status(self) -> ChainStatus:
        return chain_status(self.chain)


def committed_status(attempt: Attempt) -> ChainStatus:
    """What the chain of this attempt's person and exam comes to now. No lock."""
    if attempt.exam.exam_type != ExamType.PROCTORED:
        return chain_status([attempt])
    return chain_status(newest_chain(exam_id=attempt.exam_id, user_id=attempt.user_id))


def newest_chain(*, exam_id: int, user_id: Any) -> list[Attempt]:
    """The newest attempt and those that it continues, the earliest first. One statement, no lock."""
    rows = Attempt.objects.filter(exam=exam_id, user=user_id).order_by("-number")
    return chain_among(rows.only("exam", "user", "number", "status", "started_at", "resumed_from", "retry_kind"))


def chain_among(rows: Iterable[Attempt]) -> list[Attempt]:
    """The same of rows that are there already, a person's attempts at one exam, the newest first."""
    chain: list[Attempt] = []
    for row in rows:
        if not chain or chain[-1].resumed_from_id == row.pk:
            chain.append(row)
    return chain[::-1]


def chain_status(chain: Sequence[Attempt]) -> ChainStatus:
    """What a chain comes to, the earliest part first. Reads reviews only where an error is all that is in the way."""
    if not chain or (chain[-1].status == Status.VOIDED and chain[-1].retry_kind == RetryKind.FRESH):
        return ChainStatus.NONE
    parts = [part for part in chain if part.status not in ANNULLED]
    if not parts:
        return ChainStatus.NONE
    statuses = {part.status for part in parts}
    if Status.REJECTED in statuses:
        return ChainStatus.REJECTED
    if Status.SECOND_REVIEW_REQUIRED in statuses:
        return ChainStatus.SECOND_REVIEW
    if parts[-1].status == Status.DECLINED:
        return ChainStatus.DECLINED
    if Status(parts[-1].status) in OPEN:
        return ChainStatus.OPEN
    # What expired before its start was never sat.
    sat = [part for part in parts if part.status != Status.EXPIRED]
    if not sat:
        return ChainStatus.EXPIRED
    *earlier, last = sat
    if last.status == Status.ERROR:
        return ChainStatus.ERROR
    if last.status == Status.VERIFIED and all(_is_in_order(part) for part in earlier):
        return ChainStatus.VERIFIED
    return ChainStatus.SUBMITTED


def without_verdict(chain: Sequence[Attempt]) -> list[Attempt]:
    """The parts that ended and keep the whole from being verified, the earliest first. An error at the end of a chain
    waits for a resume, not for a verdict."""
    silent = {*ANNULLED, Status.EXPIRED, Status.DECLINED, Status.REJECTED, *OPEN}
    ended = [part for part in chain if part.status not in silent]
    if ended and ended[-1] is chain[-1] and ended[-1].status == Status.ERROR:
        ended.pop()
    return [part for part in ended if not _is_in_order(part)]


def _is_in_order(part: Attempt) -> bool:
    """Whether a part that was resumed speaks for the candidate. What broke off was watched as far as it went."""
    if part.status != Status.ERROR:
        return part.status == Status.VERIFIED
    if part.started_at is None:
        return True
    # By its word, not by its class: reviews are above attempts.
    newest = part.reviews.filter(source="vendor").order_by("-occurred_at", "-pk").values_list("status", flat=True)
    return newest.first() == "passed"
