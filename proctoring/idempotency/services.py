"""Do a thing once for each key. The record and what it records are one transaction."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction

from proctoring.errors import InvalidInput, RuleBroken
from proctoring.idempotency.models import IdempotencyRecord

if TYPE_CHECKING:
    from proctoring.host import User

KEEP = timedelta(hours=24)


def once(
    *, user: User, key: str, fingerprint: str, now: datetime, act: Callable[[], tuple[int, Any]]
) -> tuple[int, Any, bool]:
    """Return ``(status code, answer, repeated)``: of ``act()``, or what an earlier call under this key answered.

    ``act`` runs inside the transaction that stores its answer (JSON). What it raises undoes both, so a refusal is not
    kept: it changed nothing and is decided anew. Two requests at once: the second waits for the first.
    Raises ``InvalidInput`` for a key that is no 1 to 255 printable ASCII characters, ``RuleBroken``
    (``idempotency_key_reused``) where the key belongs to another request.
    """
    if not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
        raise InvalidInput(errors={"Idempotency-Key": ["Must be 1 to 255 printable ASCII characters."]})
    mine = IdempotencyRecord.objects.filter(user=user.pk, key=key)
    with transaction.atomic():
        try:
            with transaction.atomic():
                record = IdempotencyRecord.objects.create(
                    user_id=user.pk, key=key, fingerprint=fingerprint, created_at=now
                )
        except IntegrityError:
            kept = mine.filter(created_at__gte=now - KEEP).first()
            if kept is None:
                mine.filter(created_at__lt=now - KEEP).delete()
                return once(user=user, key=key, fingerprint=fingerprint, now=now, act=act)
            if kept.fingerprint != fingerprint:
                raise RuleBroken(
                    "This Idempotency-Key was used for another request.", code="idempotency_key_reused"
                ) from None
            return kept.status_code or 200, kept.answer, True
        record.status_code, record.answer = act()
        record.save(update_fields=("status_code", "answer"))
    return record.status_code, record.answer, False


def forget_old(*, now: datetime) -> int:
    """Drop records that are older than a day."""
    return IdempotencyRecord.objects.filter(created_at__lt=now - KEEP).delete()[0]
