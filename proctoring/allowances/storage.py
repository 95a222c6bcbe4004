"""Writing allowances with their history, many at once. ``attempts/accommodations.py`` calls, and sees to attempts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db import connection
from django.utils.translation import gettext as _

from proctoring.allowances.models import Allowance
from proctoring.allowances.terms import Grant, Key, Scope, Terms
from proctoring.errors import Conflict

if TYPE_CHECKING:
    from proctoring.host import User

BATCH = 500
UNIQUE = ("user", "course_id", "exam_slot", "kind")
VALUES = ("minutes", "multiplier", "note", "exemptions")


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    allowance: Allowance
    is_new: bool
    has_changed: bool


def store(grants: Collection[Grant], *, by: User) -> dict[Key, Written]:
    """Insert or update an allowance for each of these, which differ in their keys. One with the same values is left.

    Two who do the same at once do not collide: the database makes the second insert an update. Raises ``Conflict``
    (``course_spelled_otherwise``).
    """
    before = _stored(grants)
    # In one order, so that two such calls never wait for each other in a circle.
    ordered = sorted(grants, key=lambda grant: grant.key)
    rows = [_row(grant, by) for grant in ordered if not _says(before.get(grant.key), grant.terms)]
    _upsert(rows)
    after = _stored(grants) if rows else before
    if any(grant.key not in after for grant in grants):
        # Some databases take two spellings of a course for one.
        raise Conflict(_("This course is known in another spelling."), code="course_spelled_otherwise")
    # What somebody else inserted meanwhile has their moment of creation, not ours.
    new = [after[_key(row)] for row in rows if after[_key(row)].created_at == row.created_at]
    inserted, touched = {row.pk for row in new}, {after[_key(row)].pk for row in rows}
    changed = [after[_key(row)] for row in rows if after[_key(row)].pk not in inserted]
    for some, why, update in ((new, "granted", False), (changed, "changed", True)):
        Allowance.history.bulk_history_create(
            some, batch_size=BATCH, update=update, default_user=by, default_change_reason=why
        )
    return {
        grant.key: Written(
            allowance=(row := after[grant.key]), is_new=row.pk in inserted, has_changed=row.pk in touched
        )
        for grant in grants
    }


def change(row: Allowance, terms: Terms, *, by: User) -> bool:
    """Give one allowance other values of its kind; False, and no save, where it has them. The caller holds its lock."""
    if _says(row, terms):
        return False
    for name, value in terms.as_columns().items():
        setattr(row, name, value)
    row.granted_by = by
    _sign(row, by, "changed")
    row.save()
    return True


def remove(row: Allowance, *, by: User) -> None:
    """The history keeps it."""
    _sign(row, by, "withdrawn")
    row.delete()


def of_people(scopes: Iterable[Scope]) -> list[Allowance]:
    """All allowances of these people in these courses, of every exam and kind. One statement."""
    wanted = list(scopes)
    users, courses = {user for user, _course, _slot in wanted}, {course for _user, course, _slot in wanted}
    return list(Allowance.objects.filter(user__in=users, course_id__in=courses).order_by())


def _stored(grants: Collection[Grant]) -> Mapping[Key, Allowance]:
    return {_key(row): row for row in of_people(grant.scope for grant in grants)}


def _key(row: Allowance) -> Key:
    return row.user_id, row.course_id, row.exam_slot, row.kind


def _says(row: Allowance | None, terms: Terms) -> bool:
    return row is not None and all(getattr(row, name) == value for name, value in terms.as_columns().items())


def _row(grant: Grant, by: User) -> Allowance:
    user, course_id, slot = grant.scope
    return Allowance(
        user_id=user,
        course_id=course_id,
        exam=grant.exam,
        exam_slot=slot,
        granted_by=by,
        **grant.terms.as_columns(),
    )


def _upsert(rows: Sequence[Allowance]) -> None:
    targeted = connection.features.supports_update_conflicts_with_target
    Allowance.objects.bulk_create(
        rows,
        batch_size=BATCH,
        update_conflicts=True,
        update_fields=(*VALUES, "granted_by", "modified_at"),
        # MySQL's kind of statement names no constraint.
        unique_fields=UNIQUE if targeted else None,
    )


def _sign(row: Allowance, by: User, why: str) -> None:
    row._history_user = by  # type: ignore[attr-defined]  # simple-history's protocol
    row._change_reason = why  # type: ignore[attr-defined]  # simple-history's protocol
