"""``onboarding/``: where the candidate stands, and where everybody in a course stands. Stored rows only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet, refuse
from proctoring.api.openapi import operation
from proctoring.api.pagination import Pages
from proctoring.api.wire import UtcDateTimeField
from proctoring.attempts.onboarding_roll import course_people, only, profile_of
from proctoring.attempts.standing import NextStep, Onboarding, Standing, onboarding_exams, onboarding_of, own_onboarding
from proctoring.host import host
from proctoring.permissions import is_course_staff, may_watch

TAG = "Onboarding"
MAX_LENGTH = 255

COURSE = OpenApiParameter("course_id", OpenApiTypes.STR, required=True)
STATUS = OpenApiParameter(
    "status",
    {"type": "array", "items": {"type": "string", "enum": [word.value for word in Standing]}},
    description="One of these; repeated, or several with commas between them.",
)
SEARCH = OpenApiParameter("search", OpenApiTypes.STR, description="How a user name or e-mail address begins.")


class NoOnboarding(exceptions.NotFound):
    default_detail = _("This course has no onboarding exam that can be seen by you.")
    default_code = "no_onboarding"


class NextStepSerializer(serializers.Serializer[Any]):
    """`begin`, `continue`, `retry` (it was not approved, or failed) and `renew` (the approval has ended or ends soon)
    have a `url`, the path of the exam's page. `wait`: for the review, or until `opens_at`. `none`: nothing can or need
    be done."""

    action = serializers.ChoiceField(choices=[(step.value, step.name) for step in NextStep], source="next_step")
    url = serializers.SerializerMethodField()

    @extend_schema_field({"type": ["string", "null"]})
    def get_url(self, onboarding: Onboarding) -> str | None:
        return reverse("proctoring:exam_page", args=[onboarding.exam.pk]) if onboarding.leads_to_exam else None


class OnboardingSerializer(serializers.Serializer[Any]):
    """`past_due` only where all onboarding exams of the course are. `expires_at` is the approval's, also of one that is
    over (`expired`); `expiring_soon` never then."""

    status = serializers.ChoiceField(choices=[(word.value, word.name) for word in Standing])
    exam = serializers.IntegerField(source="exam.pk")
    opens_at = UtcDateTimeField(allow_null=True)
    past_due = serializers.BooleanField()
    expires_at = UtcDateTimeField(allow_null=True)
    expiring_soon = serializers.BooleanField()
    next_step = NextStepSerializer(source="*")


class OnboardedPersonSerializer(serializers.Serializer[Any]):
    id = serializers.IntegerField(source="pk")
    username = serializers.CharField(source="get_username")


class OnboardingRowSerializer(OnboardingSerializer):
    user = OnboardedPersonSerializer(source="person")


class PeoplePages(Pages):
    ordering = "pk"


class OnboardingView(ApiViewSet):
    pagination_class = PeoplePages

    @operation(
        "Where you stand with the onboarding of a course",
        answer=OnboardingSerializer,
        tag=TAG,
        errors=(400, 404),
        parameters=[COURSE],
        description="An approval counts in all courses with the same vendor. 404 `no_onboarding` where there is none.",
    )
    def status(self, request: Request) -> Response:
        course_id, user = self._course_id(), request.user
        if not (host().may_see_course(user, course_id) or may_watch(user, course_id)):
            raise exceptions.NotFound
        onboarding = own_onboarding(user, course_id, now=self.now)
        if onboarding is None:
            raise NoOnboarding
        return Response(self.shown(OnboardingSerializer, onboarding))

    @operation(
        "Where the people of a course stand with its onboarding",
        answer=OnboardingRowSerializer(many=True),
        tag=TAG,
        errors=(400, 403, 404),
        parameters=[COURSE, STATUS, SEARCH],
        description="The enrolled, where the LMS says who is, else those with an attempt. What vendors know is read by "
        "a task every 15 minutes.",
    )
    def list(self, request: Request) -> Response:
        course_id = self._course_id()
        if not is_course_staff(request.user, course_id):
            seen = host().may_see_course(request.user, course_id) or may_watch(request.user, course_id)
            raise exceptions.PermissionDenied if seen else exceptions.NotFound
        exams = onboarding_exams(course_id)
        if not exams:
            raise NoOnboarding
        backend = exams[0].backend_alias
        exams = [exam for exam in exams if exam.backend_alias == backend]
        page = self.paginate_queryset(self._people(course_id, backend)) or ()
        rows = [onboarding_of(person, profile_of(person), exams, now=self.now) for person in page]
        return self.get_paginated_response(self.shown(OnboardingRowSerializer, rows, many=True))

    def _people(self, course_id: str, backend: str) -> QuerySet[Any]:
        people = course_people(course_id, backend=backend)
        if words := self._words():
            people = only(people, words, course_id, self.now)
        search = self._text("search")
        return people.filter(_name_begins(search)) if search else people

    def _course_id(self) -> str:
        course_id = self._text("course_id")
        if not course_id:
            refuse({"course_id": gettext("This is needed.")})
        return course_id

    def _words(self) -> Sequence[str]:
        given = [word for text in self.request.query_params.getlist("status") for word in text.split(",") if word]
        if not set(given) <= {word.value for word in Standing}:
            refuse({"status": gettext("There is no such status.")})
        return given

    def _text(self, name: str) -> str:
        text: str = self.request.query_params.get(name, "")
        if len(text) > MAX_LENGTH or "\x00" in text:
            refuse({name: gettext("Must be %d characters or less, none of them null.") % MAX_LENGTH})
        return text


def _name_begins(text: str) -> Q:
    """By the beginning only: a search inside of names would read the whole table of accounts."""
    model = get_user_model()
    known = {field.name for field in model._meta.get_fields()}
    wanted = Q(pk__in=())
    for field in sorted({model.USERNAME_FIELD, model.get_email_field_name()} & known):
        wanted |= Q(**{f"{field}__istartswith": text})
    return wanted
