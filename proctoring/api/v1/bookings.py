"""``bookings/``: planners ask for proctors, look how that stands, and change their mind about the window."""

from __future__ import annotations

from typing import Any, TypeGuard

from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django_filters.rest_framework import DjangoFilterBackend
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet, refuse
from proctoring.api.idempotency import answer_once
from proctoring.api.openapi import IDEMPOTENCY_KEY, operation, path_id
from proctoring.api.pagination import Pages
from proctoring.api.v1.booking_shapes import (
    TAG,
    BookingFilter,
    BookingSerializer,
    BookingTermsSerializer,
    BookingWishSerializer,
    for_showing,
    plans_or_mends,
    visible_booking,
)
from proctoring.api.wire import MAX_ID
from proctoring.bookings.models import Booking
from proctoring.bookings.planning import Wish, plan_bookings
from proctoring.bookings.services import change_draft, change_window
from proctoring.bookings.states import Status
from proctoring.errors import Conflict
from proctoring.exams.models import Exam
from proctoring.permissions import may_plan, sits_at_service_desk

FIXED = ("exam", "backend", "candidates")
WINDOW = {"starts_at", "ends_at"}


class Bookings(ApiViewSet):
    serializer_class = BookingSerializer
    filter_backends = (DjangoFilterBackend,)
    filterset_class = BookingFilter
    pagination_class = Pages

    def get_queryset(self) -> QuerySet[Booking]:
        return for_showing(Booking.objects.visible_to(self.request.user))

    @operation(
        "The bookings of the courses that you plan or mend bookings for",
        answer=BookingSerializer(many=True),
        tag=TAG,
        errors=(400, 403),
    )
    def list(self, request: Request) -> Response:
        self._refuse_strangers()
        page = self.paginate_queryset(self.filter_queryset(self.get_queryset()))
        return self.get_paginated_response(self.shown(BookingSerializer, page, many=True))

    @operation(
        "Plan a booking",
        description=(
            "A draft that nobody hears of yet. More candidates than the vendor takes at once make several; the answer "
            "is the first, and its `plan` names all."
        ),
        body=BookingWishSerializer,
        answer=BookingSerializer,
        status=201,
        tag=TAG,
        errors=(403, 404, 422),
        parameters=[IDEMPOTENCY_KEY],
    )
    def create(self, request: Request) -> Response:
        exam = self._exam_of_body()
        wanted = self.read(BookingWishSerializer)

        def act() -> tuple[int, Any]:
            drafts = plan_bookings(Wish(**{**wanted, "exam": exam}), by=request.user)
            return 201, self._shown(drafts[0])

        return answer_once(request, now=self.now, act=act)

    @operation("One booking", answer=BookingSerializer, tag=TAG, errors=(404,), parameters=[path_id()])
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self._shown(visible_booking(request.user, pk)))

    @operation(
        "Change a draft, or move a plan that is under way to another window",
        description=(
            "Of what is under way only the window can be changed: all parts of the plan are cancelled and new ones "
            "scheduled in their place. The answer is the first of the new ones; `replaces` says of which."
        ),
        body=BookingTermsSerializer(partial=True),
        answer=BookingSerializer,
        tag=TAG,
        errors=(403, 404, 409, 422),
        parameters=[path_id(), IDEMPOTENCY_KEY],
    )
    def partial_update(self, request: Request, pk: str) -> Response:
        booking = visible_booking(request.user, pk)
        if not may_plan(request.user, booking.exam.course_id):
            raise exceptions.PermissionDenied
        self._refuse_other_identity(booking)
        sent = self.read(BookingTermsSerializer, partial=True)
        changes = {name: value for name, value in sent.items() if value != getattr(booking, name)}
        return answer_once(request, now=self.now, act=lambda: (200, self._shown(self._change(booking, changes))))

    def _change(self, booking: Booking, changes: dict[str, Any]) -> Booking:
        if not changes:
            return booking
        if booking.status == Status.DRAFT:
            return change_draft(booking, changes, by=self.request.user)
        if not changes.keys() <= WINDOW:
            raise Conflict(_("Of a booking that is no draft only the window can be changed."), code="not_a_draft")
        window = {name: changes.get(name, getattr(booking, name)) for name in WINDOW}
        return change_window(booking, **window, by=self.request.user, now=self.now)[0]

    def _exam_of_body(self) -> Exam:
        """By what it says, before the rest of the body is looked at."""
        user, data = self.request.user, self.request.data
        key = data.get("exam") if isinstance(data, dict) else None
        if not _is_id(key):
            self._refuse_strangers()
            self.read(BookingWishSerializer)
        exam = Exam.objects.filter(pk=key).first() if _is_id(key) else None
        if exam is None:
            raise exceptions.NotFound
        if may_plan(user, exam.course_id):
            return exam
        seen = sits_at_service_desk(user, exam.course_id) or Exam.objects.visible_to(user).filter(pk=exam.pk).exists()
        raise exceptions.PermissionDenied if seen else exceptions.NotFound

    def _refuse_strangers(self) -> None:
        if not plans_or_mends(self.request.user):
            raise exceptions.PermissionDenied

    def _refuse_other_identity(self, booking: Booking) -> None:
        sent = self.request.data
        if not (isinstance(sent, dict) and sent.keys() & set(FIXED)):
            return
        shown = self._shown(booking)
        for name in FIXED:
            if name in sent and sent[name] != shown[name]:
                refuse({name: _("Cannot be changed: cancel this booking and plan another.")})

    def _shown(self, booking: Booking) -> Any:
        return self.shown(BookingSerializer, for_showing(Booking.objects.filter(pk=booking.pk)).get())


def _is_id(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value <= MAX_ID
