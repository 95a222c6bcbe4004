"""From a planner's wish to drafts: who, how many bookings, how long each, and what that costs."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from proctoring.allowances.models import Allowance
from proctoring.bookings.models import Booking, BookingPlan, LiveSession
from proctoring.bookings.planning import Wish, extra_minutes, plan_bookings
from proctoring.errors import InvalidInput, ProctoringError
from proctoring.exams.models import Exam, ExamType
from tests.bookings.desk import Vendor, people_of, planner, statements, vendor_of
from tests.factories import AllowanceFactory, ExamFactory, UserFactory, at
from tests.hosts import configure

COURSE = "latin"


@pytest.fixture
def exam(vendor: Vendor) -> Exam:
    exam: Exam = ExamFactory(course_id=COURSE, exam_type=ExamType.PROCTORED)
    return exam


def wish(exam: Exam, people: Any = (), **said: Any) -> Wish:
    candidates = None if people is None else [getattr(one, "pk", one) for one in people]
    given = {"starts_at": at(10, 0), "ends_at": at(12, 0), "ratio": 4, "candidates": candidates}
    return Wish(exam=exam, **{**given, **said})


def plan(exam: Exam, people: Any = (), **said: Any) -> list[Booking]:
    return plan_bookings(wish(exam, people, **said), by=planner())


def refused(exam: Exam, people: Any = (), **said: Any) -> ProctoringError:
    before = BookingPlan.objects.count()
    with pytest.raises(ProctoringError) as raised:
        plan(exam, people, **said)
    assert BookingPlan.objects.count() == before
    return raised.value


def test_more_than_the_vendor_takes_are_parts_of_one_plan(exam: Exam) -> None:
    people = UserFactory.create_batch(7)
    parts = plan(exam, people)
    assert [(one.part, one.sessions.count(), one.status) for one in parts] == [
        (1, 3, "draft"),
        (2, 3, "draft"),
        (3, 1, "draft"),
    ]
    assert len({one.plan_id for one in parts}) == 1
    assert len({one.reference for one in parts}) == 3
    sessions = LiveSession.objects.order_by("candidate_number")
    assert [one.candidate_number for one in sessions] == list(range(1, 8))
    assert {one.user for one in sessions} == set(people)
    assert [one.history.get().history_change_reason for one in parts] == ["planned"] * 3


def test_as_many_as_it_takes_are_one(exam: Exam) -> None:
    assert len(plan(exam, UserFactory.create_batch(3))) == 1


def test_a_person_named_twice_comes_once(exam: Exam) -> None:
    person = UserFactory()
    assert plan(exam, [person, person])[0].sessions.count() == 1


def test_those_with_the_most_extra_time_share_a_part(exam: Exam) -> None:
    people = UserFactory.create_batch(5)
    for place, minutes in ((4, 30), (2, 10), (0, 20)):
        AllowanceFactory(user=people[place], course_id=COURSE, minutes=minutes)
    parts = plan(exam, people)
    users = [list(one.sessions.order_by("candidate_number").values_list("user", flat=True)) for one in parts]
    assert users == [[people[4].pk, people[0].pk, people[2].pk], [people[1].pk, people[3].pk]]
    assert [one.extra_minutes for one in parts] == [30, 0]
    assert [one.reserved_until for one in parts] == [at(12, 40), at(12, 10)]


@pytest.mark.parametrize(
    ("rows", "minutes"),
    [
        ([{"minutes": 10}], 10),
        ([{"kind": "time_multiplier", "multiplier": "1.25"}], 15),
        ([{"minutes": 10}, {"kind": "time_multiplier", "multiplier": "1.25"}], 25),
        ([{"kind": "time_multiplier", "multiplier": "1.01"}], 1),  # 36 seconds
        ([{"minutes": 10}, {"minutes": 5, "own": True}], 5),
        ([{"kind": "time_multiplier", "multiplier": "2"}, {"minutes": 5, "own": True}], 65),
        ([{"minutes": 50, "course_id": "greek"}], 0),
        ([{"kind": "exemption"}], 0),
    ],
)
def test_extra_time_is_the_ledgers(exam: Exam, rows: list[dict[str, Any]], minutes: int) -> None:
    person = UserFactory()
    for row in rows:
        own = {"exam": exam} if row.pop("own", False) else {}
        AllowanceFactory(**{"user": person, "course_id": COURSE, **own, **row})
    assert plan(exam, [person])[0].extra_minutes == minutes


def test_minutes_around_the_window_are_the_settings_or_the_planners(exam: Exam, settings: Any) -> None:
    configure(settings, BOOKING_ONBOARDING_MINUTES=20, BOOKING_CLOSING_MINUTES=5)
    vendor_of(settings)
    usual, own = plan(exam)[0], plan(exam, onboarding_minutes=0, closing_minutes=1)[0]
    assert (usual.reserved_from, usual.reserved_until) == (at(9, 40), at(12, 5))
    assert (own.reserved_from, own.reserved_until) == (at(10, 0), at(12, 1))


def test_a_window_that_extra_time_makes_too_long_says_by_how_much(exam: Exam) -> None:
    person = UserFactory()
    ends_at = at(10, 0) + timedelta(minutes=480 - 25 - 5)
    assert plan(exam, [person], ends_at=ends_at + timedelta(minutes=5))
    AllowanceFactory(user=person, course_id=COURSE, minutes=6)
    error = refused(exam, [person], ends_at=ends_at)
    assert (error.code, error.data) == (
        "window_too_long",
        {"minutes": 481, "max_minutes": 480, "extra_minutes": 6},
    )
    for number in ("481", "480", "6", "15", "10"):
        assert number in str(error)


def test_one_part_that_is_too_long_refuses_the_plan(exam: Exam) -> None:
    people = UserFactory.create_batch(4)
    AllowanceFactory(user=people[0], course_id=COURSE, minutes=400)
    assert refused(exam, people).code == "window_too_long"


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ({"ratio": 5}, "ratio_not_offered"),
        ({"backend": "nobody"}, "backend_takes_no_bookings"),
        ({"backend": "null"}, "backend_takes_no_bookings"),
        ({"candidates": None}, "enrolment_unknown"),
        ({"candidates": range(10_001)}, "too_many_candidates"),
        ({"ends_at": at(10, 0)}, "invalid"),
        ({"candidates": [0]}, "invalid"),
    ],
)
def test_what_cannot_be_planned(exam: Exam, said: dict[str, Any], code: str) -> None:
    assert refused(exam, **said).code == code


def test_what_the_vendor_offers_is_said(exam: Exam) -> None:
    assert "1:4, 1:8" in str(refused(exam, ratio=5))


def test_a_timed_exam_has_no_proctors(vendor: Vendor) -> None:
    assert refused(ExamFactory()).code == "exam_not_proctored"


def test_people_who_cannot_come_are_named(exam: Exam) -> None:
    person, gone = UserFactory(), UserFactory(is_active=False)
    error = refused(exam, [person, gone, 99_999])
    assert isinstance(error, InvalidInput)
    assert error.errors == {"candidates": [f"No active account has this id: {gone.pk}, 99999."]}


def test_everybody_enrolled(exam: Exam, settings: Any) -> None:
    configure(settings, HOST="tests.bookings.desk.Campus")
    vendor_of(settings)
    people = people_of(COURSE, 4)
    people_of("greek", 2)
    UserFactory(username=f"{COURSE}-gone", is_active=False)
    parts = plan(exam, None)
    assert [one.sessions.count() for one in parts] == [3, 1]
    assert set(LiveSession.objects.values_list("user", flat=True)) == {one.pk for one in people}
    assert parts[0].plan.selection == "enrolled"


def test_nobody_is_one_empty_draft(exam: Exam) -> None:
    [only] = plan(exam, [])
    assert (only.sessions.count(), only.part) == (0, 1)


@pytest.mark.parametrize("everybody", [False, True])
def test_statements_do_not_grow_with_people(vendor: Vendor, settings: Any, everybody: bool) -> None:
    configure(settings, HOST="tests.bookings.desk.Campus")
    vendor_of(settings, max_candidates=None)
    by, costs = planner(), []
    for course, count in (("few", 10), ("many", 600)):
        exam = ExamFactory(course_id=course, exam_type=ExamType.PROCTORED)
        people = people_of(course, count)
        Allowance.objects.bulk_create(
            Allowance(user=one, course_id=course, kind="extra_minutes", minutes=5, exam_slot=0) for one in people
        )
        asked = wish(exam, None if everybody else people)
        costs.append(statements(lambda asked=asked: plan_bookings(asked, by=by)))  # type: ignore[misc]
    assert LiveSession.objects.count() == 610
    # People and allowances are read; plan, booking, its version and the sessions are written. SQLite takes so few
    # values in one statement that the sessions need some more.
    assert costs == [6, 14 if connection.vendor == "sqlite" else 6]


def test_extra_minutes_of_many_are_one_statement(exam: Exam) -> None:
    people = [one.pk for one in UserFactory.create_batch(3)]
    assert statements(lambda: extra_minutes(exam, people)) == 1
    assert extra_minutes(exam, []) == {}
