"""``ratings/``: how risky the attempts of one's courses were rated."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet
from proctoring.api.openapi import operation
from proctoring.api.pagination import Pages
from proctoring.api.v1.attempts import IdFilter, TrueOrFalseFilter
from proctoring.api.v1.representation import PersonSerializer
from proctoring.api.v1.reviews import TAG
from proctoring.api.wire import UtcDateTimeField
from proctoring.reviews.models import Rating, RatingSource

MAX_DECIMALS = 20
"""Of a number in a filter: there are databases that cannot read ``1e-999999``."""


class RatingSerializer(serializers.Serializer[Any]):
    """`risk` is 0 to 1, high is risky, mapped from the vendor's own scale (`raw_value`, `raw_scale`)."""

    id = serializers.IntegerField()
    attempt = serializers.IntegerField(source="attempt_id")
    exam = serializers.IntegerField(source="exam_id")
    course_id = serializers.CharField(source="exam.course_id")
    user = PersonSerializer(source="attempt.user")
    risk = serializers.FloatField()
    raw_value = serializers.CharField()
    raw_scale = serializers.CharField()
    mapping_version = serializers.CharField()
    source = serializers.ChoiceField(choices=RatingSource.choices)  # type: ignore[assignment]  # the contract's name
    by = PersonSerializer(allow_null=True)
    rated_at = UtcDateTimeField()
    fetched_at = UtcDateTimeField()
    current = serializers.BooleanField(source="is_current")


class RatingFilter(django_filters.FilterSet):
    exam = IdFilter(field_name="exam_id")
    risk_min = django_filters.NumberFilter(
        field_name="risk", lookup_expr="gte", min_value=0, max_value=1, decimal_places=MAX_DECIMALS
    )
    current = TrueOrFalseFilter(
        method="that_counts", label="True, the default: each attempt's newest. False: also those before it"
    )

    class Meta:
        model = Rating
        fields = ("exam",)

    def filter_queryset(self, queryset: Any) -> Any:
        found = super().filter_queryset(queryset)
        return found if self.form.cleaned_data["current"] is False else found.filter(is_current=True)

    def that_counts(self, queryset: Any, name: str, value: bool) -> Any:
        return queryset


class Ratings(ApiViewSet):
    serializer_class = RatingSerializer
    filter_backends = (DjangoFilterBackend,)
    filterset_class = RatingFilter
    pagination_class = Pages

    def get_queryset(self) -> QuerySet[Rating]:
        return Rating.objects.visible_to(self.request.user).select_related("exam", "attempt__user", "by")

    @operation(
        "Ratings of attempts in the courses that you administer",
        answer=RatingSerializer(many=True),
        tag=TAG,
        errors=(400, 403),
    )
    def list(self, request: Request) -> Response:
        if not self.viewer.administers_something():
            raise exceptions.PermissionDenied
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.shown(RatingSerializer, page, many=True))
