"""The sweep that ends what nobody looked at."""

from __future__ import annotations

import logging
from datetime import datetime

from django.utils import timezone

from proctoring.attempts.lifecycle import locked
from proctoring.attempts.models import Attempt

logger = logging.getLogger(__name__)


def end_overdue(*, now: datetime | None = None, limit: int = 500, after: int = 0) -> int | None:
    """End up to ``limit`` attempts whose deadline has passed, each at its own deadline.

    In the order of their primary keys, beginning above ``after``. Returns the last one looked at, None where there
    was none.
    """
    now = now or timezone.now()
    overdue = list(Attempt.objects.overdue(now).filter(pk__gt=after).order_by("pk")[:limit])
    for attempt in overdue:
        try:
            with locked(attempt, now=now):
                pass
        # One row that cannot be saved (a receiver of the LMS that raises) must not keep the others running.
        except Exception:
            logger.exception("attempt %s could not be ended", attempt.pk)
    return overdue[-1].pk if overdue else None
