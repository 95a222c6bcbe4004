"""What can be decided about a model: the words of which ``rules.py`` is made."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from django.db.models import Q


class DataClass(StrEnum):
    """How long something personal is kept where nobody asks for erasure."""

    UNTIL_ERASURE = "until_erasure"
    MESSAGES = "message_bodies"
    VIDEO_LINKS = "video_links"
    REVIEWS = "reviews"
    EVENTS = "events"


class Fate(StrEnum):
    """What erasure does with a person's rows of a model."""

    BLANKED = "blanked"
    """The personal fields are emptied, the rest stays as statistics."""
    DELETED = "deleted"
    """The rows go, and their history with them."""
    FORGOTTEN_WITH_VENDOR = "forgotten_with_vendor"
    """``vendors.py`` deletes them when the vendor has been told."""
    NOBODYS = "nobodys"
    """They are about nobody in particular."""


class Why(StrEnum):
    """Why nobody is looked for in a field of rows that are not about them."""

    VOCABULARY = "a word of a vocabulary, or a value on a scale"
    GIVEN = "what the LMS, a vendor or whoever runs the site calls a thing: a course, an item, a backend, a message"
    OURS = "made here: random, counted or hashed"
    THEIRS = "says something about the row's own person and nobody else"
    CALLERS = "what a machine calls its own request or page; it goes with its row, or means nothing without it"
    ELSEWHERE = "mentions.py, vendors.py or the rule for something else sees to it"


@dataclass(frozen=True, kw_only=True, slots=True)
class Personal:
    """A personal field: what is left of it, and how long it is kept."""

    blank: Any
    keep: DataClass = DataClass.UNTIL_ERASURE
    unsearched: Why | None = None
    """None: in rows about others the person is looked for in it, and taken out."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    fate: Fate = Fate.BLANKED
    about: Callable[[int], Q] | None = None
    """Primary key of a person → the rows about them, of the model and of its history."""
    among: Callable[[int], Q] | None = None
    """The same → the rows about them and others, which stay: what is said there may mean each of them."""
    personal: Mapping[str, Personal] = field(default_factory=dict)
    texts: frozenset[str] = frozenset()
    """What else people and vendors say: anybody may be named in it, and is taken out of it."""
    titles: frozenset[str] = frozenset()
    """The same, of things: a single word of letters that is somebody's user name too is no mention of them here."""
    actors: frozenset[str] = frozenset()
    """Accounts of those who acted. They stay: the account is the LMS's, which empties it itself."""
    harmless: Mapping[Why, frozenset[str]] = field(default_factory=dict)
    keep: DataClass = DataClass.UNTIL_ERASURE
    """How long whole rows are kept, of a model that erasure deletes (``Fate.DELETED``)."""
    spent: Q = field(default_factory=Q)
    """Of those, which rows age may delete: the others are still in use, however old."""
    grows: bool = False
    """Rows are added, and what they say is never changed: what was searched before needs no second search."""
    held: Callable[[Collection[int], Collection[str]], Q] | None = None
    """People and courses under a hold → the rows, of the model and of its history, whose words are kept for a case."""
    stamp: str = ""
    """The field that notes when the personal ones were emptied."""
    first: Callable[[Collection[int]], None] | None = None
    """What is done with rows, by their keys, before they are emptied or words are taken out of them, in the same
    transaction."""
    attempt: str = ""
    """The way to the attempt it belongs to, whose person or course may be under a legal hold."""
    dated: str = ""
    """What the age goes by, where something has an end of its own."""
    section: str = ""
    """Its name in an export; empty: it is no part of one."""
    exported: tuple[str, ...] = ()

    @property
    def searched(self) -> tuple[str, ...]:
        """In which fields somebody may be named whom the row is not about."""
        personal = {name for name, one in self.personal.items() if one.unsearched is None}
        return tuple(sorted(personal | self.texts | self.titles))
