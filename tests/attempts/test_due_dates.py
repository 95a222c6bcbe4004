"""A due date of one person's own: it counts wherever the exam's would."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.attempts import services
from proctoring.attempts.access import decide
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt
from proctoring.attempts.schedule import change_exam, change_personal_dates
from proctoring.attempts.states import Status
from proctoring.candidate.situation import look
from proctoring.errors import CreationRefused
from proctoring.exams.models import Exam
from proctoring.host import Host, host
from tests.factories import TEN, ExamFactory, UserFactory, at
from tests.hosts import configure


class DateHost(Host):
    """Has dates for some people, by their primary key."""

    def __init__(self) -> None:
        self.dates: dict[Any, datetime] = {}

    def personal_due_at(self, user: Any, course_id: str, content_id: str) -> datetime | None:
        return self.dates.get(user.pk)


@pytest.fixture
def dates(settings: Any, candidate: AbstractUser) -> dict[Any, datetime]:
    configure(settings, HOST=f"{__name__}.DateHost")
    instance = host()
    assert isinstance(instance, DateHost)
    instance.dates[candidate.pk] = at(12, 0)
    return instance.dates


@pytest.fixture
def exam(db: None) -> Exam:
    return ExamFactory(due_at=at(10, 40))


def test_who_has_later_date_begins_and_works_until_then(
    dates: dict[Any, datetime], exam: Exam, candidate: AbstractUser
) -> None:
    attempt = create_attempt(exam, candidate, now=at(11, 0))
    assert (attempt.personal_due_at, attempt.closes_at) == (at(12, 0), at(12, 0))
    attempt = services.start_attempt(attempt, by=candidate, now=at(11, 30))
    assert attempt.expires_at == at(12, 0)
    with pytest.raises(CreationRefused) as why:
        create_attempt(exam, UserFactory(), now=at(11, 0))
    assert why.value.code == "past_due"


def test_who_has_an_earlier_date_is_held_to_it(dates: dict[Any, datetime], exam: Exam, candidate: AbstractUser) -> None:
    dates[candidate.pk] = at(10, 20)
    with pytest.raises(CreationRefused) as why:
        create_attempt(exam, candidate, now=at(10, 20))
    assert why.value.code == "past_due"
    assert create_attempt(exam, candidate, now=TEN).closes_at == at(10, 20)


def test_the_contents_door_goes_by_it(dates: dict[Any, datetime], exam: Exam, candidate: AbstractUser) -> None:
    assert decide(exam, candidate, None, at(11, 0)).reason == "not_started"
    assert decide(exam, candidate, None, at(12, 0)).reason == "past_due"
    attempt = services.start_attempt(create_attempt(exam, candidate, now=TEN), by=candidate, now=TEN)
    attempt = services.submit_attempt(attempt, by=candidate, now=at(10, 20))
    assert [decide(exam, candidate, attempt, moment).allowed for moment in (at(11, 0), at(12, 0))] == [False, True]


def test_the_candidates_page_goes_by_it(dates: dict[Any, datetime], exam: Exam, candidate: AbstractUser) -> None:
    assert [look(exam, candidate, now=moment).less_time for moment in (at(10, 50), at(11, 1))] == [False, True]
    assert look(exam, candidate, now=TEN).due_at == at(12, 0)


def test_another_date_of_the_exam_leaves_it_alone(
    dates: dict[Any, datetime], exam: Exam, candidate: AbstractUser, staff: AbstractUser
) -> None:
    attempt = create_attempt(exam, candidate, now=TEN)
    change_exam(exam, {"due_at": at(10, 30)}, by=staff, now=at(10, 5))
    assert Attempt.objects.get(pk=attempt.pk).closes_at == at(12, 0)


def test_open_attempts_follow_when_the_host_says_that_it_changed(
    dates: dict[Any, datetime], exam: Exam, candidate: AbstractUser, staff: AbstractUser
) -> None:
    running = services.start_attempt(create_attempt(exam, candidate, now=TEN), by=candidate, now=TEN)
    elsewhere = create_attempt(ExamFactory(course_id="other"), candidate, now=TEN)
    dates[candidate.pk] = at(10, 30)
    assert change_personal_dates(candidate, exam.course_id, by=staff, now=at(10, 5)) == 1
    running.refresh_from_db()
    assert (running.personal_due_at, running.closes_at, running.expires_at) == (at(10, 30),) * 3
    newest = running.history.latest()
    assert (newest.history_user, newest.history_change_reason) == (staff, "the person's due date changed")
    assert Attempt.objects.get(pk=elsewhere.pk).closes_at == at(12, 0)
    del dates[candidate.pk]
    assert change_personal_dates(candidate, exam.course_id, by=None, now=at(10, 6)) == 1
    running.refresh_from_db()
    assert (running.personal_due_at, running.expires_at) == (None, at(10, 40))
    assert change_personal_dates(candidate, exam.course_id, by=None, now=at(10, 7)) == 0


def test_a_later_date_reopens_nothing(dates: dict[Any, datetime], exam: Exam, candidate: AbstractUser) -> None:
    dates[candidate.pk] = at(10, 30)
    attempt = services.start_attempt(create_attempt(exam, candidate, now=TEN), by=candidate, now=TEN)
    dates[candidate.pk] = at(12, 0)
    assert change_personal_dates(candidate, exam.course_id, by=None, now=at(10, 30)) == 0
    assert Attempt.objects.get(pk=attempt.pk).status_at(at(10, 31)) == Status.SUBMITTED


@pytest.mark.django_db(transaction=True)
def test_a_date_that_changes_while_the_attempt_is_created_is_found_after_the_commit(
    dates: dict[Any, datetime], exam: Exam, candidate: AbstractUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = lambda user: (dates.update({user.pk: at(11, 30)}), "Ada")[1]  # noqa: E731
    monkeypatch.setattr(host(), "full_name", changed)
    attempt = create_attempt(exam, candidate, now=TEN)
    attempt.refresh_from_db()
    assert (attempt.personal_due_at, attempt.closes_at) == (at(11, 30), at(11, 30))
