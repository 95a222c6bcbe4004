"""``courses/{course_id}/violation-report/``: who may download it, and that it is a download."""

from __future__ import annotations

import csv
import io
import json
from typing import Any
from urllib.parse import quote

import pytest

from proctoring.attempts.states import Status
from proctoring.exams.models import ExamType
from proctoring.host import Role
from proctoring.reports.violations import COLUMNS
from proctoring.reviews.models import ReviewComment
from tests.api.conftest import A, Person, refused
from tests.api.test_reviews import make_review
from tests.factories import AttemptFactory, ExamFactory
from tests.hosts import ScriptedHost


def path(course_id: str) -> str:
    return f"/courses/{quote(course_id, safe='')}/violation-report/"


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.content
    assert answer.streaming
    return b"".join(answer.streaming_content).decode()


def fill(course_id: str) -> None:
    exam = ExamFactory(course_id=course_id, exam_type=ExamType.PROCTORED)
    review = make_review(AttemptFactory(exam=exam, status=Status.SUBMITTED))
    ReviewComment.objects.create(review=review, text="=HYPERLINK(1)", severity="@x")


def test_a_csv_file_without_formulas(staff: Person) -> None:
    fill(A)
    answer = staff.get(path(A))
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="violations-course-v1-Demo-A-2026.csv"'
    assert answer.headers["Cache-Control"] == "no-store"
    written = text(answer)
    assert not written.startswith("\ufeff")
    rows = list(csv.DictReader(io.StringIO(written, newline="")))
    assert tuple(rows[0]) == COLUMNS
    assert [(row["comment_text"], row["comment_severity"]) for row in rows] == [
        ("A voice", "suspicious"),
        ("'=HYPERLINK(1)", "'@x"),
    ]


def test_json_lines(reviewer: Person) -> None:
    fill(A)
    answer = reviewer.get(path(A), export="ndjson")
    assert answer.headers["Content-Type"] == "application/x-ndjson; charset=utf-8"
    assert answer.headers["Content-Disposition"].endswith('.ndjson"')
    rows = [json.loads(line) for line in text(answer).splitlines()]
    assert [row["comment_text"] for row in rows] == ["A voice", "=HYPERLINK(1)"]


@pytest.mark.parametrize("course_id", ["course-v1:Org+Run@2026", "org/course/run", "a b:c@d+e/f"])
def test_any_courses_name_works_in_the_path(course_id: str, person: Any) -> None:
    fill(course_id)
    staff = person(Role.STAFF, course=course_id)
    assert text(staff.get(path(course_id))).count(course_id) == 2
    assert staff.client.get(f"/proctoring/api/v1/courses/{course_id}/violation-report/").status_code == 200


@pytest.mark.parametrize("course_id", ["a\x00b", "x" * 256])
def test_what_can_be_no_course_is_refused_before_the_answer_begins(
    course_id: str, superuser: Person, candidate: Person
) -> None:
    refused(superuser.get(path(course_id)), 400, "invalid")
    refused(candidate.get(path(course_id)), 403, "permission_denied")


def test_a_course_without_attempts_is_a_header(staff: Person) -> None:
    assert text(staff.get(path(A))).splitlines() == [",".join(COLUMNS)]


def test_who_may_not(
    nobody: Person, candidate: Person, proctor: Person, neighbour: Person, lms: ScriptedHost, staff: Person
) -> None:
    refused(nobody.get(path(A)), 401, "not_authenticated")
    for person in (candidate, proctor, neighbour):
        refused(person.get(path(A)), 403, "permission_denied")
    lms.blind.add(neighbour.user.pk)
    refused(neighbour.get(path(A)), 404, "not_found")
    for export in ("xlsx", "", "CSV"):
        refused(staff.get(path(A), export=export), 400, "invalid")
