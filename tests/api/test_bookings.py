"""``bookings/`` and ``bookings/{id}/``: who may, which shape, which error, at which cost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission

from proctoring.bookings.models import Booking, BookingPlan, LiveSession
from proctoring.exams.models import Exam, ExamType
from proctoring.host import Role
from tests.api.conftest import A, B, Person, refused
from tests.api.test_reviews import ids
from tests.api.test_statements import cost
from tests.booking_vendor import live_vendor
from tests.factories import AllowanceFactory, BookingFactory, ExamFactory, LiveSessionFactory, UserFactory, at
from tests.hosts import ScriptedHost

WINDOW = {"starts_at": "2026-03-05T10:00:00Z", "ends_at": "2026-03-05T12:00:00Z"}


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


def wish(exam: Exam, *people: Any, **fields: Any) -> dict[str, Any]:
    return {"exam": exam.pk, **WINDOW, "candidates": [one.pk for one in people or (UserFactory(),)], **fields}


class TestPlanning:
    def test_a_plan_is_made_and_its_first_part_shown_whole(self, planner: Person, proctored: Exam) -> None:
        people = [UserFactory() for _ in range(4)]
        AllowanceFactory(user=people[3], course_id=A, minutes=20)
        answer = planner.post("/bookings/", wish(proctored, *people))
        assert answer.status_code == 201, answer.content
        first, second = Booking.objects.order_by("part")
        assert answer.json() == {
            "id": first.pk,
            "exam": proctored.pk,
            "course_id": A,
            "plan": {
                "id": first.plan_id,
                "parts": [
                    {"id": first.pk, "part": 1, "status": "draft", "candidates": 3},
                    {"id": second.pk, "part": 2, "status": "draft", "candidates": 1},
                ],
            },
            "part": 1,
            "backend": "live",
            **WINDOW,
            "reserved_from": "2026-03-05T09:45:00Z",
            "reserved_until": "2026-03-05T12:30:00Z",
            "extra_minutes": 20,
            "onboarding_minutes": 15,
            "closing_minutes": 10,
            "ratio": 4,
            "candidates": 3,
            "status": "draft",
            "rejection_reason": "",
            "advice": None,
            "external_id": None,
            "check_count": 0,
            "next_check_at": None,
            "send_tries": 0,
            "next_send_at": None,
            "last_error": "",
            "replaces": None,
            "created_by": {"id": planner.user.pk, "username": planner.user.get_username()},
            "created_at": "2026-03-02T08:00:00Z",
        }
        assert planner.get(f"/bookings/{first.pk}/").json() == answer.json()

    def test_everything_can_be_said(self, planner: Person, proctored: Exam) -> None:
        body = wish(proctored, ratio=8, backend="live", onboarding_minutes=0, closing_minutes=5)
        row = planner.post("/bookings/", body).json()
        assert (row["ratio"], row["reserved_from"], row["reserved_until"]) == (
            8,
            WINDOW["starts_at"],
            "2026-03-05T12:05:00Z",
        )

    def test_everybody_who_is_enrolled(
        self, planner: Person, proctored: Exam, lms: ScriptedHost, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        body = wish(proctored, candidates="enrolled")
        refused(planner.post("/bookings/", body), 422, "enrolment_unknown")
        person = UserFactory()
        monkeypatch.setattr(lms, "enrolled", lambda _: type(person).objects.filter(pk=person.pk))
        assert planner.post("/bookings/", body).json()["candidates"] == 1
        assert BookingPlan.objects.get().selection == "enrolled"

    def test_a_window_over_the_change_of_the_clocks_is_the_same_instants(
        self, planner: Person, proctored: Exam
    ) -> None:
        body = wish(proctored, starts_at="2027-03-28T01:30:00+01:00", ends_at="2027-03-28T03:30:00+02:00")
        row = planner.post("/bookings/", body).json()
        assert (row["starts_at"], row["ends_at"]) == ("2027-03-28T00:30:00Z", "2027-03-28T01:30:00Z")
        assert (row["reserved_from"], row["reserved_until"]) == ("2027-03-28T00:15:00Z", "2027-03-28T01:40:00Z")

    def test_a_key_makes_one_plan(self, planner: Person, proctored: Exam) -> None:
        body, key = wish(proctored), {"Idempotency-Key": "once"}
        first, second = (planner.post("/bookings/", body, **key) for _ in range(2))
        assert (first.status_code, second.status_code) == (201, 201)
        assert first.json() == second.json()
        assert second.headers["Idempotency-Replayed"] == "true"
        assert Booking.objects.count() == 1
        other = wish(proctored, ratio=8)
        refused(planner.post("/bookings/", other, **key), 422, "idempotency_key_reused")

    def test_permission_is_the_exams(
        self,
        nobody: Person,
        candidate: Person,
        reviewer: Person,
        desk: Person,
        neighbour: Person,
        staff: Person,
        proctored: Exam,
        lms: ScriptedHost,
    ) -> None:
        broken = {"exam": proctored.pk, "course_id": B}
        refused(nobody.post("/bookings/", broken), 401, "not_authenticated")
        for other in (candidate, reviewer, desk, neighbour):
            refused(other.post("/bookings/", broken), 403, "permission_denied")
        lms.blind.add(neighbour.user.pk)
        refused(neighbour.post("/bookings/", broken), 404, "not_found")
        for key in (999_999, 2**63 - 1):
            refused(candidate.post("/bookings/", {"exam": key}), 404, "not_found")
        for key in (None, "x", 0, 2**63, True, [1]):
            refused(candidate.post("/bookings/", {"exam": key}), 403, "permission_denied")
            refused(staff.post("/bookings/", {"exam": key}), 400, "invalid")
        assert staff.post("/bookings/", wish(proctored)).status_code == 201

    @pytest.mark.parametrize(
        "fields",
        [
            {"candidates": []},
            {"candidates": "all"},
            {"candidates": None},
            {"candidates": {"1": 1}},
            {"candidates": [0]},
            {"candidates": ["1"]},
            {"candidates": [True]},
            {"candidates": [2**63]},
            {"candidates": [999_999]},
            {"starts_at": None},
            {"starts_at": "soon"},
            {"starts_at": "2026-03-05T12:00:00Z"},
            {"starts_at": "1969-12-31T23:59:59Z"},
            {"starts_at": "0001-01-01T00:00:00+14:00"},
            {"ends_at": "9999-12-31T23:59:59Z"},
            {"ends_at": "9001-01-01T00:00:00Z"},
            {"ends_at": "2026-03-05T09:00:00Z"},
            {"ratio": 0},
            {"ratio": 2**31},
            {"onboarding_minutes": -1},
            {"closing_minutes": 1441},
            {"backend": ""},
            {"backend": "\x00"},
            {"backend": "\ud800"},
            {"backend": "x" * 101},
        ],
    )
    def test_input_that_makes_no_sense(self, fields: Any, planner: Person, proctored: Exam) -> None:
        refused(planner.post("/bookings/", wish(proctored, **fields)), 400, "invalid")
        assert not BookingPlan.objects.exists()

    def test_rules(self, planner: Person, proctored: Exam, exam: Exam) -> None:
        for body, code in (
            (wish(exam), "exam_not_proctored"),
            (wish(proctored, ratio=5), "ratio_not_offered"),
            (wish(proctored, backend="null"), "backend_takes_no_bookings"),
            (wish(proctored, backend="nowhere"), "backend_takes_no_bookings"),
            (wish(proctored, ends_at="2026-03-05T18:00:00Z"), "window_too_long"),
        ):
            refused(planner.post("/bookings/", body), 422, code)
        assert not BookingPlan.objects.exists()


class TestReading:
    def test_those_of_ones_courses(
        self, person: Callable[..., Person], superuser: Person, planner: Person, desk: Person, staff: Person
    ) -> None:
        here = BookingFactory(exam__course_id=A)
        there = BookingFactory(exam__course_id=B)
        for who in (planner, desk, staff):
            assert ids(who.get("/bookings/")) == [here.pk]
            assert who.get(f"/bookings/{here.pk}/").json()["id"] == here.pk
            refused(who.get(f"/bookings/{there.pk}/"), 404, "not_found")
        assert ids(superuser.get("/bookings/")) == [there.pk, here.pk]
        assert ids(person(Role.PLANNER, course="other").get("/bookings/")) == []

    def test_others_see_none(self, nobody: Person, candidate: Person, proctor: Person, reviewer: Person) -> None:
        booking = BookingFactory(exam__course_id=A)
        LiveSessionFactory(booking=booking, user=candidate.user)
        refused(nobody.get("/bookings/"), 401, "not_authenticated")
        refused(nobody.get(f"/bookings/{booking.pk}/"), 401, "not_authenticated")
        for who in (candidate, proctor, reviewer):
            refused(who.get("/bookings/"), 403, "permission_denied")
            refused(who.get(f"/bookings/{booking.pk}/"), 404, "not_found")

    @pytest.mark.parametrize("key", ["0", "x", "%00", "99999999999999999999", "9223372036854775807"])
    def test_an_id_that_is_none(self, key: str, planner: Person) -> None:
        for path in ("", "log/", "sessions/"):
            refused(planner.get(f"/bookings/{key}/{path}"), 404, "not_found")

    def test_filters(self, superuser: Person) -> None:
        one = BookingFactory(exam__course_id=A, status="sent")
        two = BookingFactory(exam__course_id=B, starts_at=at(11, 0))
        for query, found in (
            ({"exam": one.exam_id}, one),
            ({"course_id": B}, two),
            ({"status": "sent"}, one),
            ({"plan": two.plan_id}, two),
            ({"starts_after": "2026-03-02T11:00:00Z"}, two),
            ({"starts_after": "2026-03-02T12:30:00+02:00"}, two),
            ({"starts_before": "2026-03-02T11:00:00"}, one),
        ):
            assert ids(superuser.get("/bookings/", **query)) == [found.pk], query
        assert ids(superuser.get("/bookings/", starts_after="2026-03-02T10:00:00Z")) == [two.pk, one.pk]
        for name, value in (
            ("exam", "x"),
            ("plan", 0),
            ("plan", 2**63),
            ("status", "fine"),
            ("course_id", "\x00"),
            ("course_id", "x" * 256),
            ("starts_after", "soon"),
            ("starts_after", "\x00"),
            ("starts_before", "1969-01-01T00:00:00Z"),
            ("starts_before", "9999-12-31T23:59:59Z"),
            ("cursor", "x"),
            ("page_size", 0),
        ):
            refused(superuser.get("/bookings/", **{name: value}), 400, "invalid")

    def test_a_page_costs_the_same_at_any_size(self) -> None:
        clerk = Person(UserFactory())
        clerk.user.user_permissions.add(Permission.objects.get(codename="plan_bookings"))
        booking = BookingFactory()

        def grow(count: int) -> None:
            exam = ExamFactory(exam_type=ExamType.PROCTORED)
            for number in range(2, count + 2):
                part = BookingFactory(exam=exam, plan=booking.plan, part=number, created_by=UserFactory())
                LiveSessionFactory(booking=part)

        grow(9)
        assert cost(lambda: clerk.get("/bookings/")) == 5
        BookingFactory.create_batch(50)
        assert cost(lambda: clerk.get("/bookings/?page_size=200&status=draft")) == 5
        assert len(clerk.get("/bookings/?page_size=200").json()["results"]) == 60
        assert LiveSession.objects.count() == 9
        assert cost(lambda: clerk.get(f"/bookings/{booking.pk}/")) == 6
