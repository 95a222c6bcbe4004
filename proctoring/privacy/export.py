"""Everything that is kept about a person, as one JSON document, written piece by piece.

Left out: secrets (an attempt's code, links to recordings, raw messages), other people's names, and what the person
did as staff, which is about others.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import QuerySet
from django.utils import timezone

from proctoring.attempts.models import Attempt
from proctoring.privacy.blanking import in_batches
from proctoring.privacy.rules import RULES

if TYPE_CHECKING:
    from proctoring.host import User

FORMAT, VERSION = "proctoring.export", 1

NAMES = {"exam__course_id": "course_id", "exam__name": "exam_name"}
"""What a column that was reached through a relation is called outside."""


def export_user(user: User, *, now: datetime | None = None) -> Iterator[str]:
    """Pieces of the document: its head, then each section, in batches of rows. Constant memory."""
    head = {
        "format": FORMAT,
        "version": VERSION,
        "made_at": now or timezone.now(),
        "person": {"id": user.pk, "username": user.get_username()},
    }
    yield _json(head)[:-1]
    for name, rows in sections(user.pk):
        yield f',"{name}":['
        first = True
        for row in rows:
            yield ("" if first else ",") + _json(row)
            first = False
        yield "]"
    yield "}"


def sections(user_pk: int) -> Iterator[tuple[str, Iterator[Mapping[str, Any]]]]:
    """Name of the section → its rows, in the order in which they were written."""
    for model, rule in RULES.items():
        if rule.section and rule.about is not None:
            yield rule.section, _in_order(model._base_manager.filter(rule.about(user_pk)), rule.exported)
    yield "attempt_versions", _versions(user_pk)


def _versions(user_pk: int) -> Iterator[Mapping[str, Any]]:
    """What became of the attempts, when, and why; not by whom."""
    history = Attempt.history.filter(user=user_pk)
    yield from _in_order(history, ("id", "history_date", "status", "history_change_reason"))


def _in_order(rows: QuerySet[Any], fields: tuple[str, ...]) -> Iterator[Mapping[str, Any]]:
    for batch in in_batches(rows):
        for row in rows.model._base_manager.filter(pk__in=batch).order_by("pk").values(*fields):
            yield {NAMES.get(name, name): value for name, value in row.items()}


def _json(value: object) -> str:
    return json.dumps(value, cls=DjangoJSONEncoder, ensure_ascii=False)
