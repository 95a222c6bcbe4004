"""Carry bookings to their vendors and ask how they stand. Calls happen outside of any transaction.

A worker that dies leaves its bookings claimed: another takes them when the lease is over. Sent again, a booking is the
same one to the vendor, because its reference is.
"""

from __future__ import annotations

import logging
import random
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from proctoring.backends import backends
from proctoring.backends.base import Backend
from proctoring.backends.live import BookedCandidate, BookingAnswer, BookingReport, BookingRequest
from proctoring.bookings import checking, sending
from proctoring.bookings.models import Booking
from proctoring.bookings.sending import Ready
from proctoring.errors import BackendAuthenticationError, BackendError, NotConfigured, UnknownBackend
from proctoring.exams.models import Exam
from proctoring.exams.services import owe_registration
from proctoring.exchange.lists import may_call
from proctoring.outbox import circuits
from proctoring.privacy.pseudonyms import candidate_ids

logger = logging.getLogger(__name__)

PAUSE = timedelta(seconds=30)
"""While a vendor's circuit is open."""


def vendors_with_bookings() -> list[str]:
    """The vendors that bookings here name, whatever is configured now: one that is gone must not be waited for. In any
    order, so that one with a long queue does not keep the same others waiting at every run."""
    named = Booking.objects.filter(status__in=("scheduled", "sent", "confirmed")).order_by()
    aliases = list(named.values_list("backend", flat=True).distinct())
    random.shuffle(aliases)
    return aliases


def send_batch(alias: str, *, limit: int) -> int:
    """Send up to ``limit`` bookings of this vendor, all in one call as long as it will have them. Returns how many were
    claimed.

    Never raises for what a vendor or a plugin does: the bookings say what happened.
    """
    now = timezone.now()
    claimed = sending.claim_to_send(alias, now=now, limit=limit)
    ready = [one for booking in claimed if (one := sending.prepare(booking, now=now)) is not None]
    if ready:
        _send(alias, ready)
    return len(claimed)


def check_batch(alias: str, *, limit: int) -> int:
    """Ask the vendor about up to ``limit`` bookings, one call each. Returns how many were claimed."""
    now = timezone.now()
    claimed = checking.claim_to_check(alias, now=now, limit=limit)
    for at, booking in enumerate(claimed):
        now = timezone.now()
        if not may_call(alias, now=now):
            checking.rest(claimed[at:], now=now, until=now + PAUSE)
            break
        if checking.renew(booking, now=now):
            _check(alias, booking)
        else:
            circuits.end_trial(alias)
    return len(claimed)


def _send(alias: str, ready: Sequence[Ready]) -> None:
    now = timezone.now()
    try:
        backend = backends[alias]
        ready = sending.renew(_registered(backend, ready, now=now), now=now)
        if not ready:
            return
        if not may_call(alias, now=now):
            held = [one.booking for one in ready]
            sending.give_back(held, now=now, until=now + PAUSE, why="calls to the vendor rest")
            return
        answers = _book(backend, ready)
    except BackendError as error:
        _note_health(alias, error)
        if error.retryable or isinstance(error, BackendAuthenticationError):
            _note_failures(ready, error)
        else:
            _send_apart(alias, ready, error)
    except (UnknownBackend, NotConfigured) as ours:
        circuits.end_trial(alias)
        _note_failures(ready, BackendError(str(ours)))
    # A plugin's mistake must not stop the other vendors' bookings. Its words may hold anything: they go to the log.
    except Exception as mistake:
        logger.exception("%s bookings of %s could not be sent", len(ready), alias)
        circuits.end_trial(alias)
        _send_apart(alias, ready, _unforeseen(mistake))
    else:
        circuits.note_vendor_answered(alias, now=timezone.now())
        _apply(ready, answers)


def _send_apart(alias: str, ready: Sequence[Ready], error: BackendError) -> None:
    """The call as a whole was refused, or broke the plugin, perhaps because of one of the bookings: halves are tried,
    so that this one does not take the others with it."""
    if len(ready) == 1:
        _note_failures(ready, error)
        return
    middle = len(ready) // 2
    for half in (ready[:middle], ready[middle:]):
        _send(alias, half)


def _check(alias: str, booking: Booking) -> None:
    answer = _ask(alias, booking)
    now = timezone.now()
    if isinstance(answer, BookingReport):
        checking.apply_report(booking, answer, now=now)
    else:
        checking.note_check_failure(booking, answer, now=now)


def _ask(alias: str, booking: Booking) -> BookingReport | BackendError:
    if checking.workers_are_lost(booking):
        circuits.end_trial(alias)
        return BackendError("given up: its workers did not come back from the call")
    try:
        report = backends[alias].fetch_booking(booking.external_id or "")
        if not isinstance(report, BookingReport):
            raise TypeError("the plugin gave no report")
    except BackendError as error:
        _note_health(alias, error)
        return error
    except UnknownBackend as ours:
        circuits.end_trial(alias)
        return BackendError(str(ours))
    except Exception as mistake:
        logger.exception("booking %s could not be checked", booking.pk)
        circuits.end_trial(alias)
        return _unforeseen(mistake, retryable=False)
    circuits.note_vendor_answered(alias, now=timezone.now())
    return report


def _registered(backend: Backend, ready: Sequence[Ready], *, now: datetime) -> list[Ready]:
    """Those whose exam the vendor knows. The others wait for its registration, which wakes them."""
    if not backend.registers_exams:
        return list(ready)
    known = [one for one in ready if one.booking.exam.external_id_at(backend.alias)]
    waiting = [one.booking for one in ready if one not in known]
    exams = {booking.exam_id for booking in waiting}
    for exam_id in exams:
        owe_registration(exam_id, backend.alias)
    why = "the exam is not registered with the vendor yet"
    sending.give_back(waiting, now=now, until=now + sending.WAIT, why=why)
    # Registered after we had looked and before the bookings lay down: then nobody else wakes them.
    awake = [exam.pk for exam in Exam.objects.filter(pk__in=exams) if exam.external_id_at(backend.alias)]
    if awake:
        sending.wake_bookings(Booking.objects.filter(exam__in=awake, backend=backend.alias), now=now)
    return known


def _book(backend: Backend, ready: Sequence[Ready]) -> dict[str, BookingAnswer]:
    """Reference → the first answer to it that can be used."""
    people = {session.user_id for one in ready for session in one.sessions}
    ids = candidate_ids(backend.alias, people)
    requests = [_request(backend, one, ids) for one in ready]
    told: dict[str, BookingAnswer] = {}
    for answer in backend.book(requests, key=f"book-{uuid.uuid4().hex}"):
        if _is_complete(answer):
            told.setdefault(answer.reference, answer)
    return told


def _request(backend: Backend, ready: Ready, ids: dict[int, str]) -> BookingRequest:
    booking = ready.booking
    return BookingRequest(
        reference=booking.reference,
        exam_external_id=booking.exam.external_id_at(backend.alias),
        starts_at=booking.starts_at,
        ends_at=booking.ends_at,
        reserved_from=booking.reserved_from,
        reserved_until=booking.reserved_until,
        ratio=booking.ratio,
        candidates=tuple(
            BookedCandidate(number=one.candidate_number, candidate_id=ids[one.user_id]) for one in ready.sessions
        ),
    )


def _apply(ready: Sequence[Ready], told: Mapping[str, BookingAnswer]) -> None:
    """A booking that the vendor said nothing about, or took in without an id, is sent again."""
    for one in ready:
        answer = told.get(one.booking.reference)
        if answer is None:
            error = BackendError("the vendor's answer says nothing about this booking")
            sending.note_send_failure(one.booking, error, now=timezone.now())
        else:
            sending.apply_answer(one.booking, answer, now=timezone.now())


def _is_complete(answer: BookingAnswer) -> bool:
    return answer.word not in sending.TAKEN_IN or 0 < len(answer.external_id) <= 255


def _note_failures(ready: Sequence[Ready], error: BackendError) -> None:
    for one in ready:
        sending.note_send_failure(one.booking, error, now=timezone.now())


def _unforeseen(mistake: Exception, *, retryable: bool = True) -> BackendError:
    return BackendError(f"unforeseen {type(mistake).__name__}, see the log", retryable=retryable)


def _note_health(alias: str, error: BackendError) -> None:
    if error.retryable or isinstance(error, BackendAuthenticationError):
        circuits.note_vendor_failed(alias, error, now=timezone.now())
    else:
        circuits.note_vendor_answered(alias, now=timezone.now())
