"""The periodic tasks, by name. A host adopts them with one line::

    app.conf.beat_schedule.update(proctoring.beat.SCHEDULE)

Tasks are woken by facts as well (``receivers.py``); these sweeps find what a lost wake-up left behind.
"""

from __future__ import annotations

from typing import Any

SCHEDULE: dict[str, dict[str, Any]] = {
    "proctoring-deliver-due": {"task": "proctoring.deliver_due", "schedule": 10.0, "options": {"expires": 10}},
    "proctoring-process-messages": {
        "task": "proctoring.process_messages",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "proctoring-end-overdue-attempts": {
        "task": "proctoring.end_overdue_attempts",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "proctoring-apply-kept-reviews": {
        "task": "proctoring.apply_kept_reviews",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "proctoring-forget-idempotency-records": {
        "task": "proctoring.forget_idempotency_records",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
}
"""Name → entry of Celery's ``beat_schedule``. Schedules are in seconds."""
