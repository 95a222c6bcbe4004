"""``attempts/{id}/{action}/``: who may, what they must say, what comes of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine

from proctoring.api.v1.actions import ACTIONS
from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam, ExamType
from proctoring.host import PrerequisiteState, Role
from tests.api.conftest import WHY, Person, created, refused
from tests.factories import TEN, AllowanceFactory, AttemptFactory, ExamFactory, at
from tests.hosts import ScriptedHost

pytestmark = pytest.mark.usefixtures("lms")

OWNERS = ["launch", "start", "stop", "submit", "decline", "error", "acknowledge"]
INVIGILATORS = ["pause", "resume", "terminate", "void", "extend", "message", "flag", "reload"]
MORE = {"minutes": 5, "text": "Please sit down."}
"""What some of them need beside a reason."""
STAFFS = ["authorize-resume", "ready", "reset"]


def test_every_action_is_somebodys() -> None:
    assert sorted([*OWNERS, *INVIGILATORS, *STAFFS]) == sorted(ACTIONS)


def run(person: Person, attempt: Attempt, action: str, **body: Any) -> Any:
    return person.post(f"/attempts/{attempt.pk}/{action}/", body or None)


class TestWhoMay:
    @pytest.mark.parametrize("action", ACTIONS)
    def test_anonymous_may_nothing(self, nobody: Person, attempt: Attempt, action: str) -> None:
        refused(run(nobody, attempt, action, **WHY), 401, "not_authenticated")

    @pytest.mark.parametrize("action", ACTIONS)
    def test_staff_of_another_course_and_other_candidates_do_not_see_it(
        self, neighbour: Person, person: Any, attempt: Attempt, action: str
    ) -> None:
        for stranger in (neighbour, person()):
            refused(run(stranger, attempt, action, minutes=5, **WHY), 404, "not_found")

    @pytest.mark.parametrize("action", OWNERS)
    def test_only_the_candidate_does_what_is_the_candidates(
        self, staff: Person, proctor: Person, reviewer: Person, attempt: Attempt, action: str
    ) -> None:
        for other in (staff, proctor, reviewer):
            refused(run(other, attempt, action, detail=5), 403, "permission_denied")
        attempt.refresh_from_db()
        assert attempt.status == Status.CREATED

    @pytest.mark.parametrize("action", [*INVIGILATORS, *STAFFS])
    def test_the_candidate_cannot_intervene_and_hears_so_before_the_body_is_read(
        self, candidate: Person, attempt: Attempt, action: str
    ) -> None:
        refused(run(candidate, attempt, action, **WHY, minutes=5, text="Hello"), 403, "permission_denied")
        refused(candidate.raw("POST", f"/attempts/{attempt.pk}/{action}/", "{"), 403, "permission_denied")

    @pytest.mark.parametrize("action", [*INVIGILATORS, *STAFFS])
    def test_a_reviewer_sees_and_cannot_intervene(self, reviewer: Person, attempt: Attempt, action: str) -> None:
        refused(run(reviewer, attempt, action, **WHY, minutes=5), 403, "permission_denied")

    @pytest.mark.parametrize("action", STAFFS)
    def test_an_invigilator_cannot_do_what_is_for_staff(self, proctor: Person, attempt: Attempt, action: str) -> None:
        refused(run(proctor, attempt, action, **WHY), 403, "permission_denied")

    def test_a_course_named_in_the_body_gives_no_right(self, neighbour: Person, attempt: Attempt) -> None:
        body = {**WHY, "course_id": "course-v1:Demo+B@2026"}
        refused(neighbour.post(f"/attempts/{attempt.pk}/terminate/", body), 404, "not_found")

    @pytest.mark.parametrize("action", ["pause", "terminate", "void"])
    def test_a_get_changes_nothing(self, staff: Person, attempt: Attempt, action: str) -> None:
        refused(staff.get(f"/attempts/{attempt.pk}/{action}/"), 405, "method_not_allowed")


class TestReasons:
    @pytest.mark.parametrize("action", [*INVIGILATORS, "authorize-resume", "reset"])
    @pytest.mark.parametrize(
        ("body", "fields"),
        [
            ({}, {"reason_code", "comment"}),
            ({"reason_code": 10030}, {"comment"}),
            ({"comment": "Noise"}, {"reason_code"}),
            ({"reason_code": 10031, "comment": "Noise"}, {"reason_code"}),
            ({"reason_code": "NOISE", "comment": "Noise"}, {"reason_code"}),
            ({"reason_code": True, "comment": "Noise"}, {"reason_code"}),
            ({"reason_code": 10030, "comment": "  "}, {"comment"}),
            ({"reason_code": 10030, "comment": "x" * 2001}, {"comment"}),
            ({"reason_code": 10030, "comment": "nul\x00"}, {"comment"}),
        ],
    )
    def test_a_person_names_a_known_cause_and_says_why(
        self, staff: Person, attempt: Attempt, action: str, body: dict[str, Any], fields: set[str]
    ) -> None:
        answer = refused(staff.post(f"/attempts/{attempt.pk}/{action}/", {**MORE, **body}), 400, "invalid")
        assert set(answer["errors"]) == fields
        attempt.refresh_from_db()
        assert attempt.status == Status.CREATED

    @pytest.mark.parametrize("minutes", [0, -5, 1441, "many", None, 1.5, True, 10**30])
    def test_an_extension_is_between_a_minute_and_a_day(self, staff: Person, attempt: Attempt, minutes: object) -> None:
        body = refused(run(staff, attempt, "extend", minutes=minutes, **WHY), 400, "invalid")
        assert list(body["errors"]) == ["minutes"]

    def test_who_and_why_are_in_the_history(self, proctor: Person, attempt: Attempt) -> None:
        run(proctor, attempt, "terminate", **WHY)
        record = attempt.history.first()
        assert (record.history_user, record.history_change_reason) == (proctor.user, "10030: Drilling next door")


class TestCandidate:
    def test_a_whole_timed_exam(self, candidate: Person, attempt: Attempt) -> None:
        with time_machine.travel(TEN, tick=False) as clock:
            body = run(candidate, attempt, "start").json()
            assert (body["status"], body["phase"], body["seconds_left"]) == ("started", "running", 3600)
            assert (body["started_at"], body["expires_at"]) == ("2026-03-02T10:00:00Z", "2026-03-02T11:00:00Z")
            clock.shift(timedelta(minutes=30, milliseconds=1))
            assert run(candidate, attempt, "stop").json()["status"] == "ready_to_submit"
            assert run(candidate, attempt, "start").json()["seconds_left"] == 1799
            body = run(candidate, attempt, "submit").json()
        assert (body["status"], body["seconds_left"], body["expires_at"]) == ("submitted", None, None)
        assert body["submitted_at"] == body["ended_at"] == "2026-03-02T10:30:00.001000Z"
        assert run(candidate, attempt, "acknowledge").json()["acknowledged_at"] is not None

    def test_a_second_start_is_an_illegal_transition(self, candidate: Person, attempt: Attempt) -> None:
        run(candidate, attempt, "start")
        refused(run(candidate, attempt, "start"), 409, "illegal_transition")

    def test_submit_after_the_deadline_answers_with_the_attempt_that_ended_at_it(
        self, candidate: Person, attempt: Attempt
    ) -> None:
        with time_machine.travel(TEN, tick=False) as clock:
            run(candidate, attempt, "start")
            clock.shift(timedelta(hours=2))
            answer = run(candidate, attempt, "submit")
        assert answer.status_code == 200
        assert (answer.json()["status"], answer.json()["ended_at"]) == ("submitted", "2026-03-02T11:00:00Z")

    def test_declining(self, candidate: Person, proctored: Exam) -> None:
        attempt = AttemptFactory(exam=proctored, user=candidate.user)
        assert run(candidate, attempt, "decline").json()["status"] == "declined"

    def test_a_timed_exam_cannot_be_declined(self, candidate: Person, attempt: Attempt) -> None:
        refused(run(candidate, attempt, "decline"), 422, "opt_out_not_allowed")

    def test_launching_twice_is_once(self, candidate: Person, proctored: Exam) -> None:
        attempt = AttemptFactory(exam=proctored, user=candidate.user)
        assert run(candidate, attempt, "launch").json()["status"] == "download_software_clicked"
        assert run(candidate, attempt, "launch").status_code == 200
        assert attempt.history.filter(status=Status.DOWNLOAD_SOFTWARE_CLICKED).count() == 1

    def test_an_error_takes_a_bounded_detail(self, candidate: Person, attempt: Attempt) -> None:
        refused(run(candidate, attempt, "error", detail="x" * 2001), 400, "invalid")
        assert run(candidate, attempt, "error", detail="The camera is gone").json()["status"] == "error"

    def test_reporting_an_error_gives_no_free_pause(self, candidate: Person, attempt: Attempt) -> None:
        run(candidate, attempt, "start")
        run(candidate, attempt, "error")
        refused(run(candidate, attempt, "authorize-resume", **WHY), 403, "permission_denied")
        refused(candidate.post(f"/exams/{attempt.exam_id}/attempts/"), 422, "attempt_limit_reached")

    def test_an_open_attempt_cannot_be_acknowledged(self, candidate: Person, attempt: Attempt) -> None:
        refused(run(candidate, attempt, "acknowledge"), 409, "not_ended")

    def test_a_failed_prerequisite_declines_at_the_start(
        self, candidate: Person, proctored: Exam, lms: ScriptedHost
    ) -> None:
        attempt = AttemptFactory(exam=proctored, user=candidate.user)
        lms.require(PrerequisiteState.FAILED)
        assert run(candidate, attempt, "start").json()["status"] == "declined"


class TestInvigilator:
    def test_pause_and_resume_give_the_pause_back(self, proctor: Person, candidate: Person, attempt: Attempt) -> None:
        with time_machine.travel(TEN, tick=False) as clock:
            run(candidate, attempt, "start")
            clock.move_to(at(10, 20))
            body = run(proctor, attempt, "pause", **WHY).json()
            assert (body["status"], body["expires_at"], body["seconds_left"]) == ("paused", None, None)
            clock.move_to(at(10, 32))
            body = run(proctor, attempt, "resume", **WHY).json()
        assert (body["status"], body["expires_at"], body["total_seconds"]) == ("started", "2026-03-02T11:12:00Z", 4320)
        entry = TimeEntry.objects.get(kind="pause")
        assert (entry.seconds, entry.reason_code, entry.note) == (720, 10030, "Drilling next door")

    def test_a_pause_says_when_it_ends_by_itself(self, proctor: Person, candidate: Person) -> None:
        with time_machine.travel(TEN, tick=False):
            exam = ExamFactory(course_id="course-v1:Demo+A@2026", due_at=at(10, 40))
            attempt = Attempt.objects.get(pk=created(candidate, exam)["id"])
            run(candidate, attempt, "start")
            body = run(proctor, attempt, "pause", **WHY).json()
        assert body["paused_until"] == "2026-03-02T10:40:00Z"

    def test_extending(self, proctor: Person, candidate: Person, attempt: Attempt) -> None:
        with time_machine.travel(TEN, tick=False):
            run(candidate, attempt, "start")
            body = run(proctor, attempt, "extend", minutes=10, **WHY).json()
        assert (body["expires_at"], body["seconds_left"]) == ("2026-03-02T11:10:00Z", 4200)

    def test_an_ended_attempt_is_not_extended(self, proctor: Person, candidate: Person, exam: Exam) -> None:
        attempt = AttemptFactory(exam=exam, user=candidate.user, status=Status.SUBMITTED)
        refused(run(proctor, attempt, "extend", minutes=5, **WHY), 409, "attempt_closed")

    def test_a_message_reaches_the_page_with_its_next_heartbeat(
        self, proctor: Person, candidate: Person, attempt: Attempt
    ) -> None:
        run(candidate, attempt, "start")
        assert run(proctor, attempt, "message", text="Please sit down.", **WHY).json()["status"] == "started"
        beat = candidate.post(f"/attempts/{attempt.pk}/heartbeat/", {"sequence": 1}).json()
        assert [(one["kind"], one["text"]) for one in beat["commands"]] == [("message", "Please sit down.")]

    @pytest.mark.parametrize("action", ["pause", "extend", "terminate"])
    def test_a_text_may_go_along_with_what_is_done(
        self, proctor: Person, candidate: Person, attempt: Attempt, action: str
    ) -> None:
        run(candidate, attempt, "start")
        assert run(proctor, attempt, action, **MORE, **WHY).status_code == 200
        beat = candidate.post(f"/attempts/{attempt.pk}/heartbeat/", {"sequence": 1}).json()
        assert [(one["kind"], one["text"]) for one in beat["commands"]] == [(action, "Please sit down.")]

    @pytest.mark.parametrize("text", ["", "   ", "x" * 1001, None, ["x"], "nul\x00"])
    def test_a_message_is_a_text(self, proctor: Person, attempt: Attempt, text: object) -> None:
        body = refused(run(proctor, attempt, "message", text=text, **WHY), 400, "invalid")
        assert list(body["errors"]) == ["text"]

    @pytest.mark.parametrize("action", ["message", "reload"])
    def test_an_attempt_that_has_ended_hears_nothing(self, proctor: Person, exam: Exam, action: str) -> None:
        ended = AttemptFactory(exam=exam, status=Status.SUBMITTED)
        refused(run(proctor, ended, action, **MORE, **WHY), 409, "attempt_closed")

    def test_a_flag_tells_the_candidate_nothing(self, proctor: Person, candidate: Person, attempt: Attempt) -> None:
        run(candidate, attempt, "start")
        assert run(proctor, attempt, "flag", **WHY).status_code == 200
        assert candidate.post(f"/attempts/{attempt.pk}/heartbeat/", {}).json()["commands"] == []
        assert candidate.get(f"/attempts/{attempt.pk}/candidate-log/").json()["results"][0]["action"] == "Exam started"

    @pytest.mark.parametrize(("action", "status"), [("terminate", "terminated"), ("void", "voided")])
    def test_ending(self, proctor: Person, attempt: Attempt, action: str, status: str) -> None:
        assert run(proctor, attempt, action, **WHY).json()["status"] == status

    def test_an_ended_attempt_is_voided_by_staff_alone(self, proctor: Person, staff: Person, exam: Exam) -> None:
        attempt = AttemptFactory(exam=exam, status=Status.SUBMITTED)
        body = refused(run(proctor, attempt, "void", **WHY), 409, "illegal_transition")
        assert body["data"] == {"from": "submitted", "to": "voided", "actor": "proctor"}
        assert run(staff, attempt, "void", **WHY).json()["status"] == "voided"


class TestStaff:
    def test_resume_of_an_error_continues_with_the_seconds_that_were_left(
        self, staff: Person, candidate: Person, attempt: Attempt
    ) -> None:
        with time_machine.travel(TEN, tick=False) as clock:
            run(candidate, attempt, "start")
            clock.shift(timedelta(minutes=45))
            assert run(candidate, attempt, "error").json()["resume"]["grantable"] is True
            granted = run(staff, attempt, "authorize-resume", **WHY).json()["resume"]
            assert granted == {
                "allowed": True,
                "kind": "resume",
                "granted_at": "2026-03-02T10:45:00Z",
                "grantable": False,
            }
            body = created(candidate, attempt.exam)
        assert (body["number"], body["total_seconds"]) == (2, 900)
        resume = candidate.get(f"/attempts/{attempt.pk}/").json()["resume"]
        assert (resume["allowed"], resume["grantable"]) == (False, False)

    def test_a_resume_is_allowed_as_long_as_creation_lets_it_be_used(
        self, staff: Person, candidate: Person, exam: Exam
    ) -> None:
        exam.due_at = at(10, 40)
        exam.save()
        AllowanceFactory(user=candidate.user, course_id=exam.course_id, minutes=30)
        attempt = AttemptFactory(exam=exam, user=candidate.user, status=Status.ERROR)
        run(staff, attempt, "authorize-resume", **WHY)

        def allowed() -> list[bool]:
            listed = candidate.get("/attempts/").json()["results"][0]
            return [one["resume"]["allowed"] for one in (listed, candidate.get(f"/attempts/{attempt.pk}/").json())]

        with time_machine.travel(at(11, 10), tick=False):
            assert allowed() == [False, False]
            refused(candidate.post(f"/exams/{exam.pk}/attempts/"), 422, "past_due")
        with time_machine.travel(at(11, 9), tick=False):
            assert allowed() == [True, True]
            assert created(candidate, exam)["number"] == 2

    def test_a_running_attempt_cannot_be_resumed(self, staff: Person, attempt: Attempt) -> None:
        refused(run(staff, attempt, "authorize-resume", **WHY), 409, "retry_not_possible")

    def test_reset_voids_and_grants_a_fresh_attempt(self, staff: Person, candidate: Person, exam: Exam) -> None:
        attempt = AttemptFactory(exam=exam, user=candidate.user, status=Status.SUBMITTED)
        body = run(staff, attempt, "reset", **WHY).json()
        assert (body["status"], body["resume"]["kind"]) == ("voided", "fresh")
        assert created(candidate, exam)["total_seconds"] == 3600

    def test_candidates_start_practice_over_themselves(self, candidate: Person, staff: Person) -> None:
        practice = ExamFactory(course_id="course-v1:Demo+A@2026", exam_type=ExamType.PRACTICE)
        old = AttemptFactory(exam=practice, user=candidate.user)
        body = run(candidate, old, "reset").json()
        assert (body["number"], body["status"], body["id"] != old.pk) == (2, "created", True)
        assert candidate.get(f"/attempts/{old.pk}/").json()["status"] == "onboarding_reset"
        newer = Attempt.objects.get(pk=body["id"])
        assert run(staff, newer, "reset", **WHY).json()["number"] == 3

    def test_ready_needs_no_reason_and_checks_one_that_is_given(self, staff: Person, proctored: Exam) -> None:
        attempt = AttemptFactory(exam=proctored)
        refused(run(staff, attempt, "ready", reason_code=1), 400, "invalid")
        assert run(staff, attempt, "ready").json()["status"] == "ready_to_start"


class TestOnesOwnAttempt:
    """A teaching assistant who sits an exam of the course is a candidate there and nothing else."""

    @pytest.mark.parametrize("action", [*INVIGILATORS, "authorize-resume", "reset"])
    def test_nobody_intervenes_in_their_own_attempt(
        self, person: Callable[..., Person], exam: Exam, action: str
    ) -> None:
        assistant = person(Role.STAFF, Role.INVIGILATOR)
        own = AttemptFactory(exam=exam, user=assistant.user, status=Status.STARTED)
        answer = assistant.post(f"/attempts/{own.pk}/{action}/", {**WHY, **MORE})
        assert (answer.status_code, answer.json()["code"]) == (403, "own_attempt")
        answer = assistant.post(f"/attempts/{own.pk}/time/", {"seconds": 600, **WHY})
        assert (answer.status_code, answer.json()["code"]) == (403, "own_attempt")
        own.refresh_from_db()
        assert (own.status, [entry.kind for entry in own.time_entries.all()]) == (Status.STARTED, ["base"])
