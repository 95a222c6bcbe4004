"""Reports that staff download from the list of exams."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from proctoring.admin.base import ProctoringAdmin, holds_anywhere
from proctoring.exams.models import Exam
from proctoring.host import Role
from proctoring.permissions import is_course_staff
from proctoring.reports.tables import EXPORTS
from proctoring.reports.violations import COLUMNS, filename, violation_rows


class ReportAdmin(ProctoringAdmin):
    """The part of the exams' admin that hands out reports."""

    actions: Any = ("violation_report",)

    def has_report_permission(self, request: HttpRequest) -> bool:
        return holds_anywhere(request.user, Role.STAFF)

    @admin.action(description=gettext_lazy("Download the course’s violation report"), permissions=["report"])
    def violation_report(self, request: HttpRequest, queryset: QuerySet[Exam]) -> StreamingHttpResponse | None:
        courses = list(queryset.order_by().values_list("course_id", flat=True).distinct()[:2])
        if len(courses) != 1:
            self.message_user(request, _("Choose exams of one course: the report is about all of it."), messages.ERROR)
            return None
        if not is_course_staff(request.user, courses[0]):
            raise PermissionDenied
        export = EXPORTS["csv"]
        disposition = content_disposition_header(True, filename(courses[0], export.extension))
        return StreamingHttpResponse(
            export.pieces(COLUMNS, violation_rows(courses[0], viewer=request.user)),
            content_type=f"{export.content_type}; charset=utf-8",
            headers={"Content-Disposition": disposition, "Cache-Control": "no-store"},
        )
