"""People with real sessions, and two courses: A, in which the people of the tests have their roles, and B."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest
from django.test import Client

from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam, ExamType
from proctoring.host import Role, host
from tests.factories import AttemptFactory, ExamFactory, UserFactory
from tests.hosts import ScriptedHost, configure

ROOT = "/proctoring/api/v1"
A = "course-v1:Demo+A@2026"
B = "course-v1:Demo+B@2026"
WHY = {"reason_code": 10030, "comment": "Drilling next door"}


class Person:
    """Somebody with a browser: a session, and JSON."""

    def __init__(self, user: Any) -> None:
        self.user = user
        self.client = Client()
        if user is not None:
            self.client.force_login(user)

    def get(self, path: str, **query: Any) -> Any:
        return self.client.get(ROOT + path, query)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self._send("post", path, body, headers)

    def patch(self, path: str, body: Any) -> Any:
        return self._send("patch", path, body, {})

    def put(self, path: str, body: Any) -> Any:
        return self._send("put", path, body, {})

    def raw(self, method: str, path: str, body: bytes | str, content_type: str = "application/json") -> Any:
        return self.client.generic(method, ROOT + path, body, content_type=content_type)

    def _send(self, method: str, path: str, body: Any, headers: dict[str, str]) -> Any:
        data = "" if body is None else json.dumps(body)
        send = getattr(self.client, method)
        return send(ROOT + path, data, content_type="application/json", headers=headers)


@pytest.fixture(autouse=True)
def _database(db: None) -> None:
    """Every test here writes."""


@pytest.fixture
def lms(settings: Any) -> ScriptedHost:
    configure(settings, HOST="tests.api.hosts.CourseHost")
    instance = host()
    assert isinstance(instance, ScriptedHost)
    return instance


@pytest.fixture
def person(lms: ScriptedHost) -> Callable[..., Person]:
    """Make somebody, with roles in course A or in the named one."""

    def make(*roles: Role, course: str = A) -> Person:
        user = UserFactory()
        lms.roles |= {(user.pk, course, role) for role in roles}
        return Person(user)

    return make


@pytest.fixture
def candidate(person: Callable[..., Person]) -> Person:
    return person()


@pytest.fixture
def staff(person: Callable[..., Person]) -> Person:
    return person(Role.STAFF)


@pytest.fixture
def proctor(person: Callable[..., Person]) -> Person:
    return person(Role.INVIGILATOR)


@pytest.fixture
def reviewer(person: Callable[..., Person]) -> Person:
    return person(Role.REVIEWER)


@pytest.fixture
def neighbour(person: Callable[..., Person]) -> Person:
    """Staff of the other course."""
    return person(Role.STAFF, course=B)


@pytest.fixture
def nobody() -> Person:
    return Person(None)


@pytest.fixture
def superuser(lms: ScriptedHost) -> Person:
    return Person(UserFactory(is_staff=True, is_superuser=True))


@pytest.fixture
def exam(lms: ScriptedHost) -> Exam:
    """Active and timed, 60 minutes, in course A."""
    return ExamFactory(course_id=A)


@pytest.fixture
def proctored(lms: ScriptedHost) -> Exam:
    """Active and proctored under no vendor, which may be declined."""
    return ExamFactory(course_id=A, exam_type=ExamType.PROCTORED, allow_opt_out=True)


@pytest.fixture
def attempt(exam: Exam, candidate: Person) -> Attempt:
    """The candidate's, created, not started."""
    return AttemptFactory(exam=exam, user=candidate.user)


def created(person: Person, exam: Exam, **body: Any) -> Any:
    """The person's new attempt, as the API shows it."""
    answer = person.post(f"/exams/{exam.pk}/attempts/", body)
    assert answer.status_code == 201, answer.content
    return answer.json()


def refused(answer: Any, status: int, code: str) -> Any:
    """The body of a refusal in the contract's shape."""
    assert answer.status_code == status, (answer.status_code, answer.content[:500])
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert body["code"] == code, body
    assert body["detail"]
    assert set(body) <= {"code", "detail", "errors", "data"}
    return body


def course_path(course_id: str) -> str:
    return f"/courses/{quote(course_id, safe='')}/exams/"
