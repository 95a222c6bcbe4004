"""``exams/``: read by whoever may see the course, written by its staff."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet, refuse, row_id
from proctoring.api.openapi import operation, path_id
from proctoring.api.pagination import OldestFirst
from proctoring.api.wire import JsonObjectField, TrueOrFalseField, UtcDateTimeField
from proctoring.attempts.schedule import change_exam
from proctoring.exams.models import Exam, ExamStatus, ExamType
from proctoring.exams.services import EDITABLE, create_exam
from proctoring.permissions import is_course_staff

TAG = "Exams"

STAFF_ONLY = (
    "external_id",
    "rules",
    "review_policy",
    "outage_policy",
    "outage_cap_minutes",
    "created_at",
    "modified_at",
)
"""What candidates are not shown: how they are watched over, and by what agreement."""


class ExamSerializer(serializers.ModelSerializer[Exam]):
    """An exam. Only staff of its course are shown all of it."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        **{
            model_field: {
                serializers.DateTimeField: UtcDateTimeField,
                serializers.BooleanField: TrueOrFalseField,
            }.get(field, field)
            for model_field, field in serializers.ModelSerializer.serializer_field_mapping.items()
        },
    }

    rules = JsonObjectField(required=False)

    optional_in_answers = STAFF_ONLY

    class Meta:
        model = Exam
        fields: tuple[str, ...] = (
            "id",
            "course_id",
            "content_id",
            *EDITABLE,
            "external_id",
            "created_at",
            "modified_at",
        )
        read_only_fields = ("id", "external_id", "created_at", "modified_at")
        extra_kwargs = {"heartbeat_seconds": {"min_value": 12, "help_text": "An even number."}}
        # The service finds duplicates, and calls them a conflict.
        validators: list[Any] = []

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if self.instance is not None:
            for name in ("course_id", "content_id"):
                if attrs.pop(name, value := getattr(self.instance, name)) != value:
                    refuse({name: _("Cannot be changed: it says which exam this is.")})
        return attrs

    def to_representation(self, instance: Exam) -> dict[str, Any]:
        data = super().to_representation(instance)
        if not self.context["viewer"].administers(instance.course_id):
            for name in STAFF_ONLY:
                data.pop(name, None)
        return data


class ExamFilter(django_filters.FilterSet):
    course_id = django_filters.CharFilter(max_length=255)
    exam_type = django_filters.ChoiceFilter(choices=ExamType.choices)
    status = django_filters.ChoiceFilter(choices=ExamStatus.choices)
    search = django_filters.CharFilter(
        field_name="name", lookup_expr="icontains", max_length=255, label="Part of the name"
    )

    class Meta:
        model = Exam
        fields = ("course_id", "exam_type", "status")


class Exams(ApiViewSet):
    serializer_class = ExamSerializer
    filter_backends = (DjangoFilterBackend,)
    filterset_class = ExamFilter
    pagination_class = OldestFirst
    lookup_field = "id"

    def get_queryset(self) -> QuerySet[Exam]:
        return Exam.objects.visible_to(self.request.user)

    @operation("The exams that you may see", answer=ExamSerializer(many=True), tag=TAG, errors=(400,))
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.shown(ExamSerializer, page, many=True))

    @operation("Create an exam", body=ExamSerializer, answer=ExamSerializer, status=201, tag=TAG, errors=(403, 409))
    def create(self, request: Request) -> Response:
        if not self.viewer.administers_something():
            raise exceptions.PermissionDenied
        given = request.data.get("course_id") if isinstance(request.data, dict) else None
        # As the serializer will read it: whoever may not write to this course hears that before anything else.
        course_id = str(given).strip() if isinstance(given, str | int | float) else None
        if course_id is not None and not is_course_staff(request.user, course_id):
            raise exceptions.PermissionDenied
        exam = create_exam(self.read(ExamSerializer), by=request.user)
        return Response(self.shown(ExamSerializer, exam), status=201)

    @operation("One exam", answer=ExamSerializer, tag=TAG, errors=(404,), parameters=[path_id()])
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self.shown(ExamSerializer, self._exam(pk)))

    @operation(
        "Change an exam",
        description="A changed due date reaches running attempts. The time limit is for attempts to come.",
        body=ExamSerializer(partial=True),
        answer=ExamSerializer,
        tag=TAG,
        errors=(403, 404),
        parameters=[path_id()],
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        exam = self._exam(pk)
        if not is_course_staff(request.user, exam.course_id):
            raise exceptions.PermissionDenied
        exam = change_exam(exam, self.read(ExamSerializer, instance=exam, partial=True), by=request.user)
        return Response(self.shown(ExamSerializer, exam))

    def _exam(self, text: str) -> Exam:
        exam = self.get_queryset().filter(pk=row_id(text)).first()
        if exam is None:
            raise exceptions.NotFound
        return exam
