"""Who asks for allowances names people and exams: here names become rows, for bulk calls and for uploaded tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext as _

from proctoring.allowances.people import UnknownPerson, find_people
from proctoring.allowances.table import TableRow
from proctoring.allowances.terms import Grant, Terms
from proctoring.attempts.accommodations import Outcome, grant_allowances, refused
from proctoring.errors import NotPermitted, ProctoringError, RuleBroken
from proctoring.exams.models import Exam
from proctoring.permissions import is_course_staff

if TYPE_CHECKING:
    from proctoring.host import User

Person = int | str


def grant_to_many(
    names: Sequence[Person],
    terms: Terms,
    *,
    by: User,
    exams: Sequence[int] = (),
    course_id: str = "",
    now: datetime | None = None,
) -> list[tuple[Person, int | None, Outcome]]:
    """Grant the same to each of these people: for each of the exams, or without any for the whole course.

    Returns (name, exam's id or None, outcome) for every pair, person by person.
    """
    people = find_people(names)
    known = Exam.objects.in_bulk(set(exams))
    courses = {course_id} if not exams else {exam.course_id for exam in known.values()}
    staffed = {course: is_course_staff(by, course) for course in courses}
    places: list[tuple[int | None, str, Exam | None]] = [(None, course_id, None)]
    if exams:
        places = [(key, known[key].course_id if key in known else "", known.get(key)) for key in exams]

    def resolve(name: Person, key: int | None, course: str, exam: Exam | None) -> Grant | ProctoringError:
        if key is not None and exam is None:
            return _no_exam()
        # Before the person is looked at: whoever may not write here learns nothing about accounts.
        if not staffed[course]:
            return NotPermitted(_("You are not staff of this course."), code="not_permitted")
        return _grant(people[name], course, exam, terms)

    pairs = [(name, *place) for name in names for place in places]
    outcomes = _grant_each([resolve(*pair) for pair in pairs], by=by, now=now)
    return [(name, key, outcome) for (name, key, _course, _exam), outcome in zip(pairs, outcomes, strict=True)]


def apply_table(course_id: str, rows: Sequence[TableRow], *, by: User, now: datetime | None = None) -> list[Outcome]:
    """Grant what a table says, row by row; one with a mistake is refused alone.

    Raises ``NotPermitted`` for who is not staff of the course.
    """
    if not is_course_staff(by, course_id):
        raise NotPermitted(_("You are not staff of this course."))
    people = find_people([row.user for row in rows])
    named = {row.exam for row in rows if row.exam}
    exams = {exam.content_id: exam for exam in Exam.objects.filter(course_id=course_id, content_id__in=named)}

    def resolve(row: TableRow) -> Grant | ProctoringError:
        if row.problem is not None or row.terms is None:
            return row.problem or RuleBroken(code="invalid")
        if row.exam and row.exam not in exams:
            return _no_exam()
        return _grant(people[row.user], course_id, exams.get(row.exam), row.terms)

    return _grant_each([resolve(row) for row in rows], by=by, now=now)


def preview(act: Callable[[], Sequence[Outcome]]) -> Sequence[Outcome]:
    """What would come of it: it is done, and undone. Nothing is announced."""
    with transaction.atomic():
        outcomes = act()
        transaction.set_rollback(True)
    return outcomes


def find_person(name: Person) -> User:
    """Raises ``UnknownPerson``."""
    found = find_people([name])[name]
    if isinstance(found, UnknownPerson):
        raise found
    return found


def _no_exam() -> RuleBroken:
    return RuleBroken(_("There is no such exam."), code="exam_not_found")


def _grant(person: Any, course_id: str, exam: Exam | None, terms: Terms) -> Grant | ProctoringError:
    if isinstance(person, UnknownPerson):
        return person
    return Grant(user=person, course_id=course_id, exam=exam, terms=terms)


def _grant_each(items: Sequence[Grant | ProctoringError], *, by: User, now: datetime | None) -> list[Outcome]:
    done = iter(grant_allowances([one for one in items if isinstance(one, Grant)], by=by, now=now))
    return [next(done) if isinstance(one, Grant) else refused(one) for one in items]
