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
    "proctoring-send-bookings": {"task": "proctoring.send_bookings", "schedule": 15.0, "options": {"expires": 15}},
    "proctoring-check-bookings": {"task": "proctoring.check_bookings", "schedule": 15.0, "options": {"expires": 15}},
    "proctoring-read-sessions": {"task": "proctoring.read_sessions", "schedule": 60.0, "options": {"expires": 60}},
    "proctoring-read-ratings": {"task": "proctoring.read_ratings", "schedule": 60.0, "options": {"expires": 60}},
    "proctoring-end-overdue-attempts": {
        "task": "proctoring.end_overdue_attempts",
        "schedule": 15.0,
        "options": {"expires": 15},
    },
    "proctoring-seal-logs": {"task": "proctoring.seal_logs", "schedule": 300.0, "options": {"expires": 300}},
    "proctoring-apply-kept-reviews": {
        "task": "proctoring.apply_kept_reviews",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "proctoring-read-onboarding-lists": {
        # Each list every 15 minutes (``exchange.onboarding.REST``); one that is long goes on a minute later.
        "task": "proctoring.read_onboarding_lists",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "proctoring-free-blocked-attempts": {
        "task": "proctoring.free_blocked_attempts",
        "schedule": 60.0,
        "options": {"expires": 60},
    },
    "proctoring-forget-idempotency-records": {
        "task": "proctoring.forget_idempotency_records",
        "schedule": 3600.0,
        "options": {"expires": 3600},
    },
    "proctoring-apply-retention": {
        "task": "proctoring.apply_retention",
        "schedule": 86400.0,
        "options": {"expires": 86400},
    },
}
"""Name → entry of Celery's ``beat_schedule``. Schedules are in seconds."""
