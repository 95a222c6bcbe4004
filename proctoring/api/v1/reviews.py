"""``reviews/`` and ``attempts/{id}/reviews/``: what was concluded, by whom, and the way to a recording."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import django_filters
from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.encoding import iri_to_uri
from django.utils.translation import gettext as _
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet, refuse, row_id
from proctoring.api.openapi import operation, path_id
from proctoring.api.pagination import Pages
from proctoring.api.v1.attempts import IdFilter, TrueOrFalseFilter, visible_attempt
from proctoring.api.v1.representation import PersonSerializer
from proctoring.api.wire import OtherNames, UtcDateTimeField
from proctoring.attempts.lifecycle import REASON_LENGTH, refuse_own
from proctoring.backends.types import ReviewComment as Remark
from proctoring.host import Role, host
from proctoring.permissions import is_course_staff, may_review
from proctoring.reviews.intake import MAX_SECONDS
from proctoring.reviews.models import Review, ReviewSource, ReviewStatus
from proctoring.reviews.services import open_video, record_review

TAG = "Reviews"

MAX_COMMENTS = 200
"""Of one review that a person writes."""

MAX_TEXT = 10_000


class CommentSerializer(serializers.Serializer[Any]):
    """What was seen, and where in the recording: whole seconds from its beginning."""

    start_seconds = serializers.IntegerField(min_value=0, max_value=MAX_SECONDS, allow_null=True, default=None)
    stop_seconds = serializers.IntegerField(min_value=0, max_value=MAX_SECONDS, allow_null=True, default=None)
    severity = serializers.CharField(max_length=60, allow_blank=True, default="")
    text = serializers.CharField(max_length=MAX_TEXT)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        start, stop = attrs["start_seconds"], attrs["stop_seconds"]
        if stop is not None and stop < (start or 0):
            refuse({"stop_seconds": _("Must not be before the start.")})
        return attrs


class ReviewSerializer(serializers.Serializer[Any]):
    """One version of a verdict. `current`: the attempt's present verdict comes from this one. `reviewed_by` is the
    vendor's claim, `author` the account that answers for the verdict."""

    id = serializers.IntegerField()
    attempt = serializers.IntegerField(source="attempt_id")
    exam = serializers.IntegerField(source="attempt.exam_id")
    course_id = serializers.CharField(source="attempt.exam.course_id")
    status = serializers.ChoiceField(choices=ReviewStatus.choices)
    source = serializers.ChoiceField(choices=ReviewSource.choices)  # type: ignore[assignment]  # the contract's name
    reviewed_by = serializers.CharField()
    author = PersonSerializer(allow_null=True)
    message = serializers.CharField(source="note", help_text="A person's reason.")
    comments = CommentSerializer(many=True)
    has_video = serializers.BooleanField()
    applied = serializers.SerializerMethodField()
    applied_at = UtcDateTimeField(allow_null=True)
    not_applied_reason = serializers.CharField(help_text="A code; empty where the review was applied.")
    occurred_at = UtcDateTimeField()
    received_at = UtcDateTimeField()
    current = serializers.BooleanField(source="is_current")

    def get_applied(self, review: Review) -> bool:
        return review.applied_at is not None


class RemarkSerializer(OtherNames, CommentSerializer):
    """What was seen, and where in the recording. Vendors' words `start`, `stop`, `comment`, `status` are taken too."""

    other_names = {"start": "start_seconds", "stop": "stop_seconds", "comment": "text", "status": "severity"}


class VerdictSerializer(serializers.Serializer[Any]):
    status = serializers.ChoiceField(choices=ReviewStatus.choices)
    message = serializers.CharField(max_length=REASON_LENGTH, allow_blank=True, default="")
    comments = serializers.ListField(child=RemarkSerializer(), max_length=MAX_COMMENTS, default=list)


class ReviewFilter(django_filters.FilterSet):
    exam = IdFilter(field_name="attempt__exam_id")
    course_id = django_filters.CharFilter(field_name="attempt__exam__course_id", max_length=255)
    attempt = IdFilter(field_name="attempt_id")
    status = django_filters.ChoiceFilter(choices=ReviewStatus.choices)
    source = django_filters.ChoiceFilter(choices=ReviewSource.choices)
    applied = TrueOrFalseFilter(method="was_applied", label="Whether it was applied to its attempt")

    class Meta:
        model = Review
        fields = ("exam",)

    def was_applied(self, queryset: Any, name: str, value: bool) -> Any:
        return queryset.filter(applied_at__isnull=not value)


class Reviews(ApiViewSet):
    serializer_class = ReviewSerializer
    filter_backends = (DjangoFilterBackend,)
    filterset_class = ReviewFilter
    pagination_class = Pages

    def get_queryset(self) -> QuerySet[Review]:
        return Review.objects.visible_to(self.request.user).for_reading()

    @operation(
        "Reviews of the courses that you review or administer",
        answer=ReviewSerializer(many=True),
        tag=TAG,
        errors=(400, 403),
    )
    def list(self, request: Request) -> Response:
        roles = (Role.REVIEWER, Role.STAFF)
        courses = (host().courses_with_role(request.user, role) for role in roles)
        if not any(held is None or held for held in courses):
            raise exceptions.PermissionDenied
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.shown(ReviewSerializer, page, many=True))

    @operation(
        "Go to the vendor's recording",
        description="Who was sent there is written down. The address is in `Location`.",
        answer=None,
        status=302,
        tag=TAG,
        errors=(403, 404, 503),
        parameters=[path_id()],
    )
    def video(self, request: Request, pk: str) -> HttpResponse:
        review = Review.objects.select_related("attempt__exam").filter(pk=row_id(pk)).first()
        if review is None:
            raise exceptions.NotFound
        course_id = review.attempt.exam.course_id
        if not may_review(request.user, course_id):
            raise exceptions.PermissionDenied if is_course_staff(request.user, course_id) else exceptions.NotFound
        url = open_video(review, by=request.user, now=self.now)
        if not url:
            raise exceptions.NotFound
        headers = {"Location": iri_to_uri(url), "Cache-Control": "no-store", "Referrer-Policy": "no-referrer"}
        return HttpResponse(status=302, headers=headers)


class AttemptReviews(ApiViewSet):
    serializer_class = ReviewSerializer
    pagination_class = Pages

    @operation(
        "An attempt's reviews, the newest first",
        answer=ReviewSerializer(many=True),
        tag=TAG,
        errors=(400, 403, 404),
        parameters=[path_id()],
    )
    def list(self, request: Request, pk: str) -> Response:
        attempt = visible_attempt(request.user, pk)
        course_id = attempt.exam.course_id
        if not (may_review(request.user, course_id) or is_course_staff(request.user, course_id)):
            raise exceptions.PermissionDenied
        refuse_own(attempt, request.user)
        page = self.paginate_queryset(Review.objects.filter(attempt=attempt).for_reading())
        return self.get_paginated_response(self.shown(ReviewSerializer, page, many=True))

    @operation(
        "Review an attempt that has ended, under your own name",
        description="It decides: what a person finds suspicious is rejected, and `not_reviewed` makes an error of it.",
        body=VerdictSerializer,
        answer=ReviewSerializer,
        status=201,
        tag=TAG,
        errors=(403, 404, 409),
        parameters=[path_id()],
    )
    def create(self, request: Request, pk: str) -> Response:
        attempt = visible_attempt(request.user, pk)
        if not may_review(request.user, attempt.exam.course_id):
            raise exceptions.PermissionDenied
        refuse_own(attempt, request.user)
        wanted = self.read(VerdictSerializer)
        review = record_review(
            attempt,
            ReviewStatus(wanted["status"]),
            by=request.user,
            note=wanted["message"],
            comments=[_remark(comment) for comment in wanted["comments"]],
            now=self.now,
        )
        kept = Review.objects.for_reading().get(pk=review.pk)
        return Response(self.shown(ReviewSerializer, kept), status=201)


def _remark(comment: Mapping[str, Any]) -> Remark:
    return Remark(
        comment=comment["text"],
        status=comment["severity"],
        start_seconds=comment["start_seconds"],
        stop_seconds=comment["stop_seconds"],
    )
