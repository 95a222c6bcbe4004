"""What ``bookings/`` takes and shows, how its list is filtered, and which bookings somebody sees."""

from __future__ import annotations

from typing import Any

import django_filters
from django import forms
from django.db.models import Count, OuterRef, Prefetch, QuerySet, Subquery
from django.db.models.functions import Coalesce
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, serializers

from proctoring.api.base import row_id
from proctoring.api.v1.allowance_shapes import IdField
from proctoring.api.v1.attempts import IdFilter
from proctoring.api.v1.representation import PersonSerializer
from proctoring.api.wire import MAX_ID, UtcDateTimeField
from proctoring.bookings.doctor import Mender
from proctoring.bookings.models import Booking, BookingPlan, LiveSession
from proctoring.bookings.states import Status
from proctoring.host import Role, host
from proctoring.permissions import may_see_bookings

TAG = "Bookings"

ENROLLED = "enrolled"
MAX_RATIO = 10_000
MAX_MINUTES = 1440
"""Before the window, and after it."""

STATUS_OF_PART = {"allOf": [{"$ref": "#/components/schemas/BookingStatusEnum"}], "readOnly": True}
"""The booking's own. As a field with choices it would be a second vocabulary to the generator."""


def plans_or_mends(user: Any) -> bool:
    """Whether the person plans or mends bookings in any course."""
    roles = (Role.PLANNER, Role.SERVICE_DESK, Role.STAFF)
    courses = (host().courses_with_role(user, role) for role in roles)
    return any(held is None or held for held in courses)


def visible_booking(user: Any, text: str) -> Booking:
    """One booking, by the id in a path. Raises ``NotFound`` also where it is not the person's to see."""
    booking = Booking.objects.select_related("exam", "plan").filter(pk=row_id(text)).first()
    if booking is None or not may_see_bookings(user, booking.exam.course_id):
        raise exceptions.NotFound
    return booking


def for_showing(bookings: QuerySet[Booking]) -> QuerySet[Booking]:
    """With all that ``BookingSerializer`` shows: two statements, however many there are."""
    parts = _counted(Booking.objects.order_by("part")).only("plan_id", "part", "status")
    return (
        _counted(bookings)
        .select_related("exam", "plan", "created_by")
        .prefetch_related(Prefetch("plan__bookings", parts, to_attr="parts"))
    )


def _counted(bookings: QuerySet[Booking]) -> QuerySet[Booking]:
    """Counted row by row: a join would count every booking before a page of them is cut off."""
    sessions = LiveSession.objects.filter(booking=OuterRef("pk")).order_by().values("booking")
    return bookings.annotate(candidates=Coalesce(Subquery(sessions.annotate(n=Count("pk")).values("n")), 0))


class BookingPartSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField()
    part = serializers.IntegerField()
    status = serializers.SerializerMethodField()
    candidates = serializers.IntegerField()

    @extend_schema_field(STATUS_OF_PART)
    def get_status(self, booking: Booking) -> str:
        return booking.status


class BookingPlanSerializer(serializers.Serializer[Any]):
    """More candidates than the vendor takes at once are several bookings, the parts of one plan."""

    id = serializers.IntegerField()
    parts = serializers.SerializerMethodField()

    @extend_schema_field(BookingPartSerializer(many=True))
    def get_parts(self, plan: BookingPlan) -> list[dict[str, Any]]:
        # By hand: on a page of a large plan each of its bookings shows all the others.
        names = ("id", "part", "status", "candidates")
        return [{name: getattr(part, name) for name in names} for part in plan.parts]  # type: ignore[attr-defined]  # of for_showing()


class BookingAdviceSerializer(serializers.Serializer[Any]):
    """About a rejection. `may_send_again`: scheduling it again cannot book anything twice; `may_check_again`: asking
    the vendor tells whether it holds the booking."""

    cause = serializers.CharField()
    mender = serializers.ChoiceField(choices=[mender.value for mender in Mender], help_text="Who can mend it.")
    next_step = serializers.CharField()
    may_send_again = serializers.BooleanField()
    may_check_again = serializers.BooleanField()


# Wants rows of for_showing().
class BookingSerializer(serializers.Serializer[Any]):
    """Proctors are needed from `reserved_from` to `reserved_until`: the window, the minutes before and after it, and
    the most extra time that one of the candidates has. `replaces` is the booking whose window was changed."""

    id = serializers.IntegerField()
    exam = serializers.IntegerField(source="exam_id")
    course_id = serializers.CharField(source="exam.course_id")
    plan = BookingPlanSerializer()
    part = serializers.IntegerField()
    backend = serializers.CharField()
    starts_at = UtcDateTimeField()
    ends_at = UtcDateTimeField()
    reserved_from = UtcDateTimeField()
    reserved_until = UtcDateTimeField()
    extra_minutes = serializers.IntegerField()
    onboarding_minutes = serializers.IntegerField()
    closing_minutes = serializers.IntegerField()
    ratio = serializers.IntegerField(help_text="Candidates to a proctor.")
    candidates = serializers.IntegerField(help_text="How many.")
    status = serializers.ChoiceField(choices=Status.choices)
    rejection_reason = serializers.CharField(help_text="A code of the booking log; empty where it is not rejected.")
    advice = BookingAdviceSerializer(allow_null=True)
    external_id = serializers.CharField(allow_null=True)
    check_count = serializers.IntegerField()
    next_check_at = UtcDateTimeField(allow_null=True)
    send_tries = serializers.IntegerField()
    next_send_at = UtcDateTimeField(allow_null=True)
    last_error = serializers.CharField()
    replaces = serializers.IntegerField(source="replaces_id", allow_null=True)
    created_by = PersonSerializer(allow_null=True)
    created_at = UtcDateTimeField()


@extend_schema_field(
    {
        "oneOf": [
            {"const": ENROLLED},
            {"type": "array", "minItems": 1, "items": {"type": "integer", "minimum": 1, "maximum": MAX_ID}},
        ]
    }
)
class CandidatesField(serializers.Field[Any, Any, Any, Any]):
    """The ids of people, or None: everybody who is enrolled."""

    default_error_messages = {"invalid": _('Must be "enrolled", or a list of ids.')}

    def to_internal_value(self, data: Any) -> list[int] | None:
        if data == ENROLLED:
            return None
        if not isinstance(data, list):
            self.fail("invalid")
        people: list[int] = serializers.ListField(child=IdField(), min_length=1).run_validation(data)
        return people


class BookingTermsSerializer(serializers.Serializer[Any]):
    starts_at = UtcDateTimeField()
    ends_at = UtcDateTimeField()
    ratio = serializers.IntegerField(default=4, min_value=1, max_value=MAX_RATIO, help_text="Candidates to a proctor.")
    onboarding_minutes = serializers.IntegerField(required=False, min_value=0, max_value=MAX_MINUTES)
    closing_minutes = serializers.IntegerField(required=False, min_value=0, max_value=MAX_MINUTES)


class BookingWishSerializer(BookingTermsSerializer):
    """Without a `backend` the exam's; minutes that are not named are the settings'."""

    exam = IdField()
    backend = serializers.CharField(required=False, max_length=100)
    candidates = CandidatesField()


class Moment(forms.Field):
    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return None
        try:
            return UtcDateTimeField().run_validation(value)
        except serializers.ValidationError as wrong:
            raise forms.ValidationError([str(one) for one in wrong.detail]) from None


@extend_schema_field(OpenApiTypes.DATETIME)
class MomentFilter(django_filters.Filter):
    field_class = Moment


class BookingFilter(django_filters.FilterSet):
    exam = IdFilter(field_name="exam_id")
    course_id = django_filters.CharFilter(field_name="exam__course_id", max_length=255)
    status = django_filters.ChoiceFilter(choices=Status.choices)
    plan = IdFilter(field_name="plan_id")
    starts_after = MomentFilter(field_name="starts_at", lookup_expr="gte", label="Then or later")
    starts_before = MomentFilter(field_name="starts_at", lookup_expr="lt", label="Before then")

    class Meta:
        model = Booking
        fields = ("exam",)
