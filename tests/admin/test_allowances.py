"""Allowances in the admin: scoped to one's courses, written by the services, and uploaded as a table."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from proctoring.allowances.models import Allowance
from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam
from tests.admin.conftest import HOSTILE, told
from tests.factories import AllowanceFactory

LIST = "admin:proctoring_allowance_changelist"
ADD = "admin:proctoring_allowance_add"
UPLOAD = "admin:proctoring_allowance_upload"


@pytest.fixture
def staff_client(as_person: Callable[..., Client]) -> Client:
    return as_person("staff-of-algebra")


def fields(attempt: Attempt, **changes: Any) -> dict[str, Any]:
    given = {
        "person": attempt.user.get_username(),
        "course_id": "algebra",
        "content": attempt.exam.content_id,
        "kind": "extra_minutes",
        "minutes": "10",
        "multiplier": "",
        "note": "certificate",
    }
    return {**given, **changes}


def errors(response: Any) -> dict[str, Any]:
    assert response.status_code == 200
    return dict(response.context["adminform"].form.errors)


def page(allowance: Allowance, what: str = "change") -> str:
    return reverse(f"admin:proctoring_allowance_{what}", args=(allowance.pk,))


def table(text: str, course_id: str = "algebra") -> dict[str, Any]:
    return {"course_id": course_id, "file": SimpleUploadedFile("a.csv", text.encode(), content_type="text/csv")}


def text_of(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


class TestForms:
    def test_one_is_granted_and_the_running_attempt_follows(self, staff_client: Client, attempt: Attempt) -> None:
        assert staff_client.post(reverse(ADD), fields(attempt)).status_code == 302
        allowance = Allowance.objects.get()
        assert (allowance.user, allowance.exam, allowance.minutes) == (attempt.user, attempt.exam, 10)
        assert allowance.granted_by is not None
        assert allowance.granted_by.get_username() == "staff-of-algebra"
        assert Attempt.objects.get().total_seconds == 4200

    def test_by_address_and_for_the_whole_course(self, staff_client: Client, attempt: Attempt) -> None:
        get_user_model().objects.filter(pk=attempt.user_id).update(email="ada@example.org")
        body = fields(attempt, person="ADA@example.org", content="", kind="exemption", minutes="", exemptions=["1002"])
        assert staff_client.post(reverse(ADD), body).status_code == 302
        allowance = Allowance.objects.get()
        assert (allowance.exam, allowance.exemptions) == (None, [1002])

    def test_one_that_exists_is_changed_and_that_is_said(self, staff_client: Client, attempt: Attempt) -> None:
        staff_client.post(reverse(ADD), fields(attempt), follow=True)
        answer = staff_client.post(reverse(ADD), fields(attempt, minutes="20"), follow=True)
        already, changed = told(answer)
        assert already == "The person had this allowance already."
        assert "changed successfully" in changed
        assert Allowance.objects.get().minutes == 20

    def test_exams_of_ones_own_courses_are_suggested(
        self, staff_client: Client, make_exam: Callable[..., Exam]
    ) -> None:
        mine = make_exam(name="Mine <b>")
        others, old = make_exam(course_id="botany"), make_exam(status="archived")
        form = staff_client.get(reverse(ADD)).content.decode()
        assert 'list="suggested-content"' in form
        assert f'<option value="{mine.content_id}">Mine &lt;b&gt; (algebra)</option>' in form
        assert others.content_id not in form
        assert old.content_id not in form

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"person": "nobody"}, "person"),
            ({"content": "nothing"}, "content"),
            ({"course_id": "botany"}, "course_id"),
            ({"minutes": ""}, "minutes"),
            ({"minutes": "2000"}, "minutes"),
            ({"multiplier": "1.5"}, "multiplier"),
            ({"kind": "time_multiplier", "minutes": ""}, "multiplier"),
            ({"kind": "holiday"}, "kind"),
            ({"exemptions": ["1"], "minutes": "10"}, "exemptions"),
        ],
        ids=str,
    )
    def test_what_cannot_be_is_said_of_its_field(
        self, staff_client: Client, attempt: Attempt, change: dict[str, Any], field: str
    ) -> None:
        assert list(errors(staff_client.post(reverse(ADD), fields(attempt, **change)))) == [field]
        assert not Allowance.objects.exists()

    def test_a_refusal_of_the_service_is_shown(
        self, as_person: Callable[..., Client], staff_client: Client, attempt: Attempt
    ) -> None:
        answer = staff_client.post(reverse(ADD), fields(attempt, person="staff-of-algebra"))
        assert "nobody grants to themselves" in str(errors(answer))

    def test_it_is_changed(self, staff_client: Client, attempt: Attempt) -> None:
        staff_client.post(reverse(ADD), fields(attempt))
        allowance = Allowance.objects.get()
        body = {"minutes": "25", "note": "certificate"}
        assert staff_client.post(page(allowance), body).status_code == 302
        assert Attempt.objects.get().total_seconds == 5100
        assert "minutes" in errors(staff_client.post(page(allowance), {"minutes": "", "note": ""}))
        assert staff_client.get(page(allowance, "history")).status_code == 200

    def test_it_is_withdrawn_after_a_question(self, staff_client: Client, attempt: Attempt) -> None:
        staff_client.post(reverse(ADD), fields(attempt))
        allowance = Allowance.objects.get()
        assert "Take “+10 min” back" in text_of(staff_client.get(page(allowance, "delete")))
        assert staff_client.post(page(allowance, "delete"), {"post": "yes"}).status_code == 302
        assert not Allowance.objects.exists()
        assert Attempt.objects.get().total_seconds == 3600
        assert Allowance.history.first().history_change_reason == "withdrawn"

    def test_nobody_withdraws_their_own(self, staff_client: Client) -> None:
        mine = AllowanceFactory(user=User.objects.get(username="staff-of-algebra"), course_id="algebra")
        answer = staff_client.post(page(mine, "delete"), {"post": "yes"}, follow=True)
        assert any("nobody grants to themselves" in message for message in told(answer))
        assert Allowance.objects.exists()


class TestWhoMay:
    @pytest.mark.parametrize("name", ["staff-of-botany", "invigilator-of-algebra", "reviewer-of-algebra"])
    def test_others_neither_see_nor_touch_it(self, as_person: Callable[..., Client], exam: Exam, name: str) -> None:
        allowance = AllowanceFactory(course_id="algebra", exam=exam)
        client = as_person(name)
        for what in ("change", "delete", "history"):
            answer = client.get(page(allowance, what))
            assert answer.status_code in (302, 403, 404)
            assert client.post(page(allowance, what), {"post": "yes", "minutes": "60"}).status_code in (302, 403, 404)
        assert Allowance.objects.get().minutes == 10
        if not name.startswith("staff"):
            for url in (LIST, ADD, UPLOAD):
                assert client.get(reverse(url)).status_code == 403

    def test_the_list_holds_ones_own_courses(self, staff_client: Client, exam: Exam) -> None:
        own = AllowanceFactory(course_id="algebra", exam=exam)
        foreign = AllowanceFactory(course_id="botany")
        text = text_of(staff_client.get(reverse(LIST)))
        assert str(own.user) in text
        assert str(foreign.user) not in text
        found = staff_client.get(reverse(LIST), {"q": str(own.user)[:5], "kind__exact": "extra_minutes"})
        assert found.context["cl"].result_count == 1


class TestUpload:
    def upload(self, client: Client, text: str, course_id: str = "algebra") -> Any:
        return client.post(reverse(UPLOAD), table(text, course_id))

    def lines(self, attempt: Attempt) -> str:
        return (
            "user;exam;kind;minutes;multiplier;note\n"
            f"{attempt.user};{attempt.exam.content_id};extra_minutes;10;;certificate\n"
            "nobody;;time_multiplier;;1,25;\n"
            f"{attempt.user};;time_multiplier;;x;\n"
        )

    def test_a_preview_says_what_would_come_of_it_and_does_nothing(
        self, staff_client: Client, attempt: Attempt
    ) -> None:
        answer = self.upload(staff_client, self.lines(attempt))
        text = text_of(answer)
        assert answer.context["summary"] == [("granted", 1), ("updated", 0), ("refused", 2)]
        assert "There is no such account." in text
        assert "multiplier: Must be a number." in text
        before = Attempt.objects.get()
        assert "→" in text
        assert (Allowance.objects.count(), Allowance.history.count()) == (0, 0)
        assert (before.total_seconds, before.time_entries.count()) == (3600, 1)

    def test_what_was_confirmed_is_granted(self, staff_client: Client, attempt: Attempt) -> None:
        shown = self.upload(staff_client, self.lines(attempt))
        answer = staff_client.post(reverse(UPLOAD), {"confirmed": shown.context["confirmed"]})
        assert answer.context["summary"] == [("granted", 1), ("updated", 0), ("refused", 2)]
        assert (Allowance.objects.get().note, Attempt.objects.get().total_seconds) == ("certificate", 4200)
        again = staff_client.post(reverse(UPLOAD), {"confirmed": shown.context["confirmed"]})
        assert again.context["summary"] == [("granted", 0), ("updated", 1), ("refused", 2)]

    def test_a_preview_cannot_be_altered_borrowed_or_kept(
        self, staff_client: Client, as_person: Callable[..., Client], attempt: Attempt
    ) -> None:
        confirmed = self.upload(staff_client, self.lines(attempt)).context["confirmed"]
        altered = staff_client.post(reverse(UPLOAD), {"confirmed": confirmed[:-1] + "x"}, follow=True)
        assert any("too old, or not ours" in message for message in told(altered))
        other = as_person("staff-of-botany").post(reverse(UPLOAD), {"confirmed": confirmed})
        assert other.status_code == 403
        with time_machine.travel(timezone.now() + timedelta(hours=2)):
            late = staff_client.post(reverse(UPLOAD), {"confirmed": confirmed}, follow=True)
        assert any("too old, or not ours" in message for message in told(late))
        assert not Allowance.objects.exists()

    def test_who_is_staff_no_more_confirms_nothing(self, staff_client: Client, attempt: Attempt) -> None:
        confirmed = self.upload(staff_client, self.lines(attempt)).context["confirmed"]
        User.objects.filter(username="staff-of-algebra").update(username="staff-of-botany")
        assert staff_client.post(reverse(UPLOAD), {"confirmed": confirmed}).status_code == 403
        assert not Allowance.objects.exists()

    def test_another_course_is_no_choice(self, staff_client: Client, attempt: Attempt) -> None:
        answer = self.upload(staff_client, self.lines(attempt), course_id="botany")
        assert list(answer.context["form"].errors) == ["course_id"]

    @pytest.mark.parametrize("text", ["", "nonsense", "user,kind\n", "user,kind,salary\na,b,c\n"])
    def test_what_is_no_table_is_refused_at_its_field(self, staff_client: Client, text: str) -> None:
        answer = self.upload(staff_client, text)
        assert list(answer.context["form"].errors) == ["file"]

    def test_hostile_cells_stay_text(self, staff_client: Client, exam: Exam) -> None:
        answer = self.upload(staff_client, f'user,kind,minutes\n"{HOSTILE}",extra_minutes,10\n')
        assert "<script>alert" not in answer.content.decode()
        assert answer.context["summary"][2] == ("refused", 1)
