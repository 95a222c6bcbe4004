"""Bookings in the admin: the list and the page. Everything is shown, nothing is edited."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from proctoring.admin.booking_page import span
from proctoring.bookings import services
from proctoring.bookings.doctor import ADVICE
from proctoring.bookings.models import Booking
from proctoring.bookings.states import Status
from proctoring.exams.models import Exam
from proctoring.outbox.models import Delivery, DeliveryTarget, Operation
from proctoring.reviews.models import Rating
from tests.booking_vendor import LiveVendor, live_vendor
from tests.factories import AttemptFactory, ExamFactory, LiveSessionFactory, UserFactory

from .booking_rows import LIST, address, booked, everything, listed, shown
from .conftest import HOSTILE, make_booking, make_entry

SECRET = "https://vendor.example/join/only-the-candidates"


@pytest.fixture(autouse=True)
def vendor(settings: Any) -> LiveVendor:
    return live_vendor(settings)


def statements(client: Client, page: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(page).status_code == 200
    return len(captured)


# The page


def test_nothing_can_be_edited_on_the_page(boss_client: Client, exam: Exam) -> None:
    booking = booked(exam)
    before = everything(booking)
    page = boss_client.get(address(booking)).content.decode()
    assert 'name="status"' not in page
    assert 'name="_save"' not in page
    forged = {"status": "confirmed", "ratio": 1, "who": "enrolled", "exam": exam.pk}
    assert boss_client.post(address(booking), forged).status_code == 403
    assert everything(booking) == before


@pytest.mark.parametrize("reason", sorted(ADVICE))
def test_doctor_says_of_each_rejection_what_to_do(boss_client: Client, exam: Exam, reason: str) -> None:
    booking = booked(exam, "rejected", rejection_reason=reason, external_id="b-1", last_error=HOSTILE)
    response = boss_client.get(address(booking))
    told, advice = dict(response.context["advice"]), ADVICE[reason]
    page = response.content.decode()
    assert all(str(escape(sentence)) in page for sentence in (advice.cause, advice.next_step))
    assert told["Who can mend it"]
    assert told["Sending it again"].startswith("Safe") is advice.may_send_again
    assert told["Checking again"].startswith("Safe") is advice.may_check_again
    offered = {step.name for step in response.context["steps"]}
    assert ("schedule" in offered, "check" in offered) == (advice.may_send_again, advice.may_check_again)
    assert HOSTILE not in page


def test_doctor_is_silent_where_nothing_was_rejected(boss_client: Client, exam: Exam) -> None:
    page = boss_client.get(address(booked(exam, "sent"))).content.decode()
    assert "what to do" not in page


def test_candidates_are_shown_with_everything_but_their_link(boss_client: Client, exam: Exam) -> None:
    booking = booked(exam, "confirmed", candidates=0)
    rated = LiveSessionFactory(booking=booking, candidate_number=1, rating_state="rated", joined_at=timezone.now())
    rated.join_url = SECRET
    rated.save()
    absent = LiveSessionFactory(booking=booking, candidate_number=2)
    attempt = AttemptFactory(exam=exam, user=rated.user)
    now = timezone.now()
    given = {"raw_value": "81", "risk": "0.81", "mapping_version": "1", "source": "poll"}
    Rating.objects.create(attempt=attempt, exam=exam, rated_at=now, fetched_at=now, **given)
    response = boss_client.get(address(booking))
    first, second = shown(response, "candidates")
    assert str(rated.user) in first[1]
    assert reverse("admin:proctoring_attempt_change", args=(attempt.pk,)) in first[1]
    assert (first[0], first[2], first[4]) == ("1", "yes", "Rated: risk 81%")
    assert first[3]
    assert second[1:] == [f"{absent.user} (Ada Lovelace)", "no", "", "Not rated"]
    assert SECRET not in response.content.decode()


def test_of_themselves_planners_see_no_rating(as_person: Callable[..., Client], exam: Exam) -> None:
    planner = as_person("planner-of-algebra")
    me = User.objects.get(username="planner-of-algebra")
    booking = make_booking(exam, me, status="confirmed")
    booking.sessions.update(rating_state="rated")
    (row,) = shown(planner.get(address(booking)), "candidates")
    assert row[-1] == ""


def test_attempts_are_linked_for_those_who_may_open_them(as_person: Callable[..., Client], exam: Exam) -> None:
    booking = booked(exam)
    attempt = AttemptFactory(exam=exam, user=booking.sessions.get().user)
    link = reverse("admin:proctoring_attempt_change", args=(attempt.pk,))
    assert link in as_person("staff-of-algebra").get(address(booking)).content.decode()
    page = as_person("planner-of-algebra").get(address(booking)).content.decode()
    assert link not in page
    assert reverse("admin:proctoring_exam_change", args=(exam.pk,)) not in page


def test_log_is_told_in_words_the_newest_first(boss_client: Client, boss: User, exam: Exam) -> None:
    booking = booked(exam)
    services.schedule_booking(booking, by=boss)
    services.cancel_booking(booking, by=boss, comment=HOSTILE)
    response = boss_client.get(address(booking))
    newest, first = shown(response, "log")
    assert newest[1:] == ["Final: cancelled", "", "boss", HOSTILE]
    assert first[1:] == ["Final: proctors will be asked for.", "booking_declared_as_scheduled", "boss", ""]
    assert f"booking__id__exact={booking.pk}" in response.content.decode()
    assert HOSTILE not in response.content.decode()


def test_other_parts_of_the_plan_and_what_was_replaced_are_linked(boss_client: Client, exam: Exam) -> None:
    former = booked(exam, "cancelled")
    first = booked(exam, "confirmed", replaces=former)
    second = booked(exam, "rejected", plan=first.plan, part=2, candidates=2, extra_minutes=30)
    response = boss_client.get(address(first))
    mine, other = shown(response, "parts")
    assert mine[0] == "1 of 2"
    assert address(second) in other[0]
    assert "Rejected" in other[1]
    assert other[2:] == ["2", "30 min"]
    assert address(former) in response.content.decode()
    assert address(first) in boss_client.get(address(former)).content.decode()


def test_what_is_owed_to_the_vendor_is_shown(boss_client: Client, exam: Exam) -> None:
    booking = booked(exam, "cancelled")
    Delivery.objects.create(
        backend="live",
        operation=Operation.CANCEL_BOOKING,
        target=DeliveryTarget.BOOKING,
        target_id=booking.pk,
        key="k",
        next_try_at=timezone.now(),
    )
    assert "Cancel the booking" in boss_client.get(address(booking)).content.decode()


@pytest.mark.parametrize("status", Status.values)
def test_page_of_every_status_shows_no_garbage(boss_client: Client, exam: Exam, status: str) -> None:
    booking = booked(exam, status)
    for page in (address(booking), reverse(LIST)):
        content = boss_client.get(page).content.decode()
        assert f'p-badge-{status}">{Status(status).label}<' in content
        assert not any(f">{word}<" in content for word in ("-", "None", "null"))


def test_page_costs_the_same_with_much_on_it(boss_client: Client, exam: Exam) -> None:
    booking = booked(exam, "confirmed", candidates=0)

    def fill(count: int) -> None:
        for _ in range(count):
            session = LiveSessionFactory(booking=booking)
            AttemptFactory(exam=exam, user=session.user)
            make_entry(booking, session=session)
            booked(exam, plan=booking.plan, part=Booking.objects.filter(plan=booking.plan).count() + 1)

    fill(10)
    before = statements(boss_client, address(booking))
    fill(60)
    assert statements(boss_client, address(booking)) == before
    assert before <= 14


# Windows


@pytest.mark.parametrize(
    ("start", "end", "shown_as"),
    [
        (
            datetime(2026, 3, 2, 9, tzinfo=UTC),
            datetime(2026, 3, 2, 11, 30, tzinfo=UTC),
            "March 2, 2026, 10 a.m. – 12:30 p.m. (CET)",
        ),
        (
            datetime(2026, 3, 2, 22, tzinfo=UTC),
            datetime(2026, 3, 3, 0, tzinfo=UTC),
            "March 2, 2026, 11 p.m. – March 3, 2026, 1 a.m. (CET)",
        ),
        # The hour that happens twice: two to three o'clock.
        (
            datetime(2026, 10, 25, 0, tzinfo=UTC),
            datetime(2026, 10, 25, 2, tzinfo=UTC),
            "Oct. 25, 2026, 2 a.m. (CEST) – 3 a.m. (CET)",
        ),
    ],
)
def test_window_is_shown_in_the_viewers_zone(start: datetime, end: datetime, shown_as: str) -> None:
    with timezone.override(ZoneInfo("Europe/Berlin")):
        assert span(start, end) == shown_as


# The list


def test_list_says_what_each_booking_is_about(boss_client: Client, exam: Exam) -> None:
    booking = booked(exam, "sent", candidates=3, check_count=2, next_check_at=timezone.now())
    booked(exam, plan=booking.plan, part=2)
    page = boss_client.get(reverse(LIST)).content.decode()
    for words in ("Final", "1 of 2", "2 of 2", "3 (1:4)", "after 2 of 20 checks", "to be scheduled"):
        assert words in page


def test_list_is_filtered(boss_client: Client, exam: Exam) -> None:
    now, other = timezone.now(), ExamFactory(course_id="botany", exam_type="proctored")
    reason = "booking_rejection_reason_conflict"
    rejected = booked(exam, "rejected", rejection_reason=reason, backend="null")
    sent = booked(other, "sent", starts_at=now + timedelta(days=20), ends_at=now + timedelta(days=20, hours=1))
    past = booked(exam, "confirmed", starts_at=now - timedelta(days=3), ends_at=now - timedelta(days=2))
    today = booked(exam, "draft", starts_at=now - timedelta(seconds=1), ends_at=now + timedelta(seconds=90))
    found = lambda **query: listed(boss_client, **query)  # noqa: E731 - a word for what is asked again and again
    assert found(status__exact="rejected") == {rejected.pk}
    assert found(course="botany") == {sent.pk}
    assert found(exam__id__exact=other.pk) == {sent.pk}
    assert found(backend="null") == {rejected.pk}
    assert found(reason=reason) == {rejected.pk}
    assert found(when="past") == {past.pk}
    assert today.pk in found(when="today")
    assert found(when="soon") == {rejected.pk, today.pk}
    assert found(when="later") == {sent.pk}
    assert found(waits_for="somebody") == {rejected.pk, today.pk}
    assert found(waits_for="vendor") == {sent.pk}
    assert found(plan__id__exact=past.plan_id) == {past.pk}


def test_booking_that_was_replaced_needs_nobody(boss_client: Client, exam: Exam) -> None:
    former = booked(exam, "rejected")
    booked(exam, "confirmed", replaces=former)
    assert listed(boss_client, waits_for="somebody") == set()


def test_search_finds_exam_course_external_id_and_candidate(boss_client: Client, exam: Exam) -> None:
    booking = booked(exam, "sent", candidates=2)
    booked(ExamFactory(course_id="botany", exam_type="proctored", name="Mosses"))
    names = ["Fin", "algebra", booking.external_id, *(str(one.user) for one in booking.sessions.all())]
    for text in names:
        assert listed(boss_client, q=text) == {booking.pk}, text
    assert listed(boss_client, q="inal") == set()


@pytest.mark.parametrize("value", ["x", "1'", "99999999999999999999999", "\x00"])
def test_nonsense_in_a_filter_is_no_error(boss_client: Client, exam: Exam, value: str) -> None:
    booked(exam)
    for name in ("exam__id__exact", "course", "status__exact", "waits_for", "when", "reason", "plan__id__exact", "q"):
        assert boss_client.get(reverse(LIST), {name: value}).status_code in (200, 302, 400)


def test_list_costs_the_same_at_any_length(boss_client: Client, exam: Exam, vendor: LiveVendor) -> None:
    pages = [reverse(LIST), reverse(LIST, query={"q": "booked"}), reverse(LIST, query={"waits_for": "somebody"})]

    def fill(count: int) -> None:
        for number in range(count):
            booked(exam, Status.values[number % 6], candidates=2)
            booked(ExamFactory(course_id=f"course-{number}", exam_type="proctored"))

    fill(5)
    before = [statements(boss_client, page) for page in pages]
    fill(55)
    assert [statements(boss_client, page) for page in pages] == before
    assert max(before) <= 10


# Who sees what


@pytest.mark.parametrize("role", ["planner", "service_desk", "staff"])
def test_booking_is_seen_by_its_own_courses_people_alone(
    as_person: Callable[..., Client], exam: Exam, role: str
) -> None:
    booking = booked(exam)
    make_entry(booking)
    assert listed(as_person(f"{role}-of-algebra")) == {booking.pk}
    assert as_person(f"{role}-of-algebra").get(address(booking)).status_code == 200
    stranger = as_person(f"{role}-of-botany")
    assert listed(stranger) == set()
    assert stranger.get(address(booking)).status_code in (302, 404)
    assert as_person(f"{role}-of-chemistry", is_staff=False).get(reverse(LIST)).status_code == 302


@pytest.mark.parametrize("role", ["invigilator", "reviewer", "somebody"])
def test_other_roles_see_no_bookings(as_person: Callable[..., Client], exam: Exam, role: str) -> None:
    person, booking = as_person(f"{role}-of-algebra"), booked(exam)
    assert person.get(reverse(LIST)).status_code == 403
    assert person.get(address(booking)).status_code in (302, 403)


def test_candidate_with_a_staff_account_sees_nothing(as_person: Callable[..., Client], exam: Exam) -> None:
    person = as_person("candidate")
    booking = make_booking(exam, User.objects.get(username="candidate"), UserFactory())
    assert person.get(reverse(LIST)).status_code == 403
    assert person.get(address(booking)).status_code in (302, 403)
