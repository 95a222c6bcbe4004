"""Bulk actions in the admin: what was done to many attempts, what became of each, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db import transaction
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.base import CourseAdmin
from proctoring.admin.event_rows import cause_in_words
from proctoring.admin.reasons import CodedReasonForm
from proctoring.admin.rendering import EMPTY, Table, link_to, moment, person, zone_in_words
from proctoring.errors import ProctoringError
from proctoring.host import Role
from proctoring.invigilation.actions import UNDOABLE, Why
from proctoring.invigilation.bulk import go_on
from proctoring.invigilation.models import NOT_REACHED, BulkAction, BulkItem, Result
from proctoring.invigilation.undo import undo_bulk_action, waiting_for_undo

if TYPE_CHECKING:
    from proctoring.host import User

CRITERIA = {
    "status": gettext_lazy("status"),
    "user": gettext_lazy("person"),
    "search": gettext_lazy("name begins with"),
    "state": gettext_lazy("connection"),
    "after": gettext_lazy("number above"),
}


@admin.register(BulkAction)
class BulkActionAdmin(CourseAdmin):
    roles = (Role.STAFF, Role.INVIGILATOR)
    change_form_template = "admin/proctoring/bulkaction/change_form.html"
    list_display = ("created_at", "what", "by", "of_exam", "outcome", "undone_at")
    list_display_links = ("created_at", "what")
    list_filter = ("action",)
    list_select_related = ("by", "exam")
    fields = ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[BulkAction]:
        return BulkAction.objects.visible_to(request.user).counted()

    def may_see(self, user: User, obj: BulkAction) -> bool:
        return BulkAction.objects.visible_to(user).filter(pk=obj.pk).exists()

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """The filter and nothing else: who is among the attempts could be asked bit by bit."""
        return lookup == "action__exact"

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        return ()

    def render_change_form(
        self,
        request: HttpRequest,
        context: Any,
        add: bool = False,
        change: bool = False,
        form_url: str = "",
        obj: BulkAction | None = None,
    ) -> HttpResponse:
        if obj is not None:
            context |= {
                "title": str(obj),
                "subtitle": None,
                "summary": summary(obj),
                "timezone_note": zone_in_words(),
                **possible(obj),
                "tables": [results(obj)],
            }
        return super().render_change_form(request, context, add, change, form_url, obj)

    def get_urls(self) -> list[URLPattern]:
        views = {"undo": self.undo_view, "go-on": self.go_on_view}
        return [
            *(
                path(f"<int:pk>/{name}/", self.admin_site.admin_view(view), name=f"proctoring_bulkaction_{name}")
                for name, view in views.items()
            ),
            *super().get_urls(),
        ]

    # Both: each attempt has a transaction of its own, and under a host's ATOMIC_REQUESTS it would have none.
    @transaction.non_atomic_requests
    def go_on_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Why was said when it began: the button is enough."""
        bulk = self.get_object(request, str(pk))
        if bulk is None:
            raise Http404
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        try:
            go_on(bulk, by=request.user)
        except ProctoringError as refused:
            self.message_user(request, str(refused), messages.ERROR)
        else:
            self.log_change(request, bulk, _("gone on with."))
        return redirect("admin:proctoring_bulkaction_change", bulk.pk)

    @transaction.non_atomic_requests
    def undo_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Asks why; the form comes here again."""
        bulk = self.get_object(request, str(pk))
        if bulk is None:
            raise Http404
        form = CodedReasonForm(request.POST or None)
        if request.method == "POST" and form.is_valid():
            said = form.cleaned_data
            try:
                why = Why(reason_code=said["reason_code"], comment=said["comment"])
                undone = undo_bulk_action(bulk, why, by=request.user)
            except ProctoringError as refused:
                form.add_error(None, str(refused))
            else:
                self._tell(request, undone)
                return redirect("admin:proctoring_bulkaction_change", bulk.pk)
        return self._ask(request, bulk, form)

    def _tell(self, request: HttpRequest, bulk: BulkAction) -> None:
        self.log_change(request, bulk, _("undone."))
        tried = bulk.items.filter(result=Result.DONE)
        facts = {"done": tried.filter(undo_result=Result.DONE).count(), "all": tried.count()}
        level = messages.SUCCESS if facts["done"] == facts["all"] else messages.WARNING
        self.message_user(request, _("Taken back for %(done)d of %(all)d attempts.") % facts, level)

    def _ask(self, request: HttpRequest, bulk: BulkAction, form: CodedReasonForm) -> HttpResponse:
        explanation = _(
            "Each attempt that is still as this action left it takes the opposite step; the others stay as they are."
        )
        context = {
            **self.admin_site.each_context(request),
            "title": _("Undo"),
            "step": {"explanation": explanation},
            "rows": [(bulk.pk, str(bulk), outcome_of(bulk))],
            "form": form,
            "hidden": {},
            "opts": self.opts,
            "of_page": True,
            "back_url": reverse("admin:proctoring_bulkaction_change", args=(bulk.pk,)),
        }
        return TemplateResponse(request, "admin/proctoring/step.html", context)

    @admin.display(description=gettext_lazy("what"))
    def what(self, bulk: BulkAction) -> str:
        return str(bulk)

    @admin.display(description=gettext_lazy("exam"))
    def of_exam(self, bulk: BulkAction) -> str:
        return str(bulk.exam) if bulk.exam is not None else EMPTY

    @admin.display(description=gettext_lazy("results"))
    def outcome(self, bulk: BulkAction) -> str:
        return outcome_of(bulk)


def possible(bulk: BulkAction) -> dict[str, bool]:
    """Which buttons its page has. One that somebody is still busy with looks like one that was cut off: to go on with
    it does nothing twice."""
    began_undo = bulk.undone_at is not None
    goes_on = began_undo and waiting_for_undo(bulk).exists()
    return {
        "may_go_on": not began_undo and bulk.items.filter(result=NOT_REACHED).exists(),
        "may_undo": bulk.action in UNDOABLE and (goes_on or not began_undo),
        "undo_goes_on": goes_on,
    }


def outcome_of(bulk: Any) -> str:
    """Of a row of ``counted()``."""
    parts = [_("%d done") % bulk.n_done, _("%d refused") % bulk.n_refused]
    unknown = bulk.n_items - bulk.n_done - bulk.n_refused
    return ", ".join([*parts, _("%d unknown") % unknown] if unknown else parts)


def summary(bulk: BulkAction) -> list[tuple[str, str]]:
    facts = [
        (_("Results"), outcome_of(bulk)),
        (_("By"), str(bulk.by or EMPTY)),
        (_("When"), moment(bulk.created_at)),
        (_("Why"), cause_in_words(bulk.reason_code, bulk.comment)),
        (_("Minutes"), str(bulk.minutes or EMPTY)),
        (_("Message"), bulk.text),
        (_("Exam"), str(bulk.exam or EMPTY)),
        (_("Looked for"), _criteria(bulk)),
        (_("More after number"), str(bulk.more or "")),
        (_("Ended"), moment(bulk.finished_at) if bulk.finished_at else _("not yet, or it was stopped half-way")),
    ]
    if bulk.undone_at is not None:
        why = cause_in_words(bulk.undo_reason_code, bulk.undo_comment)
        facts += [(_("Undone"), f"{moment(bulk.undone_at)}, {bulk.undone_by or EMPTY}"), (_("Why undone"), why)]
    return [(name, value) for name, value in facts if value]


def _criteria(bulk: BulkAction) -> str:
    return ", ".join(f"{CRITERIA[name]}: {value}" for name, value in bulk.filter.items() if name in CRITERIA)


def results(bulk: BulkAction) -> Table:
    undone = bulk.undone_at is not None
    items = bulk.items.select_related("attempt__user", "attempt__exam")
    return Table(
        name="results",
        title=_("What became of each attempt"),
        headers=(_("Attempt"), _("Result"), _("Why not"), *((_("Undone"), _("Why not undone")) if undone else ())),
        rows=[_row(item, undone=undone) for item in items],
        empty=_("The filter found nobody."),
    )


def _row(item: BulkItem, *, undone: bool) -> list[object]:
    row = [_attempt(item), _result(item.result, item.get_result_display()), _why_not(item.code, item.detail)]
    if undone and item.result == Result.DONE:
        said = _result(item.undo_result, item.get_undo_result_display())
        row += [said, _why_not(item.undo_code, item.undo_detail)]
    elif undone:
        row += [EMPTY, EMPTY]
    return row


def _attempt(item: BulkItem) -> object:
    if item.attempt is None:
        return f"#{item.asked}"
    return link_to("attempt", item.attempt.pk, f"{person(item.attempt)}, {item.attempt}")


def _result(result: str, label: Any) -> str:
    return _("Unknown: look at the attempt") if result == NOT_REACHED else str(label)


def _why_not(code: str, detail: str) -> str:
    """The table of steps is a vocabulary of its own, and nothing for people."""
    return _("Its status did not allow it.") if code == "illegal_transition" else detail
