"""Which rows may name a person: SQL's answer, so that no big table is loaded. ``Words`` has the last word.

Coarser than ``Words`` and never finer: it looks for pieces of a name that look the same on every database, whatever
its collation, whether a column holds characters or JSON's escapes for them, and whatever stands between two words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import jsonfield
from django.db import models
from django.db.models import Q, QuerySet
from django.db.models.functions import Cast, Length

from proctoring.privacy.words import Words

PIECE = re.compile(r"[!#-\[\]-~]{2,}")
"""What JSON writes as it is, and what every database finds whatever its case."""

SLACK = 8
"""Characters by which a value may be longer than the name that is the whole of it: blanks around it."""


def sieved(rows: QuerySet[Any], sought: Mapping[Words, Iterable[str]]) -> QuerySet[Any]:
    """Those of ``rows`` in which one of these words may stand in the fields where it is sought. Reads the table once,
    in the database."""
    aliases: dict[str, Any] = {}
    wanted = Q(pk__in=())
    for words, fields in sought.items():
        for name in fields:
            is_json = isinstance(rows.model._meta.get_field(name), models.JSONField | jsonfield.JSONField)
            aliases[f"{name}_text"] = Cast(name, models.TextField())
            if not is_json:
                aliases[f"{name}_length"] = Length(name)
            for text in words.texts:
                wanted |= _may_stand(text, name, is_whole=text not in words.telling, is_json=is_json)
    return rows.alias(**aliases).filter(wanted)


def _may_stand(text: str, name: str, *, is_whole: bool, is_json: bool) -> Q:
    """``is_whole``: only as the whole of a value, be it inside of JSON."""
    pieces = sorted(PIECE.findall(text), key=len)[-2:]
    if is_whole and is_json and pieces == [text]:
        pieces = [f'"{text}']
    found = Q()
    for piece in pieces:
        found &= Q(**{f"{name}_text__icontains": piece})
    if not pieces:
        found = Q(pk__in=())
        for beginning in _beginnings(text):
            found |= Q(**{f"{name}_text__contains": beginning})
    if is_whole and not is_json:
        found &= Q(**{f"{name}_length__lte": len(text) + SLACK})
    return found


def _beginnings(text: str) -> set[str]:
    """The first two letters of its longest word, in either case: for what is not written in Latin letters, whose case
    some databases do not know."""
    head = max(text.split(), key=len)[:2]
    spelt = {"".join(letters) for letters in product(*({one, one.lower(), one.upper()} for one in head))}
    return spelt | {json.dumps(one)[1:-1] for one in spelt}
