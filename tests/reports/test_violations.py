"""The violation report: which rows, in which order, at which cost."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring.attempts.models import Attempt, new_code
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam, ExamType
from proctoring.reports.violations import BATCH, COLUMNS, filename, violation_rows
from proctoring.reviews.models import Review, ReviewComment
from tests.factories import AttemptFactory, ExamFactory, UserFactory, at

pytestmark = pytest.mark.django_db

COURSE = "course-v1:Demo+R@2026"


def review(attempt: Attempt, status: str = "suspicious", minute: int = 30, **fields: Any) -> Review:
    moment = at(10, minute)
    given = {"reviewed_by": "rita@example.org", "occurred_at": moment, "received_at": moment, "applied_at": moment}
    return Review.objects.create(attempt=attempt, status=status, **{**given, **fields})


def comment(of: Review, text: str, severity: str = "", **fields: Any) -> None:
    ReviewComment.objects.create(review=of, text=text, severity=severity, **fields)


def test_a_row_for_each_comment_and_one_for_what_has_none() -> None:
    second = ExamFactory(course_id=COURSE, exam_type=ExamType.PRACTICE)
    first = ExamFactory(course_id=COURSE, exam_type=ExamType.PROCTORED, name="Final")
    ExamFactory(course_id=COURSE)
    late = AttemptFactory(exam=first, status=Status.SUBMITTED, submitted_at=at(10, 20))
    bare = AttemptFactory(exam=second, status=Status.SUBMITTED)
    AttemptFactory(exam__course_id="another", status=Status.SUBMITTED)
    older = review(late, "passed", 30, applied_at=None)
    newer = review(late, "suspicious", 31)
    comment(newer, "A voice", "Suspicious", start_seconds=61, stop_seconds=75)
    comment(newer, "A telephone", "Rules Violation")
    comment(newer, "Looked away", "odd")
    rows = list(violation_rows(COURSE, now=at(12, 0)))
    assert [(row["attempt"], row["review_status"], row["comment_text"]) for row in rows] == [
        (bare.pk, None, None),
        (late.pk, "suspicious", "A voice"),
        (late.pk, "suspicious", "A telephone"),
        (late.pk, "suspicious", "Looked away"),
        (late.pk, "passed", None),
    ]
    assert all(set(row) == set(COLUMNS) for row in rows)
    assert rows[1] == {
        "course_id": COURSE,
        "exam": first.pk,
        "exam_name": "Final",
        "exam_type": "proctored",
        "user_id": late.user_id,
        "username": late.user.get_username(),
        "attempt": late.pk,
        "attempt_number": 1,
        "status": "submitted",
        "started_at": at(10, 0),
        "submitted_at": at(10, 20),
        "review_status": "suspicious",
        "source": "vendor",
        "reviewed_by": "rita@example.org",
        "occurred_at": at(10, 31),
        "applied": True,
        "comment_start_seconds": 61,
        "comment_stop_seconds": 75,
        "comment_severity": "Suspicious",
        "comment_text": "A voice",
        "suspicious_count": 1,
        "violation_count": 1,
    }
    assert (rows[4]["applied"], rows[4]["suspicious_count"]) == (False, 0)
    assert older.pk < newer.pk


def test_an_overdue_attempt_is_shown_ended() -> None:
    AttemptFactory(exam=ExamFactory(course_id=COURSE), status=Status.STARTED)
    (row,) = violation_rows(COURSE, now=at(11, 30))
    assert row["status"] == "submitted"


def test_nobody_reads_about_their_own_attempts_but_who_answers_for_all() -> None:
    attempt = AttemptFactory(exam=ExamFactory(course_id=COURSE), status=Status.SUBMITTED)
    assert list(violation_rows(COURSE, viewer=attempt.user)) == []
    attempt.user.is_superuser = True
    assert len(list(violation_rows(COURSE, viewer=attempt.user))) == 1


@pytest.mark.parametrize(
    ("course_id", "name"),
    [
        ("course-v1:Demo+R@2026", "violations-course-v1-Demo-R-2026.csv"),
        ('a/b/../é"\r\n', "violations-a-b-...csv"),
        ("", "violations-.csv"),
    ],
)
def test_a_files_name_is_harmless(course_id: str, name: str) -> None:
    assert filename(course_id, "csv") == name


def many_attempts(exam: Exam, count: int) -> None:
    accounts = get_user_model()
    people = accounts.objects.bulk_create([accounts(username=f"many-{exam.pk}-{n}") for n in range(count)])
    people = list(accounts.objects.filter(username__startswith=f"many-{exam.pk}-"))
    attempts = [
        Attempt(exam=exam, user=one, number=1, code=new_code(), backend="null", status="verified", open_slot=None)
        for one in people
    ]
    Attempt.objects.bulk_create(attempts, batch_size=500)
    moment = at(10, 30)
    Review.objects.bulk_create(
        [
            Review(attempt_id=pk, status="violation", occurred_at=moment, received_at=moment + timedelta(minutes=1))
            for pk in Attempt.objects.filter(exam=exam).values_list("pk", flat=True)
        ],
        batch_size=500,
    )
    ReviewComment.objects.bulk_create(
        [
            ReviewComment(review_id=pk, text=text)
            for pk in Review.objects.filter(attempt__exam=exam).values_list("pk", flat=True)
            for text in ("A telephone", "A voice")
        ],
        batch_size=500,
    )


@pytest.mark.long
def test_ten_thousand_attempts_cost_three_statements_a_batch() -> None:
    exam = ExamFactory(course_id=COURSE, exam_type=ExamType.PROCTORED)
    many_attempts(exam, 10_000)
    with CaptureQueriesContext(connection) as captured:
        count = sum(1 for _ in violation_rows(COURSE))
    assert count == 20_000
    batches = 10_000 // BATCH
    # And one look for a batch after the last full one.
    assert len(captured) == 1 + 3 * batches + 1


def test_rows_come_before_the_rest_has_been_read() -> None:
    exam = ExamFactory(course_id=COURSE)
    for _ in range(3):
        AttemptFactory(exam=exam, user=UserFactory(), status=Status.SUBMITTED)
    rows = violation_rows(COURSE)
    with CaptureQueriesContext(connection) as captured:
        next(rows)
    assert len(captured) == 3
