"""``attempts/actions/``: who may, what they must say, what comes of it, and the way back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import time_machine

from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam
from proctoring.host import Role
from proctoring.invigilation.actions import SPEAKING, Action
from proctoring.invigilation.models import BulkAction
from proctoring.monitoring.models import Command
from tests.api.conftest import WHY, B, Person, refused
from tests.factories import AttemptFactory, ExamFactory, UserFactory, at
from tests.invigilation.doing import killed_after

pytestmark = pytest.mark.usefixtures("lms")

PATH = "/attempts/actions/"


@pytest.fixture(autouse=True)
def _clock() -> Iterator[None]:
    with time_machine.travel(at(10, 30), tick=False):
        yield


@pytest.fixture
def sat(exam: Exam) -> list[Attempt]:
    return [AttemptFactory(exam=exam, status="started") for _ in range(3)]


@pytest.fixture
def elsewhere(lms: Any) -> Attempt:
    return AttemptFactory(exam=ExamFactory(course_id=B), status="started")


def ask(person: Person, attempts: Any, action: str = "pause", headers: Any = None, **fields: Any) -> Any:
    named = [one.pk for one in attempts] if isinstance(attempts, list) and attempts else attempts
    body = {"attempts": named, "action": action, **WHY, **fields}
    return person.post(PATH, body, **(headers or {}))


def statuses() -> list[str]:
    return list(Attempt.objects.order_by("pk").values_list("status", flat=True))


class TestDoing:
    def test_each_attempt_has_its_own_result(self, proctor: Person, sat: list[Attempt], exam: Exam) -> None:
        ended = AttemptFactory(exam=exam, status="submitted")
        answer = ask(proctor, [*sat, ended])
        assert answer.status_code == 200
        body = answer.json()
        assert set(body) == {"id", "results", "done", "refused", "more"}
        assert (body["done"], body["refused"]) == (3, 1)
        assert body["results"][:3] == [{"attempt": one.pk, "result": "done"} for one in sat]
        last = body["results"][3]
        assert (last["attempt"], last["result"], last["code"]) == (ended.pk, "refused", "illegal_transition")
        assert last["detail"]
        assert statuses() == ["paused", "paused", "paused", "submitted"]

    @pytest.mark.parametrize("action", Action.values)
    def test_every_action(self, proctor: Person, sat: list[Attempt], action: str) -> None:
        if action == "resume":
            ask(proctor, sat)
        body = ask(proctor, sat, action, minutes=5, text="Please sit down.").json()
        assert (body["done"], body["refused"]) == (3, 0)
        record = proctor.get(f"{PATH}{body['id']}/").json()
        assert record["minutes"] == (5 if action == "extend" else None)
        assert record["text"] == ("Please sit down." if action in SPEAKING else "")

    def test_of_an_exam_what_a_filter_finds(self, proctor: Person, sat: list[Attempt], exam: Exam) -> None:
        AttemptFactory(exam=exam, status="created")
        person = sat[1].user.get_username()
        for criteria, found in (({"status": "started"}, 3), ({"user": sat[0].user_id}, 1), ({"search": person}, 1)):
            body = ask(proctor, {"exam": exam.pk, "filter": criteria}, "flag").json()
            assert (len(body["results"]), body["done"]) == (found, found), criteria
            record = proctor.get(f"{PATH}{body['id']}/").json()
            assert (record["exam"], record["filter"]) == (exam.pk, criteria)
        assert len(ask(proctor, {"exam": exam.pk}, "flag").json()["results"]) == 4
        assert ask(proctor, {"exam": exam.pk, "filter": {"state": "lost"}}, "flag").json()["results"] == []

    def test_twice_the_same_is_once(self, proctor: Person, sat: list[Attempt]) -> None:
        assert len(ask(proctor, [sat[0], sat[0]]).json()["results"]) == 1


class TestWhoMay:
    def test_row_by_row_by_the_course_of_each(
        self, proctor: Person, lms: Any, sat: list[Attempt], elsewhere: Attempt
    ) -> None:
        lms.roles.add((proctor.user.pk, B, Role.REVIEWER))
        unseen = AttemptFactory(exam=ExamFactory(course_id="hidden"), status="started")
        body = ask(proctor, [sat[0], elsewhere, unseen]).json()
        assert [one.get("code") for one in body["results"]] == [None, "not_permitted", "not_found"]
        refused(ask(proctor, [elsewhere, unseen]), 403, "not_permitted")
        assert [one["code"] for one in ask(proctor, [unseen]).json()["results"]] == ["not_found"]

    def test_who_invigilates_nowhere_may_nothing_and_hears_so_first(
        self, candidate: Person, reviewer: Person, person: Callable[..., Person], nobody: Person, sat: list[Attempt]
    ) -> None:
        for stranger in (candidate, reviewer, person(Role.LOG_VIEWER)):
            refused(ask(stranger, sat), 403, "permission_denied")
            refused(stranger.raw("POST", PATH, "{"), 403, "permission_denied")
            refused(stranger.get(PATH), 403, "permission_denied")
        refused(ask(nobody, sat), 401, "not_authenticated")
        assert not BulkAction.objects.exists()

    def test_an_exam_is_asked_about_before_the_rest_of_the_body(
        self, neighbour: Person, reviewer: Person, lms: Any, exam: Exam, sat: list[Attempt]
    ) -> None:
        lms.blind.add(neighbour.user.pk)
        refused(neighbour.post(PATH, {"attempts": {"exam": exam.pk}}), 404, "not_found")
        refused(neighbour.post(PATH, {"attempts": {"exam": 10**9}}), 404, "not_found")
        lms.roles.add((reviewer.user.pk, B, Role.INVIGILATOR))
        refused(reviewer.post(PATH, {"attempts": {"exam": exam.pk}}), 403, "permission_denied")

    def test_nobody_acts_on_their_own(self, proctor: Person, exam: Exam, sat: list[Attempt]) -> None:
        own = AttemptFactory(exam=exam, user=proctor.user, status="started")
        body = ask(proctor, {"exam": exam.pk}).json()
        assert (body["done"], [one["code"] for one in body["results"] if "code" in one]) == (3, ["own_attempt"])
        own.refresh_from_db()
        assert own.status == "started"


class TestInput:
    @pytest.mark.parametrize(
        ("fields", "wrong"),
        [
            ({"attempts": []}, "attempts"),
            ({"attempts": list(range(1, 1002))}, "attempts"),
            ({"attempts": ["x"]}, "attempts.0"),
            ({"attempts": [True]}, "attempts.0"),
            ({"attempts": "all"}, "attempts.non_field_errors"),
            ({"attempts": None}, "attempts"),
            ({"attempts": {}}, "attempts.exam"),
            ({"action": "delete"}, "action"),
            ({"action": "extend"}, "minutes"),
            ({"action": "extend", "minutes": 1441}, "minutes"),
            ({"action": "message"}, "text"),
            ({"action": "message", "text": "x" * 1001}, "text"),
            ({"reason_code": 1}, "reason_code"),
            ({"comment": " "}, "comment"),
        ],
    )
    def test_what_makes_no_sense(self, proctor: Person, sat: list[Attempt], fields: dict[str, Any], wrong: str) -> None:
        body = {"attempts": [sat[0].pk], "action": "pause", **WHY, **fields}
        assert list(refused(proctor.post(PATH, body), 400, "invalid")["errors"]) == [wrong]
        assert not BulkAction.objects.exists()

    @pytest.mark.parametrize(
        "criteria",
        [
            {"staus": "started"},
            {"status": "asleep"},
            {"state": "gone"},
            {"search": ""},
            {"after": -1},
            {"after": "1"},
            [],
            "started",
        ],
    )
    def test_a_criterion_that_is_none_finds_nobody(
        self, proctor: Person, sat: list[Attempt], exam: Exam, criteria: Any
    ) -> None:
        refused(ask(proctor, {"exam": exam.pk, "filter": criteria}, "terminate"), 400, "invalid")
        assert statuses() == ["started"] * 3

    def test_too_many(self, proctor: Person, sat: list[Attempt], exam: Exam, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("proctoring.invigilation.choosing.MAX_ATTEMPTS", 2)
        refused(ask(proctor, {"exam": exam.pk}), 422, "too_many_attempts")
        assert not BulkAction.objects.exists()

    def test_too_many_come_in_slices(
        self, proctor: Person, sat: list[Attempt], exam: Exam, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("proctoring.invigilation.choosing.MAX_ATTEMPTS", 2)
        key = {"Idempotency-Key": "k1"}
        first = ask(proctor, {"exam": exam.pk, "filter": {"after": 0}}, headers=key).json()
        assert (first["done"], first["more"]) == (2, sat[1].pk)
        assert ask(proctor, {"exam": exam.pk, "filter": {"after": 0}}, headers=key).json() == first
        assert proctor.get(f"{PATH}{first['id']}/").json()["more"] == sat[1].pk
        last = ask(proctor, {"exam": exam.pk, "filter": {"after": first["more"]}}).json()
        assert ([one["attempt"] for one in last["results"]], last["more"]) == ([sat[2].pk], None)


class TestAgain:
    def test_under_the_same_key_nothing_happens_again(self, proctor: Person, sat: list[Attempt]) -> None:
        key = {"Idempotency-Key": "k1"}
        first = ask(proctor, sat, "extend", minutes=5, headers=key)
        second = ask(proctor, sat, "extend", minutes=5, headers=key)
        assert second.json() == first.json()
        assert (first.headers.get("Idempotency-Replayed"), second.headers["Idempotency-Replayed"]) == (None, "true")
        assert set(Attempt.objects.values_list("total_seconds", flat=True)) == {3900}
        refused(ask(proctor, sat, "extend", minutes=6, headers=key), 422, "idempotency_key_reused")

    @pytest.mark.django_db(transaction=True)
    @pytest.mark.parametrize("by_filter", [False, True])
    def test_a_call_that_was_killed_is_finished_under_its_key(
        self, proctor: Person, sat: list[Attempt], exam: Exam, by_filter: bool
    ) -> None:
        key = {"Idempotency-Key": "k1"}
        wanted = {"exam": exam.pk, "filter": {"status": "started"}} if by_filter else sat
        with killed_after(sat[1]), pytest.raises(KeyboardInterrupt):
            ask(proctor, wanted, headers=key)
        assert statuses() == ["paused", "paused", "started"]
        AttemptFactory(exam=exam, status="started")
        again = ask(proctor, wanted, headers=key)
        assert again.headers["Idempotency-Replayed"] == "true"
        assert (again.json()["done"], again.json()["refused"]) == (3, 0)
        assert statuses() == ["paused"] * 3 + ["started"]
        assert Command.objects.filter(kind="pause").count() == 3
        assert ask(proctor, wanted, headers=key).json() == again.json()
        assert BulkAction.objects.get().finished_at is not None


class TestRecords:
    def test_the_list_and_one_of_it(
        self, proctor: Person, staff: Person, neighbour: Person, sat: list[Attempt]
    ) -> None:
        first = ask(proctor, sat, "extend", minutes=5).json()["id"]
        second = ask(staff, sat).json()["id"]
        page = proctor.get(PATH).json()
        assert [row["id"] for row in page["results"]] == [second, first]
        row = page["results"][1]
        assert (row["action"], row["attempts"], row["done"], row["refused"]) == ("extend", 3, 3, 0)
        assert (row["by"]["id"], row["minutes"], row["comment"]) == (proctor.user.pk, 5, WHY["comment"])
        assert (row["created_at"], row["finished_at"]) == ("2026-03-02T10:30:00Z",) * 2
        assert row["undone_at"] is None
        one = staff.get(f"{PATH}{first}/").json()
        assert one["results"] == [{"attempt": it.pk, "result": "done"} for it in sat]
        assert one["undo_results"] == []
        assert [row["id"] for row in proctor.get(PATH, action="pause").json()["results"]] == [second]
        assert neighbour.get(PATH).json()["results"] == []
        for path in (f"{PATH}{first}/", f"{PATH}x/", f"{PATH}{10**9}/"):
            refused(neighbour.get(path), 404, "not_found")
        refused(neighbour.post(f"{PATH}{first}/undo/", WHY), 404, "not_found")

    def test_a_list_costs_the_same_whatever_is_in_it(
        self, proctor: Person, sat: list[Attempt], django_assert_num_queries: Any
    ) -> None:
        for _ in range(3):
            ask(proctor, sat, "flag")
            with django_assert_num_queries(3):
                proctor.get(PATH)


class TestUndoing:
    def test_it_is_taken_back_where_nothing_has_changed(self, proctor: Person, sat: list[Attempt]) -> None:
        key = ask(proctor, sat).json()["id"]
        proctor.post(f"/attempts/{sat[0].pk}/resume/", WHY)
        body = proctor.post(f"{PATH}{key}/undo/", WHY).json()
        assert (body["id"], body["done"], body["refused"]) == (key, 2, 1)
        assert [one.get("code") for one in body["results"]] == ["changed_meanwhile", None, None]
        assert statuses() == ["started"] * 3
        record = proctor.get(f"{PATH}{key}/").json()
        assert record["undo_results"] == body["results"]
        assert (record["undone_at"], record["undone_by"]["id"]) == ("2026-03-02T10:30:00Z", proctor.user.pk)
        refused(proctor.post(f"{PATH}{key}/undo/", WHY), 409, "already_undone")

    @pytest.mark.django_db(transaction=True)
    def test_one_that_was_killed_goes_on(self, proctor: Person, sat: list[Attempt]) -> None:
        key = ask(proctor, sat).json()["id"]
        with killed_after(sat[0]), pytest.raises(KeyboardInterrupt):
            proctor.post(f"{PATH}{key}/undo/", WHY)
        assert statuses() == ["started", "paused", "paused"]
        body = proctor.post(f"{PATH}{key}/undo/", WHY).json()
        assert (body["done"], body["refused"], statuses()) == (3, 0, ["started"] * 3)
        refused(proctor.post(f"{PATH}{key}/undo/", WHY), 409, "already_undone")

    def test_a_message_cannot_be_unsaid(self, proctor: Person, sat: list[Attempt]) -> None:
        key = ask(proctor, sat, "message", text="Please sit down.").json()["id"]
        body = proctor.post(f"{PATH}{key}/undo/", WHY).json()
        assert {(one["result"], one["code"]) for one in body["results"]} == {("refused", "not_undoable")}

    @pytest.mark.parametrize("body", [{}, {"reason_code": 1, "comment": "x"}, {"reason_code": 10030, "comment": " "}])
    def test_a_reason_is_asked_for(self, proctor: Person, sat: list[Attempt], body: Any) -> None:
        key = ask(proctor, sat).json()["id"]
        refused(proctor.post(f"{PATH}{key}/undo/", body), 400, "invalid")
        assert statuses() == ["paused"] * 3

    def test_who_made_it_and_has_no_role_any_more_does_not_find_it(
        self, proctor: Person, lms: Any, sat: list[Attempt]
    ) -> None:
        key = ask(proctor, sat).json()["id"]
        lms.roles.clear()
        refused(proctor.post(f"{PATH}{key}/undo/", WHY), 404, "not_found")
        refused(proctor.get(f"{PATH}{key}/"), 404, "not_found")


@pytest.mark.long
def test_two_hundred_at_once(proctor: Person, exam: Exam) -> None:
    """As many as sit a hall: nobody is left out, and everybody's page is told."""
    attempts = [AttemptFactory(exam=exam, user=UserFactory(), status="started") for _ in range(200)]
    assert ask(proctor, attempts).json()["done"] == 200
    assert Command.objects.filter(kind="pause").values("attempt").distinct().count() == 200
