"""An exam with people who sit it, and somebody who watches over it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam
from proctoring.host import Role
from tests.factories import AttemptFactory, ExamFactory, UserFactory
from tests.hosts import ScriptedHost, scripted


@pytest.fixture
def lms(settings: Any) -> ScriptedHost:
    return scripted(settings)


@pytest.fixture
def exam(db: None) -> Exam:
    return ExamFactory()


@pytest.fixture
def proctor(lms: ScriptedHost, exam: Exam) -> AbstractUser:
    user = UserFactory(username="proctor")
    lms.roles.add((user.pk, exam.course_id, Role.INVIGILATOR))
    return user


@pytest.fixture
def sitting(exam: Exam) -> Callable[..., list[Attempt]]:
    """So many people who are in the middle of it since ten o'clock."""

    def make(number: int = 1, status: str = "started", **fields: Any) -> list[Attempt]:
        return [AttemptFactory(exam=exam, status=status, **fields) for _ in range(number)]

    return make
