"""``exams/{id}/shared-addresses/``: addresses that several candidates came from, attempts that changed theirs."""

from __future__ import annotations

from typing import Any

from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet, row_id
from proctoring.api.openapi import operation, path_id
from proctoring.api.v1.attempts import TAG
from proctoring.api.v1.representation import PersonSerializer
from proctoring.api.wire import UtcDateTimeField
from proctoring.exams.models import Exam
from proctoring.monitoring.addresses import EACH, MOST, changed_addresses, shared_addresses
from proctoring.permissions import may_invigilate


class SeenSerializer(serializers.Serializer[Any]):
    attempt = serializers.IntegerField(source="attempt_id")
    user = PersonSerializer(source="attempt.user")
    first_seen_at = UtcDateTimeField()


class SharedAddressSerializer(serializers.Serializer[Any]):
    """`candidates` is how many people came from this address; of their attempts some are named."""

    ip = serializers.IPAddressField()
    candidates = serializers.IntegerField()
    attempts = SeenSerializer(many=True, source="seen")


class AddressSerializer(serializers.Serializer[Any]):
    ip = serializers.IPAddressField()
    first_seen_at = UtcDateTimeField()


class ChangedAddressSerializer(serializers.Serializer[Any]):
    attempt = serializers.IntegerField(source="attempt.pk")
    user = PersonSerializer(source="attempt.user")
    addresses = AddressSerializer(many=True, source="seen")


class SharedAddressesSerializer(serializers.Serializer[Any]):
    """`shared` are addresses that several candidates came from, `changed` attempts that came from several addresses;
    the most conspicuous first."""

    shared = SharedAddressSerializer(many=True)
    changed = ChangedAddressSerializer(many=True)


class SharedAddresses(ApiViewSet):
    @operation(
        "Addresses that candidates share, or that changed during an attempt",
        description=f"At most {MOST} of each kind, and at most {EACH} attempts of one address.",
        answer=SharedAddressesSerializer,
        tag=TAG,
        errors=(403, 404),
        parameters=[path_id()],
    )
    def retrieve(self, request: Request, pk: str) -> Response:
        exam = Exam.objects.filter(pk=row_id(pk)).first()
        if exam is None:
            raise exceptions.NotFound
        if not may_invigilate(request.user, exam.course_id):
            is_seen = Exam.objects.visible_to(request.user).filter(pk=exam.pk).exists()
            raise exceptions.PermissionDenied if is_seen else exceptions.NotFound
        found = {"shared": shared_addresses(exam), "changed": changed_addresses(exam)}
        return Response(self.shown(SharedAddressesSerializer, found))
