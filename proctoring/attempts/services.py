"""The lifecycle of an attempt: one function for each thing that can be done to it. All take the row lock.

Each returns the attempt as it is afterwards and raises ``IllegalTransition`` where the table has no such step. An
attempt whose deadline has passed is ended at that deadline before anything else is looked at.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING

from django.utils import timezone
from django.utils.translation import gettext as _

from proctoring.attempts import ledger
from proctoring.attempts.chronicle import note_time
from proctoring.attempts.creation import (
    Refusal,
    cascade_opt_out,
    decline_unattempted,
    prerequisite_refusal,
    refusal,
)
from proctoring.attempts.lifecycle import locked, move, refuse_own, save
from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.retries import has_successor, restart_sample, withdraw_retry
from proctoring.attempts.states import DECIDED, ENDED, OPEN, SETUP, Actor, Phase, Status, can_become
from proctoring.attempts.timing import EntryKind, pause_seconds
from proctoring.attempts.versions import versions_together
from proctoring.backends import backends
from proctoring.errors import Conflict, IllegalTransition, UnknownBackend
from proctoring.exams.models import ExamStatus, ExamType
from proctoring.signals import announce, deadline_changed

if TYPE_CHECKING:
    from proctoring.host import User


def launch_software(attempt: Attempt, *, by: User, now: datetime | None = None) -> Attempt:
    """The candidate went for the vendor's software. Once is enough: a second click changes nothing."""
    now = now or timezone.now()
    with locked(attempt, now=now) as row:
        if row.status != Status.DOWNLOAD_SOFTWARE_CLICKED:
            move(row, Status.DOWNLOAD_SOFTWARE_CLICKED, actor=Actor.CANDIDATE, by=by, now=now)
    return row


def start_attempt(attempt: Attempt, *, by: User, now: datetime | None = None) -> Attempt:
    """Start the clock, or go back to work from ``ready_to_submit``.

    Where the vendor announces readiness, only a ready attempt starts. A prerequisite that has failed since the
    attempt was created declines it as system: the returned status says so. Raises ``CreationRefused`` where the
    exam has been closed, or a prerequisite is pending.
    """
    now = now or timezone.now()
    # Asked before the lock: nobody knows how long the host needs.
    refused = prerequisite_refusal(attempt.exam, attempt.user) if attempt.status in SETUP else None
    with locked(attempt, now=now) as row:
        if row.status not in SETUP:
            move(row, Status.STARTED, actor=Actor.CANDIDATE, by=by, now=now)
            return row
        _refuse_early_start(row, now=now)
        if refused and refused.code == Refusal.PREREQUISITES_PENDING:
            raise refused
        if refused:
            move(row, Status.DECLINED, actor=Actor.SYSTEM, by=by, now=now, reason=refused.code)
            return row
        ledger.start_clock(row, at=now)
        move(row, Status.STARTED, actor=Actor.CANDIDATE, by=by, now=now)
    return row


def _refuse_early_start(row: Attempt, *, now: datetime) -> None:
    if row.exam.status != ExamStatus.ACTIVE:
        raise refusal(Refusal.EXAM_NOT_ACTIVE, _("This exam is not active."))
    if row.exam.opens_at is not None and now < row.exam.opens_at:
        raise refusal(Refusal.NOT_OPEN_YET, _("This exam is not open yet."))
    if row.status == Status.READY_TO_START or not row.taking_as_proctored:
        return
    try:
        waits = backends[row.backend].announces_readiness
    except UnknownBackend:
        waits = True
    if waits:
        raise IllegalTransition(_("The proctoring software is not ready yet."))


def stop_attempt(attempt: Attempt, *, by: User, now: datetime | None = None) -> Attempt:
    """The candidate is about to hand in. The clock goes on."""
    return _step(attempt, Status.READY_TO_SUBMIT, actor=Actor.CANDIDATE, by=by, now=now)


def submit_attempt(
    attempt: Attempt, *, by: User | None, actor: Actor = Actor.CANDIDATE, reason: str = "", now: datetime | None = None
) -> Attempt:
    """Hand in. Where the deadline was faster, the attempt has ended already and is returned as it is."""
    now = now or timezone.now()
    with locked(attempt, now=now) as row:
        if row.ended_by_deadline and row.status in ENDED | DECIDED:
            return row
        row.submitted_at = now
        move(row, Status.SUBMITTED, actor=actor, by=by, now=now, reason=reason)
    return row


def decline_attempt(attempt: Attempt, *, by: User, now: datetime | None = None) -> Attempt:
    """Take the exam without proctoring, with the cascade of the host.

    Raises ``CreationRefused`` (``opt_out_not_allowed``) where the exam does not offer that; only proctored ones do.
    """
    now = now or timezone.now()
    exam = attempt.exam
    if exam.exam_type != ExamType.PROCTORED or not exam.allow_opt_out:
        raise refusal(Refusal.OPT_OUT_NOT_ALLOWED, _("This exam cannot be taken without proctoring."))
    with locked(attempt, now=now) as row, versions_together() as versions:
        row.taking_as_proctored = False
        move(row, Status.DECLINED, actor=Actor.CANDIDATE, by=by, now=now, reason="opted out", versions=versions)
        decline_unattempted(cascade_opt_out(exam, row.user), row.user, versions, now=now)
    return row


def report_error(
    attempt: Attempt, *, by: User | None, actor: Actor, detail: str = "", now: datetime | None = None
) -> Attempt:
    """Something broke beyond repair: the attempt ends in ``error``. Only staff can authorise a resume."""
    return _step(attempt, Status.ERROR, actor=actor, by=by, reason=f"error: {detail}", now=now)


def acknowledge(attempt: Attempt, *, by: User, now: datetime | None = None) -> Attempt:
    """The candidate has seen how the attempt ended. Raises ``Conflict`` (``not_ended``) while it has not."""
    now = now or timezone.now()
    with locked(attempt, now=now) as row:
        if row.traits.open:
            raise Conflict(_("This attempt has not ended."), code="not_ended")
        if row.acknowledged_at is None:
            row.acknowledged_at = now
            save(row, by=by, reason="acknowledged")
    return row


def pause_attempt(
    attempt: Attempt, *, by: User | None, actor: Actor, reason: str = "", now: datetime | None = None
) -> Attempt:
    """Stop the clock. The exam's own closing time still ends a pause that nobody ends."""
    now = now or timezone.now()
    with locked(attempt, now=now) as row:
        row.paused_at, row.expires_at = now, None
        move(row, Status.PAUSED, actor=actor, by=by, now=now, reason=reason)
        announce(deadline_changed, attempt=row)
    return row


def resume_attempt(
    attempt: Attempt,
    *,
    by: User | None,
    actor: Actor,
    reason: str = "",
    reason_code: int | None = None,
    now: datetime | None = None,
) -> Attempt:
    """Start the clock again and write the pause into the ledger."""
    now = now or timezone.now()
    with locked(attempt, now=now) as row:
        if row.status != Status.PAUSED or row.paused_at is None:
            raise IllegalTransition(_("Only a paused attempt can be resumed."))
        seconds, row.paused_at = pause_seconds(row.paused_at, now), None
        ledger.post(row, EntryKind.PAUSE, seconds, at=now, by=by, reason_code=reason_code, note=reason)
        why = ": ".join(str(part) for part in (reason_code, reason) if part)
        move(row, Status.STARTED, actor=actor, by=by, now=now, reason=why)
        announce(deadline_changed, attempt=row)
    return row


def terminate_attempt(
    attempt: Attempt, *, by: User | None, actor: Actor, reason: str = "", now: datetime | None = None
) -> Attempt:
    """End the attempt against the candidate's will, also before the start (refused at check-in)."""
    return _step(attempt, Status.TERMINATED, actor=actor, by=by, reason=reason, now=now)


def void_attempt(
    attempt: Attempt, *, by: User | None, actor: Actor, reason: str = "", now: datetime | None = None
) -> Attempt:
    """Annul the attempt without granting another: a retry that was granted and not used yet goes with it."""
    now = now or timezone.now()
    with locked(attempt, now=now) as row:
        withdraw_retry(row)
        move(row, Status.VOIDED, actor=actor, by=by, now=now, reason=reason)
    return row


def mark_ready(
    attempt: Attempt, *, by: User | None, actor: Actor, reason: str = "", now: datetime | None = None
) -> Attempt:
    """The vendor, or staff in its place, says that the candidate may start."""
    return _step(attempt, Status.READY_TO_START, actor=actor, by=by, reason=reason or "ready", now=now)


def extend_time(
    attempt: Attempt, *, minutes: int, by: User, reason_code: int, note: str, now: datetime | None = None
) -> Attempt:
    """Grant extra minutes to an attempt that has not ended."""
    return _write_time(
        attempt, EntryKind.EXTRA_TIME, minutes * 60, by=by, reason_code=reason_code, note=note, now=now, open_only=True
    )


def correct_time(
    attempt: Attempt, *, seconds: int, by: User, reason_code: int | None, note: str, now: datetime | None = None
) -> Attempt:
    """Staff correct the ledger, in either direction, until the attempt is decided."""
    return _write_time(attempt, EntryKind.CORRECTION, seconds, by=by, reason_code=reason_code, note=note, now=now)


def reverse_time(
    attempt: Attempt,
    *,
    entry: TimeEntry,
    by: User,
    reason_code: int | None,
    note: str,
    now: datetime | None = None,
) -> Attempt:
    """Take one entry back. Raises as ``ledger.reverse`` does."""
    now = now or timezone.now()
    refuse_own(attempt, by)
    with locked(attempt, now=now) as row:
        _refuse_closed_account(row)
        ledger.reverse(row, entry, at=now, by=by, reason_code=reason_code, note=note)
        save(row, by=by, reason=f"time entry reversed: {note}")
        note_time(row, EntryKind(entry.kind), -entry.seconds, by=by, reason_code=reason_code, note=note, now=now)
        announce(deadline_changed, attempt=row)
    return row


def decide_outage(
    attempt: Attempt,
    *,
    entry: TimeEntry,
    accept: bool,
    by: User,
    reason_code: int | None,
    note: str,
    now: datetime | None = None,
) -> Attempt:
    """Staff grant or refuse the time that an outage proposes. Raises ``Conflict`` (``not_proposed``) where nothing
    waits for a decision, (``attempt_closed``) as every change of time does."""
    now = now or timezone.now()
    refuse_own(attempt, by)
    with locked(attempt, now=now) as row:
        _refuse_closed_account(row)
        seconds = ledger.decide(row, entry, accept=accept)
        word = "granted" if accept else "refused"
        save(row, by=by, reason=f"outage of {entry.seconds} s {word}: {note}")
        note_time(row, EntryKind.OUTAGE, seconds, by=by, reason_code=reason_code, note=note, now=now)
        announce(deadline_changed, attempt=row)
    return row


def change_status(
    attempt: Attempt, new: Status, *, by: User, actors: Collection[Actor], reason: str, now: datetime | None = None
) -> Attempt:
    """An administrator wants this status: do what leads there, under the same rules as every door.

    ``actors`` are the capacities that the person has. Raises ``IllegalTransition``.
    """
    able = [actor for actor in (Actor.STAFF, Actor.REVIEWER, Actor.PROCTOR) if actor in actors]
    actor = next((one for one in able if can_become(attempt.status, new, one)), None)
    if actor is None:
        raise IllegalTransition(
            _("An attempt that is “%(old)s” cannot become “%(new)s” here.")
            % {"old": attempt.get_status_display(), "new": Status(new).label}
        )
    if new == Status.PAUSED:
        return pause_attempt(attempt, by=by, actor=actor, reason=reason, now=now)
    if new == Status.STARTED:
        return resume_attempt(attempt, by=by, actor=actor, reason=reason, now=now)
    if new == Status.SUBMITTED and attempt.status in OPEN:
        return submit_attempt(attempt, by=by, actor=actor, reason=reason, now=now)
    if new == Status.VOIDED:
        return void_attempt(attempt, by=by, actor=actor, reason=reason, now=now)
    if new == Status.ONBOARDING_RESET:
        restart_sample(attempt, actor=actor, by=by, reason=reason, now=now)
        attempt.refresh_from_db()
        return attempt
    return _step(attempt, new, actor=actor, by=by, reason=reason, now=now)


def _step(
    attempt: Attempt,
    new: Status,
    *,
    actor: Actor,
    by: User | None,
    reason: str = "",
    now: datetime | None = None,
) -> Attempt:
    now = now or timezone.now()
    with locked(attempt, now=now) as row:
        move(row, new, actor=actor, by=by, now=now, reason=reason)
    return row


def _write_time(
    attempt: Attempt,
    kind: EntryKind,
    seconds: int,
    *,
    by: User,
    reason_code: int | None,
    note: str,
    now: datetime | None,
    open_only: bool = False,
) -> Attempt:
    now = now or timezone.now()
    refuse_own(attempt, by)
    with locked(attempt, now=now) as row:
        _refuse_closed_account(row, open_only=open_only)
        ledger.post(row, kind, seconds, at=now, by=by, reason_code=reason_code, note=note)
        save(row, by=by, reason=f"{kind.value} {seconds:+d} s: {note}")
        note_time(row, kind, seconds, by=by, reason_code=reason_code, note=note, now=now)
        announce(deadline_changed, attempt=row)
    return row


def _refuse_closed_account(row: Attempt, *, open_only: bool = False) -> None:
    if row.traits.phase in (Phase.DECIDED, Phase.CLOSED) or (open_only and not row.traits.open):
        raise Conflict(_("The time of this attempt can no longer be changed."), code="attempt_closed")
    # What was left has been carried over: a correction here would reach nobody.
    if not row.traits.open and has_successor(row):
        raise Conflict(_("A newer attempt goes on with this time: correct that one."), code="attempt_closed")
