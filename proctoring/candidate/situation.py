"""Where one person stands at one exam at one moment: what the page, its state and the bar are made of. Reads only."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.utils.functional import cached_property

from proctoring.attempts.access import AccessDecision, current_attempt, decide
from proctoring.attempts.beginnings import Basis
from proctoring.attempts.chains import ChainStatus, committed_status
from proctoring.attempts.closing import closing_time_after
from proctoring.attempts.creation import Refusal, prerequisite_refusal, refuse_by_exam, refuse_past_due
from proctoring.attempts.due_dates import due_at_for, has_passed
from proctoring.attempts.models import Attempt, RetryKind
from proctoring.attempts.states import BLOCKED, OPEN, SETUP, TRAITS, Actor, Phase, Status, can_become
from proctoring.backends import backends
from proctoring.bookings.models import LiveSession
from proctoring.bookings.sessions import is_open, sessions_of
from proctoring.candidate.launch import Launch, read_launch, safe_link
from proctoring.candidate.screens import Screen, screen_for
from proctoring.conf import settings
from proctoring.errors import CreationRefused, UnknownBackend
from proctoring.exams.models import Exam, ExamType
from proctoring.host import host

if TYPE_CHECKING:
    from proctoring.host import User


VENDOR_PATIENCE = timedelta(minutes=1)


def look(exam: Exam, user: User, *, now: datetime) -> Situation:
    """Load the person's newest attempt. One statement, and what the host needs for its answers."""
    return Situation(exam=exam, user=user, attempt=current_attempt(exam, user), now=now)


@dataclass(frozen=True, kw_only=True)
class Situation:
    exam: Exam
    user: User
    attempt: Attempt | None
    now: datetime

    @cached_property
    def status(self) -> Status | None:
        """The status as a reader must see it; None without an attempt, or for a word that is none of ours."""
        try:
            return self.attempt.status_at(self.now) if self.attempt else None
        except ValueError:
            return None

    @cached_property
    def screen(self) -> Screen:
        if self.attempt is None:
            return Screen.UNAVAILABLE if self.refusal else Screen.ENTRANCE
        if self.status is None:
            return Screen.UNKNOWN
        if self.status in SETUP and not self.has_vendor:
            return Screen.READY
        if self.status == Status.SUBMITTED and self.exam.is_sample and not self.has_vendor:
            return Screen.DONE
        return screen_for(self.status, self.exam.exam_type)

    @cached_property
    def decision(self) -> AccessDecision | None:
        """What the content's door says; None where it cannot say anything."""
        if self.attempt is not None and self.status is None:
            return None
        return decide(self.exam, self.user, self.attempt, self.now)

    @property
    def allowed(self) -> bool:
        return self.decision is not None and self.decision.allowed

    @property
    def read_only(self) -> bool:
        return self.decision is not None and self.decision.allowed and self.decision.read_only

    @cached_property
    def content_url(self) -> str:
        """Where the questions are, while they are open to this person."""
        return host().exam_url(self.exam.course_id, self.exam.content_id) if self.allowed else ""

    @cached_property
    def course_url(self) -> str:
        return host().course_url(self.exam.course_id)

    @cached_property
    def launch(self) -> Launch:
        return read_launch(self.attempt.launch_data) if self.attempt else Launch()

    @cached_property
    def session(self) -> LiveSession | None:
        """The live session that is on or comes next, as long as there is something to be watched."""
        over = self.attempt is not None and (self.status is None or self.status not in OPEN)
        if (over and not self.next_step) or not self._vendor_says("takes_live_bookings", otherwise=False):
            return None
        mine = sessions_of(self.user, exam=self.exam)
        return next((one for one in mine if one.booking.reserved_until > self.now), None)

    @property
    def session_link(self) -> str:
        """The way into the live session, while its room is open."""
        if self.session is None or not is_open(self.session, self.now):
            return ""
        return safe_link(self.session.join_url)

    @cached_property
    def has_vendor(self) -> bool:
        """Whether there is something to set up before the start."""
        return self._vendor_says("registers_attempts", otherwise=True)

    @cached_property
    def waits_for_vendor(self) -> bool:
        """Whether the start is open only once the vendor has said so."""
        return self._vendor_says("announces_readiness", otherwise=True)

    @cached_property
    def refusal(self) -> CreationRefused | None:
        """Why a new attempt could not be created now, limits aside."""
        try:
            refuse_by_exam(self.exam, self.user, now=self.now)
            refuse_past_due(Basis(self.exam, self.user, self.attempt), now=self.now)
        except CreationRefused as refused:
            return refused
        return prerequisite_refusal(self.exam, self.user)

    @cached_property
    def next_step(self) -> str:
        """The action that leads to another attempt: ``begin``, ``restart`` or nothing."""
        if self.attempt is None:
            return "begin"
        if self.status is None:
            return ""
        if TRAITS[self.status].phase == Phase.BLOCKED:
            return "begin"
        if self.exam.is_sample:
            # A verified attempt is kept as it is: the next one stands beside it.
            return "begin" if self.status == Status.VERIFIED else "restart"
        return "begin" if self.status not in OPEN and self.attempt.retry_kind else ""

    @property
    def freed(self) -> bool:
        """Onboarding stood in the way until the system annulled this attempt: nobody of the staff did."""
        attempt = self.attempt
        granted = attempt is not None and attempt.retry_kind == RetryKind.RESUME and attempt.retry_granted_by_id is None
        return granted and self.status == Status.VOIDED

    @property
    def ran_out(self) -> bool:
        """The time handed in, nobody did, whether or not a sweep has written that down."""
        attempt = self.attempt
        if attempt is None or self.status not in (Status.SUBMITTED, Status.TIMED_OUT) or attempt.submitted_at:
            return False
        return attempt.ended_by_deadline or attempt.is_overdue(self.now)

    @property
    def vendor_is_late(self) -> bool:
        """How to begin has not come for so long that the candidate should hear why."""
        attempt = self.attempt
        if attempt is None or self.screen != Screen.INSTRUCTIONS or self.launch.present:
            return False
        return self.now - attempt.created_at >= VENDOR_PATIENCE

    @cached_property
    def whole(self) -> ChainStatus | None:
        """What this verified attempt comes to with those that it continues; None where it continues none."""
        if self.attempt is None or self.attempt.resumed_from_id is None or self.status != Status.VERIFIED:
            return None
        return committed_status(self.attempt)

    @cached_property
    def escalation_email(self) -> str:
        return host().escalation_email(self.exam.course_id)

    @property
    def may_decline(self) -> bool:
        """Whether the exam offers this person to go without proctoring now."""
        if self.exam.exam_type != ExamType.PROCTORED or not self.exam.allow_opt_out:
            return False
        if self.status is not None and self.status in OPEN - BLOCKED:
            return can_become(self.status, Status.DECLINED, Actor.CANDIDATE)
        blocked = self.refusal is not None and self.refusal.code not in _PREREQUISITES
        return self.next_step == "begin" and not blocked

    @property
    def may_report_error(self) -> bool:
        return self.status is not None and can_become(self.status, Status.ERROR, Actor.CANDIDATE)

    @property
    def may_acknowledge(self) -> bool:
        if self.attempt is None or self.status is None:
            return False
        return self.status not in OPEN and self.attempt.acknowledged_at is None

    @property
    def seconds_left(self) -> int | None:
        return self.attempt.seconds_left(self.now) if self.attempt and self.status else None

    @property
    def total_seconds(self) -> int:
        return self.attempt.total_seconds if self.attempt else self.exam.time_limit_minutes * 60

    @property
    def low_seconds(self) -> int:
        return int(self.total_seconds * settings.low_threshold)

    @property
    def critical_seconds(self) -> int:
        return int(self.total_seconds * settings.critical_threshold)

    @cached_property
    def due_at(self) -> datetime | None:
        """The date that counts for this person; past it, for who has not begun, with what they were granted."""
        due_at = due_at_for(self.exam, self.user, self.attempt)
        if self.attempt is None and has_passed(due_at, self.now):
            return closing_time_after(Basis(self.exam, self.user, None))
        return due_at

    @property
    def less_time(self) -> bool:
        """Whether the exam closes before the full time would be over, if it began now."""
        closes_at = self.attempt.closes_at if self.attempt else self.due_at
        return closes_at is not None and (closes_at - self.now).total_seconds() < self.total_seconds

    @cached_property
    def page_version(self) -> str:
        """Changes whenever the candidate's page would look different."""
        attempt = self.attempt
        return _digest(
            self.screen.value,
            attempt and (attempt.pk, self.status, attempt.retry_kind, attempt.acknowledged_at),
            self.launch,
            self.session and (self.session.pk, self.session_link, self.session.joined_at),
            self.allowed,
            self.whole,
            self.vendor_is_late,
            self.refusal.code if self.next_step and self.refusal else "",
        )

    @cached_property
    def content_version(self) -> str:
        """Changes whenever the questions open, close or can no longer be answered, or belong to another attempt."""
        return _digest(self.attempt and self.attempt.pk, self.allowed, self.read_only)

    def _vendor_says(self, flag: str, *, otherwise: bool) -> bool:
        if self.exam.exam_type == ExamType.TIMED or (self.attempt and not self.attempt.taking_as_proctored):
            return False
        try:
            return bool(getattr(backends[self.attempt.backend if self.attempt else self.exam.backend_alias], flag))
        except UnknownBackend:
            return otherwise


_PREREQUISITES = frozenset(
    {Refusal.PREREQUISITES_PENDING, Refusal.PREREQUISITES_FAILED, Refusal.PREREQUISITES_DECLINED}
)


def _digest(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]
