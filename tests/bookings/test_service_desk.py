"""What people may do to a booking, in which status, and what the doctor advises after a rejection."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from proctoring.bookings import states
from proctoring.bookings.doctor import ADVICE
from proctoring.bookings.models import Booking
from proctoring.bookings.services import (
    cancel_booking,
    check_now,
    confirm_by_hand,
    reject_by_hand,
    schedule_booking,
)
from proctoring.bookings.states import Actor, Status
from proctoring.errors import IllegalTransition, InvalidInput, RuleBroken
from proctoring.outbox.models import Delivery
from tests.bookings.desk import NOW, Vendor, booked, check, codes, deliver, fresh, planner, send, status
from tests.factories import at

SENDABLE = sorted(reason for reason, advice in ADVICE.items() if advice.may_send_again)
CHECKABLE = sorted(reason for reason, advice in ADVICE.items() if advice.may_check_again)


def steps(by: Any) -> dict[str, Callable[[Booking], Booking]]:
    return {
        "schedule": lambda one: schedule_booking(one, by=by),
        "schedule at the desk": lambda one: schedule_booking(one, by=by, actor=Actor.SERVICE_DESK),
        "cancel": lambda one: cancel_booking(one, by=by),
        "confirm": lambda one: confirm_by_hand(one, by=by, comment="why"),
        "reject": lambda one: reject_by_hand(one, by=by, comment="why"),
        "check": lambda one: check_now(one, by=by, actor=Actor.PLANNER),
        "check at the desk": lambda one: check_now(one, by=by, actor=Actor.SERVICE_DESK),
    }


LEGAL = {
    "draft": {"schedule": "scheduled", "cancel": "cancelled"},
    "scheduled": {"cancel": "cancelled", "confirm": "confirmed", "reject": "rejected"},
    "sent": {
        "cancel": "cancelled",
        "confirm": "confirmed",
        "reject": "rejected",
        "check": "sent",
        "check at the desk": "sent",
    },
    "confirmed": {
        "cancel": "cancelled",
        "reject": "rejected",
        "check": "confirmed",
        "check at the desk": "confirmed",
    },
    "rejected": {"schedule": "scheduled", "schedule at the desk": "scheduled", "confirm": "confirmed"},
    "cancelled": {"cancel": "cancelled"},
}


@pytest.mark.parametrize("before", [one.value for one in Status])
def test_every_step_in_every_status(vendor: Vendor, before: str) -> None:
    by = planner()
    for name, take in steps(by).items():
        booking = booked(before, rejection_reason=states.NO_CAPACITY if before == "rejected" else "")
        owed = Delivery.objects.count()
        expected = LEGAL[before].get(name)
        if expected is not None:
            assert take(booking).status == expected, name
            assert fresh(booking).status == expected
            continue
        with pytest.raises(IllegalTransition):
            take(booking)
        row = fresh(booking)
        assert (row.status, codes(booking), Delivery.objects.count()) == (before, [], owed), name


@pytest.mark.parametrize("comment", ["", "  ", "\n"])
@pytest.mark.parametrize("step", [confirm_by_hand, reject_by_hand])
def test_a_comment_is_demanded(vendor: Vendor, step: Any, comment: str) -> None:
    booking = booked("sent")
    with pytest.raises(InvalidInput) as refusal:
        step(booking, by=planner(), comment=comment)
    assert "comment" in refusal.value.errors
    assert (status(booking), codes(booking), Delivery.objects.count()) == ("sent", [], 0)


def test_who_decided_and_why_is_in_the_log_and_in_the_history(vendor: Vendor) -> None:
    booking, agent = booked("sent"), planner()
    confirm_by_hand(booking, by=agent, comment="They telephoned")
    entry, version = booking.log.get(), booking.history.latest()
    assert (entry.by, entry.comment, entry.full_context()["agent"]) == (agent, "They telephoned", agent.username)
    assert agent.username not in entry.context.values()
    assert version.history_user == agent
    assert version.history_change_reason == f"{states.CONFIRMED_BY_HAND}: They telephoned"


@pytest.mark.parametrize("reason", SENDABLE)
@pytest.mark.parametrize("actor", [Actor.PLANNER, Actor.SERVICE_DESK])
def test_what_may_be_sent_again_is_the_same_booking_to_the_vendor(vendor: Vendor, reason: str, actor: Actor) -> None:
    booking = booked("rejected", rejection_reason=reason, send_tries=5, last_error="no", external_id="b-1")
    schedule_booking(booking, by=planner(), actor=actor)
    row = fresh(booking)
    assert (row.status, row.rejection_reason, row.send_tries, row.next_send_at, row.last_error) == (
        "scheduled",
        "",
        0,
        NOW,
        "",
    )
    send()
    assert vendor.batches == [[booking.reference]]
    assert fresh(booking).external_id == f"booking-{booking.reference}"


@pytest.mark.parametrize("reason", CHECKABLE)
def test_what_the_vendor_may_hold_is_asked_about_and_not_sent(vendor: Vendor, reason: str) -> None:
    booking = booked("rejected", rejection_reason=reason, external_id="b-1", check_count=20)
    for actor in (Actor.PLANNER, Actor.SERVICE_DESK):
        with pytest.raises(RuleBroken) as refusal:
            schedule_booking(booking, by=planner(), actor=actor)
        assert refusal.value.code == "check_instead"
    with pytest.raises(IllegalTransition):
        check_now(booking, by=planner(), actor=Actor.PLANNER)
    check_now(booking, by=planner(), actor=Actor.SERVICE_DESK)
    assert (status(booking), fresh(booking).check_count) == ("sent", 0)
    check()
    assert status(booking) == "confirmed"
    assert codes(booking) == [states.CHECK_SCHEDULED, states.CONFIRMED]


def test_without_an_id_there_is_nothing_to_ask(vendor: Vendor) -> None:
    for one in (booked("rejected", rejection_reason=states.CHECK_FAILED), booked("confirmed", external_id=None)):
        with pytest.raises(IllegalTransition):
            check_now(one, by=planner(), actor=Actor.SERVICE_DESK)


def test_a_precondition_that_fails_refuses_the_second_sending_and_rejects_a_draft(vendor: Vendor, clock: Any) -> None:
    clock.move_to(at(9, 30))
    again = booked("rejected", rejection_reason=states.NO_CAPACITY)
    with pytest.raises(RuleBroken) as refusal:
        schedule_booking(again, by=planner())
    assert refusal.value.code == "booking_past_leading_time"
    assert status(again) == "rejected availability_limit_reached"
    draft = schedule_booking(booked("draft"), by=planner())
    assert (status(draft), codes(draft)) == ("rejected booking_past_leading_time", [states.TOO_LATE])


def test_what_was_rejected_by_hand_is_let_go_and_can_be_had_again(vendor: Vendor) -> None:
    booking = booked("confirmed")
    reject_by_hand(booking, by=planner(), comment="They fell ill")
    assert deliver(NOW) == ["done"]
    schedule_booking(fresh(booking), by=planner())
    send()
    assert (status(booking), vendor.calls) == ("sent", ["cancel", "book"])


def test_a_cancellation_that_is_due_is_taken_back_when_it_is_scheduled_again(vendor: Vendor) -> None:
    booking = booked("confirmed")
    reject_by_hand(booking, by=planner(), comment="no")
    schedule_booking(fresh(booking), by=planner())
    send()
    assert deliver(NOW) == []
    assert (status(booking), vendor.calls) == ("sent", ["book"])


def test_cancelling_again_changes_nothing(vendor: Vendor) -> None:
    booking = booked("confirmed")
    for _ in range(2):
        cancel_booking(booking, by=planner(), comment="Moved to June")
    assert (Delivery.objects.count(), codes(booking)) == (1, ["cancelled"])
    assert booking.history.latest().history_change_reason == "confirmed → cancelled: Moved to June"


def test_what_the_vendor_cannot_have_heard_of_is_not_cancelled_there(vendor: Vendor) -> None:
    for before in ("draft", "scheduled"):
        cancel_booking(booked(before), by=planner())
    assert not Delivery.objects.exists()
    tried = booked("scheduled", send_tries=1)
    cancel_booking(tried, by=planner())
    deliver(NOW)
    assert vendor.script.cancelled == [tried.reference]
