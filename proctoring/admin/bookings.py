"""Bookings in the admin: lists, planning, and the page with everything about one. Steps ask the services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.base import USERNAME, BackendFilter, CourseAdmin
from proctoring.admin.booking_filters import (
    BOOKERS,
    BookedCourseFilter,
    BookedExamFilter,
    ReasonFilter,
    SituationFilter,
    WhenFilter,
)
from proctoring.admin.booking_interventions import BookingInterventionAdmin
from proctoring.admin.booking_page import (
    advice_of,
    badge,
    how_many,
    part_of_plan,
    span,
    successors,
    summary,
    tables,
    what_is_next,
    window,
    with_counts,
)
from proctoring.admin.booking_planning import PLAN_FIELDS, PlanningAdmin
from proctoring.admin.booking_steps import steps_for
from proctoring.admin.history import HistoryAdmin
from proctoring.admin.outbox import owed_to_vendor
from proctoring.admin.rendering import EMPTY, bullets, link_to, vendor_name
from proctoring.bookings.models import Booking
from proctoring.outbox.models import DeliveryTarget
from proctoring.permissions import booked_courses, is_course_staff, may_see_bookings

if TYPE_CHECKING:
    from proctoring.host import User

FACTS = (
    (
        gettext_lazy("Booking"),
        {
            "fields": (
                "of_exam",
                "course",
                "selection",
                "part_shown",
                "created_by_whom",
                "created_at",
                "in_place_of",
                "gave_way_to",
            )
        },
    ),
    (
        gettext_lazy("Time"),
        {"fields": ("window_shown", "onboarding_minutes", "extra_minutes", "closing_minutes", "reserved")},
    ),
    (
        gettext_lazy("Vendor"),
        {"fields": ("vendor", "reference", "external_id", "send_tries", "check_count", "last_error", "owed")},
    ),
)


@admin.register(Booking)
class BookingAdmin(BookingInterventionAdmin, PlanningAdmin, CourseAdmin, HistoryAdmin):
    roles = BOOKERS
    change_form_template = "admin/proctoring/booking/change_form.html"
    change_list_template = "admin/proctoring/booking/change_list.html"
    list_display = ("exam_shown", "status_shown", "window_shown", "next_shown", "part_shown", "candidates_shown")
    list_filter = (
        SituationFilter,
        "status",
        WhenFilter,
        BookedCourseFilter,
        BookedExamFilter,
        BackendFilter,
        ReasonFilter,
    )
    list_select_related = ("exam",)
    search_fields = ("^exam__name", "^exam__course_id", "=external_id", f"^sessions__user__{USERNAME}")
    search_help_text = gettext_lazy(
        "Beginning of the exam’s, the course’s or a candidate’s name, or the vendor’s whole id"
    )
    sortable_by = ("window_shown",)
    concealed = ("claimed_by", "claimed_until", "sessions")
    history_fields = (
        "part",
        "backend",
        "starts_at",
        "ends_at",
        "extra_minutes",
        "onboarding_minutes",
        "closing_minutes",
        "ratio",
        "status",
        "rejection_reason",
        "external_id",
    )

    def rows_of(self, user: User) -> Q:
        return booked_courses(user, "exam__course_id")

    def may_see(self, user: User, obj: Booking) -> bool:
        return may_see_bookings(user, obj.exam.course_id)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Booking]:
        return with_counts(super().get_queryset(request).select_related("exam", "plan", "created_by"))

    def get_fieldsets(self, request: HttpRequest, obj: Booking | None = None) -> Any:
        looked_back = super().get_fieldsets(request, obj)
        if obj is None:
            return PLAN_FIELDS
        if looked_back == [(None, {"fields": self.history_fields})]:
            return looked_back
        kept = [(title, [name for name in part["fields"] if _has_value(obj, name)]) for title, part in FACTS]
        return [(title, {"fields": names}) for title, names in kept]

    def get_readonly_fields(self, request: HttpRequest, obj: Booking | None = None) -> Any:
        """Of what there is, everything."""
        if obj is None or (shown := super().get_readonly_fields(request, obj)):
            return () if obj is None else shown
        return [name for _title, part in FACTS for name in part["fields"]]

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """With all that is known about the booking, and the steps that this person may take now."""
        if obj is not None:
            context |= {
                "title": self.row_name(obj),
                "subtitle": None,
                "summary": summary(obj, timezone.now()),
                "advice": advice_of(obj),
                "steps": steps_for(obj, request.user),
                "tables": tables(obj, request.user),
            }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def row_name(self, row: Any) -> str:
        return f"{row.exam}, {window(row)}"

    @admin.display(description=gettext_lazy("exam"))
    def exam_shown(self, booking: Booking) -> str:
        return str(booking.exam)

    @admin.display(description=gettext_lazy("window"), ordering="starts_at")
    def window_shown(self, booking: Booking) -> str:
        return window(booking)

    @admin.display(description=gettext_lazy("status"))
    def status_shown(self, booking: Booking) -> SafeString:
        return badge(booking.status)

    @admin.display(description=gettext_lazy("part of the plan"))
    def part_shown(self, booking: Booking) -> str:
        return part_of_plan(booking)

    @admin.display(description=gettext_lazy("candidates"))
    def candidates_shown(self, booking: Any) -> str:
        return how_many(booking)

    @admin.display(description=gettext_lazy("what comes next"))
    def next_shown(self, booking: Booking) -> str:
        return what_is_next(booking, timezone.now())

    @admin.display(description=gettext_lazy("exam"))
    def of_exam(self, booking: Any) -> str:
        permitted = is_course_staff(booking.viewer, booking.exam.course_id)
        return link_to("exam", booking.exam_id, booking.exam, permitted=permitted)

    @admin.display(description=gettext_lazy("course"))
    def course(self, booking: Booking) -> str:
        return booking.exam.course_id

    @admin.display(description=gettext_lazy("candidates"))
    def selection(self, booking: Booking) -> str:
        return booking.plan.get_selection_display()

    @admin.display(description=gettext_lazy("planned by"))
    def created_by_whom(self, booking: Booking) -> str:
        return str(booking.created_by or EMPTY)

    @admin.display(description=gettext_lazy("in place of"))
    def in_place_of(self, booking: Booking) -> str:
        former = booking.replaces
        return link_to("booking", former.pk, window(former)) if former is not None else EMPTY

    @admin.display(description=gettext_lazy("gave way to"))
    def gave_way_to(self, booking: Booking) -> str:
        return bullets(link_to("booking", row.pk, window(row)) for row in successors(booking))

    @admin.display(description=gettext_lazy("proctors needed"))
    def reserved(self, booking: Booking) -> str:
        return span(booking.reserved_from, booking.reserved_until)

    @admin.display(description=gettext_lazy("vendor"))
    def vendor(self, booking: Booking) -> str:
        return vendor_name(booking.backend)

    @admin.display(description=gettext_lazy("our reference"))
    def reference(self, booking: Booking) -> str:
        return booking.reference

    @admin.display(description=gettext_lazy("owed to the vendor"))
    def owed(self, booking: Any) -> str:
        return owed_to_vendor(DeliveryTarget.BOOKING, booking.pk, viewer=booking.viewer) or _("nothing")


def _has_value(booking: Booking, name: str) -> bool:
    """A label with nothing after it helps nobody."""
    stored = {"in_place_of": "replaces_id", "created_by_whom": "created_by_id"}.get(name, name)
    return bool(successors(booking)) if name == "gave_way_to" else getattr(booking, stored, True) not in (None, "", 0)
