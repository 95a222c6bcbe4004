"""``exams/`` and ``courses/{course_id}/exams/``."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam, ExamStatus, ExamType
from proctoring.host import Role
from tests.api.conftest import A, B, Person, course_path, refused
from tests.factories import TEN, AttemptFactory, ExamFactory
from tests.hosts import ScriptedHost

pytestmark = pytest.mark.usefixtures("lms")

NEW = {"course_id": A, "content_id": "block@1", "name": "Algebra", "time_limit_minutes": 60}
FOR_EVERYBODY = {
    "id", "course_id", "content_id", "name", "exam_type", "status", "time_limit_minutes", "opens_at", "due_at",
    "accommodations_past_due", "hide_after_due", "viewable_past_due", "backend", "allow_opt_out", "heartbeat_seconds",
}  # fmt: skip
FOR_STAFF = {
    "external_id", "rules", "review_policy", "outage_policy", "outage_cap_minutes", "created_at", "modified_at",
}  # fmt: skip


class TestReading:
    def test_anonymous(self, nobody: Person, exam: Exam) -> None:
        for path in ("/exams/", f"/exams/{exam.pk}/", "/exams/0/"):
            refused(nobody.get(path), 401, "not_authenticated")

    def test_staff_of_the_course_see_everything_others_what_concerns_them(
        self, staff: Person, candidate: Person, neighbour: Person, exam: Exam
    ) -> None:
        path = f"/exams/{exam.pk}/"
        assert set(staff.get(path).json()) == FOR_EVERYBODY | FOR_STAFF
        for other in (candidate, neighbour):
            assert set(other.get(path).json()) == FOR_EVERYBODY

    def test_a_draft_is_there_for_its_course_only(self, staff: Person, candidate: Person, neighbour: Person) -> None:
        draft = ExamFactory(course_id=A, status=ExamStatus.DRAFT)
        assert staff.get(f"/exams/{draft.pk}/").status_code == 200
        for other in (candidate, neighbour):
            refused(other.get(f"/exams/{draft.pk}/"), 404, "not_found")

    @pytest.mark.parametrize("number", ["0", "-1", "1.0", "abc", "9" * 18, str(2**63), "9" * 5000, "%00", "1%2F2", "٣"])
    def test_what_cannot_be_an_id_is_not_there(self, superuser: Person, number: str) -> None:
        refused(superuser.get(f"/exams/{number}/"), 404, "not_found")

    def test_filters(self, staff: Person) -> None:
        one = ExamFactory(course_id=A, name="Linear Algebra", exam_type=ExamType.PRACTICE)
        two = ExamFactory(course_id=B, name="Geometry")
        three = ExamFactory(course_id=A, name="Algebra II", status=ExamStatus.ARCHIVED)

        def ids(**query: str) -> list[int]:
            return [row["id"] for row in staff.get("/exams/", **query).json()["results"]]

        assert ids() == [one.pk, two.pk, three.pk]
        assert ids(course_id=A) == [one.pk, three.pk]
        assert ids(exam_type="practice") == [one.pk]
        assert ids(status="archived") == [three.pk]
        assert ids(search="algebra") == [one.pk, three.pk]
        assert ids(course_id="nowhere") == []

    @pytest.mark.parametrize(
        "query", [{"exam_type": "oral"}, {"status": "x"}, {"search": "\x00"}, {"course_id": "x" * 256}]
    )
    def test_what_no_filter_takes_is_refused(self, staff: Person, query: dict[str, str]) -> None:
        assert list(refused(staff.get("/exams/", **query), 400, "invalid")["errors"]) == list(query)


class TestWriting:
    def test_anonymous(self, nobody: Person, exam: Exam) -> None:
        refused(nobody.post("/exams/", NEW), 401, "not_authenticated")
        refused(nobody.patch(f"/exams/{exam.pk}/", {}), 401, "not_authenticated")

    def test_creation_fills_in_the_defaults(self, staff: Person) -> None:
        answer = staff.post("/exams/", NEW)
        body = answer.json()
        assert answer.status_code == 201
        assert set(body) == FOR_EVERYBODY | FOR_STAFF
        defaults = {"exam_type": "proctored", "status": "draft", "backend": "", "rules": {}, "heartbeat_seconds": 30}
        assert {name: body[name] for name in NEW} == NEW
        assert {name: body[name] for name in defaults} == defaults

    def test_only_staff_of_the_named_course_create(
        self, candidate: Person, proctor: Person, neighbour: Person, staff: Person
    ) -> None:
        for other in (candidate, proctor, neighbour):
            refused(other.post("/exams/", NEW), 403, "permission_denied")
            refused(other.post("/exams/", {"course_id": A}), 403, "permission_denied")
        refused(staff.post("/exams/", {**NEW, "course_id": 5}), 403, "permission_denied")
        refused(candidate.post("/exams/", {}), 403, "permission_denied")
        refused(staff.post("/exams/", {}), 400, "invalid")
        assert not Exam.objects.exists()

    def test_only_staff_of_the_course_change(
        self, candidate: Person, proctor: Person, neighbour: Person, exam: Exam
    ) -> None:
        for other in (candidate, proctor, neighbour):
            refused(other.patch(f"/exams/{exam.pk}/", {"name": "", "course_id": B}), 403, "permission_denied")

    def test_the_same_content_twice_is_a_conflict(self, staff: Person) -> None:
        assert staff.post("/exams/", NEW).status_code == 201
        refused(staff.post("/exams/", NEW), 409, "exam_exists")

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("name", ""),
            ("name", "x" * 256),
            ("name", "nul\x00"),
            ("name", "\ud800"),
            ("name", ["x"]),
            ("content_id", "x" * 256),
            ("exam_type", "oral"),
            ("status", "deleted"),
            ("time_limit_minutes", 0),
            ("time_limit_minutes", 10_081),
            ("time_limit_minutes", 10**40),
            ("time_limit_minutes", True),
            ("hide_after_due", "false"),
            ("hide_after_due", 0),
            ("allow_opt_out", None),
            ("opens_at", "tomorrow"),
            ("due_at", "9999-12-31T23:59:59Z"),
            ("due_at", "0001-01-01T00:00:00+14:00"),
            ("due_at", 5),
            ("backend", "nobody"),
            ("heartbeat_seconds", 15),
            ("heartbeat_seconds", 10),
            ("outage_policy", "always"),
            ("outage_cap_minutes", 1441),
            ("rules", []),
            ("rules", "{}"),
            ("rules", {"a": "\x00"}),
            ("rules", {"\ud800": 1}),
        ],
    )
    def test_each_field_says_what_is_wrong_with_it(self, staff: Person, field: str, value: object) -> None:
        body = refused(staff.post("/exams/", {**NEW, field: value}), 400, "invalid")
        assert list(body["errors"]) == [field]
        assert all(isinstance(sentence, str) for sentence in body["errors"][field])

    def test_dates_in_the_wrong_order(self, staff: Person) -> None:
        dates = {"opens_at": "2026-03-02T10:00:00Z", "due_at": "2026-03-02T10:00:00Z"}
        assert "due_at" in refused(staff.post("/exams/", {**NEW, **dates}), 400, "invalid")["errors"]

    def test_times_are_utc_both_ways(self, staff: Person, settings: Any) -> None:
        settings.TIME_ZONE = "Europe/Berlin"
        body = staff.post("/exams/", {**NEW, "due_at": "2026-03-02T12:00:00+02:00"}).json()
        assert body["due_at"] == "2026-03-02T10:00:00Z"
        body = staff.patch(f"/exams/{body['id']}/", {"due_at": "2026-03-02T12:00:00"}).json()
        assert body["due_at"] == "2026-03-02T12:00:00Z"

    def test_a_change_changes_what_it_names(self, staff: Person, exam: Exam) -> None:
        rules = {"allow": {"calculator": True, "ünï": [1, 2.5, None]}}
        answer = staff.patch(f"/exams/{exam.pk}/", {"rules": rules, "id": 7, "external_id": "mine"})
        assert answer.status_code == 200
        assert (answer.json()["rules"], answer.json()["id"], answer.json()["external_id"]) == (rules, exam.pk, "")
        exam.refresh_from_db()
        assert exam.rules == rules
        assert exam.history.first().history_user == staff.user

    def test_what_was_read_can_be_written_back(self, staff: Person, exam: Exam) -> None:
        body = staff.get(f"/exams/{exam.pk}/").json()
        assert staff.patch(f"/exams/{exam.pk}/", body).json() == body
        assert exam.history.count() == 1

    @pytest.mark.parametrize("field", ["course_id", "content_id"])
    def test_which_exam_it_is_cannot_change(self, staff: Person, exam: Exam, field: str) -> None:
        body = refused(staff.patch(f"/exams/{exam.pk}/", {field: "another"}), 400, "invalid")
        assert list(body["errors"]) == [field]

    def test_a_new_due_date_reaches_running_attempts(self, staff: Person, candidate: Person, exam: Exam) -> None:
        attempt = AttemptFactory(exam=exam, user=candidate.user, status=Status.STARTED)
        with time_machine.travel(TEN, tick=False):
            staff.patch(f"/exams/{exam.pk}/", {"due_at": "2026-03-02T10:40:00Z"})
            body = candidate.get(f"/attempts/{attempt.pk}/").json()
        assert (body["expires_at"], body["seconds_left"]) == ("2026-03-02T10:40:00Z", 2400)


class TestRegistration:
    PATH = course_path(A)

    def item(self, content_id: str, **fields: Any) -> dict[str, Any]:
        return {"content_id": content_id, "name": content_id.title(), "time_limit_minutes": 60, **fields}

    def results(self, answer: Any) -> list[tuple[str, str]]:
        assert answer.status_code == 200, answer.content
        return [(row["content_id"], row["result"]) for row in answer.json()["results"]]

    def test_anonymous_strangers_and_others(
        self, nobody: Person, neighbour: Person, candidate: Person, proctor: Person, lms: ScriptedHost
    ) -> None:
        refused(nobody.put(self.PATH, []), 401, "not_authenticated")
        for other in (candidate, proctor, neighbour):
            refused(other.put(self.PATH, []), 403, "permission_denied")
        lms.blind.add(neighbour.user.pk)
        refused(neighbour.put(self.PATH, []), 404, "not_found")

    def test_the_whole_list_is_idempotent(self, staff: Person) -> None:
        items = [self.item("one"), self.item("two", exam_type="timed", due_at="2026-03-02T10:00:00Z")]
        assert self.results(staff.put(self.PATH, items)) == [("one", "created"), ("two", "created")]
        assert set(Exam.objects.values_list("course_id", "status")) == {(A, "active")}
        assert self.results(staff.put(self.PATH, items)) == [("one", "unchanged"), ("two", "unchanged")]
        assert self.results(staff.put(self.PATH, [self.item("two", name="Other")])) == [
            ("two", "updated"),
            ("one", "archived"),
        ]

    def test_other_courses_are_left_alone(self, superuser: Person) -> None:
        other = ExamFactory(course_id=B)
        assert self.results(superuser.put(self.PATH, [])) == []
        other.refresh_from_db()
        assert other.status == ExamStatus.ACTIVE

    def test_a_mistake_refuses_its_own_item_and_archives_nothing_of_it(self, staff: Person) -> None:
        staff.put(self.PATH, [self.item("one"), self.item("two")])
        wrong = self.item("one", time_limit_minutes=0, hide_after_due="no")
        answer = staff.put(self.PATH, [wrong, self.item("two", name="New"), self.item("three", backend="nobody")])
        assert self.results(answer) == [("one", "refused"), ("two", "updated"), ("three", "refused")]
        first, _, third = answer.json()["results"]
        assert (first["code"], set(first["errors"])) == ("invalid", {"time_limit_minutes", "hide_after_due"})
        assert set(third["errors"]) == {"backend"}
        assert Exam.objects.get(content_id="one").status == ExamStatus.ACTIVE

    def test_the_same_content_twice_is_refused_once(self, staff: Person) -> None:
        answer = staff.put(self.PATH, [self.item("one"), self.item("one")])
        assert self.results(answer) == [("one", "created"), ("one", "refused")]
        assert answer.json()["results"][1]["code"] == "duplicate"

    @pytest.mark.parametrize("broken", [None, 5, [], {}, {"content_id": ""}, {"content_id": "x" * 256}])
    def test_a_list_that_does_not_say_what_it_means_changes_nothing(self, staff: Person, broken: object) -> None:
        staff.put(self.PATH, [self.item("one")])
        body = refused(staff.put(self.PATH, [self.item("one", name="New"), broken]), 400, "invalid")
        assert all(name.startswith("1") for name in body["errors"])
        assert Exam.objects.get().name == "One"

    @pytest.mark.parametrize("body", [{}, "x", None, 5, {"exams": []}])
    def test_the_body_is_a_list(self, staff: Person, body: object) -> None:
        refused(staff.raw("PUT", self.PATH, json.dumps(body)), 400, "invalid")

    def test_it_is_bounded(self, staff: Person) -> None:
        refused(staff.put(self.PATH, [self.item("x")] * 1001), 400, "invalid")

    def test_a_course_id_is_255_characters_at_most(self, superuser: Person) -> None:
        refused(superuser.put(course_path("x" * 256), []), 400, "invalid")
        refused(superuser.put(course_path("x\x00"), []), 400, "invalid")

    def test_running_attempts_follow_a_registered_due_date(self, staff: Person, exam: Exam) -> None:
        attempt = AttemptFactory(exam=exam, status=Status.STARTED)
        with time_machine.travel(TEN, tick=False):
            staff.put(self.PATH, [self.item(exam.content_id, due_at="2026-03-02T10:30:00Z")])
        assert Attempt.objects.get(pk=attempt.pk).expires_at == TEN + timedelta(minutes=30)


def test_a_course_id_may_have_slashes(person: Callable[..., Person]) -> None:
    clerk = person(Role.STAFF, course="org/course/run")
    item = {"content_id": "x", "name": "X", "exam_type": "timed", "time_limit_minutes": 5}
    answer = clerk.put("/courses/org/course/run/exams/", [item])
    assert [row["result"] for row in answer.json()["results"]] == ["created"]


def test_who_may_not_write_hears_so_before_the_body_is_read(candidate: Person) -> None:
    assert candidate.raw("post", "/exams/", "{bad").status_code == 403
    assert candidate.raw("post", "/exams/", "x", "text/plain").status_code == 403
