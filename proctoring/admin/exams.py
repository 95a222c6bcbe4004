"""Exams in the admin: added and changed through the services, archived, never deleted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NoReturn

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminSplitDateTime, AdminTextareaWidget
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.base import BackendFilter, CourseAdmin, CourseFilter, ServiceAdmin, ServiceForm, holds_anywhere
from proctoring.admin.history import HistoryAdmin
from proctoring.admin.outbox import owed_to_vendor
from proctoring.admin.rendering import EMPTY, link_to_list, vendor_name
from proctoring.admin.reports import ReportAdmin
from proctoring.attempts.schedule import change_exam
from proctoring.backends import backends
from proctoring.exams.models import Exam
from proctoring.exams.services import EDITABLE, create_exam
from proctoring.host import Role
from proctoring.outbox.models import DeliveryTarget
from proctoring.permissions import is_course_staff, staff_courses

if TYPE_CHECKING:
    from proctoring.host import User

IDENTITY = ("course_id", "content_id")


class RulesField(forms.CharField):
    """A JSON object as text."""

    widget = AdminTextareaWidget

    def to_python(self, value: Any) -> Any:
        if value in self.empty_values:
            return {}
        try:
            return json.loads(value, parse_constant=_refuse_constant)
        except (ValueError, RecursionError) as wrong:
            raise ValidationError(_("Must be valid JSON."), code="invalid") from wrong

    def prepare_value(self, value: Any) -> Any:
        return value if isinstance(value, str) else json.dumps(value or {}, indent=2, ensure_ascii=False)

    def has_changed(self, initial: Any, data: Any) -> bool:
        try:
            return bool(self.to_python(data) != (initial or {}))
        except ValidationError:
            return True


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


class ExamForm(ServiceForm):
    rules = RulesField(label=gettext_lazy("Vendor's rules"), required=False, help_text=gettext_lazy("A JSON object."))

    class Meta:
        model = Exam
        fields = (*IDENTITY, *EDITABLE)
        help_texts = {
            "time_limit_minutes": gettext_lazy("A change is for attempts to come."),
            "due_at": gettext_lazy("A change moves the deadlines of open attempts."),
            "status": gettext_lazy("An exam is archived, never deleted."),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("opens_at", "due_at"):
            self._label_both_inputs(name)
        if "backend" in self.fields:
            given = self.fields["backend"]
            known = [*backends, self.instance.backend] if self.instance.backend not in backends else [*backends]
            default = _("The default vendor (%s)") % vendor_name(backends.default())
            self.fields["backend"] = forms.ChoiceField(
                label=given.label,
                required=False,
                choices=[("", default), *((alias, vendor_name(alias)) for alias in known if alias)],
            )

    def _label_both_inputs(self, name: str) -> None:
        """The admin's widget writes "Date" and "Time" beside its inputs, but not as their labels."""
        field = self.fields.get(name)
        if field is not None and isinstance(field.widget, AdminSplitDateTime):
            for part, word in zip(field.widget.widgets, (_("date"), _("time")), strict=True):
                part.attrs["aria-label"] = f"{field.label}, {word}"

    def clean_course_id(self) -> str:
        """Whoever is staff of one course adds exams to that one."""
        course_id: str = self.cleaned_data["course_id"]
        if not is_course_staff(self.request.user, course_id):
            raise ValidationError(_("You are not staff of this course."), code="permission_denied")
        return course_id


class StaffCourseFilter(CourseFilter):
    roles = (Role.STAFF,)


@admin.register(Exam)
class ExamAdmin(ReportAdmin, CourseAdmin, ServiceAdmin, HistoryAdmin):
    roles = (Role.STAFF,)
    form = ExamForm
    list_display = (
        "name",
        "course_id",
        "content_id",
        "exam_type",
        "status",
        "vendor",
        "due_at",
        "attempts",
    )
    list_filter = (StaffCourseFilter, "status", "exam_type", BackendFilter)
    search_fields = ("^course_id", "^content_id", "^name")
    search_help_text = gettext_lazy("Beginning of the course, of the content or of the name")
    sortable_by = ("name", "course_id", "due_at")
    fieldsets = (
        (None, {"fields": ("course_id", "content_id", "name", "exam_type", "status")}),
        (
            gettext_lazy("Time"),
            {"fields": ("time_limit_minutes", "opens_at", "due_at", "accommodations_past_due")},
        ),
        (gettext_lazy("After the due date"), {"fields": ("hide_after_due", "viewable_past_due")}),
        (
            gettext_lazy("Proctoring"),
            {"fields": ("backend", "rules", "review_policy", "allow_opt_out", "external_id", "owed")},
        ),
        (gettext_lazy("Connection"), {"fields": ("heartbeat_seconds", "outage_policy", "outage_cap_minutes")}),
        (None, {"fields": ("created_at", "modified_at", "attempts")}),
    )
    readonly_fields = ("external_id", "owed", "created_at", "modified_at", "attempts")
    history_fields = (*IDENTITY, *EDITABLE, "external_ids", "created_at", "modified_at")

    def rows_of(self, user: User) -> Q:
        return staff_courses(user, "course_id")

    def may_see(self, user: User, obj: Exam) -> bool:
        return is_course_staff(user, obj.course_id)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return holds_anywhere(request.user, *self.roles)

    def has_change_permission(self, request: HttpRequest, obj: Exam | None = None) -> bool:
        return self.has_view_permission(request, obj)

    def get_fieldsets(self, request: HttpRequest, obj: Exam | None = None) -> Any:
        given = super().get_fieldsets(request, obj)
        if obj is not None:
            return given
        shown = [
            (title, [name for name in part["fields"] if name not in self.readonly_fields]) for title, part in given
        ]
        return [(title, {"fields": names}) for title, names in shown if names]

    def get_readonly_fields(self, request: HttpRequest, obj: Exam | None = None) -> Any:
        given = super().get_readonly_fields(request, obj)
        return given if obj is None else (*IDENTITY, *given)

    def save_model(self, request: HttpRequest, obj: Exam, form: Any, change: bool) -> None:
        names = EDITABLE if change else (*IDENTITY, *EDITABLE)
        fields = {name: form.cleaned_data[name] for name in names if name in form.cleaned_data}
        if change:
            # The form has written into obj already, and what nobody touched here may have changed elsewhere.
            stored = Exam.objects.get(pk=obj.pk)
            change_exam(stored, {name: fields[name] for name in form.changed_data if name in fields}, by=request.user)
        else:
            obj.pk = create_exam(fields, by=request.user).pk
        obj.refresh_from_db()

    @admin.display(description=gettext_lazy("backend"))
    def vendor(self, exam: Exam) -> str:
        return vendor_name(exam.backend_alias)

    @admin.display(description=gettext_lazy("attempts"))
    def attempts(self, exam: Exam) -> str:
        return link_to_list("attempt", {"exam__id__exact": exam.pk}, _("Show attempts")) if exam.pk else EMPTY

    @admin.display(description=gettext_lazy("owed to the vendor"))
    def owed(self, exam: Any) -> str:
        return owed_to_vendor(DeliveryTarget.EXAM, exam.pk, viewer=exam.viewer)
