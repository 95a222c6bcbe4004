"""The sweep over deadlines, as the tests ask about it: how many attempts it ended."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from proctoring.attempts.deadlines import end_overdue
from proctoring.attempts.models import Attempt


def sweep(*, now: datetime, **options: Any) -> int:
    open_ones = Attempt.objects.filter(open_slot=1)
    before = open_ones.count()
    end_overdue(now=now, **options)
    return before - open_ones.count()
