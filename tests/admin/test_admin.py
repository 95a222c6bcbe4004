"""What holds for all pages of the admin: what is there, who may see it, that nothing is deleted, what a list costs."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from proctoring import models
from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam

from .conftest import (
    HOSTILE,
    make_booking,
    make_circuit,
    make_delivery,
    make_entry,
    make_event,
    make_message,
    make_review,
    numbers,
    rows_of_a_course,
)

WITHOUT_A_PAGE = {
    "BookingPlan": "shown inside its bookings",
    "BulkItem": "shown inside its bulk action",
    "Command": "shown inside its attempt",
    "EvidenceCopy": "shown behind its attempt",
    "IdempotencyRecord": "nobody's business but the API's",
    "LiveSession": "shown inside its booking",
    "Presence": "shown inside its attempt",
    "Pseudonym": "whoever could look them up could undo them",
    "Rating": "shown inside its attempt",
    "ReviewComment": "shown inside its review",
    "Seal": "shown behind its attempt",
    "SeenAddress": "shown inside its attempt",
    "SweepCursor": "where a sweep stands",
    "TimeEntry": "shown inside its attempt",
    "VideoView": "shown inside its review",
}

REGISTERED = sorted(
    model._meta.model_name or "" for model in admin.site._registry if model._meta.app_label == "proctoring"
)
OF_COURSES = ["attempt", "booking", "exam", "review"]
OF_ALL_COURSES = ["circuit", "delivery", "webhookmessage"]
WRITTEN = {"allowance", "booking", "exam", "legalhold"}
"""What can be added, or changed, in a form."""
DELETED = {"allowance"}
"""What can be taken back altogether; its history stays."""


@pytest.fixture
def rows(attempt: Attempt) -> dict[str, Any]:
    """One row of each model that has a page, of the course algebra where it has a course."""
    booking = make_booking(attempt.exam, attempt.user, external_id="b-1", last_error=HOSTILE)
    given = {
        "attempt": attempt,
        "booking": booking,
        "bookinglogentry": make_entry(booking),
        "circuit": make_circuit(),
        "delivery": make_delivery(attempt),
        "event": make_event(attempt),
        "exam": attempt.exam,
        "review": make_review(attempt),
        "webhookmessage": make_message(),
    }
    return {**{name: row for name, row in rows_of_a_course("geology", "Geology").items() if name not in given}, **given}


def url(model: str, page: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:proctoring_{model}_{page}", args=args)


def test_every_model_has_a_page_or_a_reason_not_to() -> None:
    registered = {model.__name__ for model in admin.site._registry if model._meta.app_label == "proctoring"}
    assert registered == set(models.__all__) - set(WITHOUT_A_PAGE)


@pytest.mark.long
@pytest.mark.parametrize("model", REGISTERED)
def test_superuser_reads_lists_and_pages(boss_client: Client, rows: dict[str, Any], model: str) -> None:
    assert boss_client.get(url(model)).status_code == 200
    assert boss_client.get(url(model, "change", rows[model].pk)).status_code == 200
    assert boss_client.get(url(model, "history", rows[model].pk)).status_code == 200


@pytest.mark.parametrize("model", sorted(set(REGISTERED) - DELETED))
def test_nothing_can_be_deleted(boss_client: Client, rows: dict[str, Any], model: str) -> None:
    row = rows[model]
    assert boss_client.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    boss_client.post(url(model), {"action": "delete_selected", ACTION_CHECKBOX_NAME: [row.pk], "post": "yes"})
    assert type(row).objects.filter(pk=row.pk).exists()
    assert b"delete_selected" not in boss_client.get(url(model)).content
    assert b"deletelink" not in boss_client.get(url(model, "change", row.pk)).content


@pytest.mark.parametrize("model", sorted(set(REGISTERED) - WRITTEN))
def test_what_is_not_written_here_cannot_be_added(boss_client: Client, rows: dict[str, Any], model: str) -> None:
    assert boss_client.get(url(model, "add")).status_code == 403
    assert boss_client.post(url(model, "add"), {}).status_code == 403


@pytest.mark.parametrize("model", sorted(set(REGISTERED) - WRITTEN))
def test_what_is_only_read_cannot_be_posted(boss_client: Client, rows: dict[str, Any], model: str) -> None:
    before = type(rows[model]).objects.filter(pk=rows[model].pk).values().get()
    assert boss_client.post(url(model, "change", rows[model].pk), {"status": "done"}).status_code == 403
    assert type(rows[model]).objects.filter(pk=rows[model].pk).values().get() == before


@pytest.mark.parametrize("model", OF_COURSES)
def test_own_course_is_seen(as_person: Callable[..., Client], rows: dict[str, Any], model: str) -> None:
    staff = as_person("staff-of-algebra")
    assert staff.get(url(model)).context["cl"].result_count == 1
    assert staff.get(url(model, "change", rows[model].pk)).status_code == 200
    assert staff.get(url(model, "history", rows[model].pk)).status_code == 200


@pytest.mark.parametrize("model", OF_COURSES)
def test_another_courses_staff_sees_nothing(as_person: Callable[..., Client], rows: dict[str, Any], model: str) -> None:
    stranger, row = as_person("staff-of-botany"), rows[model]
    assert stranger.get(url(model)).context["cl"].result_count == 0
    assert stranger.get(url(model, "change", row.pk)).status_code in (302, 403, 404)
    assert stranger.post(url(model, "change", row.pk), {"status": "voided", "reason": "x"}).status_code in (302, 403)
    assert stranger.get(url(model, "history", row.pk)).status_code == 404
    version = row.history.first().pk
    assert stranger.get(url(model, "simple_history", row.pk, version)).status_code == 404
    assert row.history.count() == type(row).objects.get(pk=row.pk).history.count()


@pytest.mark.parametrize("model", REGISTERED)
def test_staff_account_without_a_role_may_open_nothing(
    as_person: Callable[..., Client], rows: dict[str, Any], model: str
) -> None:
    nobody = as_person("somebody")
    assert nobody.get(url(model)).status_code == 403
    assert nobody.get(url(model, "change", rows[model].pk)).status_code in (302, 403)
    assert b"proctoring" not in nobody.get(reverse("admin:index")).content


@pytest.mark.parametrize("model", OF_COURSES)
def test_djangos_model_permissions_open_no_course(
    as_person: Callable[..., Client], rows: dict[str, Any], model: str
) -> None:
    person = as_person("somebody")
    user = User.objects.get(username="somebody")
    user.user_permissions.add(*Permission.objects.filter(codename__in=[f"view_{model}", f"change_{model}"]))
    assert person.get(url(model)).status_code == 403


@pytest.mark.parametrize("model", REGISTERED)
def test_role_without_a_staff_account_may_open_nothing(
    as_person: Callable[..., Client], rows: dict[str, Any], model: str
) -> None:
    assert as_person("staff-of-algebra", is_staff=False).get(url(model)).status_code == 302


@pytest.mark.parametrize("model", OF_ALL_COURSES)
def test_what_concerns_all_courses_needs_djangos_permission(
    as_person: Callable[..., Client], rows: dict[str, Any], model: str
) -> None:
    staff = as_person("staff-of-algebra")
    assert staff.get(url(model)).status_code == 403
    User.objects.get(username="staff-of-algebra").user_permissions.add(Permission.objects.get(codename=f"view_{model}"))
    assert staff.get(url(model)).status_code == 200
    assert staff.get(url(model, "change", rows[model].pk)).status_code == 200


@pytest.mark.parametrize(("role", "sees_exams"), [("reviewer", False), ("invigilator", False), ("staff", True)])
def test_exams_are_for_course_staff_and_attempts_for_every_role(
    as_person: Callable[..., Client], rows: dict[str, Any], role: str, sees_exams: bool
) -> None:
    person = as_person(f"{role}-of-algebra")
    assert (person.get(url("exam")).status_code == 200) is sees_exams
    assert person.get(url("attempt", "change", rows["attempt"].pk)).status_code == 200
    assert person.get(url("review", "change", rows["review"].pk)).status_code == 200


@pytest.mark.parametrize("model", REGISTERED)
def test_vendors_text_is_never_markup_nor_a_link(boss_client: Client, rows: dict[str, Any], model: str) -> None:
    for address in (url(model), url(model, "change", rows[model].pk), url(model, "history", rows[model].pk)):
        content = boss_client.get(address).content.decode()
        assert "<script>alert" not in content
        assert 'href="https://evil' not in content


@pytest.mark.parametrize("model", ["booking", "bookinglogentry", "delivery", "circuit", "event", "review"])
def test_vendors_text_is_shown_escaped(boss_client: Client, rows: dict[str, Any], model: str) -> None:
    content = boss_client.get(url(model, "change", rows[model].pk)).content.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in content
    assert HOSTILE not in content


# A list of events is of one exam or attempt: see test_events.py.
@pytest.mark.long
@pytest.mark.parametrize("model", sorted(set(REGISTERED) - {"event"}))
def test_a_list_costs_the_same_at_any_length(
    boss_client: Client,
    make_exam: Callable[..., Exam],
    make_attempt: Callable[..., Attempt],
    model: str,
) -> None:
    def fill(count: int) -> None:
        for _ in range(count):
            rows_of_a_course("geology", f"G{next(numbers)}")
            attempt = make_attempt(exam=make_exam())
            make_review(attempt)
            make_delivery(attempt)
            make_message()
            make_circuit()

    def cost() -> tuple[int, int]:
        with CaptureQueriesContext(
            connection,
        ) as queries:
            response = boss_client.get(url(model))
        return response.context["cl"].result_count, len(queries)

    boss_client.get(url(model))
    fill(3)
    few, before = cost()
    fill(57)
    many, after = cost()
    assert few >= 3
    assert many >= 60
    assert after == before


@pytest.mark.parametrize("model", ["exam", "attempt", "booking", "review"])
def test_a_history_costs_the_same_at_any_length(boss_client: Client, rows: dict[str, Any], model: str) -> None:
    row = rows[model]

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert boss_client.get(url(model, "history", row.pk)).status_code == 200
        return len(queries)

    def age(count: int) -> None:
        user = User.objects.get(username="boss")
        for _ in range(count):
            row._history_user, row._change_reason = user, "because"
            row.save()

    age(3)
    cost()
    before = cost()
    age(40)
    assert cost() == before


@pytest.mark.parametrize("model", OF_COURSES)
@pytest.mark.parametrize("pages", [("history",), ("simple_history", "1")])
@pytest.mark.parametrize("pk", ["none", "0", "99999999999999999999999999"])
def test_history_of_what_does_not_exist_is_not_found(
    boss_client: Client, rows: dict[str, Any], model: str, pages: tuple[str, ...], pk: str
) -> None:
    assert boss_client.get(url(model, pages[0], pk, *pages[1:])).status_code == 404


@pytest.mark.parametrize("model", OF_COURSES)
@pytest.mark.parametrize("settings_of_history", [{}, {"SIMPLE_HISTORY_REVERT_DISABLED": False}])
def test_history_is_read_and_never_reverted(
    boss_client: Client, rows: dict[str, Any], settings: Any, model: str, settings_of_history: dict[str, Any]
) -> None:
    for name, value in settings_of_history.items():
        setattr(settings, name, value)
    row = rows[model]
    version = url(model, "simple_history", row.pk, row.history.first().pk)
    shown = boss_client.get(version)
    assert shown.status_code == 200
    assert b"_save" not in shown.content
    assert b"<select" not in shown.content
    before = row.history.count()
    for button in ("_save", "_change_history"):
        answer = boss_client.post(
            version, {button: "1", "status": "verified", "initial-status": "started", "reason": "x"}
        )
        assert answer.status_code == 403
    assert row.history.count() == before


def test_history_can_be_edited_by_no_setting(
    boss_client: Client, rows: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simple_history.admin.SIMPLE_HISTORY_EDIT", True)
    row = rows["exam"]
    version = url("exam", "simple_history", row.pk, row.history.first().pk)
    assert b"_change_history" not in boss_client.get(version).content
    assert boss_client.post(version, {"_change_history": "1", "name": "Other"}).status_code == 403


@pytest.mark.parametrize("model", REGISTERED)
def test_pages_need_no_inline_script_or_style(boss_client: Client, rows: dict[str, Any], model: str) -> None:
    pages = [url(model), url(model, "change", rows[model].pk), url(model, "history", rows[model].pk)]
    if model in OF_COURSES:
        pages.append(url(model, "simple_history", rows[model].pk, rows[model].history.first().pk))
    if model == "attempt":
        pages += [url(model, "step", rows[model].pk, step) for step in ("extend", "reset", "correct_time")]
    if model == "booking":
        pages += [url(model, "add"), *(url(model, "step", rows[model].pk, step) for step in ("cancel", "change_draft"))]
    for address in pages:
        content = boss_client.get(address).content.decode()
        assert not re.findall(r"<script(?![^>]*\ssrc=)[^>]*>|<style|\sstyle=|\son[a-z]+=", content)


def test_candidates_secrets_can_be_neither_read_nor_guessed(boss_client: Client, rows: dict[str, Any]) -> None:
    attempt = rows["attempt"]
    Attempt.objects.filter(pk=attempt.pk).update(launch_data={"url": "launch-me"})
    attempt.refresh_from_db()
    attempt.save()
    version = attempt.history.first().pk
    for address in (
        url("attempt"),
        url("attempt", "change", attempt.pk),
        url("attempt", "history", attempt.pk),
        url("attempt", "simple_history", attempt.pk, version),
    ):
        content = boss_client.get(address).content.decode()
        assert attempt.code not in content
        assert "launch-me" not in content
    for lookup in ("code__startswith", "launch_data__contains", "user__password__startswith"):
        assert boss_client.get(url("attempt"), {lookup: "a"}).status_code in (302, 400)
