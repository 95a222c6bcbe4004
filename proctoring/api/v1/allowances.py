"""``allowances/``: staff grant, change and withdraw; running attempts follow at once."""

from __future__ import annotations

from typing import Any, TypeGuard

from django.db.models import QuerySet
from django.http import HttpResponse
from django.utils.translation import gettext_lazy as _
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.allowances.models import Allowance, AllowanceKind
from proctoring.allowances.terms import Grant, Terms
from proctoring.api.base import ApiViewSet, refuse, row_id
from proctoring.api.idempotency import answer_once
from proctoring.api.openapi import IDEMPOTENCY_KEY, operation, path_id
from proctoring.api.pagination import Pages
from proctoring.api.v1.allowance_shapes import (
    MAX_PAIRS,
    AllowanceFilter,
    AllowanceSerializer,
    BulkAnswerSerializer,
    BulkSerializer,
    GrantSerializer,
    TermsSerializer,
)
from proctoring.api.wire import MAX_ID
from proctoring.attempts.accommodations import (
    Outcome,
    change_allowance,
    grant_allowance,
    withdraw_allowance,
)
from proctoring.attempts.granting import find_person, grant_to_many
from proctoring.errors import RuleBroken
from proctoring.exams.models import Exam
from proctoring.permissions import is_course_staff

TAG = "Allowances"
IDENTITY = ("user", "exam", "course_id", "kind")


class Allowances(ApiViewSet):
    serializer_class = AllowanceSerializer
    filter_backends = (DjangoFilterBackend,)
    filterset_class = AllowanceFilter
    pagination_class = Pages

    def get_queryset(self) -> QuerySet[Allowance]:
        return Allowance.objects.visible_to(self.request.user).select_related("user", "granted_by")

    @operation(
        "The allowances of the courses that you administer",
        answer=AllowanceSerializer(many=True),
        tag=TAG,
        errors=(400, 403),
    )
    def list(self, request: Request) -> Response:
        self._refuse_who_administers_nothing()
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.shown(AllowanceSerializer, page, many=True))

    @operation(
        "Grant an allowance",
        description="One that exists gets the new values (200). Running attempts follow at once.",
        body=GrantSerializer,
        answer=AllowanceSerializer,
        status=201,
        also=(200,),
        tag=TAG,
        errors=(403, 409, 422),
    )
    def create(self, request: Request) -> Response:
        exam = self._exam_of_body()
        if exam is None:
            self._refuse_strangers_to_course()
        elif not is_course_staff(request.user, exam.course_id):
            raise exceptions.PermissionDenied
        wanted = self.read(GrantSerializer)
        if "exam" in wanted and exam is None:
            raise RuleBroken(str(_("There is no such exam.")), code="exam_not_found")
        course_id = exam.course_id if exam else wanted["course_id"]
        terms = _terms(wanted)
        grant = Grant(user=find_person(wanted["user"]), course_id=course_id, exam=exam, terms=terms)
        outcome = grant_allowance(grant, by=request.user, now=self.now)
        shown = self.shown(AllowanceSerializer, self.get_queryset().get(pk=outcome.allowance.pk))  # type: ignore[union-attr]  # not refused
        return Response(shown, status=201 if outcome.result == "granted" else 200)

    @operation(
        "Change an allowance's values",
        body=TermsSerializer(partial=True),
        answer=AllowanceSerializer,
        tag=TAG,
        errors=(403, 404, 409),
        parameters=[path_id()],
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        allowance = self._allowance(pk)
        self._refuse_other_identity(allowance)
        changes = self.read(TermsSerializer, partial=True)
        change_allowance(allowance, changes, by=request.user, now=self.now)
        return Response(self.shown(AllowanceSerializer, self._allowance(pk)))

    @operation(
        "Withdraw an allowance",
        description="Running attempts lose what they have not used of it. The history keeps who had granted it.",
        answer=None,
        status=204,
        tag=TAG,
        errors=(403, 404, 409),
        parameters=[path_id()],
    )
    def destroy(self, request: Request, pk: str) -> HttpResponse:
        withdraw_allowance(self._allowance(pk), by=request.user, now=self.now)
        gone = HttpResponse(status=204)
        del gone.headers["Content-Type"]
        return gone

    @operation(
        "Grant the same to many",
        description=(
            "A result for each pair of a person and an exam (null: the whole course). What is refused keeps nothing "
            "else back. A repetition answers `updated`."
        ),
        body=BulkSerializer,
        answer=BulkAnswerSerializer,
        tag=TAG,
        errors=(403, 409, 422),
        parameters=[IDEMPOTENCY_KEY],
    )
    def bulk(self, request: Request) -> Response:
        self._refuse_bulk_by_strangers()
        wanted = self.read(BulkSerializer)
        terms = _terms(wanted)

        def act() -> tuple[int, Any]:
            exams, course_id = wanted.get("exams", ()), wanted.get("course_id", "")
            results = grant_to_many(
                wanted["users"], terms, by=request.user, exams=exams, course_id=course_id, now=self.now
            )
            return 200, {"results": [_result(*one) for one in results]}

        return answer_once(request, now=self.now, act=act)

    def _allowance(self, text: str) -> Allowance:
        allowance = self.get_queryset().filter(pk=row_id(text)).first()
        if allowance is None:
            raise exceptions.NotFound
        return allowance

    def _refuse_who_administers_nothing(self) -> None:
        if not self.viewer.administers_something():
            raise exceptions.PermissionDenied

    def _refuse_strangers_to_course(self) -> None:
        """By the course in the body, before the rest of it is looked at."""
        self._refuse_who_administers_nothing()
        data = self.request.data
        course_id = data.get("course_id") if isinstance(data, dict) else None
        if isinstance(course_id, str) and not is_course_staff(self.request.user, course_id.strip()):
            raise exceptions.PermissionDenied

    def _refuse_bulk_by_strangers(self) -> None:
        """Staff of none of the exams that are named, or not of the course, hear that before anything else."""
        data = self.request.data
        named = data.get("exams") if isinstance(data, dict) else None
        keys = {key for key in named if _is_id(key)} if isinstance(named, list) else set()
        courses = set(Exam.objects.filter(pk__in=sorted(keys)[:MAX_PAIRS]).values_list("course_id", flat=True))
        if not courses:
            self._refuse_strangers_to_course()
        elif not any(is_course_staff(self.request.user, course_id) for course_id in sorted(courses)):
            raise exceptions.PermissionDenied

    def _exam_of_body(self) -> Exam | None:
        data = self.request.data
        key = data.get("exam") if isinstance(data, dict) else None
        return Exam.objects.filter(pk=key).first() if _is_id(key) else None

    def _refuse_other_identity(self, allowance: Allowance) -> None:
        shown, sent = self.shown(AllowanceSerializer, allowance), self.request.data
        if not isinstance(sent, dict):
            return
        for name in IDENTITY:
            if name in sent and sent[name] != shown[name]:
                refuse({name: str(_("Cannot be changed: withdraw this allowance and grant another."))})


def _is_id(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_ID


def _terms(wanted: dict[str, Any]) -> Terms:
    values = {name: wanted[name] for name in ("minutes", "multiplier", "note", "exemptions") if name in wanted}
    return Terms(kind=AllowanceKind(wanted["kind"]), **values)


def _result(user: int | str, exam: int | None, outcome: Outcome) -> dict[str, Any]:
    row: dict[str, Any] = {"user": user, "exam": exam, "result": outcome.result}
    if outcome.refusal is not None:
        row |= {"code": outcome.refusal.code, "detail": str(outcome.refusal)}
    return row
