"""``backends/``: the configured vendors and how the connection to each is doing. No vendor is called here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import Count, Max
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet
from proctoring.api.openapi import operation
from proctoring.api.wire import UtcDateTimeField
from proctoring.backends import backends
from proctoring.backends.base import Backend
from proctoring.errors import UnknownBackend
from proctoring.inbox.models import MessageStatus, WebhookMessage
from proctoring.outbox.models import Circuit, DeliveryStatus
from proctoring.outbox.services import owed_by_backend

TAG = "Backends"

CAPABILITIES = (
    "registers_exams",
    "registers_attempts",
    "announces_readiness",
    "takes_live_bookings",
    "gives_ratings",
    "has_dashboard",
    "supports_onboarding",
    "retires_candidates",
    "sends_events",
    "receives_webhooks",
    "signs_body",
)


class CapabilitiesSerializer(serializers.Serializer[Any]):
    """What the vendor's plugin can do."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {name: serializers.BooleanField() for name in CAPABILITIES}


class BackendSerializer(serializers.Serializer[Any]):
    """`available` is false, and `capabilities` null, where the plugin cannot be loaded: `problem` says why."""

    alias = serializers.CharField()
    name = serializers.CharField()
    default = serializers.BooleanField()
    available = serializers.BooleanField()
    problem = serializers.CharField()
    capabilities = CapabilitiesSerializer(allow_null=True)


class CircuitSerializer(serializers.Serializer[Any]):
    """`closed`: calls go out; `open`: they wait; `half_open`: the next one is a trial; `stopped`:
    the vendor refused our credentials, and calls wait until a person says that they were mended."""

    state = serializers.ChoiceField(choices=("closed", "open", "half_open", "stopped"))
    failures = serializers.IntegerField()
    open_until = UtcDateTimeField(allow_null=True)
    last_success_at = UtcDateTimeField(allow_null=True)
    last_error = serializers.CharField()


class OwedSerializer(serializers.Serializer[Any]):
    """Calls that have not reached the vendor: still due, refused by it, or given up."""

    due = serializers.IntegerField()
    failed = serializers.IntegerField()
    given_up = serializers.IntegerField()


class WebhooksSerializer(serializers.Serializer[Any]):
    unverified = serializers.IntegerField()
    last_unverified_at = UtcDateTimeField(allow_null=True)
    waiting = serializers.IntegerField()
    failed = serializers.IntegerField()
    quarantined = serializers.IntegerField()
    last_received_at = UtcDateTimeField(allow_null=True)


class HealthSerializer(BackendSerializer):
    circuit = CircuitSerializer()
    owed = OwedSerializer()
    webhooks = WebhooksSerializer()


class Backends(ApiViewSet):
    @operation("The configured vendors", answer=BackendSerializer(many=True), tag=TAG, errors=(403,))
    def list(self, request: Request) -> Response:
        self._refuse_others()
        return Response(self.shown(BackendSerializer, [_facts(alias) for alias in backends], many=True))

    @operation(
        "How the connection to a vendor is doing",
        answer=HealthSerializer,
        tag=TAG,
        errors=(403, 404),
        parameters=[OpenApiParameter("alias", OpenApiTypes.STR, OpenApiParameter.PATH)],
    )
    def health(self, request: Request, alias: str) -> Response:
        self._refuse_others()
        if alias not in backends:
            raise exceptions.NotFound
        circuit = Circuit.objects.filter(backend=alias).first() or Circuit(backend=alias)
        owed = owed_by_backend().get(alias, {})
        facts = {
            **_facts(alias),
            "circuit": {
                "state": circuit.state(self.now),
                "failures": circuit.failures,
                "open_until": circuit.open_until,
                "last_success_at": circuit.last_success_at,
                "last_error": circuit.last_error,
            },
            "owed": {
                "due": owed.get(DeliveryStatus.DUE, 0),
                "failed": owed.get(DeliveryStatus.FAILED, 0),
                "given_up": owed.get(DeliveryStatus.GIVEN_UP, 0),
            },
            "webhooks": {
                **_messages(alias),
                "unverified": circuit.unverified,
                "last_unverified_at": circuit.last_unverified_at,
            },
        }
        return Response(self.shown(HealthSerializer, facts))

    def _refuse_others(self) -> None:
        if not self.viewer.administers_something():
            raise exceptions.PermissionDenied


def _facts(alias: str) -> dict[str, Any]:
    try:
        backend = backends[alias]
    except UnknownBackend as broken:
        return _row(alias, problem=str(broken))
    return _row(alias, backend)


def _row(alias: str, backend: Backend | None = None, *, problem: str = "") -> dict[str, Any]:
    return {
        "alias": alias,
        "name": (backend.verbose_name if backend else "") or alias,
        "default": alias == backends.default(),
        "available": backend is not None,
        "problem": problem,
        "capabilities": {name: getattr(backend, name) for name in CAPABILITIES} if backend else None,
    }


def _messages(alias: str) -> Mapping[str, Any]:
    """What waits, failed or was not understood. Few rows: what went well is in neither status."""
    mine = WebhookMessage.objects.filter(backend=alias).order_by()
    open_ones = (MessageStatus.RECEIVED, MessageStatus.FAILED, MessageStatus.QUARANTINED)
    counts = dict(mine.filter(status__in=open_ones).values_list("status").annotate(n=Count("pk")))
    return {
        "waiting": counts.get(MessageStatus.RECEIVED, 0),
        "failed": counts.get(MessageStatus.FAILED, 0),
        "quarantined": counts.get(MessageStatus.QUARANTINED, 0),
        "last_received_at": mine.aggregate(last=Max("received_at"))["last"],
    }
