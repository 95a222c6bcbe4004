"""What vendors and the core say to each other. Frozen values, no behaviour, no ORM."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any

FIRST_YEAR, LAST_YEAR = 1970, 9000
"""Moments between these are believed. Near the ends of the calendar, sums, time zones and databases fail."""


class ExamType(StrEnum):
    TIMED = "timed"
    PROCTORED = "proctored"
    PRACTICE = "practice"
    ONBOARDING = "onboarding"


class Progress(StrEnum):
    """What a vendor is told about an attempt."""

    STARTED = "started"
    SUBMITTED = "submitted"
    ERROR = "error"


class OnboardingBlock(StrEnum):
    """Why a vendor does not register an attempt: the candidate's onboarding is missing or no longer good."""

    MISSING = "onboarding_missing"
    PENDING = "onboarding_pending"
    FAILED = "onboarding_failed"
    EXPIRED = "onboarding_expired"


class ProfileStatus(StrEnum):
    """Where a vendor stands with a candidate's onboarding."""

    NONE = "none"
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"


class ReviewStatus(StrEnum):
    PASSED = "passed"
    VIOLATION = "violation"
    SUSPICIOUS = "suspicious"
    NOT_REVIEWED = "not_reviewed"


@dataclass(frozen=True, kw_only=True, slots=True)
class ExamRegistration:
    """An exam as a vendor needs to know it."""

    course_id: str
    content_id: str
    name: str
    exam_type: ExamType
    time_limit_minutes: int
    is_active: bool
    due_at: datetime | None = None
    external_id: str = ""
    """The vendor's id when it has given one before: the call then updates."""
    rules: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptRegistration:
    """A candidate's attempt as a vendor needs to know it."""

    exam_external_id: str
    candidate_id: str
    """Pseudonymous and stable per backend; never a primary key."""
    full_name: str
    email: str
    time_limit_minutes: int
    is_sample: bool
    """True for practice and onboarding exams."""
    review_policy: str
    lms_host: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LaunchData:
    """What the candidate needs in order to begin with this vendor. URLs are http(s) or empty."""

    download_url: str = ""
    instructions: tuple[str, ...] = ()
    join_url: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RegisteredAttempt:
    """The answer to a registration: an id, or the reason why there is none."""

    external_id: str = ""
    blocked: OnboardingBlock | None = None
    launch: LaunchData | None = None
    """None: the vendor did not say; ``Backend.fetch_launch`` is called as a step of its own."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OnboardingRecord:
    """What a vendor's list says of one candidate."""

    candidate_id: str
    status: ProfileStatus
    changed_at: datetime | None = None
    """When the vendor last changed it; of an approval: when it was given."""
    expires_at: datetime | None = None
    """Until when the vendor lets an approval count; None: as long as the settings say."""
    in_course: bool | None = None
    """Whether an approval was given in the course that was asked about; None: the vendor does not say."""


@dataclass(frozen=True, kw_only=True, slots=True)
class OnboardingPage:
    records: tuple[OnboardingRecord, ...]
    next_cursor: str = ""
    """Empty on the last page."""


@dataclass(frozen=True, kw_only=True, slots=True)
class IncomingRequest:
    """A webhook request before anybody believes it. ``headers`` has lower-case names."""

    method: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class VerifiedMessage:
    """What verification established about a request."""

    delivery_id: str
    """The vendor's id of this delivery; the same one comes again when it is sent again."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReviewComment:
    comment: str
    status: str = ""
    start_seconds: int | None = None
    stop_seconds: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class VendorEvent:
    """Something that happened at the vendor. ``occurred_at`` is the vendor's clock and decides the order."""

    occurred_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptReady(VendorEvent):
    external_id: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptReviewed(VendorEvent):
    external_id: str
    status: ReviewStatus
    comments: tuple[ReviewComment, ...] = ()
    reviewed_by: str = ""
    """The vendor's claim, an e-mail or a name; believed only if that person may review."""
    video_url: str = ""
    payload: Mapping[str, Any] = field(default_factory=dict)
    """The vendor's own data as parsed, for the record."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AttemptRated(VendorEvent):
    """``risk`` is 0 to 1, high is risky. The plugin knows the direction of its vendor's scale: it maps, and says under
    which version of its map."""

    external_id: str
    raw_value: str
    raw_scale: str
    risk: float
    mapping_version: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ReportedEvent:
    """One thing that a vendor noticed. ``type`` is the vendor's number for it, known here or not."""

    id: str
    """1 to 64 letters, digits and ``_ . : -``. The same one comes again when the event is reported again."""
    type: int
    occurred_at: datetime
    severity: str = ""
    """``info``, ``notice``, ``warning`` or ``alert``, where the vendor says so; other words count as not said."""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class EventsReported(VendorEvent):
    """What happened during an exam: of an attempt, or of the attempt of a live session. One of the two ids is there."""

    attempt_external_id: str = ""
    session_external_id: str = ""
    events: tuple[ReportedEvent, ...] = ()
    """At most 500."""
    left_out: int = 0
    """So many more were in the message and could not be understood."""


@dataclass(frozen=True, kw_only=True, slots=True)
class UnknownEvent(VendorEvent):
    """A well-formed message of a type that nothing here handles: it is quarantined, not dropped."""

    type: str
