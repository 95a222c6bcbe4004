"""``bookings/{id}/sessions/`` for who plans, ``live-sessions/`` for the candidate: theirs alone is the way in."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet
from proctoring.api.openapi import operation, path_id
from proctoring.api.pagination import OldestFirst, Pages
from proctoring.api.v1.attempts import IdFilter
from proctoring.api.v1.booking_shapes import TAG, visible_booking
from proctoring.api.v1.representation import PersonSerializer
from proctoring.api.wire import UtcDateTimeField
from proctoring.bookings.models import LiveSession, RatingState
from proctoring.bookings.sessions import is_open, sessions_of


class BookingSessionSerializer(serializers.Serializer[Any]):
    """A candidate of a booking. The link itself is theirs alone. `attempt` is known when it was rated."""

    id = serializers.IntegerField()
    candidate_number = serializers.IntegerField()
    user = PersonSerializer()
    attempt = serializers.IntegerField(source="attempt_id", allow_null=True)
    external_id = serializers.CharField(allow_null=True)
    link_available = serializers.BooleanField(source="has_link")
    joined_at = UtcDateTimeField(allow_null=True)
    rating_state = serializers.ChoiceField(choices=RatingState.choices)


class LiveSessionSerializer(serializers.Serializer[Any]):
    """Your place in a confirmed booking. `join_url` is there between `opens_at` and `closes_at`, once the vendor has
    given it."""

    exam = serializers.IntegerField(source="exam_id")
    course_id = serializers.CharField(source="exam.course_id")
    candidate_number = serializers.IntegerField()
    starts_at = UtcDateTimeField(source="booking.starts_at")
    ends_at = UtcDateTimeField(source="booking.ends_at")
    opens_at = UtcDateTimeField(source="booking.reserved_from")
    closes_at = UtcDateTimeField(source="booking.reserved_until")
    joined_at = UtcDateTimeField(allow_null=True)
    join_url = serializers.SerializerMethodField()

    @extend_schema_field({"type": ["string", "null"]})
    def get_join_url(self, session: LiveSession) -> str | None:
        return session.join_url if is_open(session, self.context["now"]) else None


class BookingSessions(ApiViewSet):
    serializer_class = BookingSessionSerializer
    pagination_class = OldestFirst

    @operation(
        "The candidates of a booking",
        answer=BookingSessionSerializer(many=True),
        tag=TAG,
        errors=(400, 404),
        parameters=[path_id()],
    )
    def list(self, request: Request, pk: str) -> Response:
        booking = visible_booking(request.user, pk)
        page = self.paginate_queryset(LiveSession.objects.filter(booking=booking.pk).select_related("user"))
        return self.get_paginated_response(self.shown(BookingSessionSerializer, page, many=True))


class LiveSessionFilter(django_filters.FilterSet):
    exam = IdFilter(field_name="exam_id")

    class Meta:
        model = LiveSession
        fields = ("exam",)


class LiveSessions(ApiViewSet):
    serializer_class = LiveSessionSerializer
    filter_backends = (DjangoFilterBackend,)
    filterset_class = LiveSessionFilter
    pagination_class = Pages

    def get_queryset(self) -> QuerySet[LiveSession]:
        return sessions_of(self.request.user)

    @operation(
        "Your own live sessions, the last booked first",
        answer=LiveSessionSerializer(many=True),
        tag=TAG,
        errors=(400, 503),
    )
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.shown(LiveSessionSerializer, page, many=True))
