"""``attempts/{id}/timeline/``: everything that is known of an attempt, for those who watch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import django_filters
from django.http import HttpResponseBase
from rest_framework import serializers
from rest_framework.request import Request

from proctoring.api.openapi import path_id
from proctoring.api.v1.event_logs import ORDER, EventFilter, EventLogView, NumberFilter, log_operation, logged_attempt
from proctoring.api.wire import JsonObjectField, UtcDateTimeField
from proctoring.logs.event_types import EVENT_TYPES, Severity
from proctoring.logs.models import Event, EventActor
from proctoring.logs.readings import timeline_row
from proctoring.monitoring.connection import connections_at
from proctoring.monitoring.quality import Quality, State
from proctoring.reports.tables import Row

UNKNOWN = "unknown"
CATEGORIES = (*sorted({one.category for one in EVENT_TYPES.values()}), UNKNOWN)


class TimelineRowSerializer(serializers.Serializer[Any]):
    """`at` is what the order goes by: `occurred_at`, where the reporter's clock can be believed. `name` is null for a
    type that is not known here. `sequence` counts within its `stream`: a missing number is a missing event.
    `connection` is how the candidate's page was connected at that moment."""

    id = serializers.IntegerField()
    at = UtcDateTimeField()
    occurred_at = UtcDateTimeField()
    received_at = UtcDateTimeField()
    type = serializers.IntegerField()
    name = serializers.CharField(allow_null=True)
    label = serializers.CharField()  # type: ignore[assignment]  # the contract's name
    description = serializers.CharField()
    category = serializers.CharField()
    severity = serializers.ChoiceField(choices=[one.value for one in Severity])
    actor = serializers.ChoiceField(choices=EventActor.choices)
    backend = serializers.CharField(allow_null=True)
    reason_code = serializers.IntegerField(allow_null=True)
    reason_message = serializers.CharField()
    question_number = serializers.IntegerField(allow_null=True)
    item_id = serializers.CharField(allow_null=True)
    stream = serializers.CharField(allow_null=True)
    sequence = serializers.IntegerField(allow_null=True)
    connection = serializers.ChoiceField(choices=[*Quality.values, State.LOST.value])
    data = JsonObjectField()  # type: ignore[assignment]  # the contract's name


class TimelineFilter(EventFilter):
    type = NumberFilter(field_name="type")
    category = django_filters.ChoiceFilter(choices=[(one, one) for one in CATEGORIES], method="in_category")
    severity = django_filters.ChoiceFilter(choices=[(one.value, one.value) for one in Severity])
    actor = django_filters.ChoiceFilter(choices=EventActor.choices)

    def in_category(self, queryset: Any, name: str, value: str) -> Any:
        if value == UNKNOWN:
            return queryset.exclude(type__in=[*EVENT_TYPES])
        return queryset.filter(type__in=[code for code, one in EVENT_TYPES.items() if one.category == value])


class Timeline(EventLogView):
    serializer_class = TimelineRowSerializer
    filterset_class = TimelineFilter
    columns = tuple(TimelineRowSerializer().get_fields())

    @log_operation("Everything that happened in an attempt", row=TimelineRowSerializer, parameters=[path_id(), ORDER])
    def list(self, request: Request, pk: str) -> HttpResponseBase:
        attempt = logged_attempt(request.user, pk)

        def rows(some: Sequence[Event]) -> list[Row]:
            words = connections_at(attempt.pk, some)
            return [timeline_row(event, connection=word) for event, word in zip(some, words, strict=True)]

        scope, name = {"attempt": attempt.pk}, f"timeline-{attempt.pk}"
        return self.answer(self.get_queryset(), scope=scope, rows=rows, name=name)
