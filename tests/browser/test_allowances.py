"""Course staff grant, change and withdraw time in the admin, one by one and with a table."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone
from playwright.sync_api import Page, expect

from proctoring.host import Role
from tests.factories import AllowanceFactory, AttemptFactory, ExamFactory, UserFactory
from tests.hosts import scripted

from .conftest import Inspector

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

COURSE = "course-v1:Meteorology+Weather-and-Climate+2026"


@pytest.fixture
def site(settings: Any, live_server: Any) -> str:
    """The admin under a strict policy, with one candidate at work."""
    settings.MIDDLEWARE = ["demo.lms.middleware.ContentSecurityPolicy", *settings.MIDDLEWARE]
    teacher = get_user_model().objects.create_user("teacher", password="teacher", is_staff=True)
    scripted(settings).roles.add((teacher.pk, COURSE, Role.STAFF))
    now = timezone.now()
    exam = ExamFactory(course_id=COURSE, content_id="block-final", name="Final exam: reading the weather")
    times = {"started_at": now, "expires_at": now + timedelta(hours=1)}
    AttemptFactory(exam=exam, user=UserFactory(username="runner"), status="started", **times)
    AllowanceFactory(course_id=COURSE, user__username="earlier", kind="policy_exception", note="A dictionary. " * 10)
    AllowanceFactory(course_id=COURSE, user__username="bothered", kind="exemption", exemptions=[1002, 1003])
    return f"{live_server.url}/admin/"


def enter(page: Page, site: str) -> None:
    page.goto(f"{site}login/?next=/admin/proctoring/allowance/")
    page.get_by_label("Username").fill("teacher")
    page.get_by_label("Password").fill("teacher")
    page.get_by_role("button", name="Log in").click()


def test_staff_grant_change_and_withdraw(watched: Page, inspector: Inspector, site: str) -> None:
    page = watched
    enter(page, site)
    inspector.look(page, "allowances")
    page.get_by_role("link", name="Add allowance").click()
    inspector.look(page, "allowance-add")
    page.get_by_label("Person").fill("nobody")
    page.get_by_label("Kind").select_option("extra_minutes")
    page.get_by_label("Minutes").fill("15")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("There is no such account.")).to_be_visible()
    inspector.look(page, "allowance-refused")
    page.get_by_label("Person").fill("runner")
    page.get_by_role("combobox", name="Exam:").fill("block-final")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.get_by_text("was added successfully")).to_be_visible()
    page.get_by_role("link", name="runner").click()
    inspector.look(page, "allowance-change")
    page.get_by_label("Minutes").fill("20")
    page.get_by_role("button", name="Save", exact=True).click()
    page.get_by_role("link", name="runner").click()
    page.get_by_role("link", name="History").click()
    inspector.look(page, "allowance-history")
    page.go_back()
    page.get_by_role("link", name="Delete").click()
    inspector.look(page, "allowance-withdraw")
    page.get_by_role("button", name="Withdraw").click()
    expect(page.get_by_role("link", name="runner")).to_have_count(0)


def test_staff_upload_a_table(watched: Page, inspector: Inspector, site: str) -> None:
    page = watched
    enter(page, site)
    page.get_by_role("link", name="Upload CSV").click()
    inspector.look(page, "upload")
    table = "user;exam;kind;minutes;multiplier\nrunner;block-final;time_multiplier;;1,25\nnobody;;extra_minutes;10;\n"
    page.get_by_label("File").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": table.encode()})
    page.get_by_role("button", name="Show what would come of it").click()
    expect(page.get_by_text("There is no such account.")).to_be_visible()
    inspector.look(page, "upload-preview")
    page.get_by_role("button", name="Grant these").click()
    expect(page.get_by_role("heading", name="What came of it")).to_be_visible()
    inspector.look(page, "upload-done")
    page.get_by_role("link", name="Show all allowances").click()
    expect(page.get_by_role("link", name="runner")).to_be_visible()
