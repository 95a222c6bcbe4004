"""Table of contents: every model of the app, where Django looks for them."""

from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.exams.models import Exam
from proctoring.idempotency.models import IdempotencyRecord
from proctoring.inbox.models import WebhookMessage
from proctoring.outbox.models import Circuit, Delivery
from proctoring.reviews.models import Review

__all__ = [
    "Attempt",
    "Circuit",
    "Delivery",
    "Exam",
    "IdempotencyRecord",
    "Review",
    "TimeEntry",
    "WebhookMessage",
]
