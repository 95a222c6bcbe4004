"""The readings of the log: who may, each vocabulary, and what the services write."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam
from proctoring.host import Role, host
from proctoring.logs.models import EventActor
from tests.api.conftest import WHY, A, B, Person, refused
from tests.factories import AttemptFactory, EventFactory, ExamFactory, UserFactory, at
from tests.hosts import ScriptedHost, configure

FOLDER = Path(__file__).resolve().parent.parent / "catalogues"
EVERYTHING = ("test-taker", "start", "resume", "submission", "navigation")


def catalogue(name: str) -> list[dict[str, str]]:
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rows(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def candidate_log(who: Person, attempt: Attempt | int, **query: Any) -> list[dict[str, Any]]:
    return rows(who.get(f"/attempts/{getattr(attempt, 'pk', attempt)}/candidate-log/", **query))


def timeline(who: Person, attempt: Attempt | int, **query: Any) -> list[dict[str, Any]]:
    return rows(who.get(f"/attempts/{getattr(attempt, 'pk', attempt)}/timeline/", **query))


def acs(who: Person, attempt: Attempt | int, **query: Any) -> list[dict[str, Any]]:
    return rows(who.get("/logs/acs/", deliveryExecutionId=getattr(attempt, "pk", attempt), **query))


@pytest.fixture
def viewer(person: Callable[..., Person]) -> Person:
    return person(Role.LOG_VIEWER)


@pytest.fixture
def log_settings(settings: Any, lms: ScriptedHost) -> Callable[..., None]:
    """Change settings; who holds which role stays as it is."""

    def change(**keys: Any) -> None:
        configure(settings, **keys)
        vars(host()).update(vars(lms))

    return change


@pytest.fixture
def whole(log_settings: Callable[..., None]) -> None:
    """The ACS log shows everything."""
    log_settings(ACS_LOG_INCLUDES=EVERYTHING, TENANT_ID="north")


class TestWho:
    def test_those_who_read_logs(
        self, viewer: Person, proctor: Person, staff: Person, superuser: Person, attempt: Attempt
    ) -> None:
        EventFactory(attempt=attempt, type=1010)
        for who in (viewer, proctor, staff, superuser):
            assert len(candidate_log(who, attempt)) == len(timeline(who, attempt)) == len(acs(who, attempt)) == 1
            assert len(rows(who.get("/logs/acs/", deliveryId=attempt.exam_id))) == 1

    def test_the_candidate_their_own_candidate_log_alone(self, candidate: Person, attempt: Attempt) -> None:
        EventFactory(attempt=attempt, type=1010, ip="192.0.2.7")
        assert [row["ip_address"] for row in candidate_log(candidate, attempt)] == ["192.0.2.7"]
        refused(candidate.get(f"/attempts/{attempt.pk}/timeline/"), 403, "permission_denied")
        refused(candidate.get("/logs/acs/", deliveryExecutionId=attempt.pk), 403, "permission_denied")
        refused(candidate.get("/logs/acs/", deliveryId=attempt.exam_id), 403, "permission_denied")
        refused(candidate.get("/logs/acs/"), 403, "permission_denied")
        other = AttemptFactory(exam=attempt.exam)
        refused(candidate.get(f"/attempts/{other.pk}/candidate-log/"), 404, "not_found")
        refused(candidate.get(f"/attempts/{other.pk}/timeline/"), 404, "not_found")

    def test_whoever_sits_the_exam_reads_no_more_of_their_own_attempt(
        self, viewer: Person, proctor: Person, staff: Person, superuser: Person, attempt: Attempt
    ) -> None:
        EventFactory(attempt=attempt, type=1010)
        # Of no attempt any more: nobody's own.
        EventFactory(attempt=None, exam=attempt.exam, type=1010, status="")
        for who in (viewer, proctor, staff):
            own = AttemptFactory(exam=attempt.exam, user=who.user)
            EventFactory(attempt=own, type=1010)
            assert len(candidate_log(who, own)) == 1
            for path in (f"/attempts/{own.pk}/timeline/", f"/attempts/{own.pk}/commands/"):
                refused(who.get(path), 403, "permission_denied")
            refused(who.get("/logs/acs/", deliveryExecutionId=own.pk), 403, "permission_denied")
            assert len(timeline(who, attempt)) == 1
        for who in (viewer, proctor, staff):
            shown = rows(who.get("/logs/acs/", deliveryId=attempt.exam_id))
            assert len(shown) == 4
            assert who.user.get_username() not in {row["testTaker"] for row in shown}
        own = AttemptFactory(exam=attempt.exam, user=superuser.user)
        EventFactory(attempt=own, type=1010)
        assert len(timeline(superuser, own)) == len(acs(superuser, own)) == 1
        assert len(rows(superuser.get("/logs/acs/", deliveryId=attempt.exam_id))) == 6

    def test_nobody_else(
        self,
        nobody: Person,
        reviewer: Person,
        neighbour: Person,
        person: Callable[..., Person],
        lms: Any,
        attempt: Attempt,
    ) -> None:
        logs = [f"/attempts/{attempt.pk}/{name}/" for name in ("candidate-log", "timeline")]
        scopes = [f"/logs/acs/?deliveryExecutionId={attempt.pk}", f"/logs/acs/?deliveryId={attempt.exam_id}"]
        for path in (*logs, *scopes, "/logs/acs/"):
            refused(nobody.get(path), 401, "not_authenticated")
        for path in (*logs, *scopes):
            refused(reviewer.get(path), 403, "permission_denied")
        refused(reviewer.get("/logs/acs/"), 403, "permission_denied")
        others = (neighbour, person(), person(Role.LMS), person(Role.LOG_VIEWER, course=B))
        lms.blind |= {who.user.pk for who in others}
        for who in others:
            for path in (*logs, *scopes):
                refused(who.get(path), 404, "not_found")

    def test_a_log_viewer_reads_and_does_nothing(self, viewer: Person, attempt: Attempt) -> None:
        for action in ("pause", "resume", "extend", "terminate", "void", "reset", "authorize-resume", "ready"):
            assert viewer.post(f"/attempts/{attempt.pk}/{action}/", {**WHY, "minutes": 5}).status_code in (403, 404)

    @pytest.mark.parametrize("pk", ["0", "x", "-1", "9" * 19, "9" * 30, "%00", "1.5"])
    def test_what_is_not_there(self, pk: str, viewer: Person) -> None:
        for path in (f"/attempts/{pk}/candidate-log/", f"/attempts/{pk}/timeline/"):
            refused(viewer.get(path), 404, "not_found")
        for scope in ("deliveryId", "deliveryExecutionId"):
            refused(viewer.get(f"/logs/acs/?{scope}={pk}"), 404, "not_found")


class TestVocabularies:
    def test_each_of_the_70_types_in_the_timeline(self, viewer: Person, attempt: Attempt) -> None:
        vendors, own = catalogue("event_types"), catalogue("own_event_types")
        assert (len(vendors), len(own)) == (33, 37)
        codes = [int(row["event_type_id"]) for row in vendors] + [int(row["type"]) for row in own]
        for code in codes:
            EventFactory(attempt=attempt, type=code)
        shown = {row["type"]: row for row in timeline(viewer, attempt, page_size=200)}
        assert set(shown) == set(codes)
        for one in vendors:
            row = shown[int(one["event_type_id"])]
            expected = (one["name"], one["category"], one["default_severity"])
            assert (row["name"], row["category"], row["severity"]) == expected
        for one in own:
            row = shown[int(one["type"])]
            assert (row["name"], row["severity"]) == (one["name"], one["severity"])
        assert all(row["label"] and row["description"] for row in shown.values())

    @pytest.mark.usefixtures("whole")
    def test_how_each_own_type_reads_in_the_other_two(self, viewer: Person, attempt: Attempt) -> None:
        own = catalogue("own_event_types")
        for one in own:
            EventFactory(attempt=attempt, type=int(one["type"]), message_id=one["type"])
        for one in catalogue("event_types"):
            EventFactory(attempt=attempt, type=int(one["event_type_id"]))
        shown = {row["messageId"]: row for row in acs(viewer, attempt, page_size=200)}
        vendors = [row["action"] for key, row in shown.items() if key not in {one["type"] for one in own}]
        grave = [one for one in catalogue("event_types") if one["default_severity"] in ("warning", "alert")]
        assert (vendors.count("flag"), len(vendors)) == (len(grave), 33)
        assert {key for key in shown if key.isdigit()} == {one["type"] for one in own if one["acs_action"]}
        for one in own:
            if one["acs_action"]:
                row = shown[one["type"]]
                said = "" if row["reasonCode"] is None else str(row["reasonCode"])
                assert (row["action"], said) == (one["acs_action"], one["acs_reason_code"])
                assert row["reasonMessage"]
        actions = [row["action"] for row in candidate_log(viewer, attempt, order="oldest")]
        assert actions == [one["candidate_action"] for one in own if one["candidate_action"]]
        assert sorted(actions) == sorted(one["action"] for one in catalogue("candidate_log_actions"))
        assert len(actions) == 14

    def test_each_of_the_24_causes(self, proctor: Person, viewer: Person, exam: Exam) -> None:
        causes = [int(one["reason_code"]) for one in catalogue("acs_reason_codes")]
        assert len(causes) == 24
        for code in causes:
            attempt = AttemptFactory(exam=exam, status=Status.CREATED)
            said = {"reason_code": code, "comment": f"Because {code}"}
            assert proctor.post(f"/attempts/{attempt.pk}/terminate/", said).status_code == 200
            (row,) = acs(viewer, attempt, reasonCode=code)
            assert (row["action"], row["reasonCode"], row["reasonMessage"]) == ("terminate", code, f"Because {code}")
        refused(proctor.post(f"/attempts/{attempt.pk}/void/", {**WHY, "reason_code": 10011}), 400, "invalid")

    def test_the_21_fields_and_7_columns(self, viewer: Person, attempt: Attempt) -> None:
        fields = [one["api_name"] for one in catalogue("acs_fields")]
        columns = [one["column"].lower().replace(" ", "_") for one in catalogue("candidate_log_columns")]
        EventFactory(attempt=attempt, type=1010)
        (row,) = acs(viewer, attempt)
        assert list(row) == fields
        assert len(fields) == 21
        (row,) = candidate_log(viewer, attempt)
        assert [name for name in row if name != "action_label"] == columns
        assert len(columns) == 7
        for path, names in (
            (f"/logs/acs/?deliveryExecutionId={attempt.pk}", fields),
            (f"/attempts/{attempt.pk}/candidate-log/?", columns),
        ):
            text = b"".join(viewer.get(f"{path}&export=csv").streaming_content).decode()
            assert text.splitlines()[0].split(",") == names


class TestRows:
    @pytest.mark.usefixtures("whole")
    def test_whole_ones(self, viewer: Person, candidate: Person, attempt: Attempt) -> None:
        proctor = UserFactory(first_name="Grace", last_name="Hopper")
        given = {
            "type": 1012,
            "actor": EventActor.PROCTOR,
            "actor_user": proctor,
            "at": at(10, 1),
            "occurred_at": at(10, 2),
            "received_at": at(10, 3),
            "status": "paused",
            "reason_code": 40030,
            "reason_message": "Line down",
            "extra_minutes": 5,
            "item_id": "i-1",
            "question_number": 2,
            "error": "Oops",
            "ip": "2001:db8::1",
            "user_agent": "Firefox",
            "data": {"a": 1},
            "backend": "vendor",
            "stream": "s",
            "sequence": 3,
            "message_id": "m-1",
        }
        event = EventFactory(attempt=attempt, **given)
        login = candidate.user.get_username()
        (row,) = acs(viewer, attempt)
        assert row == {
            "deliveryId": str(attempt.exam_id),
            "deliveryExecutionId": str(attempt.pk),
            "testTaker": login,
            "login": login,
            "name": "Grace Hopper",
            "actor": "proctor",
            "action": "update",
            "actionStatus": "succeeded",
            "reasonCode": 40030,
            "reasonMessage": "Line down",
            "extraTime": 5,
            "incidentTime": int(at(10, 1).timestamp()),
            "last_update_date": int(at(10, 3).timestamp()),
            "itemId": "i-1",
            "resourceLink": str(attempt.exam_id),
            "status": "suspended",
            "tenantId": "north",
            "userAgent": "Firefox",
            "ip": "2001:db8::1",
            "messageId": "m-1",
            "_id": str(attempt.pk),
        }
        (row,) = candidate_log(viewer, attempt)
        assert row == {
            "timestamp": "2026-03-02T10:01:00Z",
            "attempt": 1,
            "action": "Extra time granted",
            "action_label": "Extra time granted",
            "question_number": 2,
            "item_id": "i-1",
            "error": "Oops",
            "ip_address": "2001:db8::1",
        }
        (row,) = timeline(viewer, attempt)
        assert row == {
            "id": event.pk,
            "at": "2026-03-02T10:01:00Z",
            "occurred_at": "2026-03-02T10:02:00Z",
            "received_at": "2026-03-02T10:03:00Z",
            "type": 1012,
            "name": "extra time granted",
            "label": "Extra time granted",
            "description": "Minutes were added to this attempt.",
            "category": "time",
            "severity": "notice",
            "actor": "proctor",
            "backend": "vendor",
            "reason_code": 40030,
            "reason_message": "Line down",
            "question_number": 2,
            "item_id": "i-1",
            "stream": "s",
            "sequence": 3,
            "connection": "unknown",
            "data": {"a": 1},
        }

    @pytest.mark.usefixtures("whole")
    def test_who_acted(self, viewer: Person, candidate: Person, attempt: Attempt) -> None:
        nameless = UserFactory(username="desk", first_name="", last_name="")
        for actor, by, read, name in (
            (EventActor.TEST_TAKER, candidate.user, "test-taker", candidate.user.get_username()),
            (EventActor.TEST_TAKER, None, "test-taker", candidate.user.get_username()),
            (EventActor.PROCTOR, nameless, "proctor", "desk"),
            (EventActor.PROCTOR, None, "proctor", ""),
            (EventActor.SYSTEM, nameless, "system", ""),
            (EventActor.DELIVER_FE, None, "deliver-fe", ""),
            (EventActor.VENDOR, None, "system", ""),
        ):
            EventFactory(attempt=attempt, type=1017, actor=actor, actor_user=by)
            row = acs(viewer, attempt)[0]
            assert (row["actor"], row["name"]) == (read, name)
            assert row["login"] == row["testTaker"] == candidate.user.get_username()

    def test_without_an_attempt_and_of_an_unknown_status(self, viewer: Person, exam: Exam) -> None:
        EventFactory(attempt=None, exam=exam, type=1017, status="dreaming")
        (row,) = rows(viewer.get("/logs/acs/", deliveryId=exam.pk))
        names = ("deliveryExecutionId", "_id", "login", "testTaker", "name", "status")
        assert [row[name] for name in names] == [None, None, "", "", "", ""]

    @pytest.mark.usefixtures("whole")
    def test_vendors_unknown_types_are_shown_as_unknown(self, viewer: Person, attempt: Attempt) -> None:
        EventFactory(attempt=attempt, type=4711, actor=EventActor.VENDOR)
        (row,) = timeline(viewer, attempt)
        assert (row["name"], row["category"], row["label"]) == (None, "unknown", "Unknown event 4711")
        (row,) = acs(viewer, attempt)
        assert (row["action"], row["actor"], row["reasonCode"]) == ("flag", "system", None)
        assert row["reasonMessage"] == "Unknown event 4711"
        assert candidate_log(viewer, attempt) == []

    def test_siblings(self, viewer: Person, candidate: Person, attempt: Attempt) -> None:
        second = AttemptFactory(exam=attempt.exam, user=candidate.user, number=2, status=Status.SUBMITTED)
        AttemptFactory(exam=attempt.exam, number=3)
        AttemptFactory(exam=ExamFactory(course_id=A), user=candidate.user, number=4)
        both = [{"id": attempt.pk, "number": 1}, {"id": second.pk, "number": 2}]
        for who in (viewer, candidate):
            for one in (attempt, second):
                body = who.get(f"/attempts/{one.pk}/candidate-log/").json()
                assert body == {"results": [], "next": None, "previous": None, "siblings": both}

    def test_in_the_readers_language(self, viewer: Person, attempt: Attempt) -> None:
        EventFactory(attempt=attempt, type=1010)
        viewer.client.defaults["HTTP_ACCEPT_LANGUAGE"] = "de"
        (row,) = candidate_log(viewer, attempt)
        assert row["action"] == "Exam paused"
        assert timeline(viewer, attempt)[0]["name"] == "paused"


class TestSettings:
    def test_what_the_acs_log_leaves_out(
        self, viewer: Person, attempt: Attempt, log_settings: Callable[..., None]
    ) -> None:
        for type_, actor in (
            (1002, EventActor.TEST_TAKER),
            (1007, EventActor.TEST_TAKER),
            (1008, EventActor.SYSTEM),
            (1010, EventActor.PROCTOR),
            (1011, EventActor.PROCTOR),
            (1030, EventActor.TEST_TAKER),
            (1030, EventActor.VENDOR),
            (1041, EventActor.SYSTEM),
            (16, EventActor.VENDOR),
            (999, EventActor.TEST_TAKER),
            (4711, EventActor.VENDOR),
        ):
            EventFactory(attempt=attempt, type=type_, actor=actor)
        scopes = ({"deliveryExecutionId": attempt.pk}, {"deliveryId": attempt.exam_id})
        for included, actions in (
            ((), ["flag", "flag", "flag", "pause"]),
            (("resume",), ["flag", "flag", "flag", "resume", "pause"]),
            (("submission",), ["flag", "flag", "flag", "pause", "submission"]),
            (("navigation", "start"), ["flag", "flag", "navigation", "flag", "pause"]),
            (("test-taker",), ["flag", "flag", "flag", "flag", "flag", "pause"]),
            (("test-taker", "start"), ["flag", "flag", "flag", "flag", "flag", "pause", "start"]),
        ):
            log_settings(ACS_LOG_INCLUDES=included)
            for scope in scopes:
                assert [row["action"] for row in rows(viewer.get("/logs/acs/", **scope))] == actions, included

    def test_the_scope_is_required(self, viewer: Person, staff: Person, attempt: Attempt) -> None:
        for who in (viewer, staff):
            refused(who.get("/logs/acs/"), 400, "scope_required")
            refused(who.get("/logs/acs/", deliveryId="", deliveryExecutionId=""), 400, "scope_required")
        EventFactory(attempt=attempt, type=1010)
        assert len(acs(viewer, attempt, deliveryId=attempt.exam_id)) == 1
        assert acs(viewer, attempt, deliveryId=attempt.exam_id + 1) == []
