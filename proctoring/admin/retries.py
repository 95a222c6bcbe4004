"""Second chances in the admin: a resume or a reset, of one attempt or of several, each with its reason."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.base import ProctoringAdmin, holds_anywhere
from proctoring.attempts.lifecycle import REASON_LENGTH
from proctoring.attempts.models import Attempt, RetryKind
from proctoring.attempts.retries import authorize_resume, can_be_resumed, reset_attempt
from proctoring.attempts.states import Status
from proctoring.errors import NotPermitted
from proctoring.host import Role
from proctoring.permissions import is_course_staff

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

MAX_REASON = REASON_LENGTH - 20
"""The history keeps ``REASON_LENGTH`` characters, and a service may put a word before them."""


class ReasonForm(forms.Form):
    required_css_class = "required"
    reason = forms.CharField(label=gettext_lazy("Reason"), max_length=MAX_REASON, widget=AdminTextInputWidget)


@dataclass(frozen=True, kw_only=True, slots=True)
class Retry:
    """A second chance that staff give, with a reason."""

    action: str
    title: _StrPromise
    explanation: _StrPromise
    act: Callable[..., Attempt]
    done: _StrPromise


RESUME = Retry(
    action="authorize_resume",
    title=gettext_lazy("Authorise a resume"),
    explanation=gettext_lazy("The candidate’s next attempt goes on with exactly the time that was left."),
    act=authorize_resume,
    done=gettext_lazy("a resume is authorised."),
)
RESET = Retry(
    action="reset_attempt",
    title=gettext_lazy("Reset"),
    explanation=gettext_lazy(
        "The attempt is voided, the vendor is told to drop it, and the candidate may begin again with the full time. "
        "Of a practice or onboarding exam the next attempt is made at once."
    ),
    act=reset_attempt,
    done=gettext_lazy("reset, a fresh attempt is granted."),
)
RETRIES = {retry.action: retry for retry in (RESUME, RESET)}


class RetryAdmin(ProctoringAdmin):
    """The part of an attempt's admin that gives second chances: actions of the list, buttons of the page."""

    actions = tuple(RETRIES)

    def has_retry_permission(self, request: HttpRequest) -> bool:
        return holds_anywhere(request.user, Role.STAFF)

    @admin.action(description=gettext_lazy("Authorise a resume …"), permissions=["retry"])
    def authorize_resume(self, request: HttpRequest, queryset: QuerySet[Attempt]) -> HttpResponse | None:
        return self._retry(request, queryset, RESUME)

    @admin.action(description=gettext_lazy("Reset …"), permissions=["retry"])
    def reset_attempt(self, request: HttpRequest, queryset: QuerySet[Attempt]) -> HttpResponse | None:
        return self._retry(request, queryset, RESET)

    def _retry(self, request: HttpRequest, queryset: QuerySet[Attempt], retry: Retry) -> HttpResponse | None:
        """Ask for the reason; the page's answer comes here again."""
        rows = self.chosen(request, queryset)
        if not rows:
            return None
        form = ReasonForm(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return self._ask_reason(request, rows, retry, form)

        def act(row: Attempt) -> None:
            if not is_course_staff(request.user, row.exam.course_id):
                raise NotPermitted(_("You are not staff of this course."))
            retry.act(row, by=request.user, reason=form.cleaned_data["reason"])

        self.act_on_each(request, rows, act, done=retry.done)
        if "from_page" in request.POST and len(rows) == 1:
            return redirect("admin:proctoring_attempt_change", rows[0].pk)
        return None

    def _ask_reason(
        self,
        request: HttpRequest,
        rows: Collection[Attempt],
        retry: Retry,
        form: ReasonForm,
        *,
        from_page: bool = False,
    ) -> HttpResponse:
        from_page = from_page or "from_page" in request.POST
        changelist = reverse("admin:proctoring_attempt_changelist")
        page = reverse("admin:proctoring_attempt_change", args=(next(iter(rows)).pk,))
        context = {
            **self.admin_site.each_context(request),
            "title": retry.title,
            "retry": retry,
            "rows": [(row.pk, self.row_name(row), row.get_status_display()) for row in rows],
            "form": form,
            "opts": self.opts,
            "media": self.media,
            "from_page": from_page,
            "action_url": changelist if from_page else "",
            "back_url": page if from_page else changelist,
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/proctoring/reason.html", context)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.retry_view)
        return [path("<int:pk>/retry/<str:action>/", view, name="proctoring_attempt_retry"), *super().get_urls()]

    def retry_view(self, request: HttpRequest, pk: int, action: str) -> HttpResponse:
        """The page that asks for the reason, for one attempt. Nothing happens here: its form goes to the action."""
        attempt = self.get_object(request, str(pk))
        if attempt is None or action not in RETRIES:
            raise Http404
        if not is_course_staff(request.user, attempt.exam.course_id):
            raise PermissionDenied
        return self._ask_reason(request, [attempt], RETRIES[action], ReasonForm(), from_page=True)

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: Any = None,
    ) -> HttpResponse:
        """With the second chances that this person may give this attempt."""
        if obj is not None and is_course_staff(request.user, obj.exam.course_id):
            possible = {
                RESUME: can_be_resumed(obj, now=timezone.now()),
                RESET: not obj.has_successor
                and not (obj.status == Status.VOIDED and obj.retry_kind == RetryKind.FRESH),
            }
            context["retries"] = [retry for retry, can in possible.items() if can]
        return super().render_change_form(request, context, add, change, form_url, obj)
