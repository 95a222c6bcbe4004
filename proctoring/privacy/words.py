"""The words by which a person is known, found and taken out of text and JSON that is not about them alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

SEARCHABLE = 6
"""A shorter word is only recognised where it is the whole of a value: “17” or “Ada” stands in too many sentences."""

REMOVED = "[removed]"


class Words:
    def __init__(
        self, texts: Iterable[str], *, shortest: int = SEARCHABLE, plain: bool = True, whole: bool = True
    ) -> None:
        """``plain``: also a single word of letters alone is recognised inside of sentences. It must not be where they
        are about others: an account may be called “student”. ``whole``: whatever is the whole of a value is recognised.
        It must not be where things have names: an exam may be called “Student”."""
        given = frozenset(text.strip() for text in texts if text and text.strip())
        self.telling = frozenset(text for text in given if len(text) >= shortest and (plain or not text.isalpha()))
        """Those that are recognised inside of sentences too."""
        self.texts = given if whole else self.telling
        self._whole = frozenset(text.casefold() for text in self.texts)
        # The longest first, so that a name inside of an address does not leave the rest of it standing.
        long = sorted(self.telling, key=len, reverse=True)
        pattern = "|".join(r"\s+".join(map(re.escape, text.split())) for text in long)
        self._inside = re.compile(rf"(?<!\w)(?:{pattern})(?!\w)", re.IGNORECASE) if long else None

    def __bool__(self) -> bool:
        return bool(self.texts)

    def stand_in(self, value: Any) -> bool:
        """Whether one of them stands anywhere in this text or JSON, keys included."""
        return any(self._stands_in(one) for one in _scalars(value))

    def stand_in_bytes(self, body: bytes) -> bool:
        """Whether one of them stands in a body, read as JSON where it is JSON."""
        text = body.decode(errors="replace")
        try:
            return self.stand_in(json.loads(text))
        except (ValueError, RecursionError):
            return self._stands_in(text)

    def without(self, value: Any) -> Any:
        """The text or JSON with ``[removed]`` in their place."""
        if isinstance(value, Mapping):
            return {self.without(key): self.without(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.without(item) for item in value]
        if not isinstance(value, str):
            return value
        if value.strip().casefold() in self._whole:
            return REMOVED
        return self._inside.sub(REMOVED, value) if self._inside else value

    def _stands_in(self, text: str) -> bool:
        return text.strip().casefold() in self._whole or bool(self._inside and self._inside.search(text))


def _scalars(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _scalars(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _scalars(item)
    elif value is not None and not isinstance(value, bool):
        yield str(value)
