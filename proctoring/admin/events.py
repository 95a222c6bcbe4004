"""The log of events in the admin: of one exam or attempt at a time, the newest first, to be read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.formats import localize
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.base import CourseAdmin, is_own
from proctoring.admin.booking_log import DayFilter
from proctoring.admin.event_filters import (
    READERS,
    ActorFilter,
    AttemptFilter,
    CategoryFilter,
    LogCourseFilter,
    LogExamFilter,
    SeverityFilter,
    not_ones_own,
)
from proctoring.admin.event_rows import (
    ATTEMPT,
    category_in_words,
    question_of,
    reason_of,
    severity_in_words,
    who_acted,
)
from proctoring.admin.rendering import EMPTY, link_to, link_to_list, person, pretty, short, text_block, vendor_name
from proctoring.attempts.states import Status
from proctoring.logs.models import Event
from proctoring.permissions import is_course_staff, logged_courses, may_view_logs, may_watch

if TYPE_CHECKING:
    from proctoring.host import User

    Pages = Paginator[Any]
else:
    Pages = Paginator

REACHED = 10_000
"""Rows that the pages of a list reach. An exam has millions, and counting them all would read them all."""

SCOPES = (LogExamFilter.parameter_name, ATTEMPT)
FILTERS = (*SCOPES, *(one.parameter_name for one in (LogCourseFilter, SeverityFilter, CategoryFilter, ActorFilter)))
DAYS = ("at__gte", "at__lt")


class CappedPaginator(Pages):
    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        found: int = rows.order_by()[:REACHED].count()
        return found


@admin.register(Event)
class EventAdmin(CourseAdmin):
    roles = READERS
    paginator = CappedPaginator
    list_display = ("at", "of_attempt", "what", "severity_shown", "who", "reason_shown", "question", "ip")
    list_filter = (
        LogExamFilter,
        AttemptFilter,
        SeverityFilter,
        CategoryFilter,
        ActorFilter,
        ("at", DayFilter),
        LogCourseFilter,
    )
    list_select_related = ("attempt__user", "actor_user")
    list_display_links = ("at",)
    fieldsets = (
        (None, {"fields": ("of_exam", "attempt_page", "what", "description", "category", "severity_shown", "who")}),
        (
            gettext_lazy("More about it"),
            {
                "fields": (
                    "reason",
                    "minutes",
                    "question_number",
                    "item_id",
                    "said_error",
                    "status_then",
                    "vendors_data",
                )
            },
        ),
        (gettext_lazy("Times"), {"fields": ("at", "occurred_at", "received_at")}),
        (
            gettext_lazy("Where it comes from"),
            {"fields": ("type", "vendor", "ip", "user_agent", "stream", "sequence", "message_id")},
        ),
    )

    def rows_of(self, user: User) -> Q:
        return logged_courses(user, "exam__course_id") & not_ones_own(user, "attempt__user")

    def may_see(self, user: User, obj: Event) -> bool:
        own = obj.attempt is not None and is_own(user, obj.attempt)
        return may_view_logs(user, obj.exam.course_id) and not own

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """The filters and nothing else: whoever reads a log could ask it for people's names and codes, bit by bit."""
        return lookup in (*FILTERS, *DAYS)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """A list is about one exam or attempt: that of everybody would read every event there is."""
        if not any(request.GET.get(name) for name in SCOPES):
            self.message_user(request, _("Choose an exam to read its log, or come from an attempt."), messages.WARNING)
            return queryset.none(), False
        return super().get_search_results(request, queryset.defer("data", "user_agent"), search_term)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        found = super().get_changelist_instance(request)
        if found.result_count >= REACHED:
            said = _("Only the newest %s are listed: choose an attempt, a day or how grave it was.") % localize(REACHED)
            self.message_user(request, said, messages.INFO)
        return found

    @admin.display(description=gettext_lazy("attempt"))
    def of_attempt(self, event: Event) -> str:
        """To the list of this attempt alone: a reader of logs need not be somebody who sees its page."""
        if event.attempt is None:
            return EMPTY
        return link_to_list("event", {ATTEMPT: event.attempt_id}, _name(event))

    @admin.display(description=gettext_lazy("attempt"))
    def attempt_page(self, event: Any) -> str:
        if event.attempt is None:
            return EMPTY
        permitted = may_watch(event.viewer, event.exam.course_id)
        return link_to("attempt", event.attempt_id, _name(event), permitted=permitted)

    @admin.display(description=gettext_lazy("exam"))
    def of_exam(self, event: Any) -> str:
        permitted = is_course_staff(event.viewer, event.exam.course_id)
        return link_to("exam", event.exam_id, event.exam, permitted=permitted)

    @admin.display(description=gettext_lazy("what"))
    def what(self, event: Event) -> str:
        return str(event)

    @admin.display(description=gettext_lazy("that is"))
    def description(self, event: Event) -> str:
        return str(event.known.description) if event.known else _("The vendor’s number is not known here (yet).")

    @admin.display(description=gettext_lazy("category"))
    def category(self, event: Event) -> str:
        return category_in_words(event)

    @admin.display(description=gettext_lazy("severity"))
    def severity_shown(self, event: Event) -> str:
        return severity_in_words(event)

    @admin.display(description=gettext_lazy("actor"))
    def who(self, event: Event) -> str:
        return who_acted(event)

    @admin.display(description=gettext_lazy("reason"))
    def reason_shown(self, event: Event) -> str:
        return short(reason_of(event))

    @admin.display(description=gettext_lazy("reason"))
    def reason(self, event: Event) -> str:
        return reason_of(event)

    @admin.display(description=gettext_lazy("question"))
    def question(self, event: Event) -> str:
        return short(question_of(event))

    @admin.display(description=gettext_lazy("extra minutes"))
    def minutes(self, event: Event) -> str:
        return str(localize(event.extra_minutes)) if event.extra_minutes is not None else EMPTY

    @admin.display(description=gettext_lazy("error"))
    def said_error(self, event: Event) -> str:
        return text_block(event.error, label=_("Error")) if event.error else EMPTY

    @admin.display(description=gettext_lazy("attempt's status then"))
    def status_then(self, event: Event) -> str:
        return str(Status(event.status).label) if event.status in Status.values else event.status

    @admin.display(description=gettext_lazy("vendor"))
    def vendor(self, event: Event) -> str:
        return vendor_name(event.backend) if event.backend else EMPTY

    @admin.display(description=gettext_lazy("data"))
    def vendors_data(self, event: Event) -> str:
        return text_block(pretty(event.data), label=_("Data")) if event.data else EMPTY


def _name(event: Any) -> str:
    return f"{person(event.attempt)}, #{event.attempt.number}"
