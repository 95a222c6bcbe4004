"""The booking log in the admin: of one's courses, the newest first, to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.base import USERNAME, CourseAdmin, CourseFilter, courses_of
from proctoring.admin.booking_filters import BOOKERS, BookedExamFilter, code_choices
from proctoring.admin.rendering import EMPTY, link_to, short
from proctoring.bookings.log_codes import LOG_CODES, codes_about
from proctoring.bookings.models import BookingLogEntry
from proctoring.exams.models import Exam
from proctoring.permissions import booked_courses, may_see_bookings

if TYPE_CHECKING:
    from proctoring.host import User

WITHOUT = "none"
"""In the filter: the steps that the vocabulary has no code for."""

SCOPES = (CourseFilter.parameter_name, BookedExamFilter.parameter_name, "booking__id__exact")
"""Parameters that narrow the log down to one course at most."""


class LogCourseFilter(CourseFilter):
    roles = BOOKERS


class LogExamFilter(BookedExamFilter):
    path = "booking__exam"


class SubjectFilter(admin.SimpleListFilter):
    title = gettext_lazy("subject")
    parameter_name = "subject"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("booking", gettext_lazy("Booking")),
            ("session", gettext_lazy("Live session")),
            ("rating", gettext_lazy("Rating")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        subject = self.value()
        if not subject:
            return queryset
        # Steps without a code are the booking's.
        return queryset.filter(code__in=[*codes_about(subject), *([""] if subject == "booking" else [])])


class CodeFilter(admin.SimpleListFilter):
    title = gettext_lazy("code")
    parameter_name = "code"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        """Of the subject that is chosen beside it."""
        subject = request.GET.get(SubjectFilter.parameter_name, "")
        return [*code_choices(codes_about(subject) or LOG_CODES), (WITHOUT, gettext_lazy("Without a code"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        return queryset.filter(code="" if value == WITHOUT else value) if value else queryset


class DayFilter(admin.DateFieldListFilter):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = gettext_lazy("day")


@admin.register(BookingLogEntry)
class BookingLogAdmin(CourseAdmin):
    roles = BOOKERS
    list_display = ("at", "of_booking", "text_shown", "by", "comment_shown", "code_shown", "candidate")
    list_filter = (SubjectFilter, CodeFilter, ("at", DayFilter), LogCourseFilter, LogExamFilter)
    list_select_related = ("booking__exam", "session__user", "by")
    list_display_links = ("at",)
    search_fields = ("^booking__exam__name", f"^session__user__{USERNAME}")
    search_help_text = gettext_lazy("Beginning of the exam’s or the candidate’s name")
    fields = ("at", "course_id", "of_booking", "text_shown", "code_shown", "subject", "candidate", "by", "comment")

    def rows_of(self, user: User) -> Q:
        return booked_courses(user, "course_id")

    def may_see(self, user: User, obj: BookingLogEntry) -> bool:
        return may_see_bookings(user, obj.course_id)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """A search is about one course: over the log of all of them it would read every entry there is."""
        courses = courses_of(request.user, *self.roles)
        scoped = (courses is not None and len(courses) == 1) or any(request.GET.get(name) for name in SCOPES)
        if search_term and not scoped:
            self.message_user(request, _("Choose a course or an exam to search in its log."), messages.WARNING)
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return super().changelist_view(request, {**(extra_context or {}), "export_url": self._export(request)})

    def _export(self, request: HttpRequest) -> str:
        """The file of a booking's log, or of the whole of one course's; empty where neither is chosen."""
        booking, exam = (request.GET.get(name, "") for name in ("booking__id__exact", BookedExamFilter.parameter_name))
        if booking.isascii() and booking.isdigit():
            return reverse("proctoring:booking_log_of_one", args=[booking]) + "?export=csv"
        courses = courses_of(request.user, *self.roles)
        course = request.GET.get(CourseFilter.parameter_name, "")
        if not course and exam.isascii() and exam.isdigit() and len(exam) < 19:
            seen = Exam.objects.filter(booked_courses(request.user, "course_id"), pk=int(exam))
            course = seen.values_list("course_id", flat=True).first() or ""
        if not course and courses is not None and len(courses) == 1:
            course = next(iter(courses))
        if not course:
            return ""
        return f"{reverse('proctoring:booking_log')}?{urlencode({'course_id': course, 'export': 'csv'})}"

    @admin.display(description=gettext_lazy("booking"))
    def of_booking(self, entry: BookingLogEntry) -> str:
        return link_to("booking", entry.booking_id, entry.booking)

    @admin.display(description=gettext_lazy("what"))
    def text_shown(self, entry: BookingLogEntry) -> str:
        return entry.text

    @admin.display(description=gettext_lazy("code"))
    def code_shown(self, entry: BookingLogEntry) -> str:
        return entry.code

    @admin.display(description=gettext_lazy("candidate"))
    def candidate(self, entry: BookingLogEntry) -> str:
        return str(entry.session.user) if entry.session is not None else EMPTY

    @admin.display(description=gettext_lazy("comment"))
    def comment_shown(self, entry: BookingLogEntry) -> str:
        return short(entry.comment)
