"""Scheduled bookings go out together, each gets its own answer, and whatever fails ends in its own word."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from proctoring.backends.base import Backend
from proctoring.backends.live import BookingAnswer, BookingWord
from proctoring.bookings import sending, states
from proctoring.bookings.services import schedule_booking
from proctoring.errors import BackendAuthenticationError, BackendError, BackendRejected
from proctoring.exams.models import ExamStatus
from proctoring.outbox.models import Circuit, Delivery
from tests.booking_vendor import ALIAS
from tests.bookings.desk import NOW, Vendor, booked, codes, deliver, fresh, planner, send, status, vendor_of
from tests.factories import UserFactory, at
from tests.hosts import configure

LATER, ABANDONED = "sending_postponed", "abandoned_bulk_booking_due_to_incompatible_booking_status"


def test_many_go_in_one_call_and_each_gets_its_own_answer(vendor: Vendor) -> None:
    words = list(BookingWord)
    bookings = [booked() for _ in words]
    vendor.script.words = {one.reference: word for one, word in zip(bookings, words, strict=True)}
    assert send() == len(words)
    assert [len(batch) for batch in vendor.batches] == [len(words)]
    assert [status(one) for one in bookings] == [
        "sent",
        "confirmed",
        "rejected conflict",
        "rejected availability_limit_reached",
        "rejected availability_unknown",
        "rejected booking_past_leading_time",
        "rejected unknown",
    ]
    assert codes(bookings[0]) == [states.SENT, states.CHECK_SCHEDULED]
    assert codes(bookings[1]) == [states.CONFIRMED_EXISTING]
    for one in bookings:
        row = fresh(one)
        assert (row.claimed_until, row.claimed_by, row.next_send_at) == (None, "", None)
        assert (row.external_id is None) == (row.status == "rejected")
    assert not Delivery.objects.exists()


def test_the_request_says_what_was_planned(vendor: Vendor) -> None:
    booking = booked(people=2, extra_minutes=30)
    gone = booking.sessions.get(candidate_number=1).user
    gone.is_active = False
    gone.save()
    send()
    request = vendor.script.book[booking.reference]
    assert (request.starts_at, request.ends_at) == (at(10, 0), at(12, 0))
    assert (request.reserved_from, request.reserved_until) == (at(9, 45), at(12, 40))
    assert [one.number for one in request.candidates] == [2]
    assert str(booking.sessions.get(candidate_number=2).user_id) != request.candidates[0].candidate_id


def test_a_batch_has_a_limit_and_the_earliest_windows_go_first(vendor: Vendor) -> None:
    late, early = booked(starts_at=at(11, 0)), booked()
    assert [send(limit=1), send(limit=1), send(limit=1)] == [1, 1, 0]
    assert vendor.batches == [[early.reference], [late.reference]]


def test_what_the_vendor_leaves_out_is_sent_again(vendor: Vendor, clock: Any) -> None:
    heard, unheard, without_id = booked(), booked(), booked()
    vendor.rewrite = lambda answers: [
        answers[0],
        BookingAnswer(reference=without_id.reference, word=BookingWord.ACCEPTED),
        BookingAnswer(reference="nobody's", word=BookingWord.ACCEPTED, external_id="x"),
    ]
    send()
    assert [status(one) for one in (heard, unheard, without_id)] == ["sent", "scheduled", "scheduled"]
    assert codes(unheard) == codes(without_id) == [LATER]
    row = fresh(unheard)
    assert row.next_send_at is not None
    assert (row.send_tries, row.claimed_until) == (1, None)
    assert NOW < row.next_send_at <= NOW + timedelta(seconds=5)
    clock.move_to(NOW + timedelta(seconds=6))
    vendor.rewrite = list
    send()
    assert [status(one) for one in (heard, unheard, without_id)] == ["sent"] * 3
    assert set(vendor.script.book) == {one.reference for one in (heard, unheard, without_id)}


def test_of_two_answers_to_one_booking_the_first_counts(vendor: Vendor) -> None:
    booking = booked()
    other = BookingAnswer(reference=booking.reference, word=BookingWord.CONFLICT)
    vendor.rewrite = lambda answers: [*answers, other]
    send()
    assert status(booking) == "sent"
    assert codes(booking) == [states.SENT, states.CHECK_SCHEDULED]


def test_a_word_that_nobody_knows_is_a_rejection_for_an_unknown_reason(vendor: Vendor) -> None:
    booking = booked()
    word: Any = "maybe"
    vendor.rewrite = lambda _: [BookingAnswer(reference=booking.reference, word=word)]
    send()
    assert status(booking) == "rejected unknown"


@pytest.mark.parametrize(
    "rubbish",
    [
        lambda answers: None,
        lambda answers: ["accepted"],
        lambda answers: [BookingAnswer(reference=answers[0].reference, word=BookingWord.ACCEPTED, external_id=7)],
    ],
    ids=["nothing", "strings", "a number for an id"],
)
def test_what_a_plugin_returns_may_be_unusable(vendor: Vendor, rubbish: Any) -> None:
    booking = booked()
    vendor.rewrite = rubbish
    assert send() == 1
    assert (status(booking), codes(booking)) == ("scheduled", [LATER])
    assert fresh(booking).last_error in (
        "BackendError: unforeseen TypeError, see the log",
        "BackendError: unforeseen AttributeError, see the log",
    )


def test_one_that_the_vendor_or_its_plugin_cannot_bear_does_not_take_the_others_with_it(vendor: Vendor) -> None:
    bookings = [booked() for _ in range(5)]
    poison = bookings[3].reference
    sound = vendor.book

    def refuse(requests: Any, *, key: str) -> Any:
        if poison in [one.reference for one in requests]:
            vendor.calls.append("refused")
            raise BackendRejected("malformed")
        return sound(requests, key=key)

    vendor.book = refuse  # type: ignore[method-assign]
    send()
    assert [status(one) for one in bookings] == ["sent", "sent", "sent", "rejected bulk_booking_failed", "sent"]
    assert vendor.calls.count("refused") == 4
    assert Circuit.objects.get().failures == 0
    # It refused, so it holds nothing.
    assert not Delivery.objects.exists()


@pytest.mark.usefixtures("db")
def test_one_lost_answer_is_enough_for_the_vendor_to_hold_it(clock: Any, settings: Any) -> None:
    configure(settings, BOOKING_SEND_TRIES=1)
    vendor, booking = vendor_of(settings), booked()
    vendor.script.failing = BackendError("time-out")
    send()
    assert status(booking) == "rejected bulk_booking_failed"
    assert Delivery.objects.get().operation == "cancel_booking"


def test_an_exam_that_is_not_registered_yet_waits_and_is_woken(vendor: Vendor, settings: Any) -> None:
    registering(vendor)
    ready, waiting = booked(exam__external_ids={ALIAS: "e-1"}), booked()
    send()
    assert vendor.batches == [[ready.reference]]
    row = fresh(waiting)
    assert (status(waiting), row.send_tries, row.next_send_at) == ("scheduled", 0, NOW + timedelta(seconds=60))
    assert row.last_error == "the exam is not registered with the vendor yet"
    assert codes(waiting) == []
    assert deliver(NOW) == ["done"]
    assert fresh(waiting).next_send_at == NOW
    send()
    assert vendor.script.book[waiting.reference].exam_external_id == "e-2"


def test_an_exam_that_is_registered_just_before_the_booking_lies_down_wakes_it(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    registering(vendor)
    booking, lay_down = booked(), sending.give_back

    def give_back(*args: Any, **said: Any) -> None:
        assert deliver(NOW) == ["done"]
        lay_down(*args, **said)

    monkeypatch.setattr(sending, "give_back", give_back)
    send()
    assert fresh(booking).next_send_at == NOW


def registering(vendor: Vendor) -> None:
    vendor.registers_exams = True  # type: ignore[misc]
    vendor.register_exam = lambda exam, *, key: "e-2"  # type: ignore[method-assign]


@pytest.mark.parametrize("reason", ["wrong_test_status", "booking_past_leading_time", "no_bookable_candidates"])
def test_what_was_right_at_scheduling_is_looked_at_again_at_sending(vendor: Vendor, clock: Any, reason: str) -> None:
    booking = booked("draft")
    schedule_booking(booking, by=planner())
    assert status(booking) == "scheduled"
    if reason == "wrong_test_status":
        booking.exam.status = ExamStatus.ARCHIVED
        booking.exam.save()
    elif reason == "booking_past_leading_time":
        clock.move_to(at(9, 0, 1))
    else:
        UserFactory._meta.model.objects.update(is_active=False)
    send()
    assert status(booking) == f"rejected {reason}"
    assert vendor.calls == []
    assert not Delivery.objects.exists()


def test_exactly_the_lead_time_is_enough(vendor: Vendor, clock: Any) -> None:
    booking = booked()
    clock.move_to(at(9, 0))
    send()
    assert status(booking) == "sent"


def test_while_calls_rest_nothing_is_tried_and_past_the_window_it_is_too_late(vendor: Vendor, clock: Any) -> None:
    booking = booked()
    Circuit.objects.create(backend=ALIAS, failures=9, open_until=at(9, 30))
    send()
    row = fresh(booking)
    assert (row.send_tries, row.claimed_by, row.next_send_at) == (0, "", NOW + timedelta(seconds=30))
    assert (vendor.calls, codes(booking)) == ([], [])
    clock.move_to(at(9, 1))
    send()
    assert status(booking) == "rejected booking_past_leading_time"
    assert (vendor.calls, Delivery.objects.count()) == ([], 0)


def test_a_circuit_is_tried_once_and_closed_by_the_answer(vendor: Vendor) -> None:
    booking = booked()
    Circuit.objects.create(backend=ALIAS, failures=9, open_until=NOW)
    send()
    assert status(booking) == "sent"
    assert Circuit.objects.get().open_until is None


def test_a_trial_that_made_no_call_is_left_to_the_next(vendor: Vendor, settings: Any) -> None:
    booking = booked()
    Circuit.objects.create(backend=ALIAS, failures=9, open_until=NOW)
    configure(settings, PSEUDONYM_KEYS=[])
    send()
    assert "PSEUDONYM_KEYS" in fresh(booking).last_error
    assert Circuit.objects.get().probing_until is None


def test_wrong_credentials_are_one_call_in_all_and_never_again(vendor: Vendor, clock: Any) -> None:
    batch = [booked() for _ in range(3)]
    rest = booked(starts_at=at(11, 30))
    vendor.script.failing = BackendAuthenticationError("no such client")
    send(limit=3)
    assert [status(one) for one in batch] == ["rejected authentication_failed_during_bulk_booking"] * 3
    assert {fresh(one).last_error for one in batch} == {"BackendAuthenticationError: no such client"}
    assert Circuit.objects.get().stopped
    for hour in (8, 9):
        clock.move_to(at(hour, 30))
        send()
    assert vendor.calls == ["book"]
    assert status(rest) == "scheduled"
    assert fresh(rest).last_error == "calls to the vendor rest"
    assert not Delivery.objects.exists()


@pytest.mark.usefixtures("db")
def test_failures_that_may_pass_are_tried_to_the_limit_and_then_let_go(clock: Any, settings: Any) -> None:
    configure(settings, BOOKING_SEND_TRIES=3)
    vendor = vendor_of(settings)
    booking = booked()
    vendor.script.failing = BackendError("time-out")
    for minute in range(5):
        clock.move_to(at(8, minute))
        send()
    assert vendor.calls == ["book"] * 3
    assert status(booking) == "rejected bulk_booking_failed"
    assert codes(booking) == [LATER, LATER, states.SENDING_FAILED]
    assert fresh(booking).last_error == "BackendError: time-out"
    # The answer may be what was lost: the vendor is told the reference.
    vendor.script.failing = None
    clock.move_to(at(8, 10))
    assert deliver(at(8, 10)) == ["done"]
    assert vendor.script.cancelled == [booking.reference]


def test_the_vendors_own_wish_for_a_pause_is_granted(vendor: Vendor) -> None:
    booking = booked()
    vendor.script.failing = BackendError("busy", retry_after=600)
    send()
    assert fresh(booking).next_send_at == NOW + timedelta(seconds=600)


def test_a_plugin_with_a_mistake_is_noted_without_its_words(vendor: Vendor) -> None:
    booking = booked()
    vendor.during = lambda: 1 / 0
    send()
    assert (status(booking), codes(booking)) == ("scheduled", [LATER])
    assert fresh(booking).last_error == "BackendError: unforeseen ZeroDivisionError, see the log"
    assert not Circuit.objects.exists()


def test_a_vendor_that_is_gone_from_the_settings_is_not_waited_for(vendor: Vendor, clock: Any, settings: Any) -> None:
    configure(settings, BACKENDS={"other": {"BACKEND": f"{__name__}.Nobody"}}, BOOKING_SEND_TRIES=1)
    booking = booked()
    send()
    assert status(booking) == "rejected bulk_booking_failed"


class Nobody(Backend):
    pass
