"""Granting in tests, in few words."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from django.contrib.auth.models import AbstractUser

from proctoring.allowances.models import AllowanceKind
from proctoring.allowances.terms import Grant, Terms
from proctoring.attempts import services
from proctoring.attempts.accommodations import Outcome, grant_allowance
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam
from tests.factories import TEN, ExamFactory

COMFORT = 10010


def minutes(number: int) -> Terms:
    return Terms(kind=AllowanceKind.EXTRA_MINUTES, minutes=number)


def times(number: str, note: str = "") -> Terms:
    return Terms(kind=AllowanceKind.TIME_MULTIPLIER, multiplier=Decimal(number), note=note)


def started(user: AbstractUser, **exam: Any) -> Attempt:
    return services.start_attempt(create_attempt(ExamFactory(**exam), user, now=TEN), by=user, now=TEN)


def grant(exam: Exam, user: Any, terms: Terms, by: Any, moment: datetime = TEN, *, course: bool = False) -> Outcome:
    wanted = Grant(user=user, course_id=exam.course_id, exam=None if course else exam, terms=terms)
    return grant_allowance(wanted, by=by, now=moment)


def entries(attempt: Attempt) -> list[tuple[str, int]]:
    return [(entry.kind, entry.seconds) for entry in attempt.time_entries.all()]


def now_of(attempt: Attempt) -> Attempt:
    return Attempt.objects.get(pk=attempt.pk)
