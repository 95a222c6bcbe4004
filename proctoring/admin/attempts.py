"""Attempts in the admin: lists, and the page with everything about one. Nothing is edited: steps ask the services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.db.models import OuterRef, Q, Subquery
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.attempt_page import overdue_note, summary, tables
from proctoring.admin.base import USERNAME, BackendFilter, CourseAdmin, ExamFilter, is_own
from proctoring.admin.evidence import EvidenceAdmin, evidence_page
from proctoring.admin.history import HistoryAdmin
from proctoring.admin.interventions import InterventionAdmin
from proctoring.admin.presence_rows import ConnectionFilter, connection_in_words
from proctoring.admin.rendering import EMPTY, link_to, moment, person, vendor_name, zone_in_words
from proctoring.admin.situations import AttemptCourseFilter, SituationFilter, StatusFilter
from proctoring.admin.steps import steps_for
from proctoring.admin.words import actor_in_words
from proctoring.attempts.models import Attempt, AttemptQuerySet, RetryKind
from proctoring.permissions import is_course_staff, may_watch, watched_courses
from proctoring.reviews.models import Review, ReviewStatus

if TYPE_CHECKING:
    from proctoring.host import User


@admin.register(Attempt)
class AttemptAdmin(InterventionAdmin, EvidenceAdmin, CourseAdmin, HistoryAdmin):
    change_form_template = "admin/proctoring/attempt/change_form.html"
    list_display = (
        *("candidate", "status_now", "connection", "verdict", "deadline_now", "exam_and_number", "retries", "vendor"),
    )
    list_filter = (
        SituationFilter,
        StatusFilter,
        ConnectionFilter,
        AttemptCourseFilter,
        ExamFilter,
        "exam__exam_type",
        BackendFilter,
        "taking_as_proctored",
    )
    list_select_related = ("exam", "user", "presence")
    search_fields = (f"^user__{USERNAME}", "^exam__course_id", "=external_id")
    search_help_text = gettext_lazy("Beginning of the candidate’s or the course’s name, or the vendor’s whole id")
    sortable_by = ("deadline_now",)
    concealed = ("code", "launch_data")
    fieldsets = (
        (
            gettext_lazy("Attempt"),
            {"fields": ("of_exam", "course", "exam_type", "candidate", "number", "taking_as_proctored")},
        ),
        (
            gettext_lazy("Times"),
            {
                "fields": (
                    "created_at",
                    "started_at",
                    "paused_at",
                    "submitted_at",
                    "ended_at",
                    "closes_at",
                    "personal_due_at",
                    "acknowledged_at",
                )
            },
        ),
        (gettext_lazy("Vendor"), {"fields": ("vendor", "external_id", "review_policy")}),
    )
    history_fields = (
        "user",
        "number",
        "status",
        "backend",
        "external_id",
        "taking_as_proctored",
        "started_at",
        "total_seconds",
        "expires_at",
        "closes_at",
        "paused_at",
        "submitted_at",
        "ended_at",
        "retry_kind",
        "retry_granted_by",
        "retry_granted_at",
    )
    not_in_history = concealed

    def rows_of(self, user: User) -> Q:
        return watched_courses(user, "exam__course_id")

    def may_see(self, user: User, obj: Attempt) -> bool:
        return may_watch(user, obj.exam.course_id)

    def may_look_back(self, request: HttpRequest, obj: Attempt) -> bool:
        """The reasons of verdicts are in the history: not of one's own attempt."""
        return not is_own(request.user, obj)

    def who_did(self, version: Any, before: Any) -> str:
        return actor_in_words(version, before)

    def get_queryset(self, request: HttpRequest) -> AttemptQuerySet:
        """With the newest verdict that counts."""
        applied = Review.objects.filter(attempt=OuterRef("pk"), applied_at__isnull=False)
        newest = applied.order_by("-applied_at", "-pk").values("status")[:1]
        rows: Any = super().get_queryset(request)
        found: AttemptQuerySet = rows.for_reading().select_related("presence").annotate(newest_verdict=Subquery(newest))
        return found

    def get_readonly_fields(self, request: HttpRequest, obj: Attempt | None = None) -> Any:
        if shown := super().get_readonly_fields(request, obj):
            return shown
        return [name for _title, part in self.fieldsets for name in part["fields"]]

    def get_fieldsets(self, request: HttpRequest, obj: Attempt | None = None) -> Any:
        """Without what is empty: a label with nothing after it helps nobody."""
        given = super().get_fieldsets(request, obj)
        if obj is None or given is not self.fieldsets:
            return given
        kept = [(title, [name for name in part["fields"] if _has_value(obj, name)]) for title, part in given]
        return [(title, {"fields": names}) for title, names in kept if names]

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Attempt | None = None,
    ) -> HttpResponse:
        """With all that is known about the attempt, and the steps that this person may take now."""
        if obj is not None:
            now = timezone.now()
            context |= {
                "title": self.row_name(obj),
                "subtitle": None,
                "summary": summary(obj, now),
                "overdue_note": overdue_note(obj, now),
                "timezone_note": zone_in_words(),
                "evidence_page": evidence_page(obj, request.user),
                "steps": steps_for(obj, request.user, now),
                "tables": tables(obj, request.user, now),
            }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def row_name(self, row: Any) -> str:
        return f"{row.user}, {row}"

    @admin.display(description=gettext_lazy("candidate"))
    def candidate(self, attempt: Attempt) -> str:
        return person(attempt)

    @admin.display(description=gettext_lazy("exam"))
    def of_exam(self, attempt: Any) -> str:
        permitted = is_course_staff(attempt.viewer, attempt.exam.course_id)
        return link_to("exam", attempt.exam_id, attempt.exam, permitted=permitted)

    @admin.display(description=gettext_lazy("exam"))
    def exam_and_number(self, attempt: Attempt) -> str:
        return str(attempt)

    @admin.display(description=gettext_lazy("course"))
    def course(self, attempt: Attempt) -> str:
        return attempt.exam.course_id

    @admin.display(description=gettext_lazy("type"))
    def exam_type(self, attempt: Attempt) -> str:
        return attempt.exam.get_exam_type_display()

    @admin.display(description=gettext_lazy("vendor"))
    def vendor(self, attempt: Attempt) -> str:
        return vendor_name(attempt.backend)

    @admin.display(description=gettext_lazy("status now"))
    def status_now(self, attempt: Attempt) -> str:
        return str(attempt.status_at(timezone.now()).label)

    @admin.display(description=gettext_lazy("connection"))
    def connection(self, attempt: Attempt) -> str:
        return connection_in_words(attempt, timezone.now())

    @admin.display(description=gettext_lazy("deadline"), ordering="expires_at")
    def deadline_now(self, attempt: Attempt) -> str:
        return moment(attempt.deadline if attempt.traits.open else None)

    @admin.display(description=gettext_lazy("verdict"))
    def verdict(self, attempt: Any) -> str:
        status = attempt.newest_verdict
        return str(ReviewStatus(status).label) if status in ReviewStatus.values else EMPTY

    @admin.display(description=gettext_lazy("retries"))
    def retries(self, attempt: Any) -> str:
        parts = [_("goes on with an earlier one")] if attempt.resumed_from_id else []
        if attempt.retry_kind:
            granted = _("resume granted") if attempt.retry_kind == RetryKind.RESUME else _("fresh attempt granted")
            parts.append(_("%s and used") % granted if attempt.has_successor else granted)
        return ", ".join(parts)


def _has_value(attempt: Attempt, name: Any) -> bool:
    return getattr(attempt, name, True) not in (None, "")
