"""The Django admin: one module a feature. Like every door it parses, authorises, calls one service, and renders.

``TimeEntry``, ``Command``, ``Presence``, ``SeenAddress``, ``Seal`` and ``EvidenceCopy`` are shown with their attempt,
``LiveSession`` and ``BookingPlan`` inside their booking, ``BulkItem`` inside its bulk action. Two have no page at all:
``IdempotencyRecord`` is nobody's business but the API's, and whoever could look up a ``Pseudonym`` could undo it.
"""

from proctoring.admin import (
    allowances,
    attempts,
    booking_log,
    bookings,
    bulk_actions,
    events,
    exams,
    inbox,
    onboarding,
    outbox,
    privacy,
    reviews,
)

__all__ = [
    "allowances",
    "attempts",
    "booking_log",
    "bookings",
    "bulk_actions",
    "events",
    "exams",
    "inbox",
    "onboarding",
    "outbox",
    "privacy",
    "reviews",
]
