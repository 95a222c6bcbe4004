"""Steps in the admin: the page that asks why, for one attempt or for several of the list, and what became of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IS_POPUP_VAR
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.base import ProctoringAdmin, holds_anywhere
from proctoring.admin.reasons import Why
from proctoring.admin.stepping import Step, capacities
from proctoring.admin.steps import BULK, STEPS
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Actor
from proctoring.errors import ProctoringError
from proctoring.host import Role
from proctoring.invigilation.bulk import act_on_many
from proctoring.invigilation.choosing import choose_named

if TYPE_CHECKING:
    from proctoring.host import User

ROLES = {Actor.STAFF: Role.STAFF, Actor.PROCTOR: Role.INVIGILATOR, Actor.REVIEWER: Role.REVIEWER}


class InterventionAdmin(ProctoringAdmin):
    """The part of an attempt's admin that does something: actions of the list, pages behind the buttons."""

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Those of the list that the person has the role for, in some course at least."""
        found = super().get_actions(request)
        if IS_POPUP_VAR in request.GET:
            return found
        return found | {step.name: _action(step) for step in BULK if _may_anywhere(request.user, step)}

    @transaction.non_atomic_requests
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The actions of the list come here, and each attempt has a transaction of its own: a host's ATOMIC_REQUESTS
        would make one of all, with all their locks."""
        return super().changelist_view(request, extra_context)

    def step_on_each(self, request: HttpRequest, queryset: QuerySet[Attempt], step: Step) -> HttpResponse | None:
        """Ask why; the page's answer comes here again."""
        rows = self.chosen(request, queryset)
        if not rows:
            return None
        form = step.form(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return self._ask(request, rows, step, form)
        why, now = Why.said(form.cleaned_data), timezone.now()
        if step.action is not None:
            return self._do_together(request, rows, step, why)
        self.act_on_each(request, rows, lambda row: step.take(row, by=request.user, why=why, now=now), done=step.done)
        return None

    def _do_together(
        self, request: HttpRequest, rows: Collection[Attempt], step: Step, why: Why
    ) -> HttpResponse | None:
        """Under one record, whose page says what became of each and leads the way back."""
        try:
            choice = choose_named((row.pk for row in rows), by=request.user)
            bulk = act_on_many(choice, step.wish(why), by=request.user)
        except ProctoringError as refused:
            self.message_user(request, str(refused), messages.ERROR)
            return None
        return redirect("admin:proctoring_bulkaction_change", bulk.pk)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.step_view)
        return [path("<int:pk>/do/<slug:name>/", view, name="proctoring_attempt_step"), *super().get_urls()]

    def step_view(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        """The page behind a button: it asks why, and its form comes here again."""
        attempt, step = self.get_object(request, str(pk)), STEPS.get(name)
        if attempt is None or step is None:
            raise Http404
        if not capacities(request.user, attempt.exam.course_id) & set(step.actors):
            raise PermissionDenied
        form = step.form(request.POST or None)
        if request.method == "POST" and form.is_valid() and self._take(request, attempt, step, form):
            return redirect("admin:proctoring_attempt_change", attempt.pk)
        return self._ask(request, [attempt], step, form, of_page=True)

    def _take(self, request: HttpRequest, attempt: Attempt, step: Step, form: forms.Form) -> bool:
        """Whether it was done. What was refused stands in the form, and nothing has changed."""
        now = timezone.now()
        status = attempt.status_at(now)
        if request.POST.get("seen", status) != status:
            form.add_error(None, _("Meanwhile the attempt has become “%s”. Look at it again.") % status.label)
            return False
        try:
            after = step.take(attempt, by=request.user, why=Why.said(form.cleaned_data), now=now)
        except ProctoringError as refused:
            form.add_error(None, str(refused))
            return False
        self.log_change(request, attempt, str(step.done))
        if step.leads_to in (None, after.status):
            self.message_user(request, f"“{self.row_name(attempt)}”: {step.done}", messages.SUCCESS)
        else:
            label = after.get_status_display()
            self.message_user(request, _("The attempt is “%s” now, by the rules.") % label, messages.WARNING)
        return True

    def _ask(
        self, request: HttpRequest, rows: Collection[Attempt], step: Step, form: forms.Form, *, of_page: bool = False
    ) -> HttpResponse:
        now, first = timezone.now(), next(iter(rows))
        changelist = reverse("admin:proctoring_attempt_changelist")
        page = reverse("admin:proctoring_attempt_change", args=(first.pk,))
        hidden: Mapping[str, object] = (
            {"seen": request.POST.get("seen") or first.status_at(now)}
            if of_page
            else {"action": step.name, "confirmed": "yes"}
        )
        context = {
            **self.admin_site.each_context(request),
            "title": step.title,
            "step": step,
            "rows": [(row.pk, self.row_name(row), row.status_at(now).label) for row in rows],
            "form": form,
            "hidden": hidden,
            "opts": self.opts,
            "of_page": of_page,
            "back_url": page if of_page else changelist,
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/proctoring/step.html", context)


def _may_anywhere(user: User, step: Step) -> bool:
    return holds_anywhere(user, *(ROLES[actor] for actor in step.actors))


def _action(step: Step) -> tuple[Any, str, Any]:
    """As Django keeps an action of a list."""

    def act(model_admin: InterventionAdmin, request: HttpRequest, queryset: QuerySet[Attempt]) -> HttpResponse | None:
        return model_admin.step_on_each(request, queryset, step)

    return act, step.name, gettext_lazy("%s …") % step.title
