"""``attempts/actions/``: the same to many attempts, what became of each, and the way back."""

from __future__ import annotations

import django_filters
from django.db.models import QuerySet
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet, row_id
from proctoring.api.idempotency import begin_once
from proctoring.api.openapi import IDEMPOTENCY_KEY, operation, path_id
from proctoring.api.pagination import Pages
from proctoring.api.v1.actions import ReasonSerializer
from proctoring.api.v1.attempts import TAG, IdFilter
from proctoring.api.v1.bulk_shapes import (
    BulkActionAnswerSerializer,
    BulkActionSerializer,
    BulkDetailSerializer,
    BulkWishSerializer,
    TargetSerializer,
    answer_of,
    item_row,
    undo_rows,
)
from proctoring.exams.models import Exam
from proctoring.invigilation.actions import Action, Why, Wish
from proctoring.invigilation.bulk import carry_out, go_on, record_bulk_action
from proctoring.invigilation.choosing import Choice, choose_found, choose_named
from proctoring.invigilation.models import BulkAction
from proctoring.invigilation.undo import undo_bulk_action
from proctoring.permissions import invigilates_somewhere, may_invigilate, may_watch


class BulkActionFilter(django_filters.FilterSet):
    action = django_filters.ChoiceFilter(choices=Action.choices)
    exam = IdFilter(field_name="exam_id")

    class Meta:
        model = BulkAction
        fields = ("action",)


class BulkActions(ApiViewSet):
    serializer_class = BulkActionSerializer
    filter_backends = (DjangoFilterBackend,)
    filterset_class = BulkActionFilter
    pagination_class = Pages

    def get_queryset(self) -> QuerySet[BulkAction]:
        return BulkAction.objects.visible_to(self.request.user).counted().select_related("by", "undone_by")

    @operation(
        "Do the same to many attempts",
        description=(
            "A result for each attempt, each in a transaction of its own: what is refused keeps nothing else back. "
            "Under the key of an earlier call, nothing is done twice: what that one did not come to is done now, and "
            "the answer is how it stands then."
        ),
        body=BulkWishSerializer,
        answer=BulkActionAnswerSerializer,
        tag=TAG,
        errors=(403, 404, 422),
        parameters=[IDEMPOTENCY_KEY],
    )
    def create(self, request: Request) -> Response:
        self._refuse_strangers()
        choice = self._choice()
        wanted = self.read(BulkWishSerializer)
        wanted.pop("attempts")
        wish = Wish(**{**wanted, "action": Action(wanted["action"])})
        key, headers = begin_once(
            request, now=self.now, begin=lambda: record_bulk_action(choice, wish, by=request.user).pk
        )
        bulk = BulkAction.objects.get(pk=key)
        if headers:
            go_on(bulk, by=request.user)
        else:
            carry_out(bulk, choice, by=request.user)
        rows = [item_row(item) for item in bulk.items.all()]
        return Response(answer_of(bulk, rows), headers=headers)

    @operation(
        "What was done to many attempts of your courses, the newest first",
        answer=BulkActionSerializer(many=True),
        tag=TAG,
        errors=(400, 403),
    )
    def list(self, request: Request) -> Response:
        self._refuse_strangers()
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.shown(BulkActionSerializer, page, many=True))

    @operation(
        "One of them, with what became of each attempt",
        answer=BulkDetailSerializer,
        tag=TAG,
        errors=(404,),
        parameters=[path_id()],
    )
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self.shown(BulkDetailSerializer, self._bulk(pk)))

    @operation(
        "Take it back, where an attempt is still as this left it",
        description=(
            "A result for each attempt that it was done to. A pause is ended, a resume becomes a pause, extra time is "
            "reversed in the ledger; anything else is `not_undoable`. One that still runs is stopped. An undoing that "
            "was cut off goes on; where nothing is left, it is `already_undone`."
        ),
        body=ReasonSerializer,
        answer=BulkActionAnswerSerializer,
        tag=TAG,
        errors=(404, 409),
        parameters=[path_id()],
    )
    def undo(self, request: Request, pk: str) -> Response:
        bulk = self._bulk(pk)
        why = Why(**self.read(ReasonSerializer))
        undone = undo_bulk_action(bulk, why, by=request.user, now=self.now)
        return Response(answer_of(undone, undo_rows(undone)))

    def _bulk(self, text: str) -> BulkAction:
        bulk = self.get_queryset().filter(pk=row_id(text)).first()
        if bulk is None:
            raise exceptions.NotFound
        return bulk

    def _refuse_strangers(self) -> None:
        if not invigilates_somewhere(self.request.user):
            raise exceptions.PermissionDenied

    def _choice(self) -> Choice:
        """By what ``attempts`` says, before the rest of the body is looked at."""
        user, wanted = self.request.user, self.read(TargetSerializer)["attempts"]
        if isinstance(wanted, list):
            return choose_named(wanted, by=user)
        exam = Exam.objects.filter(pk=wanted["exam"]).first()
        if exam is None:
            raise exceptions.NotFound
        if not may_invigilate(user, exam.course_id):
            seen = may_watch(user, exam.course_id) or Exam.objects.visible_to(user).filter(pk=exam.pk).exists()
            raise exceptions.PermissionDenied if seen else exceptions.NotFound
        return choose_found(exam, wanted.get("filter", {}), by=user, now=self.now)
