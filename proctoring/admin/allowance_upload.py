"""Allowances from a table: uploaded, looked at with what would come of it, and confirmed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core import signing
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.base import ProctoringAdmin, courses_of, holds_anywhere
from proctoring.admin.rendering import Table, minutes, moment
from proctoring.allowances.table import COLUMNS, MAX_ROWS, TableRow, read_table
from proctoring.attempts.accommodations import Outcome
from proctoring.attempts.granting import apply_table, preview
from proctoring.attempts.reckoning import Moved
from proctoring.errors import InvalidInput, NotPermitted
from proctoring.host import Role
from proctoring.permissions import is_course_staff

SALT = "proctoring.allowances.upload"
MAX_AGE_SECONDS = 3600
"""Of what waits to be confirmed: it was shown to one person, for one course, as things were then."""
SHOWN = 500
"""Rows of a table that the page lists, those with a problem first."""

RESULTS = {
    "granted": gettext_lazy("granted"),
    "updated": gettext_lazy("updated"),
    "refused": gettext_lazy("refused"),
}


class UploadForm(forms.Form):
    required_css_class = "required"
    course_id = forms.CharField(label=gettext_lazy("Course"), max_length=255, widget=AdminTextInputWidget)
    file = forms.FileField(label=gettext_lazy("File"), widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}))
    rows: Sequence[TableRow] = ()
    text = ""

    def __init__(self, *args: Any, user: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        if (courses := courses_of(user, Role.STAFF)) is not None:
            choices = [(course_id, course_id) for course_id in sorted(courses)]
            self.fields["course_id"] = forms.ChoiceField(label=gettext_lazy("Course"), choices=choices)

    def clean_course_id(self) -> str:
        course_id: str = self.cleaned_data["course_id"]
        if not is_course_staff(self.user, course_id):
            raise ValidationError(_("You are not staff of this course."), code="permission_denied")
        return course_id

    def clean_file(self) -> object:
        raw = self.cleaned_data["file"].read()
        try:
            self.rows = read_table(raw)
        except InvalidInput as unreadable:
            raise ValidationError(str(unreadable), code="invalid") from unreadable
        self.text = raw.decode("utf-8-sig")
        return self.cleaned_data["file"]


class UploadAdmin(ProctoringAdmin):
    """The part of the allowances' admin that takes a table."""

    change_list_template = "admin/proctoring/allowance/change_list.html"

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.upload_view)
        return [path("upload/", view, name="proctoring_allowance_upload"), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        may_upload = {"may_upload": holds_anywhere(request.user, Role.STAFF)}
        return super().changelist_view(request, {**may_upload, **(extra_context or {})})

    def upload_view(self, request: HttpRequest) -> HttpResponse:
        """The form; its answer is a preview, whose answer is the result. Each time the course's staff are asked for."""
        if not holds_anywhere(request.user, Role.STAFF):
            raise PermissionDenied
        if request.method == "POST" and "confirmed" in request.POST:
            return self._confirm(request)
        form = UploadForm(request.POST or None, request.FILES or None, user=request.user)
        if not form.is_valid():
            return self._page(request, form=form)
        course_id = form.cleaned_data["course_id"]
        outcomes = preview(lambda: apply_table(course_id, form.rows, by=request.user))
        sealed = {"by": str(request.user.pk), "course_id": course_id, "text": form.text}
        return self._page(
            request,
            table=_table(_("What would come of it"), form.rows, outcomes),
            summary=_summary(outcomes),
            course_id=course_id,
            confirmed=signing.dumps(sealed, salt=SALT, compress=True),
            all_refused=all(one.result == "refused" for one in outcomes),
        )

    def _confirm(self, request: HttpRequest) -> HttpResponse:
        """What was shown is signed, with for whom and for which course: it cannot be carried into another one."""
        try:
            shown = signing.loads(request.POST["confirmed"], salt=SALT, max_age=MAX_AGE_SECONDS)
        except signing.BadSignature:
            self.message_user(
                request, _("This preview is too old, or not ours. Upload the file again."), messages.ERROR
            )
            return redirect("admin:proctoring_allowance_upload")
        if shown["by"] != str(request.user.pk):
            raise PermissionDenied
        rows = read_table(shown["text"].encode())
        try:
            outcomes = apply_table(shown["course_id"], rows, by=request.user)
        except NotPermitted as refused:
            raise PermissionDenied from refused
        for row, outcome in zip(rows, outcomes, strict=True):
            if outcome.allowance is not None:
                self.log_change(request, outcome.allowance, f"uploaded table, line {row.line}: {outcome.result}")
        return self._page(
            request,
            table=_table(_("What came of it"), rows, outcomes),
            summary=_summary(outcomes),
            course_id=shown["course_id"],
            is_done=True,
        )

    def _page(self, request: HttpRequest, **context: Any) -> HttpResponse:
        return TemplateResponse(
            request,
            "admin/proctoring/allowance/upload.html",
            {
                **self.admin_site.each_context(request),
                "title": _("Upload allowances"),
                "opts": self.opts,
                "media": self.media,
                "columns": COLUMNS,
                "max_rows": MAX_ROWS,
                **context,
            },
        )


def _summary(outcomes: Sequence[Outcome]) -> list[tuple[str, int]]:
    return [(str(label), sum(one.result == word for one in outcomes)) for word, label in RESULTS.items()]


def _table(title: str, rows: Sequence[TableRow], outcomes: Sequence[Outcome]) -> Table:
    pairs = sorted(zip(rows, outcomes, strict=True), key=lambda pair: (pair[1].result != "refused", pair[0].line))
    cells = [
        (
            _("Line %d") % row.line,
            row.user,
            row.exam or _("every exam"),
            _granted(row),
            _result(outcome),
            _deadlines(outcome.moved),
        )
        for row, outcome in pairs[:SHOWN]
    ]
    cut = [_("The first %(shown)d of %(all)d rows.") % {"shown": SHOWN, "all": len(pairs)}]
    return Table(
        name="rows",
        title=title,
        headers=(_("Row"), _("Person"), _("Exam"), _("Allowance"), _("Result"), _("Open attempts")),
        rows=cells,
        notes=cut if len(pairs) > SHOWN else (),
    )


def _granted(row: TableRow) -> str:
    if row.terms is None:
        return ""
    if row.terms.minutes is not None:
        return f"+{row.terms.minutes} min"
    return f"× {row.terms.multiplier}" if row.terms.multiplier is not None else row.terms.note[:80]


def _result(outcome: Outcome) -> str:
    word, why = str(RESULTS[outcome.result]), outcome.refusal
    if why is None:
        return word
    if isinstance(why, InvalidInput):
        return f"{word}: " + " ".join(f"{name}: {' '.join(said)}" for name, said in why.errors.items())
    return f"{word}: {why}"


def _deadlines(moved: Sequence[Moved]) -> str:
    """Of each open attempt the deadline before and after; before the start, the time."""
    lines = []
    for one in moved:
        attempt = one.attempt
        if one.expires_before is not None and attempt.expires_at is not None:
            change = f"{moment(one.expires_before)} → {moment(attempt.expires_at)}"
        else:
            change = f"{minutes(one.total_before)} → {minutes(attempt.total_seconds)}"
        lines.append((attempt.exam.name, change))
    return format_html_join("", "<div>{}: {}</div>", lines)
