"""``PATCH bookings/{id}/`` and ``bookings/{id}/{schedule|cancel|check|confirm|reject}/``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine

from proctoring.bookings import states
from proctoring.bookings.models import Booking, BookingLogEntry
from proctoring.bookings.states import Status
from proctoring.host import Role
from proctoring.outbox.models import Delivery
from tests.api.conftest import A, B, Person, refused
from tests.booking_vendor import live_vendor
from tests.factories import BookingFactory, LiveSessionFactory, at

LATER = {"starts_at": "2026-03-03T10:00:00Z", "ends_at": "2026-03-03T11:00:00Z"}
BECAUSE = {"comment": "The vendor called"}


@pytest.fixture(autouse=True)
def _eight_oclock() -> Iterator[None]:
    with time_machine.travel(at(8, 0), tick=False):
        yield


@pytest.fixture(autouse=True)
def _vendor(settings: Any) -> None:
    live_vendor(settings)


@pytest.fixture
def planner(person: Callable[..., Person]) -> Person:
    return person(Role.PLANNER)


@pytest.fixture
def desk(person: Callable[..., Person]) -> Person:
    return person(Role.SERVICE_DESK)


def booked(status: str = "draft", **fields: Any) -> Booking:
    """With one candidate, and known to the vendor where it can be."""
    known = {"external_id": "b-1"} if status in ("sent", "confirmed") else {}
    booking = BookingFactory(**{"exam__course_id": A, "status": status, **known, **fields})
    LiveSessionFactory(booking=booking)
    return booking


def done(answer: Any) -> Any:
    assert answer.status_code == 200, answer.content
    return answer.json()


def statuses() -> list[str]:
    return list(Booking.objects.order_by("pk").values_list("status", flat=True))


class TestChanging:
    def test_a_draft_in_place(self, planner: Person) -> None:
        booking = booked()
        body = {**LATER, "ratio": 8, "onboarding_minutes": 0, "closing_minutes": 0}
        row = done(planner.patch(f"/bookings/{booking.pk}/", body))
        assert row["id"] == booking.pk
        assert {name: row[name] for name in body} == body
        assert booking.history.latest().history_user == planner.user
        for body, status, code in (
            ({"ends_at": row["starts_at"]}, 400, "invalid"),
            ({"ratio": 5}, 422, "ratio_not_offered"),
            ({"ends_at": "2026-03-04T10:00:00Z"}, 422, "window_too_long"),
        ):
            refused(planner.patch(f"/bookings/{booking.pk}/", body), status, code)

    @pytest.mark.parametrize("status", ["scheduled", "sent", "confirmed"])
    def test_the_window_of_what_is_under_way(self, status: str, planner: Person) -> None:
        booking = booked(status)
        row = done(planner.patch(f"/bookings/{booking.pk}/", {**LATER, "ratio": 4}))
        assert row["id"] != booking.pk
        assert (row["replaces"], row["status"], row["candidates"]) == (booking.pk, "scheduled", 1)
        assert {name: row[name] for name in LATER} == LATER
        assert statuses() == ["cancelled", "scheduled"]

    def test_a_key_moves_it_once(self, planner: Person) -> None:
        path, key = f"/bookings/{booked('confirmed').pk}/", {"Idempotency-Key": "once"}
        first, second = (planner._send("patch", path, LATER, key) for _ in range(2))
        assert done(first) == done(second)
        assert second.headers["Idempotency-Replayed"] == "true"
        assert statuses() == ["cancelled", "scheduled"]

    def test_what_cannot_be_changed(self, planner: Person) -> None:
        live, over = booked("confirmed"), booked("cancelled")
        refused(planner.patch(f"/bookings/{live.pk}/", {"ratio": 8}), 409, "not_a_draft")
        refused(planner.patch(f"/bookings/{live.pk}/", {**LATER, "closing_minutes": 0}), 409, "not_a_draft")
        refused(planner.patch(f"/bookings/{over.pk}/", LATER), 409, "not_live")
        for body in ({"exam": 0}, {"backend": "null"}, {"candidates": [1]}, {"ratio": None}, {"starts_at": 5}, []):
            refused(planner.patch(f"/bookings/{live.pk}/", body), 400, "invalid")
        assert statuses() == ["confirmed", "cancelled"]

    def test_what_it_is_already_changes_nothing(self, planner: Person) -> None:
        booking = booked("confirmed")
        row = planner.get(f"/bookings/{booking.pk}/").json()
        assert done(planner.patch(f"/bookings/{booking.pk}/", row)) == row
        assert done(planner.patch(f"/bookings/{booking.pk}/", {})) == row

    def test_planners_alone(self, nobody: Person, candidate: Person, desk: Person, neighbour: Person) -> None:
        path = f"/bookings/{booked().pk}/"
        refused(nobody.patch(path, {}), 401, "not_authenticated")
        refused(desk.patch(path, {"ratio": 0}), 403, "permission_denied")
        for stranger in (candidate, neighbour):
            refused(stranger.patch(path, {"ratio": 0}), 404, "not_found")


class TestSteps:
    def test_scheduling(self, planner: Person) -> None:
        booking = booked()
        row = done(planner.post(f"/bookings/{booking.pk}/schedule/"))
        assert (row["status"], row["next_send_at"]) == ("scheduled", "2026-03-02T08:00:00Z")
        assert row == planner.get(f"/bookings/{booking.pk}/").json()
        refused(planner.post(f"/bookings/{booking.pk}/schedule/"), 409, "illegal_transition")

    def test_a_draft_that_fails_a_precondition_says_what_to_do(self, planner: Person) -> None:
        booking = booked(starts_at=at(8, 30))
        row = done(planner.post(f"/bookings/{booking.pk}/schedule/"))
        assert (row["status"], row["rejection_reason"]) == ("rejected", states.TOO_LATE)
        assert set(row["advice"]) == {"cause", "mender", "next_step", "may_send_again", "may_check_again"}
        assert (row["advice"]["mender"], row["advice"]["may_send_again"]) == ("planner", True)
        path = f"/bookings/{booking.pk}/schedule/"
        refused(planner.post(path), 422, "booking_past_leading_time")

    def test_the_service_desk_schedules_what_was_rejected(self, desk: Person) -> None:
        refused(desk.post(f"/bookings/{booked().pk}/schedule/"), 409, "illegal_transition")
        free = booked("rejected", rejection_reason=states.NO_CAPACITY)
        assert done(desk.post(f"/bookings/{free.pk}/schedule/"))["status"] == "scheduled"
        held = booked("rejected", rejection_reason=states.CHECK_FAILED, external_id="b-2")
        refused(desk.post(f"/bookings/{held.pk}/schedule/"), 422, "check_instead")

    def test_cancelling(self, planner: Person, desk: Person) -> None:
        booking = booked("confirmed")
        refused(desk.post(f"/bookings/{booking.pk}/cancel/"), 403, "permission_denied")
        row = done(planner.post(f"/bookings/{booking.pk}/cancel/", BECAUSE))
        assert row["status"] == "cancelled"
        assert BookingLogEntry.objects.get().comment == BECAUSE["comment"]
        assert Delivery.objects.get().target_id == booking.pk
        assert done(planner.post(f"/bookings/{booking.pk}/cancel/"))["status"] == "cancelled"

    def test_checking(self, planner: Person, desk: Person, person: Callable[..., Person]) -> None:
        booking = booked("sent")
        row = done(planner.post(f"/bookings/{booking.pk}/check/"))
        assert (row["status"], row["next_check_at"]) == ("sent", "2026-03-02T08:00:00Z")
        refused(planner.post(f"/bookings/{booked().pk}/check/"), 409, "illegal_transition")
        both = person(Role.PLANNER, Role.SERVICE_DESK)
        for mender in (desk, both):
            lost = booked("rejected", rejection_reason=states.CHECK_EXHAUSTED, external_id="b-2")
            refused(planner.post(f"/bookings/{lost.pk}/check/"), 409, "illegal_transition")
            assert done(mender.post(f"/bookings/{lost.pk}/check/"))["status"] == "sent"

    @pytest.mark.parametrize(("word", "end"), [("confirm", "confirmed"), ("reject", "rejected")])
    def test_by_hand(self, word: str, end: str, planner: Person, desk: Person) -> None:
        path = f"/bookings/{booked('sent').pk}/{word}/"
        refused(planner.post(path, {}), 403, "permission_denied")
        for body in (None, {}, {"comment": ""}, {"comment": "  "}, {"comment": "x" * 2001}, {"comment": "\x00"}):
            refused(desk.post(path, body), 400, "invalid")
        assert done(desk.post(path, BECAUSE))["status"] == end
        entry = BookingLogEntry.objects.get()
        assert (entry.by, entry.comment) == (desk.user, BECAUSE["comment"])
        draft = f"/bookings/{booked().pk}/{word}/"
        refused(desk.post(draft, BECAUSE), 409, "illegal_transition")

    @pytest.mark.parametrize("word", ["schedule", "cancel", "check", "confirm", "reject"])
    def test_strangers(self, word: str, nobody: Person, candidate: Person, neighbour: Person, proctor: Person) -> None:
        booking = booked()
        LiveSessionFactory(booking=booking, user=candidate.user)
        path = f"/bookings/{booking.pk}/{word}/"
        refused(nobody.post(path, {"whole_plan": 1}), 401, "not_authenticated")
        for stranger in (candidate, neighbour, proctor):
            refused(stranger.post(path, {"whole_plan": 1}), 404, "not_found")
        for key in ("0", "x", "99999999999999999999"):
            refused(candidate.post(f"/bookings/{key}/{word}/"), 404, "not_found")
        assert statuses() == ["draft"]

    def test_staff_plan_but_do_not_sit_at_the_desk(self, staff: Person, person: Callable[..., Person]) -> None:
        booking = booked()
        assert done(staff.post(f"/bookings/{booking.pk}/schedule/"))["status"] == "scheduled"
        refused(staff.post(f"/bookings/{booking.pk}/confirm/", BECAUSE), 403, "permission_denied")
        away = person(Role.SERVICE_DESK, course=B)
        refused(away.post(f"/bookings/{booking.pk}/confirm/", BECAUSE), 404, "not_found")


class TestWholePlan:
    def plan(self, *rows: dict[str, Any]) -> list[Booking]:
        first = booked(**rows[0])
        return [first, *(booked(exam=first.exam, plan=first.plan, part=n, **row) for n, row in enumerate(rows[1:], 2))]

    def test_every_part_that_can_is_scheduled(self, planner: Person) -> None:
        held = {"status": "rejected", "rejection_reason": states.CHECK_FAILED}
        parts = self.plan({}, {}, {"status": "sent"}, held)
        row = done(planner.post(f"/bookings/{parts[2].pk}/schedule/", {"whole_plan": True}))
        assert (row["id"], row["status"]) == (parts[2].pk, "sent")
        assert [part["status"] for part in row["plan"]["parts"]] == statuses()
        assert statuses() == [Status.SCHEDULED, Status.SCHEDULED, Status.SENT, Status.REJECTED]

    def test_without_being_asked_it_is_one(self, planner: Person) -> None:
        parts = self.plan({}, {})
        done(planner.post(f"/bookings/{parts[1].pk}/schedule/", {"whole_plan": False}))
        assert statuses() == ["draft", "scheduled"]

    def test_where_none_can_it_is_refused(self, planner: Person) -> None:
        parts = self.plan({"status": "sent"}, {"status": "confirmed", "external_id": "b-2"})
        path = f"/bookings/{parts[1].pk}/schedule/"
        assert (
            refused(planner.post(path, {"whole_plan": True}), 409, "illegal_transition")["data"]["from"] == "confirmed"
        )

    def test_it_is_cancelled(self, planner: Person) -> None:
        parts = self.plan({}, {"status": "confirmed"}, {"status": "rejected", "rejection_reason": states.NO_CAPACITY})
        done(planner.post(f"/bookings/{parts[0].pk}/cancel/", {"whole_plan": True}))
        assert statuses() == ["cancelled", "cancelled", "rejected"]

    @pytest.mark.parametrize("body", [[], {"whole_plan": "true"}, {"whole_plan": None}, {"whole_plan": 1}])
    def test_input_that_makes_no_sense(self, body: Any, planner: Person) -> None:
        path = f"/bookings/{booked().pk}"
        for word in ("schedule", "cancel"):
            refused(planner.post(f"{path}/{word}/", body), 400, "invalid")
