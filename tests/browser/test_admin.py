"""Course staff at work in the admin: from the overview to an attempt and its steps, then a reviewer's verdict."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from playwright.sync_api import Page, expect

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.host import Role
from proctoring.outbox.models import Circuit, DeliveryStatus
from proctoring.reviews.models import Review, ReviewComment
from tests.factories import AttemptFactory, DeliveryFactory, ExamFactory, UserFactory
from tests.hosts import scripted

from .conftest import PHONE, Inspector

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

COURSE = "course-v1:Meteorology+Weather-and-Climate+2026"
DESK = {"width": 1280, "height": 900}


@pytest.fixture
def site(settings: Any, live_server: Any) -> str:
    """The admin under a strict policy, with attempts in every situation."""
    settings.MIDDLEWARE = ["demo.lms.middleware.ContentSecurityPolicy", *settings.MIDDLEWARE]
    lms = scripted(settings)
    for name, role in (("teacher", Role.STAFF), ("judge", Role.REVIEWER)):
        person = get_user_model().objects.create_user(name, password=name, is_staff=True)
        lms.roles.add((person.pk, COURSE, role))
    fill()
    return f"{live_server.url}/admin/"


def fill() -> None:
    now = timezone.now()
    exam = ExamFactory(course_id=COURSE, name="Final exam: reading the weather", exam_type="proctored")
    soon = {"expires_at": now + timedelta(minutes=25), "started_at": now - timedelta(minutes=35), "total_seconds": 3600}
    running = AttemptFactory(exam=exam, user=UserFactory(username="runner"), status=Status.STARTED, **soon)
    AttemptFactory(exam=exam, status=Status.PAUSED, started_at=now, paused_at=now)
    AttemptFactory(
        exam=exam, user=UserFactory(username="unlucky"), status=Status.ERROR, ended_at=now - timedelta(hours=3)
    )
    waiting = AttemptFactory(
        exam=exam, user=UserFactory(username="finished"), status=Status.SUBMITTED, ended_at=now - timedelta(days=2)
    )
    for number in range(12):
        ended = now - timedelta(hours=number)
        AttemptFactory(exam=exam, status=Status.SUBMITTED, started_at=ended - timedelta(hours=1), ended_at=ended)
    AttemptFactory(exam=exam, status=Status.ONBOARDING_PENDING)
    AttemptFactory(exam=exam, status=Status.SECOND_REVIEW_REQUIRED)
    review = Review.objects.create(
        attempt=waiting, status="suspicious", payload={}, occurred_at=now, received_at=now, reviewed_by="Vendor’s Vera"
    )
    ReviewComment.objects.create(review=review, start_seconds=30, stop_seconds=75, text="Looks away. " * 12)
    DeliveryFactory(target_id=running.pk, status=DeliveryStatus.GIVEN_UP, last_error="BackendError: " + "x" * 300)
    Circuit.objects.create(backend="vendor", failures=5, open_until=now + timedelta(hours=1))


def enter(page: Page, site: str, name: str) -> None:
    page.goto(f"{site}login/?next=/admin/proctoring/")
    page.get_by_label("Username").fill(name)
    page.get_by_label("Password").fill(name)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("heading", name="Proctoring administration")).to_be_visible()


def explain(page: Page, comment: str, **fields: str) -> None:
    for label, value in fields.items():
        page.get_by_label(label.title()).fill(value)
    cause = page.get_by_label("Cause")
    if cause.count():
        cause.select_option(label="Technology: network")
    page.get_by_label("Reason").fill(comment)


def section(page: Page, name: str) -> Any:
    return page.get_by_role("region", name=name)


def test_staff_extend_and_authorise_and_a_reviewer_decides(watched: Page, inspector: Inspector, site: str) -> None:
    page = watched
    page.set_viewport_size(DESK)
    enter(page, site, "teacher")
    inspector.look(page, "overview")
    drawn = page.locator(".p-chart").bounding_box()
    assert drawn is not None
    assert drawn["width"] <= PHONE["width"], "the whole day can be seen on a telephone"
    expect(section(page, "Waiting for a verdict").get_by_role("link", name="Show all")).to_be_visible()
    page.get_by_text("The same as a table").click()
    section(page, "Running now").get_by_role("link", name="runner").click()
    inspector.look(page, "attempt")
    page.get_by_role("link", name="Extend …").click()
    inspector.look(page, "extend")
    page.get_by_role("button", name="Extend").click()
    expect(page.get_by_role("alert")).to_be_visible()
    inspector.look(page, "extend-refused")
    explain(page, "The line was down", minutes="15")
    page.get_by_role("button", name="Extend").click()
    expect(page.get_by_text("extended.")).to_be_visible()
    expect(section(page, "Ledger of time")).to_contain_text("Technology: network: The line was down")
    expect(section(page, "What happened")).to_contain_text("teacher")

    page.goto(f"{site}proctoring/")
    section(page, "Errors that wait for a resume").get_by_role("link", name="Authorise a resume …").click()
    explain(page, "Crashed")
    page.get_by_role("button", name="Authorise a resume").click()
    expect(page.get_by_text("a resume is authorised.")).to_be_visible()
    assert Attempt.objects.get(user__username="unlucky").retry_kind == "resume"

    page.get_by_role("button", name="Log out").click()
    enter(page, site, "judge")
    section(page, "Waiting for a verdict").get_by_role("link", name="finished").click()
    inspector.look(page, "attempt-for-a-reviewer")
    expect(page.get_by_role("link", name="Void …")).to_have_count(0)
    page.get_by_role("link", name="Verify …").click()
    explain(page, "Read from paper, which is allowed")
    page.get_by_role("button", name="Verify").click()
    expect(page.get_by_text("“finished, Final exam: reading the weather #1”: verified.")).to_be_visible()
    assert Attempt.objects.get(user__username="finished").status == Status.VERIFIED


def test_list_and_history_fit_a_telephone(watched: Page, inspector: Inspector, site: str) -> None:
    page = watched
    page.set_viewport_size(PHONE)
    enter(page, site, "teacher")
    page.goto(f"{site}proctoring/attempt/?waits_for=verdict")
    inspector.look(page, "list")
    page.goto(f"{site}proctoring/attempt/{Attempt.objects.get(user__username='runner').pk}/history/")
    inspector.look(page, "history")


def test_what_matters_in_a_list_is_seen_without_scrolling(watched: Page, site: str) -> None:
    get_user_model().objects.create_superuser("boss", password="boss")
    late = timezone.now() + timedelta(hours=1)
    DeliveryFactory(next_try_at=late, last_error="BackendError: nobody answered at vendor.example within ten seconds")
    watched.set_viewport_size(DESK)
    enter(watched, site, "boss")
    for model, columns in (
        ("attempt", ("candidate", "status_now", "verdict", "deadline_now")),
        ("delivery", ("what", "status", "next_try", "error")),
    ):
        watched.goto(f"{site}proctoring/{model}/")
        frame = watched.locator("#changelist-form .results").bounding_box()
        assert frame is not None
        for name in columns:
            cell = watched.locator(f"#result_list .field-{name}").first.bounding_box()
            assert cell is not None
            assert cell["x"] + cell["width"] <= frame["x"] + frame["width"], f"{model}: {name}"


def test_overview_of_a_course_where_nothing_happens(
    watched: Page, inspector: Inspector, settings: Any, live_server: Any
) -> None:
    lms = scripted(settings)
    person = get_user_model().objects.create_user("newcomer", password="newcomer", is_staff=True)
    lms.roles |= {(person.pk, COURSE, Role.STAFF), (person.pk, "course-v1:Another+One+2026", Role.STAFF)}
    enter(watched, f"{live_server.url}/admin/", "newcomer")
    expect(watched.get_by_role("heading", name="Nothing is going on")).to_be_visible()
    inspector.look(watched, "overview-empty")
    watched.get_by_label("Course:").select_option(COURSE)
    watched.get_by_role("button", name="Show").click()
    expect(watched.get_by_label("Course:")).to_have_value(COURSE)
