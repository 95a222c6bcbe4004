"""Messages that were claimed at once: what many of them say alike is taken in together, the rest one by one."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from proctoring.backends import backends
from proctoring.backends.live import SessionJoined
from proctoring.bookings.session_news import News, Taken, take_in_news
from proctoring.errors import LeaseLost
from proctoring.exchange.processing import process, refuse_impossible_moments
from proctoring.inbox import services as inbox
from proctoring.inbox.models import WebhookMessage

logger = logging.getLogger(__name__)

Told = tuple[WebhookMessage, SessionJoined]


def process_batch(messages: Sequence[WebhookMessage]) -> None:
    """Process what this worker has claimed. Never raises for what the messages say.

    Vendors open the sessions of a whole booking in one moment and say so in a message for each: such messages cost a
    batch what else each would cost. What does not simply apply is looked at alone, as if there were no batches.
    """
    told: dict[str, list[Told]] = {}
    for message in messages:
        if (event := _joined(message)) is not None:
            told.setdefault(message.backend, []).append((message, event))
    done: set[int] = set()
    for backend, some in told.items():
        if len(some) > 1:
            done |= _take_in(backend, some)
    for message in messages:
        if message.pk not in done:
            process(message)


def _joined(message: WebhookMessage) -> SessionJoined | None:
    """What the message says, where that is one session and nothing else."""
    if message.blanked_at is not None or message.tries > inbox.MAX_FAILED_TRIES:
        return None
    try:
        events = backends[message.backend].parse(message.body)
        refuse_impossible_moments(events)
    # Whatever it is, it is met again and noted where the message is looked at alone.
    except Exception:  # noqa: BLE001
        return None
    event = events[0] if len(events) == 1 else None
    return event if isinstance(event, SessionJoined) else None


def _take_in(backend: str, told: Sequence[Told]) -> set[int]:
    """The keys of the messages that are settled; none where one of them stopped all."""
    now = timezone.now()
    news = [News(record=event.session, told_at=event.occurred_at) for _, event in told]
    try:
        with transaction.atomic():
            taken = take_in_news(backend, news, now=now)
            applied = [one for one, result in zip(told, taken, strict=True) if _is_applied(one[1], result)]
            if applied:
                moments = {message: event.occurred_at for message, event in applied}
                inbox.settle_processed(moments, type_=SessionJoined.__name__, now=now)
    except LeaseLost:
        logger.warning("a message of a batch was taken over by another worker")
        return set()
    # One by one, each failure is noted where it belongs.
    except Exception:
        logger.warning("%s messages of %s are processed one by one", len(told), backend, exc_info=True)
        return set()
    return {message.pk for message, _ in applied}


def _is_applied(event: SessionJoined, taken: Taken) -> bool:
    """What is of an erased person is not: such a message is emptied, where it is looked at alone."""
    return taken.session is not None and not (taken.was_erased and event.session.join_url)
