"""``attempts/{id}/time/``: the ledger, and how staff correct it."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet, refuse
from proctoring.api.idempotency import answer_once
from proctoring.api.openapi import IDEMPOTENCY_KEY, operation, path_id
from proctoring.api.v1.actions import ReasonCodeField
from proctoring.api.v1.attempts import TAG, visible_attempt
from proctoring.api.v1.representation import PersonSerializer, running_deadline
from proctoring.api.wire import MAX_ID, OtherNames, UtcDateTimeField
from proctoring.attempts import services
from proctoring.attempts.ledger import MAX_SECONDS
from proctoring.attempts.lifecycle import refuse_own
from proctoring.attempts.models import Attempt
from proctoring.attempts.timing import EntryKind, EntryState
from proctoring.invigilation.actions import MAX_COMMENT
from proctoring.permissions import is_course_staff

OF_ENTRIES = ("reverses", "accepts", "refuses")


class TimeEntrySerializer(serializers.Serializer[Any]):
    """Only `applied` entries count. `reverses` is the id of the entry that this one takes back."""

    id = serializers.IntegerField()
    kind = serializers.ChoiceField(choices=EntryKind.choices)
    seconds = serializers.IntegerField()
    state = serializers.ChoiceField(choices=EntryState.choices)
    reason_code = serializers.IntegerField(allow_null=True)
    note = serializers.CharField()
    by = PersonSerializer(allow_null=True)
    at = UtcDateTimeField()
    reverses = serializers.IntegerField(source="reverses_id", allow_null=True)


class LedgerSerializer(serializers.Serializer[Any]):
    entries = TimeEntrySerializer(many=True)
    total_seconds = serializers.IntegerField()
    started_at = UtcDateTimeField(allow_null=True)
    expires_at = UtcDateTimeField(allow_null=True)


class CorrectionSerializer(OtherNames):
    """One of four: `seconds` to add (negative: to take away), the id of the entry that this one `reverses`, or the id
    of a proposed entry that is granted (`accepts`) or not (`refuses`). `comment` may be called `note`, as in the
    ledger."""

    other_names = {"note": "comment"}

    seconds = serializers.IntegerField(required=False, min_value=-MAX_SECONDS, max_value=MAX_SECONDS)
    reverses = serializers.IntegerField(required=False, min_value=1, max_value=MAX_ID)
    accepts = serializers.IntegerField(required=False, min_value=1, max_value=MAX_ID)
    refuses = serializers.IntegerField(required=False, min_value=1, max_value=MAX_ID)
    reason_code = ReasonCodeField(required=False, allow_null=True, default=None)
    comment = serializers.CharField(max_length=MAX_COMMENT)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if sum(name in attrs for name in ("seconds", *OF_ENTRIES)) != 1:
            refuse(
                {"seconds": _("Name either seconds to add, or an entry that this one reverses, accepts or refuses.")}
            )
        if attrs.get("seconds") == 0:
            refuse({"seconds": _("Must not be 0.")})
        return attrs


class AttemptTime(ApiViewSet):
    @operation("An attempt's time", answer=LedgerSerializer, tag=TAG, errors=(404,), parameters=[path_id()])
    def retrieve(self, request: Request, pk: str) -> Response:
        return Response(self._ledger(visible_attempt(request.user, pk)))

    @operation(
        "Correct the time, or take an entry back",
        body=CorrectionSerializer,
        answer=LedgerSerializer,
        status=201,
        tag=TAG,
        errors=(403, 404, 409, 422),
        parameters=[path_id(), IDEMPOTENCY_KEY],
    )
    def create(self, request: Request, pk: str) -> Response:
        attempt = visible_attempt(request.user, pk)
        if not is_course_staff(request.user, attempt.exam.course_id):
            raise exceptions.PermissionDenied
        refuse_own(attempt, request.user)
        wanted = self.read(CorrectionSerializer)

        def act() -> tuple[int, Any]:
            return 201, self._ledger(self._write(attempt, **wanted))

        return answer_once(request, now=self.now, act=act)

    def _write(
        self, attempt: Attempt, *, comment: str, reason_code: int | None, seconds: int = 0, **of_entry: int
    ) -> Attempt:
        why: dict[str, Any] = {
            "by": self.request.user,
            "reason_code": reason_code,
            "note": comment,
            "now": self.now,
        }
        if not of_entry:
            return services.correct_time(attempt, seconds=seconds, **why)
        ((verb, key),) = of_entry.items()
        entry = attempt.time_entries.filter(pk=key).first()
        if entry is None:
            refuse({verb: _("This attempt has no such entry.")})
        if verb == "reverses":
            return services.reverse_time(attempt, entry=entry, **why)
        return services.decide_outage(attempt, entry=entry, accept=verb == "accepts", **why)

    def _ledger(self, attempt: Attempt) -> Any:
        facts = {
            "entries": list(attempt.time_entries.select_related("by")),
            "total_seconds": attempt.total_seconds,
            "started_at": attempt.started_at,
            "expires_at": running_deadline(attempt, self.now),
        }
        return self.shown(LedgerSerializer, facts)
