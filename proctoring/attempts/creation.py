"""Creating an attempt: every reason to refuse has its own code, and the database lets one open attempt through."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from proctoring.allowances.computation import ledger_note, policy_with_exception
from proctoring.attempts import ledger, states
from proctoring.attempts.beginnings import Basis, first_entries, follow_changes
from proctoring.attempts.closing import is_over
from proctoring.attempts.due_dates import ask_host
from proctoring.attempts.ledger import closing_time_of
from proctoring.attempts.lifecycle import hears_of_attempts, move, promise, save, settle_deadline
from proctoring.attempts.models import Attempt, RetryKind
from proctoring.attempts.profiles import note_profile
from proctoring.attempts.states import Actor, Phase, Status
from proctoring.attempts.timing import EntryKind
from proctoring.attempts.versions import Versions, versions_together
from proctoring.errors import AttemptExists, CreationRefused
from proctoring.exams.models import Exam, ExamStatus, ExamType
from proctoring.host import PrerequisiteState, host
from proctoring.outbox.models import Operation
from proctoring.signals import announce, attempt_status_changed

if TYPE_CHECKING:
    from proctoring.host import User


class Refusal(StrEnum):
    """Why there is no attempt. The values are codes of the API."""

    EXAM_NOT_ACTIVE = "exam_not_active"
    NOT_OPEN_YET = "not_open_yet"
    PAST_DUE = "past_due"
    NOT_PERMITTED = "not_permitted"
    PREREQUISITES_PENDING = "prerequisites_pending"
    PREREQUISITES_FAILED = "prerequisites_failed"
    PREREQUISITES_DECLINED = "prerequisites_declined"
    OPT_OUT_NOT_ALLOWED = "opt_out_not_allowed"
    ATTEMPT_LIMIT_REACHED = "attempt_limit_reached"


def create_attempt(exam: Exam, user: User, *, proctored: bool = True, now: datetime | None = None) -> Attempt:
    """Create the person's next attempt at this exam; the vendor hears of it through the outbox.

    ``proctored=False`` on a proctored exam opts out: the attempt is declined in the same step, with the course's
    other unattempted proctored exams where the host cascades. Where a retry was granted, the new attempt continues
    it. A blocked attempt (``onboarding_*``) is voided and replaced: it never counts against the limit.

    Raises ``CreationRefused`` with a code of ``Refusal``, and ``AttemptExists`` where one is open, also when two
    requests race: the database's unique columns decide. Locks the previous attempt's row.
    """
    now = now or timezone.now()
    opts_out = exam.exam_type == ExamType.PROCTORED and not proctored
    refuse_by_exam(exam, user, now=now)
    # Asked before the lock: nobody knows how long the host needs.
    refused = _opt_out_refusal(exam) if opts_out else prerequisite_refusal(exam, user)
    with versions_together() as versions:
        # Locked, so that a staff reset and the candidate's next attempt do not both follow the same one.
        previous = Attempt.objects.locked().filter(exam=exam, user=user).order_by("-number").first()
        if previous is not None:
            previous.exam = exam
        basis = Basis(exam, user, previous)
        refuse_past_due(basis, now=now)
        if refused:
            raise refused
        if previous is not None:
            _make_way(previous, versions, now=now)
        others = cascade_opt_out(exam, user) if opts_out else []
        decline_unattempted((other for other in others if other.pk < exam.pk), user, versions, now=now)
        attempt = insert_attempt(basis, versions, opts_out=opts_out, now=now)
        if opts_out:
            reason = "opted out"
            move(attempt, Status.DECLINED, actor=Actor.CANDIDATE, by=user, now=now, reason=reason, versions=versions)
        decline_unattempted((other for other in others if other.pk > exam.pk), user, versions, now=now)
    return attempt


def refuse_by_exam(exam: Exam, user: User, *, now: datetime) -> None:
    """Raise what the person's right, the exam's status and its opening have to say, in this order. ``refuse_past_due``
    is what comes next."""
    if not user.is_active or not host().may_take(user, exam.course_id, exam.content_id):
        raise refusal(Refusal.NOT_PERMITTED, _("You do not have the right to take this exam."))
    if exam.status != ExamStatus.ACTIVE:
        raise refusal(Refusal.EXAM_NOT_ACTIVE, _("This exam is not active."))
    if exam.opens_at is not None and now < exam.opens_at:
        opens_at = exam.opens_at.isoformat()
        raise refusal(Refusal.NOT_OPEN_YET, _("This exam is not open yet."), opens_at=opens_at)


def refuse_past_due(basis: Basis, *, now: datetime) -> None:
    """Raise where it is too late for the person's next attempt. What is read for that is at hand for the attempt."""
    if is_over(basis, now=now):
        raise refusal(Refusal.PAST_DUE, _("This exam is past its due date."))


def _opt_out_refusal(exam: Exam) -> CreationRefused | None:
    if exam.allow_opt_out:
        return None
    return refusal(Refusal.OPT_OUT_NOT_ALLOWED, _("This exam cannot be taken without proctoring."))


def prerequisite_refusal(exam: Exam, user: User) -> CreationRefused | None:
    """What the host's prerequisites have against a proctored exam, the gravest first; None: nothing.

    ``data["prerequisites"]`` lists each unsatisfied one with ``name``, ``label``, ``state`` and ``url``.
    """
    if exam.exam_type != ExamType.PROCTORED:
        return None
    missing = [
        one
        for one in host().prerequisites(user, exam.course_id, exam.content_id)
        if one.state != PrerequisiteState.SATISFIED
    ]
    facts = [{"name": one.name, "label": one.label, "state": one.state.value, "url": one.url} for one in missing]
    for state, code, sentence in (
        (PrerequisiteState.FAILED, Refusal.PREREQUISITES_FAILED, _("A prerequisite of this exam was not met.")),
        (PrerequisiteState.DECLINED, Refusal.PREREQUISITES_DECLINED, _("A prerequisite of this exam was declined.")),
        (PrerequisiteState.PENDING, Refusal.PREREQUISITES_PENDING, _("A prerequisite of this exam is not met yet.")),
    ):
        if any(one.state == state for one in missing):
            return refusal(code, sentence, prerequisites=facts)
    return None


def refusal(code: Refusal, sentence: str, **data: object) -> CreationRefused:
    return CreationRefused(sentence, code=code.value, data=data)


def insert_attempt(basis: Basis, versions: Versions, *, opts_out: bool = False, now: datetime) -> Attempt:
    """Insert the next attempt with its first ledger entries and owe the vendor its registration.

    Raises ``AttemptExists`` when another request was faster. The caller has checked the rules and writes ``versions``.
    """
    exam, user, previous, rules = basis.exam, basis.user, basis.previous, basis.rules
    attempt = Attempt(
        exam=exam,
        user=user,
        number=previous.number + 1 if previous else 1,
        backend=exam.backend_alias,
        taking_as_proctored=exam.exam_type != ExamType.TIMED and not opts_out,
        personal_due_at=ask_host(exam, user),
        review_policy=policy_with_exception(exam.review_policy, rules),
        full_name=host().full_name(user)[:255],
    )
    given = first_entries(attempt, basis)
    attempt.total_seconds = sum(given.values())
    attempt.closes_at = closing_time_of(attempt, given.get(EntryKind.ALLOWANCE, 0))
    try:
        with transaction.atomic():
            save(attempt, by=user, reason="created", versions=versions)
    except IntegrityError as lost_race:
        raise AttemptExists(_("You already have an attempt at this exam.")) from lost_race
    ledger.open_account(attempt, given, at=now, note=ledger_note(rules))
    attempt.has_successor = False  # type: ignore[attr-defined]  # an annotation
    transaction.on_commit(partial(follow_changes, attempt, basis.allowances, now=now), robust=True)
    announce(attempt_status_changed, attempt=attempt, old="", new=Status.CREATED.value)
    note_profile(attempt, "", now=now)
    if hears_of_attempts(attempt):
        promise(attempt, Operation.REGISTER_ATTEMPT)
    return attempt


def cascade_opt_out(exam: Exam, user: User) -> list[Exam]:
    """The exams that are declined with this one where the host cascades: the course's other active proctored ones that
    the person may take and has not attempted, by primary key.

    One that does not offer to opt out is left alone: declined, it could neither be opened nor taken. One that is not
    this person's to take as well: declined, it would lie open to them.
    """
    if not host().cascades_opt_out(user, exam.course_id):
        return []
    others = (
        Exam.objects.active()
        .filter(course_id=exam.course_id, exam_type=ExamType.PROCTORED, allow_opt_out=True)
        .exclude(pk=exam.pk)
        .exclude(attempts__user=user)
        .order_by("pk")
    )
    return [other for other in others if host().may_take(user, other.course_id, other.content_id)]


def decline_unattempted(exams: Iterable[Exam], user: User, versions: Versions, *, now: datetime) -> None:
    """Decline these exams as system. One that the person has begun meanwhile stays as it is.

    Callers pass them by primary key: two cascades of one person then insert in one order and never wait in a circle.
    """
    for exam in exams:
        try:
            attempt = insert_attempt(Basis(exam, user, None), versions, opts_out=True, now=now)
        except AttemptExists:
            continue
        reason = "opted out of another exam"
        move(attempt, Status.DECLINED, actor=Actor.SYSTEM, by=user, now=now, reason=reason, versions=versions)


def _make_way(previous: Attempt, versions: Versions, *, now: datetime) -> None:
    """Refuse where the previous attempt stands in the way; void it where it was only blocked by onboarding."""
    if previous.traits.phase == Phase.BLOCKED:
        void_blocked(previous, actor=Actor.CANDIDATE, now=now, followed_in=versions)
        return
    settle_deadline(previous, now=now, versions=versions)
    if previous.status in states.OPEN:
        raise AttemptExists(_("You already have an attempt at this exam."), data={"attempt": previous.pk})
    if not previous.retry_kind and not previous.exam.is_sample:
        raise refusal(Refusal.ATTEMPT_LIMIT_REACHED, _("You have no further attempt at this exam."))


def void_blocked(attempt: Attempt, *, actor: Actor, now: datetime, followed_in: Versions | None = None) -> None:
    """Void a blocked attempt and leave a retry behind: it never ran, so it takes nothing from the candidate.

    ``followed_in``: of the transaction in which the candidate uses that retry at once.
    """
    attempt.retry_kind = RetryKind.RESUME
    attempt.retry_granted_at = now
    move(
        attempt,
        Status.VOIDED,
        actor=actor,
        now=now,
        reason="onboarding tried again",
        versions=followed_in,
        is_followed=followed_in is not None,
    )
