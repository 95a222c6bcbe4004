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
    ``search`` (how a name begins), ``state`` (of a running attempt's page).

    Raises ``NotPermitted``, ``RuleBroken`` (``too_many_attempts``).
    """
    actor = capacity(by, exam.course_id)
    rows: AttemptQuerySet = Attempt.objects.filter(exam=exam.pk).select_related("user").order_by("pk")
    if criteria.get("status"):
        rows = rows.in_status(criteria["status"], now)
    if criteria.get("user"):
        rows = rows.of_person(str(criteria["user"]))
    if criteria.get("search"):
        rows = rows.of_people_called(criteria["search"])
    attempts = _in_state(rows, State(criteria["state"]), now) if criteria.get("state") else rows[: MAX_ATTEMPTS + 1]
    targets = []
    for attempt in attempts:
        attempt.exam = exam
        targets.append(Target(asked=attempt.pk, attempt=attempt, actor=actor))
        if len(targets) > MAX_ATTEMPTS:
            sentence = _("More than %d attempts at once are too many: narrow the filter.") % MAX_ATTEMPTS
            raise RuleBroken(sentence, code="too_many_attempts")
    return Choice(targets=targets, exam=exam, filter=criteria)


def _in_state(rows: AttemptQuerySet, state: State, now: datetime) -> Iterable[Attempt]:
    """What a reader sees of a page is no column: every running attempt that has one is looked at."""
    running = rows.filter(status__in=RUNNING, presence__isnull=False).select_related("user", "presence")
    return (row for row in running.iterator(chunk_size=500) if row.presence.state_at(now) == state)


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
