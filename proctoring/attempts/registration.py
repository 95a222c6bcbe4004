"""What the vendor answered about an attempt: its id, why there is none, and how the candidate begins."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

from django.utils import timezone

from proctoring.attempts.lifecycle import locked, move, promise, save
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Actor, Phase, Status
from proctoring.backends.types import LaunchData, RegisteredAttempt
from proctoring.inbox.services import wake_waiting
from proctoring.outbox.models import Operation
from proctoring.signals import announce, attempt_registered


def record_registration(attempt: Attempt, answer: RegisteredAttempt, *, now: datetime | None = None) -> Attempt:
    """Keep what the vendor answered to the registration: its id, or the reason why there is none.

    An attempt that has ended meanwhile still gets its id, so that the calls which wait behind can go out.
    """
    now = now or timezone.now()
    with locked(attempt, now=now) as row:
        if answer.blocked is not None:
            _block(row, Status(answer.blocked.value), now=now)
            return row
        if not row.external_id:
            row.external_id = answer.external_id
            if answer.launch is not None:
                row.launch_data = asdict(answer.launch)  # type: ignore[assignment]  # the package is not typed
            save(row, by=None, reason="registered with the vendor")
            # The vendor may have been faster than its own answer.
            wake_waiting(row.backend, [answer.external_id], now=now)
            if answer.launch is None and row.traits.phase == Phase.SETUP:
                promise(row, Operation.FETCH_LAUNCH)
            announce(attempt_registered, attempt=row)
    return row


def _block(row: Attempt, why: Status, *, now: datetime) -> None:
    if row.status == Status.CREATED:
        move(row, why, actor=Actor.VENDOR, now=now, reason="answer to registration")
    elif row.traits.phase == Phase.SETUP:
        # The candidate was faster than the answer, and the table has no step back: as after a refusal.
        move(row, Status.ERROR, actor=Actor.VENDOR, now=now, reason=f"registration answered {why.value}")


def record_refused_registration(attempt: Attempt, *, reason: str, now: datetime | None = None) -> Attempt:
    """The vendor will not have this attempt: end it in ``error`` while it has not begun, so that nobody waits."""
    now = now or timezone.now()
    with locked(attempt, now=now) as row:
        if row.traits.phase == Phase.SETUP:
            move(row, Status.ERROR, actor=Actor.VENDOR, now=now, reason=f"registration refused: {reason}")
    return row


def record_launch(attempt: Attempt, launch: LaunchData, *, now: datetime | None = None) -> Attempt:
    """Keep what the candidate needs in order to begin."""
    now = now or timezone.now()
    with locked(attempt, now=now) as row:
        row.launch_data = asdict(launch)  # type: ignore[assignment]  # the package is not typed
        save(row, by=None, reason="launch data fetched")
    return row
