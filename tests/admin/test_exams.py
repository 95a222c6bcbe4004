"""Exams are added and changed through the services, whatever the form sends."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from proctoring.admin.exams import ExamForm
from proctoring.attempts import schedule
from proctoring.attempts.models import Attempt
from proctoring.errors import Conflict
from proctoring.exams.models import Exam
from proctoring.exams.services import EDITABLE
from proctoring.outbox.models import Delivery, Operation

ADD = "admin:proctoring_exam_add"


def fields(**changes: Any) -> dict[str, Any]:
    given = {
        "course_id": "algebra",
        "content_id": "block-new",
        "name": "Midterm",
        "exam_type": "proctored",
        "status": "active",
        "time_limit_minutes": "90",
        "opens_at_0": "",
        "opens_at_1": "",
        "due_at_0": "2030-05-01",
        "due_at_1": "12:00:00",
        "accommodations_past_due": "on",
        "backend": "",
        "rules": '{"allow_notes": true}',
        "review_policy": "",
        "heartbeat_seconds": "30",
        "outage_policy": "off",
        "outage_cap_minutes": "15",
    }
    return {**given, **changes}


def of(exam: Exam, **changes: Any) -> dict[str, Any]:
    due = {"due_at_0": "", "due_at_1": ""}
    if exam.due_at is not None:
        due = {"due_at_0": exam.due_at.strftime("%Y-%m-%d"), "due_at_1": exam.due_at.strftime("%H:%M:%S")}
    return fields(**{"name": exam.name, "time_limit_minutes": exam.time_limit_minutes, "rules": "{}", **due, **changes})


def address(exam: Exam) -> str:
    return reverse("admin:proctoring_exam_change", args=(exam.pk,))


def errors(response: Any) -> str:
    assert response.status_code == 200
    return str(response.context["adminform"].form.errors)


@pytest.fixture
def vendor_that_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctoring.backends.null.NullBackend.registers_exams", True)


def test_form_knows_every_field_that_may_be_written() -> None:
    assert set(ExamForm.base_fields) == {"course_id", "content_id", *EDITABLE}


@pytest.mark.usefixtures("vendor_that_registers")
def test_exam_is_added_and_promised_to_its_vendor(boss_client: Client, boss: User) -> None:
    assert boss_client.post(reverse(ADD), fields()).status_code == 302
    exam = Exam.objects.get()
    assert (exam.name, exam.rules, exam.due_at) == (
        "Midterm",
        {"allow_notes": True},
        datetime(2030, 5, 1, 12, tzinfo=UTC),
    )
    assert [row.history_user for row in exam.history.all()] == [boss]
    assert Delivery.objects.filter(operation=Operation.REGISTER_EXAM, target_id=exam.pk).count() == 1


def test_second_exam_for_the_same_content_is_a_form_error(boss_client: Client, exam: Exam) -> None:
    response = boss_client.post(reverse(ADD), fields(content_id=exam.content_id))
    assert "already exists" in errors(response)
    assert Exam.objects.count() == 1


def test_exam_that_somebody_else_adds_meanwhile_is_a_form_error(
    boss_client: Client, boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(*_: Any, **__: Any) -> None:
        raise Conflict("This course has an exam for this content already.", code="exam_exists")

    monkeypatch.setattr("proctoring.admin.exams.create_exam", taken)
    assert "has an exam for this content already" in errors(boss_client.post(reverse(ADD), fields()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"time_limit_minutes": "0"}, "greater than or equal to 1"),
        ({"heartbeat_seconds": "31"}, "even number above 10"),
        ({"opens_at_0": "2031-01-01", "opens_at_1": "10:00"}, "Must be after the exam opens."),
        ({"backend": "nobody"}, "nobody"),
        ({"rules": "[1]"}, "Must be an object."),
        ({"rules": "{"}, "Must be valid JSON."),
        ({"rules": '{"a": NaN}'}, "Must be valid JSON."),
        ({"rules": "1" * 5000}, "Must be valid JSON."),
        ({"rules": "[" * 100_000}, "Must be valid JSON."),
        ({"review_policy": "x" * 10_001}, "at most 10000 characters"),
    ],
)
def test_wrong_values_are_form_errors(boss_client: Client, changes: dict[str, str], words: str) -> None:
    assert words in errors(boss_client.post(reverse(ADD), fields(**changes)))
    assert not Exam.objects.exists()


@pytest.mark.usefixtures("vendor_that_registers")
def test_change_goes_through_the_service(boss_client: Client, exam: Exam) -> None:
    promised, versions = Delivery.objects.count(), exam.history.count()
    assert boss_client.post(address(exam), of(exam, name="Final, room 2")).status_code == 302
    exam.refresh_from_db()
    assert exam.name == "Final, room 2"
    assert exam.history.count() == versions + 1
    assert Delivery.objects.count() == promised + 1


def test_saving_without_a_change_writes_nothing(boss_client: Client, exam: Exam) -> None:
    promised, versions = Delivery.objects.count(), exam.history.count()
    assert boss_client.post(address(exam), of(exam)).status_code == 302
    assert (Delivery.objects.count(), exam.history.count()) == (promised, versions)


def test_other_due_date_moves_open_deadlines(boss_client: Client, exam: Exam, attempt: Attempt) -> None:
    due = (timezone.now() + timedelta(minutes=20)).replace(microsecond=0)
    changes = {"due_at_0": due.strftime("%Y-%m-%d"), "due_at_1": due.strftime("%H:%M:%S")}
    assert boss_client.post(address(exam), of(exam, **changes)).status_code == 302
    attempt.refresh_from_db()
    assert attempt.expires_at == due


def test_identity_does_not_change(boss_client: Client, exam: Exam) -> None:
    forged = of(exam, course_id="botany", content_id="other", external_id="x", name="Renamed")
    assert boss_client.post(address(exam), forged).status_code == 302
    before = exam.course_id, exam.content_id, exam.external_id
    exam.refresh_from_db()
    assert (exam.course_id, exam.content_id, exam.external_id) == before
    assert exam.name == "Renamed"


def test_what_changed_elsewhere_is_not_written_back(
    boss_client: Client, exam: Exam, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = schedule.change_exam

    def late(stored: Exam, changes: dict[str, Any], **given: Any) -> Exam:
        assert changes == {"name": "Renamed"}
        return real(stored, changes, **given)

    monkeypatch.setattr("proctoring.admin.exams.change_exam", late)
    assert boss_client.post(address(exam), of(exam, name="Renamed")).status_code == 302


def test_vendor_that_is_no_longer_configured_can_be_seen(boss_client: Client, exam: Exam) -> None:
    Exam.objects.filter(pk=exam.pk).update(backend="bankrupt")
    assert b'<option value="bankrupt" selected>' in boss_client.get(address(exam)).content


def test_dates_have_a_label_for_each_input(boss_client: Client, exam: Exam) -> None:
    content = boss_client.get(address(exam)).content.decode()
    for label in ("Opens at, date", "Opens at, time", "Due at, date", "Due at, time"):
        assert f'aria-label="{label}"' in content


def test_staff_add_exams_to_their_own_course_alone(as_person: Callable[..., Client]) -> None:
    staff = as_person("staff-of-botany")
    assert "not staff of this course" in errors(staff.post(reverse(ADD), fields()))
    assert staff.post(reverse(ADD), fields(course_id="botany")).status_code == 302
    assert [exam.course_id for exam in Exam.objects.all()] == ["botany"]


@pytest.mark.parametrize("role", ["reviewer", "invigilator"])
def test_other_roles_write_no_exams(as_person: Callable[..., Client], exam: Exam, role: str) -> None:
    person = as_person(f"{role}-of-algebra")
    assert person.post(reverse(ADD), fields()).status_code == 403
    assert person.post(address(exam), of(exam, name="Mine")).status_code in (302, 403)
    exam.refresh_from_db()
    assert exam.name == "Final"
