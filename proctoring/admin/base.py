"""What our admins share: who may open them, nothing is deleted, and a service's refusal is shown, not raised."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy, ngettext

from proctoring.admin.rendering import vendor_name
from proctoring.backends import backends
from proctoring.errors import InvalidInput, ProctoringError
from proctoring.exams.models import Exam
from proctoring.host import COURSE_ROLES, Role, host
from proctoring.permissions import watched_courses

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser
    from django.utils.functional import _StrOrPromise

    from proctoring.attempts.models import Attempt
    from proctoring.host import User

    ModelAdmin = admin.ModelAdmin[Any]
    ModelForm = forms.ModelForm[Any]
    TabularInline = admin.TabularInline[Any, Any]
else:
    ModelAdmin, ModelForm, TabularInline = admin.ModelAdmin, forms.ModelForm, admin.TabularInline

USERNAME = get_user_model().USERNAME_FIELD

AT_ONCE = 100
"""So many rows an action takes: each is a transaction and a message of its own."""

MAX_CHOICES = 100
"""So many courses or exams a filter offers. Others are found by the search, or by a link from their own page."""


EXAM_ID = re.compile(r"[0-9]{1,18}", re.ASCII)
"""What no database finds too long."""


def holds_anywhere(user: User | AnonymousUser, *roles: Role) -> bool:
    """Whether the host gives the person one of these roles in any course at all."""
    given = (host().courses_with_role(user, role) for role in roles)
    return any(courses is None or len(courses) > 0 for courses in given)


def is_own(user: User | AnonymousUser, attempt: Attempt) -> bool:
    """Whether it is the person's own attempt, of which they see no more here than a candidate does. Superusers answer
    for the whole LMS, themselves included."""
    return attempt.user_id == user.pk and not getattr(user, "is_superuser", False)


def courses_of(user: User | AnonymousUser, *roles: Role) -> frozenset[str] | None:
    """The courses in which the host gives the person one of these roles; None means all of them."""
    given = [host().courses_with_role(user, role) for role in roles]
    named = [courses for courses in given if courses is not None]
    return frozenset().union(*named) if len(named) == len(given) else None


def named_courses(courses: Collection[str] | None) -> list[str]:
    """These courses to choose from, in order. Of all courses the first that have exams, which costs a statement."""
    if courses is not None:
        return sorted(courses)
    found = Exam.objects.order_by("course_id").values_list("course_id", flat=True).distinct()
    return list(found[:MAX_CHOICES])


class CourseFilter(admin.SimpleListFilter):
    """By the courses of the person who looks; no other course is named. Subclasses say where a row keeps its course."""

    title = gettext_lazy("course")
    parameter_name = "course"
    path: ClassVar[str] = "course_id"
    roles: ClassVar[tuple[Role, ...]] = COURSE_ROLES

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        courses = named_courses(courses_of(request.user, *self.roles))
        return [(course_id, course_id) for course_id in courses[:MAX_CHOICES]]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(**{self.path: self.value()}) if self.value() else queryset


class ExamFilter(admin.SimpleListFilter):
    """By the exams of the courses of the person who looks, or of the course that is chosen beside it."""

    title = gettext_lazy("exam")
    parameter_name = "exam__id__exact"
    path: ClassVar[str] = "exam"

    def exams(self, user: User | AnonymousUser) -> QuerySet[Exam]:
        return Exam.objects.filter(watched_courses(user, "course_id"))

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        exams = self.exams(request.user)
        if course_id := request.GET.get(CourseFilter.parameter_name):
            exams = exams.filter(course_id=course_id)
        found = exams.values_list("pk", "name", "course_id")[:MAX_CHOICES]
        several = len({course_id for _pk, _name, course_id in found}) > 1
        return [(str(pk), f"{name} ({course_id})" if several else name) for pk, name, course_id in found]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value()
        if not value:
            return queryset
        if not EXAM_ID.fullmatch(value):
            raise IncorrectLookupParameters(value)
        return queryset.filter(**{self.path: int(value)})


class BackendFilter(admin.SimpleListFilter):
    """By the configured vendors; asking the table for the distinct ones would read all of it."""

    title = gettext_lazy("backend")
    parameter_name = "backend"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(alias, vendor_name(alias)) for alias in backends]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(backend=self.value()) if self.value() else queryset


class ProctoringAdmin(ModelAdmin):
    """Rows are looked at. Nothing is added, changed or deleted unless a subclass says so."""

    empty_value_display = ""
    list_per_page = 50
    list_max_show_all = 100
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by: ClassVar[Any] = ()
    concealed: ClassVar[Collection[str]] = ()
    """Fields that nobody may read here, hence not filter by either: a filter answers guesses."""

    class Media:
        css: ClassVar[dict[str, Sequence[str]]] = {"all": ("proctoring/admin.css",)}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        return lookup.split("__", maxsplit=1)[0] not in self.concealed and super().lookup_allowed(
            lookup, value, request
        )

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """A null byte is no value that anything has, and PostgreSQL raises at the sight of it."""
        if any("\x00" in value for values in request.GET.lists() for value in values[1]):
            raise IncorrectLookupParameters
        return super().get_changelist_instance(request)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """The same for the choices that Django's autocompletion offers."""
        if "\x00" in search_term:
            return queryset.none(), False
        return super().get_search_results(request, queryset, search_term)

    def chosen(self, request: HttpRequest, queryset: QuerySet[Any]) -> list[Any]:
        """The rows that an action is about; none, and a message, where there are too many to do at once."""
        rows = list(queryset[: AT_ONCE + 1])
        if len(rows) <= AT_ONCE:
            return rows
        self.message_user(
            request,
            ngettext("Choose at most %d row at once.", "Choose at most %d rows at once.", AT_ONCE) % AT_ONCE,
            messages.ERROR,
        )
        return []

    def act_on_each(
        self, request: HttpRequest, rows: Collection[Any], act: Callable[[Any], object], *, done: _StrOrPromise
    ) -> None:
        """Do it to each row in a transaction of its own, and say of each what became of it."""
        for row in rows:
            name = self.row_name(row)
            try:
                act(row)
            except ProctoringError as refused:
                self.message_user(request, f"“{name}”: {refused}", messages.ERROR)
            else:
                self.log_change(request, row, str(done))
                self.message_user(request, f"“{name}”: {done}", messages.SUCCESS)

    def row_name(self, row: Model) -> str:
        return str(row)


class CourseAdmin(ProctoringAdmin):
    """Rows belong to courses; the host alone says who may see those of which course. Django's own model
    permissions count for nothing here, so that roles are mapped in one place."""

    roles: ClassVar[tuple[Role, ...]] = COURSE_ROLES

    def rows_of(self, user: User) -> Q:
        raise NotImplementedError

    def may_see(self, user: User, obj: Any) -> bool:
        """By the object's own course."""
        raise NotImplementedError

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).filter(self.rows_of(request.user))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """With ``viewer``: columns that show links need to know for whom."""
        obj = super().get_object(request, object_id, from_field)
        if obj is not None:
            obj.viewer = request.user
        return obj

    def has_module_permission(self, request: HttpRequest) -> bool:
        return holds_anywhere(request.user, *self.roles)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        if obj is None:
            return holds_anywhere(request.user, *self.roles)
        return self.may_see(request.user, obj)


class ServiceForm(ModelForm):
    """A form whose outcome a service decides: what that refused is one of its errors."""

    request: ClassVar[HttpRequest]
    refusal: ClassVar[ProctoringError | None] = None

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if isinstance(self.refusal, InvalidInput) and self.refusal.errors:
            for name, sentences in self.refusal.errors.items():
                self.add_error(name if name in self.fields else None, ValidationError(list(sentences)))
        elif self.refusal is not None:
            self.add_error(None, str(self.refusal))
        return cleaned


class ServiceAdmin(ProctoringAdmin):
    """``save_model`` calls a service instead of saving. What the service refuses undoes the request's transaction,
    and the form is shown again with the refusal."""

    form = ServiceForm

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except ProctoringError as refused:
            request.META["proctoring.refusal"] = refused
            return super().changeform_view(request, object_id, form_url, extra_context)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        form = super().get_form(request, obj, change, **kwargs)
        refusal = request.META.get("proctoring.refusal")
        return type(form.__name__, (form,), {"request": request, "refusal": refusal})
