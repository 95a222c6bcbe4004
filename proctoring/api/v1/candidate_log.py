"""``attempts/{id}/candidate-log/``: what one candidate did and what was done, attempt by attempt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import django_filters
from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request

from proctoring.api.openapi import path_id
from proctoring.api.pagination import EventPages
from proctoring.api.v1.event_logs import ORDER, EventFilter, EventLogView, log_operation, logged_attempt
from proctoring.api.wire import UtcDateTimeField
from proctoring.attempts.models import Attempt
from proctoring.logs.candidate_actions import CANDIDATE_ACTIONS
from proctoring.logs.event_types import EVENT_TYPES
from proctoring.logs.models import Event
from proctoring.logs.readings import CANDIDATE_COLUMNS, candidate_row, candidate_types
from proctoring.reports.tables import Row


class CandidateLogRowSerializer(serializers.Serializer[Any]):
    """`action` is the vocabulary's word, `action_label` its translation. `attempt` is the attempt's number."""

    timestamp = UtcDateTimeField()
    attempt = serializers.IntegerField()
    action = serializers.ChoiceField(choices=[*CANDIDATE_ACTIONS])
    action_label = serializers.CharField()
    question_number = serializers.IntegerField(allow_null=True)
    item_id = serializers.CharField(allow_null=True)
    error = serializers.CharField(allow_null=True)
    ip_address = serializers.CharField(allow_null=True)


class CandidateLogPages(EventPages):
    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        page = super().get_paginated_response_schema(schema)
        number = {"type": "integer"}
        one = {"type": "object", "required": ["id", "number"], "properties": {"id": number, "number": number}}
        page["properties"]["siblings"] = {
            "type": "array",
            "items": one,
            "description": "The person's attempts at this exam, this one included.",
        }
        page["required"] = [*page["required"], "siblings"]
        return page


class CandidateLogFilter(EventFilter):
    action = django_filters.ChoiceFilter(choices=[(one, one) for one in CANDIDATE_ACTIONS], method="of_action")

    def of_action(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(type__in=[code for code, one in EVENT_TYPES.items() if one.candidate_action == value])


class CandidateLog(EventLogView):
    serializer_class = CandidateLogRowSerializer
    filterset_class = CandidateLogFilter
    pagination_class = CandidateLogPages
    columns = CANDIDATE_COLUMNS

    @log_operation("A candidate's log of one attempt", row=CandidateLogRowSerializer, parameters=[path_id(), ORDER])
    def list(self, request: Request, pk: str) -> HttpResponseBase:
        attempt = logged_attempt(request.user, pk, candidates_too=True)

        def rows(some: Sequence[Event]) -> Sequence[Row]:
            return [candidate_row(event, number=attempt.number) for event in some]

        events, scope = self.get_queryset().filter(type__in=candidate_types()), {"attempt": attempt.pk}
        theirs = Attempt.objects.filter(exam=attempt.exam_id, user=attempt.user_id)
        siblings = theirs.order_by("number").values("id", "number")
        name = f"candidate-log-{attempt.pk}"
        return self.answer(events, scope=scope, rows=rows, name=name, beside={"siblings": siblings})
