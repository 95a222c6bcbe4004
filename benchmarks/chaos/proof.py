"""What must hold when everything has come to rest: our rows, held against the vendor's own book."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.chaos.house import ALIAS, CHECK_TRIES, SEND_TRIES
from benchmarks.chaos.legal import path_problem, was_confirmed
from proctoring.bookings.models import Booking, BookingLogEntry, LiveSession
from proctoring.inbox.models import MessageStatus, WebhookMessage
from proctoring.privacy.pseudonyms import candidate_ids

REASON = "booking_rejection_reason_"
JOINED = "proctoring_session_joined_processing_completed"
OURS = {
    "conflict": "conflict",
    "no_capacity": "availability_limit_reached",
    "availability_unknown": "availability_unknown",
    "too_late": "booking_past_leading_time",
    "rejected": "unknown",
}
"""The vendor's word → our reason."""

Row = Mapping[str, Any]


@dataclass
class Proof:
    """``violations``: what does not hold. ``undecided``: given up when all tries were used up, and how it stands at the
    vendor."""

    violations: list[str] = field(default_factory=list)
    undecided: Counter[str] = field(default_factory=Counter)
    entries: int = 0
    sessions: int = 0
    asleep: int = 0
    """Messages that wait for an id which is known here meanwhile."""


def prove(book: Mapping[str, Any], *, bookings: int, candidates: int) -> Proof:
    proof = Proof()
    ours = list(Booking.objects.select_related("plan", "exam").order_by("pk"))
    logs, rows = _logs(), _by(book["bookings"], "reference")
    rooms = _by((one for one in book["sessions"] if one["is_open"]), "booking")
    if len(ours) != bookings:
        proof.violations.append(f"{len(ours)} bookings are here, {bookings} were planned")
    for booking in ours:
        log = logs[booking.pk]
        problems = [path_problem(booking, log), *_booking_problems(booking, log, rows[booking.reference], proof)]
        if booking.status == "confirmed":
            problems += _session_problems(booking, log, rooms[str(booking.external_id)], candidates)
        proof.violations += [f"{booking.reference}: {problem}" for problem in problems if problem]
    proof.violations += [f"the vendor has {one}, which nobody sent" for one in set(rows) - {b.reference for b in ours}]
    proof.violations += [*_exam_problems(book["exams"], ours), *_message_problems()]
    proof.entries = sum(map(len, logs.values()))
    proof.sessions = LiveSession.objects.filter(booking__status="confirmed", external_id__isnull=False).count()
    proof.asleep = _asleep()
    return proof


def _booking_problems(
    booking: Booking, log: Sequence[BookingLogEntry], rows: Sequence[Row], proof: Proof
) -> Iterator[str]:
    held = [row for row in rows if row["state"] in ("pending", "confirmed")]
    standing = [row["state"] for row in held] or [f"{row['state']} ({row['reason']})" for row in rows]
    if len(held) > 1:
        yield f"held {len(held)} times"
    if booking.status == "confirmed":
        if [(row["id"], row["state"]) for row in held] != [(booking.external_id, "confirmed")]:
            yield f"confirmed here as {booking.external_id}, there {standing}"
    elif booking.status != "rejected":
        tries = f"sent {booking.send_tries} times, checked {booking.check_count} times"
        yield f"is still {booking.status} ({tries}): {booking.last_error}"
    elif _used_up(booking):
        name = f"{booking.rejection_reason.removeprefix(REASON)} while {standing[-1] if standing else 'unheard of'}"
        proof.undecided[name] += 1
    elif held:
        yield f"rejected here ({booking.rejection_reason}), held there ({standing})"
    elif booking.rejection_reason not in _true_reasons(booking, log, rows):
        yield f"rejected here as {booking.rejection_reason} ({booking.last_error}), there {standing}"


def _used_up(booking: Booking) -> bool:
    """Whether it was given up for want of an answer, and really at the last try."""
    tries = {
        REASON + "bulk_booking_failed": booking.send_tries >= SEND_TRIES,
        REASON + "booking_check_exhausted": booking.check_count >= CHECK_TRIES,
    }
    return tries.get(booking.rejection_reason, False)


def _true_reasons(booking: Booking, log: Sequence[BookingLogEntry], rows: Sequence[Row]) -> set[str]:
    words = {str(row["reason"]) for row in rows if row["state"] in ("rejected", "withdrawn")}
    if was_confirmed(log):
        # Of a confirmed booking that is withdrawn, the vocabulary tells want of proctors alone from the rest.
        words = {word if word == "no_capacity" else "rejected" for word in words}
    return {REASON + OURS[word] for word in words}


def _session_problems(
    booking: Booking, log: Sequence[BookingLogEntry], rooms: Sequence[Row], candidates: int
) -> Iterator[str]:
    sessions = list(LiveSession.objects.filter(booking=booking.pk))
    ids = candidate_ids(ALIAS, {one.user_id for one in sessions})
    here = {(one.candidate_number, ids[one.user_id], one.external_id, one.join_url) for one in sessions}
    there = {(one["candidate_number"], one["user_id"], one["id"], one["join_url"]) for one in rooms}
    if len(here) != candidates or here != there:
        yield f"sessions differ: {sorted(here ^ there, key=str)[:4]}"
    joined = Counter(entry.session_id for entry in log if entry.code == JOINED)
    if joined != Counter(one.pk for one in sessions):
        yield f"the links of {len(sessions)} sessions have {joined.total()} entries"


def _exam_problems(exams: Sequence[Row], bookings: Sequence[Booking]) -> Iterator[str]:
    here = sorted(booking.exam.external_id_at(ALIAS) for booking in bookings)
    if here != sorted(str(exam["id"]) for exam in exams):
        yield f"{len(exams)} exams are registered, for {len(here)} bookings"


def _message_problems() -> Iterator[str]:
    bad = WebhookMessage.objects.filter(status__in=(MessageStatus.FAILED, MessageStatus.QUARANTINED))
    for message in bad:
        yield f"message {message.delivery_id} is {message.status}: {message.error}"


def _asleep() -> int:
    waiting = WebhookMessage.objects.filter(status=MessageStatus.RECEIVED).exclude(waits_for="")
    known = set(Booking.objects.exclude(external_id=None).values_list("external_id", flat=True))
    return sum(one in known for one in waiting.values_list("waits_for", flat=True))


def _logs() -> dict[int, list[BookingLogEntry]]:
    found: dict[int, list[BookingLogEntry]] = defaultdict(list)
    for entry in BookingLogEntry.objects.order_by("pk"):
        found[entry.booking_id].append(entry)
    return found


def _by(rows: Any, name: str) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        found[str(row[name])].append(row)
    return found
