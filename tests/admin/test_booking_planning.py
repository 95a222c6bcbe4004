"""Planning a booking: the form, what it offers, and what it says when a rule is broken."""

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from proctoring.admin import booking_planning
from proctoring.bookings.models import Booking, BookingPlan, LiveSession
from proctoring.exams.models import Exam
from proctoring.host import Role
from tests.booking_vendor import live_vendor
from tests.factories import AllowanceFactory, ExamFactory, UserFactory
from tests.hosts import ScriptedHost, scripted

from .booking_rows import ADD, LIST, address
from .conftest import told

EXAMS = "admin:proctoring_booking_exams"


@pytest.fixture(autouse=True)
def vendor(settings: Any) -> None:
    live_vendor(settings)


def wish(exam: Exam, *people: Any, **fields: Any) -> dict[str, Any]:
    given = {
        "exam": exam.pk,
        "starts_at": "2031-03-01T10:00",
        "ends_at": "2031-03-01T12:00",
        "who": "listed",
        "candidates": "\n".join(str(one) for one in people),
        "ratio": 4,
        "backend": "",
        "onboarding_minutes": "",
        "closing_minutes": "",
    }
    return {**given, **fields}


def ask(client: Client, exam: Exam, *people: Any, **fields: Any) -> Any:
    return client.post(reverse(ADD), wish(exam, *people, **fields))


def said(response: Any) -> dict[str, str]:
    assert response.status_code == 200
    form = response.context["adminform"].form
    return {name: " ".join(sentences) for name, sentences in form.errors.items()}


def test_planner_plans_a_booking(as_person: Callable[..., Client], exam: Exam) -> None:
    planner = as_person("planner-of-algebra")
    ada, bob = UserFactory(username="ada"), UserFactory(username="bob", email="bob@example.com")
    page = planner.get(reverse(ADD)).content.decode()
    assert "Plan a booking" in page
    assert "Empty: 15." in page
    response = planner.post(reverse(ADD), wish(exam, f"ada, {bob.email}", ada.pk), follow=True)
    booking = Booking.objects.get()
    assert response.redirect_chain[-1][0] == address(booking)
    assert told(response) == ["Planned as 1 draft. It is sent when it is scheduled."]
    assert (booking.status, booking.backend, booking.ratio) == ("draft", "live", 4)
    assert (booking.onboarding_minutes, booking.closing_minutes) == (15, 10)
    assert str(booking.created_by) == "planner-of-algebra"
    assert {one.user for one in LiveSession.objects.all()} == {ada, bob}


def test_more_candidates_than_the_vendor_takes_make_a_plan_of_several(boss_client: Client, exam: Exam) -> None:
    people = [UserFactory().get_username() for _ in range(7)]
    response = boss_client.post(reverse(ADD), wish(exam, *people), follow=True)
    plan = BookingPlan.objects.get()
    assert response.redirect_chain[-1][0] == reverse(LIST, query={"plan__id__exact": plan.pk})
    assert {row.part for row in response.context["cl"].result_list} == {1, 2, 3}
    assert "3 drafts" in told(response)[0]


def test_everybody_enrolled_is_planned_without_a_name(
    boss_client: Client, exam: Exam, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "does not say who is enrolled" in said(ask(boss_client, exam, who="enrolled"))["who"]
    learner = UserFactory(username="learner")
    enrolled = get_user_model().objects.filter(pk=learner.pk)
    monkeypatch.setattr("proctoring.host.Host.enrolled", lambda host, course_id: enrolled)
    assert ask(boss_client, exam, who="enrolled").status_code == 302
    assert LiveSession.objects.get().user == learner


@pytest.mark.parametrize(
    ("fields", "place", "sentence"),
    [
        ({"ends_at": "2031-03-01T09:00"}, "ends_at", "Must be after the window opens."),
        ({"ends_at": "2031-03-02T10:00"}, "ends_at", "Proctors would be needed for 1465 minutes"),
        ({"ratio": 5}, "ratio", "1:4, 1:8"),
        ({"ratio": 0}, "ratio", "greater than or equal to 1"),
        ({"backend": "null"}, "backend", "not one of the available choices"),
        ({"candidates": ""}, "candidates", "Name the candidates."),
        ({"candidates": "nobody-here 999999"}, "candidates", "Nobody is known by: nobody-here, 999999."),
        ({"candidates": "gone"}, "candidates", "No active account"),
        ({"who": "enrolled"}, "who", "Names are given below"),
        ({"exam": 999}, "exam", "not one of the available choices"),
        ({"starts_at": "soon"}, "starts_at", "Enter a valid date/time."),
        ({"onboarding_minutes": 2000}, "onboarding_minutes", "less than or equal to 1440"),
    ],
)
def test_broken_rule_stands_at_its_field_and_nothing_is_made(
    boss_client: Client, exam: Exam, fields: dict[str, Any], place: str, sentence: str
) -> None:
    UserFactory(username="ada")
    UserFactory(username="gone", is_active=False)
    found = said(boss_client.post(reverse(ADD), {**wish(exam, "ada"), **fields}))
    assert sentence in found[place]
    assert set(found) == {place}
    assert not BookingPlan.objects.exists()


def test_timed_exam_has_no_proctors(boss_client: Client) -> None:
    found = said(ask(boss_client, ExamFactory(), UserFactory().get_username()))
    assert found == {"exam": "A timed exam has no proctors."}


def test_vendor_that_takes_no_bookings_is_named(boss_client: Client) -> None:
    exam = ExamFactory(exam_type="proctored", backend="null")
    assert "takes no bookings" in said(ask(boss_client, exam, UserFactory().get_username()))["backend"]


def test_extra_time_that_the_vendor_does_not_lend_is_explained(boss_client: Client, exam: Exam) -> None:
    slow = UserFactory(username="slow")
    AllowanceFactory(user=slow, course_id="algebra", minutes=400)
    sentence = said(ask(boss_client, exam, "slow"))["ends_at"]
    assert "400 of extra time" in sentence
    assert "480 at most" in sentence


def test_service_is_called_once(boss_client: Client, exam: Exam, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[object] = []
    real = booking_planning.plan_bookings

    def counted(given: Any, *, by: User) -> list[Booking]:
        calls.append(given)
        return real(given, by=by)

    monkeypatch.setattr(booking_planning, "plan_bookings", counted)
    name = UserFactory().get_username()
    ask(boss_client, exam, name)
    ask(boss_client, exam, name, ratio=5)
    assert len(calls) == 2


def test_time_that_does_not_exist_is_refused(boss_client: Client, exam: Exam, settings: Any) -> None:
    settings.TIME_ZONE = "Europe/Berlin"
    found = said(ask(boss_client, exam, UserFactory().get_username(), starts_at="2031-03-30T02:30"))
    assert "couldn’t be interpreted in time zone Europe/Berlin" in found["starts_at"]
    assert "Time zone: Europe/Berlin." in boss_client.get(reverse(ADD)).content.decode()


# Who may


@pytest.mark.parametrize("role", ["service_desk", "invigilator", "reviewer"])
def test_other_roles_do_not_plan(as_person: Callable[..., Client], exam: Exam, role: str) -> None:
    person = as_person(f"{role}-of-algebra")
    assert person.get(reverse(ADD)).status_code == 403
    assert ask(person, exam, UserFactory().get_username()).status_code == 403
    assert person.get(reverse(EXAMS)).status_code == 403
    assert not BookingPlan.objects.exists()


@pytest.fixture
def lms(settings: Any) -> ScriptedHost:
    return scripted(settings)


def test_who_plans_one_course_plans_no_other(lms: ScriptedHost, exam: Exam) -> None:
    other = ExamFactory(course_id="botany", exam_type="proctored", name="Mosses")
    person = UserFactory(is_staff=True)
    # The service desk of the other course sees its bookings, and plans none.
    lms.roles = {(person.pk, "algebra", Role.PLANNER), (person.pk, "botany", Role.SERVICE_DESK)}
    client = Client()
    client.force_login(person)
    assert "not one of the available choices" in said(ask(client, other, "nobody-here"))["exam"]
    results = client.get(reverse(EXAMS), {"term": ""}).json()["results"]
    assert [one["id"] for one in results] == [str(exam.pk)]
    assert client.get(reverse(EXAMS), {"term": "Mos"}).json()["results"] == []


def test_strangers_learn_nothing_about_accounts(as_person: Callable[..., Client], exam: Exam) -> None:
    """Names are looked up only for who may plan for the exam that is chosen."""
    found = said(ask(as_person("planner-of-botany"), exam, "nobody-here"))
    assert "candidates" not in found


def test_exams_are_offered_a_page_at_a_time(boss_client: Client) -> None:
    for number in range(25):
        ExamFactory(name=f"Quiz {number:02}", exam_type="proctored")
    ExamFactory(name="Quiz without proctors")
    ExamFactory(name="Quiz of last year", exam_type="proctored", status="archived")
    first = boss_client.get(reverse(EXAMS), {"term": "quiz"}).json()
    second = boss_client.get(reverse(EXAMS), {"term": "quiz", "page": 2}).json()
    assert (len(first["results"]), first["pagination"]["more"]) == (20, True)
    assert (len(second["results"]), second["pagination"]["more"]) == (5, False)
    assert boss_client.get(reverse(EXAMS), {"term": "\x00", "page": "x"}).status_code == 200
