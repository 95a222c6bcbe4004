"""Where people and vendors write what they like: columns in which anybody may be named, in rows that are about others.

Which columns these are says ``rules.py``. A name is taken out of its sentence; the sentence stays.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.db.models import BooleanField, Case, IntegerField, Max, Model, Q, QuerySet, Value, When
from django.utils.translation import gettext as _

from proctoring.errors import Conflict
from proctoring.inbox.models import SweepCursor
from proctoring.outbox.models import Circuit
from proctoring.privacy.blanking import BATCH
from proctoring.privacy.holds import held_now
from proctoring.privacy.rule import Fate, Rule
from proctoring.privacy.rules import RULES, history_of, label
from proctoring.privacy.said import Said, Unclear
from proctoring.privacy.sieve import sieved
from proctoring.privacy.words import Words

ADMIN = "django.contrib.admin"
CONNECTIONS: tuple[type[Model], ...] = (Circuit, SweepCursor)
"""A row a vendor: ``mentions.py`` reads them all."""

Keys = dict[type[Model], list[int]]
"""Model → primary keys."""

Span = tuple[int, int | None]
"""The keys beyond the first, up to the second where there is one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    model: type[Model]
    texts: tuple[str, ...]
    titles: tuple[str, ...] = ()
    grows: bool = True
    about: Callable[[int], Q] | None = None
    """The person's own rows that need no search, because all of it is emptied there."""
    among: Callable[[int], Q] | None = None
    """The rows that are about the person and others: ``Rule.among``."""
    held: Callable[[Collection[int], Collection[str]], Q] | None = None
    first: Callable[[Collection[int]], None] | None = None
    """What has to be done with a row before it is changed."""
    app: str = ""
    """Whose rows are ours, of a table that is not: what the admin's log is about."""

    def rows(self, said: Said) -> QuerySet[Any]:
        """All of them. Only what is searched is loaded, and whether a row is about the person among others."""
        among = When(self.among(said.user_pk), then=True) if self.among is not None else When(pk__in=(), then=True)
        rows = self.model._base_manager.only(*self.texts, *self.titles)
        return rows.annotate(is_among=Case(among, default=False, output_field=BooleanField()))

    def sieved(self, said: Said, *, after: int, until: int | None = None) -> QuerySet[Any]:
        """Those between these keys in which the person may be named."""
        rows = self.rows(said).filter(pk__gt=after)
        if until is not None:
            rows = rows.filter(pk__lte=until)
        if self.app:
            rows = rows.filter(content_type__app_label=self.app)
        if self.about is not None:
            rows = rows.exclude(self.about(said.user_pk))
        return sieved(rows, said.theirs, (*self.texts, *self.titles)).order_by("pk")

    def changes(self, row: Any, said: Said) -> dict[str, Any]:
        """Field → what is left of it without the names; empty where they do not stand in it."""
        texts = said.theirs if row.is_among else said.texts
        left = {name: self._left(row, name, texts) for name in self.texts}
        left |= {name: self._left(row, name, said.titles) for name in self.titles}
        return {name: after for name, after in left.items() if after != getattr(row, name)}

    def unclear(self, row: Any, changes: Mapping[str, Any], said: Said) -> list[str]:
        """The fields in which a word is left that may mean the person."""
        left = {name: changes.get(name, getattr(row, name)) for name in (*self.texts, *self.titles)}
        return [name for name, value in left.items() if _without(value, said.unclear) != value]

    def _left(self, row: Any, name: str, words: Words) -> Any:
        left = _without(getattr(row, name), words)
        longest = getattr(self.model._meta.get_field(name), "max_length", None)
        # What takes a name's place may be longer than the name.
        return left[:longest] if longest and isinstance(left, str) else left


@cache
def places() -> tuple[Place, ...]:
    """All of them: of every rule, of the versions, and the admin's log."""
    rules = ((model, rule) for model, rule in RULES.items() if model not in CONNECTIONS)
    found = [place for model, rule in rules for place in _places(model, rule)]
    if apps.is_installed(ADMIN):
        log = apps.get_model("admin.LogEntry")
        # Not searched beforehand: what it says about the person's own rows is emptied first.
        found.append(Place(model=log, texts=("object_repr", "change_message"), grows=False, app="proctoring"))
    return tuple(found)


def newest(models: Collection[type[Model]]) -> dict[type[Model], int]:
    """Model → the newest key. One statement."""
    numbered = list(models)
    first, *others = (
        model._base_manager.order_by()
        .annotate(place=Value(place, output_field=IntegerField()))
        .values("place")
        .annotate(newest=Max("pk"))
        .values_list("place", "newest")
        for place, model in enumerate(numbered)
    )
    keys: dict[type[Model], int] = dict.fromkeys(numbered, 0)
    keys.update((numbered[place], key or 0) for place, key in first.union(*others, all=True))
    return keys


def growing() -> list[type[Model]]:
    """The models whose rows say for ever what they said first: a search in them can be gone on with later."""
    return [place.model for place in places() if place.grows]


def search(said: Said, wanted: Mapping[type[Model], Span], found: Keys, unclear: Unclear) -> None:
    """Add to ``found`` where the person is named in these models, and to ``unclear`` where that cannot be told. One
    statement a model, and the rows that it lets through are read one at a time."""
    for place in places():
        if place.model not in wanted:
            continue
        after, until = wanted[place.model]
        for row in place.sieved(said, after=after, until=until).iterator(chunk_size=BATCH):
            if changes := place.changes(row, said):
                found.setdefault(place.model, []).append(row.pk)
            unclear.add(label(place.model), row.pk, place.unclear(row, changes, said))


def refuse_held(found: Keys) -> None:
    """Raise ``Conflict`` (``legal_hold``) where one of these rows belongs to a case: it keeps who is named in it."""
    people, courses = held_now()
    if not people and not courses:
        return
    for place in places():
        if place.held is None:
            continue
        for some in in_some(found.get(place.model, [])):
            if place.model._base_manager.filter(place.held(people, courses), pk__in=some).exists():
                sentence = _("A legal hold is in force on something in which this person is named.")
                raise Conflict(sentence, code="legal_hold")


def remove(found: Keys, said: Said) -> Counter[str]:
    """Take the names out of these rows. Model → how many rows were changed. A statement a row."""
    counts: Counter[str] = Counter()
    for place in places():
        for some in in_some(found.get(place.model, [])):
            if place.first is not None:
                place.first(some)
            for row in place.rows(said).filter(pk__in=some):
                if changes := place.changes(row, said):
                    counts[label(place.model)] += place.model._base_manager.filter(pk=row.pk).update(**changes)
    return counts


def in_some(keys: list[Any]) -> Iterator[list[Any]]:
    """In pieces that fit into a statement."""
    return (keys[at : at + BATCH] for at in range(0, len(keys), BATCH))


def _places(model: type[Model], rule: Rule) -> Iterator[Place]:
    history = history_of(model)
    if history is not None:
        yield _place(history, rule, more=("history_change_reason",), grows=True)
    if rule.searched:
        yield _place(model, rule, grows=rule.grows)


def _place(model: type[Model], rule: Rule, *, more: tuple[str, ...] = (), grows: bool) -> Place:
    known = {one.name for one in model._meta.concrete_fields}
    titles = tuple(sorted(rule.titles & known))
    texts = tuple(name for name in rule.searched if name in known and name not in titles) + more
    is_emptied = rule.fate == Fate.DELETED or not (rule.texts or rule.titles)
    return Place(
        model=model,
        texts=texts,
        titles=titles,
        grows=grows,
        about=rule.about if is_emptied else None,
        among=rule.among,
        held=rule.held,
        first=rule.first if model in RULES else None,
    )


def _without(value: Any, words: Words) -> Any:
    """As ``Words.without``; of a text that is JSON, such as the admin's log has, without harm to its form."""
    if isinstance(value, str) and value[:1] in ("[", "{"):
        try:
            told = json.loads(value)
        except (ValueError, RecursionError):
            return words.without(value)
        left = words.without(told)
        return value if left == told else json.dumps(left)
    return words.without(value)
