"""``courses/{course_id}/violation-report/``: a download that is written while it is read."""

from __future__ import annotations

from django.http import StreamingHttpResponse
from django.utils.http import content_disposition_header
from django.utils.translation import gettext as _
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import exceptions
from rest_framework.request import Request

from proctoring.api.base import ApiViewSet, refuse
from proctoring.api.openapi import operation
from proctoring.api.v1.registration import CourseId
from proctoring.api.v1.reviews import TAG
from proctoring.host import host
from proctoring.permissions import is_course_staff, may_review, may_watch
from proctoring.reports.tables import EXPORTS
from proctoring.reports.violations import COLUMNS, filename, violation_rows


class CourseReports(ApiViewSet):
    @operation(
        "A course's attempts with their reviews, one row for each comment",
        description="A CSV file, or JSON lines, written while it is read.",
        answer=OpenApiTypes.STR,
        media_types=[export.content_type for export in EXPORTS.values()],
        tag=TAG,
        errors=(400, 403, 404),
        parameters=[
            OpenApiParameter("course_id", OpenApiTypes.STR, OpenApiParameter.PATH),
            OpenApiParameter("export", enum=[*EXPORTS], default="csv"),
        ],
    )
    def violations(self, request: Request, course_id: str) -> StreamingHttpResponse:
        user = request.user
        if not (is_course_staff(user, course_id) or may_review(user, course_id)):
            seen = host().may_see_course(user, course_id) or may_watch(user, course_id)
            raise exceptions.PermissionDenied if seen else exceptions.NotFound
        # What the first row would stumble over is said before the answer has begun.
        CourseId(data={"course_id": course_id}).is_valid(raise_exception=True)
        export = EXPORTS.get(request.query_params.get("export", "csv"))
        if export is None:
            refuse({"export": _("Must be csv or ndjson.")})
        disposition = content_disposition_header(True, filename(course_id, export.extension))
        return StreamingHttpResponse(
            export.pieces(COLUMNS, violation_rows(course_id, viewer=user, now=self.now)),
            content_type=f"{export.content_type}; charset=utf-8",
            headers={"Content-Disposition": disposition, "X-Content-Type-Options": "nosniff"},
        )
