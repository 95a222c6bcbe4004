"""``allowances/``: who may, what shape, which error, and what it costs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from benchmarks import allowances as benchmark
from proctoring.allowances.models import Allowance
from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam, ExamStatus
from tests.api.conftest import A, B, Person, created, refused
from tests.factories import AllowanceFactory, AttemptFactory, ExamFactory, UserFactory

TEN_MORE = {"kind": "extra_minutes", "minutes": 10}
QUARTER_MORE = {"kind": "time_multiplier", "multiplier": "1.25"}


@pytest.fixture
def allowance(candidate: Person, exam: Exam) -> Allowance:
    return AllowanceFactory(user=candidate.user, course_id=A, exam=exam)


class TestWhoMay:
    def test_nobody_else_than_staff(
        self, nobody: Person, candidate: Person, proctor: Person, reviewer: Person, exam: Exam, allowance: Allowance
    ) -> None:
        one = f"/allowances/{allowance.pk}/"
        body = {"user": candidate.user.pk, "exam": exam.pk, **TEN_MORE}
        for ask in (
            lambda person: person.get("/allowances/"),
            lambda person: person.post("/allowances/", body),
            lambda person: person.post("/allowances/bulk/", body),
        ):
            refused(ask(nobody), 401, "not_authenticated")
            for other in (candidate, proctor, reviewer):
                refused(ask(other), 403, "permission_denied")
        for act in (lambda person: person.patch(one, {}), lambda person: person.raw("DELETE", one, "")):
            refused(act(nobody), 401, "not_authenticated")
            for other in (candidate, proctor, reviewer):
                refused(act(other), 404, "not_found")

    def test_staff_of_another_course_neither_see_nor_touch_it(
        self, neighbour: Person, candidate: Person, exam: Exam, allowance: Allowance
    ) -> None:
        assert neighbour.get("/allowances/").json()["results"] == []
        refused(neighbour.patch(f"/allowances/{allowance.pk}/", {"minutes": 60}), 404, "not_found")
        refused(neighbour.raw("DELETE", f"/allowances/{allowance.pk}/", ""), 404, "not_found")
        # Before anything else of the body is looked at.
        for where in ({"exam": exam.pk}, {"course_id": A}, {"course_id": f" {A} "}):
            refused(neighbour.post("/allowances/", {"user": [], **where}), 403, "permission_denied")
        for where in ({"exams": [exam.pk]}, {"course_id": A}):
            refused(neighbour.post("/allowances/bulk/", {"users": "?", **where}), 403, "permission_denied")
        assert Allowance.objects.count() == 1

    def test_the_course_is_the_exams_own_whatever_the_body_says(
        self, neighbour: Person, candidate: Person, exam: Exam
    ) -> None:
        body = {"user": candidate.user.pk, "exam": exam.pk, "course_id": B, **TEN_MORE}
        refused(neighbour.post("/allowances/", body), 403, "permission_denied")
        body = {"users": [candidate.user.pk], "exams": [exam.pk], "course_id": B, **TEN_MORE}
        refused(neighbour.post("/allowances/bulk/", body), 403, "permission_denied")

    def test_nobody_grants_to_themselves(self, staff: Person, superuser: Person, exam: Exam) -> None:
        refused(staff.post("/allowances/", {"user": staff.user.pk, "exam": exam.pk, **TEN_MORE}), 403, "own_attempt")
        mine = AllowanceFactory(user=staff.user, course_id=A)
        refused(staff.patch(f"/allowances/{mine.pk}/", {"minutes": 60}), 403, "own_attempt")
        refused(staff.raw("DELETE", f"/allowances/{mine.pk}/", ""), 403, "own_attempt")
        body = {"user": superuser.user.pk, "exam": exam.pk, **TEN_MORE}
        assert superuser.post("/allowances/", body).status_code == 201


class TestOne:
    def test_it_is_granted_once_and_then_updated(self, staff: Person, candidate: Person, exam: Exam) -> None:
        body = {"user": candidate.user.username, "exam": exam.pk, "note": "certificate", **QUARTER_MORE}
        answer = staff.post("/allowances/", body)
        assert answer.status_code == 201
        shown = answer.json()
        assert set(shown) == {
            "id",
            "user",
            "exam",
            "course_id",
            "kind",
            "minutes",
            "multiplier",
            "note",
            "exemptions",
            "granted_by",
            "created_at",
            "modified_at",
        }
        assert shown["user"] == {"id": candidate.user.pk, "username": candidate.user.username}
        assert shown["granted_by"]["id"] == staff.user.pk
        assert (shown["exam"], shown["course_id"], shown["kind"]) == (exam.pk, A, "time_multiplier")
        assert (shown["minutes"], shown["multiplier"], shown["note"]) == (None, "1.25", "certificate")
        again = staff.post("/allowances/", {**body, "multiplier": 1.5})
        assert (again.status_code, again.json()["id"], again.json()["multiplier"]) == (200, shown["id"], "1.50")

    def test_a_whole_course_and_exemptions(self, staff: Person, candidate: Person) -> None:
        body = {"user": candidate.user.email.upper(), "course_id": A, "kind": "exemption", "exemptions": [1002, 1002]}
        shown = staff.post("/allowances/", body).json()
        assert (shown["exam"], shown["exemptions"], shown["minutes"]) == (None, [1002], None)
        assert staff.post("/allowances/", {**body, "exam": shown["exam"]}).json()["id"] == shown["id"]

    def test_a_course_in_another_spelling_is_a_course_of_its_own_or_a_conflict(
        self, superuser: Person, candidate: Person
    ) -> None:
        for course_id in ("course", "COURSE"):
            answer = superuser.post("/allowances/", {"user": candidate.user.pk, "course_id": course_id, **TEN_MORE})
        if connection.vendor == "mysql":
            refused(answer, 409, "course_spelled_otherwise")
        else:
            assert answer.status_code == 201

    def test_it_is_changed_and_withdrawn(self, staff: Person, allowance: Allowance) -> None:
        path = f"/allowances/{allowance.pk}/"
        shown = staff.patch(path, {"minutes": 25, "note": "more", "kind": "extra_minutes"}).json()
        assert (shown["minutes"], shown["note"], shown["granted_by"]["id"]) == (25, "more", staff.user.pk)
        gone = staff.raw("DELETE", path, "")
        assert (gone.status_code, gone.content) == (204, b"")
        refused(staff.patch(path, {"minutes": 5}), 404, "not_found")

    @pytest.mark.parametrize(
        "change",
        [
            {"minutes": 0},
            {"minutes": 1441},
            {"minutes": None},
            {"minutes": True},
            {"multiplier": "1.5"},
            {"exemptions": [1002]},
            {"note": "x" * 5000},
            {"note": "\x00"},
            {"kind": "time_multiplier"},
            {"course_id": B},
            {"exam": None},
            {"user": 1},
        ],
        ids=str,
    )
    def test_what_cannot_be_is_refused_by_its_field(
        self, staff: Person, allowance: Allowance, change: dict[str, Any]
    ) -> None:
        body = refused(staff.patch(f"/allowances/{allowance.pk}/", change), 400, "invalid")
        assert list(body["errors"]) == list(change)

    @pytest.mark.parametrize(
        ("wrong", "field"),
        [
            ({"kind": "holiday"}, "kind"),
            ({"kind": "exemption", "minutes": None}, "exemptions"),
            ({"kind": "exemption", "minutes": None, "exemptions": [999_999]}, "exemptions.0"),
            ({"kind": "time_multiplier", "minutes": None, "multiplier": "NaN"}, "multiplier"),
            ({"kind": "time_multiplier", "minutes": None, "multiplier": "1.005"}, "multiplier"),
            ({"user": {}}, "user"),
            ({"user": True}, "user"),
            ({"user": ""}, "user"),
            ({"user": "x" * 256}, "user"),
            ({"exam": "1"}, "exam"),
            ({"exam": None}, "exam"),
            ({"course_id": A}, "exam"),
        ],
        ids=str,
    )
    def test_a_grant_that_cannot_be_is_refused_by_its_field(
        self, staff: Person, candidate: Person, exam: Exam, wrong: dict[str, Any], field: str
    ) -> None:
        body = {"user": candidate.user.pk, "exam": exam.pk, **TEN_MORE, **wrong}
        assert field in refused(staff.post("/allowances/", body), 400, "invalid")["errors"]
        assert not Allowance.objects.exists()

    def test_who_and_what_does_not_exist_has_a_code(self, staff: Person, candidate: Person, exam: Exam) -> None:
        archived = ExamFactory(course_id=A, status=ExamStatus.ARCHIVED)
        UserFactory(email="shared@example.org"), UserFactory(email="shared@example.org")
        for change, code in (
            ({"user": "nobody"}, "user_not_found"),
            ({"user": 10**30}, "user_not_found"),
            ({"user": "shared@example.org"}, "ambiguous_user"),
            ({"exam": exam.pk + 1000}, "exam_not_found"),
            ({"exam": archived.pk}, "exam_not_active"),
        ):
            body = {"user": candidate.user.pk, "exam": exam.pk, **TEN_MORE, **change}
            refused(staff.post("/allowances/", body), 422, code)


class TestBulk:
    def test_every_pair_has_a_result_and_what_is_refused_keeps_nothing_back(
        self, staff: Person, candidate: Person, exam: Exam
    ) -> None:
        other = ExamFactory(course_id=A)
        foreign = ExamFactory(course_id=B)
        archived = ExamFactory(course_id=A, status=ExamStatus.ARCHIVED)
        AllowanceFactory(user=candidate.user, course_id=A, exam=other)
        exams = [exam.pk, other.pk, foreign.pk, archived.pk, 10**9]
        users = [candidate.user.email, "nobody", staff.user.pk]
        answer = staff.post("/allowances/bulk/", {"users": users, "exams": exams, **TEN_MORE})
        assert answer.status_code == 200
        rows = answer.json()["results"]
        assert [(row["user"], row["exam"]) for row in rows] == [(user, key) for user in users for key in exams]
        told = [row.get("code", row["result"]) for row in rows]
        rest = ["not_permitted", "exam_not_active", "exam_not_found"]
        assert told[:5] == ["granted", "updated", *rest]
        assert told[5:10] == ["user_not_found", "user_not_found", "not_permitted", "user_not_found", "exam_not_found"]
        assert told[10:] == ["own_attempt", "own_attempt", *rest]
        assert all(row["detail"] for row in rows if row["result"] == "refused")
        assert Allowance.objects.filter(user=candidate.user).count() == 2

    def test_a_whole_course_reaches_running_attempts_at_once(
        self, staff: Person, candidate: Person, exam: Exam
    ) -> None:
        attempt = created(candidate, exam)
        candidate.post(f"/attempts/{attempt['id']}/start/")
        body = {"users": [candidate.user.username, candidate.user.pk], "course_id": A, "note": "secret", **QUARTER_MORE}
        rows = staff.post("/allowances/bulk/", body).json()["results"]
        assert [(row["exam"], row["result"]) for row in rows] == [(None, "granted"), (None, "updated")]
        ledger = candidate.get(f"/attempts/{attempt['id']}/time/")
        entry = ledger.json()["entries"][-1]
        assert (entry["kind"], entry["seconds"], entry["note"]) == ("allowance", 900, "allowance granted: × 1.25")
        assert "secret" not in ledger.content.decode()
        assert candidate.get(f"/attempts/{attempt['id']}/").json()["total_seconds"] == 4500

    def test_a_key_answers_the_same_again(self, staff: Person, candidate: Person, exam: Exam) -> None:
        body = {"users": [candidate.user.pk], "exams": [exam.pk], **TEN_MORE}
        first, second = (staff.post("/allowances/bulk/", body, **{"Idempotency-Key": "k"}) for _ in range(2))
        assert first.json() == second.json()
        assert first.json()["results"][0]["result"] == "granted"
        assert second.headers["Idempotency-Replayed"] == "true"
        assert Allowance.history.count() == 1

    @pytest.mark.parametrize(
        "wrong",
        [
            {"users": []},
            {"users": "ada"},
            {"users": [None]},
            {"users": [1.5]},
            {"users": [True]},
            {"users": list(range(1, 1002))},
            {"users": list(range(1, 1001)), "exams": [1, 2, 3, 4, 5, 6]},
            {"exams": []},
            {"exams": ["1"]},
            {"course_id": A},
            {"minutes": 0},
            {"multiplier": "2.00"},
        ],
        ids=lambda wrong: str(wrong)[:40],
    )
    def test_a_body_that_cannot_be_is_refused_as_a_whole(
        self, staff: Person, candidate: Person, exam: Exam, wrong: dict[str, Any]
    ) -> None:
        body = {"users": [candidate.user.pk], "exams": [exam.pk], **TEN_MORE, **wrong}
        refused(staff.post("/allowances/bulk/", body), 400, "invalid")
        assert not Allowance.objects.exists()


class TestList:
    @pytest.fixture
    def rows(self, candidate: Person, exam: Exam) -> dict[str, int]:
        return {
            "exam": AllowanceFactory(user=candidate.user, course_id=A, exam=exam).pk,
            "course": AllowanceFactory(course_id=A, user__username="zoe", user__email="z@example.net").pk,
            "kind": AllowanceFactory(course_id=A, kind="policy_exception", note="A dictionary").pk,
            "foreign": AllowanceFactory(course_id=B).pk,
        }

    def test_it_holds_ones_own_courses_newest_first(self, staff: Person, rows: dict[str, int]) -> None:
        found = staff.get("/allowances/").json()
        assert set(found) == {"results", "next", "previous"}
        assert [row["id"] for row in found["results"]] == [rows["kind"], rows["course"], rows["exam"]]

    def test_it_is_filtered(self, staff: Person, candidate: Person, exam: Exam, rows: dict[str, int]) -> None:
        for query, names in (
            ({"course_id": A}, {"exam", "course", "kind"}),
            ({"course_id": B}, set()),
            ({"exam": exam.pk}, {"exam"}),
            ({"kind": "policy_exception"}, {"kind"}),
            ({"user": "zoe"}, {"course"}),
            ({"user": candidate.user.pk}, {"exam"}),
            ({"search": "ZO"}, {"course"}),
            ({"search": "z@ex"}, {"course"}),
            ({"search": "oe"}, set()),
        ):
            found = {row["id"] for row in staff.get("/allowances/", **query).json()["results"]}
            assert found == {rows[name] for name in names}, query

    @pytest.mark.parametrize("query", [{"kind": "holiday"}, {"exam": "x"}, {"cursor": "x"}, {"page_size": 0}], ids=str)
    def test_a_filter_that_cannot_be_is_refused(self, staff: Person, query: dict[str, Any]) -> None:
        refused(staff.get("/allowances/", **query), 400, "invalid")


@pytest.mark.long
@pytest.mark.django_db(transaction=True)
class TestCost:
    """Under the default host and with real commits: what is done after one counts. The bounds are 40 and 60."""

    @pytest.fixture
    def clerk(self) -> Any:
        return benchmark.clerk()

    @pytest.fixture
    def bound(self) -> int:
        # SQLite takes 999 parameters a statement here, so Django cuts its bulk statements smaller.
        return 60 if connection.vendor == "sqlite" else 40

    def test_of_a_hundred_people_and_five_exams(self, clerk: Any, bound: int) -> None:
        users, exams = benchmark.crowd(100, 5)
        granted, answer = benchmark.bulk(clerk, users, exams, 10)
        updated, _ = benchmark.bulk(clerk, users, exams, 20)
        assert {row["result"] for row in answer["results"]} == {"granted"}
        assert len(answer["results"]) == 500
        assert max(granted, updated) <= bound
        benchmark.let_run(users, exams)
        followed, answer = benchmark.bulk(clerk, users, exams, 30)
        assert {row["result"] for row in answer["results"]} == {"updated"}
        assert followed <= bound
        Allowance.objects.all().delete()
        regranted, _ = benchmark.bulk(clerk, users, exams, 15)
        assert regranted <= bound
        assert set(Attempt.objects.values_list("total_seconds", flat=True)) == {4500}
        assert Attempt.history.filter(total_seconds=4500).count() == 500

    def test_grows_with_nothing_but_batches(self, clerk: Any) -> None:
        users, exams = benchmark.crowd(12, 1)
        benchmark.let_run(users, exams)
        assert benchmark.bulk(clerk, users[:2], exams, 10)[0] == benchmark.bulk(clerk, users[2:], exams, 10)[0] == 20
        for user in users:
            assert user.proctoring_allowances.count() == 1

    def test_of_a_page_of_ten_thousand(self, clerk: Any) -> None:
        users, _ = benchmark.crowd(100, 1)
        benchmark.fill(users, 10_000)
        statements, found = benchmark.page(clerk)
        assert (statements, len(found["results"])) == (4, 50)  # bound: 5
        assert benchmark.page(clerk, "?search=bench-1&kind=extra_minutes")[0] == 4
        cursor = found["next"].partition("?")[2]
        assert benchmark.page(clerk, f"?{cursor}")[0] == 4

    def test_of_one_grant_one_change_and_one_withdrawal(self, clerk: Any) -> None:
        users, exams = benchmark.crowd(1, 1)
        benchmark.let_run(users, exams)
        benchmark.bulk(clerk, users, exams, 10)
        path = f"{benchmark.API}/allowances/{Allowance.objects.get().pk}/"

        def patch() -> Any:
            return clerk.patch(path, {"minutes": 20}, content_type="application/json")

        assert benchmark.cost(patch)[0] <= 20


def test_an_attempt_that_is_blocked_or_paused_follows_too(
    staff: Person, person: Callable[..., Person], proctored: Exam
) -> None:
    rows = [AttemptFactory(exam=proctored, status=status) for status in ("onboarding_missing", "paused")]
    body = {"users": [row.user_id for row in rows], "exams": [proctored.pk], **TEN_MORE}
    staff.post("/allowances/bulk/", body)
    assert set(Attempt.objects.values_list("total_seconds", flat=True)) == {4200}
