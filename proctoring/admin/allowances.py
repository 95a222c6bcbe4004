"""Allowances in the admin: granted, changed and withdrawn through the services; running attempts follow at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.allowance_upload import UploadAdmin
from proctoring.admin.base import (
    MAX_CHOICES,
    USERNAME,
    CourseAdmin,
    CourseFilter,
    ServiceAdmin,
    ServiceForm,
    courses_of,
    holds_anywhere,
)
from proctoring.admin.history import HistoryAdmin
from proctoring.admin.rendering import EMPTY, link_to, short
from proctoring.allowances.models import Allowance, AllowanceKind
from proctoring.allowances.terms import NEEDED, Grant, Terms
from proctoring.attempts.accommodations import change_allowance, grant_allowance, withdraw_allowance
from proctoring.attempts.granting import find_person
from proctoring.errors import InvalidInput, ProctoringError, RuleBroken
from proctoring.exams.models import Exam, ExamStatus
from proctoring.host import Role
from proctoring.logs.event_types import EVENT_TYPES
from proctoring.permissions import is_course_staff, staff_courses

if TYPE_CHECKING:
    from proctoring.host import User

WHERE = ("person", "course_id", "content")
IDENTITY = ("whom", "where", "course_id", "kind")
FACTS = ("by_whom", "created_at", "modified_at")
VALUES = ("minutes", "multiplier", "exemptions", "note")
_EMAIL = get_user_model().get_email_field_name()
NAMES = [name for name in (USERNAME, _EMAIL) if name in {field.name for field in get_user_model()._meta.get_fields()}]


def event_type_choices() -> list[tuple[int, str]]:
    return [(code, f"{code} {one.label}") for code, one in sorted(EVENT_TYPES.items())]


class SuggestingInput(AdminTextInputWidget):
    """A text field that offers ``suggestions`` (values with their labels) and takes anything else as well."""

    suggestions: ClassVar[Sequence[tuple[str, str]]] = ()

    def render(self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None) -> SafeString:
        field = super().render(name, value, {**(attrs or {}), "list": f"suggested-{name}"}, renderer)
        options = format_html_join("", '<option value="{}">{}</option>', self.suggestions)
        return format_html('{}<datalist id="suggested-{}">{}</datalist>', field, name, options)


class AllowanceForm(ServiceForm):
    """``terms`` is what shall hold; ``grant``, of a new one, with whom and where."""

    person = forms.CharField(
        label=gettext_lazy("Person"),
        max_length=255,
        widget=AdminTextInputWidget,
        help_text=gettext_lazy("User name or e-mail address"),
    )
    content = forms.CharField(
        label=gettext_lazy("Exam"),
        max_length=255,
        required=False,
        widget=SuggestingInput,
        help_text=gettext_lazy("The exam’s content. Empty: every exam of the course, now and later."),
    )
    exemptions = forms.TypedMultipleChoiceField(
        label=gettext_lazy("Exempt event types"),
        required=False,
        coerce=int,
        choices=event_type_choices,
        help_text=gettext_lazy("Events that are not held against the person."),
    )
    terms: Terms | None = None
    grant: Grant | None = None

    class Meta:
        model = Allowance
        fields = ("course_id", "kind", *VALUES)
        help_texts: ClassVar[dict[str, Any]] = {
            "note": gettext_lazy("Why. The vendor reads it only of an exception to the review policy."),
        }

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean()
        # The terms know better words than the database's constraints.
        self._validate_constraints = False
        self._read_terms(cleaned)
        if "person" in self.fields and not self.errors and self.terms is not None:
            self._read_grant(cleaned, self.terms)
        return cleaned

    def _read_terms(self, cleaned: dict[str, Any]) -> None:
        kind = cleaned.get("kind") or self.instance.kind
        if kind not in AllowanceKind.values or any(name in self.errors for name in VALUES):
            return
        given = {name: cleaned[name] for name in VALUES if name in cleaned}
        given["exemptions"] = tuple(given.get("exemptions", ()))
        try:
            self.terms = Terms(kind=AllowanceKind(kind), **given)
        except InvalidInput as wrong:
            for name, sentences in wrong.errors.items():
                self.add_error(name if name in self.fields else None, ValidationError(list(sentences)))

    def _read_grant(self, cleaned: dict[str, Any], terms: Terms) -> None:
        course_id, content = cleaned["course_id"], cleaned["content"]
        if not is_course_staff(self.request.user, course_id):
            self.add_error("course_id", ValidationError(_("You are not staff of this course."), "permission_denied"))
            return
        exam = Exam.objects.filter(course_id=course_id, content_id=content).first() if content else None
        if content and exam is None:
            self.add_error("content", ValidationError(_("There is no such exam."), "exam_not_found"))
        try:
            user = find_person(cleaned["person"])
        except RuleBroken as unknown:
            self.add_error("person", ValidationError(str(unknown), unknown.code))
        else:
            self.grant = Grant(user=user, course_id=course_id, exam=exam, terms=terms)


class StaffCourseFilter(CourseFilter):
    roles = (Role.STAFF,)


@admin.register(Allowance)
class AllowanceAdmin(UploadAdmin, CourseAdmin, ServiceAdmin, HistoryAdmin):
    roles = (Role.STAFF,)
    form = AllowanceForm
    list_display = ("user", "kind", "granted", "where", "course_id", "granted_by", "modified_at")
    list_filter = (StaffCourseFilter, "kind")
    list_select_related = ("user", "exam", "granted_by")
    search_fields = (*(f"^user__{name}" for name in NAMES), "^course_id")
    search_help_text = gettext_lazy("Beginning of the person’s user name or e-mail address, or of the course")
    actions = None
    history_fields = ("user", "course_id", "exam", "kind", *VALUES, "granted_by", "created_at", "modified_at")

    def rows_of(self, user: User) -> Q:
        return staff_courses(user, "course_id")

    def may_see(self, user: User, obj: Allowance) -> bool:
        return is_course_staff(user, obj.course_id)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return holds_anywhere(request.user, *self.roles)

    def has_change_permission(self, request: HttpRequest, obj: Allowance | None = None) -> bool:
        return self.has_view_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Allowance | None = None) -> bool:
        """One by one, through the service. The history keeps what was withdrawn."""
        return obj is not None and self.has_view_permission(request, obj)

    def get_fieldsets(self, request: HttpRequest, obj: Allowance | None = None) -> Any:
        if obj is None:
            return [(None, {"fields": WHERE}), (gettext_lazy("What is granted"), {"fields": ("kind", *VALUES)})]
        needed = NEEDED[obj.kind]
        values = (needed,) if needed == "note" else (needed, "note")
        given = [
            (None, {"fields": IDENTITY}),
            (gettext_lazy("What is granted"), {"fields": values}),
            (None, {"fields": FACTS}),
        ]
        return super().get_fieldsets(request, obj) if _is_history(request) else given

    def get_readonly_fields(self, request: HttpRequest, obj: Allowance | None = None) -> Any:
        if obj is None or _is_history(request):
            return super().get_readonly_fields(request, obj)
        return (*IDENTITY, *FACTS)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        if obj is not None:
            for name in (*WHERE, *(name for name in VALUES if name not in (NEEDED[obj.kind], "note"))):
                form.base_fields.pop(name, None)
            return form
        form.base_fields["content"].widget.suggestions = _exams_to_choose(request.user)
        if (courses := courses_of(request.user, Role.STAFF)) is not None:
            choices = [(course_id, course_id) for course_id in sorted(courses)]
            form.base_fields["course_id"] = forms.ChoiceField(label=_("Course"), choices=choices)
        return form

    def save_model(self, request: HttpRequest, obj: Allowance, form: Any, change: bool) -> None:
        if change:
            stored = Allowance.objects.get(pk=obj.pk)
            changes = {name: getattr(form.terms, name) for name in form.changed_data if name in VALUES}
            change_allowance(stored, changes, by=request.user)
        else:
            outcome = grant_allowance(form.grant, by=request.user)
            obj.pk = outcome.allowance.pk if outcome.allowance else None
            obj.was_there = outcome.result == "updated"  # type: ignore[attr-defined]  # for response_add
        obj.refresh_from_db()

    def response_add(self, request: HttpRequest, obj: Any, post_url_continue: str | None = None) -> HttpResponse:
        """One message, also where the person had such an allowance already."""
        if not obj.was_there:
            return super().response_add(request, obj, post_url_continue)
        self.message_user(request, _("The person had this allowance already."), messages.INFO)
        return self.response_change(request, obj)

    def delete_model(self, request: HttpRequest, obj: Allowance) -> None:
        withdraw_allowance(obj, by=request.user)

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, {"title": _("Withdraw"), **(extra_context or {})})
        except ProctoringError as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return redirect("admin:proctoring_allowance_changelist")

    @admin.display(description=gettext_lazy("granted"))
    def granted(self, allowance: Allowance) -> str:
        return short(allowance.value)

    @admin.display(description=gettext_lazy("person"))
    def whom(self, allowance: Allowance) -> str:
        return str(allowance.user)

    @admin.display(description=gettext_lazy("granted by"))
    def by_whom(self, allowance: Allowance) -> str:
        return str(allowance.granted_by or EMPTY)

    @admin.display(description=gettext_lazy("exam"))
    def where(self, allowance: Allowance) -> str:
        if allowance.exam is None:
            return _("every exam of the course")
        return link_to("exam", allowance.exam.pk, allowance.exam)


def _exams_to_choose(user: User) -> list[tuple[str, str]]:
    """The exams of the person's courses, the newest first, by what the form wants to be told."""
    exams = Exam.objects.filter(staff_courses(user, "course_id")).exclude(status=ExamStatus.ARCHIVED).order_by("-pk")
    found = exams.values_list("content_id", "name", "course_id")[:MAX_CHOICES]
    return [(content_id, f"{name} ({course_id})") for content_id, name, course_id in found]


def _is_history(request: HttpRequest) -> bool:
    match = request.resolver_match
    return match is not None and str(match.url_name).endswith("_simple_history")
