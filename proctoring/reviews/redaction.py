"""What is not kept of a vendor's words: links, because recordings are personal data, and the candidate's names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

LINK = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://\S+", re.IGNORECASE)

LINK_REMOVED, NAME_REMOVED = "[link removed]", "[name removed]"


class Redaction:
    """Replaces every link, and the given names wherever they stand as words of their own, in any case."""

    def __init__(self, names: Iterable[str]) -> None:
        # One letter is a word in too many sentences.
        worded = {r"\s+".join(map(re.escape, name.split())) for name in names if len(name.strip()) > 1}
        longest_first = sorted(worded, key=len, reverse=True)
        self._names = re.compile(rf"(?<!\w)(?:{'|'.join(longest_first)})(?!\w)", re.IGNORECASE) if worded else None

    def text(self, text: str) -> str:
        without_links = LINK.sub(LINK_REMOVED, text)
        return self._names.sub(NAME_REMOVED, without_links) if self._names else without_links

    def tree(self, value: Any) -> Any:
        """The same JSON with all of its texts redacted, names of fields included."""
        if isinstance(value, Mapping):
            return self._object(value)
        if isinstance(value, list | tuple):
            return [self.tree(item) for item in value]
        return self.text(value) if isinstance(value, str) else value

    def _object(self, value: Mapping[Any, Any]) -> dict[str, Any]:
        clean: dict[str, Any] = {}
        for name, item in value.items():
            key = self.text(str(name))
            while key in clean:
                key += "*"
            clean[key] = self.tree(item)
        return clean
