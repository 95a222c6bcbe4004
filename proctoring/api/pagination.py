"""Lists: keyset pages by primary key, or by moment. A page costs the same wherever it lies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from django.db.models import Model, Q, QuerySet
from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from proctoring.api.wire import is_id
from proctoring.backends.types import LAST_YEAR

M = TypeVar("M", bound=Model)
Position = tuple[datetime, int]
"""Of a row in a list by moment: ``at`` and primary key."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
END = datetime(LAST_YEAR + 1, 1, 1, tzinfo=UTC)
MOST_READ = 5_000
"""Rows that a page of a log reads at most, to find those that its filters want."""
WRITTEN = re.compile(r"([0-9]{1,18})\.([0-9]{1,19})")
"""A position in a cursor: microseconds since 1970, and the key."""


class Pages(CursorPagination):
    ordering = "-id"
    page_size = 50
    page_size_query_param = "page_size"
    max_page_size = 200

    def get_page_size(self, request: Request) -> int:
        """More than the maximum means the maximum. Raises ``ValidationError`` for what is no positive number."""
        wanted = request.query_params.get(self.page_size_query_param)
        if wanted is None:
            return self.page_size
        if not (wanted.isascii() and wanted.isdigit() and int(wanted[:10]) > 0):
            raise ValidationError({self.page_size_query_param: [_("Must be a positive number.")]})
        return min(int(wanted[:10]), self.max_page_size)

    def decode_cursor(self, request: Request) -> Cursor | None:
        try:
            cursor = super().decode_cursor(request)
        except NotFound:
            self._refuse_cursor()
        position: Any = cursor.position if cursor else None
        if position is not None and not self._is_position(position):
            self._refuse_cursor()
        return cursor

    def _is_position(self, text: str) -> bool:
        return is_id(text)

    def _refuse_cursor(self) -> None:
        raise ValidationError({self.cursor_query_param: [_("This is no cursor of this list.")]})

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            if parameter["name"] == self.page_size_query_param:
                parameter["schema"] |= {"minimum": 1, "maximum": self.max_page_size, "default": self.page_size}
        return parameters

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["results", "next", "previous"],
            "properties": {"results": schema, "next": link, "previous": link},
        }


class OldestFirst(Pages):
    ordering = "id"


class EventPages(Pages):
    """By moment, then by key: any number of rows may have the same moment.

    REST framework's own pages would count their way through those, and give up at a thousand. The view says with
    ``newest_first`` which way to go. A link says behind, or before, which row its page lies; without a row: at the end.

    No index has what every filter wants. So a page reads at most ``MOST_READ`` rows of ``view.walked``, the log without
    the filters; one that finds little in them is short, or empty, and goes on behind the last that it has read.
    """

    page: list[Any]

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.base_url = request.build_absolute_uri()
        size = self.get_page_size(request)
        cursor = self.decode_cursor(request) or Cursor(offset=0, reverse=False, position=None)
        behind = None if cursor.position is None else read_position(str(cursor.position))
        newest_first = view.newest_first != cursor.reverse
        edge = _edge(in_order(view.walked, newest_first=newest_first, behind=behind))
        found = in_order(queryset, newest_first=newest_first, behind=behind, until=edge)[: size + 1]
        rows = list(found)
        self.page = rows[:size]
        last = position_of(self.page[-1]) if len(rows) > size else edge
        first = position_of(self.page[0]) if self.page else edge
        goes_on, comes_from = len(rows) > size or edge is not None, behind is not None
        if cursor.reverse:
            self.page.reverse()
        self.has_previous, self.has_next = (goes_on, comes_from) if cursor.reverse else (comes_from, goes_on)
        self.first, self.last = (last, first) if cursor.reverse else (first, last)
        return self.page

    def get_next_link(self) -> str | None:
        return self._link(self.last, reverse=False) if self.has_next else None

    def get_previous_link(self) -> str | None:
        return self._link(self.first, reverse=True) if self.has_previous else None

    def _link(self, position: Position | None, *, reverse: bool) -> str:
        written = write_position(position) if position else None
        link: str = self.encode_cursor(Cursor(offset=0, reverse=reverse, position=written))  # type: ignore[arg-type]
        return link

    def _is_position(self, text: str) -> bool:
        return read_position(text) is not None


def _edge(walked: QuerySet[Any]) -> Position | None:
    """Of the last row that a page may read; None where no more come behind it. The index alone answers."""
    at_the_edge = list(walked.values_list("at", "pk")[MOST_READ - 1 : MOST_READ + 1])
    return at_the_edge[0] if len(at_the_edge) > 1 else None


def in_order(
    queryset: QuerySet[M], *, newest_first: bool, behind: Position | None, until: Position | None = None
) -> QuerySet[M]:
    """The rows that come behind a position, up to another, for an index over (…, ``at``, ``id``)."""
    sign, on, back = ("-", "lt", "gt") if newest_first else ("", "gt", "lt")
    # Said twice: the index begins at the first condition, and only the rows of that very moment meet the second.
    if behind is not None:
        at, pk = behind
        queryset = queryset.filter(**{f"at__{on}e": at}).filter(Q(**{f"at__{on}": at}) | Q(**{f"id__{on}": pk}))
    if until is not None:
        at, pk = until
        queryset = queryset.filter(**{f"at__{back}e": at}).filter(Q(**{f"at__{back}": at}) | Q(**{f"id__{back}e": pk}))
    return queryset.order_by(f"{sign}at", f"{sign}id")


def batches(queryset: QuerySet[M], *, newest_first: bool, size: int) -> Iterator[list[M]]:
    """All rows, ``size`` in memory at once. One statement each."""
    position = None
    while True:
        batch = list(in_order(queryset, newest_first=newest_first, behind=position)[:size])
        yield batch
        if len(batch) < size:
            return
        position = position_of(batch[-1])


def position_of(row: Any) -> Position:
    return row.at, row.pk


def write_position(position: Position) -> str:
    at, pk = position
    return f"{(at - EPOCH) // timedelta(microseconds=1)}.{pk}"


def read_position(text: str) -> Position | None:
    """None: no row can have it."""
    found = WRITTEN.fullmatch(text)
    if found is None or not is_id(found[2]):
        return None
    try:
        at = EPOCH + timedelta(microseconds=int(found[1]))
    except OverflowError:
        return None
    return (at, int(found[2])) if at < END else None
