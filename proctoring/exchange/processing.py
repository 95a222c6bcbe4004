"""From a row of the inbox to what it changes: parse in the vendor's folder, handle each event, note the outcome."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from django.db import transaction
from django.utils import timezone

from proctoring.backends import backends
from proctoring.backends.types import FIRST_YEAR, LAST_YEAR, UnknownEvent, VendorEvent
from proctoring.errors import LeaseLost, MalformedMessage, NotConfigured, UnknownBackend, UnknownExternalId
from proctoring.exchange.handlers import Outcome, handle
from proctoring.inbox import services as inbox
from proctoring.inbox.models import MessageStatus, WebhookMessage
from proctoring.privacy.mentions import forget_message

logger = logging.getLogger(__name__)


def process(message: WebhookMessage) -> MessageStatus:
    """Process one claimed message and settle its row. Never raises for what the message says.

    All of its events are applied in one transaction, or none.
    """
    try:
        inbox.renew(message, now=timezone.now())
        _process_or_note(message)
    except LeaseLost:
        logger.warning("message %s was taken over by another worker", message.pk)
        message.refresh_from_db(fields=["status"])
    return MessageStatus(message.status)


def _process_or_note(message: WebhookMessage) -> None:
    now = timezone.now()
    if message.tries > inbox.MAX_FAILED_TRIES:
        inbox.settle_failure(message, "given up: its workers did not come back from it", now=now)
        return
    try:
        _process(message)
    except LeaseLost:
        raise
    except UnknownExternalId as unknown:
        inbox.settle_unknown_id(message, unknown, now=now)
    except MalformedMessage as malformed:
        inbox.settle(message, MessageStatus.QUARANTINED, now=now, why=str(malformed))
    except (UnknownBackend, NotConfigured) as ours:
        inbox.settle_failure(message, str(ours), now=now)
    # Whatever broke, the message stays and can be processed again. The words of the failure may hold anything: they go
    # to the log, and only their kind into the row.
    except Exception as mistake:
        logger.exception("message %s failed in an unforeseen way", message.pk)
        inbox.settle_failure(message, f"unforeseen {type(mistake).__name__}, see the log", now=now)


def _process(message: WebhookMessage) -> None:
    now = timezone.now()
    if message.blanked_at is not None:
        inbox.settle_blanked(message, now=now)
        return
    events = backends[message.backend].parse(message.body)
    refuse_impossible_moments(events)
    with transaction.atomic():
        outcomes = [handle(event, message=message, now=now) for event in events]
        seen = {outcome for outcome, _ in outcomes}
        inbox.settle(
            message,
            _status(seen),
            # What nobody understands may be about anybody.
            attempt_id=None if Outcome.UNKNOWN in seen else message.attempt_id,
            now=now,
            why="; ".join(why for _, why in outcomes if why),
            sent_at=max((event.occurred_at for event in events), default=None),
            type_=", ".join(dict.fromkeys(_name(event) for event in events)).replace("\x00", ""),
        )
        if Outcome.ERASED in seen:
            forget_message(message, now=now)


def refuse_impossible_moments(events: Iterable[VendorEvent]) -> None:
    """Whatever the plugin let through: one row with such a moment, and no page that lists it can be shown."""
    for event in events:
        if event.occurred_at.tzinfo is None or not FIRST_YEAR <= event.occurred_at.year <= LAST_YEAR:
            raise MalformedMessage("An event has no offset from UTC, or lies outside of the years 1970 to 9000.")


def _status(seen: set[Outcome]) -> MessageStatus:
    if Outcome.UNKNOWN in seen:
        return MessageStatus.QUARANTINED
    return MessageStatus.PROCESSED if Outcome.APPLIED in seen else MessageStatus.IGNORED


def _name(event: VendorEvent) -> str:
    return event.type if isinstance(event, UnknownEvent) else type(event).__name__
