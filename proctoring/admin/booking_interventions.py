"""Steps of bookings in the admin: what is refused stands beside the field that can mend it."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.booking_filters import PLANNERS
from proctoring.admin.booking_forms import PLACES
from proctoring.admin.booking_steps import BULK, STEPS, Step, capacities
from proctoring.admin.step_pages import StepAdmin
from proctoring.bookings.models import Booking
from proctoring.bookings.states import Actor, Status
from proctoring.errors import InvalidInput, ProctoringError
from proctoring.host import Role

if TYPE_CHECKING:
    from proctoring.host import User


class BookingInterventionAdmin(StepAdmin):
    steps = STEPS
    bulk = BULK
    roles_of: ClassVar[Any] = {Actor.PLANNER: PLANNERS, Actor.SERVICE_DESK: (Role.SERVICE_DESK,)}
    changed_meanwhile = gettext_lazy("Meanwhile the booking has become “%s”. Look at it again.")

    def capacities(self, user: User, course_id: str) -> set[Actor]:
        return capacities(user, course_id)

    def status_of(self, row: Booking) -> Status:
        return Status(row.status)

    def initial(self, step: Step, row: Booking) -> dict[str, Any]:
        return step.initial(row)

    def take(self, step: Step, row: Booking, form: forms.Form, *, by: User) -> Booking:
        return step.take(row, by=by, said=form.cleaned_data)

    def refuse(self, form: forms.Form, refused: ProctoringError) -> None:
        if isinstance(refused, InvalidInput):
            for field, sentences in (refused.errors or {"": [str(refused)]}).items():
                form.add_error(field if field in form.fields else None, ValidationError(list(sentences)))
        else:
            place = PLACES.get(refused.code)
            form.add_error(place if place in form.fields else None, str(refused))

    def led_elsewhere(self, after: Booking) -> str:
        cause = after.advice.cause if after.advice is not None else ""
        facts = {"booking": self.row_name(after), "status": after.get_status_display(), "cause": cause}
        return _("“%(booking)s” is “%(status)s” now. %(cause)s") % facts

    def chosen(self, request: HttpRequest, queryset: QuerySet[Booking]) -> list[Booking]:
        return super().chosen(request, queryset.select_related("exam", "plan"))

    def do_on_each(self, request: HttpRequest, rows: Collection[Booking], step: Step, form: forms.Form) -> None:
        for row in rows:
            try:
                after = self.take(step, row, form, by=request.user)
            except ProctoringError as refused:
                self.message_user(request, f"“{self.row_name(row)}”: {refused}", messages.ERROR)
            else:
                self.tell(request, step, row, after)
