"""An exam changes and its open attempts follow."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring.attempts import services
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.schedule import change_exam, recompute_deadlines, register_exams
from proctoring.attempts.states import Status
from proctoring.attempts.timing import EntryKind
from proctoring.errors import InvalidInput
from proctoring.exams.models import Exam, ExamStatus
from tests.factories import TEN, AttemptFactory, ExamFactory, UserFactory, at

OPEN_ONES = [
    *[Status.CREATED] * 2,
    Status.DOWNLOAD_SOFTWARE_CLICKED,
    Status.READY_TO_START,
    *[Status.STARTED] * 3,
    Status.READY_TO_SUBMIT,
    Status.PAUSED,
    Status.ONBOARDING_PENDING,
]
ENDED_ONES = [Status.SUBMITTED, Status.ERROR, Status.VERIFIED, Status.EXPIRED, Status.VOIDED]


def test_open_attempts_follow_a_changed_due_date_and_ended_ones_do_not(staff: AbstractUser) -> None:
    exam = ExamFactory(due_at=at(10, 40))
    for status in OPEN_ONES + ENDED_ONES:
        AttemptFactory(exam=exam, status=status)
    ended = Attempt.objects.filter(status__in=ENDED_ONES)
    before = list(ended.order_by("pk").values("closes_at", "expires_at", "ended_at"))
    TimeEntry.objects.create(
        attempt=Attempt.objects.filter(status="started")[0], kind="extra_time", seconds=300, at=TEN
    )
    change_exam(exam, {"due_at": at(10, 50)}, by=staff, now=at(10, 20))
    for attempt in Attempt.objects.exclude(pk__in=ended):
        extra = attempt.time_entries.filter(kind=EntryKind.EXTRA_TIME).exists()
        assert attempt.closes_at == (at(10, 55) if extra else at(10, 50))
        running = attempt.status in {Status.STARTED, Status.READY_TO_SUBMIT}
        assert attempt.expires_at == (attempt.closes_at if running else None)
        newest = attempt.history.latest()
        assert (newest.closes_at, newest.expires_at) == (attempt.closes_at, attempt.expires_at)
        assert (newest.history_user, newest.history_change_reason) == (staff, "the exam's dates changed")
        assert attempt.history.count() == 2
    assert list(ended.order_by("pk").values("closes_at", "expires_at", "ended_at")) == before


def test_a_due_date_that_goes_away_leaves_the_time_limit(staff: AbstractUser) -> None:
    attempt = AttemptFactory(status=Status.STARTED, exam__due_at=at(10, 40))
    change_exam(attempt.exam, {"due_at": None}, by=staff, now=at(10, 20))
    attempt.refresh_from_db()
    assert (attempt.closes_at, attempt.expires_at) == (None, at(11, 0))


def test_accommodations_reach_past_the_due_date_as_soon_as_the_exam_says_so(staff: AbstractUser) -> None:
    attempt = AttemptFactory(status=Status.STARTED, exam__due_at=at(10, 40), exam__accommodations_past_due=False)
    services.extend_time(attempt, minutes=10, by=staff, reason_code=10010, note="", now=at(10, 10))
    assert Attempt.objects.get().expires_at == at(10, 40)
    change_exam(attempt.exam, {"accommodations_past_due": True}, by=staff, now=at(10, 20))
    assert Attempt.objects.get().expires_at == at(10, 50)


def test_the_time_limit_is_frozen_for_attempts_that_exist(candidate: AbstractUser, staff: AbstractUser) -> None:
    exam = ExamFactory()
    attempt = create_attempt(exam, candidate, now=TEN)
    change_exam(exam, {"time_limit_minutes": 30}, by=staff, now=at(10, 1))
    assert services.start_attempt(attempt, by=candidate, now=at(10, 5)).expires_at == at(11, 5)
    assert create_attempt(exam, staff, now=at(10, 6)).total_seconds == 1800


def test_a_later_due_date_reopens_nothing_that_is_over(staff: AbstractUser) -> None:
    """Whether a sweep had been here already must not decide who gets more time."""
    exam = ExamFactory(due_at=at(10, 40))
    running, paused, waiting = (AttemptFactory(exam=exam, status=s) for s in ("started", "paused", "created"))
    change_exam(exam, {"due_at": at(12, 0)}, by=staff, now=at(10, 40))
    for attempt, status in ((running, "submitted"), (paused, "submitted"), (waiting, "expired")):
        attempt.refresh_from_db()
        assert (attempt.status, attempt.ended_at) == (status, at(10, 40))


def test_what_somebody_else_saved_meanwhile_is_not_undone(staff: AbstractUser) -> None:
    exam = ExamFactory(name="Old")
    Exam.objects.filter(pk=exam.pk).update(external_ids={"null": "vendor-7"}, due_at=at(12, 0))
    change_exam(exam, {"name": "New"}, by=staff)
    kept = Exam.objects.get()
    assert (kept.name, kept.external_id, kept.due_at) == ("New", "vendor-7", at(12, 0))


def test_a_stale_copy_still_moves_the_deadlines(staff: AbstractUser) -> None:
    exam = ExamFactory(due_at=at(10, 40))
    AttemptFactory(exam=exam, status=Status.STARTED)
    stale = Exam.objects.get()
    change_exam(exam, {"due_at": at(10, 50)}, by=staff, now=at(10, 20))
    change_exam(stale, {"due_at": at(10, 40)}, by=staff, now=at(10, 21))
    assert Attempt.objects.get().expires_at == at(10, 40)


def test_a_change_that_is_refused_moves_nothing(staff: AbstractUser) -> None:
    attempt = AttemptFactory(status=Status.STARTED, exam__due_at=at(10, 40))
    with pytest.raises(InvalidInput) as refused:
        change_exam(attempt.exam, {"due_at": at(10, 50), "heartbeat_seconds": 11}, by=staff, now=at(10, 20))
    assert list(refused.value.errors) == ["heartbeat_seconds"]
    assert (Exam.objects.get().due_at, Attempt.objects.get().expires_at) == (at(10, 40), at(10, 40))


def test_a_change_of_nothing_writes_nothing(staff: AbstractUser) -> None:
    attempt = AttemptFactory(status=Status.STARTED, exam__due_at=at(10, 40))
    change_exam(attempt.exam, {"due_at": at(10, 40), "name": attempt.exam.name}, by=staff, now=at(10, 20))
    assert (attempt.exam.history.count(), attempt.history.count()) == (1, 1)


def many(exam: Exam, count: int) -> None:
    users = [UserFactory.build(username=f"many{exam.pk}-{n}") for n in range(count)]
    model = type(users[0])
    model._default_manager.bulk_create(users)
    fields: dict[str, Any] = {"exam": exam, "number": 1, "status": "started", "backend": "null", "started_at": TEN}
    rows = [
        Attempt(user=user, total_seconds=3600, expires_at=at(10, 40), closes_at=at(10, 40), **fields)
        for user in model._default_manager.filter(username__startswith=f"many{exam.pk}-")
    ]
    Attempt.objects.bulk_create(rows)
    kept = Attempt.objects.filter(exam=exam)
    TimeEntry.objects.bulk_create([TimeEntry(attempt=row, kind="base", seconds=3600, at=TEN) for row in kept])


@pytest.mark.long
def test_the_statements_for_a_thousand_attempts_are_bounded(staff: AbstractUser) -> None:
    exam = ExamFactory(due_at=at(10, 40))
    many(exam, 1000)
    with CaptureQueriesContext(connection) as statements:
        change_exam(exam, {"due_at": at(10, 50)}, by=staff, now=at(10, 20))
    assert Attempt.objects.filter(expires_at=at(10, 50)).count() == 1000
    assert Attempt.history.filter(expires_at=at(10, 50)).count() == 1000
    # SQLite takes few parameters a statement, so Django cuts its bulk statements smaller there.
    assert len(statements) < (400 if connection.vendor == "sqlite" else 40)


def test_recomputing_without_a_change_writes_nothing(db: None) -> None:
    attempt = AttemptFactory(status=Status.STARTED, exam__due_at=at(10, 40))
    assert recompute_deadlines(attempt.exam, by=None, now=at(10, 20)) == 0
    assert attempt.history.count() == 1


def items(*names: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"content_id": name, "name": name.title(), "time_limit_minutes": 60, **fields} for name in names]


def test_registering_a_course_creates_updates_and_archives(staff: AbstractUser) -> None:
    def results(*wanted: str, **fields: Any) -> dict[str, str]:
        found = register_exams("course", items(*wanted, **fields), by=staff)
        return {one.content_id: one.result for one in found}

    assert results("one", "two") == {"one": "created", "two": "created"}
    assert results("one", "two") == {"one": "unchanged", "two": "unchanged"}
    assert results("two", "three", time_limit_minutes=30) == {"two": "updated", "three": "created", "one": "archived"}
    assert results("two", "three", time_limit_minutes=30) == {"two": "unchanged", "three": "unchanged"}
    assert results("one") == {"one": "updated", "two": "archived", "three": "archived"}
    assert dict(Exam.objects.values_list("content_id", "status")) == {
        "one": "active",
        "two": "archived",
        "three": "archived",
    }


def test_one_items_mistake_refuses_that_item_alone(staff: AbstractUser) -> None:
    ExamFactory(course_id="course", content_id="kept", status=ExamStatus.ACTIVE)
    wrong = items("kept", "new", time_limit_minutes=0)
    found = register_exams("course", [*wrong, *items("fine"), *items("fine")], by=staff)
    assert [(one.content_id, one.result, one.code) for one in found] == [
        ("kept", "refused", "invalid"),
        ("new", "refused", "invalid"),
        ("fine", "created", ""),
        ("fine", "refused", "duplicate"),
    ]
    assert "time_limit_minutes" in found[0].errors
    assert Exam.objects.get(content_id="kept").status == ExamStatus.ACTIVE
    assert not Exam.objects.filter(content_id="new").exists()


def test_registering_one_course_leaves_others_alone(staff: AbstractUser) -> None:
    other = ExamFactory(course_id="other")
    register_exams("course", items("one"), by=staff)
    other.refresh_from_db()
    assert other.status == ExamStatus.ACTIVE


@time_machine.travel(at(10, 20), tick=False)
def test_a_registration_moves_deadlines_too(staff: AbstractUser) -> None:
    exam = ExamFactory(course_id="course", content_id="one")
    AttemptFactory(exam=exam, status=Status.STARTED)
    register_exams("course", items("one", due_at=at(10, 50)), by=staff)
    assert Attempt.objects.get().expires_at == at(10, 50)
