"""``attempts/{id}/commands/``: what the page was told, for those who read the log."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import time_machine

from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam
from proctoring.host import Role
from tests.api.conftest import WHY, Person, refused
from tests.factories import TEN, AttemptFactory, at

pytestmark = pytest.mark.usefixtures("lms")


@pytest.fixture
def sat(exam: Exam, candidate: Person) -> Attempt:
    return AttemptFactory(exam=exam, user=candidate.user, status="started")


def path(attempt: Attempt) -> str:
    return f"/attempts/{attempt.pk}/commands/"


def test_what_was_sent_by_whom_and_what_became_of_it(proctor: Person, candidate: Person, sat: Attempt) -> None:
    with time_machine.travel(at(10, 5), tick=False) as clock:
        proctor.post(f"/attempts/{sat.pk}/message/", {**WHY, "text": "Please sit down."})
        clock.move_to(at(10, 6))
        (told,) = candidate.post(f"/attempts/{sat.pk}/heartbeat/", {}).json()["commands"]
        said = {"acknowledged": [{"id": told["id"], "state": "seen"}]}
        candidate.post(f"/attempts/{sat.pk}/heartbeat/", said)
        clock.move_to(at(10, 7))
        candidate.post(f"/attempts/{sat.pk}/heartbeat/", {"acknowledged": [told["id"]]})
        proctor.post(f"/attempts/{sat.pk}/extend/", {**WHY, "minutes": 5})
        extended, message = proctor.get(path(sat)).json()["results"]
    assert message == {
        "id": told["id"],
        "kind": "message",
        "text": "Please sit down.",
        "minutes": None,
        "by": message["by"],
        "sent_at": "2026-03-02T10:05:00Z",
        "seen_at": "2026-03-02T10:06:00Z",
        "applied_at": "2026-03-02T10:07:00Z",
    }
    assert message["by"]["id"] == proctor.user.pk
    assert (extended["kind"], extended["minutes"], extended["seen_at"]) == ("extend", 5, None)


def test_it_is_for_those_who_read_the_log(
    person: Callable[..., Person], candidate: Person, reviewer: Person, neighbour: Person, nobody: Person, sat: Attempt
) -> None:
    for role in (Role.LOG_VIEWER, Role.INVIGILATOR, Role.STAFF):
        assert person(role).get(path(sat)).json()["results"] == []
    for seeing in (candidate, reviewer):
        refused(seeing.get(path(sat)), 403, "permission_denied")
    for stranger in (neighbour, person()):
        refused(stranger.get(path(sat)), 404, "not_found")
    refused(nobody.get(path(sat)), 401, "not_authenticated")


def test_it_has_pages(proctor: Person, sat: Attempt) -> None:
    with time_machine.travel(TEN, tick=False):
        for _ in range(3):
            proctor.post(f"/attempts/{sat.pk}/reload/", WHY)
    page = proctor.get(path(sat), page_size=2).json()
    assert (len(page["results"]), page["previous"]) == (2, None)
    assert "cursor=" in page["next"]
    refused(proctor.get(path(sat), page_size=0), 400, "invalid")
