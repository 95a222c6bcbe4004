"""What a request costs the database: SELECT, INSERT, UPDATE and DELETE, the host's session and user included.

Under the default host and a vendor that wants to hear everything, and with real commits: what is done after one counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.backends.base import Backend
from proctoring.exams.models import Exam, ExamType
from proctoring.outbox.models import Delivery
from tests.api.conftest import WHY, A, Person, created
from tests.factories import AttemptFactory, ExamFactory, UserFactory
from tests.hosts import configure

pytestmark = pytest.mark.django_db(transaction=True)

STATEMENT = re.compile(r"[\s(]*(SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)


class Vendor(Backend):
    registers_exams = True
    registers_attempts = True


@pytest.fixture(autouse=True)
def _vendor(settings: Any) -> None:
    configure(settings, BACKENDS={"vendor": {"BACKEND": f"{__name__}.Vendor"}}, DEFAULT_BACKEND="vendor")


@pytest.fixture
def ada() -> Person:
    return Person(UserFactory())


@pytest.fixture
def clerk() -> Person:
    """Staff by a Django permission, which costs one statement a request."""
    user = UserFactory()
    user.user_permissions.add(Permission.objects.get(codename="manage_course_exams"))
    return Person(user)


@pytest.fixture
def exam() -> Exam:
    return ExamFactory(course_id=A, exam_type=ExamType.PROCTORED)


def cost(ask: Callable[[], Any], status: int = 200) -> int:
    with CaptureQueriesContext(connection) as captured:
        answer = ask()
    assert answer.status_code == status, answer.content
    return sum(bool(STATEMENT.match(query["sql"])) for query in captured.captured_queries)


def test_a_candidates_way_through_an_exam(ada: Person, exam: Exam) -> None:
    assert cost(lambda: ada.post(f"/exams/{exam.pk}/attempts/"), 201) == 11  # bound: 12
    attempt = Attempt.objects.get()
    assert Delivery.objects.count() == 1
    path = f"/attempts/{attempt.pk}/"
    assert cost(lambda: ada.get(path)) == 3  # bound: 4
    assert cost(lambda: ada.get(f"/exams/{exam.pk}/access/")) == 4  # bound: 5
    assert cost(lambda: ada.post(f"{path}start/")) == 9  # bound: 10
    assert cost(lambda: ada.get("/attempts/active/")) == 3
    assert cost(lambda: ada.post(f"{path}submit/")) == 8  # bound: 10
    assert cost(lambda: ada.get(f"{path}time/")) == 4
    assert Delivery.objects.count() == 4


def test_a_key_costs_two_statements(ada: Person, exam: Exam) -> None:
    key = {"Idempotency-Key": "once"}
    assert cost(lambda: ada.post(f"/exams/{exam.pk}/attempts/", {}, **key), 201) == 13
    # MariaDB's driver does not report the insert that fails.
    repeated = cost(lambda: ada.post(f"/exams/{exam.pk}/attempts/", {}, **key), 201)
    assert repeated == (4 if connection.vendor == "mysql" else 5)


def test_a_resumed_attempt_adds_up_the_one_before(ada: Person, clerk: Person, exam: Exam) -> None:
    AttemptFactory(exam=exam, user=ada.user, status=Status.ERROR, retry_kind="resume")
    assert cost(lambda: ada.post(f"/exams/{exam.pk}/attempts/"), 201) == 12  # bound: 12


def test_staff_by_permission(clerk: Person, ada: Person, exam: Exam) -> None:
    attempt = created(ada, exam)["id"]
    assert cost(lambda: clerk.get(f"/attempts/{attempt}/")) == 4  # bound: 4
    assert cost(lambda: clerk.post(f"/attempts/{attempt}/extend/", {"minutes": 5, **WHY})) == 10
    assert cost(lambda: clerk.patch(f"/exams/{exam.pk}/", {"name": "New"})) == 9


@pytest.mark.parametrize("path", ["/attempts/", "/attempts/?latest=true&status=submitted&search=per", "/exams/"])
def test_a_list_costs_the_same_whatever_its_length(clerk: Person, path: str) -> None:
    def grow(count: int) -> None:
        for _ in range(count):
            AttemptFactory(status=Status.SUBMITTED)

    grow(1)
    assert cost(lambda: clerk.get(path)) == 4  # bound: 6
    grow(20)
    assert cost(lambda: clerk.get(path)) == 4
    following = clerk.client.get("/proctoring/api/v1" + path, {"page_size": 5}).json()["next"]
    assert cost(lambda: clerk.client.get(following)) == 4
