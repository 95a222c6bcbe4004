"""Steps of bookings in the admin: the page that asks first, for one or for several of the list, and what came of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IS_POPUP_VAR
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.base import ProctoringAdmin, holds_anywhere
from proctoring.admin.booking_filters import PLANNERS
from proctoring.admin.booking_forms import PLACES
from proctoring.admin.booking_steps import BULK, STEPS, Step, capacities
from proctoring.bookings.models import Booking
from proctoring.bookings.states import Actor
from proctoring.errors import InvalidInput, ProctoringError
from proctoring.host import Role

if TYPE_CHECKING:
    from proctoring.host import User

ROLES = {Actor.PLANNER: PLANNERS, Actor.SERVICE_DESK: (Role.SERVICE_DESK,)}


class BookingInterventionAdmin(ProctoringAdmin):
    """The part of a booking's admin that does something: actions of the list, pages behind the buttons."""

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Those of the list that the person has the role for, in some course at least."""
        found = super().get_actions(request)
        if IS_POPUP_VAR in request.GET:
            return found
        return found | {step.name: _action(step) for step in BULK if _may_anywhere(request.user, step)}

    def step_on_each(self, request: HttpRequest, queryset: QuerySet[Booking], step: Step) -> HttpResponse | None:
        """Ask first; the page's answer comes here again."""
        rows = self.chosen(request, queryset.select_related("exam", "plan"))
        if not rows:
            return None
        form = step.form(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return self._ask(request, rows, step, form)
        for row in rows:
            try:
                after = step.take(row, by=request.user, said=form.cleaned_data)
            except ProctoringError as refused:
                self.message_user(request, f"“{self.row_name(row)}”: {refused}", messages.ERROR)
            else:
                self._tell(request, step, row, after)
        return None

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.step_view)
        return [path("<int:pk>/do/<slug:name>/", view, name="proctoring_booking_step"), *super().get_urls()]

    def step_view(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        """The page behind a button, and what its form asks for."""
        booking, step = self.get_object(request, str(pk)), STEPS.get(name)
        if booking is None or step is None:
            raise Http404
        if not capacities(request.user, booking.exam.course_id) & set(step.actors):
            raise PermissionDenied
        # An empty form is an answer too, where nothing is asked.
        form = step.form(request.POST if request.method == "POST" else None, initial=step.initial(booking))
        after = self._take(request, booking, step, form) if form.is_valid() else None
        if after is not None:
            return redirect("admin:proctoring_booking_change", after.pk)
        return self._ask(request, [booking], step, form, of_page=True)

    def _take(self, request: HttpRequest, booking: Booking, step: Step, form: forms.Form) -> Booking | None:
        """What was refused stands in the form, and nothing has changed."""
        if request.POST.get("seen", booking.status) != booking.status:
            label = booking.get_status_display()
            form.add_error(None, _("Meanwhile the booking has become “%s”. Look at it again.") % label)
            return None
        try:
            after = step.take(booking, by=request.user, said=form.cleaned_data)
        except InvalidInput as refused:
            for field, sentences in (refused.errors or {"": [str(refused)]}).items():
                form.add_error(field if field in form.fields else None, ValidationError(list(sentences)))
        except ProctoringError as refused:
            place = PLACES.get(refused.code)
            form.add_error(place if place in form.fields else None, str(refused))
        else:
            self._tell(request, step, booking, after)
            return after
        return None

    def _tell(self, request: HttpRequest, step: Step, before: Booking, after: Booking) -> None:
        """A step that the rules have led elsewhere is said to have ended there."""
        self.log_change(request, before, str(step.done))
        if step.leads_to in (None, after.status):
            self.message_user(request, f"“{self.row_name(after)}”: {step.done}", messages.SUCCESS)
            return
        cause = after.advice.cause if after.advice is not None else ""
        facts = {"booking": self.row_name(after), "status": after.get_status_display(), "cause": cause}
        self.message_user(request, _("“%(booking)s” is “%(status)s” now. %(cause)s") % facts, messages.WARNING)

    def _ask(
        self, request: HttpRequest, rows: Collection[Booking], step: Step, form: forms.Form, *, of_page: bool = False
    ) -> HttpResponse:
        first = next(iter(rows))
        changelist = reverse("admin:proctoring_booking_changelist")
        page = reverse("admin:proctoring_booking_change", args=(first.pk,))
        hidden: Mapping[str, object] = (
            {"seen": request.POST.get("seen") or first.status} if of_page else {"action": step.name, "confirmed": "yes"}
        )
        context = {
            **self.admin_site.each_context(request),
            "title": step.title,
            "step": step,
            "rows": [(row.pk, self.row_name(row), row.get_status_display()) for row in rows],
            "form": form,
            "hidden": hidden,
            "opts": self.opts,
            "of_page": of_page,
            "back_url": page if of_page else changelist,
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/proctoring/step.html", context)


def _may_anywhere(user: User, step: Step) -> bool:
    return holds_anywhere(user, *(role for actor in step.actors for role in ROLES[actor]))


def _action(step: Step) -> tuple[Any, str, Any]:
    """As Django keeps an action of a list."""

    def act(
        model_admin: BookingInterventionAdmin, request: HttpRequest, queryset: QuerySet[Booking]
    ) -> HttpResponse | None:
        return model_admin.step_on_each(request, queryset, step)

    return act, step.name, gettext_lazy("%s …") % step.title
