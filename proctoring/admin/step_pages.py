"""Steps in the admin: the page that asks first, for one row or for several of the list, and what became of each.

What the steps are, and what is special to attempts or bookings, stands in the subclasses.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IS_POPUP_VAR
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext_lazy

from proctoring.admin.base import ProctoringAdmin, holds_anywhere
from proctoring.errors import ProctoringError

if TYPE_CHECKING:
    from django.db.models import Model, QuerySet, TextChoices
    from django.utils.functional import _StrPromise

    from proctoring.host import Role, User


class StepAdmin(ProctoringAdmin):
    """The part of an admin that does something: actions of the list, pages behind the buttons."""

    steps: ClassVar[Mapping[str, Any]]
    bulk: ClassVar[Collection[Any]]
    """The steps that the list offers for several rows at once."""
    roles_of: ClassVar[Mapping[Any, Collection[Role]]]
    """Actor → the host's roles that act in this capacity."""
    changed_meanwhile: ClassVar[_StrPromise]
    """Takes the label of the status that the row has now."""

    def capacities(self, user: User, course_id: str) -> set[Any]:
        raise NotImplementedError

    def status_of(self, row: Any) -> TextChoices:
        raise NotImplementedError

    def initial(self, step: Any, row: Any) -> dict[str, Any]:
        """What the form of a step begins with."""
        return {}

    def take(self, step: Any, row: Any, form: forms.Form, *, by: User) -> Any:
        """Call the step's service; returns the row as it is then. Raises ``ProctoringError``."""
        raise NotImplementedError

    def refuse(self, form: forms.Form, refused: ProctoringError) -> None:
        """Say in the form why nothing was done."""
        form.add_error(None, str(refused))

    def tell(self, request: HttpRequest, step: Any, before: Any, after: Any) -> None:
        """A step that the rules have led elsewhere is said to have ended there."""
        self.log_change(request, before, str(step.done))
        if step.leads_to in (None, after.status):
            name = self.row_name(self.shown_after(before, after))
            self.message_user(request, f"“{name}”: {step.done}", messages.SUCCESS)
        else:
            self.message_user(request, self.led_elsewhere(after), messages.WARNING)

    def shown_after(self, before: Any, after: Any) -> Any:
        """The row to which the step was done, as people see it: by it they go on."""
        return after

    def led_elsewhere(self, after: Any) -> str:
        raise NotImplementedError

    def do_on_each(self, request: HttpRequest, rows: Collection[Any], step: Any, form: forms.Form) -> Any:
        """Take the step with each of the rows; returns a response, or None for the list again."""
        raise NotImplementedError

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Those of the list that the person has the role for, in some course at least."""
        found = super().get_actions(request)
        if IS_POPUP_VAR in request.GET:
            return found
        return found | {step.name: _action(step) for step in self.bulk if self._may_anywhere(request.user, step)}

    def _may_anywhere(self, user: User, step: Any) -> bool:
        return holds_anywhere(user, *(role for actor in step.actors for role in self.roles_of[actor]))

    def step_on_each(self, request: HttpRequest, queryset: QuerySet[Any], step: Any) -> HttpResponse | None:
        """Ask first; the page's answer comes here again."""
        rows = self.chosen(request, queryset)
        if not rows:
            return None
        form = step.form(request.POST if "confirmed" in request.POST else None)
        if not form.is_valid():
            return self._ask(request, rows, step, form, hidden={"action": step.name, "confirmed": "yes"})
        answer: HttpResponse | None = self.do_on_each(request, rows, step, form)
        return answer

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.step_view)
        name = f"proctoring_{self.opts.model_name}_step"
        return [path("<int:pk>/do/<slug:name>/", view, name=name), *super().get_urls()]

    def step_view(self, request: HttpRequest, pk: int, name: str) -> HttpResponse:
        """The page behind a button, and what its form asks for."""
        row, step = self.get_object(request, str(pk)), self.steps.get(name)
        if row is None or step is None:
            raise Http404
        if not self.capacities(request.user, row.exam.course_id) & set(step.actors):
            raise PermissionDenied
        # An empty form is an answer too, where nothing is asked.
        form = step.form(request.POST if request.method == "POST" else None, initial=self.initial(step, row))
        after = self._take(request, row, step, form) if form.is_valid() else None
        if after is not None:
            return redirect(self._page_of(self.shown_after(row, after)))
        hidden = {"seen": request.POST.get("seen") or self.status_of(row)}
        return self._ask(request, [row], step, form, hidden=hidden, back_url=self._page_of(row))

    def _take(self, request: HttpRequest, row: Any, step: Any, form: forms.Form) -> Any | None:
        """The row afterwards; None: what was refused stands in the form, and nothing has changed."""
        status = self.status_of(row)
        if request.POST.get("seen", status) != status:
            form.add_error(None, self.changed_meanwhile % status.label)
            return None
        try:
            after = self.take(step, row, form, by=request.user)
        except ProctoringError as refused:
            self.refuse(form, refused)
            return None
        self.tell(request, step, row, after)
        return after

    def _page_of(self, row: Model) -> str:
        return reverse(f"admin:proctoring_{self.opts.model_name}_change", args=(row.pk,))

    def _ask(
        self,
        request: HttpRequest,
        rows: Collection[Any],
        step: Any,
        form: forms.Form,
        *,
        hidden: Mapping[str, object],
        back_url: str = "",
    ) -> HttpResponse:
        """``back_url``: the page whose button led here; empty: the list did."""
        context = {
            **self.admin_site.each_context(request),
            "title": step.title,
            "step": step,
            "rows": [(row.pk, self.row_name(row), self.status_of(row).label) for row in rows],
            "form": form,
            "hidden": hidden,
            "opts": self.opts,
            "of_page": bool(back_url),
            "back_url": back_url or reverse(f"admin:proctoring_{self.opts.model_name}_changelist"),
            "checkbox": ACTION_CHECKBOX_NAME,
        }
        return TemplateResponse(request, "admin/proctoring/step.html", context)


def _action(step: Any) -> tuple[Any, str, Any]:
    """As Django keeps an action of a list."""

    def act(model_admin: StepAdmin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
        return model_admin.step_on_each(request, queryset, step)

    return act, step.name, gettext_lazy("%s …") % step.title
