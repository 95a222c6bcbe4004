"""While a booking is with a worker: people decide, workers die, leases end. The vendor's book and ours stay one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from proctoring.backends.live import BookingReport, BookingState, BookingWord
from proctoring.bookings import checking, sending, states
from proctoring.bookings.models import Booking
from proctoring.bookings.services import cancel_booking, confirm_by_hand, reject_by_hand, schedule_booking
from proctoring.errors import BackendError
from proctoring.exchange.lists import may_call
from proctoring.outbox.models import Circuit, Delivery
from tests.booking_vendor import ALIAS
from tests.bookings.desk import NOW, Vendor, booked, check, codes, deliver, fresh, planner, send, status, vendor_of
from tests.hosts import configure

SENDING = "abandoned_bulk_booking_due_to_incompatible_booking_status"
CHECKING = "abandoned_booking_check_due_to_incompatible_booking_status"
LEASE = timedelta(seconds=121)


class Killed(BaseException):
    """What SIGKILL does: nothing after it runs."""


def kill() -> None:
    raise Killed


def killed(work: Any, vendor: Vendor) -> None:
    """A worker dies after the vendor has answered and before we have heard it."""
    vendor.during = kill
    with pytest.raises(Killed):
        work()


def test_killed_after_the_vendor_took_it_the_booking_goes_out_again_and_is_one(vendor: Vendor, clock: Any) -> None:
    booking = booked()
    killed(send, vendor)
    assert status(booking) == "scheduled"
    assert send() == 0  # the lease holds
    clock.shift(LEASE)
    assert send() == 1
    assert status(booking) == "sent"
    assert vendor.batches == [[booking.reference]] * 2
    assert list(vendor.script.book) == [booking.reference]
    assert codes(booking) == [states.SENT, states.CHECK_SCHEDULED]


def test_a_booking_that_kills_its_workers_is_given_up_and_let_go(clock: Any, db: None, settings: Any) -> None:
    configure(settings, BOOKING_SEND_TRIES=2)
    vendor, booking = vendor_of(settings), booked()
    for _ in range(2):
        killed(send, vendor)
        clock.shift(LEASE)
    assert send() == 1
    assert len(vendor.batches) == 2
    assert status(booking) == "rejected bulk_booking_failed"
    assert fresh(booking).last_error == "given up: its workers did not come back from the call"
    assert deliver(NOW + 3 * LEASE) == ["done"]
    assert vendor.script.book == {}


def test_rejected_here_after_a_lost_answer_it_is_let_go_there(vendor: Vendor, clock: Any) -> None:
    booking = booked()
    killed(send, vendor)
    clock.move_to(booking.starts_at)
    send()
    assert status(booking) == "rejected booking_past_leading_time"
    deliver(booking.starts_at)
    assert vendor.script.book == {}


def test_cancelled_during_the_call_the_vendor_is_told_what_it_accepted(vendor: Vendor) -> None:
    booking = booked()
    vendor.during = lambda: cancel_booking(booking, by=planner())
    send()
    assert status(booking) == "cancelled"
    assert codes(booking) == ["cancelled", SENDING]
    row = fresh(booking)
    assert (row.external_id, row.claimed_until, row.claimed_by) == (f"booking-{booking.reference}", None, "")
    assert deliver(NOW) == ["done"]
    assert (vendor.script.book, vendor.script.cancelled) == ({}, [booking.reference])
    assert Delivery.objects.count() == 1


def test_cancelled_and_the_worker_died_the_cancellation_waits_for_the_lease(vendor: Vendor, clock: Any) -> None:
    booking = booked()
    killed(send, vendor)
    cancel_booking(booking, by=planner())
    assert deliver(NOW) == ["due"]
    assert vendor.script.cancelled == []
    later = NOW + timedelta(minutes=6)
    clock.move_to(later)
    assert deliver(later) == ["done"]
    assert (vendor.script.book, fresh(booking).external_id) == ({}, None)


def test_what_was_accepted_is_cancelled_under_the_id_that_it_has_now(vendor: Vendor) -> None:
    booking = booked(external_id="of-an-earlier-sending")
    vendor.during = lambda: cancel_booking(booking, by=planner())
    send()
    assert fresh(booking).external_id == f"booking-{booking.reference}"
    deliver(NOW)
    assert vendor.script.book == {}


def test_a_worker_that_finds_a_decision_before_its_call_makes_none(vendor: Vendor) -> None:
    first, second = booked(), booked()
    claimed = sending.claim_to_send(ALIAS, now=NOW, limit=2)
    ready = [one for booking in claimed if (one := sending.prepare(booking, now=NOW))]
    cancel_booking(first, by=planner())
    assert deliver(NOW) == ["due"]
    assert [one.booking for one in sending.renew(ready, now=NOW)] == [second]
    assert codes(first) == ["cancelled", SENDING]
    # The worker is through with it, so the cancellation is due at once.
    assert deliver(NOW) == ["done"]


@pytest.mark.parametrize("word", [BookingWord.ACCEPTED, BookingWord.CONFLICT])
def test_rejected_by_hand_during_the_call(vendor: Vendor, word: BookingWord) -> None:
    booking = booked()
    vendor.script.words[booking.reference] = word
    vendor.during = lambda: reject_by_hand(booking, by=planner(), comment="by telephone")
    send()
    assert status(booking) == "rejected manually_rejected"
    assert codes(booking) == [states.BY_HAND, SENDING]
    deliver(NOW)
    assert vendor.script.book == {}


def test_rejected_by_hand_and_scheduled_again_during_the_call_it_is_not_cancelled(vendor: Vendor) -> None:
    booking = booked()

    def change_of_mind() -> None:
        reject_by_hand(booking, by=planner(), comment="no")
        schedule_booking(fresh(booking), by=planner())

    vendor.during = change_of_mind
    send()
    assert status(booking) == "sent"
    assert deliver(NOW) == []
    assert list(vendor.script.book) == [booking.reference]


def test_scheduled_again_it_waits_for_a_cancellation_that_is_under_way_and_is_woken_by_it(vendor: Vendor) -> None:
    booking = booked("confirmed")
    reject_by_hand(booking, by=planner(), comment="no")

    def schedule_again() -> None:
        schedule_booking(fresh(booking), by=planner())
        send()
        assert (status(booking), codes(booking)[-1]) == ("scheduled", "waits_for_cancellation")

    vendor.during = schedule_again
    assert deliver(NOW) == ["done"]
    assert vendor.calls == ["cancel"]
    send()
    assert (status(booking), list(vendor.script.book)) == ("sent", [booking.reference])


def test_confirmed_by_hand_after_a_rejection_by_hand_it_is_not_cancelled(vendor: Vendor) -> None:
    booking = booked("sent")
    reject_by_hand(booking, by=planner(), comment="no")
    confirm_by_hand(booking, by=planner(), comment="yes after all")
    assert deliver(NOW) == []
    assert Delivery.objects.get().status == "superseded"


def test_a_cancellation_in_hand_finds_that_the_booking_is_wanted_again(vendor: Vendor) -> None:
    booking = booked("sent")
    reject_by_hand(booking, by=planner(), comment="no")
    Delivery.objects.update(claimed_until=NOW, claimed_by="another")
    confirm_by_hand(booking, by=planner(), comment="yes after all")
    assert deliver(NOW) == ["superseded"]
    assert vendor.script.cancelled == []


def taken_over(booking: Booking) -> None:
    Booking.objects.filter(pk=booking.pk).update(claimed_by="another", claimed_until=NOW + LEASE)


def test_a_worker_that_lost_its_lease_to_another_only_goes(vendor: Vendor) -> None:
    for booking, work in ((booked(), send), (booked("sent"), check)):
        vendor.during = lambda booking=booking: taken_over(booking)  # type: ignore[misc]
        work()
        row = fresh(booking)
        assert (row.claimed_by, row.status) == ("another", booking.status)
        assert codes(booking) == []


def test_a_late_senders_answer_does_not_take_another_workers_claim(vendor: Vendor) -> None:
    booking = booked()

    def another_worker() -> None:
        taken_over(booking)
        Booking.objects.filter(pk=booking.pk).update(status="sent", external_id="b-9")

    vendor.during = another_worker
    send()
    row = fresh(booking)
    assert (row.claimed_by, row.external_id) == ("another", "b-9")
    assert codes(booking) == [SENDING]


def test_an_answer_that_came_after_the_cancellation_is_cancelled_too(vendor: Vendor, clock: Any) -> None:
    booking = booked()

    later = NOW + LEASE + timedelta(minutes=5)

    def slower_with_the_booking_than_with_its_cancellation() -> None:
        held = vendor.script.book[booking.reference]
        cancel_booking(booking, by=planner())
        clock.move_to(later)
        assert deliver(later) == ["done"]
        vendor.script.book[booking.reference] = held

    vendor.during = slower_with_the_booking_than_with_its_cancellation
    send()
    assert vendor.script.book
    assert deliver(later) == ["done"]
    assert vendor.script.book == {}


def test_decided_while_it_is_given_back(vendor: Vendor) -> None:
    booking = booked()
    sending.claim_to_send(ALIAS, now=NOW, limit=1)
    claimed = fresh(booking)
    cancel_booking(booking, by=planner())
    sending.give_back([claimed], now=NOW, until=NOW + LEASE, why="calls rest")
    row = fresh(booking)
    assert codes(booking) == ["cancelled", SENDING]
    assert (row.status, row.claimed_until, row.next_send_at, row.last_error) == ("cancelled", None, None, "")


@pytest.mark.parametrize("state", [BookingState.CONFIRMED, BookingState.REJECTED, BookingState.PENDING])
def test_decided_during_a_check(vendor: Vendor, state: BookingState) -> None:
    booking = booked("sent")
    vendor.script.reports["b-1"] = BookingReport(state=state)
    vendor.during = lambda: confirm_by_hand(booking, by=planner(), comment="they telephoned")
    check()
    assert status(booking) == "confirmed"
    assert codes(booking) == [states.CONFIRMED_BY_HAND, CHECKING]
    assert fresh(booking).claimed_until is None


def test_decided_during_a_check_that_fails(vendor: Vendor) -> None:
    booking = booked("sent")

    def fail() -> None:
        cancel_booking(booking, by=planner())
        assert deliver(NOW) == ["due"]
        raise BackendError("time-out")

    vendor.during = fail
    check()
    assert codes(booking) == ["cancelled", CHECKING]
    assert deliver(NOW) == ["done"]


def test_decided_before_the_call_of_a_check(vendor: Vendor) -> None:
    first, second = booked("sent"), booked("sent", external_id="b-2")
    vendor.during = lambda: cancel_booking(second, by=planner())
    check()
    assert vendor.calls == ["fetch"]
    assert (status(first), codes(second)) == ("confirmed", ["cancelled", CHECKING])
    assert fresh(second).claimed_until is None


def test_a_trial_call_that_was_not_made_is_left_to_the_next(vendor: Vendor, monkeypatch: pytest.MonkeyPatch) -> None:
    booking = booked("sent")
    Circuit.objects.create(backend=ALIAS, failures=9, open_until=NOW)

    def cancelled_first(*args: Any, **kwargs: Any) -> bool:
        cancel_booking(booking, by=planner())
        return may_call(*args, **kwargs)

    monkeypatch.setattr("proctoring.exchange.bookings.may_call", cancelled_first)
    check()
    assert vendor.calls == []
    assert Circuit.objects.get().probing_until is None


def test_decided_while_checks_rest(vendor: Vendor) -> None:
    booking = booked("sent")
    claimed = checking.claim_to_check(ALIAS, now=NOW, limit=1)
    cancel_booking(booking, by=planner())
    checking.rest(claimed, now=NOW, until=NOW + LEASE)
    assert codes(booking) == ["cancelled", CHECKING]
    assert fresh(booking).claimed_until is None
