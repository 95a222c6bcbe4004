"""The vendor's list of ratings. It only grows, so a place in it is a cursor that stays good. No HTTP."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from datetime import datetime
from typing import Any

Row = dict[str, Any]


class Ratings:
    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._latest: list[float] = []
        """The latest ``rated_at`` up to each row: it never falls, whatever order the rows came in."""

    def clear(self) -> None:
        self.rows.clear()
        self._latest.clear()

    def load(self, rows: Iterable[Row]) -> None:
        self.clear()
        for row in rows:
            self.add(row)

    def add(self, row: Row) -> None:
        before = self._latest[-1] if self._latest else 0.0
        self.rows.append(row)
        self._latest.append(max(before, _seconds(row.get("rated_at"))))

    def start(self, since: datetime) -> int:
        """The place before which nothing was rated then or later."""
        return bisect_left(self._latest, since.timestamp())

    def page(self, *, start: int, size: int) -> tuple[list[Row], int | None]:
        """Rows, and where the list goes on."""
        return self.rows[start : start + size], start + size if start + size < len(self.rows) else None


def _seconds(moment: Any) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except (TypeError, ValueError, OverflowError):
        return 0.0
