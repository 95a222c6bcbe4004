"""Rows as text, a piece at a time: CSV that a spreadsheet opens without obeying it, and JSON lines."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

Row = Mapping[str, Any]

PIECE = 32_768
"""Characters that are gathered before they are handed on: a server sends each piece by itself."""

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""What a spreadsheet takes for the beginning of a formula, or strips to find one."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Export:
    """A way to write rows. ``pieces`` takes the columns and the rows."""

    content_type: str
    extension: str
    pieces: Callable[[Sequence[str], Iterable[Row]], Iterator[str]]


def csv_pieces(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(columns)
    for row in rows:
        writer.writerow([_cell(row[name]) for name in columns])
        if buffer.tell() >= PIECE:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def ndjson_pieces(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    lines: list[str] = []
    length = 0
    for row in rows:
        lines.append(json.dumps({name: _plain(row[name]) for name in columns}, ensure_ascii=False) + "\n")
        length += len(lines[-1])
        if length >= PIECE:
            yield "".join(lines)
            lines, length = [], 0
    if lines:
        yield "".join(lines)


EXPORTS: Mapping[str, Export] = {
    "csv": Export(content_type="text/csv", extension="csv", pieces=csv_pieces),
    "ndjson": Export(content_type="application/x-ndjson", extension="ndjson", pieces=ndjson_pieces),
}


def _plain(value: Any) -> Any:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z") if isinstance(value, datetime) else value


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    plain = _plain(value)
    return f"'{plain}" if isinstance(plain, str) and plain.startswith(FORMULA) else plain
