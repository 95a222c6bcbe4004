"""How a vendor says that a booking stands, asked for by the clock, by people and by the vendor's own messages."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from proctoring.backends.live import BookingReport, BookingState, BookingUpdated, BookingWord
from proctoring.bookings import states
from proctoring.bookings.models import Booking
from proctoring.bookings.services import check_now
from proctoring.bookings.states import Actor
from proctoring.errors import BackendAuthenticationError, BackendError, BackendRejected
from proctoring.inbox.models import WebhookMessage
from proctoring.outbox.models import Circuit
from tests.booking_vendor import ALIAS
from tests.bookings.desk import (
    NOW,
    Vendor,
    booked,
    check,
    codes,
    fresh,
    planner,
    process,
    send,
    status,
    tell,
    vendor_of,
)
from tests.factories import at
from tests.hosts import configure

CONFIRMED, PENDING, REJECTED = (BookingReport(state=one) for one in ("confirmed", "pending", "rejected"))  # type: ignore[arg-type]
LATER = "booking_check_failed_but_for_retry_later"
ABANDONED = "abandoned_booking_check_due_to_incompatible_booking_status"


def says(vendor: Vendor, report: BookingReport) -> None:
    vendor.script.reports["b-1"] = report


def updated(external_id: str = "b-1") -> BookingUpdated:
    return BookingUpdated(occurred_at=NOW, booking_external_id=external_id)


@pytest.mark.parametrize(
    ("report", "end", "code"),
    [
        (CONFIRMED, "confirmed", states.CONFIRMED),
        (
            BookingReport(state=BookingState.CONFIRMED, reason=BookingWord.EXISTS),
            "confirmed",
            states.CONFIRMED_EXISTING,
        ),
        (REJECTED, "rejected unknown", states.UNKNOWN),
        *(
            (BookingReport(state=BookingState.REJECTED, reason=word), f"rejected {reason}", states.REASON + reason)
            for word, reason in (
                (BookingWord.CONFLICT, "conflict"),
                (BookingWord.NO_CAPACITY, "availability_limit_reached"),
                (BookingWord.AVAILABILITY_UNKNOWN, "availability_unknown"),
                (BookingWord.TOO_LATE, "booking_past_leading_time"),
            )
        ),
        (PENDING, "sent", states.CHECK_SCHEDULED),
        (BookingReport(state="perhaps"), "sent", states.CHECK_SCHEDULED),  # type: ignore[arg-type]
    ],
)
def test_what_was_sent(vendor: Vendor, report: BookingReport, end: str, code: str) -> None:
    booking = booked("sent")
    says(vendor, report)
    assert check() == 1
    assert (status(booking), codes(booking)) == (end, [code])
    assert fresh(booking).claimed_until is None


@pytest.mark.parametrize(
    ("report", "end"),
    [
        (CONFIRMED, "confirmed"),
        (PENDING, "confirmed"),
        (REJECTED, "rejected unknown"),
        (BookingReport(state=BookingState.REJECTED, reason=BookingWord.CONFLICT), "rejected unknown"),
        (
            BookingReport(state=BookingState.REJECTED, reason=BookingWord.NO_CAPACITY),
            "rejected availability_limit_reached",
        ),
    ],
)
def test_what_was_confirmed(vendor: Vendor, report: BookingReport, end: str) -> None:
    booking = booked("confirmed")
    says(vendor, report)
    check()
    assert status(booking) == end
    assert len(codes(booking)) == (end != "confirmed")


@pytest.mark.parametrize("found", ["draft", "scheduled", "rejected", "cancelled"])
def test_what_waits_for_no_answer_is_not_asked_about(vendor: Vendor, found: str) -> None:
    booked(found, next_check_at=NOW)
    assert check() == 0
    assert vendor.calls == []


def test_checks_back_off_and_end_with_the_last_try(clock: Any, db: None, settings: Any) -> None:
    configure(settings, BOOKING_CHECK_TRIES=3, BOOKING_CHECK_SECONDS=60)
    vendor, booking = vendor_of(settings), booked("sent", starts_at=at(20, 0), ends_at=at(22, 0))
    says(vendor, PENDING)
    pauses = []
    for _ in range(3):
        check()
        after = fresh(booking).next_check_at
        if after is not None:
            pauses.append((after - datetime.now(after.tzinfo)).total_seconds())
            clock.move_to(after)
    assert [60 <= pauses[0] <= 120, 120 <= pauses[1] <= 240, len(pauses)] == [True, True, 2]
    assert status(booking) == "rejected booking_check_exhausted"
    assert fresh(booking).last_error == "the vendor says that it is still pending"
    assert codes(booking) == [states.CHECK_SCHEDULED] * 2 + [states.CHECK_EXHAUSTED]


def test_the_last_check_is_when_the_window_opens(vendor: Vendor, clock: Any) -> None:
    booking = booked("sent", check_count=9)
    says(vendor, PENDING)
    clock.move_to(at(9, 59))
    check()
    assert fresh(booking).next_check_at == at(10, 0)
    clock.move_to(at(10, 0))
    check()
    assert status(booking) == "rejected booking_check_exhausted"


def test_failures_that_may_pass_each_leave_an_entry(vendor: Vendor, clock: Any) -> None:
    booking = booked("sent")
    vendor.script.failing = BackendError("busy", retry_after=1800)
    check()
    assert (codes(booking), fresh(booking).last_error) == ([LATER], "BackendError: busy")
    assert fresh(booking).next_check_at == at(8, 30)
    clock.move_to(at(8, 31))
    vendor.script.failing = None
    check()
    assert codes(booking) == [LATER, states.CONFIRMED]
    assert fresh(booking).last_error == ""


def test_while_calls_rest_no_check_is_counted_until_the_window_opens(vendor: Vendor, clock: Any) -> None:
    waiting, confirmed = booked("sent"), booked("confirmed", external_id="b-2")
    Circuit.objects.create(backend=ALIAS, failures=9, open_until=at(11, 0))
    check()
    assert [fresh(one).check_count for one in (waiting, confirmed)] == [0, 0]
    assert fresh(waiting).next_check_at == NOW + timedelta(seconds=30)
    clock.move_to(at(10, 0))
    check()
    assert (vendor.calls, status(waiting), status(confirmed)) == (
        [],
        "rejected booking_check_exhausted",
        "confirmed",
    )


def test_wrong_credentials_never_ask_again(vendor: Vendor, clock: Any) -> None:
    sent = [booked("sent", external_id=f"b-{n}") for n in range(3)]
    vendor.script.failing = BackendAuthenticationError("no such client")
    check()
    clock.move_to(at(8, 40))
    check()
    assert vendor.calls == ["fetch"]
    assert [status(one) for one in sent] == ["rejected authentication_failed_during_check", "sent", "sent"]
    assert Circuit.objects.get().stopped


@pytest.mark.parametrize("failure", [BackendRejected("not found"), None])
def test_what_repeating_cannot_mend_ends_at_once(vendor: Vendor, failure: Exception | None) -> None:
    booking = booked("sent")
    if failure is None:
        vendor.fetch_booking = lambda external_id: None  # type: ignore[method-assign,assignment,return-value]
    else:
        vendor.script.failing = failure  # type: ignore[assignment]
    check()
    assert status(booking) == "rejected booking_check_failed"


@pytest.mark.parametrize("failure", [BackendError("away"), BackendRejected("gone"), BackendAuthenticationError("no")])
def test_a_failure_is_no_withdrawal(vendor: Vendor, failure: BackendError) -> None:
    booking = booked("confirmed", starts_at=at(20, 0), ends_at=at(22, 0))
    vendor.script.failing = failure
    check()
    row = fresh(booking)
    assert (row.status, row.next_check_at, row.claimed_until) == ("confirmed", at(14, 0), None)
    assert row.last_error.endswith(str(failure))
    assert codes(booking) == []


def test_checks_that_kill_their_workers_come_to_an_end(clock: Any, db: None, settings: Any) -> None:
    configure(settings, BOOKING_CHECK_TRIES=2)
    vendor = vendor_of(settings)
    far = {"starts_at": at(20, 0), "ends_at": at(22, 0)}
    sent, confirmed = booked("sent", **far), booked("confirmed", external_id="b-2", **far)
    Booking.objects.update(check_count=2)
    check()
    assert vendor.calls == []
    assert status(sent) == "rejected booking_check_exhausted"
    assert fresh(sent).last_error == "BackendError: given up: its workers did not come back from the call"
    assert (status(confirmed), fresh(confirmed).check_count, fresh(confirmed).next_check_at) == (
        "confirmed",
        0,
        at(14, 0),
    )


def test_rechecks_go_on_until_the_window_opens(vendor: Vendor, clock: Any) -> None:
    booking = booked("confirmed", starts_at=at(16, 0), ends_at=at(18, 0))
    says(vendor, CONFIRMED)
    check()
    assert fresh(booking).next_check_at == at(14, 0)
    clock.move_to(at(14, 0))
    check()
    assert fresh(booking).next_check_at is None
    clock.move_to(at(17, 0))
    assert check() == 0


class TestThePushAndThePoll:
    def test_a_message_makes_the_check_come_early_and_counts_anew(self, vendor: Vendor) -> None:
        booking = booked("sent", next_check_at=at(9, 30), check_count=19)
        says(vendor, PENDING)
        assert tell(vendor, updated(), NOW).status == "processed"
        assert check() == 1
        # The vendor is alive: its messages do not use the tries up.
        assert (status(booking), fresh(booking).check_count) == ("sent", 1)
        assert codes(booking) == [states.CHECK_SCHEDULED] * 2

    @pytest.mark.parametrize(
        "order",
        [
            lambda push, poll: (push(), poll()),
            lambda push, poll: (poll(), push(), poll()),
            lambda push, poll: (push(), push(), poll(), poll()),
        ],
        ids=["push first", "poll first", "twice"],
    )
    @pytest.mark.parametrize("report", [CONFIRMED, REJECTED])
    def test_one_end_and_one_entry(self, vendor: Vendor, order: Callable[..., Any], report: BookingReport) -> None:
        booking = booked("sent")
        says(vendor, report)
        order(lambda: tell(vendor, updated(), NOW), check)
        ends = [states.CONFIRMED] if report is CONFIRMED else [states.UNKNOWN]
        assert [code for code in codes(booking) if code not in (states.CHECK_SCHEDULED, ABANDONED)] == ends
        assert fresh(booking).claimed_until is None

    @pytest.mark.parametrize("before", ["sent", "confirmed"])
    def test_news_that_come_during_a_check_are_asked_for_afterwards(
        self, vendor: Vendor, before: str, clock: Any
    ) -> None:
        booking = booked(before)
        says(vendor, PENDING)

        def change() -> None:
            says(vendor, REJECTED)
            clock.shift(1)
            tell(vendor, updated(), NOW + timedelta(seconds=1))

        vendor.during = change
        check()
        assert status(booking) == before
        assert check() == 1
        assert status(booking) == "rejected unknown"

    def test_news_during_a_check_that_fails(self, vendor: Vendor, clock: Any) -> None:
        booking = booked("confirmed")

        def change() -> None:
            clock.shift(1)
            tell(vendor, updated(), NOW + timedelta(seconds=1))
            says(vendor, REJECTED)
            raise BackendError("time-out")

        vendor.during = change
        check()
        assert check() == 1
        assert status(booking) == "rejected unknown"

    def test_a_message_that_is_faster_than_the_answer_waits_and_is_woken(self, vendor: Vendor) -> None:
        booking = booked()
        external_id = f"booking-{booking.reference}"
        assert tell(vendor, updated(external_id), NOW).waits_for == external_id
        send()
        process(NOW)
        assert WebhookMessage.objects.get().status == "processed"
        assert fresh(booking).next_check_at == NOW
        check()
        assert codes(booking).count(states.CONFIRMED) == 1

    @pytest.mark.parametrize("found", ["scheduled", "rejected", "cancelled"])
    def test_a_message_about_what_awaits_no_answer(self, vendor: Vendor, found: str) -> None:
        booking = booked(found, external_id="b-1", next_send_at=None)
        message = tell(vendor, updated(), NOW)
        assert (message.status, message.error) == ("ignored", "no answer is awaited")
        assert codes(booking) == [ABANDONED]
        assert booking.log.get().context["booking_status"] == found

    def test_an_id_of_another_spelling_is_not_meant(self, vendor: Vendor) -> None:
        booked("sent", external_id="b-1")
        assert tell(vendor, updated("B-1"), NOW).status == "received"

    def test_a_withdrawal_is_heard_by_message_and_by_recheck_alone(self, vendor: Vendor) -> None:
        for push in (True, False):
            booking = booked("confirmed", next_check_at=None if push else NOW)
            says(vendor, REJECTED)
            if push:
                tell(vendor, updated(), NOW)
            check()
            assert (status(booking), fresh(booking).last_error) == ("rejected unknown", "withdrawn by the vendor")
            assert codes(booking) == [states.UNKNOWN]
            Booking.objects.update(external_id=None)


def test_a_person_asks_at_once_and_the_tries_begin_anew(vendor: Vendor) -> None:
    booking, held = booked("sent", check_count=19, next_check_at=at(9, 30)), booked("confirmed", next_check_at=None)
    says(vendor, PENDING)
    for one in (booking, held):
        check_now(one, by=planner(), actor=Actor.PLANNER)
    assert check() == 2
    assert (status(booking), status(held)) == ("sent", "confirmed")
    assert codes(booking) == [states.CHECK_SCHEDULED] * 2
    # In the vocabulary the word leads to "sent", which is not where this one stands.
    assert codes(held) == []
