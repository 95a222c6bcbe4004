"""What ``allowances/`` takes and shows, and how its list is filtered."""

from __future__ import annotations

from typing import Any

import django_filters
from django.contrib.auth import get_user_model
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from proctoring.allowances.models import MAX_MINUTES, MAX_MULTIPLIER, MIN_MULTIPLIER, Allowance, AllowanceKind
from proctoring.allowances.terms import MAX_EXEMPTIONS, MAX_NOTE
from proctoring.api.base import refuse
from proctoring.api.v1.attempts import IdFilter
from proctoring.api.v1.representation import PersonSerializer
from proctoring.api.wire import MAX_ID, UtcDateTimeField, is_id
from proctoring.logs.event_types import EVENT_TYPES

MAX_USERS = 1_000
MAX_PAIRS = 5_000
MAX_NAME = 255


@extend_schema_field(
    {"oneOf": [{"type": "integer"}, {"type": "string", "minLength": 1, "maxLength": MAX_NAME, "pattern": r"\S"}]}
)
class PersonNameField(serializers.CharField):
    """An integer is an id; a string a user name, else an e-mail address."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=MAX_NAME, **kwargs)

    def run_validation(self, data: Any = serializers.empty) -> int | str:
        if isinstance(data, int) and not isinstance(data, bool):
            return data
        if data is not serializers.empty and not isinstance(data, str):
            self.fail("invalid")
        name: str = super().run_validation(data)
        return name

    def to_representation(self, value: Any) -> Any:
        return value


class IdField(serializers.IntegerField):
    """An integer and nothing that looks like one: the permission was looked up under what was sent."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=MAX_ID, **kwargs)

    def to_internal_value(self, data: Any) -> int:
        if not isinstance(data, int) or isinstance(data, bool):
            self.fail("invalid")
        return data


class TermsSerializer(serializers.Serializer[Any]):
    """`minutes`, `multiplier` and `exemptions` belong to one kind each, a `note` goes with all."""

    minutes = serializers.IntegerField(required=False, allow_null=True, min_value=1, max_value=MAX_MINUTES)
    multiplier = serializers.DecimalField(
        required=False,
        allow_null=True,
        max_digits=4,
        decimal_places=2,
        min_value=MIN_MULTIPLIER,
        max_value=MAX_MULTIPLIER,
    )
    note = serializers.CharField(required=False, allow_blank=True, max_length=MAX_NOTE)
    exemptions = serializers.ListField(
        child=serializers.ChoiceField(choices=sorted(EVENT_TYPES)), required=False, max_length=MAX_EXEMPTIONS
    )

    def validate_exemptions(self, value: list[int]) -> tuple[int, ...]:
        return tuple(dict.fromkeys(value))


class GrantSerializer(TermsSerializer):
    """For one `exam`, or with a `course_id` and no exam (or null, as such an allowance shows it) for every exam of the
    course, now and later."""

    kind = serializers.ChoiceField(choices=AllowanceKind.choices)
    user = PersonNameField()
    exam = IdField(required=False, allow_null=True)
    course_id = serializers.CharField(required=False, max_length=255)

    where = "exam"

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get(self.where) is None:
            attrs.pop(self.where, None)
        if (self.where in attrs) == ("course_id" in attrs):
            refuse({self.where: str(_("Name either this or a course_id."))})
        return attrs


class BulkSerializer(GrantSerializer):
    """The same for each of the people: for each of the `exams`, or for the whole course."""

    user = None  # type: ignore[assignment]  # REST framework's way to leave a field of the base class out
    exam = None  # type: ignore[assignment]
    users = serializers.ListField(child=PersonNameField(), min_length=1, max_length=MAX_USERS)
    exams = serializers.ListField(child=IdField(), required=False, min_length=1, max_length=MAX_PAIRS)

    where = "exams"

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        if len(attrs["users"]) * len(attrs.get("exams", (1,))) > MAX_PAIRS:
            refuse({"users": str(_("At most %d pairs of a person and an exam at once.") % MAX_PAIRS)})
        return attrs


class AllowanceSerializer(serializers.Serializer[Any]):
    """`exam` is null where it is for the whole course."""

    id = serializers.IntegerField()
    user = PersonSerializer()
    exam = serializers.IntegerField(source="exam_id", allow_null=True)
    course_id = serializers.CharField()
    kind = serializers.ChoiceField(choices=AllowanceKind.choices)
    minutes = serializers.IntegerField(allow_null=True)
    multiplier = serializers.DecimalField(max_digits=4, decimal_places=2, allow_null=True, coerce_to_string=True)
    note = serializers.CharField()
    exemptions = serializers.ListField(child=serializers.IntegerField())
    granted_by = PersonSerializer(allow_null=True)
    created_at = UtcDateTimeField()
    modified_at = UtcDateTimeField()


class BulkResultSerializer(serializers.Serializer[Any]):
    """`user` as it was sent."""

    user = PersonNameField()
    exam = serializers.IntegerField(allow_null=True)
    result = serializers.ChoiceField(choices=("granted", "updated", "refused"))
    code = serializers.CharField(help_text="Why a pair was refused.")
    detail = serializers.CharField()

    optional_in_answers = ("code", "detail")


class BulkAnswerSerializer(serializers.Serializer[Any]):
    results = BulkResultSerializer(many=True)


class AllowanceFilter(django_filters.FilterSet):
    course_id = django_filters.CharFilter(max_length=255)
    exam = IdFilter(field_name="exam_id")
    kind = django_filters.ChoiceFilter(choices=AllowanceKind.choices)
    user = django_filters.CharFilter(method="of_user", max_length=MAX_NAME, label="An id, or a user name")
    search = django_filters.CharFilter(
        method="found", max_length=MAX_NAME, label="How a user name or an e-mail address begins"
    )

    class Meta:
        model = Allowance
        fields = ("kind",)

    def of_user(self, queryset: Any, name: str, value: str) -> Any:
        who = Q(**{f"user__{get_user_model().USERNAME_FIELD}": value})
        if is_id(value):
            who |= Q(user_id=int(value))
        return queryset.filter(who)

    def found(self, queryset: Any, name: str, value: str) -> Any:
        model = get_user_model()
        known = {field.name for field in model._meta.get_fields()}
        wanted = Q(pk__in=())
        for field in sorted({model.USERNAME_FIELD, model.get_email_field_name()} & known):
            wanted |= Q(**{f"user__{field}__istartswith": value})
        return queryset.filter(wanted)
