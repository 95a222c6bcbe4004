"""``attempts/`` as a list and one by one, and how an exam's door is tried: ``access/`` and creation."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet, row_id
from proctoring.api.idempotency import answer_once
from proctoring.api.openapi import IDEMPOTENCY_KEY, operation, path_id
from proctoring.api.pagination import Pages
from proctoring.api.v1.representation import AttemptSerializer
from proctoring.api.wire import MAX_ID, TrueOrFalseField, UtcDateTimeField
from proctoring.attempts.access import current_attempt, decide
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import RUNNING, Status
from proctoring.exams.models import Exam
from proctoring.host import host
from proctoring.permissions import may_watch

TAG = "Attempts"

ATTEMPT_OR_NULL = {"oneOf": [{"$ref": "#/components/schemas/Attempt"}, {"type": "null"}]}


def visible_attempt(user: Any, text: str) -> Attempt:
    """One attempt, by the id in a path. Raises ``NotFound`` also where it is not the person's to see.

    The same rule as ``visible_to``, which would ask for the roles even when the attempt is one's own.
    """
    attempt = Attempt.objects.for_reading().filter(pk=row_id(text)).first()
    if attempt is None or not (attempt.user_id == user.pk or may_watch(user, attempt.exam.course_id)):
        raise exceptions.NotFound
    return attempt


@extend_schema_field(OpenApiTypes.INT64)
class IdFilter(django_filters.Filter):
    field_class = forms.IntegerField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_ID, **kwargs)


class TrueOrFalse(forms.Field):
    def to_python(self, value: Any) -> bool | None:
        words = {"": None, "true": True, "1": True, "false": False, "0": False}
        try:
            return words[str(value or "").lower()]
        except KeyError:
            raise forms.ValidationError("Must be true or false.") from None


@extend_schema_field(OpenApiTypes.BOOL)
class TrueOrFalseFilter(django_filters.Filter):
    field_class = TrueOrFalse


class AttemptFilter(django_filters.FilterSet):
    exam = IdFilter(field_name="exam_id")
    course_id = django_filters.CharFilter(field_name="exam__course_id", max_length=255)
    status = django_filters.ChoiceFilter(choices=Status.choices, method="in_status")
    user = django_filters.CharFilter(method="of_user", max_length=255, label="An id, or a user name")
    search = django_filters.CharFilter(method="found", max_length=255, label="How a name or address begins")
    latest = TrueOrFalseFilter(method="newest", label="One row for each person and exam")

    class Meta:
        model = Attempt
        fields = ("exam",)

    def in_status(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.in_status(value, self.request.parser_context["view"].now)

    def of_user(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.of_person(value)

    def found(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.of_people_called(value)

    def newest(self, queryset: Any, name: str, value: bool) -> Any:
        return queryset.newest_each() if value else queryset


class Attempts(ApiViewSet):
    serializer_class = AttemptSerializer
    filter_backends = (DjangoFilterBackend,)
    filterset_class = AttemptFilter
    pagination_class = Pages

    def get_queryset(self) -> QuerySet[Attempt]:
        return Attempt.objects.visible_to(self.request.user).for_reading()

    @operation(
        "Your attempts, and those of the courses in which you have a role",
        answer=AttemptSerializer(many=True),
        tag=TAG,
        errors=(400,),
    )
    def list(self, request: Request) -> Response:
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.shown(AttemptSerializer, page, many=True))

    @operation("Your running attempt, or null", answer=ATTEMPT_OR_NULL, tag=TAG)
    def active(self, request: Request) -> Response:
        mine = Attempt.objects.filter(user=request.user.pk, status__in=RUNNING).for_reading()
        running = (one for one in mine.order_by("-started_at", "-pk") if not one.is_overdue(self.now))
        attempt = next(running, None)
        return Response(self.shown(AttemptSerializer, attempt) if attempt else None)

    @operation("One attempt", answer=AttemptSerializer, tag=TAG, errors=(404,), parameters=[path_id()])
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self.shown(AttemptSerializer, visible_attempt(request.user, pk)))


class AccessSerializer(serializers.Serializer[Any]):
    """`reason` is a code in both cases. `expires_at`: until when the answer may be believed."""

    allowed = serializers.BooleanField()
    reason = serializers.CharField()
    attempt = serializers.IntegerField(source="attempt.pk", allow_null=True)
    token = serializers.CharField(allow_null=True)
    expires_at = UtcDateTimeField(allow_null=True)


class CreationSerializer(serializers.Serializer[Any]):
    proctored = TrueOrFalseField(default=True, help_text="False opts out of proctoring. Timed exams ignore it.")


class ExamAttempts(ApiViewSet):
    @operation(
        "Whether the exam's content is open to you now",
        answer=AccessSerializer,
        tag="Exams",
        errors=(404,),
        parameters=[path_id()],
    )
    def access(self, request: Request, pk: str) -> Response:
        exam = self._exam(pk)
        attempt = current_attempt(exam, request.user)
        return Response(self.shown(AccessSerializer, decide(exam, request.user, attempt, now=self.now)))

    @operation(
        "Create your next attempt",
        body=CreationSerializer,
        answer=AttemptSerializer,
        status=201,
        tag=TAG,
        errors=(404, 409, 422),
        parameters=[path_id(), IDEMPOTENCY_KEY],
    )
    def create(self, request: Request, pk: str) -> Response:
        exam = self._exam(pk)
        proctored = self.read(CreationSerializer)["proctored"]

        def act() -> tuple[int, Any]:
            attempt = create_attempt(exam, request.user, proctored=proctored, now=self.now)
            return 201, self.shown(AttemptSerializer, attempt)

        return answer_once(request, now=self.now, act=act)

    def _exam(self, text: str) -> Exam:
        """An exam of a course that the person may know of, or which they have sat.

        Inactive ones too: a click on an exam that was just archived deserves the reason, not "not found".
        """
        exam = Exam.objects.filter(pk=row_id(text)).first()
        if exam is None:
            raise exceptions.NotFound
        user, course_id = self.request.user, exam.course_id
        known = host().may_see_course(user, course_id) or may_watch(user, course_id)
        if not known and current_attempt(exam, user) is None:
            raise exceptions.NotFound
        return exam
