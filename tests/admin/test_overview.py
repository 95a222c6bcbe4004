"""The overview: what is in it, for whom, and that it costs the same at any size."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from proctoring.admin.chart import chart_of_the_day, hours_of_day
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import OPEN, Status
from proctoring.exams.models import Exam
from proctoring.host import Role
from proctoring.outbox.models import Delivery, DeliveryStatus, DeliveryTarget, Operation
from tests.factories import AttemptFactory, ExamFactory, UserFactory
from tests.hosts import scripted

from .conftest import HOSTILE, address, make_circuit, make_delivery

STATEMENT = re.compile(r"[\s(]*(SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
PAGE = "/admin/proctoring/"


def overview(client: Client, **query: str) -> Any:
    response = client.get(PAGE, query)
    assert response.status_code == 200
    return response.context["overview"]


def cells(found: Any, name: str) -> list[list[str]]:
    table = next(table for table in found.tables if table.name == name)
    return [[str(cell) for cell in row] for row in table.rows]


def running(exam: Exam, **fields: Any) -> Attempt:
    now = timezone.now()
    given = {"status": Status.STARTED, "started_at": now, "expires_at": now + timedelta(minutes=30)}
    return AttemptFactory(exam=exam, **{**given, **fields})


def test_the_apps_page_begins_with_the_overview_and_still_has_the_lists(boss_client: Client, exam: Exam) -> None:
    running(exam)
    assert reverse("admin:app_list", args=["proctoring"]) == PAGE
    page = boss_client.get(PAGE).content.decode()
    assert page.index("Running now") < page.index(reverse("admin:proctoring_attempt_changelist"))
    assert PAGE in boss_client.get(reverse("admin:index")).content.decode()


def test_zone_of_the_times_is_named_once(boss_client: Client, attempt: Attempt) -> None:
    sentence = "Times are in this time zone: Asia/Kolkata"
    with timezone.override(ZoneInfo("Asia/Kolkata")):
        pages = [boss_client.get(url).content.decode() for url in (PAGE, address(attempt))]
    assert [page.count(sentence) for page in pages] == [1, 1]
    assert [page.count("Asia/Kolkata") for page in pages] == [1, 1]


def test_running_attempts_are_shown_the_soonest_deadline_first(boss_client: Client, exam: Exam) -> None:
    now = timezone.now()
    later, sooner = running(exam), running(exam, expires_at=now + timedelta(minutes=5, seconds=30))
    running(exam, expires_at=now - timedelta(minutes=1))
    rows = cells(overview(boss_client), "running")
    assert [str(later.user) in row[0] for row in rows] == [False, True]
    assert str(sooner.user) in rows[0][0]
    assert rows[0][4].startswith("5 min")


def test_what_waits_is_shown_the_longest_waiting_first(boss_client: Client, exam: Exam) -> None:
    now = timezone.now()
    ends = [now - timedelta(hours=hours) for hours in (1, 50, 3)]
    people = [AttemptFactory(exam=exam, status=Status.SUBMITTED, ended_at=end).user for end in ends]
    rows = cells(overview(boss_client), "verdict")
    assert [str(people[index]) in row[0] for index, row in zip((1, 2, 0), rows, strict=True)] == [True] * 3
    assert rows[0][3] == "2 d 2 h"


def test_overdue_attempt_waits_for_a_verdict_before_the_sweep_has_been_there(boss_client: Client, exam: Exam) -> None:
    running(exam, expires_at=timezone.now() - timedelta(minutes=1))
    found = overview(boss_client)
    assert len(cells(found, "verdict")) == 1
    assert cells(found, "running") == []


def test_timed_and_practice_exams_wait_for_no_verdict(boss_client: Client) -> None:
    for exam_type in ("timed", "practice"):
        AttemptFactory(exam=ExamFactory(exam_type=exam_type), status=Status.SUBMITTED)
    assert cells(overview(boss_client), "verdict") == []


def test_error_that_was_resumed_is_shown_among_what_waits_for_a_verdict(boss_client: Client, exam: Exam) -> None:
    broken = AttemptFactory(exam=exam, status=Status.ERROR)
    AttemptFactory(exam=exam, user=broken.user, number=2, status=Status.VERIFIED, resumed_from=broken)
    (row,) = cells(overview(boss_client), "verdict")
    assert str(broken.user) in row[0]
    assert row[-1] == "Error"


def test_errors_lead_to_the_resume(boss_client: Client, exam: Exam) -> None:
    waiting = AttemptFactory(exam=exam, status=Status.ERROR)
    AttemptFactory(exam=exam, status=Status.ERROR, retry_kind="resume")
    followed = AttemptFactory(exam=exam, status=Status.ERROR)
    AttemptFactory(exam=exam, user=followed.user, number=2, status=Status.SUBMITTED)
    (row,) = cells(overview(boss_client), "resume")
    assert reverse("admin:proctoring_attempt_step", args=(waiting.pk, "authorize_resume")) in row[-1]


def test_second_reviews_and_blocked_onboarding_have_their_sections(boss_client: Client, exam: Exam) -> None:
    AttemptFactory(exam=exam, status=Status.SECOND_REVIEW_REQUIRED)
    AttemptFactory(exam=exam, status=Status.ONBOARDING_PENDING)
    found = overview(boss_client)
    assert len(cells(found, "second_review")) == 1
    assert cells(found, "onboarding")[0][2] == "Onboarding pending"


def test_what_is_owed_is_shown_by_receiver_and_with_whose_it_is(boss_client: Client, attempt: Attempt) -> None:
    make_delivery(attempt, DeliveryStatus.DUE)
    make_delivery(attempt, DeliveryStatus.GIVEN_UP)
    make_delivery(attempt, DeliveryStatus.DONE)
    circuit = make_circuit()
    response = boss_client.get(PAGE)
    found = response.context["overview"]
    receivers = {row[0]: row[1:] for row in cells(found, "receivers")}
    assert receivers["rest"] == ["Calls go out", "1", "0", "1"]
    assert receivers[circuit.backend][0].startswith("Calls wait until")
    assert all(str(attempt.user) in row[1] for row in cells(found, "owed"))
    assert HOSTILE not in response.content.decode()


def test_delivery_about_an_exam_names_the_exam(boss_client: Client, exam: Exam) -> None:
    Delivery.objects.create(
        operation=Operation.REGISTER_EXAM,
        target=DeliveryTarget.EXAM,
        target_id=exam.pk,
        key="register",
        backend="rest",
        next_try_at=timezone.now(),
    )
    assert cells(overview(boss_client), "owed")[0][1] == "Final"


def test_sections_show_ten_rows_and_link_to_all_of_them(boss_client: Client, exam: Exam) -> None:
    for _ in range(11):
        AttemptFactory(exam=exam, status=Status.SECOND_REVIEW_REQUIRED)
    table = next(table for table in overview(boss_client).tables if table.name == "second_review")
    assert (len(table.rows), table.count) == (10, "11")
    link = re.search('href="([^"]+)"', str(table.more))
    assert link
    assert boss_client.get(link[1].replace("&amp;", "&")).context["cl"].result_count == 11


def test_empty_course_is_told_what_will_be_here(boss_client: Client) -> None:
    response = boss_client.get(PAGE)
    assert response.context["overview"].is_quiet
    page = response.content.decode()
    assert "Nothing is going on" in page
    assert reverse("admin:proctoring_exam_add") in page


def test_role_is_not_told_to_add_exams_without_the_right(as_person: Callable[..., Client], exam: Exam) -> None:
    page = as_person("reviewer-of-algebra").get(PAGE).content.decode()
    assert "Nothing is going on" in page
    assert reverse("admin:proctoring_exam_add") not in page


@pytest.mark.parametrize("role", ["staff", "invigilator", "reviewer"])
def test_overview_is_of_ones_own_courses(as_person: Callable[..., Client], exam: Exam, role: str) -> None:
    other = ExamFactory(course_id="botany", name="Mosses", exam_type="proctored")
    for status in Status.values:
        AttemptFactory(exam=exam, status=status)
        make_delivery(AttemptFactory(exam=other, status=status))
    Attempt.objects.filter(status__in=OPEN).update(expires_at=timezone.now() + timedelta(hours=1))
    person = as_person(f"{role}-of-algebra")
    for query in ({}, {"course": "botany"}, {"course": "\x00"}):
        page = person.get(PAGE, query).content.decode()
        assert "Mosses" not in page
        assert page.count("botany") == 0
        assert "Final" in page
    assert (f"{PAGE}attempt/" in page) is True
    assert ("do/authorize_resume" in page) is (role == "staff")


@pytest.mark.django_db
def test_who_has_several_courses_chooses_among_them(settings: Any) -> None:
    lms = scripted(settings)
    user = UserFactory(is_staff=True)
    lms.roles = {(user.pk, "algebra", Role.STAFF), (user.pk, "botany", Role.REVIEWER)}
    for course_id in ("algebra", "botany", "chemistry"):
        AttemptFactory(exam=ExamFactory(course_id=course_id, exam_type="proctored"), status=Status.SUBMITTED)
    client = Client()
    client.force_login(user)
    everything = overview(client)
    assert everything.courses == ["algebra", "botany"]
    assert sorted(row[1].split(" (")[1] for row in cells(everything, "verdict")) == ["algebra)", "botany)"]
    assert len(cells(overview(client, course="botany"), "verdict")) == 1
    foreign = overview(client, course="chemistry")
    assert cells(foreign, "verdict") == []
    assert foreign.courses == ["algebra", "botany"]


def test_nobody_is_offered_a_resume_of_their_own(as_person: Callable[..., Client], exam: Exam) -> None:
    staff = as_person("staff-of-algebra")
    AttemptFactory(exam=exam, status=Status.ERROR, user=User.objects.get(username="staff-of-algebra"))
    assert cells(overview(staff), "resume")[0][-1] == ""


def test_who_has_no_role_sees_no_overview(as_person: Callable[..., Client], exam: Exam) -> None:
    nobody = as_person("somebody")
    assert nobody.get(PAGE).status_code == 404
    user = User.objects.get(username="somebody")
    user.user_permissions.add(Permission.objects.get(codename="view_delivery"))
    page = nobody.get(PAGE)
    assert page.status_code == 200
    assert page.context["overview"] is None
    assert "Running now" not in page.content.decode()


# The day


@pytest.mark.parametrize(("month", "day", "hours"), [(3, 29, 23), (10, 25, 25), (6, 1, 24)])
def test_day_of_the_chart_is_the_one_of_the_person_who_looks(month: int, day: int, hours: int) -> None:
    with timezone.override(ZoneInfo("Europe/Berlin")):
        bounds = hours_of_day(datetime(2026, month, day, 10, tzinfo=UTC))
        assert len(bounds) == hours + 1
        assert all(timezone.localtime(one).minute == 0 for one in bounds)
        assert (timezone.localtime(bounds[0]).hour, timezone.localtime(bounds[-1]).hour) == (0, 0)


@pytest.mark.django_db
def test_chart_counts_by_the_hour_and_not_what_was_yesterday() -> None:
    exam, noon = ExamFactory(), datetime(2026, 6, 1, 12, 30, tzinfo=UTC)
    AttemptFactory(exam=exam, started_at=noon, ended_at=noon + timedelta(hours=1))
    AttemptFactory(exam=exam, started_at=noon - timedelta(days=1), ended_at=noon)
    AttemptFactory(exam=exam, started_at=noon - timedelta(days=2), ended_at=noon - timedelta(days=1))
    with timezone.override(ZoneInfo("Asia/Kolkata")):
        chart = chart_of_the_day(Attempt.objects.all(), noon)
    busy = {hour.label: (hour.started, hour.ended) for hour in chart.hours if hour.started or hour.ended}
    assert busy == {"18": (1, 1), "19": (0, 1)}
    assert chart.sentence == "1 started, 2 ended."


@pytest.mark.django_db
def test_chart_is_drawn_without_inline_style_and_said_in_a_table(boss_client: Client, exam: Exam) -> None:
    running(exam)
    page = boss_client.get(PAGE).content.decode()
    assert '<svg class="p-chart"' in page
    assert "The same as a table" in page
    assert not re.findall(r"<script(?![^>]*\ssrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=", page)


# What it costs

MANY = 10_000


def fill(exam: Exam) -> None:
    """Attempts in every status, of as many people, and as many deliveries about them."""
    people = User.objects.bulk_create([User(username=f"p{number}") for number in range(MANY)])
    now, statuses = timezone.now(), Status.values
    rows = []
    for number, user in enumerate(people):
        status = statuses[number % len(statuses)]
        rows.append(
            Attempt(
                exam=exam,
                user=user,
                number=1,
                backend="rest",
                status=status,
                open_slot=1 if status in OPEN else None,
                started_at=now - timedelta(minutes=number % 600),
                ended_at=None if status in OPEN else now - timedelta(minutes=number % 300),
                expires_at=now + timedelta(minutes=1 + number % 50),
            )
        )
    attempts = Attempt.objects.bulk_create(rows, batch_size=500)
    owed = (DeliveryStatus.DUE, DeliveryStatus.FAILED, DeliveryStatus.GIVEN_UP)
    Delivery.objects.bulk_create(
        [
            Delivery(
                operation=Operation.REPORT_STARTED,
                target=DeliveryTarget.ATTEMPT,
                target_id=attempt.pk,
                key=f"k{attempt.pk}",
                backend=f"vendor-{attempt.pk % 3}",
                status=owed[attempt.pk % 3],
                next_try_at=now,
            )
            for attempt in attempts
        ],
        batch_size=500,
    )


def statements(client: Client, address: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return sum(bool(STATEMENT.match(query["sql"])) for query in captured.captured_queries)


@pytest.mark.long
def test_ten_thousand_attempts_cost_what_a_few_cost(settings: Any, boss_client: Client, exam: Exam) -> None:
    lms = scripted(settings)
    user = UserFactory(is_staff=True)
    lms.roles = {(user.pk, "algebra", Role.STAFF)}
    staff = Client()
    staff.force_login(user)
    running(exam)
    lists = f"{PAGE}attempt/"
    addresses = (PAGE, lists, f"{lists}?waits_for=verdict", f"{lists}?waits_for=running", f"{lists}?q=p1")
    before = [(statements(boss_client, one), statements(staff, one)) for one in addresses]
    fill(exam)
    after = [(statements(boss_client, one), statements(staff, one)) for one in addresses]
    # The overview costs one more once something is owed by receivers that have a connection, and never more than this.
    assert after == before
    assert max(after[0]) <= 15
    assert max(max(pair) for pair in after[1:]) <= 10
    found = overview(staff)
    assert {table.count for table in found.tables if table.count} == {"100+"}
    assert all(len(table.rows) <= 10 for table in found.tables)
