"""By which words a person is recognised: in what is about them, in what is about others, and in the names of things."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from proctoring.privacy.words import SHORTEST, Words, is_unspaced

LISTED = 1000
"""So many unclear places are listed, all are counted: a name like “Will” may stand in half of a big table."""

AROUND = ",;:()[]<>\"'“”„‘’«»"


class Said:
    """A person's names and ids. ``full``: those names that are full ones, not user names: in a script without blanks
    they mean one person though they are one word. ``also``: words of which somebody has decided that they mean this
    person wherever they stand."""

    def __init__(
        self,
        user_pk: int,
        names: Iterable[str],
        ids: Iterable[str],
        *,
        full: Iterable[str] = (),
        also: Iterable[str] = (),
    ) -> None:
        together = frozenset(_written_together(full))
        names, also = (*names, *together), frozenset(also).union(name for name in together if " " not in name)
        every, single = (*names, *ids), frozenset(single_words(names))
        self.user_pk = user_pk
        self.theirs = Words(every, words=single | also)
        """In what is about the person, be it among others: no other Ada is meant there."""
        self.texts = Words(every, words=also)
        """In what is about others."""
        self.titles = Words(every, words=also, whole=False)
        """In the names of things."""
        self.unclear = Words((), words=single - self.texts.inside)
        """What may mean the person there, or another of that name, or nobody: it is left, and told."""


def _written_together(full: Iterable[str]) -> Iterator[str]:
    """The full names in scripts without blanks, and with the family name first: accounts have it last, people who
    write them do not."""
    for name in full:
        words = name.split()
        if len(together := "".join(words)) >= SHORTEST and is_unspaced(together):
            yield " ".join(words)
            yield " ".join(reversed(words))


def single_words(names: Iterable[str]) -> Iterator[str]:
    """Each word of a name that is one by itself: not an initial or a title (“J.”, “Dr.”), not the “von” in “Anna von
    Berg”, not a number that could be any (“17”)."""
    for name in filter(None, names):
        words = [word.strip(AROUND) for word in name.split()]
        for word in words:
            is_particle = word.islower() and not name.islower()
            is_number = len(word) == SHORTEST and not any(map(str.isalpha, word))
            if len(word) >= SHORTEST and not (word.endswith(".") or is_particle or is_number):
                yield word


class Where(NamedTuple):
    model: str
    key: int
    field: str


@dataclass(kw_only=True, slots=True)
class Unclear:
    """Where a word was left that may mean the person."""

    counts: Counter[str] = field(default_factory=Counter)
    """Model → in how many places, a place being a field of a row."""
    places: list[Where] = field(default_factory=list)
    """The first ``LISTED`` of them."""

    def add(self, model: str, key: int, fields: Iterable[str]) -> None:
        for name in fields:
            self.counts[model] += 1
            if len(self.places) < LISTED:
                self.places.append(Where(model, key, name))
