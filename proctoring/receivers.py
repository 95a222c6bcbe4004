"""The switchboard: which fact starts which task. The only module that imports ``tasks``."""

from __future__ import annotations

import logging
import time
from typing import Any

from celery import Task
from kombu.pools import producers

from proctoring import signals, tasks
from proctoring.attempts.states import OPEN, Status
from proctoring.bookings.states import Status as BookingStatus
from proctoring.exams.models import ExamType

logger = logging.getLogger(__name__)


QUIET_SECONDS = 15
"""After a failure nobody is woken for so long: the sweeps do without, and each try may cost the person who clicked."""

IMPATIENCE = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0, "socket_connect_timeout": 2}
"""Without these kombu tries for seconds to reach a broker that is away, ``retry=False`` or not."""

_away_until: dict[str, float] = {}


def _start(task: Task[Any, Any], *args: Any) -> None:
    """Send a wake-up. A broker that is away costs time, not the candidate's request: the sweeps find the row."""
    connection = task.app.connection_for_write(connect_timeout=2, transport_options=IMPATIENCE)
    broker = connection.as_uri()
    if time.monotonic() < _away_until.get(broker, 0):
        return
    try:
        with producers[connection].acquire(block=True, timeout=2) as producer:
            task.apply_async(args, retry=False, producer=producer)
    # kombu's transports raise each their own kinds; none of them may reach the person who clicked.
    except Exception as away:  # noqa: BLE001
        _away_until[broker] = time.monotonic() + QUIET_SECONDS
        logger.warning("could not wake %s: %s", task.name, type(away).__name__)


def _delivery_promised(**_: Any) -> None:
    _start(tasks.deliver_due)


def _message_received(**_: Any) -> None:
    _start(tasks.process_messages)


def _attempt_status_changed(*, attempt: Any, old: str, new: str, **_: Any) -> None:
    # From an error staff let an attempt end anew: what could not be applied then can be now.
    ends = new == Status.SUBMITTED if old == Status.ERROR else old in OPEN and new not in OPEN
    if ends and attempt.taking_as_proctored:
        _start(tasks.apply_kept_reviews, attempt.pk)
    if new == Status.VERIFIED and attempt.exam.exam_type == ExamType.ONBOARDING:
        _start(tasks.free_blocked_attempts)


def _booking_status_changed(*, new: str, **_: Any) -> None:
    if new == BookingStatus.SCHEDULED:
        _start(tasks.send_bookings)


def _booking_check_wanted(**_: Any) -> None:
    _start(tasks.check_bookings)


def _rating_announced(**_: Any) -> None:
    _start(tasks.read_ratings)


signals.delivery_promised.connect(_delivery_promised, dispatch_uid="proctoring.deliver")
signals.message_received.connect(_message_received, dispatch_uid="proctoring.process")
signals.attempt_registered.connect(_message_received, dispatch_uid="proctoring.process_waiting")
signals.attempt_status_changed.connect(_attempt_status_changed, dispatch_uid="proctoring.kept_reviews")
signals.booking_status_changed.connect(_booking_status_changed, dispatch_uid="proctoring.send_bookings")
signals.booking_check_wanted.connect(_booking_check_wanted, dispatch_uid="proctoring.check_bookings")
signals.rating_announced.connect(_rating_announced, dispatch_uid="proctoring.read_ratings")
