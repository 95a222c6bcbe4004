"""The booking's statuses and the one table of who may take which step, and which entry of the log it leaves."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from django.db.models import TextChoices
from django.utils.translation import pgettext_lazy


class Status(TextChoices):
    DRAFT = "draft", pgettext_lazy("booking", "Draft")
    SCHEDULED = "scheduled", pgettext_lazy("booking", "Scheduled")
    SENT = "sent", pgettext_lazy("booking", "Sent")
    CONFIRMED = "confirmed", pgettext_lazy("booking", "Confirmed")
    REJECTED = "rejected", pgettext_lazy("booking", "Rejected")
    CANCELLED = "cancelled", pgettext_lazy("booking", "Cancelled")


class Actor(StrEnum):
    """In which capacity somebody acts. One person may hold several."""

    PLANNER = "planner"
    SERVICE_DESK = "service desk"
    SYSTEM = "system"


WAITING = frozenset({Status.SCHEDULED, Status.SENT})
"""Something is still to come from the vendor."""

LIVE = WAITING | {Status.CONFIRMED}
"""The vendor holds it, or may come to hold it."""

CHECKED = frozenset({Status.SENT, Status.CONFIRMED})
"""The vendor is asked how it stands."""

REASON = "booking_rejection_reason_"

WRONG_STATUS = REASON + "wrong_test_status"
TOO_LATE = REASON + "booking_past_leading_time"
NO_CANDIDATES = REASON + "no_bookable_candidates"
NO_CAPACITY = REASON + "availability_limit_reached"
NO_AVAILABILITY = REASON + "availability_unknown"
CONFLICT = REASON + "conflict"
UNKNOWN = REASON + "unknown"
SENDING_FAILED = REASON + "bulk_booking_failed"
SENDING_REFUSED = REASON + "authentication_failed_during_bulk_booking"
CHECK_EXHAUSTED = REASON + "booking_check_exhausted"
CHECK_FAILED = REASON + "booking_check_failed"
CHECK_REFUSED = REASON + "authentication_failed_during_check"
BY_HAND = REASON + "manually_rejected"

SCHEDULED = "booking_declared_as_scheduled"
SENT = "booking_declared_as_sent"
CHECK_SCHEDULED = "booking_check_scheduled"
CONFIRMED = "booking_declared_as_confirmed"
CONFIRMED_EXISTING = "booking_declared_as_confirmed_due_to_already_existing"
CONFIRMED_BY_HAND = "booking_declared_as_confirmed_manually"
WITHOUT_CODE = ""
"""Of a step that the vocabulary has no word for: cancelling."""

_PLANNER, _DESK, _SYSTEM = (frozenset({actor}) for actor in Actor)
_BEFORE_SENDING = dict.fromkeys((WRONG_STATUS, TOO_LATE, NO_CANDIDATES), _SYSTEM)
_FROM_VENDOR = dict.fromkeys((UNKNOWN, CONFLICT, NO_CAPACITY, NO_AVAILABILITY), _SYSTEM)
_CONFIRM_BY_HAND, _REJECT_BY_HAND, _CANCEL = {CONFIRMED_BY_HAND: _DESK}, {BY_HAND: _DESK}, {WITHOUT_CODE: _PLANNER}

TRANSITIONS: Mapping[Status, Mapping[Status, Mapping[str, frozenset[Actor]]]] = {
    Status.DRAFT: {
        Status.SCHEDULED: {SCHEDULED: _PLANNER},
        Status.REJECTED: _BEFORE_SENDING,
        Status.CANCELLED: _CANCEL,
    },
    Status.SCHEDULED: {
        Status.SENT: {SENT: _SYSTEM},
        Status.CONFIRMED: {CONFIRMED_EXISTING: _SYSTEM, **_CONFIRM_BY_HAND},
        Status.REJECTED: {
            **_BEFORE_SENDING,
            **_FROM_VENDOR,
            SENDING_FAILED: _SYSTEM,
            SENDING_REFUSED: _SYSTEM,
            **_REJECT_BY_HAND,
        },
        Status.CANCELLED: _CANCEL,
    },
    Status.SENT: {
        Status.CONFIRMED: {CONFIRMED: _SYSTEM, CONFIRMED_EXISTING: _SYSTEM, **_CONFIRM_BY_HAND},
        Status.REJECTED: {
            **_FROM_VENDOR,
            TOO_LATE: _SYSTEM,
            CHECK_EXHAUSTED: _SYSTEM,
            CHECK_FAILED: _SYSTEM,
            CHECK_REFUSED: _SYSTEM,
            **_REJECT_BY_HAND,
        },
        Status.CANCELLED: _CANCEL,
    },
    Status.CONFIRMED: {
        Status.REJECTED: {UNKNOWN: _SYSTEM, NO_CAPACITY: _SYSTEM, **_REJECT_BY_HAND},
        Status.CANCELLED: _CANCEL,
    },
    Status.REJECTED: {
        Status.SCHEDULED: {SCHEDULED: _PLANNER | _DESK},
        Status.SENT: {CHECK_SCHEDULED: _DESK},
        Status.CONFIRMED: _CONFIRM_BY_HAND,
    },
    Status.CANCELLED: {},
}


def can_become(old: Status, new: Status, actor: Actor, code: str) -> bool:
    """Whether the table has this step, for this actor, under this code."""
    return actor in TRANSITIONS[old].get(new, {}).get(code, ())
