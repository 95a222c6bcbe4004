"""``attempts/`` as a list and one by one, and ``attempts/{id}/time/``."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import time_machine

from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam, ExamType
from tests.api.conftest import WHY, A, B, Person, refused
from tests.factories import TEN, AttemptFactory, ExamFactory, UserFactory

pytestmark = pytest.mark.usefixtures("lms")

LAUNCH = {"download_url": "https://vendor.example/get", "instructions": ["Close everything"], "join_url": ""}


class TestOne:
    def test_who_sees_it(
        self,
        nobody: Person,
        candidate: Person,
        person: Any,
        staff: Person,
        proctor: Person,
        reviewer: Person,
        neighbour: Person,
        attempt: Attempt,
    ) -> None:
        path = f"/attempts/{attempt.pk}/"
        refused(nobody.get(path), 401, "not_authenticated")
        for one in (candidate, staff, proctor, reviewer):
            assert one.get(path).json()["id"] == attempt.pk
        for one in (neighbour, person()):
            refused(one.get(path), 404, "not_found")

    def test_only_the_candidate_and_staff_see_the_way_in(
        self, candidate: Person, staff: Person, proctor: Person, proctored: Exam
    ) -> None:
        attempt = AttemptFactory(exam=proctored, user=candidate.user, launch_data=LAUNCH)
        for one in (candidate, staff):
            assert one.get(f"/attempts/{attempt.pk}/").json()["launch"] == LAUNCH
            assert one.get("/attempts/").json()["results"][0]["launch"] == LAUNCH
        assert proctor.get(f"/attempts/{attempt.pk}/").json()["launch"] is None

    def test_an_overdue_attempt_is_never_shown_running(self, candidate: Person, exam: Exam) -> None:
        attempt = AttemptFactory(exam=exam, user=candidate.user, status=Status.STARTED)
        body = candidate.get(f"/attempts/{attempt.pk}/").json()
        assert (body["status"], body["phase"], body["seconds_left"]) == ("submitted", "ended", None)
        assert (body["expires_at"], body["ended_at"]) == (None, "2026-03-02T11:00:00Z")
        attempt.refresh_from_db()
        assert attempt.status == Status.STARTED, "reading writes nothing"

    def test_thresholds_follow_the_settings(self, candidate: Person, attempt: Attempt, settings: Any) -> None:
        settings.PROCTORING = {**settings.PROCTORING, "LOW_THRESHOLD": 0.5, "CRITICAL_THRESHOLD": 0.1}
        body = candidate.get(f"/attempts/{attempt.pk}/").json()
        assert (body["low_threshold_seconds"], body["critical_threshold_seconds"]) == (1800, 360)


class TestActive:
    def test_null_is_json(self, nobody: Person, candidate: Person, attempt: Attempt) -> None:
        refused(nobody.get("/attempts/active/"), 401, "not_authenticated")
        answer = candidate.get("/attempts/active/")
        assert (answer.status_code, answer.content, answer.json()) == (200, b"null", None)

    @pytest.mark.parametrize("status", [Status.STARTED, Status.PAUSED, Status.READY_TO_SUBMIT])
    def test_the_running_one_is_ones_own(self, candidate: Person, staff: Person, exam: Exam, status: str) -> None:
        attempt = AttemptFactory(exam=exam, user=candidate.user, status=status)
        with time_machine.travel(TEN + timedelta(minutes=6), tick=False):
            assert candidate.get("/attempts/active/").json()["id"] == attempt.pk
            assert staff.get("/attempts/active/").json() is None

    def test_an_overdue_one_does_not_run(self, candidate: Person, exam: Exam) -> None:
        AttemptFactory(exam=exam, user=candidate.user, status=Status.STARTED)
        assert candidate.get("/attempts/active/").json() is None


class TestList:
    def ids(self, one: Person, **query: Any) -> list[int]:
        answer = one.get("/attempts/", **query)
        assert answer.status_code == 200, answer.content
        return [row["id"] for row in answer.json()["results"]]

    def test_everybody_sees_their_own_and_their_courses(
        self, nobody: Person, candidate: Person, staff: Person, reviewer: Person, neighbour: Person, attempt: Attempt
    ) -> None:
        other = AttemptFactory(exam=ExamFactory(course_id=B))
        refused(nobody.get("/attempts/"), 401, "not_authenticated")
        assert self.ids(candidate) == self.ids(staff) == self.ids(reviewer) == [attempt.pk]
        assert self.ids(neighbour) == [other.pk]
        assert self.ids(candidate, user=other.user_id) == []

    def test_filters(self, superuser: Person, exam: Exam) -> None:
        ada = UserFactory(username="ada", first_name="Ada", last_name="Lovelace", email="ada@example.org")
        alan = UserFactory(username="alan", first_name="Alan", last_name="Turing", email="a.turing@example.org")
        one = AttemptFactory(exam=exam, user=ada, status=Status.ERROR)
        two = AttemptFactory(exam=exam, user=ada, number=2, status=Status.STARTED)
        three = AttemptFactory(exam=ExamFactory(course_id=B), user=alan)
        assert self.ids(superuser) == [three.pk, two.pk, one.pk]
        assert self.ids(superuser, exam=exam.pk) == [two.pk, one.pk]
        assert self.ids(superuser, course_id=B) == [three.pk]
        assert self.ids(superuser, status="error") == [one.pk]
        assert self.ids(superuser, user=ada.pk) == self.ids(superuser, user="ada") == [two.pk, one.pk]
        assert self.ids(superuser, latest="true") == [three.pk, two.pk]
        assert self.ids(superuser, latest="false") == [three.pk, two.pk, one.pk]
        for begins in ("TUR", "alan", "a.tur"):
            assert self.ids(superuser, search=begins) == [three.pk]
        assert self.ids(superuser, search="nobody") == []

    def test_the_status_is_the_one_that_is_shown(self, superuser: Person, exam: Exam) -> None:
        overdue = AttemptFactory(exam=exam, status=Status.STARTED)
        assert self.ids(superuser, status="started") == []
        assert self.ids(superuser, status="submitted") == [overdue.pk]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("exam", "x"),
            ("exam", "0"),
            ("exam", str(2**63)),
            ("exam", "9" * 5000),
            ("status", "x"),
            ("latest", "maybe"),
            ("search", "\x00"),
            ("user", "\x00"),
            ("course_id", "x" * 256),
            ("cursor", "x"),
            ("cursor", "cD14"),  # p=x
            ("cursor", "cD05OTk5OTk5OTk5OTk5OTk5OTk5OTk="),  # p=99999999999999999999
            ("cursor", "cD0lQzIlQjI="),  # p=²
            ("cursor", "cD0lRDklQTM="),  # p=٣
            ("page_size", "0"),
            ("page_size", "-1"),
            ("page_size", "x"),
        ],
    )
    def test_what_no_filter_takes_is_refused(self, superuser: Person, name: str, value: str) -> None:
        assert list(refused(superuser.get("/attempts/", **{name: value}), 400, "invalid")["errors"]) == [name]

    def test_pages(self, superuser: Person, exam: Exam) -> None:
        keys = [AttemptFactory(exam=exam).pk for _ in range(7)][::-1]
        found, path = [], "/attempts/?page_size=3&latest=true"
        while path:
            body = superuser.client.get(path if path.startswith("http") else "/proctoring/api/v1" + path).json()
            assert set(body) == {"results", "next", "previous"}
            found += [row["id"] for row in body["results"]]
            path = body["next"]
        assert found == keys
        assert "latest=true" in body["previous"]

    def test_a_page_has_two_hundred_rows_at_most(self, superuser: Person, exam: Exam) -> None:
        people = [UserFactory.build(username=f"many{n}") for n in range(201)]
        type(people[0]).objects.bulk_create(people)
        Attempt.objects.bulk_create(
            Attempt(exam=exam, user=user, number=1, backend="null", code=f"c{user.pk}") for user in people
        )
        for size in ("200", "201", "9" * 4000):
            assert len(self.ids(superuser, page_size=size)) == 200
        assert len(self.ids(superuser)) == 50


class TestTime:
    def test_who_reads_and_who_writes(
        self, nobody: Person, candidate: Person, proctor: Person, neighbour: Person, attempt: Attempt
    ) -> None:
        path = f"/attempts/{attempt.pk}/time/"
        refused(nobody.get(path), 401, "not_authenticated")
        refused(nobody.post(path, {}), 401, "not_authenticated")
        refused(neighbour.get(path), 404, "not_found")
        refused(neighbour.post(path, {}), 404, "not_found")
        for one in (candidate, proctor):
            assert one.get(path).status_code == 200
            refused(one.post(path, {"seconds": 60, "comment": "Please"}), 403, "permission_denied")

    def test_the_ledger(self, candidate: Person, exam: Exam) -> None:
        attempt = AttemptFactory(exam=exam, user=candidate.user, status=Status.STARTED)
        with time_machine.travel(TEN, tick=False):
            body = candidate.get(f"/attempts/{attempt.pk}/time/").json()
        assert body == {
            "entries": [
                {
                    "id": TimeEntry.objects.get().pk,
                    "kind": "base",
                    "seconds": 3600,
                    "state": "applied",
                    "reason_code": None,
                    "note": "",
                    "by": None,
                    "at": "2026-03-02T10:00:00Z",
                    "reverses": None,
                }
            ],
            "total_seconds": 3600,
            "started_at": "2026-03-02T10:00:00Z",
            "expires_at": "2026-03-02T11:00:00Z",
        }

    def test_a_correction_and_its_reversal(self, staff: Person, exam: Exam) -> None:
        attempt = AttemptFactory(exam=exam, status=Status.STARTED)
        path = f"/attempts/{attempt.pk}/time/"
        with time_machine.travel(TEN, tick=False):
            answer = staff.post(path, {"seconds": -600, "comment": "Came late", "reason_code": 20050})
            assert answer.status_code == 201
            assert (answer.json()["total_seconds"], answer.json()["expires_at"]) == (3000, "2026-03-02T10:50:00Z")
            entry = answer.json()["entries"][-1]
            who = {"id": staff.user.pk, "username": staff.user.username}
            assert (entry["kind"], entry["by"], entry["note"]) == ("correction", who, "Came late")
            body = staff.post(path, {"reverses": entry["id"], "comment": "My mistake"}).json()
        assert (body["total_seconds"], body["entries"][-1]["reverses"]) == (3600, entry["id"])
        refused(staff.post(path, {"reverses": entry["id"], "comment": "Again"}), 409, "already_reversed")

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({"comment": "x"}, "seconds"),
            ({"comment": "x", "seconds": 5, "reverses": 1}, "seconds"),
            ({"comment": "x", "seconds": 0}, "seconds"),
            ({"comment": "x", "seconds": 10**12}, "seconds"),
            ({"comment": "x", "seconds": "soon"}, "seconds"),
            ({"seconds": 5}, "comment"),
            ({"seconds": 5, "comment": ""}, "comment"),
            ({"seconds": 5, "comment": "x", "reason_code": 1}, "reason_code"),
            ({"comment": "x", "reverses": 2**63 - 1}, "reverses"),
            ({"comment": "x", "reverses": 2**63}, "reverses"),
        ],
    )
    def test_what_makes_no_sense_is_refused(
        self, staff: Person, attempt: Attempt, body: dict[str, Any], field: str
    ) -> None:
        answer = refused(staff.post(f"/attempts/{attempt.pk}/time/", body), 400, "invalid")
        assert list(answer["errors"]) == [field]

    def test_the_reason_may_be_called_a_note_as_in_the_ledger(self, staff: Person, attempt: Attempt) -> None:
        answer = staff.post(f"/attempts/{attempt.pk}/time/", {"seconds": 60, "note": "Drilling"})
        assert answer.status_code == 201, answer.content
        assert answer.json()["entries"][-1]["note"] == "Drilling"

    def test_an_entry_of_another_attempt_is_not_there(self, staff: Person, attempt: Attempt) -> None:
        other = AttemptFactory(exam=attempt.exam).time_entries.get()
        body = {"reverses": other.pk, "comment": "x"}
        refused(staff.post(f"/attempts/{attempt.pk}/time/", body), 400, "invalid")

    def test_what_an_attempt_began_with_is_not_reversible(self, staff: Person, attempt: Attempt) -> None:
        body = {"reverses": attempt.time_entries.get().pk, "comment": "x"}
        refused(staff.post(f"/attempts/{attempt.pk}/time/", body), 422, "not_reversible")

    def test_time_stays_in_range(self, staff: Person, attempt: Attempt) -> None:
        body = {"seconds": -3601, "comment": "x"}
        refused(staff.post(f"/attempts/{attempt.pk}/time/", body), 422, "time_out_of_range")
        assert attempt.time_entries.count() == 1

    def test_a_decided_attempt_is_closed(self, staff: Person, exam: Exam) -> None:
        attempt = AttemptFactory(exam=exam, status=Status.VERIFIED)
        refused(staff.post(f"/attempts/{attempt.pk}/time/", {"seconds": 5, "comment": "x"}), 409, "attempt_closed")


class TestIdempotency:
    KEY = {"Idempotency-Key": "k-1"}

    def test_creating_twice_answers_the_same_twice(self, candidate: Person, exam: Exam) -> None:
        path = f"/exams/{exam.pk}/attempts/"
        first = candidate.post(path, {"proctored": True}, **self.KEY)
        again = candidate.post(path, {"proctored": True}, **self.KEY)
        assert (first.status_code, again.status_code) == (201, 201)
        assert first.json() == again.json()
        assert "Idempotency-Replayed" not in first.headers
        assert again.headers["Idempotency-Replayed"] == "true"
        assert Attempt.objects.count() == 1

    def test_extending_and_correcting_twice_is_once(self, staff: Person, attempt: Attempt) -> None:
        for path, body in (("extend", {"minutes": 5, **WHY}), ("time", {"seconds": 60, "comment": "x"})):
            headers = {"Idempotency-Key": path}
            answers = [staff.post(f"/attempts/{attempt.pk}/{path}/", body, **headers) for _ in range(2)]
            assert answers[0].json() == answers[1].json()
            assert answers[1].headers["Idempotency-Replayed"] == "true"
        attempt.refresh_from_db()
        assert attempt.total_seconds == 3600 + 300 + 60

    def test_a_key_belongs_to_one_request_of_one_person(
        self, staff: Person, superuser: Person, attempt: Attempt
    ) -> None:
        path = f"/attempts/{attempt.pk}/extend/"
        staff.post(path, {"minutes": 5, **WHY}, **self.KEY)
        refused(staff.post(path, {"minutes": 6, **WHY}, **self.KEY), 422, "idempotency_key_reused")
        assert superuser.post(path, {"minutes": 6, **WHY}, **self.KEY).status_code == 200

    def test_a_refusal_is_not_kept(self, candidate: Person, proctored: Exam) -> None:
        path = f"/exams/{proctored.pk}/attempts/"
        Exam.objects.filter(pk=proctored.pk).update(exam_type=ExamType.TIMED, status="draft")
        refused(candidate.post(path, {}, **self.KEY), 422, "exam_not_active")
        Exam.objects.filter(pk=proctored.pk).update(status="active")
        assert candidate.post(path, {}, **self.KEY).status_code == 201

    def test_the_right_is_asked_for_each_time(self, staff: Person, attempt: Attempt, lms: Any) -> None:
        path = f"/attempts/{attempt.pk}/extend/"
        staff.post(path, {"minutes": 5, **WHY}, **self.KEY)
        lms.roles.clear()
        refused(staff.post(path, {"minutes": 5, **WHY}, **self.KEY), 404, "not_found")

    @pytest.mark.parametrize("key", ["", "x" * 256, "tab\t"])
    def test_a_key_is_printable_and_bounded(self, candidate: Person, exam: Exam, key: str) -> None:
        body = refused(candidate.post(f"/exams/{exam.pk}/attempts/", {}, **{"Idempotency-Key": key}), 400, "invalid")
        assert list(body["errors"]) == ["Idempotency-Key"]


def test_course_of_the_tests_is_hard_to_write_in_a_path() -> None:
    assert set("+@:") <= set(A)


@pytest.mark.parametrize("user", ["9223372036854775807", "9223372036854775808", "9" * 19, "9" * 200])
def test_a_number_that_is_nobody_finds_nobody(candidate: Person, user: str) -> None:
    answer = candidate.get("/attempts/", user=user)
    assert (answer.status_code, answer.json()["results"]) == (200, [])
