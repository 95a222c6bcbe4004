"""Keep verified messages, hand them to workers, note what became of them. What they mean is not known here."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from proctoring.bulk import update_by_key
from proctoring.conf import settings
from proctoring.errors import Conflict, LeaseLost, UnknownExternalId
from proctoring.inbox import sealing
from proctoring.inbox.models import MessageStatus, WebhookMessage
from proctoring.signals import announce, message_received

KEPT_HEADERS = ("content-type", "user-agent", "webhook-id", "webhook-timestamp")
"""Everything else may be a secret, or is of no use."""

MAX_BACKOFF_SECONDS = 1800
MAX_FAILED_TRIES = 20
FIRST_WAIT, WAIT = timedelta(seconds=10), timedelta(minutes=30)
"""For an id that wakes its message when it is stored. The first looks come soon, and ever later: the id may have been
stored just before the message lay down."""
FRESH = timedelta(seconds=1)
"""A lease that began less than this ago: of the first message of a batch."""
SUSPECT = 3
"""A message that was tried so often is claimed alone: it may be what kills its workers, and takes no others along."""
MAX_ERROR_LENGTH = 2000
BLANKED = "its body is no longer kept"


def store_message(
    *, backend: str, delivery_id: str, body: bytes, headers: Mapping[str, str], now: datetime
) -> tuple[WebhookMessage, bool]:
    """Keep a verified message once: identity is backend, delivery id and the body's hash. Returns (row, is new).

    Raises ``NotConfigured`` without an encryption key.
    """
    sha256 = hashlib.sha256(body).hexdigest()
    identity = {"backend": backend, "delivery_id": delivery_id, "sha256": sha256}
    known = WebhookMessage.objects.filter(**identity).first()
    if known is not None:
        return known, False
    try:
        with transaction.atomic():
            message = WebhookMessage.objects.create(
                **identity,
                sealed_body=sealing.seal(body, context=sha256),
                headers={name: headers[name][:255] for name in KEPT_HEADERS if name in headers},
                received_at=now,
                next_try_at=now,
                give_up_at=_patience(now),
            )
            announce(message_received, message=message)
    except IntegrityError:
        return WebhookMessage.objects.get(**identity), False
    return message, True


def claim_due(*, now: datetime, limit: int, worker: str | None = None) -> list[WebhookMessage]:
    """Take up to ``limit`` waiting messages for this worker, oldest first; a constant number of statements.

    A claim counts as a try, so that a message which kills its workers is left to people in the end.
    """
    worker = worker or uuid.uuid4().hex
    rows = list(WebhookMessage.objects.claimable(now).order_by("next_try_at", "pk")[:limit])
    if not rows:
        return []
    suspect = next((place for place, row in enumerate(rows) if row.tries >= SUSPECT), len(rows))
    rows = rows[: max(1, suspect)]
    lease, keys = now + timedelta(seconds=settings.lease_seconds), [row.pk for row in rows]
    claimed = WebhookMessage.objects.claimable(now).filter(pk__in=keys)
    if claimed.update(claimed_until=lease, claimed_by=worker, tries=F("tries") + 1) != len(rows):
        # Another worker was faster with some of them.
        return list(WebhookMessage.objects.filter(claimed_by=worker, pk__in=keys).order_by("pk"))
    for row in rows:
        row.claimed_until, row.claimed_by, row.tries = lease, worker, row.tries + 1
    return sorted(rows, key=lambda row: row.pk)


def renew(message: WebhookMessage, *, now: datetime) -> None:
    """Begin the lease anew for this message alone, unless it has just begun. Raises ``LeaseLost`` where another worker
    has it by now."""
    lease = timedelta(seconds=settings.lease_seconds)
    if message.claimed_until is not None and message.claimed_until - now > lease - FRESH:
        return
    _settle(message, claimed_until=now + timedelta(seconds=settings.lease_seconds), claimed_by=message.claimed_by)


def settle(
    message: WebhookMessage,
    status: MessageStatus,
    *,
    now: datetime,
    why: str = "",
    sent_at: datetime | None = None,
    type_: str = "",
    attempt_id: int | None = None,
) -> None:
    """The message needs no further work, for the reason given. Raises ``LeaseLost``."""
    _settle(
        message,
        **({} if attempt_id is None else {"attempt_id": attempt_id}),
        status=status,
        error=why[:MAX_ERROR_LENGTH],
        processed_at=now,
        next_try_at=None,
        waits_for="",
        sent_at=sent_at,
        type=type_[:100],
    )


def settle_processed(moments: Mapping[WebhookMessage, datetime], *, type_: str, now: datetime) -> None:
    """The same for many that one worker has claimed, in one statement: each was applied. ``moments``: when the vendor
    says that it happened. Raises ``LeaseLost`` where one of them is another worker's by now; the caller undoes all."""
    mine = WebhookMessage.objects.filter(claimed_by__in={one.claimed_by for one in moments})
    settled = update_by_key(
        mine,
        {"sent_at": {one.pk: moment for one, moment in moments.items()}},
        claimed_until=None,
        claimed_by="",
        status=MessageStatus.PROCESSED,
        error="",
        processed_at=now,
        next_try_at=None,
        waits_for="",
        type=type_[:100],
    )
    if settled != len(moments):
        raise LeaseLost("Another worker has taken one of these messages over.")


def settle_blanked(message: WebhookMessage, *, now: datetime) -> None:
    """Its body is no longer kept, so there is nothing to be understood. Raises ``LeaseLost``."""
    _settle(message, status=MessageStatus.IGNORED, error=BLANKED, processed_at=now, next_try_at=None)


def settle_unknown_id(message: WebhookMessage, unknown: UnknownExternalId, *, now: datetime) -> None:
    """It speaks of an id that is not stored yet: wait for it, at most ``unknown_id_hours``, then quarantine.

    Waiting is no failure, so it counts no try.
    """
    if message.give_up_at is None or now >= message.give_up_at:
        settle(message, MessageStatus.QUARANTINED, now=now, why=str(unknown))
        return
    _settle(
        message,
        status=MessageStatus.RECEIVED,
        error=str(unknown)[:MAX_ERROR_LENGTH],
        waits_for=unknown.external_id.replace("\x00", "")[:255],
        tries=max(0, message.tries - 1),
        next_try_at=now + min(WAIT, max(FIRST_WAIT, now - message.received_at)),
    )


def settle_failure(message: WebhookMessage, why: str, *, now: datetime) -> None:
    """Processing broke: note why, outside the undone transaction, and try again; in the end leave it to people."""
    _settle(
        message,
        status=MessageStatus.FAILED,
        error=why[:MAX_ERROR_LENGTH],
        next_try_at=None if exhausted(message) else now + _pause(message),
    )


def exhausted(message: WebhookMessage) -> bool:
    """Whether the try in hand is the last one."""
    return message.tries >= MAX_FAILED_TRIES


def quarantine_malformed(message: WebhookMessage, why: str) -> None:
    """Nobody will ever understand it. A worker that has it in hand comes to the same end."""
    WebhookMessage.objects.filter(pk=message.pk, status=MessageStatus.RECEIVED, claimed_until=None).update(
        status=MessageStatus.QUARANTINED, error=why[:MAX_ERROR_LENGTH], next_try_at=None
    )


def wake_waiting(backend: str, external_ids: Collection[str], *, now: datetime) -> int:
    """These ids of this vendor are stored now: what waits for them is due at once. Returns how many messages that are.
    One statement."""
    return WebhookMessage.objects.filter(
        backend=backend, waits_for__in=external_ids, status=MessageStatus.RECEIVED, next_try_at__gt=now
    ).update(next_try_at=now)


def replay(message: WebhookMessage, *, now: datetime | None = None) -> None:
    """A person wants the message processed again, whatever became of it. What it says may change nothing any more.

    Raises ``Conflict`` while a worker holds it, and (``body_blanked``) where its body is no longer kept.
    """
    if message.blanked_at is not None:
        raise Conflict("The body of this message is no longer kept.", code="body_blanked")
    now = now or timezone.now()
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    with transaction.atomic():
        changed = WebhookMessage.objects.filter(free, pk=message.pk).update(
            status=MessageStatus.RECEIVED,
            tries=0,
            next_try_at=now,
            give_up_at=_patience(now),
            error="",
            processed_at=None,
            claimed_until=None,
            claimed_by="",
        )
        if not changed:
            raise Conflict("A worker has this message in hand.", code="message_claimed")
        message.refresh_from_db()
        announce(message_received, message=message)


def _settle(message: WebhookMessage, **changes: object) -> None:
    mine = WebhookMessage.objects.filter(pk=message.pk, claimed_by=message.claimed_by)
    if not mine.update(**{"claimed_until": None, "claimed_by": "", **changes}):
        raise LeaseLost("Another worker has taken this message over.")
    message.status = str(changes.get("status", message.status))


def _patience(now: datetime) -> datetime:
    return now + timedelta(hours=settings.unknown_id_hours)


def _pause(message: WebhookMessage) -> timedelta:
    return timedelta(seconds=min(MAX_BACKOFF_SECONDS, 5 * 2 ** min(message.tries, 12)))
