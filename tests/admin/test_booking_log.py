"""The booking log in the admin: whose it is, how it is filtered and searched; and bookings on the overview."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from proctoring.bookings import services
from proctoring.bookings.log_codes import LOG_CODES
from proctoring.bookings.states import Status
from proctoring.exams.models import Exam
from proctoring.outbox.models import Delivery, DeliveryTarget, Operation
from tests.booking_vendor import live_vendor
from tests.factories import ExamFactory

from .booking_rows import LIST, LOG, address, booked, listed
from .conftest import HOSTILE, make_entry, told

PAGE = "/admin/proctoring/"
JOINED = "proctoring_session_joined_processing_completed"
RATED = "proctoring_session_rating_updated"


@pytest.fixture
def vendor(settings: Any) -> None:
    live_vendor(settings)


@pytest.mark.parametrize("code", ["", *LOG_CODES])
def test_every_code_has_its_sentence(boss_client: Client, exam: Exam, code: str) -> None:
    booking = booked(exam)
    entry = make_entry(booking, code, session=booking.sessions.get())
    for page in (reverse(LOG), reverse("admin:proctoring_bookinglogentry_change", args=(entry.pk,))):
        content = boss_client.get(page).content.decode()
        assert "Final: " in content
        assert code in content
        assert HOSTILE not in content


def test_log_is_the_newest_first_and_names_its_author(boss_client: Client, boss: User, exam: Exam) -> None:
    booking = booked(exam)
    services.schedule_booking(booking, by=boss)
    services.cancel_booking(booking, by=boss)
    response = boss_client.get(reverse(LOG))
    assert [entry.code for entry in response.context["cl"].result_list] == ["", "booking_declared_as_scheduled"]
    page = response.content.decode()
    assert "boss" in page
    assert address(booking) in page


def test_log_is_filtered_by_subject_code_booking_course_and_day(boss_client: Client, exam: Exam) -> None:
    booking, other = booked(exam), booked(ExamFactory(course_id="botany", exam_type="proctored"))
    sent, joined, cancelled = make_entry(booking), make_entry(booking, JOINED), make_entry(booking, "")
    rated = make_entry(other, RATED, at=timezone.now() - timedelta(days=40))
    found = lambda **query: listed(boss_client, LOG, **query)  # noqa: E731 - a word for what is asked again and again
    assert found(subject="booking") == {sent.pk, cancelled.pk}
    assert found(subject="session") == {joined.pk}
    assert found(subject="rating") == {rated.pk}
    assert found(code=JOINED) == {joined.pk}
    assert found(code="none") == {cancelled.pk}
    assert found(course="botany") == {rated.pk}
    assert found(exam__id__exact=other.exam_id) == {rated.pk}
    assert found(booking__id__exact=other.pk) == {rated.pk}
    since = (timezone.now() - timedelta(days=7)).strftime("%Y-%m-%d 00:00:00+00:00")
    assert found(at__gte=since) == {sent.pk, joined.pk, cancelled.pk}


def test_search_is_about_one_course(boss_client: Client, exam: Exam) -> None:
    booking = booked(exam)
    session = booking.sessions.get()
    mine = make_entry(booking, JOINED, session=session)
    make_entry(booked(exam))
    name = str(session.user)
    assert listed(boss_client, LOG, q=name, course="algebra") == {mine.pk}
    assert len(listed(boss_client, LOG, q="Fin", exam__id__exact=exam.pk)) == 2
    everywhere = boss_client.get(reverse(LOG), {"q": name})
    assert told(everywhere) == ["Choose a course or an exam to search in its log."]
    assert everywhere.context["cl"].result_count == 0


def test_who_has_one_course_searches_it_without_choosing(as_person: Callable[..., Client], exam: Exam) -> None:
    booking = booked(exam)
    mine = make_entry(booking, JOINED, session=booking.sessions.get())
    make_entry(booked(exam))
    assert listed(as_person("planner-of-algebra"), LOG, q=str(booking.sessions.get().user)) == {mine.pk}


def test_codes_on_offer_are_those_of_the_subject(boss_client: Client, exam: Exam) -> None:
    make_entry(booked(exam))
    page = boss_client.get(reverse(LOG), {"subject": "session"}).content.decode()
    assert f"code={JOINED}" in page
    assert f"code={RATED}" not in page


@pytest.mark.parametrize("value", ["x", "99999999999999999999999", "\x00"])
def test_nonsense_in_a_filter_is_no_error(boss_client: Client, exam: Exam, value: str) -> None:
    make_entry(booked(exam))
    for name in ("exam__id__exact", "course", "code", "subject", "at__gte", "booking__id__exact", "q"):
        assert boss_client.get(reverse(LOG), {name: value}).status_code in (200, 302, 400)


@pytest.mark.parametrize("role", ["planner", "service_desk", "staff"])
def test_log_is_of_ones_own_course(as_person: Callable[..., Client], exam: Exam, role: str) -> None:
    entry = make_entry(booked(exam))
    assert listed(as_person(f"{role}-of-algebra"), LOG) == {entry.pk}
    stranger = as_person(f"{role}-of-botany")
    assert listed(stranger, LOG) == set()
    assert listed(stranger, LOG, booking__id__exact=entry.booking_id) == set()


def test_log_is_only_read(boss_client: Client, exam: Exam) -> None:
    entry = make_entry(booked(exam))
    page = reverse("admin:proctoring_bookinglogentry_change", args=(entry.pk,))
    assert boss_client.post(page, {"comment": "forged"}).status_code == 403
    assert boss_client.get(reverse(LOG)).context["cl"].formset is None
    assert "<select name=" not in boss_client.get(reverse(LOG)).content.decode()


def test_log_costs_the_same_at_any_length(boss_client: Client, exam: Exam) -> None:
    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert boss_client.get(reverse(LOG), {"course": "algebra", "q": "F"}).status_code == 200
        return len(captured)

    def fill(count: int) -> None:
        for _ in range(count):
            booking = booked(exam)
            make_entry(booking, JOINED, session=booking.sessions.get())

    fill(10)
    before = cost()
    fill(60)
    assert cost() == before


# The overview


def overview(client: Client, **query: str) -> Any:
    response = client.get(PAGE, query)
    assert response.status_code == 200
    return response.context["overview"]


def sections(found: Any) -> dict[str, list[list[str]]]:
    return {table.name: [[str(cell) for cell in row] for row in table.rows] for table in found.tables}


@pytest.mark.usefixtures("vendor")
def test_overview_shows_what_needs_somebody_with_the_doctors_words(boss_client: Client, exam: Exam) -> None:
    now = timezone.now()
    rejected = booked(exam, "rejected", rejection_reason="booking_rejection_reason_availability_limit_reached")
    forgotten = booked(exam, starts_at=now + timedelta(days=2), ends_at=now + timedelta(days=3))
    booked(exam, "rejected", starts_at=now + timedelta(days=8), ends_at=now + timedelta(days=9))
    booked(exam, "rejected", starts_at=now - timedelta(days=2), ends_at=now - timedelta(days=1))
    first, second = sections(overview(boss_client))["bookings"]
    assert address(rejected) in first[0]
    assert "Rejected" in first[2]
    assert first[3:5] == ["The vendor has too few proctors in this window.", "the planner"]
    assert first[5].startswith("Choose another window")
    assert address(forgotten) in second[0]
    assert second[5] == "Schedule it, or cancel it."


@pytest.mark.usefixtures("vendor")
def test_overview_shows_today_and_what_waits(boss_client: Client, exam: Exam) -> None:
    now = timezone.now()
    today = {"starts_at": now - timedelta(seconds=1), "ends_at": now + timedelta(seconds=90)}
    booked(exam, "confirmed", candidates=3, **today)
    booked(exam, "cancelled", **today)
    booked(exam, "sent")
    found = sections(overview(boss_client))
    assert [row[3] for row in found["bookings_today"]] == ["3 (1:4)"]
    assert len(found["bookings_waiting"]) == 1


def test_overview_is_silent_where_nobody_books(boss_client: Client, exam: Exam) -> None:
    assert not any("booking" in name for name in sections(overview(boss_client)))


@pytest.mark.usefixtures("vendor")
@pytest.mark.parametrize("role", ["planner", "service_desk"])
def test_overview_of_planners_is_about_bookings_alone(
    as_person: Callable[..., Client], exam: Exam, role: str, settings: Any
) -> None:
    settings.PROCTORING = {**settings.PROCTORING, "HOST": "tests.admin.hosts.CourseHost"}
    other = ExamFactory(course_id="botany", name="Mosses", exam_type="proctored")
    for status in Status.values:
        booked(exam, status)
        booked(other, status)
    person = as_person(f"{role}-of-algebra")
    for query in ({}, {"course": "botany"}):
        response = person.get(PAGE, query)
        page, found = response.content.decode(), response.context["overview"]
        assert set(sections(found)) >= {"bookings", "bookings_waiting", "receivers"}
        assert "running" not in sections(found)
        assert found.chart is None
        assert "Mosses" not in page
        assert bool(found.plan_booking) is (role == "planner")
    assert as_person("reviewer-of-algebra").get(PAGE).content.decode().count("Bookings that need") == 0


def test_quiet_overview_of_a_planner_leads_to_planning(as_person: Callable[..., Client], exam: Exam) -> None:
    page = as_person("planner-of-algebra").get(PAGE).content.decode()
    assert "No booking needs anybody" in page
    assert reverse("admin:proctoring_booking_add") in page


@pytest.mark.usefixtures("vendor")
def test_sections_link_to_the_same_rows(boss_client: Client, exam: Exam) -> None:
    for _ in range(11):
        booked(exam, "rejected")
    table = next(one for one in overview(boss_client).tables if one.name == "bookings")
    assert (len(table.rows), table.count) == (10, "11")
    assert f"{reverse(LIST)}?waits_for=somebody" in str(table.more)
    assert len(listed(boss_client, waits_for="somebody")) == 11


def test_what_is_owed_about_a_booking_names_its_exam(boss_client: Client, exam: Exam) -> None:
    booking = booked(exam, "cancelled")
    Delivery.objects.create(
        backend="live",
        operation=Operation.CANCEL_BOOKING,
        target=DeliveryTarget.BOOKING,
        target_id=booking.pk,
        key="k",
        next_try_at=timezone.now(),
    )
    (row,) = sections(overview(boss_client))["owed"]
    assert address(booking) in row[1]


def test_a_log_leads_to_its_export(boss_client: Client, exam: Exam) -> None:
    """Of the booking or the course that is looked at; where all courses are, of none."""
    booking = booked(exam)
    page = reverse("admin:proctoring_bookinglogentry_changelist")
    whole = "/proctoring/api/v1/booking-log/?course_id={}&amp;export=csv"
    for query, wanted in (
        ({"course": "a+b"}, whole.format("a%2Bb")),
        ({"exam__id__exact": str(exam.pk)}, whole.format(exam.course_id)),
        ({"booking__id__exact": str(booking.pk)}, f"/proctoring/api/v1/bookings/{booking.pk}/log/?export=csv"),
    ):
        assert f'href="{wanted}"' in boss_client.get(page, query).content.decode()
    assert "export=csv" not in boss_client.get(page).content.decode()
