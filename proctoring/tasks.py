"""Celery tasks: claim, call one service, go on until nothing is due. Rows are the truth; a lost task costs time only.

Each may run any number of times, at once, and be killed at any moment.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from celery import shared_task
from django.utils import timezone

from proctoring.attempts.deadlines import end_overdue
from proctoring.attempts.models import Attempt
from proctoring.attempts.onboarding import blocked_in_vain, free_blocked
from proctoring.attempts.sealing import seal_due
from proctoring.exchange import batches, bookings, deliveries
from proctoring.exchange.lists import VendorList
from proctoring.exchange.live import RatingList, SessionList
from proctoring.exchange.onboarding import OnboardingList
from proctoring.idempotency.services import forget_old
from proctoring.inbox import services as inbox
from proctoring.monitoring.silence import notice_silence, notice_unheard, stop_waiting
from proctoring.outbox import services as outbox
from proctoring.privacy.retention import Sweep
from proctoring.reviews.services import apply_kept_review, attempts_with_waiting_review

logger = logging.getLogger(__name__)

CLAIM = 10
"""Rows a worker takes at once."""

MESSAGES = 30
"""Messages a worker takes at once: those that many say alike cost less together."""

SEND = 50
"""Bookings in one call."""

RUN_SECONDS = 20
"""After so long a task ends and leaves the rest to the next run: other tasks wait in the same queue."""

DAILY_RUN_SECONDS = 300
"""For a task that has only one run a day."""

OPTIONS: dict[str, Any] = {
    "ignore_result": True,
    "acks_late": True,
    "reject_on_worker_lost": True,
    # A plugin that hangs for ever takes one process for ten minutes, not the whole worker.
    "time_limit": 600,
}


@shared_task(name="proctoring.deliver_due", **OPTIONS)
def deliver_due() -> int:
    """Carry out what the outbox owes and is due. Returns how many calls were made or decided."""
    done = 0
    time_left = _while_there_is_time()
    for now in time_left:
        claimed = outbox.claim_due(now=now, limit=CLAIM)
        if not claimed:
            break
        for delivery in claimed:
            if next(time_left, None) is None:
                deliveries.give_back(delivery)
                continue
            deliveries.carry_out(delivery)
            done += 1
    return done


@shared_task(name="proctoring.process_messages", **OPTIONS)
def process_messages() -> int:
    """Process what the inbox holds and is due. Returns how many messages were looked at."""
    done = 0
    for now in _while_there_is_time():
        claimed = inbox.claim_due(now=now, limit=MESSAGES)
        if not claimed:
            break
        batches.process_batch(claimed)
        done += len(claimed)
    return done


@shared_task(name="proctoring.send_bookings", **OPTIONS)
def send_bookings() -> int:
    """Send what is scheduled, many bookings in a call. Returns how many were looked at."""
    return _each_vendor(bookings.send_batch, SEND)


@shared_task(name="proctoring.check_bookings", **OPTIONS)
def check_bookings() -> int:
    """Ask vendors about the bookings that wait for an answer. Returns how many were looked at."""
    return _each_vendor(bookings.check_batch, CLAIM)


@shared_task(name="proctoring.read_sessions", **OPTIONS)
def read_sessions() -> int:
    """Read the vendors' lists of live sessions. Returns the pages."""
    return _read(SessionList())


@shared_task(name="proctoring.read_ratings", **OPTIONS)
def read_ratings() -> int:
    """Read the vendors' lists of ratings, each from where it was left. Returns the pages."""
    return _read(RatingList())


@shared_task(name="proctoring.end_overdue_attempts", **OPTIONS)
def end_overdue_attempts() -> None:
    """End attempts whose deadline has passed, each at its own deadline.

    Silence is looked for before: the deadline of a candidate who is out of reach may have to wait.
    """
    stop_waiting()
    for sweep in (notice_silence, end_overdue, notice_unheard):
        last: int | None = 0
        for now in _while_there_is_time():
            last = sweep(now=now, after=last or 0)
            if last is None:
                break


@shared_task(name="proctoring.seal_logs", **OPTIONS)
def seal_logs() -> None:
    """Seal the logs of attempts in which nothing has happened for a day."""
    last: int | None = 0
    for now in _while_there_is_time():
        last = seal_due(now=now, after=last or 0)
        if last is None:
            break


@shared_task(name="proctoring.apply_kept_reviews", **OPTIONS)
def apply_kept_reviews(attempt_id: int | None = None) -> int:
    """Apply reviews that came before their attempt had ended: of one attempt, or of all that have ended since."""
    waiting = attempts_with_waiting_review()
    if attempt_id is not None:
        waiting = Attempt.objects.filter(pk=attempt_id)
    applied = 0
    for _, attempt in zip(_while_there_is_time(), waiting.order_by("pk"), strict=False):
        try:
            applied += apply_kept_review(attempt) is not None
        # One attempt whose host or receivers raise must not keep the others waiting.
        except Exception:
            logger.exception("the review of attempt %s could not be applied", attempt.pk)
    return applied


@shared_task(name="proctoring.read_onboarding_lists", **OPTIONS)
def read_onboarding_lists() -> int:
    """Read what vendors say of their candidates' onboarding, each list from where it was left. Returns the pages."""
    return _read(OnboardingList())


@shared_task(name="proctoring.free_blocked_attempts", **OPTIONS)
def free_blocked_attempts() -> int:
    """Annul attempts for which onboarding stood in the way and does not any more, so that their candidates go on."""
    now = timezone.now()
    return free_blocked(blocked_in_vain(now), now=now)


@shared_task(name="proctoring.forget_idempotency_records", **OPTIONS)
def forget_idempotency_records() -> int:
    """Drop idempotency records that are older than a day."""
    return forget_old(now=timezone.now())


@shared_task(name="proctoring.apply_retention", **OPTIONS)
def apply_retention() -> int:
    """Empty what has been kept long enough. What there was no time for goes the next day."""
    sweep = Sweep()
    for _ in zip(_while_there_is_time(DAILY_RUN_SECONDS), sweep.batches(), strict=False):
        pass
    return sweep.counts.total()


def _each_vendor(work: Callable[..., int], limit: int) -> int:
    """Let each vendor have its turn, batch by batch, until nothing is due or there is no time left."""
    done = 0
    time_left = _while_there_is_time()
    for alias in bookings.vendors_with_bookings():
        for _ in time_left:
            claimed = work(alias, limit=limit)
            done += claimed
            if claimed < limit:
                break
    return done


def _read(vendors_list: VendorList) -> int:
    pages = 0
    time_left = _while_there_is_time()
    for alias in vendors_list.vendors():
        for now in time_left:
            pages += 1
            if not vendors_list.read_next_page(alias, now=now):
                break
    return pages


def _while_there_is_time(seconds: float | None = None) -> Iterator[datetime]:
    """Yield the time of day until ``seconds``, by default ``RUN_SECONDS``, are over."""
    end = time.monotonic() + (RUN_SECONDS if seconds is None else seconds)
    while time.monotonic() < end:
        yield timezone.now()
