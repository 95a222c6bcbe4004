"""``exams/{id}/shared-addresses/``: who sees it, what is in it, what it costs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.utils import timezone

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam
from proctoring.host import Role
from proctoring.monitoring.models import SeenAddress
from tests.api.conftest import ROOT, Person
from tests.api.test_statements import cost
from tests.factories import AttemptFactory


@pytest.fixture
def running(attempt: Attempt) -> Attempt:
    """Ten minutes into the hour."""
    now = timezone.now()
    Attempt.objects.filter(pk=attempt.pk).update(
        status=Status.STARTED, started_at=now - timedelta(minutes=10), expires_at=now + timedelta(minutes=50)
    )
    attempt.refresh_from_db()
    return attempt


class TestSharedAddresses:
    def test_invigilators_see_who_shares_and_who_changed(
        self, candidate: Person, proctor: Person, running: Attempt
    ) -> None:
        other = AttemptFactory(exam=running.exam, status=Status.STARTED, expires_at=running.expires_at)
        for attempt, ip in ((running, "192.0.2.1"), (other, "192.0.2.1"), (running, "192.0.2.2")):
            Person(attempt.user).client.post(
                f"{ROOT}/attempts/{attempt.pk}/heartbeat/", {}, content_type="application/json", REMOTE_ADDR=ip
            )
        found = proctor.get(f"/exams/{running.exam_id}/shared-addresses/").json()

        (shared,) = found["shared"]
        assert (shared["ip"], shared["candidates"]) == ("192.0.2.1", 2)
        assert {one["attempt"] for one in shared["attempts"]} == {running.pk, other.pk}
        (changed,) = found["changed"]
        assert changed["attempt"] == running.pk
        assert [one["ip"] for one in changed["addresses"]] == ["192.0.2.1", "192.0.2.2"]

    def test_nobody_else_does(
        self, candidate: Person, person: Callable[..., Person], neighbour: Person, nobody: Person, exam: Exam
    ) -> None:
        path = f"/exams/{exam.pk}/shared-addresses/"
        asked = [(candidate, 403), (person(Role.LOG_VIEWER), 403), (neighbour, 403), (nobody, 401)]

        assert [somebody.get(path).status_code for somebody, _ in asked] == [status for _, status in asked]

    def test_statements_do_not_grow(self, proctor: Person, exam: Exam) -> None:
        path, costs = f"/exams/{exam.pk}/shared-addresses/", []
        for number in (2, 30):
            for attempt in [AttemptFactory(exam=exam, status=Status.STARTED) for _ in range(number)]:
                for last in (1, 2):
                    SeenAddress.objects.create(
                        attempt=attempt, exam=exam, ip=f"192.0.2.{last}", first_seen_at=timezone.now()
                    )
            costs.append(cost(lambda: proctor.get(path)))
        assert costs[0] == costs[1] <= 8
