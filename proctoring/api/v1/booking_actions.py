"""``bookings/{id}/schedule/`` and its sisters: one step of a booking, or of a whole plan."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from django.db import transaction
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet
from proctoring.api.openapi import operation, path_id
from proctoring.api.v1.booking_shapes import TAG, BookingSerializer, for_showing, visible_booking
from proctoring.api.wire import TrueOrFalseField
from proctoring.bookings import services
from proctoring.bookings.models import Booking
from proctoring.bookings.states import Actor
from proctoring.errors import IllegalTransition, ProctoringError, RuleBroken
from proctoring.invigilation.actions import MAX_COMMENT
from proctoring.permissions import may_plan, sits_at_service_desk

ACTIONS = ("schedule", "cancel", "check", "confirm", "reject")
"""The address's word, and the method that answers."""

Step = Callable[[Booking], Booking]


class ScheduleSerializer(serializers.Serializer[Any]):
    whole_plan = TrueOrFalseField(default=False, help_text="Also every other part of the plan that can take the step.")


class CancelSerializer(ScheduleSerializer):
    comment = serializers.CharField(required=False, allow_blank=True, default="", max_length=MAX_COMMENT)


class ByHandSerializer(serializers.Serializer[Any]):
    """Why: it is kept in the log."""

    comment = serializers.CharField(max_length=MAX_COMMENT)


def step(summary: str, *, body: Any = None, description: str = "") -> Any:
    return operation(
        summary,
        description=description,
        body=body,
        answer=BookingSerializer,
        tag=TAG,
        errors=(403, 404, 409, 422),
        parameters=[path_id()],
    )


class BookingActions(ApiViewSet):
    @step(
        "Have the booking sent, also again after a rejection",
        description="A draft that fails a precondition is rejected: its `advice` says what to do. The service desk may "
        "schedule what was rejected.",
        body=ScheduleSerializer,
    )
    def schedule(self, request: Request, pk: str) -> Response:
        booking = visible_booking(request.user, pk)
        wanted = self.read(ScheduleSerializer)
        # The table lets planners schedule whatever the service desk may.
        actor = Actor.PLANNER if may_plan(request.user, booking.exam.course_id) else Actor.SERVICE_DESK
        take = partial(services.schedule_booking, by=request.user, actor=actor, now=self.now)
        return self._take(take, booking, whole_plan=wanted["whole_plan"])

    @step("Give the booking up; the vendor is told", body=CancelSerializer)
    def cancel(self, request: Request, pk: str) -> Response:
        booking = visible_booking(request.user, pk)
        if not may_plan(request.user, booking.exam.course_id):
            raise exceptions.PermissionDenied
        wanted = self.read(CancelSerializer)
        take = partial(services.cancel_booking, by=request.user, comment=wanted["comment"], now=self.now)
        return self._take(take, booking, whole_plan=wanted["whole_plan"])

    @step(
        "Have the vendor asked at once how the booking stands",
        description="The service desk also after a rejection that asking can mend.",
    )
    def check(self, request: Request, pk: str) -> Response:
        booking = visible_booking(request.user, pk)
        # Here the table gives the service desk more.
        at_desk = sits_at_service_desk(request.user, booking.exam.course_id)
        actor = Actor.SERVICE_DESK if at_desk else Actor.PLANNER
        return self._take(partial(services.check_now, by=request.user, actor=actor, now=self.now), booking)

    @step("Confirm by hand: the service desk knows that proctors will come", body=ByHandSerializer)
    def confirm(self, request: Request, pk: str) -> Response:
        return self._take_by_hand(services.confirm_by_hand, pk)

    @step("Reject by hand: the service desk knows that no proctors will come", body=ByHandSerializer)
    def reject(self, request: Request, pk: str) -> Response:
        return self._take_by_hand(services.reject_by_hand, pk)

    def _take_by_hand(self, service: Callable[..., Booking], pk: str) -> Response:
        user = self.request.user
        booking = visible_booking(user, pk)
        if not sits_at_service_desk(user, booking.exam.course_id):
            raise exceptions.PermissionDenied
        comment = self.read(ByHandSerializer)["comment"]
        return self._take(partial(service, by=user, comment=comment, now=self.now), booking)

    def _take(self, take: Step, booking: Booking, *, whole_plan: bool = False) -> Response:
        if whole_plan:
            _with_the_others(take, booking)
        else:
            take(booking)
        shown = for_showing(Booking.objects.filter(pk=booking.pk)).get()
        return Response(self.shown(BookingSerializer, shown))


def _with_the_others(take: Step, booking: Booking) -> None:
    """Take the step with every part of the plan that can; where none can, raise why this one cannot."""
    refusals: dict[int, ProctoringError] = {}
    parts = Booking.objects.filter(plan=booking.plan_id).select_related("exam", "plan").order_by("pk")
    with transaction.atomic():
        rows = list(parts)
        for part in rows:
            try:
                take(part)
            except (IllegalTransition, RuleBroken) as refusal:
                refusals[part.pk] = refusal
        if len(refusals) == len(rows):
            raise refusals[booking.pk]
