"""Until when an exam can be taken by one person: their own date where the host has one, else the exam's."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam
from proctoring.host import host

if TYPE_CHECKING:
    from proctoring.host import User


def due_at_for(exam: Exam, user: User, attempt: Attempt | None = None) -> datetime | None:
    """Of the attempt, where there is one: what the host said when it was made, or ``change_personal_dates`` since.
    Without an attempt the host is asked."""
    personal = attempt.personal_due_at if attempt is not None else ask_host(exam, user)
    return personal or exam.due_at


def ask_host(exam: Exam, user: User) -> datetime | None:
    """The date that the host has for this person now; None: the exam's counts."""
    return host().personal_due_at(user, exam.course_id, exam.content_id)


def has_passed(due_at: datetime | None, now: datetime) -> bool:
    return due_at is not None and now >= due_at
