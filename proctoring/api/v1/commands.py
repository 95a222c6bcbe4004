"""``attempts/{id}/commands/``: what the candidate's page was told, and what it says has become of it."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet
from proctoring.api.openapi import operation, path_id
from proctoring.api.pagination import Pages
from proctoring.api.v1.attempts import TAG
from proctoring.api.v1.event_logs import logged_attempt
from proctoring.api.v1.representation import PersonSerializer
from proctoring.api.wire import UtcDateTimeField
from proctoring.monitoring.models import Command, CommandKind


class SentCommandSerializer(serializers.Serializer[Any]):
    """`by` is null where the system sent it. `seen_at`: the page has it; `applied_at`: it has carried it out."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=CommandKind.choices)
    text = serializers.CharField()
    minutes = serializers.IntegerField(allow_null=True)
    by = PersonSerializer(allow_null=True)
    sent_at = UtcDateTimeField()
    seen_at = UtcDateTimeField(allow_null=True)
    applied_at = UtcDateTimeField(allow_null=True)


class AttemptCommands(ApiViewSet):
    serializer_class = SentCommandSerializer
    pagination_class = Pages

    @operation(
        "What the candidate's page was told, the newest first",
        description="For those who read the attempt's log.",
        answer=SentCommandSerializer(many=True),
        tag=TAG,
        errors=(400, 403, 404),
        parameters=[path_id()],
    )
    def list(self, request: Request, pk: str) -> Response:
        attempt = logged_attempt(request.user, pk)
        page = self.paginate_queryset(Command.objects.filter(attempt=attempt.pk).select_related("by"))
        return self.get_paginated_response(self.shown(SentCommandSerializer, page, many=True))
