"""Steps of attempts in the admin: each asks why, and several attempts are done to under one record."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.reasons import Why
from proctoring.admin.step_pages import StepAdmin
from proctoring.admin.stepping import Step, capacities
from proctoring.admin.steps import BULK, STEPS
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Actor, Status
from proctoring.errors import ProctoringError
from proctoring.host import Role
from proctoring.invigilation.bulk import act_on_many
from proctoring.invigilation.choosing import choose_named

if TYPE_CHECKING:
    from proctoring.host import User


class InterventionAdmin(StepAdmin):
    steps = STEPS
    bulk = BULK
    roles_of: ClassVar[Any] = {
        Actor.STAFF: (Role.STAFF,),
        Actor.PROCTOR: (Role.INVIGILATOR,),
        Actor.REVIEWER: (Role.REVIEWER,),
    }
    changed_meanwhile = gettext_lazy("Meanwhile the attempt has become “%s”. Look at it again.")

    def capacities(self, user: User, course_id: str) -> set[Actor]:
        return capacities(user, course_id)

    def status_of(self, row: Attempt) -> Status:
        return row.status_at(timezone.now())

    def take(self, step: Step, row: Attempt, form: forms.Form, *, by: User) -> Attempt:
        return step.take(row, by=by, why=Why.said(form.cleaned_data), now=timezone.now())

    def shown_after(self, before: Attempt, after: Attempt) -> Attempt:
        """A reset of a practice exam answers with the next attempt: what was done, was done to this one."""
        return before

    def led_elsewhere(self, after: Attempt) -> str:
        return _("The attempt is “%s” now, by the rules.") % after.get_status_display()

    @transaction.non_atomic_requests
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The actions of the list come here, and each attempt has a transaction of its own: a host's ATOMIC_REQUESTS
        would make one of all, with all their locks."""
        return super().changelist_view(request, extra_context)

    def do_on_each(
        self, request: HttpRequest, rows: Collection[Attempt], step: Step, form: forms.Form
    ) -> HttpResponse | None:
        if step.action is not None:
            return self._do_together(request, rows, step, Why.said(form.cleaned_data))
        self.act_on_each(request, rows, lambda row: self.take(step, row, form, by=request.user), done=step.done)
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
