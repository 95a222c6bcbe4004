"""``attempts/{id}/evidence/``: everything about an attempt in one file that can be checked without us."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from rest_framework import exceptions
from rest_framework.request import Request

from proctoring.api.base import ApiViewSet, row_id
from proctoring.api.openapi import operation, path_id
from proctoring.api.v1.event_logs import TAG
from proctoring.attempts.models import Attempt
from proctoring.evidence.services import filename, hand_out_evidence
from proctoring.permissions import is_course_staff, may_view_logs, may_watch

ZIP = "application/zip"


class Evidence(ApiViewSet):
    @operation(
        "An attempt's evidence: log, seals, timeline, ledger, reviews; to be checked by `python -m proctoring.verify`",
        description="For staff of the course. A zip; who was handed it is written down.",
        answer=OpenApiTypes.BINARY,
        media_types=[ZIP],
        tag=TAG,
        errors=(403, 404),
        parameters=[path_id()],
    )
    def retrieve(self, request: Request, pk: str) -> FileResponse:
        attempt = sealed_attempt(request.user, pk)
        file = hand_out_evidence(attempt, by=request.user, now=self.now)
        return FileResponse(
            file,
            as_attachment=True,
            filename=filename(attempt),
            content_type=ZIP,
            headers={"X-Content-Type-Options": "nosniff"},
        )


def sealed_attempt(user: Any, text: str) -> Attempt:
    """The attempt of an id in a path, whose evidence the person may take away.

    Raises ``PermissionDenied`` where they only see the attempt or its log, else ``NotFound``.
    """
    attempt = Attempt.objects.select_related("exam", "user").filter(pk=row_id(text)).first()
    if attempt is None:
        raise exceptions.NotFound
    course_id = attempt.exam.course_id
    if is_course_staff(user, course_id):
        return attempt
    seen = attempt.user_id == user.pk or may_watch(user, course_id) or may_view_logs(user, course_id)
    raise exceptions.PermissionDenied if seen else exceptions.NotFound
