"""What each model keeps about people: one rule a model, its history included. A model without one fails a test.

A field that can hold words, JSON, bytes, an address or a person has to be named by its model's rule: as personal, as
somebody who acted, or as harmless. So whoever adds a field decides what becomes of it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from django.db.models import Model, Q

from proctoring.allowances.models import Allowance
from proctoring.attempts.models import Attempt, OnboardingProfile, TimeEntry
from proctoring.bookings.models import Booking, BookingLogEntry, BookingPlan, LiveSession
from proctoring.exams.models import Exam
from proctoring.idempotency.models import IdempotencyRecord
from proctoring.inbox.models import SweepCursor, WebhookMessage
from proctoring.logs.models import Event, EvidenceCopy, Seal
from proctoring.logs.sealing import keep_hashes
from proctoring.outbox.models import Circuit, Delivery, DeliveryTarget
from proctoring.privacy.models import DeletionCertificate, LegalHold, Pseudonym
from proctoring.reviews.models import Rating, Review, ReviewComment, VideoView


class DataClass(StrEnum):
    """How long something personal is kept where nobody asks for erasure."""

    UNTIL_ERASURE = "until_erasure"
    MESSAGES = "message_bodies"
    VIDEO_LINKS = "video_links"
    REVIEWS = "reviews"
    EVENTS = "events"


class Fate(StrEnum):
    """What erasure does with a person's rows of a model."""

    BLANKED = "blanked"
    """The personal fields are emptied, the rest stays as statistics."""
    DELETED = "deleted"
    """The rows go, and their history with them."""
    FORGOTTEN_WITH_VENDOR = "forgotten_with_vendor"
    """``vendors.py`` deletes them when the vendor has been told."""
    NOBODYS = "nobodys"
    """They are about nobody in particular."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Personal:
    """A personal field: what is left of it, and how long it is kept."""

    blank: Any
    keep: DataClass = DataClass.UNTIL_ERASURE


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    fate: Fate = Fate.BLANKED
    about: Callable[[int], Q] | None = None
    """Primary key of a person → the rows about them, of the model and of its history."""
    personal: Mapping[str, Personal] = field(default_factory=dict)
    actors: frozenset[str] = frozenset()
    """Accounts of those who acted. They stay: the account is the LMS's, which empties it itself."""
    harmless: frozenset[str] = frozenset()
    stamp: str = ""
    """The field that notes when the personal ones were emptied."""
    first: Callable[[Collection[int]], None] | None = None
    """What is done with rows, by their keys, before they are emptied, in the same transaction."""
    attempt: str = ""
    """The way to the attempt it belongs to, whose person or course may be under a legal hold."""
    dated: str = ""
    """What the age goes by, where something has an end of its own."""
    section: str = ""
    """Its name in an export; empty: it is no part of one."""
    exported: tuple[str, ...] = ()


def _of(path: str) -> Callable[[int], Q]:
    return lambda user: Q(**{path: user})


def _deliveries_of(user: int) -> Q:
    attempts = Attempt.objects.filter(user=user).order_by().values("pk")
    return Q(target=DeliveryTarget.USER, target_id=user) | Q(target=DeliveryTarget.ATTEMPT, target_id__in=attempts)


HISTORY_PERSONAL: Mapping[str, Personal] = MappingProxyType({"history_change_reason": Personal(blank=None)})
HISTORY_ACTORS = frozenset({"history_user"})
HISTORY_HARMLESS = frozenset({"history_type"})

RULES: Mapping[type[Model], Rule] = {
    Attempt: Rule(
        about=_of("user"),
        personal={
            "full_name": Personal(blank=""),
            "launch_data": Personal(blank={}),
            # The exam's policy with the exceptions that were made for this person.
            "review_policy": Personal(blank=""),
        },
        # The vendor's id goes when the vendor has dropped the attempt (vendors.py). The person's key stays: without it
        # chains of attempts, their limits and the LMS's own records would come apart. It says nothing once the LMS has
        # emptied the account.
        actors=frozenset({"user", "retry_granted_by"}),
        harmless=frozenset({"code", "backend", "external_id", "status", "retry_kind"}),
        stamp="erased_at",
        section="attempts",
        exported=(
            *("id", "exam_id", "exam__course_id", "exam__name", "number", "backend", "external_id", "status"),
            *("taking_as_proctored", "created_at", "started_at", "submitted_at", "ended_at", "acknowledged_at"),
            *("total_seconds", "expires_at", "personal_due_at", "resumed_from_id", "retry_kind", "retry_granted_at"),
            *("review_policy", "full_name", "erased_at"),
        ),
    ),
    TimeEntry: Rule(
        about=_of("attempt__user"),
        personal={"note": Personal(blank="")},
        actors=frozenset({"by"}),
        harmless=frozenset({"kind", "state"}),
        section="time_entries",
        exported=("attempt_id", "kind", "seconds", "state", "reason_code", "note", "at"),
    ),
    # That somebody had an allowance, and which, says something about their health.
    Allowance: Rule(
        fate=Fate.DELETED,
        about=_of("user"),
        section="allowances",
        exported=("course_id", "exam_id", "kind", "minutes", "multiplier", "note", "exemptions", "created_at"),
    ),
    OnboardingProfile: Rule(
        fate=Fate.DELETED,
        about=_of("user"),
        section="onboarding",
        exported=("backend", "status", "course_id", "approved_at", "expires_at", "synced_at"),
    ),
    Review: Rule(
        about=_of("attempt__user"),
        personal={
            "reviewed_by": Personal(blank="", keep=DataClass.REVIEWS),
            "payload": Personal(blank={}, keep=DataClass.REVIEWS),
            "note": Personal(blank="", keep=DataClass.REVIEWS),
            # Outlives the words: without it, the same message sent again would bring them back. Of an erased person's
            # attempt nothing is applied any more, and words that are few could be guessed from it.
            "sha256": Personal(blank=""),
            "sealed_video_url": Personal(blank=b"", keep=DataClass.VIDEO_LINKS),
        },
        actors=frozenset({"author"}),
        harmless=frozenset({"status", "source", "not_applied_reason"}),
        attempt="attempt",
        dated="received_at",
        section="reviews",
        exported=("id", "attempt_id", "status", "source", "note", "occurred_at", "received_at", "applied_at"),
    ),
    ReviewComment: Rule(
        about=_of("review__attempt__user"),
        personal={
            "text": Personal(blank="", keep=DataClass.REVIEWS),
            "severity": Personal(blank="", keep=DataClass.REVIEWS),
        },
        attempt="review__attempt",
        dated="review__received_at",
        section="review_comments",
        exported=("review_id", "start_seconds", "stop_seconds", "text", "severity"),
    ),
    Rating: Rule(
        about=_of("attempt__user"),
        actors=frozenset({"by"}),
        harmless=frozenset({"raw_value", "raw_scale", "mapping_version", "source"}),
        section="ratings",
        exported=("attempt_id", "raw_value", "raw_scale", "risk", "source", "rated_at"),
    ),
    # Who has seen the recording of an attempt: of no use when the recording has gone.
    VideoView: Rule(
        fate=Fate.DELETED,
        about=_of("review__attempt__user"),
        section="looks_at_recordings",
        exported=("review_id", "at"),
    ),
    # That a candidate had a session, and when, stays as statistics, as their attempts do.
    LiveSession: Rule(
        about=_of("user"),
        personal={"sealed_join_url": Personal(blank=b"")},
        actors=frozenset({"user"}),
        harmless=frozenset({"backend", "external_id", "rating_state"}),
        section="live_sessions",
        exported=("booking_id", "exam_id", "candidate_number", "attempt_id", "joined_at", "rating_state"),
    ),
    BookingLogEntry: Rule(
        about=_of("session__user"),
        personal={"comment": Personal(blank="")},
        actors=frozenset({"by"}),
        harmless=frozenset({"course_id", "code", "context"}),
        section="booking_log",
        exported=("booking_id", "code", "at", "context"),
    ),
    Booking: Rule(
        fate=Fate.NOBODYS,
        actors=frozenset({"created_by"}),
        harmless=frozenset({"backend", "status", "rejection_reason", "external_id", "claimed_by", "last_error"}),
    ),
    BookingPlan: Rule(
        fate=Fate.NOBODYS, actors=frozenset({"created_by"}), harmless=frozenset({"reference", "selection"})
    ),
    WebhookMessage: Rule(
        about=_of("attempt__user"),
        personal={
            "sealed_body": Personal(blank=b"", keep=DataClass.MESSAGES),
            "error": Personal(blank="", keep=DataClass.MESSAGES),
            "waits_for": Personal(blank="", keep=DataClass.MESSAGES),
        },
        harmless=frozenset({"backend", "delivery_id", "sha256", "headers", "type", "status", "claimed_by"}),
        stamp="blanked_at",
        attempt="attempt",
        dated="received_at",
        section="messages",
        exported=("backend", "delivery_id", "type", "status", "received_at", "sent_at", "blanked_at"),
    ),
    Delivery: Rule(
        about=_deliveries_of,
        personal={"last_error": Personal(blank="")},
        # The argument of a wish to forget is the pseudonym; vendors.py drops it when the wish is granted.
        harmless=frozenset(
            {"kind", "backend", "operation", "argument", "topic", "target", "key", "status", "claimed_by"}
        ),
        section="deliveries",
        exported=("kind", "backend", "operation", "target", "target_id", "status", "created_at", "done_at"),
    ),
    Pseudonym: Rule(
        fate=Fate.FORGOTTEN_WITH_VENDOR,
        about=_of("user"),
        section="pseudonyms",
        exported=("backend", "value", "created_at", "retired_at"),
    ),
    LegalHold: Rule(
        about=_of("user"),
        personal={"reason": Personal(blank="")},
        actors=frozenset({"user", "placed_by", "released_by"}),
        harmless=frozenset({"course_id"}),
    ),
    IdempotencyRecord: Rule(fate=Fate.DELETED, about=_of("user")),
    DeletionCertificate: Rule(
        fate=Fate.NOBODYS,
        actors=frozenset({"made_by"}),
        harmless=frozenset({"kind", "subject", "reason", "counts", "vendors", "digest"}),
    ),
    Event: Rule(
        about=_of("attempt__user"),
        personal={
            "reason_message": Personal(blank="", keep=DataClass.EVENTS),
            "error": Personal(blank="", keep=DataClass.EVENTS),
            "ip": Personal(blank=None, keep=DataClass.EVENTS),
            "user_agent": Personal(blank="", keep=DataClass.EVENTS),
            "data": Personal(blank={}, keep=DataClass.EVENTS),
        },
        # A sealed log has to show that it was erased, and not altered: hashes are kept in place of what goes. Without
        # the salt, which goes too, they say nothing.
        first=keep_hashes,
        actors=frozenset({"actor_user"}),
        harmless=frozenset(
            {
                *("actor", "severity", "status", "message_id", "stream", "item_id", "backend"),
                *("salt", "personal_hash", "actor_hash"),
            }
        ),
        attempt="attempt",
        dated="received_at",
        section="events",
        exported=("attempt_id", "type", "actor", "at", "item_id", "question_number", "reason_message", "error", "ip"),
    ),
    # Hashes; without the salts of the events, which go, nothing about anybody can be guessed from them.
    Seal: Rule(fate=Fate.NOBODYS, harmless=frozenset({"previous_root", "root", "packed_places"})),
    # Where copies of what is erased here may still be: they have to be asked for.
    EvidenceCopy: Rule(
        about=_of("attempt__user"),
        actors=frozenset({"by"}),
        harmless=frozenset({"sha256"}),
        section="copies_of_evidence",
        exported=("attempt_id", "at"),
    ),
    Exam: Rule(
        fate=Fate.NOBODYS,
        harmless=frozenset(
            {
                *("course_id", "content_id", "name", "exam_type", "status", "backend", "external_ids", "rules"),
                *("review_policy", "outage_policy"),
            }
        ),
    ),
    Circuit: Rule(fate=Fate.NOBODYS, harmless=frozenset({"backend", "last_error"})),
    SweepCursor: Rule(fate=Fate.NOBODYS, harmless=frozenset({"name", "backend", "position", "last_error"})),
}


def history_of(model: type[Model]) -> type[Model] | None:
    """The model that keeps the versions of this one, where there is one."""
    manager: Any = getattr(model, "history", None)
    return manager.model if manager is not None else None


def label(model: type[Model]) -> str:
    """The name of a model in a certificate: ``attempt``, ``historicalattempt``."""
    return str(model._meta.model_name)
