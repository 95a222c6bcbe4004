"""How people stand in a course: what they completed and what proctoring said about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

from demo.lms.models import CertificateHold, Completion, Course, CreditRequirement, GradeOverride
from proctoring.models import Exam


class Result(NamedTuple):
    exam: Exam
    completed: bool
    overridden: bool
    credit: str


class Progress(NamedTuple):
    person: Any
    results: list[Result]
    certificate: str
    """Empty: none has been earned yet."""


def progress(course: Course, people: Iterable[Any], exams: Iterable[Exam]) -> list[Progress]:
    """One row a person, in five statements however many there are."""
    counting = [exam for exam in exams if not exam.is_sample]
    completed = set(Completion.objects.filter(course=course).values_list("user", "content_id"))
    overridden = set(GradeOverride.objects.filter(course=course).values_list("user", "content_id"))
    credit_of = {
        (user, content_id): status
        for user, content_id, status in CreditRequirement.objects.filter(course=course).values_list(
            "user", "content_id", "status"
        )
    }
    held = set(CertificateHold.objects.filter(course=course).values_list("user", flat=True))
    rows = []
    for person in people:
        results = [
            Result(
                exam,
                (about := (person.pk, exam.content_id)) in completed,
                about in overridden,
                credit_of.get(about, ""),
            )
            for exam in counting
        ]
        earned = bool(results) and all(result.completed for result in results)
        certificate = "not valid" if person.pk in held else "valid" if earned else ""
        rows.append(Progress(person, results, certificate))
    return rows
