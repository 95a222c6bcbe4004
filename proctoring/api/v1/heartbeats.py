"""``attempts/{id}/heartbeat/``: the candidate's page says that it is there, and hears what it must know."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime, timedelta
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
from proctoring.api.v1.events import EventReportSerializer, RefusedEventSerializer, address_of, browser_of
from proctoring.api.v1.representation import running_deadline
from proctoring.api.wire import MAX_ID, UtcDateTimeField
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import status_choices
from proctoring.logs.intake import MAX_ROWS
from proctoring.logs.streams import MAX_SEQUENCE
from proctoring.monitoring.beating import Pulse
from proctoring.monitoring.commands import AT_ONCE, Acknowledged, acknowledge_commands, waiting_commands
from proctoring.monitoring.heartbeats import Heard, take_heartbeat
from proctoring.monitoring.load import load
from proctoring.monitoring.models import CommandKind
from proctoring.permissions import may_view_logs, may_watch

MAX_ROUND_TRIP_MS = 600_000
MAX_ACKNOWLEDGED = 2 * AT_ONCE

SEEN, APPLIED = "seen", "applied"


class AcknowledgementSerializer(serializers.Serializer[Any]):
    """`applied` says that the page has carried the command out; `seen`, that the candidate has it before them."""

    id = serializers.IntegerField(min_value=1, max_value=MAX_ID)
    state = serializers.ChoiceField(choices=[SEEN, APPLIED], default=APPLIED)

    def to_internal_value(self, data: Any) -> Any:
        # A bare id is short for a command that has been carried out.
        said = super().to_internal_value({"id": data} if isinstance(data, int | str) else data)

        return Acknowledged(command=said["id"], applied=said["state"] == APPLIED)


class SaidSerializer(serializers.Serializer[Any]):
    """`sequence` counts the heartbeats of one load of the page, and comes back in the answer. `client_time` is the
    page's clock when it was sent; `round_trip_ms` is how long the answer to the heartbeat before took."""

    sequence = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=0, max_value=MAX_SEQUENCE
    )
    client_time = UtcDateTimeField(required=False, allow_null=True, default=None)
    round_trip_ms = serializers.IntegerField(
        required=False, allow_null=True, default=None, min_value=0, max_value=MAX_ROUND_TRIP_MS
    )
    acknowledged = serializers.ListField(
        child=AcknowledgementSerializer(), required=False, default=list, max_length=MAX_ACKNOWLEDGED
    )


SAID = SaidSerializer()
"""One for all requests: it keeps nothing of them, and making one costs more than what it does."""


class HeartbeatSerializer(SaidSerializer):
    __doc__ = SaidSerializer.__doc__

    events = serializers.ListField(child=EventReportSerializer(), required=False, allow_null=True, max_length=MAX_ROWS)


class CommandSerializer(serializers.Serializer[Any]):
    """`minutes` belongs to `extend`. What a command is about has happened at the server already."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=CommandKind.choices)
    text = serializers.CharField()
    minutes = serializers.IntegerField(allow_null=True)
    sent_at = UtcDateTimeField()


class HeartbeatAnswerSerializer(serializers.Serializer[Any]):
    """`next_heartbeat_seconds` grows while the server is busy. `refused` are the events that will never be taken."""

    sequence = serializers.IntegerField(allow_null=True)
    server_time = UtcDateTimeField()
    status = serializers.ChoiceField(choices=status_choices())
    expires_at = UtcDateTimeField(allow_null=True)
    seconds_left = serializers.IntegerField(allow_null=True)
    next_heartbeat_seconds = serializers.IntegerField()
    commands = CommandSerializer(many=True)
    refused = RefusedEventSerializer(many=True)


class Heartbeats(ApiViewSet):
    def get_authenticators(self) -> list[BaseAuthentication]:
        return [PageToken(), *super().get_authenticators()]

    @operation(
        "Say that the page is there, and hear what it must know",
        description="Answers commands until the page says that it has carried them out.",
        body=HeartbeatSerializer,
        answer=HeartbeatAnswerSerializer,
        tag=TAG,
        errors=(403, 404, 409),
        parameters=[path_id()],
    )
    def create(self, request: Request, pk: str) -> Response:
        began = time.monotonic()
        attempt_id, now, stretch = row_id(pk), self.now, load.stretch()
        refuse_other_page(request, attempt_id)
        rows = self._rows()
        said = SAID.run_validation(request.data)
        pulse = _pulse(request, said, now)
        heard = take_heartbeat(attempt_id, request.user.pk, pulse, rows, now=now, stretch=stretch)
        if heard is None:
            raise _why_not(request.user, attempt_id)
        if said["acknowledged"]:
            acknowledge_commands(heard.seen.attempt, said["acknowledged"], now=now)
        load.note(time.monotonic() - began)
        return Response(_answer(heard, said["sequence"], now=now, stretch=stretch))

    def _rows(self) -> list[Any]:
        """The events as they came: they are looked at one by one, and one that is not sound keeps nobody out."""
        body = self.request.data
        rows = body.get("events") if isinstance(body, dict) else None
        if rows is None:
            return []
        if not isinstance(rows, list) or len(rows) > MAX_ROWS or not all(isinstance(row, dict) for row in rows):
            refuse({"events": _("Must be a list of at most %s objects.") % MAX_ROWS})
        return rows


def _pulse(request: Request, said: Mapping[str, Any], now: datetime) -> Pulse:
    offset = 0
    if said["client_time"] is not None:
        # It was that time there when the heartbeat left, half a round trip ago.
        on_the_way = timedelta(milliseconds=(said["round_trip_ms"] or 0) / 2)
        offset = (said["client_time"] + on_the_way - now) // timedelta(milliseconds=1)
    return Pulse(
        ip=address_of(request),
        user_agent=browser_of(request),
        clock_offset_ms=offset,
        round_trip_ms=said["round_trip_ms"],
    )


def _answer(heard: Heard, sequence: int | None, *, now: datetime, stretch: int) -> dict[str, Any]:
    """As ``HeartbeatAnswerSerializer`` describes it. By hand: this is what is asked for most, by far."""
    attempt = heard.seen.attempt
    deadline = running_deadline(attempt, now)
    commands = waiting_commands(attempt) if heard.seen.has_commands else ()
    return {
        "sequence": sequence,
        "server_time": _wire(now),
        "status": attempt.status_at(now).value,
        "expires_at": deadline and _wire(deadline),
        "seconds_left": attempt.seconds_left(now),
        "next_heartbeat_seconds": heard.seen.interval_seconds * stretch,
        "commands": CommandSerializer(commands, many=True).data if commands else [],
        "refused": [{"index": one.index, "code": one.code, "detail": one.detail} for one in heard.refused],
    }


_wire = UtcDateTimeField().to_representation


def _why_not(user: Any, attempt_id: int) -> exceptions.APIException:
    """Nobody but the candidate reports for their page: whoever sees the attempt hears that, others nothing."""
    attempt = Attempt.objects.select_related("exam").filter(pk=attempt_id).first()
    if attempt is None or isinstance(user, PageHolder):
        return exceptions.NotFound()
    course_id = attempt.exam.course_id
    seen = may_watch(user, course_id) or may_view_logs(user, course_id)
    return exceptions.PermissionDenied() if seen else exceptions.NotFound()
