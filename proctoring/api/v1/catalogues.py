"""``catalogues/``: the vocabularies, for every account. Words of the vocabulary as they are, labels translated."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet
from proctoring.api.openapi import operation
from proctoring.attempts.states import NOTES, TRAITS, TRANSITIONS, Actor, Clock, Phase, Status
from proctoring.bookings.log_codes import LOG_CODES
from proctoring.logs.candidate_actions import CANDIDATE_ACTIONS
from proctoring.logs.event_types import EVENT_TYPES, Severity
from proctoring.logs.reason_codes import REASON_CODES

TAG = "Catalogues"

CATALOGUES = {
    "event-types": "event_types",
    "reason-codes": "reason_codes",
    "booking-log-codes": "booking_log_codes",
    "candidate-actions": "candidate_actions",
    "attempt-statuses": "attempt_statuses",
    "attempt-transitions": "attempt_transitions",
}
"""The address's word → the method that answers."""


class EventTypeSerializer(serializers.Serializer[Any]):
    """`name` is the field's word for it, `label` and `description` are ours and translated."""

    code = serializers.IntegerField()
    name = serializers.CharField()
    category = serializers.CharField()
    severity = serializers.ChoiceField(choices=[severity.value for severity in Severity])
    label = serializers.CharField()  # type: ignore[assignment]  # the contract's name
    description = serializers.CharField()


class ReasonCodeSerializer(serializers.Serializer[Any]):
    code = serializers.IntegerField()
    name = serializers.CharField(source="cause")
    category = serializers.CharField()
    cause = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # the contract's name


class BookingLogCodeSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField(source="label")
    subject = serializers.CharField()
    status_after = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # the contract's name


class CandidateActionSerializer(serializers.Serializer[Any]):
    code = serializers.CharField()
    name = serializers.CharField(source="code")
    side = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # the contract's name


class StatusTraitsSerializer(serializers.Serializer[Any]):
    code = serializers.ChoiceField(choices=Status.choices)
    name = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]  # the contract's name
    phase = serializers.ChoiceField(choices=[phase.value for phase in Phase])
    clock = serializers.ChoiceField(choices=[clock.value for clock in Clock])
    acs_status = serializers.CharField()
    edx_status = serializers.CharField()
    open = serializers.BooleanField()


class AttemptTransitionSerializer(serializers.Serializer[Any]):
    to = serializers.ChoiceField(choices=Status.choices)
    actors = serializers.ListField(child=serializers.ChoiceField(choices=[actor.value for actor in Actor]))
    note = serializers.CharField()

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # "from" cannot be an attribute.
        return {"from": serializers.ChoiceField(choices=Status.choices), **super().get_fields()}


def catalogue(summary: str, serializer: type[serializers.Serializer[Any]]) -> Any:
    return operation(summary, answer=serializer(many=True), tag=TAG)


class Catalogues(ApiViewSet):
    @catalogue("Types of events: the vendors' and our own", EventTypeSerializer)
    def event_types(self, request: Request) -> Response:
        return Response(self.shown(EventTypeSerializer, EVENT_TYPES.values(), many=True))

    @catalogue("Why somebody intervenes", ReasonCodeSerializer)
    def reason_codes(self, request: Request) -> Response:
        return Response(self.shown(ReasonCodeSerializer, REASON_CODES.values(), many=True))

    @catalogue("Entries of the booking log", BookingLogCodeSerializer)
    def booking_log_codes(self, request: Request) -> Response:
        return Response(self.shown(BookingLogCodeSerializer, LOG_CODES.values(), many=True))

    @catalogue("Actions of the candidate log", CandidateActionSerializer)
    def candidate_actions(self, request: Request) -> Response:
        return Response(self.shown(CandidateActionSerializer, CANDIDATE_ACTIONS.values(), many=True))

    @catalogue("An attempt's statuses", StatusTraitsSerializer)
    def attempt_statuses(self, request: Request) -> Response:
        rows = [
            {
                "code": status.value,
                "name": status.value,
                "label": status.label,
                "phase": traits.phase.value,
                "clock": traits.clock.value,
                "acs_status": traits.acs_status,
                "edx_status": traits.edx_status,
                "open": traits.open,
            }
            for status, traits in TRAITS.items()
        ]
        return Response(self.shown(StatusTraitsSerializer, rows, many=True))

    @catalogue("Which status may follow which, and who may do that", AttemptTransitionSerializer)
    def attempt_transitions(self, request: Request) -> Response:
        rows = [
            {
                "from": old.value,
                "to": new.value,
                "actors": [actor.value for actor in Actor if actor in actors],
                "note": NOTES.get((old, new), ""),
            }
            for old, steps in TRANSITIONS.items()
            for new, actors in steps.items()
        ]
        return Response(self.shown(AttemptTransitionSerializer, rows, many=True))
