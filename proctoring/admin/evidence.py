"""Evidence in the admin: the seals of an attempt's log, who took copies away, and the way to one more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest
from django.urls import URLPattern, path, reverse
from django.utils.formats import localize
from django.utils.html import format_html
from django.utils.translation import gettext as _

from proctoring.admin.base import ProctoringAdmin
from proctoring.admin.rendering import Table, moment
from proctoring.attempts.models import Attempt
from proctoring.errors import NotPermitted
from proctoring.evidence.services import filename, hand_out_evidence
from proctoring.logs.models import EvidenceCopy, Seal
from proctoring.permissions import is_course_staff, may_view_logs

if TYPE_CHECKING:
    from proctoring.host import User

SHOWN = 20
"""Seals, copies on the page of an attempt."""


class EvidenceAdmin(ProctoringAdmin):
    """The part of the attempts' admin that hands evidence out."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.evidence_view)
        return [path("<int:pk>/evidence/", view, name="proctoring_attempt_evidence"), *super().get_urls()]

    def evidence_view(self, request: HttpRequest, pk: int) -> FileResponse:
        """For staff of the course alone, and written down."""
        attempt = self.get_object(request, str(pk))
        if attempt is None:
            raise Http404
        if not is_course_staff(request.user, attempt.exam.course_id):
            raise PermissionDenied
        try:
            file = hand_out_evidence(attempt, by=request.user)
        except NotPermitted as refused:
            raise PermissionDenied(str(refused)) from refused
        headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
        return FileResponse(
            file, as_attachment=True, filename=filename(attempt), content_type="application/zip", headers=headers
        )


def evidence_of(attempt: Attempt, viewer: User) -> list[Table]:
    """The seals for whom the log is open, and for staff the copies: a statement each."""
    course_id = attempt.exam.course_id
    tables = [_seals(attempt)] if may_view_logs(viewer, course_id) else []
    return [*tables, _copies(attempt)] if is_course_staff(viewer, course_id) else tables


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
    address = reverse("admin:proctoring_attempt_evidence", args=(attempt.pk,))
    return Table(
        name="evidence",
        title=_("Evidence"),
        headers=(_("Taken away"), _("By"), _("SHA-256 of the manifest")),
        rows=[(moment(row.at), _name(row), row.sha256) for row in rows[:SHOWN]],
        empty=_("Nobody has taken a copy away."),
        more=format_html('<a href="{}">{}</a>', address, _("Download the evidence (this is written down)")),
        notes=[_("Only the newest %d are shown.") % SHOWN] if len(rows) > SHOWN else [],
    )


def _name(copy: Any) -> str:
    return str(copy.by) if copy.by is not None else _("somebody who has no account any more")
