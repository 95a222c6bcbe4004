"""Evidence in the admin, on a page behind that of its attempt: the seals of the log, who took copies, and one more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import localize
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from proctoring.admin.base import ProctoringAdmin, is_own
from proctoring.admin.rendering import Table, moment, zone_in_words
from proctoring.attempts.models import Attempt
from proctoring.evidence.services import filename, hand_out_evidence
from proctoring.logs.models import EvidenceCopy, Seal
from proctoring.permissions import is_course_staff, may_view_logs

if TYPE_CHECKING:
    from proctoring.host import User

SHOWN = 50
"""Seals, copies on the page."""


class EvidenceAdmin(ProctoringAdmin):
    """The part of the attempts' admin that shows seals and hands evidence out."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(require_http_methods(["GET", "HEAD", "POST"])(self.evidence_view))
        return [path("<int:pk>/evidence/", view, name="proctoring_attempt_evidence"), *super().get_urls()]

    def evidence_view(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Seals for whom the log is open; copies, and another one by POST, for staff of the course."""
        attempt = self.get_object(request, str(pk))
        if attempt is None:
            raise Http404
        if not evidence_page(attempt, request.user):
            raise PermissionDenied
        may_take = is_course_staff(request.user, attempt.exam.course_id)
        if request.method == "POST":
            if not may_take:
                raise PermissionDenied
            return self._hand_out(request, attempt)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Seals and evidence"),
            "opts": self.opts,
            "attempt_name": self.row_name(attempt),
            "back_url": reverse("admin:proctoring_attempt_change", args=(attempt.pk,)),
            "may_take": may_take,
            "tables": [_seals(attempt), *([_copies(attempt)] if may_take else [])],
            "timezone_note": zone_in_words(),
        }
        return TemplateResponse(request, "admin/proctoring/attempt/evidence.html", context)

    def _hand_out(self, request: HttpRequest, attempt: Attempt) -> FileResponse:
        return FileResponse(
            hand_out_evidence(attempt, by=request.user),
            as_attachment=True,
            filename=filename(attempt),
            content_type="application/zip",
            headers={"X-Content-Type-Options": "nosniff"},
        )


def evidence_page(attempt: Attempt, viewer: User) -> str:
    """Where it is; empty for whom it is closed."""
    if is_own(viewer, attempt) or not may_view_logs(viewer, attempt.exam.course_id):
        return ""
    return reverse("admin:proctoring_attempt_evidence", args=(attempt.pk,))


def _seals(attempt: Attempt) -> Table:
    found = Seal.objects.filter(attempt=attempt.pk).defer("packed_places").order_by("-number")
    rows: list[Any] = list(found[: SHOWN + 1])
    return Table(
        name="seals",
        title=_("Seals of the log"),
        headers=(_("Number"), _("When"), _("Events"), _("Root")),
        rows=[(localize(row.number), moment(row.sealed_at), localize(row.count), row.root) for row in rows[:SHOWN]],
        empty=_("Not sealed yet: that is done when nothing has happened for a while after the end."),
        notes=[_("Only the newest %d are shown.") % SHOWN] if len(rows) > SHOWN else [],
    )


def _copies(attempt: Attempt) -> Table:
    found = EvidenceCopy.objects.filter(attempt=attempt.pk).select_related("by")
    rows: list[Any] = list(found[: SHOWN + 1])
    return Table(
        name="copies",
        title=_("Copies of the evidence"),
        headers=(_("Taken away"), _("By"), _("SHA-256 of the manifest")),
        rows=[(moment(row.at), _name(row), row.sha256) for row in rows[:SHOWN]],
        empty=_("Nobody has taken a copy away."),
        notes=[_("Only the newest %d are shown.") % SHOWN] if len(rows) > SHOWN else [],
    )


def _name(copy: Any) -> str:
    return str(copy.by) if copy.by is not None else _("somebody who has no account any more")
