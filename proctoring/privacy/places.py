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
from django.db.models import IntegerField, Max, Model, Q, QuerySet, Value
from django.utils.translation import gettext as _

from proctoring.errors import Conflict
from proctoring.inbox.models import SweepCursor
from proctoring.outbox.models import Circuit
from proctoring.privacy.blanking import BATCH
from proctoring.privacy.holds import held_now
from proctoring.privacy.rule import Fate, Rule
from proctoring.privacy.rules import RULES, history_of, label
from proctoring.privacy.sieve import sieved
from proctoring.privacy.words import Words

ADMIN = "django.contrib.admin"
CONNECTIONS: tuple[type[Model], ...] = (Circuit, SweepCursor)
"""A row a vendor: ``mentions.py`` reads them all."""

Keys = dict[type[Model], list[int]]
"""Model → primary keys."""


class Said:
    """A person's names and ids as they are recognised in what is about others."""

    def __init__(self, names: Words, ids: Words) -> None:
        every = (*names.texts, *ids.texts)
        self.texts = Words(every, plain=False)
        self.titles = Words(every, plain=False, whole=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    model: type[Model]
    texts: tuple[str, ...]
    titles: tuple[str, ...] = ()
    grows: bool = True
    about: Callable[[int], Q] | None = None
    """The person's own rows that need no search, because all of it is emptied there."""
    held: Callable[[Collection[int], Collection[str]], Q] | None = None
    first: Callable[[Collection[int]], None] | None = None
    """What has to be done with a row before it is changed."""
    app: str = ""
    """Whose rows are ours, of a table that is not: what the admin's log is about."""

    def rows(self, user_pk: int, said: Said, *, after: int) -> QuerySet[Any]:
        """Those beyond this key in which the person may be named. Only what is searched is loaded."""
        rows = self.model._base_manager.filter(pk__gt=after)
        if self.app:
            rows = rows.filter(content_type__app_label=self.app)
        if self.about is not None:
            rows = rows.exclude(self.about(user_pk))
        found = sieved(rows, {said.texts: self.texts, said.titles: self.titles})
        return found.order_by("pk").only(*self.texts, *self.titles)

    def changes(self, row: Any, said: Said) -> dict[str, Any]:
        """Field → what is left of it without the names; empty where they do not stand in it."""
        left = {name: self._left(row, name, said.texts) for name in self.texts}
        left |= {name: self._left(row, name, said.titles) for name in self.titles}
        return {name: after for name, after in left.items() if after != getattr(row, name)}

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
        found.append(Place(model=log, texts=("object_repr", "change_message"), app="proctoring"))
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


def search(user_pk: int, said: Said, wanted: Mapping[type[Model], int], found: Keys) -> None:
    """Add to ``found`` where the person is named, in these models, beyond these keys. One statement a model, and the
    rows that it lets through are read one at a time."""
    for place in places():
        if place.model in wanted:
            rows = place.rows(user_pk, said, after=wanted[place.model]).iterator(chunk_size=BATCH)
            found.setdefault(place.model, []).extend(row.pk for row in rows if place.changes(row, said))


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
        manager = place.model._base_manager
        for some in in_some(found.get(place.model, [])):
            if place.first is not None:
                place.first(some)
            for row in manager.filter(pk__in=some).only(*place.texts, *place.titles):
                if changes := place.changes(row, said):
                    counts[label(place.model)] += manager.filter(pk=row.pk).update(**changes)
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
