"""``onboarding/``: one's own standing, and staff's list of a course, page by page."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring.attempts.models import OnboardingProfile
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam, ExamType
from proctoring.host import Host
from tests.api.conftest import A, B, Person, refused
from tests.api.test_statements import STATEMENT
from tests.factories import TEN, AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import ScriptedHost, configure

FIELDS = {"status", "exam", "opens_at", "past_due", "expires_at", "expiring_soon", "next_step"}


@pytest.fixture
def onboarding(lms: ScriptedHost) -> Exam:
    return ExamFactory(course_id=A, exam_type=ExamType.ONBOARDING)


def profile(user: Any, **fields: Any) -> OnboardingProfile:
    return OnboardingProfile.objects.create(user=user, backend="null", **fields)


class TestOwn:
    def test_from_beginning_to_approval(self, candidate: Person, onboarding: Exam) -> None:
        page = f"/proctoring/exam/{onboarding.pk}/"
        answer = candidate.get("/onboarding/status/", course_id=A).json()
        assert answer == {
            "status": "not_started",
            "exam": onboarding.pk,
            "opens_at": None,
            "past_due": False,
            "expires_at": None,
            "expiring_soon": False,
            "next_step": {"action": "begin", "url": page},
        }
        attempt = candidate.post(f"/exams/{onboarding.pk}/attempts/").json()["id"]
        answer = candidate.get("/onboarding/status/", course_id=A).json()
        assert (answer["status"], answer["next_step"]) == ("setup_started", {"action": "continue", "url": page})
        candidate.post(f"/attempts/{attempt}/start/")
        candidate.post(f"/attempts/{attempt}/submit/")
        answer = candidate.get("/onboarding/status/", course_id=A).json()
        assert (answer["status"], answer["next_step"]) == ("submitted", {"action": "wait", "url": None})

    @time_machine.travel(TEN, tick=False)
    def test_an_approval_has_its_end(self, candidate: Person, onboarding: Exam) -> None:
        profile(candidate.user, status="verified", expires_at=at(10, 1), approved_course_id=B)
        answer = candidate.get("/onboarding/status/", course_id=A).json()
        assert answer["status"] == "other_course_approved"
        assert (answer["expires_at"], answer["expiring_soon"]) == ("2026-03-02T10:01:00Z", True)
        assert answer["next_step"]["action"] == "renew"

    @time_machine.travel(TEN, tick=False)
    def test_an_exam_that_opens_later_says_when_and_is_not_linked(self, candidate: Person, onboarding: Exam) -> None:
        Exam.objects.update(opens_at=at(11, 0))
        answer = candidate.get("/onboarding/status/", course_id=A).json()
        assert answer["opens_at"] == "2026-03-02T11:00:00Z"
        assert answer["next_step"] == {"action": "wait", "url": None}

    def test_where_there_is_none(self, candidate: Person, onboarding: Exam, lms: ScriptedHost) -> None:
        refused(candidate.get("/onboarding/status/", course_id=B), 404, "no_onboarding")
        lms.barred.add(candidate.user.pk)
        refused(candidate.get("/onboarding/status/", course_id=A), 404, "no_onboarding")
        lms.blind.add(candidate.user.pk)
        refused(candidate.get("/onboarding/status/", course_id=A), 404, "not_found")

    def test_which_course_has_to_be_said(self, candidate: Person, nobody: Person) -> None:
        for query in ({}, {"course_id": ""}, {"course_id": "x" * 256}, {"course_id": "a\x00"}):
            assert "course_id" in refused(candidate.get("/onboarding/status/", **query), 400, "invalid")["errors"]
        refused(nobody.get("/onboarding/status/", course_id=A), 401, "not_authenticated")

    def test_reset_cannot_strand_anybody(self, candidate: Person, onboarding: Exam) -> None:
        attempt = AttemptFactory(exam=onboarding, user=candidate.user, status=Status.REJECTED)
        Exam.objects.update(due_at=datetime.now(UTC) - timedelta(days=1))
        refused(candidate.post(f"/attempts/{attempt.pk}/reset/"), 422, "past_due")
        attempt.refresh_from_db()
        assert attempt.status == Status.REJECTED
        Exam.objects.update(due_at=None)
        new = candidate.post(f"/attempts/{attempt.pk}/reset/").json()
        assert (new["number"], new["status"]) == (2, "created")
        refused(candidate.post(f"/attempts/{attempt.pk}/reset/"), 409, "retry_not_possible")
        assert candidate.get("/onboarding/status/", course_id=A).json()["status"] == "setup_started"

    def test_what_was_approved_is_not_reset(self, candidate: Person, onboarding: Exam) -> None:
        attempt = AttemptFactory(exam=onboarding, user=candidate.user, status=Status.VERIFIED)
        answer = refused(candidate.post(f"/attempts/{attempt.pk}/reset/"), 409, "illegal_transition")
        assert "approved and stays" in answer["detail"]


class TestList:
    @pytest.fixture
    def people(self, onboarding: Exam) -> dict[str, Any]:
        """One of each standing, all with an attempt at the course's exam."""
        proctored = ExamFactory(course_id=A, exam_type=ExamType.PROCTORED)
        later = datetime.now(UTC) + timedelta(days=100)
        given: dict[str, dict[str, Any] | None] = {
            "not_started": None,
            "verified": {"status": "verified", "expires_at": later, "approved_course_id": A},
            "other_course_approved": {"status": "rejected", "expires_at": later, "approved_course_id": B},
            "expired": {"status": "verified", "expires_at": TEN},
            "rejected": {"status": "rejected", "course_id": A},
        }
        people = {}
        for word, fields in given.items():
            people[word] = AttemptFactory(exam=proctored, user__username=f"{word}-person").user
            if fields is not None:
                profile(people[word], **fields)
        return people

    def test_everybody_once_with_their_word(self, staff: Person, people: dict[str, Any], onboarding: Exam) -> None:
        rows = staff.get("/onboarding/", course_id=A).json()["results"]
        assert [(row["user"]["id"], row["status"]) for row in rows] == [(one.pk, word) for word, one in people.items()]
        assert set(rows[0]) == FIELDS | {"user"}
        assert rows[0]["user"] == {"id": people["not_started"].pk, "username": "not_started-person"}
        assert [row["next_step"]["action"] for row in rows] == ["begin", "none", "none", "renew", "retry"]
        assert {row["exam"] for row in rows} == {onboarding.pk}

    @pytest.mark.parametrize(
        ("query", "words"),
        [
            ({"status": "rejected"}, ["rejected"]),
            ({"status": "rejected,expired"}, ["expired", "rejected"]),
            ({"status": ["verified", "not_started"]}, ["not_started", "verified"]),
            ({"status": ""}, ["not_started", "verified", "other_course_approved", "expired", "rejected"]),
            ({"status": "submitted"}, []),
            ({"search": "REJ"}, ["rejected"]),
            ({"search": "person"}, []),
            ({"search": "expired-person@"}, ["expired"]),
            ({"search": "e", "status": "rejected"}, []),
        ],
    )
    def test_filters(self, staff: Person, people: dict[str, Any], query: dict[str, Any], words: list[str]) -> None:
        rows = staff.get("/onboarding/", course_id=A, **query).json()["results"]
        assert [row["status"] for row in rows] == words

    @pytest.mark.parametrize(
        "query",
        [{"status": "great"}, {"search": "x" * 256}, {"search": "\x00"}, {"cursor": "cD1hYmM="}, {"page_size": "0"}],
    )
    def test_nonsense_is_said_to_be_nonsense(self, staff: Person, onboarding: Exam, query: dict[str, str]) -> None:
        refused(staff.get("/onboarding/", course_id=A, **query), 400, "invalid")

    def test_pages_follow_each_other(self, staff: Person, people: dict[str, Any]) -> None:
        answer = staff.get("/onboarding/", course_id=A, page_size=2).json()
        seen = [row["status"] for row in answer["results"]]
        while answer["next"]:
            answer = staff.client.get(answer["next"]).json()
            seen += [row["status"] for row in answer["results"]]
        assert seen == list(people)

    def test_it_is_for_staff_of_that_course(
        self,
        staff: Person,
        neighbour: Person,
        proctor: Person,
        candidate: Person,
        nobody: Person,
        onboarding: Exam,
        lms: ScriptedHost,
    ) -> None:
        assert staff.get("/onboarding/", course_id=A).status_code == 200
        for person in (neighbour, proctor, candidate):
            refused(person.get("/onboarding/", course_id=A), 403, "permission_denied")
        lms.blind.add(candidate.user.pk)
        refused(candidate.get("/onboarding/", course_id=A), 404, "not_found")
        refused(nobody.get("/onboarding/", course_id=A), 401, "not_authenticated")
        refused(neighbour.get("/onboarding/", course_id=B), 404, "no_onboarding")


class Enrolling(Host):
    """Everybody but staff is enrolled."""

    def enrolled(self, course_id: str) -> Any:
        return get_user_model().objects.filter(is_staff=False)


@pytest.mark.django_db(transaction=True)
class TestBigCourse:
    """5 000 people: no page reads them all. ``benchmarks/onboarding_status.py`` measures the same in time."""

    PEOPLE = 5_000

    @pytest.fixture
    def clerk(self, settings: Any) -> Person:
        configure(settings, HOST=f"{__name__}.Enrolling")
        user = UserFactory(is_staff=True)
        user.user_permissions.add(Permission.objects.get(codename="manage_course_exams"))
        exam = ExamFactory(course_id=A, exam_type=ExamType.ONBOARDING)
        model = get_user_model()
        model.objects.bulk_create([model(username=f"p{number:05}") for number in range(self.PEOPLE)])
        words = ("verified", "submitted", "rejected", "setup_started")
        ids = model.objects.filter(is_staff=False).order_by("pk").values_list("pk", flat=True)
        OnboardingProfile.objects.bulk_create(
            [
                OnboardingProfile(user_id=pk, backend="null", status=words[at % 4], course_id=exam.course_id)
                for at, pk in enumerate(ids)
                if at % 5
            ]
        )
        return Person(user)

    @pytest.mark.parametrize(
        "query", [{}, {"status": "rejected"}, {"status": "not_started"}, {"search": "p04"}, {"page_size": 200}], ids=str
    )
    def test_a_page_costs_five_statements(self, clerk: Person, query: dict[str, Any]) -> None:
        with CaptureQueriesContext(connection) as captured:
            answer = clerk.get("/onboarding/", course_id=A, **query)
        rows = answer.json()["results"]
        assert len(rows) == query.get("page_size", 50)
        statements = [one["sql"] for one in captured.captured_queries if STATEMENT.match(one["sql"])]
        assert len(statements) == 5, statements  # bound: 8
        assert not any("COUNT(" in one for one in statements)
        with CaptureQueriesContext(connection) as captured:
            clerk.client.get(answer.json()["next"])
        assert len([one for one in captured.captured_queries if STATEMENT.match(one["sql"])]) == 5


def test_ones_own_standing_costs_five_statements(settings: Any, onboarding: Exam) -> None:
    configure(settings, HOST="proctoring.host.Host")
    ada = Person(UserFactory())
    AttemptFactory(exam=onboarding, user=ada.user, status=Status.REJECTED)
    with CaptureQueriesContext(connection) as captured:
        assert ada.get("/onboarding/status/", course_id=A).json()["status"] == "rejected"
    assert len([one for one in captured.captured_queries if STATEMENT.match(one["sql"])]) == 5
