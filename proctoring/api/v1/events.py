"""``attempts/{id}/events/``: what the candidate's page and the LMS's server report, in batches."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address
from typing import Any

from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet, refuse, row_id
from proctoring.api.openapi import operation, path_id
from proctoring.api.pages import PageHolder, PageToken, refuse_other_page
from proctoring.api.v1.attempts import TAG
from proctoring.api.wire import JsonObjectField, UtcDateTimeField
from proctoring.attempts.models import Attempt
from proctoring.attempts.reporting import report_events
from proctoring.host import host
from proctoring.logs.event_types import Source
from proctoring.logs.intake import MAX_ROWS, MAX_TYPE, MESSAGE_ID, Reporter
from proctoring.logs.models import MAX_TEXT
from proctoring.logs.streams import MAX_SEQUENCE, STREAM
from proctoring.monitoring.room import report_from_page
from proctoring.permissions import may_view_logs, may_watch, reports_for_lms


class EventReportSerializer(serializers.Serializer[Any]):
    """`message_id` is unique in its attempt: what is sent again is stored once. `sequence` counts within its `stream`,
    one load of a page. A row is at most 8192 bytes."""

    # For the description alone: rows are looked at one by one, and one that is not sound keeps nobody out.
    message_id = serializers.RegexField(MESSAGE_ID)
    type = serializers.IntegerField(min_value=0, max_value=MAX_TYPE)
    occurred_at = UtcDateTimeField()
    stream = serializers.RegexField(STREAM, required=False)
    sequence = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=MAX_SEQUENCE)
    item_id = serializers.CharField(required=False, allow_null=True, max_length=255)
    question_number = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=MAX_TYPE)
    error = serializers.CharField(required=False, allow_null=True, max_length=MAX_TEXT)
    reason_code = serializers.IntegerField(required=False, allow_null=True, min_value=0, max_value=MAX_TYPE)
    reason_message = serializers.CharField(required=False, allow_null=True, max_length=MAX_TEXT)
    data = JsonObjectField(required=False, allow_null=True)  # type: ignore[assignment]  # the contract's name


class RefusedEventSerializer(serializers.Serializer[Any]):
    """`code` is `invalid`, `wrong_source`, `too_large` or `too_many`: of a page that has reported too much, no more is
    taken. None of them is to be sent again."""

    index = serializers.IntegerField()
    code = serializers.CharField()
    detail = serializers.CharField()


class TakenSerializer(serializers.Serializer[Any]):
    stored = serializers.IntegerField()
    repeated = serializers.IntegerField()
    refused = RefusedEventSerializer(many=True)


class AttemptEvents(ApiViewSet):
    def get_authenticators(self) -> list[BaseAuthentication]:
        return [PageToken(), *super().get_authenticators()]

    @operation(
        "Report what happened: the candidate's page, or the LMS's server",
        description=f"A list of at most {MAX_ROWS} events. Sound ones are stored even when others are refused.",
        body=EventReportSerializer(many=True),
        answer=TakenSerializer,
        tag=TAG,
        errors=(403, 404, 409),
        parameters=[path_id()],
    )
    def create(self, request: Request, pk: str) -> Response:
        attempt = Attempt.objects.select_related("exam", "presence").filter(pk=row_id(pk)).first()
        if attempt is None:
            raise exceptions.NotFound
        refuse_other_page(request, attempt.pk)
        reporter = reporter_of(request, attempt)
        rows = request.data
        if not isinstance(rows, list) or len(rows) > MAX_ROWS or not all(isinstance(row, dict) for row in rows):
            refuse({"non_field_errors": _("Must be a list of at most %s objects.") % MAX_ROWS})
        report = report_from_page if reporter.source == Source.PAGE else report_events
        return Response(self.shown(TakenSerializer, report(attempt, rows, reporter, now=self.now)))


def reporter_of(request: Request, attempt: Attempt) -> Reporter:
    """Raises ``PermissionDenied`` for those who only see the attempt, ``NotFound`` for those who do not."""
    user, course_id = request.user, attempt.exam.course_id
    if attempt.user_id == user.pk:
        presence = getattr(attempt, "presence", None)
        return Reporter(
            source=Source.PAGE,
            ip=address_of(request),
            user_agent=browser_of(request),
            clock_offset_ms=presence.clock_offset_ms if presence else 0,
        )
    if isinstance(user, PageHolder):
        raise exceptions.NotFound
    if reports_for_lms(user, course_id):
        # Its address and browser are not the candidate's, and would read as theirs.
        return Reporter(source=Source.LMS)
    seen = may_watch(user, course_id) or may_view_logs(user, course_id)
    raise exceptions.PermissionDenied if seen else exceptions.NotFound


def browser_of(request: Request) -> str:
    return str(request.META.get("HTTP_USER_AGENT", "").replace("\x00", "")[:400])


def address_of(request: Request) -> str | None:
    """Who is at the other end, as the host says; None where that is no address, such as a socket's path."""
    try:
        address = ip_address(host().client_address(request.META).strip().partition("%")[0])
    except ValueError:
        return None
    # An IPv4 client of a server that listens on IPv6 is the same client.
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return str(mapped or address)
