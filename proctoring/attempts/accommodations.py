"""Allowances are granted, changed and withdrawn here; open attempts follow in the same transaction.

Set-based: the number of statements goes by batches, not by people. Locks: open attempts first, later before earlier,
then allowances in the order of their unique columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from proctoring.allowances import storage
from proctoring.allowances.models import TIME_KINDS, WHOLE_COURSE, Allowance
from proctoring.allowances.terms import Grant, Key, Scope, Terms
from proctoring.attempts import states
from proctoring.attempts.models import Attempt
from proctoring.attempts.reckoning import Moved, Posting, lock_open, reckon
from proctoring.errors import Conflict, NotPermitted, ProctoringError, RuleBroken
from proctoring.exams.models import ExamStatus
from proctoring.permissions import is_course_staff

if TYPE_CHECKING:
    from proctoring.host import User

REASON = "allowances changed"


@dataclass(frozen=True, kw_only=True, slots=True)
class Outcome:
    """What became of one grant. ``result``: granted | updated | refused."""

    result: str
    allowance: Allowance | None = None
    refusal: ProctoringError | None = None
    moved: Sequence[Moved] = field(default=())
    """Open attempts whose time changed, by this grant or by others of the same call to the same person."""


def refused(why: ProctoringError) -> Outcome:
    return Outcome(result="refused", refusal=why)


def grant_allowance(grant: Grant, *, by: User, now: datetime | None = None) -> Outcome:
    """Grant one. Raises what refuses it."""
    outcome = grant_allowances([grant], by=by, now=now)[0]
    if outcome.refusal is not None:
        raise outcome.refusal
    return outcome


def grant_allowances(grants: Sequence[Grant], *, by: User, now: datetime | None = None) -> list[Outcome]:
    """Grant these, each on its own: what is refused keeps nothing else back. Returns outcomes in the same order.

    Somebody who has such an allowance already gets the new values. Of two that contradict each other the first counts.
    """
    now = now or timezone.now()
    staffed = {course: is_course_staff(by, course) for course in sorted({one.course_id for one in grants})}
    accepted: dict[Key, Grant] = {}
    refusals: dict[int, ProctoringError] = {}
    for at, grant in enumerate(grants):
        why = _objection(grant, by, staffed=staffed[grant.course_id])
        if why is None and accepted.setdefault(grant.key, grant).terms != grant.terms:
            why = RuleBroken(_("The same allowance is given other values above."), code="duplicate")
        if why is not None:
            refusals[at] = why
    done = _carry_out(list(accepted.values()), by=by, now=now) if accepted else {}
    outcomes: list[Outcome] = []
    for at, grant in enumerate(grants):
        outcomes.append(refused(refusals[at]) if at in refusals else done[grant.key])
        if accepted.get(grant.key) is not grant and at not in refusals:
            outcomes[-1] = replace(done[grant.key], result="updated")
    return outcomes


def change_allowance(
    allowance: Allowance, changes: Mapping[str, Any], *, by: User, now: datetime | None = None
) -> Allowance:
    """Give it other values (fields of ``Terms`` but the kind). Returns the row as it is afterwards.

    Raises ``InvalidInput``, ``NotPermitted`` (``own_attempt``), ``Conflict`` (``allowance_withdrawn``).
    """

    def act(row: Allowance) -> str:
        changed = storage.change(row, replace(Terms.of(row), **changes), by=by)
        return f"allowance changed: {row.value}" if changed else ""

    return _with_followers(allowance, act, by=by, now=now or timezone.now())


def withdraw_allowance(allowance: Allowance, *, by: User, now: datetime | None = None) -> None:
    """Take it back: running attempts lose what they have not used of it.

    Raises ``NotPermitted`` (``own_attempt``), ``Conflict`` (``allowance_withdrawn``).
    """

    def act(row: Allowance) -> str:
        value = row.value
        storage.remove(row, by=by)
        return f"allowance withdrawn: {value}"

    _with_followers(allowance, act, by=by, now=now or timezone.now())


def _objection(grant: Grant, by: User, *, staffed: bool) -> ProctoringError | None:
    if not staffed:
        return NotPermitted(_("You are not staff of this course."), code="not_permitted")
    if grant.exam is not None and grant.exam.status == ExamStatus.ARCHIVED:
        return RuleBroken(_("This exam is archived."), code="exam_not_active")
    return _objection_to_self(grant.user.pk, by)


def _objection_to_self(user_id: object, by: User) -> NotPermitted | None:
    if by.pk == user_id and not by.is_superuser:
        return NotPermitted(_("Somebody else has to do this: nobody grants to themselves."), code="own_attempt")
    return None


def _carry_out(grants: Sequence[Grant], *, by: User, now: datetime) -> dict[Key, Outcome]:
    scopes = [grant.scope for grant in grants if grant.terms.kind in TIME_KINDS]
    with transaction.atomic():
        rows = lock_open(_open_in(scopes))
        written = storage.store(grants, by=by)
        phrases: dict[Scope, list[str]] = defaultdict(list)
        for grant in grants:
            one = written[grant.key]
            if one.has_changed and grant.terms.kind in TIME_KINDS:
                phrases[grant.scope].append(
                    f"allowance {'granted' if one.is_new else 'changed'}: {one.allowance.value}"
                )
        moved = _follow(rows, scopes, phrases, by=by, now=now)
    of_person: dict[object, list[Moved]] = defaultdict(list)
    for one_moved in moved:
        of_person[one_moved.attempt.user_id].append(one_moved)
    return {
        grant.key: Outcome(
            result="granted" if written[grant.key].is_new else "updated",
            allowance=written[grant.key].allowance,
            moved=[one for one in of_person[grant.user.pk] if _reaches(grant.scope, one.attempt)],
        )
        for grant in grants
    }


def _with_followers(allowance: Allowance, act: Callable[[Allowance], str], *, by: User, now: datetime) -> Allowance:
    """Do it to the row as it is now, under the locks; what ``act`` returns is the ledger's note, empty: no change."""
    if objection := _objection_to_self(allowance.user_id, by):
        raise objection
    scopes = [allowance.scope] if allowance.kind in TIME_KINDS else []
    with transaction.atomic():
        rows = lock_open(_open_in(scopes))
        row = Allowance.objects.select_for_update().filter(pk=allowance.pk).first()
        if row is None:
            raise Conflict(_("This allowance has been withdrawn meanwhile."), code="allowance_withdrawn")
        if note := act(row):
            _follow(rows, scopes, {allowance.scope: [note]}, by=by, now=now)
    return row


def _follow(
    rows: Sequence[Attempt],
    scopes: Collection[Scope],
    phrases: Mapping[Scope, Sequence[str]],
    *,
    by: User,
    now: datetime,
) -> list[Moved]:
    """Bring these locked attempts in step with the allowances as they are now, and look again after the commit."""
    if not scopes:
        return []
    seen = frozenset(row.pk for row in rows)
    transaction.on_commit(partial(_second_look, scopes, seen, phrases, by=by, now=now), robust=True)
    if not rows:
        return []
    posting = Posting(allowances=storage.of_people(scopes), note=partial(_note, phrases))
    return reckon(rows, by=by, now=now, reason=REASON, posting=posting)


def _second_look(
    scopes: Collection[Scope],
    seen: frozenset[int],
    phrases: Mapping[Scope, Sequence[str]],
    *,
    by: User,
    now: datetime,
) -> None:
    """Attempts that were created beside our transaction, when neither of us saw the other (the other half is
    ``beginnings.follow_changes``)."""
    missed = [key for key in _open_in(scopes) if key not in seen]
    if missed:
        with transaction.atomic():
            rows = lock_open(missed)
            posting = Posting(allowances=storage.of_people(scopes), note=partial(_note, phrases))
            reckon(rows, by=by, now=now, reason=REASON, posting=posting)


def _open_in(scopes: Collection[Scope]) -> list[int]:
    """The open attempts that allowances of these scopes count for. Locks nothing."""
    if not scopes:
        return []
    wanted = set(scopes)
    found = Attempt.objects.filter(
        status__in=states.OPEN,
        user__in={user for user, _course, _slot in wanted},
        exam__course_id__in={course for _user, course, _slot in wanted},
    )
    return [
        key
        for key, user, course, exam in found.order_by().values_list("pk", "user_id", "exam__course_id", "exam_id")
        if (user, course, exam) in wanted or (user, course, WHOLE_COURSE) in wanted
    ]


def _reaches(scope: Scope, attempt: Attempt) -> bool:
    user, course_id, slot = scope
    return (attempt.user_id, attempt.exam.course_id) == (user, course_id) and slot in (WHOLE_COURSE, attempt.exam_id)


def _note(phrases: Mapping[Scope, Sequence[str]], attempt: Attempt) -> str:
    course_id = attempt.exam.course_id
    scopes = ((attempt.user_id, course_id, attempt.exam_id), (attempt.user_id, course_id, WHOLE_COURSE))
    said = [phrase for scope in scopes for phrase in phrases.get(scope, ())]
    return "; ".join(said) or REASON
