"""Table of contents: every model of the app, where Django looks for them."""

from proctoring.allowances.models import Allowance
from proctoring.attempts.models import Attempt, OnboardingProfile, TimeEntry
from proctoring.bookings.models import Booking, BookingLogEntry, BookingPlan, LiveSession
from proctoring.exams.models import Exam
from proctoring.idempotency.models import IdempotencyRecord
from proctoring.inbox.models import SweepCursor, WebhookMessage
from proctoring.invigilation.models import BulkAction, BulkItem
from proctoring.logs.models import Event, EvidenceCopy, Seal
from proctoring.monitoring.models import Command, Presence, SeenAddress
from proctoring.outbox.models import Circuit, Delivery
from proctoring.privacy.models import DeletionCertificate, LegalHold, Pseudonym
from proctoring.reviews.models import Rating, Review, ReviewComment, VideoView

__all__ = [
    "Allowance",
    "Attempt",
    "Booking",
    "BookingLogEntry",
    "BookingPlan",
    "BulkAction",
    "BulkItem",
    "Circuit",
    "Command",
    "DeletionCertificate",
    "Delivery",
    "Event",
    "EvidenceCopy",
    "Exam",
    "IdempotencyRecord",
    "LegalHold",
    "LiveSession",
    "OnboardingProfile",
    "Presence",
    "Pseudonym",
    "Rating",
    "Review",
    "ReviewComment",
    "Seal",
    "SeenAddress",
    "SweepCursor",
    "TimeEntry",
    "VideoView",
    "WebhookMessage",
]
