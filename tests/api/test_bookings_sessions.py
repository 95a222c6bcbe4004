"""``bookings/{id}/sessions/``, ``live-sessions/`` and ``launch.join_url``: the way in is its candidate's alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission

from proctoring.attempts.models import Attempt
from proctoring.bookings.models import LiveSession
from proctoring.exams.models import Exam, ExamType
from proctoring.host import Role
from tests.api.conftest import A, B, Person, refused
from tests.api.test_statements import cost
from tests.booking_vendor import LiveVendor, live_vendor
from tests.factories import AttemptFactory, BookingFactory, ExamFactory, LiveSessionFactory, UserFactory, at

LINK = "https://vendor.example/room/ada"
OLD = "https://vendor.example/recorded"


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    """Ten past ten: the rooms of the tests are open."""
    with time_machine.travel(at(10, 10), tick=False) as traveller:
        yield traveller


@pytest.fixture(autouse=True)
def vendor(settings: Any, clock: Any) -> LiveVendor:
    return live_vendor(settings)


@pytest.fixture
def planner(person: Callable[..., Person]) -> Person:
    return person(Role.PLANNER)


def invite(user: Any, exam: Exam, *, link: str = LINK, number: int = 1, **booking: Any) -> LiveSession:
    """The person's place in a confirmed booking of the exam, with the link."""
    confirmed = BookingFactory(**{"exam": exam, "status": "confirmed", **booking})
    session = LiveSessionFactory(booking=confirmed, user=user, candidate_number=number)
    session.join_url = link
    session.save()
    return session


@pytest.fixture
def session(candidate: Person, proctored: Exam) -> LiveSession:
    return invite(candidate.user, proctored)


def rows(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


class TestOfABooking:
    def test_a_row_never_shows_the_link(self, planner: Person, session: LiveSession) -> None:
        second = LiveSessionFactory(
            booking=session.booking, candidate_number=2, external_id="s-2", rating_state="rated"
        )
        second.attempt = AttemptFactory(exam=session.exam, user=second.user)
        second.joined_at = at(10, 1)
        second.save()
        answer = planner.get(f"/bookings/{session.booking_id}/sessions/")
        assert rows(answer) == [
            {
                "id": session.pk,
                "candidate_number": 1,
                "user": {"id": session.user_id, "username": session.user.get_username()},
                "attempt": None,
                "external_id": None,
                "link_available": True,
                "joined_at": None,
                "rating_state": "none",
            },
            {
                "id": second.pk,
                "candidate_number": 2,
                "user": {"id": second.user_id, "username": second.user.get_username()},
                "attempt": second.attempt.pk,
                "external_id": "s-2",
                "link_available": False,
                "joined_at": "2026-03-02T10:01:00Z",
                "rating_state": "rated",
            },
        ]
        assert "vendor.example" not in answer.content.decode()

    def test_who_may(
        self, nobody: Person, candidate: Person, neighbour: Person, person: Callable[..., Person], session: LiveSession
    ) -> None:
        path = f"/bookings/{session.booking_id}/sessions/"
        for role in (Role.SERVICE_DESK, Role.STAFF):
            assert len(rows(person(role).get(path))) == 1
        refused(nobody.get(path), 401, "not_authenticated")
        for stranger in (candidate, neighbour, person(Role.INVIGILATOR)):
            refused(stranger.get(path), 404, "not_found")
        refused(person(Role.PLANNER).get(path, cursor="x"), 400, "invalid")

    def test_a_page_costs_the_same_at_any_size(self) -> None:
        clerk = Person(UserFactory())
        clerk.user.user_permissions.add(Permission.objects.get(codename="plan_bookings"))
        booking = BookingFactory()
        LiveSessionFactory.create_batch(10, booking=booking)
        assert cost(lambda: clerk.get(f"/bookings/{booking.pk}/sessions/")) == 5
        LiveSessionFactory.create_batch(50, booking=booking)
        assert cost(lambda: clerk.get(f"/bookings/{booking.pk}/sessions/?page_size=200")) == 5


class TestOnesOwn:
    def test_a_row(self, candidate: Person, session: LiveSession) -> None:
        assert rows(candidate.get("/live-sessions/")) == [
            {
                "exam": session.exam_id,
                "course_id": A,
                "candidate_number": 1,
                "starts_at": "2026-03-02T10:00:00Z",
                "ends_at": "2026-03-02T12:00:00Z",
                "opens_at": "2026-03-02T09:45:00Z",
                "closes_at": "2026-03-02T12:10:00Z",
                "joined_at": None,
                "join_url": LINK,
            }
        ]

    def test_nobody_elses(
        self, nobody: Person, superuser: Person, planner: Person, staff: Person, session: LiveSession
    ) -> None:
        refused(nobody.get("/live-sessions/"), 401, "not_authenticated")
        other = invite(staff.user, session.exam, link="https://vendor.example/room/staff", number=2)
        assert [row["join_url"] for row in rows(staff.get("/live-sessions/"))] == [other.join_url]
        for who in (superuser, planner):
            assert rows(who.get("/live-sessions/")) == []

    @pytest.mark.parametrize(
        ("hour", "minute", "open_"), [(9, 44, False), (9, 45, True), (12, 9, True), (12, 10, False)]
    )
    def test_the_link_while_the_room_is_open(
        self, hour: int, minute: int, open_: bool, clock: Any, candidate: Person, session: LiveSession
    ) -> None:
        clock.move_to(at(hour, minute), tick=False)
        (row,) = rows(candidate.get("/live-sessions/"))
        assert row["join_url"] == (LINK if open_ else None)

    def test_of_confirmed_bookings(self, candidate: Person, proctored: Exam) -> None:
        for status in ("draft", "scheduled", "sent", "rejected", "cancelled"):
            invite(candidate.user, proctored, status=status)
        assert rows(candidate.get("/live-sessions/")) == []
        invite(candidate.user, proctored, link="")
        assert [row["join_url"] for row in rows(candidate.get("/live-sessions/"))] == [None]

    def test_of_one_exam(self, candidate: Person, session: LiveSession) -> None:
        other = invite(candidate.user, ExamFactory(course_id=B, exam_type=ExamType.PROCTORED))
        assert len(rows(candidate.get("/live-sessions/"))) == 2
        (row,) = rows(candidate.get("/live-sessions/", exam=other.exam_id))
        assert row["exam"] == other.exam_id
        for value in ("x", 0, 2**63):
            refused(candidate.get("/live-sessions/", exam=value), 400, "invalid")

    def test_where_the_key_is_gone(self, candidate: Person, session: LiveSession, settings: Any) -> None:
        attempt = AttemptFactory(exam=session.exam, user=candidate.user)
        settings.PROCTORING = {**settings.PROCTORING, "ENCRYPTION_KEYS": ["x" * 32]}
        refused(candidate.get("/live-sessions/"), 503, "not_configured")
        assert candidate.get(f"/attempts/{attempt.pk}/").json()["launch"]["join_url"] == ""

    def test_the_list_costs_three_statements_at_any_size(self) -> None:
        ada = Person(UserFactory())
        invite(ada.user, ExamFactory())
        assert cost(lambda: ada.get("/live-sessions/")) == 3
        for _ in range(20):
            invite(ada.user, ExamFactory())
        assert cost(lambda: ada.get("/live-sessions/")) == 3


class TestLaunch:
    @pytest.fixture
    def attempt(self, session: LiveSession) -> Attempt:
        return AttemptFactory(exam=session.exam, user=session.user, launch_data={"join_url": OLD})

    def link(self, who: Person, attempt: Attempt) -> str:
        return who.get(f"/attempts/{attempt.pk}/").json()["launch"]["join_url"]

    def test_the_candidates_own(self, candidate: Person, staff: Person, clock: Any, attempt: Attempt) -> None:
        assert self.link(candidate, attempt) == LINK
        assert [row["launch"]["join_url"] for row in rows(candidate.get("/attempts/"))] == [LINK]
        assert self.link(staff, attempt) == OLD
        clock.move_to(at(13, 0), tick=False)
        assert self.link(candidate, attempt) == OLD

    def test_staff_are_not_let_into_anothers_room(self, staff: Person, attempt: Attempt) -> None:
        invite(staff.user, attempt.exam, link="https://vendor.example/room/staff", number=2)
        assert self.link(staff, attempt) == OLD

    def test_of_another_exam(self, candidate: Person, session: LiveSession) -> None:
        exam = ExamFactory(course_id=A, exam_type=ExamType.PROCTORED)
        assert self.link(candidate, AttemptFactory(exam=exam, user=candidate.user)) == ""

    @pytest.mark.parametrize("backend", ["null", "nowhere"])
    def test_where_the_vendor_takes_no_bookings(self, backend: str, candidate: Person, attempt: Attempt) -> None:
        Exam.objects.update(backend=backend)
        assert self.link(candidate, attempt) == OLD
        assert cost(lambda: candidate.get(f"/attempts/{attempt.pk}/")) == 3

    def test_reading_costs_one_statement_more_at_any_size(self, candidate: Person, attempt: Attempt) -> None:
        assert cost(lambda: candidate.get(f"/attempts/{attempt.pk}/")) == 4  # bound: 4
        before = cost(lambda: candidate.get("/attempts/"))
        for _ in range(10):
            other = invite(candidate.user, ExamFactory(exam_type=ExamType.PROCTORED))
            AttemptFactory(exam=other.exam, user=candidate.user)
        assert cost(lambda: candidate.get("/attempts/")) == before
