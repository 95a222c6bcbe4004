"""What vendors and the core say to each other about live proctoring: bookings, sessions, ratings. Frozen values."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from proctoring.backends.types import VendorEvent


@dataclass(frozen=True, kw_only=True, slots=True)
class BookingLimits:
    """What a vendor lets be booked. ``None``: it sets no limit."""

    max_candidates: int | None = None
    """Of one booking; more of them are split."""
    max_minutes: int | None = None
    """From the moment at which the first candidate is met until the last one is let go."""
    lead_minutes: int = 0
    """So long before the window, at the latest, a booking has to arrive."""
    ratios: tuple[int, ...] = ()
    """Candidates to a proctor that can be had; empty: any."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BookedCandidate:
    number: int
    """Within the booking; sessions and ratings name it."""
    candidate_id: str
    """Pseudonymous and stable per backend; never a primary key."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BookingRequest:
    """One booking as a vendor needs to know it."""

    reference: str
    """Ours, stable: sent again, it is the same booking and not another one."""
    exam_external_id: str
    starts_at: datetime
    """When the exam's window opens."""
    ends_at: datetime
    reserved_from: datetime
    """From when to when proctors are needed: with the time to meet everybody, extra time, and the closing."""
    reserved_until: datetime
    ratio: int
    candidates: tuple[BookedCandidate, ...]


class BookingWord(StrEnum):
    """A vendor's answer about a booking, or its reason to reject one."""

    ACCEPTED = "accepted"
    """Taken in; whether it is confirmed is asked for later."""
    EXISTS = "exists"
    """The vendor holds the same exam and window already."""
    CONFLICT = "conflict"
    """The vendor holds the same exam for another window."""
    NO_CAPACITY = "no_capacity"
    AVAILABILITY_UNKNOWN = "availability_unknown"
    TOO_LATE = "too_late"
    REJECTED = "rejected"
    """For no reason that is known here."""


@dataclass(frozen=True, kw_only=True, slots=True)
class BookingAnswer:
    """What became of one booking of a bulk call."""

    reference: str
    word: BookingWord
    external_id: str = ""
    """Required where the booking was accepted, or exists: then it is the id of the one that is there."""


class BookingState(StrEnum):
    PENDING = "pending"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


@dataclass(frozen=True, kw_only=True, slots=True)
class BookingReport:
    """How a booking stands at the vendor."""

    state: BookingState
    reason: BookingWord = BookingWord.REJECTED
    """Of a rejection, never ``ACCEPTED`` or ``EXISTS``. A confirmation with ``EXISTS`` is of the same booking that was
    there before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionRecord:
    """One candidate's live session, as a vendor's list or message tells it."""

    external_id: str
    booking_external_id: str
    candidate_number: int
    join_url: str = ""
    """Where the candidate meets the proctor; http(s), or empty while there is no link."""
    joined_at: datetime | None = None
    """When the candidate entered."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionPage:
    records: tuple[SessionRecord, ...]
    next_cursor: str = ""
    """Empty on the last page."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RatingRecord:
    """One row of a vendor's list of ratings, of a live session or of an attempt: one of the two ids is there.

    ``risk`` is 0 to 1, high is risky, mapped by the plugin, which says under which version of its map.
    """

    session_external_id: str = ""
    attempt_external_id: str = ""
    exam_external_id: str = ""
    """Empty where the vendor does not say."""
    candidate_number: int | None = None
    raw_value: str = ""
    raw_scale: str = ""
    risk: float = 0.0
    mapping_version: str = ""
    rated_at: datetime | None = None
    problem: str = ""
    """Why the row cannot be understood although its id can; nothing else of it counts then."""


@dataclass(frozen=True, kw_only=True, slots=True)
class RatingPage:
    records: tuple[RatingRecord, ...]
    next_cursor: str = ""
    """Empty on the last page."""


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionJoined(VendorEvent):
    """The candidate's session is open, and how to get into it."""

    session: SessionRecord


@dataclass(frozen=True, kw_only=True, slots=True)
class SessionRated(VendorEvent):
    """There is a rating of a live session; without ``rating`` it is to be read from the list."""

    session_external_id: str
    rating: RatingRecord | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class BookingUpdated(VendorEvent):
    """Something about a booking has changed: ask."""

    booking_external_id: str
