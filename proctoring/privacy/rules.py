"""What each model keeps about people: one rule a model, its history included. A model without one fails a test.

A field that can hold words, JSON, bytes, an address or a person has to be named by its model's rule: as personal, as
words in which anybody may be named, as somebody who acted, or as harmless with the reason why. So whoever adds a field
decides what becomes of it, in the rows of the person who is erased and in those of everybody else.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import Any

from django.db.models import Exists, Model, OuterRef, Q

from proctoring.allowances.models import Allowance
from proctoring.attempts.models import Attempt, OnboardingProfile, TimeEntry
from proctoring.bookings.models import Booking, BookingLogEntry, BookingPlan, LiveSession
from proctoring.exams.models import Exam
from proctoring.idempotency.models import IdempotencyRecord
from proctoring.inbox.models import SweepCursor, WebhookMessage
from proctoring.invigilation.models import BulkAction, BulkItem
from proctoring.logs.models import Event, EvidenceCopy, Seal
from proctoring.logs.sealing import keep_hashes
from proctoring.monitoring.models import Command, Presence, SeenAddress
from proctoring.outbox.models import Circuit, Delivery, DeliveryTarget
from proctoring.privacy.models import DeletionCertificate, LegalHold, Pseudonym
from proctoring.privacy.rule import DataClass, Fate, Personal, Rule, Why
from proctoring.reviews.models import Rating, Review, ReviewComment, VideoView


def _of(path: str) -> Callable[[int], Q]:
    return lambda user: Q(**{path: user})


def _held(person: str, course: str) -> Callable[[Collection[int], Collection[str]], Q]:
    return lambda people, courses: Q(**{f"{person}__in": people}) | Q(**{f"{course}__in": courses})


def _harmless(**fields: str) -> Mapping[Why, frozenset[str]]:
    """Name of a reason → names of fields, separated by blanks."""
    return MappingProxyType({Why[reason.upper()]: frozenset(names.split()) for reason, names in fields.items()})


def _bookings_for(user: int) -> Any:
    """Bookings for this person alone: whatever is said about one is said about them."""
    others = LiveSession.objects.filter(booking=OuterRef("booking")).exclude(user=user)
    return LiveSession.objects.filter(~Exists(others), user=user).order_by().values("booking")


def _bookings_with(user: int) -> Any:
    return LiveSession.objects.filter(user=user).order_by().values("booking")


def _held_booking(people: Collection[int], courses: Collection[str]) -> Q:
    sessions = LiveSession.objects.filter(user__in=people).order_by().values("booking")
    return Q(id__in=sessions) | Q(exam__course_id__in=courses)


def _deliveries_of(user: int) -> Q:
    attempts = Attempt.objects.filter(user=user).order_by().values("pk")
    return Q(target=DeliveryTarget.USER, target_id=user) | Q(target=DeliveryTarget.ATTEMPT, target_id__in=attempts)


def _bulk_actions_about(user: int) -> Q:
    return Q(pk__in=BulkItem.objects.filter(attempt__user=user).order_by().values("bulk"))


def _bulk_actions_held(people: Collection[int], courses: Collection[str]) -> Q:
    theirs = Q(attempt__user__in=people) | Q(attempt__exam__course_id__in=courses)
    return Q(pk__in=BulkItem.objects.filter(theirs).order_by().values("bulk"))


HISTORY_PERSONAL: Mapping[str, Personal] = MappingProxyType({"history_change_reason": Personal(blank=None)})
HISTORY_ACTORS = frozenset({"history_user"})
HISTORY_HARMLESS = MappingProxyType({Why.VOCABULARY: frozenset({"history_type"})})

RULES: Mapping[type[Model], Rule] = {
    Attempt: Rule(
        about=_of("user"),
        personal={
            # Somebody else of the same name keeps it.
            "full_name": Personal(blank="", unsearched=Why.THEIRS),
            # A link in it has to stay as it is, or its candidate cannot begin.
            "launch_data": Personal(blank={}, unsearched=Why.THEIRS),
            # The exam's policy with the exceptions that were made for this person.
            "review_policy": Personal(blank=""),
        },
        # The vendor's id goes when the vendor has dropped the attempt (vendors.py). The person's key stays: without it
        # chains of attempts, their limits and the LMS's own records would come apart. It says nothing once the LMS has
        # emptied the account.
        actors=frozenset({"user", "retry_granted_by"}),
        harmless=_harmless(ours="code", given="backend", elsewhere="external_id", vocabulary="status retry_kind"),
        held=_held("user", "exam__course_id"),
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
        harmless=_harmless(vocabulary="kind state"),
        grows=True,
        held=_held("attempt__user", "attempt__exam__course_id"),
        section="time_entries",
        exported=("attempt_id", "kind", "seconds", "state", "reason_code", "note", "at"),
    ),
    # That somebody had an allowance, and which, says something about their health.
    Allowance: Rule(
        fate=Fate.DELETED,
        about=_of("user"),
        texts=frozenset({"note"}),
        actors=frozenset({"user", "granted_by"}),
        harmless=_harmless(given="course_id", vocabulary="kind exemptions"),
        held=_held("user", "course_id"),
        section="allowances",
        exported=("course_id", "exam_id", "kind", "minutes", "multiplier", "note", "exemptions", "created_at"),
    ),
    OnboardingProfile: Rule(
        fate=Fate.DELETED,
        about=_of("user"),
        actors=frozenset({"user"}),
        harmless=_harmless(given="backend course_id approved_course_id", vocabulary="status vendor_status"),
        held=_held("user", "course_id"),
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
            "sha256": Personal(blank="", unsearched=Why.OURS),
            "sealed_video_url": Personal(blank=b"", keep=DataClass.VIDEO_LINKS, unsearched=Why.THEIRS),
        },
        actors=frozenset({"author"}),
        harmless=_harmless(vocabulary="status source not_applied_reason"),
        grows=True,
        held=_held("attempt__user", "attempt__exam__course_id"),
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
        grows=True,
        held=_held("review__attempt__user", "review__attempt__exam__course_id"),
        attempt="review__attempt",
        dated="review__received_at",
        section="review_comments",
        exported=("review_id", "start_seconds", "stop_seconds", "text", "severity"),
    ),
    Rating: Rule(
        about=_of("attempt__user"),
        actors=frozenset({"by"}),
        harmless=_harmless(vocabulary="raw_value raw_scale mapping_version source"),
        section="ratings",
        exported=("attempt_id", "raw_value", "raw_scale", "risk", "source", "rated_at"),
    ),
    # Who has seen the recording of an attempt: of no use when the recording has gone.
    VideoView: Rule(
        fate=Fate.DELETED,
        about=_of("review__attempt__user"),
        actors=frozenset({"by"}),
        section="looks_at_recordings",
        exported=("review_id", "at"),
    ),
    # That a candidate had a session, and when, stays as statistics, as their attempts do.
    LiveSession: Rule(
        about=_of("user"),
        personal={"sealed_join_url": Personal(blank=b"", unsearched=Why.THEIRS)},
        actors=frozenset({"user"}),
        harmless=_harmless(given="backend external_id", vocabulary="rating_state"),
        section="live_sessions",
        exported=("booking_id", "exam_id", "candidate_number", "attempt_id", "joined_at", "rating_state"),
    ),
    BookingLogEntry: Rule(
        about=lambda user: Q(session__user=user) | Q(booking__in=_bookings_for(user)),
        among=lambda user: Q(booking__in=_bookings_with(user)),
        personal={"comment": Personal(blank="")},
        titles=frozenset({"context"}),
        actors=frozenset({"by"}),
        harmless=_harmless(given="course_id", vocabulary="code"),
        grows=True,
        held=_held("booking__sessions__user", "course_id"),
        section="booking_log",
        exported=("booking_id", "code", "at", "context"),
    ),
    Booking: Rule(
        about=lambda user: Q(id__in=_bookings_for(user)),
        among=lambda user: Q(id__in=_bookings_with(user)),
        personal={"last_error": Personal(blank="")},
        actors=frozenset({"created_by"}),
        harmless=_harmless(given="backend external_id", vocabulary="status rejection_reason", ours="claimed_by"),
        held=_held_booking,
    ),
    BookingPlan: Rule(
        fate=Fate.NOBODYS,
        actors=frozenset({"created_by"}),
        harmless=_harmless(ours="reference", vocabulary="selection"),
    ),
    WebhookMessage: Rule(
        about=_of("attempt__user"),
        personal={
            "sealed_body": Personal(blank=b"", keep=DataClass.MESSAGES, unsearched=Why.ELSEWHERE),
            "error": Personal(blank="", keep=DataClass.MESSAGES),
            # An id that stands in the body too: the message is emptied because of that.
            "waits_for": Personal(blank="", keep=DataClass.MESSAGES, unsearched=Why.ELSEWHERE),
        },
        # Of the headers only those are stored that a vendor's machine writes about itself and the message.
        harmless=_harmless(given="backend delivery_id headers", ours="sha256 claimed_by", vocabulary="type status"),
        held=_held("attempt__user", "attempt__exam__course_id"),
        stamp="blanked_at",
        attempt="attempt",
        dated="received_at",
        section="messages",
        exported=("backend", "delivery_id", "type", "status", "received_at", "sent_at", "blanked_at"),
    ),
    Delivery: Rule(
        about=_deliveries_of,
        among=lambda user: Q(target=DeliveryTarget.BOOKING, target_id__in=_bookings_with(user)),
        personal={"last_error": Personal(blank="")},
        # The argument of a wish to forget is the pseudonym; vendors.py drops it when the wish is granted.
        harmless=_harmless(
            vocabulary="kind operation topic target status",
            given="backend",
            elsewhere="argument",
            ours="key claimed_by",
        ),
        section="deliveries",
        exported=("kind", "backend", "operation", "target", "target_id", "status", "created_at", "done_at"),
    ),
    Pseudonym: Rule(
        fate=Fate.FORGOTTEN_WITH_VENDOR,
        about=_of("user"),
        actors=frozenset({"user"}),
        harmless=_harmless(given="backend", ours="key_id", elsewhere="value"),
        section="pseudonyms",
        exported=("backend", "value", "created_at", "retired_at"),
    ),
    LegalHold: Rule(
        about=_of("user"),
        personal={"reason": Personal(blank="")},
        actors=frozenset({"user", "placed_by", "released_by"}),
        harmless=_harmless(given="course_id"),
        held=lambda people, courses: Q(released_at=None),
    ),
    IdempotencyRecord: Rule(
        fate=Fate.DELETED,
        about=_of("user"),
        actors=frozenset({"user"}),
        harmless=_harmless(callers="key", ours="fingerprint", elsewhere="answer"),
    ),
    DeletionCertificate: Rule(
        fate=Fate.NOBODYS,
        actors=frozenset({"made_by"}),
        texts=frozenset({"reason"}),
        harmless=_harmless(vocabulary="kind counts unclear", ours="subject digest", given="vendors"),
        grows=True,
    ),
    # Before the events: a heartbeat that brings some holds this row until they are there.
    Presence: Rule(
        fate=Fate.DELETED,
        about=_of("attempt__user"),
        harmless=_harmless(theirs="ip user_agent", vocabulary="state quality", callers="stream"),
        keep=DataClass.EVENTS,
        # The pages of the others are still expected.
        spent=Q(attempt__open_slot=None),
        attempt="attempt",
        dated="last_seen_at",
        section="presence",
        exported=("attempt_id", "last_seen_at", "state", "lost_since", "ip", "user_agent", "quality"),
    ),
    SeenAddress: Rule(
        fate=Fate.DELETED,
        about=_of("attempt__user"),
        harmless=_harmless(theirs="ip"),
        keep=DataClass.EVENTS,
        attempt="attempt",
        dated="first_seen_at",
        section="addresses",
        exported=("attempt_id", "ip", "first_seen_at"),
    ),
    Command: Rule(
        about=_of("attempt__user"),
        personal={"text": Personal(blank="", keep=DataClass.EVENTS)},
        actors=frozenset({"by"}),
        harmless=_harmless(vocabulary="kind"),
        grows=True,
        held=_held("attempt__user", "attempt__exam__course_id"),
        attempt="attempt",
        dated="sent_at",
        section="commands",
        exported=("attempt_id", "kind", "text", "minutes", "sent_at", "seen_at", "applied_at"),
    ),
    # Whom it was meant for may stand in what was looked for, and in the words. These are in each attempt's history and
    # log as well, so that nobody else's evidence goes with them; an export has them from there.
    BulkAction: Rule(
        about=_bulk_actions_about,
        personal={
            "filter": Personal(blank={}, keep=DataClass.EVENTS),
            "comment": Personal(blank="", keep=DataClass.EVENTS),
            "text": Personal(blank="", keep=DataClass.EVENTS),
            "undo_comment": Personal(blank="", keep=DataClass.EVENTS),
        },
        actors=frozenset({"by", "undone_by"}),
        harmless=_harmless(vocabulary="action"),
        held=_bulk_actions_held,
        attempt="items__attempt",
        dated="created_at",
    ),
    BulkItem: Rule(
        about=_of("attempt__user"),
        # The details are the sentences of rules.
        harmless=_harmless(vocabulary="result code detail undo_result undo_code undo_detail"),
    ),
    Event: Rule(
        about=_of("attempt__user"),
        personal={
            "reason_message": Personal(blank="", keep=DataClass.EVENTS),
            "error": Personal(blank="", keep=DataClass.EVENTS),
            "ip": Personal(blank=None, keep=DataClass.EVENTS, unsearched=Why.THEIRS),
            "user_agent": Personal(blank="", keep=DataClass.EVENTS, unsearched=Why.THEIRS),
            "data": Personal(blank={}, keep=DataClass.EVENTS),
        },
        # A sealed log has to show that it was erased, and not altered: hashes are kept in place of what goes. Without
        # the salt, which goes too, they say nothing.
        first=keep_hashes,
        actors=frozenset({"actor_user"}),
        harmless=_harmless(
            vocabulary="actor severity status",
            callers="message_id stream",
            given="item_id backend",
            ours="salt personal_hash actor_hash",
        ),
        grows=True,
        held=_held("attempt__user", "exam__course_id"),
        attempt="attempt",
        dated="received_at",
        section="events",
        exported=(
            *("attempt_id", "type", "actor", "at", "occurred_at", "item_id", "question_number", "reason_message"),
            *("error", "ip", "user_agent", "data"),
        ),
    ),
    # Hashes; without the salts of the events, which go, nothing about anybody can be guessed from them.
    Seal: Rule(fate=Fate.NOBODYS, harmless=_harmless(ours="previous_root root packed_places")),
    # Where copies of what is erased here may still be: they have to be asked for.
    EvidenceCopy: Rule(
        about=_of("attempt__user"),
        actors=frozenset({"by"}),
        harmless=_harmless(ours="sha256"),
        section="copies_of_evidence",
        exported=("attempt_id", "at"),
    ),
    Exam: Rule(
        fate=Fate.NOBODYS,
        titles=frozenset({"name", "review_policy", "rules"}),
        harmless=_harmless(
            given="course_id content_id backend external_ids", vocabulary="exam_type status outage_policy"
        ),
        held=lambda people, courses: Q(course_id__in=courses),
    ),
    Circuit: Rule(fate=Fate.NOBODYS, texts=frozenset({"last_error"}), harmless=_harmless(given="backend")),
    SweepCursor: Rule(
        fate=Fate.NOBODYS, texts=frozenset({"last_error"}), harmless=_harmless(given="name backend position")
    ),
}


def kept_in(history: type[Model], fields: Mapping[str, Personal]) -> dict[str, Personal]:
    """Those of these fields of which versions are kept, and the reasons of the versions."""
    known = {one.name for one in history._meta.concrete_fields}
    return {name: personal for name, personal in {**fields, **HISTORY_PERSONAL}.items() if name in known}


def history_of(model: type[Model]) -> type[Model] | None:
    """The model that keeps the versions of this one, where there is one."""
    manager: Any = getattr(model, "history", None)
    return manager.model if manager is not None else None


def label(model: type[Model]) -> str:
    """The name of a model in a certificate: ``attempt``, ``historicalattempt``."""
    return str(model._meta.model_name)
