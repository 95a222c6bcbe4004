"""Attempts in the admin: to be read. A new status, a resume and a reset are asked of the services."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.base import (
    USERNAME,
    BackendFilter,
    CourseAdmin,
    ServiceAdmin,
    ServiceForm,
    TabularInline,
)
from proctoring.admin.history import HistoryAdmin
from proctoring.admin.outbox import owed_to_vendor
from proctoring.admin.rendering import EMPTY, bullets, link_to
from proctoring.admin.retries import MAX_REASON, RetryAdmin
from proctoring.attempts.models import Attempt, AttemptQuerySet, TimeEntry
from proctoring.attempts.services import change_status
from proctoring.attempts.states import Actor, Status, status_choices
from proctoring.outbox.models import DeliveryTarget
from proctoring.permissions import is_course_staff, may_invigilate, may_review, may_watch, watched_courses
from proctoring.reviews.services import is_decision, record_decision

if TYPE_CHECKING:
    from proctoring.host import User

WRITTEN = ("status", "reason")
"""The only fields of the form; all others are read."""

SHOWN = 50
"""Reviews of one attempt that its page lists."""


def capacities(user: User, course_id: str) -> set[Actor]:
    """In which capacities a person acts on attempts of this course. A vendor's or the system's is never among them."""
    held = {
        Actor.STAFF: is_course_staff(user, course_id),
        Actor.REVIEWER: may_review(user, course_id),
        Actor.PROCTOR: may_invigilate(user, course_id),
    }
    return {actor for actor, holds in held.items() if holds}


class AttemptForm(ServiceForm):
    """``wanted`` is the new status, or None. The attempt itself is left as it was read."""

    status = forms.ChoiceField(
        label=gettext_lazy("Status"),
        choices=status_choices,
        show_hidden_initial=True,
        help_text=gettext_lazy("Another status is refused where the rules do not lead to it from the present one."),
    )
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=MAX_REASON,
        widget=AdminTextInputWidget,
        help_text=gettext_lazy("Needed for another status. It is kept in the history."),
    )
    wanted: Status | None = None

    class Meta:
        model = Attempt
        fields = ("status",)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        # Taken out, so that the model form does not write it into the instance.
        status, reason = cleaned.pop("status", None), cleaned.get("reason", "")
        if status is None:
            return cleaned
        seen = self.data.get(self.add_initial_prefix("status"), self.instance.status)
        if status == seen:
            if reason:
                self.add_error("reason", _("Choose another status: a reason alone is not kept."))
        elif seen != self.instance.status:
            now = self.instance.get_status_display()
            self.add_error("status", _("Meanwhile the attempt has become “%s”. Open this page again.") % now)
        elif not reason:
            self.add_error("reason", ValidationError(_("Say why."), code="required"))
        else:
            self.wanted = Status(status)
        return cleaned


class StatusFilter(admin.SimpleListFilter):
    """By the status that a reader sees: an overdue attempt has ended, whether or not a sweep has been here."""

    title = gettext_lazy("status")
    parameter_name = "status"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return status_choices()

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Attempt]:
        return queryset.in_status(self.value(), timezone.now()) if self.value() else queryset


class Ledger(TabularInline):
    """Appended by the services, never written here."""

    model = TimeEntry
    verbose_name_plural = gettext_lazy("ledger of time")
    fields = readonly_fields = ("kind", "seconds", "state", "at", "by", "note", "reason_code", "reverses")
    extra = max_num = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[TimeEntry]:
        rows: QuerySet[TimeEntry] = super().get_queryset(request)
        return rows.select_related("by", "reverses")

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return obj is None or may_watch(request.user, obj.exam.course_id)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Attempt)
class AttemptAdmin(RetryAdmin, CourseAdmin, ServiceAdmin, HistoryAdmin):
    form = AttemptForm
    inlines = (Ledger,)
    list_display = (
        "__str__",
        "user",
        "status_now",
        "backend",
        "expires_at",
        "ended_at",
    )
    list_filter = (StatusFilter, "exam__exam_type", "taking_as_proctored", BackendFilter, "retry_kind")
    list_select_related = ("exam", "user")
    search_fields = (f"^user__{USERNAME}", "^exam__course_id", "=external_id")
    search_help_text = gettext_lazy("Beginning of the candidate’s or the course’s name, or the vendor’s whole id")
    sortable_by = ("expires_at", "ended_at")
    concealed = ("code", "launch_data")
    fieldsets = (
        (None, {"fields": ("of_exam", "course", "user", "full_name", "number", "status_now", *WRITTEN)}),
        (
            gettext_lazy("Time"),
            {
                "fields": (
                    "started_at",
                    "total_seconds",
                    "expires_at",
                    "closes_at",
                    "paused_at",
                    "submitted_at",
                    "ended_at",
                    "acknowledged_at",
                )
            },
        ),
        (
            gettext_lazy("Vendor"),
            {"fields": ("backend", "external_id", "taking_as_proctored", "review_policy", "owed", "reviews")},
        ),
        (gettext_lazy("Attempts of this person"), {"fields": ("chain", "retry_kind", "retry_by", "retry_granted_at")}),
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

    def has_change_permission(self, request: HttpRequest, obj: Attempt | None = None) -> bool:
        """Everybody with a role may ask for another status; the transition table knows their capacities."""
        return self.has_view_permission(request, obj)

    def get_queryset(self, request: HttpRequest) -> AttemptQuerySet:
        rows: Any = super().get_queryset(request)
        return rows.for_reading()

    def get_readonly_fields(self, request: HttpRequest, obj: Attempt | None = None) -> Any:
        if shown := super().get_readonly_fields(request, obj):
            return shown
        return [name for _title, part in self.fieldsets for name in part["fields"] if name not in WRITTEN]

    def save_model(self, request: HttpRequest, obj: Attempt, form: Any, change: bool) -> None:
        if form.wanted is None:
            return
        actors = capacities(request.user, obj.exam.course_id)
        decide = record_decision if is_decision(obj, form.wanted) else change_status
        after = decide(obj, form.wanted, by=request.user, actors=actors, reason=form.cleaned_data["reason"])
        if after.status != form.wanted:
            label = after.get_status_display()
            self.message_user(request, _("The attempt is “%s” now, by the rules.") % label, messages.WARNING)

    def row_name(self, row: Any) -> str:
        return f"{row.user}, {row}"

    @admin.display(description=gettext_lazy("exam"))
    def of_exam(self, attempt: Any) -> str:
        permitted = is_course_staff(attempt.viewer, attempt.exam.course_id)
        return link_to("exam", attempt.exam_id, attempt.exam, permitted=permitted)

    @admin.display(description=gettext_lazy("course"))
    def course(self, attempt: Attempt) -> str:
        return attempt.exam.course_id

    @admin.display(description=gettext_lazy("status now"))
    def status_now(self, attempt: Attempt) -> str:
        return str(attempt.status_at(timezone.now()).label)

    @admin.display(description=gettext_lazy("retry granted by"))
    def retry_by(self, attempt: Attempt) -> str:
        return str(attempt.retry_granted_by or EMPTY)

    @admin.display(description=gettext_lazy("calls to the vendor"))
    def owed(self, attempt: Any) -> str:
        return owed_to_vendor(DeliveryTarget.ATTEMPT, attempt.pk, viewer=attempt.viewer)

    @admin.display(description=gettext_lazy("reviews"))
    def reviews(self, attempt: Attempt) -> str:
        lines = []
        for row in attempt.reviews.defer("payload")[:SHOWN]:
            outcome = _("applied") if row.applied_at else row.not_applied_reason
            lines.append(link_to("review", row.pk, f"{row.get_status_display()}: {outcome or EMPTY}"))
        return bullets(lines)

    @admin.display(description=gettext_lazy("attempts"))
    def chain(self, attempt: Attempt) -> str:
        """All attempts of this person at this exam, and which one went on with which one's time."""
        rows = Attempt.objects.filter(exam=attempt.exam_id, user=attempt.user_id).order_by("number")
        now, numbers, lines = timezone.now(), {}, []
        for row in rows.defer("launch_data"):
            numbers[row.pk] = row.number
            label = f"#{row.number}: {row.status_at(now).label}"
            if row.resumed_from_id in numbers:
                label = _("%(label)s, continues #%(number)d") % {"label": label, "number": numbers[row.resumed_from_id]}
            lines.append(link_to("attempt", row.pk, label, permitted=row.pk != attempt.pk))
        return bullets(lines)
