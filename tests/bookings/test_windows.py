"""A plan that is under way moves to another window: cancelled and booked anew in one step, or not at all."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from proctoring.attempts.states import Status
from proctoring.backends.live import BookingWord
from proctoring.bookings import states
from proctoring.bookings.models import Booking, BookingPlan, LiveSession
from proctoring.bookings.planning import bookable
from proctoring.bookings.services import cancel_booking, change_draft, change_window
from proctoring.errors import BackendError, BackendRejected, Conflict, InvalidInput, ProctoringError, RuleBroken
from proctoring.exams.models import ExamStatus, ExamType
from proctoring.outbox.models import Delivery
from tests.attempts.racing import TIMES, kinds, race
from tests.bookings.desk import (
    NOW,
    Vendor,
    booked,
    codes,
    deliver,
    fresh,
    people_of,
    planner,
    send,
    status,
    vendor_of,
)
from tests.factories import AllowanceFactory, AttemptFactory, ExamFactory, LiveSessionFactory, at
from tests.hosts import configure

WAITS = "waits_for_cancellation"
AFTERNOON = {"starts_at": at(14, 0), "ends_at": at(16, 0)}


def move(booking: Booking, **window: datetime) -> list[Booking]:
    return change_window(booking, by=planner(), **{**AFTERNOON, **window})


def two_parts() -> list[Booking]:
    first = booked("confirmed", people=3, next_check_at=None, ratio=8)
    second = booked("sent", external_id="b-2", exam=first.exam, plan=first.plan, part=2, ratio=8, next_check_at=None)
    return [first, second]


def everything() -> list[Any]:
    """What a refused change must leave as it was."""
    rows = Booking.objects.order_by("pk").values_list("status", "next_send_at", "external_id", "claimed_by")
    return [*rows, Delivery.objects.count(), BookingPlan.objects.count(), LiveSession.objects.count()]


def test_every_part_moves_and_says_what_it_replaces(vendor: Vendor) -> None:
    old = two_parts()
    AllowanceFactory(user=old[1].sessions.get().user, course_id=old[0].exam.course_id, minutes=20)
    new = move(old[1])
    assert [status(one) for one in (*old, *new)] == ["cancelled", "cancelled", "scheduled", "scheduled"]
    assert [(one.replaces, one.part, one.starts_at, one.ends_at, one.ratio) for one in new] == [
        (old[0], 1, at(14, 0), at(16, 0), 8),
        (old[1], 2, at(14, 0), at(16, 0), 8),
    ]
    assert new[0].plan.replaces == old[0].plan
    assert new[0].extra_minutes == 20  # allowances are looked at anew
    assert LiveSession.objects.filter(booking__in=new).count() == 4
    assert codes(old[0]) == ["cancelled"]
    assert old[0].log.get().comment == "window changed"
    assert Delivery.objects.filter(operation="cancel_booking").count() == 2


def test_the_new_ones_are_sent_only_when_all_of_the_old_ones_are_answered(vendor: Vendor, clock: Any) -> None:
    old = two_parts()
    new = move(old[0])
    send()
    assert vendor.calls == []
    assert [codes(one) for one in new] == [[states.SCHEDULED, WAITS]] * 2
    clock.shift(61)
    send()
    assert [codes(one) for one in new] == [[states.SCHEDULED, WAITS]] * 2  # said once
    assert [fresh(one).send_tries for one in new] == [0, 0]
    last = Delivery.objects.latest("pk")
    Delivery.objects.filter(pk=last.pk).update(next_try_at=at(9, 0))
    assert deliver(at(8, 2)) == ["done"]
    send()
    assert vendor.calls == ["cancel"]
    assert deliver(at(9, 0)) == ["done"]
    clock.move_to(at(9, 0))
    assert send() == 2
    assert [status(one) for one in new] == ["sent", "sent"]
    assert vendor.script.cancelled == [one.reference for one in old]
    assert vendor.batches == [[one.reference for one in new]]


def test_the_answer_to_the_cancellation_wakes_what_waits(vendor: Vendor, clock: Any) -> None:
    [new] = move(booked("confirmed"))
    send()
    assert fresh(new).next_send_at == NOW + timedelta(seconds=60)
    deliver(NOW)
    clock.shift(1)
    assert send() == 1
    assert status(new) == "sent"


@pytest.mark.parametrize(
    ("failure", "end"),
    [(BackendError("away"), "scheduled"), (BackendRejected("too late to cancel"), "rejected conflict")],
    ids=["no answer", "a refusal is an answer"],
)
def test_a_cancellation_that_fails(vendor: Vendor, failure: BackendError, end: str) -> None:
    [new] = move(booked("confirmed"))
    vendor.script.failing = failure
    deliver(NOW)
    vendor.script.failing = None
    vendor.script.words[new.reference] = BookingWord.CONFLICT
    send()
    assert status(new) == end


def test_what_was_given_up_by_the_outbox_is_waited_for(vendor: Vendor) -> None:
    [new] = move(booked("confirmed"))
    Delivery.objects.update(status="given_up")
    send()
    assert (status(new), vendor.calls) == ("scheduled", [])


def test_what_the_vendor_never_heard_of_is_not_waited_for(vendor: Vendor) -> None:
    [new] = move(booked("scheduled"))
    assert not Delivery.objects.exists()
    send()
    assert status(new) == "sent"


def test_a_booking_that_is_moved_while_it_is_sent(vendor: Vendor, clock: Any) -> None:
    old = booked()
    vendor.during = lambda: move(old)
    send()
    new = Booking.objects.get(replaces=old)
    assert [status(old), status(new)] == ["cancelled", "scheduled"]
    assert deliver(NOW) == ["done"]
    send()
    assert list(vendor.script.book) == [new.reference]


@pytest.mark.parametrize(
    ("window", "kind", "code"),
    [
        ({"ends_at": at(14, 0)}, InvalidInput, "invalid"),
        ({"ends_at": at(22, 30)}, RuleBroken, "window_too_long"),
        ({"starts_at": at(8, 59)}, RuleBroken, "booking_past_leading_time"),
        ({"starts_at": at(7, 0), "ends_at": at(7, 30)}, RuleBroken, "booking_past_leading_time"),
    ],
)
def test_a_window_that_is_refused_leaves_everything_as_it_was(
    vendor: Vendor, window: dict[str, Any], kind: type[ProctoringError], code: str
) -> None:
    old = two_parts()
    before = everything()
    with pytest.raises(kind) as refusal:
        move(old[0], **window)
    assert refusal.value.code == code
    assert everything() == before
    assert codes(old[0]) == []


@pytest.mark.parametrize("reason", ["wrong_test_status", "no_bookable_candidates"])
def test_a_plan_that_could_not_be_booked_now_stays_where_it_is(vendor: Vendor, reason: str) -> None:
    old = booked("confirmed")
    if reason == "wrong_test_status":
        old.exam.status = ExamStatus.ARCHIVED
        old.exam.save()
    else:
        person = old.sessions.get().user
        person.is_active = False
        person.save()
    before = everything()
    with pytest.raises(RuleBroken) as refusal:
        move(old)
    assert (refusal.value.code, everything()) == (reason, before)


@pytest.mark.parametrize("over", ["draft", "rejected", "cancelled"])
def test_nothing_under_way_is_nothing_to_move(vendor: Vendor, over: str) -> None:
    with pytest.raises(Conflict) as refusal:
        move(booked(over))
    assert refusal.value.code == "not_live"


def test_parts_that_are_over_stay_where_they_are(vendor: Vendor) -> None:
    first, second = two_parts()
    Booking.objects.filter(pk=first.pk).update(status="rejected", rejection_reason=states.NO_CAPACITY)
    [new] = move(second)
    assert [status(first), status(second)] == ["rejected availability_limit_reached", "cancelled"]
    assert (new.part, new.replaces) == (1, first)
    assert new.sessions.get().user == second.sessions.get().user


def test_everybody_enrolled_is_asked_for_anew(vendor: Vendor, settings: Any) -> None:
    configure(settings, HOST="tests.bookings.desk.Campus")
    vendor_of(settings)
    old = booked("confirmed", plan__selection="enrolled", exam__course_id="latin")
    people = people_of("latin", 2)
    [new] = move(old)
    assert {one.user for one in new.sessions.all()} == set(people)


def test_two_that_are_one_to_the_vendor_are_cancelled_when_both_are(vendor: Vendor) -> None:
    first = booked("confirmed", external_id="shared")
    second = booked("confirmed", external_id="shared", exam=first.exam)
    cancel_booking(first, by=planner())
    assert deliver(NOW) == ["superseded"]
    cancel_booking(second, by=planner())
    assert deliver(NOW) == ["done"]
    assert vendor.script.cancelled == [second.reference]


def test_a_draft_and_the_other_drafts_of_its_plan_change_in_place(vendor: Vendor) -> None:
    first, second = booked("draft"), None
    second = booked("draft", exam=first.exam, plan=first.plan, part=2)
    third = booked("cancelled", exam=first.exam, plan=first.plan, part=3)
    changed = change_draft(second, {**AFTERNOON, "ratio": 8}, by=planner())
    assert changed == second
    assert [fresh(one).starts_at for one in (first, second, third)] == [at(14, 0), at(14, 0), at(10, 0)]
    with pytest.raises(Conflict):
        change_draft(third, AFTERNOON, by=planner())
    before = everything()
    with pytest.raises(RuleBroken):
        change_draft(first, {"ratio": 5}, by=planner())
    assert (everything(), fresh(first).ratio) == (before, 8)


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_two_who_move_it_at_once_move_it_once(clock: Any, settings: Any) -> None:
    vendor_of(settings)
    by = planner()
    for _ in range(TIMES):
        old = booked("confirmed", external_id=None)
        LiveSessionFactory(booking=old, candidate_number=2)
        answers = race(*[lambda old=old: change_window(fresh(old), by=by, **AFTERNOON)] * 2)  # type: ignore[misc]
        assert kinds(answers) == ["Conflict", "ok"]
        assert Booking.objects.filter(replaces=old).count() == 1
        assert status(old) == "cancelled"


@pytest.mark.parametrize(
    ("status", "retry", "exam_type", "needs_one"),
    [
        (Status.CREATED, "", ExamType.PROCTORED, True),
        (Status.VERIFIED, "", ExamType.PROCTORED, False),
        (Status.ERROR, "resume", ExamType.PROCTORED, True),
        (Status.VOIDED, "fresh", ExamType.PROCTORED, True),
        (Status.DECLINED, "", ExamType.PROCTORED, False),
        (Status.SUBMITTED, "", ExamType.PRACTICE, True),
    ],
)
def test_who_has_had_the_exam_needs_no_proctor(
    vendor: Vendor, status: Status, retry: str, exam_type: ExamType, needs_one: bool
) -> None:
    exam = ExamFactory(exam_type=exam_type)
    booking = booked("draft", exam=exam)
    session = booking.sessions.get()
    AttemptFactory(exam=exam, user=session.user, status=status, retry_kind=retry)
    assert bookable(booking.sessions.all(), booking.plan).exists() is needs_one
