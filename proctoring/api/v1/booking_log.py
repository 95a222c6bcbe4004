"""``bookings/{id}/log/`` and ``booking-log/``: step by step, why a booking stands where it stands; also as a file."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.http import HttpResponseBase, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import exceptions, serializers
from rest_framework.request import Request

from proctoring.api.base import ApiViewSet, refuse
from proctoring.api.errors import ProblemSerializer
from proctoring.api.openapi import MEANINGS, operation, path_id
from proctoring.api.pagination import Pages
from proctoring.api.v1.attempts import IdFilter
from proctoring.api.v1.booking_shapes import TAG, MomentFilter, plans_or_mends, visible_booking
from proctoring.api.v1.representation import PersonSerializer
from proctoring.api.wire import JsonObjectField, UtcDateTimeField
from proctoring.bookings.log_codes import LOG_CODES, codes_about
from proctoring.bookings.models import BookingLogEntry
from proctoring.host import host
from proctoring.permissions import may_see_bookings, may_watch
from proctoring.reports.tables import EXPORTS, Export, Row

SUBJECTS = ("booking", "session", "rating")
BATCH = 500
"""Entries that are in memory at once."""

COLUMNS = ("at", "booking", "code", "subject", "text", "candidate_number", "by", "comment", "context")
EXPORT = OpenApiParameter("export", enum=[*EXPORTS], description="A file of all that the filters find, not a page.")


class ScopeRequired(exceptions.APIException):
    status_code = 400
    default_detail = _lazy("Name the course whose log it is: course_id.")
    default_code = "scope_required"


class BookingLogEntrySerializer(serializers.Serializer[Any]):
    """`code` is null where the vocabulary has no word for the step, such as cancelling."""

    code = serializers.SerializerMethodField()
    subject = serializers.ChoiceField(choices=SUBJECTS)
    text = serializers.CharField()
    at = UtcDateTimeField()
    candidate_number = serializers.IntegerField(source="session.candidate_number", allow_null=True)
    by = PersonSerializer(allow_null=True)
    context = JsonObjectField(source="full_context")  # type: ignore[assignment]  # the contract's name
    booking = serializers.IntegerField(source="booking_id")
    comment = serializers.CharField()

    def get_code(self, entry: BookingLogEntry) -> str | None:
        return entry.code or None


class BookingLogFilter(django_filters.FilterSet):
    code = django_filters.ChoiceFilter(choices=[(one.code, one.label) for one in LOG_CODES.values()])
    subject = django_filters.ChoiceFilter(choices=[(one, one) for one in SUBJECTS], method="about")
    candidate = IdFilter(field_name="session__candidate_number", label="Candidate number")
    user = IdFilter(field_name="session__user_id", label="The candidate's id")
    # "from" cannot be an attribute.
    locals()["from"] = MomentFilter(field_name="at", lookup_expr="gte", label="Then or later")
    to = MomentFilter(field_name="at", lookup_expr="lt", label="Before then")

    class Meta:
        model = BookingLogEntry
        fields = ("code",)

    def about(self, queryset: Any, name: str, value: str) -> Any:
        # What has no code is about the booking.
        others = [code for one in SUBJECTS[1:] for code in codes_about(one)]
        return (
            queryset.exclude(code__in=others) if value == SUBJECTS[0] else queryset.filter(code__in=codes_about(value))
        )


class CourseBookingLogFilter(BookingLogFilter):
    course_id = django_filters.CharFilter(max_length=255, required=True)


def log_operation(summary: str, *, errors: tuple[int, ...], parameters: list[Any]) -> Callable[[Any], Any]:
    """A list that is also a file: two kinds of answer under one status."""
    answer = BookingLogEntrySerializer(many=True)
    document = operation(summary, answer=answer, tag=TAG, errors=errors, parameters=[*parameters, EXPORT])
    files: dict[Any, Any] = {(200, export.content_type): OpenApiTypes.STR for export in EXPORTS.values()}
    problems = {code: OpenApiResponse(ProblemSerializer, description=MEANINGS[code]) for code in (401, *errors)}
    responses = extend_schema(responses={(200, "application/json"): answer, **files, **problems})
    return lambda method: responses(document(method))


class LogView(ApiViewSet):
    serializer_class = BookingLogEntrySerializer
    filter_backends = (DjangoFilterBackend,)
    pagination_class = Pages

    def get_queryset(self) -> QuerySet[BookingLogEntry]:
        return BookingLogEntry.objects.visible_to(self.request.user).select_related("session", "by")

    def answer(self, entries: QuerySet[BookingLogEntry], *, name: str) -> HttpResponseBase:
        export = self._export()
        found = self.filter_queryset(entries)
        if export is None:
            page = self.paginate_queryset(found)
            return self.get_paginated_response(self.shown(BookingLogEntrySerializer, page, many=True))
        rows = log_rows(found, language=get_language(), is_flat=export is EXPORTS["csv"])
        disposition = content_disposition_header(True, f"booking-log-{name}.{export.extension}")
        return StreamingHttpResponse(
            export.pieces(COLUMNS, rows),
            content_type=f"{export.content_type}; charset=utf-8",
            headers={"Content-Disposition": disposition, "X-Content-Type-Options": "nosniff"},
        )

    def _export(self) -> Export | None:
        wanted = self.request.query_params.get("export")
        if wanted is not None and wanted not in EXPORTS:
            refuse({"export": _("Must be csv or ndjson.")})
        return None if wanted is None else EXPORTS[wanted]


class BookingLog(LogView):
    filterset_class = BookingLogFilter

    @log_operation("A booking's log, the newest entry first", errors=(400, 404), parameters=[path_id()])
    def list(self, request: Request, pk: str) -> HttpResponseBase:
        booking = visible_booking(request.user, pk)
        return self.answer(self.get_queryset().filter(booking=booking.pk), name=str(booking.pk))


class CourseBookingLog(LogView):
    filterset_class = CourseBookingLogFilter

    @log_operation("The log of a course's bookings, the newest entry first", errors=(400, 403, 404), parameters=[])
    def list(self, request: Request) -> HttpResponseBase:
        user, course_id = request.user, request.query_params.get("course_id")
        if not course_id:
            raise ScopeRequired if plans_or_mends(user) else exceptions.PermissionDenied
        if not may_see_bookings(user, course_id):
            seen = host().may_see_course(user, course_id) or may_watch(user, course_id)
            raise exceptions.PermissionDenied if seen else exceptions.NotFound
        return self.answer(self.get_queryset(), name=re.sub(r"[^A-Za-z0-9._-]+", "-", course_id)[:150].strip("-"))


def log_rows(entries: QuerySet[BookingLogEntry], *, language: str | None, is_flat: bool) -> Iterator[Row]:
    """The newest first. One statement a batch; memory does not grow with the log.

    The language is the reader's: when a file is written, nobody's request says it any more.
    """
    batch = list(entries.order_by("-pk")[:BATCH])
    while batch:
        with override(language):
            rows = [_row(entry, is_flat=is_flat) for entry in batch]
        yield from rows
        batch = list(entries.filter(pk__lt=batch[-1].pk).order_by("-pk")[:BATCH]) if len(batch) == BATCH else []


def _row(entry: BookingLogEntry, *, is_flat: bool) -> Row:
    context = entry.full_context()
    return {
        "at": entry.at,
        "booking": entry.booking_id,
        "code": entry.code or None,
        "subject": entry.subject,
        "text": entry.text,
        "candidate_number": entry.session.candidate_number if entry.session else None,
        "by": entry.by.get_username() if entry.by else None,
        "comment": entry.comment,
        "context": json.dumps(context, ensure_ascii=False) if is_flat else context,
    }
