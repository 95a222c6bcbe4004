"""Which rows may name a person: SQL's answer, so that no big table is loaded. ``Words`` has the last word.

Coarser than ``Words`` and never finer: it looks for pieces of a name that look the same on every database, whatever
its collation, whether a column holds characters or JSON's escapes for them, and whatever stands between two words.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import product
from typing import Any

import jsonfield
from django.db import models
from django.db.models import Q, QuerySet
from django.db.models.functions import Cast, Length

from proctoring.privacy.words import LONG, Words, spellings

PIECE = re.compile(r"[!#-\[\]-~]{2,}")
"""What JSON writes as it is, and what every database finds whatever its case."""

WORD = r"(^|[^A-Za-z0-9]|\\[bfnrt]|\\u[0-9A-Fa-f]{4})(%s)([^A-Za-z0-9]|$)"
"""A word as every database finds it, also behind one of JSON's escapes. Two letters stand in half of all texts, but as
a word in few."""

OPENS = r""""([^A-Za-z0-9":,]|\\[bfnrt]|\\u[0-9A-Fa-f]{4}){0,8}%s"""
"""A text of JSON that begins with a word, behind at most ``SLACK`` blanks. A number is none."""

SLACK = 8
"""Characters by which a value may be longer than the name that is the whole of it: blanks around it."""


def sieved(rows: QuerySet[Any], words: Words, fields: Iterable[str]) -> QuerySet[Any]:
    """Those of ``rows`` in which one of these words may stand in one of these fields. Reads the table once, in the
    database."""
    aliases: dict[str, Any] = {}
    wanted = Q(pk__in=())
    for name in fields:
        is_json = isinstance(rows.model._meta.get_field(name), models.JSONField | jsonfield.JSONField)
        aliases[f"{name}_text"] = Cast(name, models.TextField())
        if not is_json:
            aliases[f"{name}_length"] = Length(name)
        for text in words.inside:
            wanted |= _inside(text, name, as_spelt=text in words.as_spelt)
        for text in words.whole - (words.inside - words.as_spelt):
            wanted |= _whole(text, name, is_json=is_json)
    return rows.alias(**aliases).filter(wanted)


def _inside(text: str, name: str, *, as_spelt: bool) -> Q:
    words = text.split()
    found = Q()
    for piece in _pieces(text):
        if len(piece) >= LONG or not piece.isalnum() or piece not in words:
            found &= Q(**{f"{name}_text__icontains": piece})
        elif as_spelt:
            found &= Q(**{f"{name}_text__regex": WORD % "|".join(sorted(spellings(piece)))})
        else:
            found &= Q(**{f"{name}_text__iregex": WORD % piece})
    return found or _begins(text, name)


def _whole(text: str, name: str, *, is_json: bool) -> Q:
    """Only as the whole of a value, be it inside of JSON."""
    pieces = _pieces(text)
    if is_json and pieces == [text] and text.isalnum():
        return Q(**{f"{name}_text__iregex": OPENS % text})
    found = Q()
    for piece in pieces:
        found &= Q(**{f"{name}_text__icontains": piece})
    found = found or _begins(text, name)
    return found if is_json else found & Q(**{f"{name}_length__lte": len(text) + SLACK})


def _pieces(text: str) -> list[str]:
    return sorted(PIECE.findall(text), key=len)[-2:]


def _begins(text: str, name: str) -> Q:
    found = Q(pk__in=())
    for beginning in _beginnings(text):
        found |= Q(**{f"{name}_text__contains": beginning})
    return found


def _beginnings(text: str) -> set[str]:
    """The first two letters of its longest word, in either case: for what is not written in Latin letters, whose case
    some databases do not know."""
    head = max(text.split(), key=len)[:2]
    spelt = {"".join(letters) for letters in product(*({one, one.lower(), one.upper()} for one in head))}
    return spelt | {json.dumps(one)[1:-1] for one in spelt}
