"""Which attempts a bulk action is about: named one by one, or all that a filter finds at an exam."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from proctoring.attempts.models import Attempt, AttemptQuerySet
from proctoring.attempts.states import RUNNING, Actor
from proctoring.errors import NotPermitted, ProctoringError, RuleBroken
from proctoring.exams.models import Exam
from proctoring.invigilation.services import capacity
from proctoring.monitoring.models import page_in_state
from proctoring.monitoring.quality import State
from proctoring.permissions import may_watch

if TYPE_CHECKING:
    from proctoring.host import User

MAX_ATTEMPTS = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One attempt that was asked for: in which capacity the person intervenes, or why they do not."""

    asked: int
    attempt: Attempt | None = None
    actor: Actor | None = None
    refusal: ProctoringError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Choice:
    targets: Sequence[Target]
    exam: Exam | None = None
    filter: Mapping[str, Any] = field(default_factory=dict)
    more: int | None = None
    """Of a slice: the last of it, where the filter finds others after it."""


class NotFound(ProctoringError):
    """There is no such attempt, or it is not the person's to see."""

    code = "not_found"


def choose_named(keys: Iterable[int], *, by: User) -> Choice:
    """These attempts, each once. One statement, and one question to the host for each course and role.

    Raises ``NotPermitted`` where some may be seen, and the person intervenes in none of them.
    """
    asked = list(dict.fromkeys(keys))
    found = Attempt.objects.select_related("exam", "user").in_bulk(asked)
    courses = _Courses(by)
    targets = [courses.target(key, found.get(key)) for key in asked]
    refusals = [target.refusal for target in targets if isinstance(target.refusal, NotPermitted)]
    if refusals and not any(target.actor for target in targets):
        raise refusals[0]
    return Choice(targets=targets)


def choose_found(exam: Exam, criteria: Mapping[str, Any], *, by: User, now: datetime) -> Choice:
    """What the criteria find at this exam: ``status`` (as a reader sees it), ``user`` (an id or a user name),
    ``search`` (how a name begins), ``state`` (of a running attempt's page). ``after``: a slice, by id, above this one.

    Raises ``NotPermitted``, ``RuleBroken`` (``too_many_attempts``): who does not ask for slices means all of them, and
    would take the first for the whole.
    """
    actor = capacity(by, exam.course_id)
    rows: AttemptQuerySet = Attempt.objects.filter(exam=exam.pk).select_related("user").order_by("pk")
    if criteria.get("status"):
        rows = rows.in_status(criteria["status"], now)
    if criteria.get("user"):
        rows = rows.of_person(str(criteria["user"]))
    if criteria.get("search"):
        rows = rows.of_people_called(criteria["search"])
    if criteria.get("state"):
        rows = rows.filter(page_in_state(State(criteria["state"]), now, "presence__"), status__in=RUNNING)
    after = criteria.get("after")
    if after is not None:
        rows = rows.filter(pk__gt=after)
    found = list(rows[: MAX_ATTEMPTS + 1])
    is_cut = len(found) > MAX_ATTEMPTS
    if is_cut and after is None:
        sentence = _("More than %d attempts at once are too many: narrow the filter, or go by slices (after).")
        raise RuleBroken(sentence % MAX_ATTEMPTS, code="too_many_attempts")
    targets = [_found(attempt, exam, actor) for attempt in found[:MAX_ATTEMPTS]]
    return Choice(targets=targets, exam=exam, filter=criteria, more=targets[-1].asked if is_cut else None)


def _found(attempt: Attempt, exam: Exam, actor: Actor) -> Target:
    attempt.exam = exam
    return Target(asked=attempt.pk, attempt=attempt, actor=actor)


class _Courses:
    """Asks the host about each course once."""

    def __init__(self, by: User) -> None:
        self.by = by
        self.known: dict[str, tuple[Actor | None, bool]] = {}

    def target(self, asked: int, attempt: Attempt | None) -> Target:
        if attempt is None:
            return Target(asked=asked, refusal=_not_found())
        actor, watches = self._ask(attempt.exam.course_id)
        if actor is not None:
            return Target(asked=asked, attempt=attempt, actor=actor)
        if watches or attempt.user_id == self.by.pk:
            sentence = _("You are no invigilator of this course.")
            return Target(asked=asked, refusal=NotPermitted(sentence, code="not_permitted"))
        return Target(asked=asked, refusal=_not_found())

    def _ask(self, course_id: str) -> tuple[Actor | None, bool]:
        if course_id not in self.known:
            try:
                self.known[course_id] = capacity(self.by, course_id), True
            except NotPermitted:
                self.known[course_id] = None, may_watch(self.by, course_id)
        return self.known[course_id]


def _not_found() -> NotFound:
    return NotFound(_("There is no such attempt."))
