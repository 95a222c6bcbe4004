"""Planning in the admin: the form, and the exams that it offers."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from proctoring.admin.base import ServiceAdmin, ServiceForm, holds_anywhere
from proctoring.admin.booking_filters import PLANNERS, planned_exams
from proctoring.admin.booking_forms import PLACES, PlanForm
from proctoring.bookings.models import Booking
from proctoring.bookings.planning import plan_bookings
from proctoring.errors import InvalidInput, RuleBroken
from proctoring.exams.models import ExamStatus, ExamType

PLAN_FIELDS = (
    (None, {"fields": ("exam", "starts_at", "ends_at")}),
    (gettext_lazy("Who sits the exam"), {"fields": ("who", "candidates")}),
    (gettext_lazy("Proctors"), {"fields": ("ratio", "backend", "onboarding_minutes", "closing_minutes")}),
)

OFFERED = 20
"""Exams at a time."""


class PlanningAdmin(ServiceAdmin):
    """The part of the bookings' admin that makes new ones."""

    form = PlanForm

    def has_add_permission(self, request: HttpRequest) -> bool:
        return holds_anywhere(request.user, *PLANNERS)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.exams_view)
        return [path("exams/", view, name="proctoring_booking_exams"), *super().get_urls()]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        """What exists is not edited in a form."""
        return super().get_form(request, obj, change, **({} if obj is None else {"form": ServiceForm}), **kwargs)

    def exams_view(self, request: HttpRequest) -> HttpResponse:
        """What Django's completion asks for while somebody types."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        term = request.GET.get("term", "").replace("\x00", "")
        rows = planned_exams(request.user).exclude(exam_type=ExamType.TIMED).exclude(status=ExamStatus.ARCHIVED)
        if term:
            rows = rows.filter(Q(name__istartswith=term) | Q(course_id__istartswith=term) | Q(content_id=term))
        page = Paginator(rows.order_by("name", "pk"), OFFERED).get_page(request.GET.get("page"))
        found = [{"id": str(exam.pk), "text": f"{exam} ({exam.course_id})"} for exam in page]
        return JsonResponse({"results": found, "pagination": {"more": page.has_next()}})

    def save_model(self, request: HttpRequest, obj: Booking, form: Any, change: bool) -> None:
        try:
            drafts = plan_bookings(form.wish, by=request.user)
        except RuleBroken as refused:
            place = PLACES.get(refused.code, "exam")
            raise InvalidInput(str(refused), errors={place: [str(refused)]}) from refused
        obj.pk = drafts[0].pk
        obj.refresh_from_db()

    def response_add(self, request: HttpRequest, obj: Booking, post_url_continue: str | None = None) -> HttpResponse:
        """To what was made, where it is scheduled."""
        parts = Booking.objects.filter(plan=obj.plan_id).count()
        sentence = ngettext(
            "Planned as %d draft. It is sent when it is scheduled.",
            "Planned as %d drafts, since the vendor takes no more candidates at once. They are sent when they are "
            "scheduled.",
            parts,
        )
        self.message_user(request, sentence % parts, messages.SUCCESS)
        if parts > 1:
            return redirect(reverse("admin:proctoring_booking_changelist", query={"plan__id__exact": obj.plan_id}))
        return redirect("admin:proctoring_booking_change", obj.pk)

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        if add:
            context |= {
                "title": _("Plan a booking"),
                "show_save_and_continue": False,
                "show_save_and_add_another": False,
            }
        return super().render_change_form(request, context, add, change, form_url, obj)
