"""What the readings of the log of events have in common: whose log somebody may read, pages, and files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet, refuse, row_id
from proctoring.api.errors import ProblemSerializer
from proctoring.api.openapi import MEANINGS, operation
from proctoring.api.pagination import MOST_READ, EventPages, batches
from proctoring.api.v1.booking_shapes import MomentFilter
from proctoring.attempts.models import Attempt
from proctoring.logs.intake import MAX_TYPE
from proctoring.logs.models import Event
from proctoring.permissions import may_view_logs, may_watch
from proctoring.reports.tables import EXPORTS, Export, Row

TAG = "Logs"

BATCH = 1000
"""Events that are in memory at once while a file is written."""

SO_FAR = f"A page reads at most {MOST_READ} events: where filters find little it is short or empty, and `next` goes on."

ORDERS = ("newest", "oldest")

ORDER = OpenApiParameter("order", enum=[*ORDERS], default=ORDERS[0], description="Which comes first.")
EXPORT = OpenApiParameter("export", enum=[*EXPORTS], description="A file of all that the filters find, not a page.")

ERRORS = (400, 403, 404)


def logged_attempt(user: Any, text: str, *, candidates_too: bool = False) -> Attempt:
    """The attempt of an id in a path, whose log the person reads; ``candidates_too``: or whose attempt it is.

    Of their own attempt nobody reads more than any candidate does, whatever else they are; superusers answer for the
    whole LMS. Raises ``PermissionDenied`` where they only see the attempt, else ``NotFound``.
    """
    attempt = Attempt.objects.select_related("exam").filter(pk=row_id(text)).first()
    if attempt is None:
        raise exceptions.NotFound
    is_own, course_id = attempt.user_id == user.pk, attempt.exam.course_id
    if is_own and not user.is_superuser:
        if candidates_too:
            return attempt
        raise exceptions.PermissionDenied
    if may_view_logs(user, course_id):
        return attempt
    raise exceptions.PermissionDenied if may_watch(user, course_id) else exceptions.NotFound


@extend_schema_field({"type": "integer", "minimum": 0, "maximum": MAX_TYPE})
class NumberFilter(django_filters.Filter):
    field_class = forms.IntegerField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=0, max_value=MAX_TYPE, **kwargs)


class EventFilter(django_filters.FilterSet):
    # "from" cannot be an attribute.
    locals()["from"] = MomentFilter(field_name="at", lookup_expr="gte", label="Then or later")
    to = MomentFilter(field_name="at", lookup_expr="lt", label="Before then")

    class Meta:
        model = Event
        fields = ()


def log_operation(
    summary: str, *, row: type[serializers.Serializer[Any]], parameters: Sequence[Any], description: str = ""
) -> Callable[[Any], Any]:
    """A list that is also a file: two kinds of answer under one status."""
    answer, parameters, said = row(many=True), [*parameters, EXPORT], f"{description} {SO_FAR}".strip()
    document = operation(summary, answer=answer, tag=TAG, errors=ERRORS, parameters=parameters, description=said)
    files: dict[Any, Any] = {(200, export.content_type): OpenApiTypes.STR for export in EXPORTS.values()}
    problems = {code: OpenApiResponse(ProblemSerializer, description=MEANINGS[code]) for code in (401, *ERRORS)}
    responses = extend_schema(responses={(200, "application/json"): answer, **files, **problems})
    return lambda method: responses(document(method))


class EventLogView(ApiViewSet):
    filter_backends = (DjangoFilterBackend,)
    pagination_class = EventPages
    moments_class: type[EventFilter] = EventFilter
    """Those of the filters that an index serves."""
    columns: Sequence[str] = ()
    """Of a file."""
    walked: QuerySet[Event]
    """What a page reads, in its order, to find what the filters want."""

    def get_queryset(self) -> QuerySet[Event]:
        return Event.objects.all()

    @property
    def newest_first(self) -> bool:
        order = self.request.query_params.get("order", ORDERS[0])
        if order not in ORDERS:
            refuse({"order": _("Must be newest or oldest.")})
        return order == ORDERS[0]

    def answer(
        self,
        events: QuerySet[Event],
        *,
        scope: Mapping[str, Any],
        rows: Callable[[Sequence[Event]], Sequence[Row]],
        name: str,
        beside: Mapping[str, Any] | None = None,
    ) -> HttpResponseBase:
        """A page of the events in ``scope`` that the filters find, with what stands ``beside`` the results, or a file
        of all."""
        export, newest_first = self._export(), self.newest_first
        found = self.filter_queryset(events.filter(**scope))
        if export is None:
            in_scope = Event.objects.filter(**scope)
            self.walked = self.moments_class(self.request.query_params, in_scope, request=self.request).qs
            page = self.paginate_queryset(found)
            shown = self.shown(self.get_serializer_class(), rows(page or ()), many=True)
            answer: Response = self.get_paginated_response(shown)
            answer.data |= beside or {}
            return answer
        all_rows = _rows(
            found, rows, newest_first=newest_first, language=get_language(), is_flat=export is EXPORTS["csv"]
        )
        disposition = content_disposition_header(True, f"{name}.{export.extension}")
        return StreamingHttpResponse(
            export.pieces(self.columns, all_rows),
            content_type=f"{export.content_type}; charset=utf-8",
            headers={"Content-Disposition": disposition, "X-Content-Type-Options": "nosniff"},
        )

    def _export(self) -> Export | None:
        wanted = self.request.query_params.get("export")
        if wanted is not None and wanted not in EXPORTS:
            refuse({"export": _("Must be csv or ndjson.")})
        return None if wanted is None else EXPORTS[wanted]


def _rows(
    events: QuerySet[Event],
    rows: Callable[[Sequence[Event]], Sequence[Row]],
    *,
    newest_first: bool,
    language: str | None,
    is_flat: bool,
) -> Iterator[Row]:
    """The language is the reader's: when a file is written, nobody's request says it any more."""
    for batch in batches(events, newest_first=newest_first, size=BATCH):
        with override(language):
            shown = rows(batch)
        yield from map(_flat, shown) if is_flat else shown


def _flat(row: Row) -> Row:
    return {name: _as_text(value) if isinstance(value, dict) else value for name, value in row.items()}


def _as_text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False)
