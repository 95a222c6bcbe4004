"""What a request costs the database: SELECT, INSERT, UPDATE and DELETE, the host's session and user included.

Under the default host and a vendor that wants to hear everything, and with real commits: what is done after one counts.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.backends.base import Backend
from proctoring.exams.models import Exam, ExamType
from proctoring.outbox.models import Delivery
from tests.api.conftest import WHY, A, Person, created
from tests.factories import AllowanceFactory, AttemptFactory, ExamFactory, UserFactory
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


BOUNDS = {"create": 12, "start": 10, "submit": 10}


def way(person: Person, exam: Exam, **body: Any) -> dict[str, int]:
    """What creating, starting and submitting cost."""
    create = cost(lambda: person.post(f"/exams/{exam.pk}/attempts/", body), 201)
    path = f"/attempts/{Attempt.objects.latest('pk').pk}/"
    start = cost(lambda: person.post(f"{path}start/"))
    return {"create": create, "start": start, "submit": cost(lambda: person.post(f"{path}submit/"))}


def test_a_candidates_way_through_an_exam(ada: Person, exam: Exam) -> None:
    assert cost(lambda: ada.post(f"/exams/{exam.pk}/attempts/"), 201) == 10
    attempt = Attempt.objects.get()
    assert Delivery.objects.count() == 1
    path = f"/attempts/{attempt.pk}/"
    assert cost(lambda: ada.get(path)) == 3  # bound: 4
    assert cost(lambda: ada.get(f"/exams/{exam.pk}/access/")) == 4  # bound: 5
    assert cost(lambda: ada.post(f"{path}start/")) == 8
    assert cost(lambda: ada.get("/attempts/active/")) == 3
    assert cost(lambda: ada.post(f"{path}submit/")) == 8
    assert cost(lambda: ada.get(f"{path}time/")) == 4
    assert Delivery.objects.count() == 4


@pytest.mark.parametrize("host", ["proctoring.host.Host", "tests.effecting.EffectsHost"])
@pytest.mark.parametrize(
    ("exam_type", "costs"),
    [
        (ExamType.TIMED, [9, 7, 7]),
        (ExamType.PROCTORED, [10, 8, 8]),
        (ExamType.PRACTICE, [10, 8, 8]),
        # Also the profile and its version.
        (ExamType.ONBOARDING, [12, 10, 10]),
    ],
)
def test_the_way_through_each_type_of_exam(
    exam_type: ExamType, costs: list[int], host: str, ada: Person, settings: Any
) -> None:
    configure(settings, HOST=host)
    AllowanceFactory(user=ada.user, course_id=A)
    found = way(ada, ExamFactory(course_id=A, exam_type=exam_type))
    effects = "Effects" in host and exam_type == ExamType.TIMED
    # A timed exam's completion is its only delivery.
    assert list(found.values()) == [*costs[:2], costs[2] + effects]
    assert all(found[step] <= BOUNDS[step] for step in BOUNDS)


def test_the_way_through_a_resumed_exam_with_every_effect(ada: Person, exam: Exam, settings: Any) -> None:
    configure(settings, HOST="tests.effecting.EffectsHost")
    way(ada, exam)
    Attempt.objects.update(retry_kind="resume")
    assert way(ada, exam) == {"create": 11, "start": 8, "submit": 10}
    Attempt.objects.filter(number=2).update(retry_kind="resume")
    # The chain is longer than the two that are known: one more than the bound.
    assert way(ada, exam) == {"create": 11, "start": 8, "submit": 11}


def test_onboarding_again(ada: Person) -> None:
    exam = ExamFactory(course_id=A, exam_type=ExamType.ONBOARDING)
    way(ada, exam)
    # One more than the bound: the profile that is there has to be read under its lock before it is changed, and both
    # it and the attempt have versions.
    assert way(ada, exam) == {"create": 13, "start": 10, "submit": 10}


def test_creating_otherwise(ada: Person, exam: Exam, settings: Any) -> None:
    configure(settings, HOST="tests.effecting.EffectsHost")
    out = ExamFactory(course_id=A, exam_type=ExamType.PROCTORED, allow_opt_out=True)
    assert cost(lambda: ada.post(f"/exams/{out.pk}/attempts/", {"proctored": False}), 201) == 12
    AttemptFactory(exam=exam, user=ada.user, status=Status.ONBOARDING_MISSING)
    assert cost(lambda: ada.post(f"/exams/{exam.pk}/attempts/"), 201) == 12
    other = ExamFactory(course_id=A, exam_type=ExamType.PROCTORED)
    AttemptFactory(exam=other, user=ada.user, status=Status.ONBOARDING_MISSING, total_seconds=4200)
    # One more than the bound: whether staff had given time, which is not lost, says the ledger alone.
    assert cost(lambda: ada.post(f"/exams/{other.pk}/attempts/"), 201) == 13


def test_past_the_due_date_it_costs_two_more_to_know_who_may_begin(ada: Person) -> None:
    exam = ExamFactory(course_id=A, due_at=timezone.now() - timedelta(minutes=5))
    AllowanceFactory(user=ada.user, course_id=A, minutes=60)
    assert cost(lambda: ada.get(f"/exams/{exam.pk}/access/")) == 5  # bound: 5
    assert way(ada, exam) == {"create": 11, "start": 7, "submit": 7}


def test_a_key_costs_two_statements(ada: Person, exam: Exam) -> None:
    key = {"Idempotency-Key": "once"}
    assert cost(lambda: ada.post(f"/exams/{exam.pk}/attempts/", {}, **key), 201) == 12
    # MariaDB's driver does not report the insert that fails.
    repeated = cost(lambda: ada.post(f"/exams/{exam.pk}/attempts/", {}, **key), 201)
    assert repeated == (4 if connection.vendor == "mysql" else 5)


def test_staff_by_permission(clerk: Person, ada: Person, exam: Exam) -> None:
    attempt = created(ada, exam)["id"]
    assert cost(lambda: clerk.get(f"/attempts/{attempt}/")) == 4  # bound: 4
    assert cost(lambda: clerk.post(f"/attempts/{attempt}/extend/", {"minutes": 5, **WHY})) == 11
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
