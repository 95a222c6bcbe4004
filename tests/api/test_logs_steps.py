"""What is done through the doors, read in all three logs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam
from proctoring.host import Role, host
from proctoring.logs.event_types import Source
from proctoring.logs.intake import Reporter, take_in
from proctoring.logs.models import Event
from tests.api.conftest import WHY, Person, created
from tests.api.test_logs import EVERYTHING, acs, candidate_log, timeline
from tests.factories import TEN, AttemptFactory
from tests.hosts import ScriptedHost, configure


@pytest.fixture
def viewer(person: Callable[..., Person]) -> Person:
    return person(Role.LOG_VIEWER)


@pytest.fixture
def whole(settings: Any, lms: ScriptedHost) -> None:
    """The ACS log shows everything; who holds which role stays as it is."""
    configure(settings, ACS_LOG_INCLUDES=EVERYTHING)
    vars(host()).update(vars(lms))


@pytest.mark.usefixtures("whole")
class TestSteps:
    def test_from_the_start_to_the_end(
        self, candidate: Person, proctor: Person, viewer: Person, exam: Exam, person: Callable[..., Person]
    ) -> None:
        pk = created(candidate, exam)["id"]
        path = f"/attempts/{pk}/"
        why = {"reason_code": 10040, "comment": "Fuse"}
        candidate.post(f"{path}start/")
        candidate.post(f"{path}events/", [_said("q", 1004, question_number=1), _said("a", 1005, question_number=1)])
        person(Role.LMS).post(f"{path}events/", [_said("s", 1006, question_number=1)])
        proctor.post(f"{path}pause/", why)
        proctor.post(f"{path}resume/", {**why, "comment": "Mended"})
        proctor.post(f"{path}extend/", {**why, "minutes": 10, "comment": "Lost time"})
        assert candidate.post(f"{path}submit/").status_code == 200
        name, login = proctor.user.get_full_name(), candidate.user.get_username()
        read = [
            (row["actor"], row["name"], row["action"], row["extraTime"], row["status"])
            for row in reversed(acs(viewer, pk))
        ]
        assert read == [
            ("test-taker", login, "start", None, "interacting"),
            ("test-taker", login, "navigation", None, "interacting"),
            ("proctor", name, "pause", None, "suspended"),
            # Beside each step, that the page was told.
            ("proctor", name, "log", None, "suspended"),
            ("proctor", name, "resume", None, "interacting"),
            ("proctor", name, "log", None, "interacting"),
            ("proctor", name, "update", 10, "interacting"),
            ("proctor", name, "log", None, "interacting"),
            ("test-taker", login, "submission", None, "closed"),
        ]
        steps = [row for row in reversed(acs(viewer, pk, actor="proctor")) if row["action"] != "log"]
        said = [(row["reasonCode"], row["reasonMessage"]) for row in steps]
        assert said[0] == (10040, "Fuse")
        assert said[2] == (10040, "Lost time")
        assert said[1][1] == "Mended"
        assert [row["action"] for row in candidate_log(candidate, pk, order="oldest")] == [
            "Exam started",
            "Question visited",
            "Question answered",
            "Candidate save answer",
            "Exam paused",
            "Exam resumed",
            "Extra time granted",
            "Exam completed",
        ]
        types = [row["type"] for row in timeline(viewer, pk, order="oldest")]
        assert types == [1001, 1002, 1004, 1005, 1006, 1010, 1050, 1011, 1050, 1012, 1050, 1007]

    def test_why_somebody_let_the_clock_run_again(
        self, candidate: Person, proctor: Person, viewer: Person, exam: Exam
    ) -> None:
        pk = created(candidate, exam)["id"]
        candidate.post(f"/attempts/{pk}/start/")
        for step in ("pause", "resume"):
            assert proctor.post(f"/attempts/{pk}/{step}/", WHY).status_code == 200
        (row,) = acs(viewer, pk, action="resume")
        assert (row["reasonCode"], row["reasonMessage"]) == (WHY["reason_code"], WHY["comment"])

    def test_ended_against_the_candidates_will(
        self, candidate: Person, proctor: Person, staff: Person, viewer: Person, exam: Exam
    ) -> None:
        pk = created(candidate, exam)["id"]
        candidate.post(f"/attempts/{pk}/start/")
        assert proctor.post(f"/attempts/{pk}/terminate/", WHY).status_code == 200
        assert staff.post(f"/attempts/{pk}/authorize-resume/", WHY).status_code == 200
        second = created(candidate, exam)["id"]
        assert staff.post(f"/attempts/{second}/reset/", WHY).status_code == 200
        third = created(candidate, exam)["id"]
        assert proctor.post(f"/attempts/{third}/void/", WHY).status_code == 200
        cause, comment = WHY["reason_code"], WHY["comment"]
        for one, steps, candidates in (
            (pk, [("log", "closed"), ("terminate", "terminated")], ["Exam started"]),
            (second, [("reset", "terminated")], []),
            (third, [("termination", "terminated")], ["Voided"]),
        ):
            found = acs(viewer, one, reasonCode=cause)
            assert [row["action"] for row in found] == [action for action, _ in steps]
            assert {(row["reasonMessage"], row["actor"]) for row in found} == {(comment, "proctor")}
            assert [row["action"] for row in candidate_log(viewer, one)] == candidates
        assert [row["type"] for row in timeline(viewer, pk)] == [1016, 1050, 1013, 1002, 1001]
        assert [row["type"] for row in timeline(viewer, second)] == [1015, 1001]

    def test_an_error_and_a_verdict(self, candidate: Person, reviewer: Person, viewer: Person, proctored: Exam) -> None:
        pk = created(candidate, proctored)["id"]
        candidate.post(f"/attempts/{pk}/start/")
        assert candidate.post(f"/attempts/{pk}/error/", {"detail": "Screen froze"}).status_code == 200
        row = acs(viewer, pk)[0]
        assert (row["action"], row["status"]) == ("log", "suspended")
        assert "Screen froze" in row["reasonMessage"]
        ended = AttemptFactory(exam=proctored, status=Status.SUBMITTED)
        body = {"status": "violation", "message": "Somebody whispers"}
        answer = reviewer.post(f"/attempts/{ended.pk}/reviews/", body)
        assert answer.status_code == 201, answer.content
        first = timeline(viewer, ended)[0]
        assert (first["type"], first["data"]["from"], first["data"]["to"]) == (1061, "submitted", "rejected")
        row = acs(viewer, ended)[0]
        assert (row["action"], row["actor"], row["name"]) == ("log", "proctor", reviewer.user.get_full_name())
        assert candidate_log(viewer, ended) == []


def _said(name: str, type_: int, **fields: Any) -> dict[str, Any]:
    return {"message_id": name, "type": type_, "occurred_at": timezone.now().isoformat(), **fields}


def test_a_vendor_says_how_grave_it_is_in_words(attempt: Attempt) -> None:
    given = ("alert", "loud", [], {}, None, 7)
    sent = [
        {"message_id": f"m{n}", "type": 3, "occurred_at": TEN.isoformat(), "severity": s} for n, s in enumerate(given)
    ]
    taken = take_in(attempt, sent, Reporter(source=Source.VENDOR), now=timezone.now())
    assert (taken.stored, taken.refused) == (len(given), ())
    assert list(Event.objects.order_by("pk").values_list("severity", flat=True)) == ["alert"] + ["info"] * 5
