"""Carry bookings to their vendors and ask how they stand. Calls happen outside of any transaction.

A worker that dies leaves its bookings claimed: another takes them when the lease is over. Sent again, a booking is the
same one to the vendor, because its reference is.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from proctoring.backends import backends
from proctoring.backends.base import Backend
from proctoring.backends.live import BookedCandidate, BookingAnswer, BookingReport, BookingRequest, BookingWord
from proctoring.bookings import checking, sending
from proctoring.bookings.models import Booking
from proctoring.bookings.sending import Ready
from proctoring.errors import BackendAuthenticationError, BackendError, LeaseLost, NotConfigured, UnknownBackend
from proctoring.exams.services import owe_registration
from proctoring.exchange.lists import may_call
from proctoring.outbox import circuits
from proctoring.privacy.pseudonyms import candidate_ids

logger = logging.getLogger(__name__)

PAUSE = timedelta(seconds=30)
"""While a vendor's circuit is open."""


def vendors_with_bookings() -> Iterator[str]:
    """The vendors that bookings here name, whatever is configured now: one that is gone must not be waited for."""
    named = Booking.objects.filter(status__in=("scheduled", "sent", "confirmed")).order_by()
    yield from sorted(named.values_list("backend", flat=True).distinct())


def send_batch(alias: str, *, limit: int) -> int:
    """Send up to ``limit`` bookings of this vendor in one call. Returns how many were claimed.

    Never raises for what a vendor or a plugin does: the bookings say what happened.
    """
    now = timezone.now()
    claimed = sending.claim_to_send(alias, now=now, limit=limit)
    ready = [one for booking in claimed if (one := sending.prepare(booking, now=now)) is not None]
    if not ready:
        return len(claimed)
    held = [one.booking for one in ready]
    try:
        backend = backends[alias]
        ready = _registered(backend, ready, now=now)
        if not ready:
            return len(claimed)
        if not may_call(alias, now=now):
            sending.give_back(held, until=now + PAUSE, why="calls to the vendor rest")
            return len(claimed)
        answers = _book(backend, ready)
    except BackendError as error:
        _note_health(alias, error)
        _note_failures(ready, error)
    except (UnknownBackend, NotConfigured) as ours:
        _note_failures(ready, BackendError(str(ours)))
    # A plugin's mistake must not stop the other vendors' bookings. Its words may hold anything: they go to the log.
    except Exception as mistake:
        logger.exception("%s bookings of %s could not be sent", len(ready), alias)
        circuits.end_trial(alias)
        _note_failures(ready, BackendError(f"unforeseen {type(mistake).__name__}, see the log"))
    else:
        circuits.note_vendor_answered(alias, now=timezone.now())
        _apply(ready, answers)
    return len(claimed)


def check_batch(alias: str, *, limit: int) -> int:
    """Ask the vendor about up to ``limit`` bookings, one call each. Returns how many were claimed."""
    now = timezone.now()
    claimed = checking.claim_to_check(alias, now=now, limit=limit)
    for at, booking in enumerate(claimed):
        if not may_call(alias, now=timezone.now()):
            checking.rest(claimed[at:], now=timezone.now(), until=timezone.now() + PAUSE)
            break
        _check(alias, booking)
    return len(claimed)


def _check(alias: str, booking: Booking) -> None:
    try:
        checking.renew(booking, now=timezone.now())
    except LeaseLost:
        logger.warning("booking %s was taken over by another worker", booking.pk)
        circuits.end_trial(alias)
        return
    try:
        report: BookingReport | None = backends[alias].fetch_booking(booking.external_id or "")
        failure = None
    except BackendError as error:
        _note_health(alias, error)
        report, failure = None, error
    except UnknownBackend as ours:
        report, failure = None, BackendError(str(ours))
    except Exception as mistake:
        logger.exception("booking %s could not be checked", booking.pk)
        circuits.end_trial(alias)
        report, failure = None, BackendError(f"unforeseen {type(mistake).__name__}, see the log", retryable=False)
    now = timezone.now()
    if report is not None:
        circuits.note_vendor_answered(alias, now=now)
        checking.apply_report(booking, report, now=now)
    elif failure is not None:
        checking.note_check_failure(booking, failure, now=now)


def _registered(backend: Backend, ready: Sequence[Ready], *, now: datetime) -> list[Ready]:
    """Those whose exam the vendor knows. The others wait for its registration, which wakes them."""
    if not backend.registers_exams:
        return list(ready)
    known = [one for one in ready if one.booking.exam.external_id_at(backend.alias)]
    waiting = [one.booking for one in ready if one not in known]
    for exam_id in {booking.exam_id for booking in waiting}:
        owe_registration(exam_id, backend.alias)
    sending.give_back(waiting, until=now + sending.WAIT, why="the exam is not registered with the vendor yet")
    return known


def _book(backend: Backend, ready: Sequence[Ready]) -> Sequence[BookingAnswer]:
    people = {session.user_id for one in ready for session in one.sessions}
    ids = candidate_ids(backend.alias, people)
    requests = [_request(backend, one, ids) for one in ready]
    return backend.book(requests, key=f"book-{uuid.uuid4().hex}")


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


def _apply(ready: Sequence[Ready], answers: Sequence[BookingAnswer]) -> None:
    """A booking that the vendor said nothing about, or took in without an id, is sent again."""
    told = {answer.reference: answer for answer in answers if _is_complete(answer)}
    for one in ready:
        answer = told.get(one.booking.reference)
        if answer is None:
            sending.note_send_failure(
                one.booking, BackendError("the vendor's answer says nothing about this booking"), now=timezone.now()
            )
        else:
            sending.apply_answer(one.booking, answer, now=timezone.now())


def _is_complete(answer: BookingAnswer) -> bool:
    taken_in = answer.word in (BookingWord.ACCEPTED, BookingWord.EXISTS)
    return not taken_in or 0 < len(answer.external_id) <= 255


def _note_failures(ready: Sequence[Ready], error: BackendError) -> None:
    for one in ready:
        sending.note_send_failure(one.booking, error, now=timezone.now())


def _note_health(alias: str, error: BackendError) -> None:
    if error.retryable or isinstance(error, BackendAuthenticationError):
        circuits.note_vendor_failed(alias, error, now=timezone.now())
    else:
        circuits.note_vendor_answered(alias, now=timezone.now())
