"""Lists: keyset pages by primary key. A page costs the same wherever it lies."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import Cursor, CursorPagination
from rest_framework.request import Request

from proctoring.api.wire import is_id


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
        if position is not None and not is_id(position):
            self._refuse_cursor()
        return cursor

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
