"""What is granted: a kind and the values that belong to it (``Terms``, checked here), and to whom (``Grant``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from django.utils.translation import gettext as _

from proctoring.allowances.models import (
    MAX_MINUTES,
    MAX_MULTIPLIER,
    MIN_MULTIPLIER,
    WHOLE_COURSE,
    Allowance,
    AllowanceKind,
)
from proctoring.errors import InvalidInput
from proctoring.logs.event_types import EVENT_TYPES

if TYPE_CHECKING:
    from django.utils.functional import _StrOrPromise

    from proctoring.exams.models import Exam
    from proctoring.host import User

MAX_NOTE = 4_000
MAX_EXEMPTIONS = 100
CENT = Decimal("0.01")

NEEDED: Mapping[str, str] = {
    AllowanceKind.EXTRA_MINUTES: "minutes",
    AllowanceKind.TIME_MULTIPLIER: "multiplier",
    AllowanceKind.POLICY_EXCEPTION: "note",
    AllowanceKind.EXEMPTION: "exemptions",
}
"""The field without which a kind says nothing. A note goes with every kind; the others with their own alone."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Terms:
    """Raises ``InvalidInput``, per field, where the values are not those of the kind."""

    kind: AllowanceKind
    minutes: int | None = None
    multiplier: Decimal | None = None
    note: str = ""
    exemptions: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if errors := _mistakes(self):
            raise InvalidInput(errors={name: [str(sentence)] for name, sentence in errors.items()})
        if self.multiplier is not None:
            object.__setattr__(self, "multiplier", self.multiplier.quantize(CENT))

    @classmethod
    def of(cls, allowance: Allowance) -> Terms:
        values = {one.name: getattr(allowance, one.name) for one in fields(cls)}
        return cls(
            **{**values, "kind": AllowanceKind(allowance.kind), "exemptions": tuple(map(int, allowance.exemptions))}
        )

    def as_columns(self) -> dict[str, Any]:
        values = {one.name: getattr(self, one.name) for one in fields(self)}
        return {**values, "exemptions": list(self.exemptions)}


def _mistakes(terms: Terms) -> dict[str, _StrOrPromise]:
    needed = NEEDED[terms.kind]
    errors: dict[str, _StrOrPromise] = {}
    for name in ("minutes", "multiplier", "exemptions"):
        if name != needed and getattr(terms, name):
            errors[name] = _("Does not belong to this kind of allowance.")
    if getattr(terms, needed) in (None, "", ()):
        errors[needed] = _("This kind of allowance needs it.")
    elif wrong := _out_of_range(terms, needed):
        errors[needed] = wrong
    if len(terms.note) > MAX_NOTE or "\x00" in terms.note:
        errors["note"] = _("Must be at most %d characters of text.") % MAX_NOTE
    return errors


def _out_of_range(terms: Terms, name: str) -> str:
    if name == "minutes" and not 1 <= (terms.minutes or 0) <= MAX_MINUTES:
        return _("Must be 1 to %d.") % MAX_MINUTES
    if name == "multiplier":
        return _wrong_multiplier(terms.multiplier or Decimal(0))
    if name == "exemptions":
        unknown = [code for code in terms.exemptions if code not in EVENT_TYPES]
        if unknown:
            return _("There is no event type %s.") % unknown[0]
        if len(terms.exemptions) > MAX_EXEMPTIONS:
            return _("Must be at most %d event types.") % MAX_EXEMPTIONS
    return ""


def _wrong_multiplier(value: Decimal) -> str:
    if not value.is_finite() or not MIN_MULTIPLIER <= value <= MAX_MULTIPLIER or value != value.quantize(CENT):
        return _("Must be %(least)s to %(most)s, with two decimals at most.") % {
            "least": MIN_MULTIPLIER,
            "most": MAX_MULTIPLIER,
        }
    return ""


Scope = tuple[Any, str, int]
"""A person's key, a course, and an exam's id or ``WHOLE_COURSE``."""
Key = tuple[Any, str, int, str]
"""The same with a kind: what is unique."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """One allowance that somebody shall have: for an exam, or without one for every exam of the course."""

    user: User
    course_id: str
    exam: Exam | None
    terms: Terms

    @property
    def scope(self) -> Scope:
        return self.user.pk, self.course_id, self.exam.pk if self.exam else WHOLE_COURSE

    @property
    def key(self) -> Key:
        return (*self.scope, self.terms.kind.value)
