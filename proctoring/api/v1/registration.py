"""``courses/{course_id}/exams/``: a course says what its exams are, all at once and as often as it likes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet
from proctoring.api.errors import flatten
from proctoring.api.openapi import operation
from proctoring.api.v1.exams import TAG, ExamSerializer
from proctoring.attempts.schedule import Registration, register_exams
from proctoring.exams.services import EDITABLE
from proctoring.host import host
from proctoring.permissions import is_course_staff, may_watch

MAX_ITEMS = 1000


class RegistrationItemSerializer(ExamSerializer):
    """One exam of the list; its course is the path's."""

    class Meta(ExamSerializer.Meta):
        fields = ("content_id", *EDITABLE)


class RegistrationResultSerializer(serializers.Serializer[Any]):
    content_id = serializers.CharField()
    id = serializers.IntegerField(allow_null=True)
    result = serializers.ChoiceField(choices=("created", "updated", "unchanged", "archived", "refused"))
    code = serializers.CharField(help_text="Why an item was refused.")
    errors = serializers.DictField(  # type: ignore[assignment]  # the contract's name
        child=serializers.ListField(child=serializers.CharField())
    )

    optional_in_answers = ("code", "errors")


class RegistrationSerializer(serializers.Serializer[Any]):
    results = RegistrationResultSerializer(many=True)


class CourseExams(ApiViewSet):
    @operation(
        "Register a course's exams",
        description=(
            "The whole list: known content is updated, new content created (active, where no status is given), and "
            "what is missing is archived. An item with a mistake is refused alone, and its exam left as it is."
        ),
        body=RegistrationItemSerializer(many=True),
        answer=RegistrationSerializer,
        tag=TAG,
        errors=(403, 404),
        parameters=[OpenApiParameter("course_id", OpenApiTypes.STR, OpenApiParameter.PATH)],
    )
    def update(self, request: Request, course_id: str) -> Response:
        user = request.user
        if not is_course_staff(user, course_id):
            seen = host().may_see_course(user, course_id) or may_watch(user, course_id)
            raise exceptions.PermissionDenied if seen else exceptions.NotFound
        CourseId(data={"course_id": course_id}).is_valid(raise_exception=True)
        items, refused = _read(request.data)
        untouched = {one["content_id"] for one in refused.values()}
        done = iter(register_exams(course_id, items, by=user, untouched=untouched))
        results = [refused.get(at) or _result(next(done)) for at in range(len(request.data))]
        return Response({"results": [*results, *(_result(archived) for archived in done)]})


class CourseId(serializers.Serializer[Any]):
    course_id = serializers.CharField(max_length=255, trim_whitespace=False)


def _read(data: Any) -> tuple[list[dict[str, Any]], dict[int, dict[str, Any]]]:
    """The items that are well formed, in their order, and the results of the others, by position.

    Raises ``ValidationError`` where the list does not even say which content is meant: an item that cannot be told
    from a missing one would archive an exam.
    """
    if not isinstance(data, list) or len(data) > MAX_ITEMS:
        raise exceptions.ValidationError(_("Must be a list of %d objects at most.") % MAX_ITEMS)
    serializer = RegistrationItemSerializer()
    items: list[dict[str, Any]] = []
    refused: dict[int, dict[str, Any]] = {}
    unclear: dict[str, list[str]] = {}
    for at, item in enumerate(data):
        try:
            items.append(serializer.run_validation(item))
        except exceptions.ValidationError as wrong:
            errors = flatten(wrong.detail)
            if not isinstance(item, dict) or "content_id" in errors:
                unclear |= flatten(wrong.detail, str(at))
            else:
                content_id = serializer.fields["content_id"].run_validation(item["content_id"])
                refused[at] = _row(content_id, None, "refused", "invalid", errors)
    if unclear:
        raise exceptions.ValidationError(unclear)
    return items, refused


def _result(one: Registration) -> dict[str, Any]:
    return _row(one.content_id, one.exam.pk if one.exam else None, one.result, one.code, one.errors)


def _row(
    content_id: str, pk: int | None, result: str, code: str, errors: Mapping[str, Sequence[str]]
) -> dict[str, Any]:
    row: dict[str, Any] = {"content_id": content_id, "id": pk, "result": result}
    if code:
        row["code"] = code
    if errors:
        row["errors"] = errors
    return row
