"""Which logs are to be sealed, and when. ``logs/sealing.py`` says how."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from proctoring.attempts.models import Attempt, next_seal
from proctoring.logs.models import Seal
from proctoring.logs.sealing import last_seal, seal_log, waits_since

logger = logging.getLogger(__name__)


def seal_due(*, now: datetime | None = None, limit: int = 100, after: int = 0) -> int | None:
    """Seal the logs of up to ``limit`` attempts that are due, each in a transaction of its own.

    In the order of their primary keys, beginning above ``after``. Returns the last one looked at, None where there
    was none.
    """
    now = now or timezone.now()
    due = Attempt.objects.filter(seal_due_at__lte=now, open_slot=None, pk__gt=after)
    keys = list(due.order_by("pk").values_list("pk", flat=True)[:limit])
    for key in keys:
        try:
            seal_attempt(key, now=now)
        # One log that cannot be sealed must not keep the others unsealed.
        except Exception:
            logger.exception("the log of attempt %s could not be sealed", key)
    return keys[-1] if keys else None


def seal_attempt(key: int, *, now: datetime) -> list[Seal]:
    """Seal what waits for it long enough, if nobody else is doing so. Most logs need one seal; a long one takes several
    at once, each a transaction: of a run that was killed, whole seals are left, and the next run goes on.

    Seven statements a seal, and one for each thousand of events.
    """
    seals: list[Seal] = []
    goes_on = True
    while goes_on:
        with transaction.atomic():
            seal, goes_on = _next(key, now=now)
        seals += [seal] if seal is not None else []
    return seals


def _next(key: int, *, now: datetime) -> tuple[Seal | None, bool]:
    """The next seal, and whether more is waiting."""
    rows: Any = Attempt.objects.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
    row = rows.filter(pk=key, seal_due_at__lte=now, open_slot=None).first()
    if row is None:
        return None, False
    last = last_seal(row)
    newest = waits_since(row, last)
    if newest is not None and next_seal(newest) > now:
        # The clock that wrote the event was ahead of this one, or the setting has changed.
        _set_due(key, next_seal(newest))
        return None, False
    if newest is None:
        _set_due(key, None)
        return None, False
    seal, is_all = seal_log(row, last, now=now)
    if is_all:
        _set_due(key, None)
    return seal, not is_all


def _set_due(key: int, moment: datetime | None) -> None:
    """No version is written: when a sweep looks again is no fact about the attempt."""
    Attempt.objects.filter(pk=key).update(seal_due_at=moment)
