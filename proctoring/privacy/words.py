"""Words found in, and taken out of, text and JSON. ``said.py`` decides by which a person is recognised where."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

SHORTEST = 2
"""A single character is nobody."""

LONG = 6
"""From this length on a word is the same in whatever case: shorter names are words of a language, too."""

REMOVED = "[removed]"

UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff"  # Khmer
    "\u3005-\u3007\u3040-\u30fa\u30fc-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # Hiragana, Katakana
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
)
"""Letters of scripts that put no blanks between words, so that nothing says where a word begins or ends."""

_UNSPACED = re.compile(f"[{UNSPACED}]")
_LETTER = rf"[^\W_{UNSPACED}]"
"""With which a word goes on. Not the underscore, which stands between words in the names of files."""


def tells(text: str) -> bool:
    """Whether it means one person inside of a sentence about others, however short it is.

    Several words do (“Bo Li”), and a word with a letter and something else in it: a user name with a digit or a dot, an
    address. A word of letters alone does not (“Ada”, “student”), nor a number of less than six digits (“2026” stands in
    every date), nor anything of one or two characters (“7”, “b2”).
    """
    if len(text.split()) > 1:
        return True
    return not all(map(_is_letter, text)) and len(text) >= (3 if any(map(str.isalpha, text)) else LONG)


def spellings(word: str) -> set[str]:
    """How a short word is written where it is a name: as it is, in capitals or with one, so that “Will” is not “will”.
    The list of a school may have “WILL”, and people write “Will” nevertheless."""
    return {word, word[:1].upper() + word[1:], word[:1].upper() + word[1:].lower(), word.upper()}


def is_unspaced(text: str) -> bool:
    """Whether it is written in a script without blanks between words, all of it."""
    return bool(text) and all(map(_UNSPACED.match, text))


class Words:
    def __init__(self, texts: Iterable[str], *, words: Iterable[str] = (), whole: bool = True) -> None:
        """``texts``: recognised where they are the whole of a value, and inside of sentences where they tell.
        ``words``: recognised inside of sentences without that. ``whole``: whatever is the whole of a value is
        recognised. It must not be where things have names: an exam may be called “Student”."""
        given, single = _stripped(texts), _stripped(words)
        telling = frozenset(filter(tells, given | single))
        self.inside = telling | single
        """Those that are recognised inside of sentences too."""
        self.as_spelt = frozenset(word for word in single - telling if len(word) < LONG)
        """Those of them that are only recognised in their ``spellings``."""
        self.whole = given if whole else telling
        self._whole = frozenset(text.casefold() for text in self.whole)
        # The longest first, so that a name inside of an address does not leave the rest of it standing.
        patterns = map(self._pattern, sorted(self.inside, key=lambda text: (-len(text), text)))
        self._inside = re.compile("|".join(patterns)) if self.inside else None

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

    def _pattern(self, text: str) -> str:
        if text in self.as_spelt:
            return _bounded(text, f"(?:{'|'.join(map(re.escape, sorted(spellings(text))))})")
        words = text.split()
        pattern = re.escape(words[0])
        for before, word in pairwise(words):
            # Where letters need no blank between words, a name is written together more often than not.
            together = _UNSPACED.match(before[-1]) and _UNSPACED.match(word[0])
            pattern += (r"[\s_]*" if together else r"[\s_]+") + re.escape(word)
        return _bounded(text, f"(?i:{pattern})")

    def _stands_in(self, text: str) -> bool:
        return text.strip().casefold() in self._whole or bool(self._inside and self._inside.search(text))


def _bounded(text: str, pattern: str) -> str:
    """The pattern as a whole word, at those ends of it at which that can be told."""
    before = "" if _UNSPACED.match(text[0]) else f"(?<!{_LETTER})"
    after = "" if _UNSPACED.match(text[-1]) else f"(?!{_LETTER})"
    return f"{before}{pattern}{after}"


def _is_letter(character: str) -> bool:
    """Vowels and tones of many scripts are marks on a letter: a word with them is a word of letters."""
    return character.isalpha() or unicodedata.category(character).startswith("M")


def _stripped(texts: Iterable[str]) -> frozenset[str]:
    return frozenset(text.strip() for text in texts if text and text.strip())


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
