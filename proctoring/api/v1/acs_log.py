"""``logs/acs/``: the log of an exam or an attempt in the names of the Assessment Control Service."""

from __future__ import annotations

import re
from contextlib import suppress
from datetime import timedelta
from typing import Any

import django_filters
from django.contrib.auth import get_user_model
from django.db.models import F, Q, QuerySet
from django.http import HttpResponseBase
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import OpenApiParameter, extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.request import Request

from proctoring.api.base import row_id
from proctoring.api.pagination import EPOCH
from proctoring.api.v1.booking_shapes import Moment
from proctoring.api.v1.event_logs import EventFilter, EventLogView, NumberFilter, log_operation, logged_attempt
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import TRAITS, Status
from proctoring.conf import settings
from proctoring.exams.models import Exam
from proctoring.host import Role, host
from proctoring.logs.event_types import EVENT_TYPES
from proctoring.logs.models import Event, EventActor
from proctoring.logs.readings import (
    ACS_ACTIONS,
    ACS_FIELDS,
    TEST_TAKER,
    UNKNOWN_ACTION,
    acs_row,
    acs_types,
    types_of_action,
)
from proctoring.permissions import may_view_logs, may_watch
from proctoring.reports.tables import Row

EXAM, ATTEMPT = "deliveryId", "deliveryExecutionId"

SCOPE = [
    OpenApiParameter(EXAM, description=f"The id of an exam. This or `{ATTEMPT}` is required."),
    OpenApiParameter(ATTEMPT, description="The id of an attempt."),
]

ACTORS = {
    EventActor.TEST_TAKER: [EventActor.TEST_TAKER],
    EventActor.PROCTOR: [EventActor.PROCTOR],
    # A vendor's machine reads as the system.
    EventActor.SYSTEM: [EventActor.SYSTEM, EventActor.VENDOR],
    EventActor.DELIVER_FE: [EventActor.DELIVER_FE],
}

UNIX = re.compile(r"[0-9]{1,12}")

NUMBERS = ("reasonCode", "extraTime", "incidentTime", "last_update_date")
NULLABLE = ("deliveryExecutionId", "reasonCode", "extraTime", "itemId", "userAgent", "ip", "_id")


class ScopeRequired(exceptions.APIException):
    status_code = 400
    default_detail = _("Name the exam (deliveryId) or the attempt (deliveryExecutionId) whose log it is.")
    default_code = "scope_required"


class AcsRowSerializer(serializers.Serializer[Any]):
    """Times are unix timestamps, `extraTime` is in minutes. `name` is who acted, empty for machines. `_id` is the
    attempt's, as `deliveryExecutionId` is: `messageId` tells the entries apart."""

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        return {name: _field(name) for name in ACS_FIELDS}


def _field(name: str) -> serializers.Field[Any, Any, Any, Any]:
    kind = serializers.IntegerField if name in NUMBERS else serializers.CharField
    return kind(allow_null=name in NULLABLE)


class UnixMoment(Moment):
    def to_python(self, value: Any) -> Any:
        if isinstance(value, str) and UNIX.fullmatch(value):
            # Behind the calendar's end it is left as it is: no moment either.
            with suppress(OverflowError):
                value = (EPOCH + timedelta(seconds=int(value))).isoformat()
        return super().to_python(value)


@extend_schema_field({"oneOf": [{"type": "integer", "minimum": 0}, {"type": "string", "format": "date-time"}]})
class UnixMomentFilter(django_filters.Filter):
    field_class = UnixMoment


class UnixMoments(EventFilter):
    # "from" cannot be an attribute.
    locals()["from"] = UnixMomentFilter(field_name="at", lookup_expr="gte", label="Then or later")
    to = UnixMomentFilter(field_name="at", lookup_expr="lt", label="Before then")


class AcsLogFilter(UnixMoments):
    testTaker = django_filters.CharFilter(method="in_scope", max_length=255, label="A user name")  # noqa: N815  # the contract's name
    actor = django_filters.ChoiceFilter(choices=[(one.value, one.label) for one in ACTORS], method="of_actor")
    action = django_filters.ChoiceFilter(choices=[(one, one) for one in ACS_ACTIONS], method="of_action")
    reasonCode = NumberFilter(method="with_reason", label="The cause")  # noqa: N815  # the contract's name
    tenantId = django_filters.CharFilter(method="of_tenant", max_length=255, label="This environment's name")  # noqa: N815  # the contract's name

    def in_scope(self, queryset: Any, name: str, value: str) -> Any:
        """Whose attempts are looked at is said before (``AcsLog.list``)."""
        return queryset

    def of_actor(self, queryset: Any, name: str, value: str) -> Any:
        return queryset.filter(actor__in=ACTORS[EventActor(value)])

    def of_action(self, queryset: Any, name: str, value: str) -> Any:
        if value == UNKNOWN_ACTION:
            return queryset.exclude(type__in=EVENT_TYPES.keys() - set(types_of_action(value)))
        return queryset.filter(type__in=types_of_action(value))

    def with_reason(self, queryset: Any, name: str, value: int) -> Any:
        unsaid = [code for code, one in EVENT_TYPES.items() if one.reason_code == value]
        return queryset.filter(Q(reason_code=value) | Q(reason_code=None, type__in=unsaid))

    def of_tenant(self, queryset: Any, name: str, value: str) -> Any:
        return queryset if value == settings.tenant_id else queryset.none()


class AcsLog(EventLogView):
    serializer_class = AcsRowSerializer
    filterset_class = AcsLogFilter
    moments_class = UnixMoments
    columns = ACS_FIELDS
    newest_first = True

    @log_operation(
        "The log of an exam or an attempt, the newest entry first",
        description="In the names of the Assessment Control Service.",
        row=AcsRowSerializer,
        parameters=SCOPE,
    )
    def list(self, request: Request) -> HttpResponseBase:
        exam, attempt = (request.query_params.get(name, "") for name in (EXAM, ATTEMPT))
        if not (exam or attempt):
            raise ScopeRequired if reads_some_log(request.user) else exceptions.PermissionDenied
        events = self.get_queryset()
        scope: dict[str, Any]
        # Each scope is one condition, so that one index has the rows in order.
        if attempt:
            found = logged_attempt(request.user, attempt)
            if exam not in ("", str(found.exam_id)):
                events = events.none()
            scope, name = {"attempt": found.pk}, f"acs-log-attempt-{found.pk}"
            attempts = Attempt.objects.filter(pk=found.pk)
        else:
            pk = logged_exam(request.user, exam).pk
            scope, name = {"exam": pk}, f"acs-log-exam-{pk}"
            attempts = Attempt.objects.filter(exam=pk)
            if not request.user.is_superuser:
                # Their own attempt's is not theirs to read (``logged_attempt``).
                events = events.exclude(attempt__in=attempts.filter(user=request.user.pk).values("pk"))
        if taker := self._taker():
            # A person has few attempts, and their rows are found without all those of the exam.
            theirs = attempts.filter(**{f"user__{get_user_model().USERNAME_FIELD}": taker})
            scope = {"attempt__in": [*theirs.values_list("pk", flat=True)]}
        return self.answer(events, scope=scope, rows=lambda some: [_row(event) for event in some], name=name)

    def _taker(self) -> str:
        """Whose rows are wanted; nothing where that is not said, or makes no sense, which the filters will say."""
        form = self.filterset_class(self.request.query_params).form
        return str(form.cleaned_data["testTaker"]) if form.is_valid() else ""

    def get_queryset(self) -> QuerySet[Event]:
        included = settings.acs_log_includes
        shown = super().get_queryset().exclude(type__in=EVENT_TYPES.keys() - set(acs_types(included)))
        if TEST_TAKER not in included:
            shown = shown.exclude(actor=EventActor.TEST_TAKER)
        login = F(f"attempt__user__{get_user_model().USERNAME_FIELD}")
        return shown.select_related("actor_user").annotate(login=login)


def logged_exam(user: Any, text: str) -> Exam:
    """The exam whose log the person reads. Raises ``PermissionDenied`` where they only know of it."""
    exam = Exam.objects.filter(pk=row_id(text)).first()
    if exam is None:
        raise exceptions.NotFound
    if may_view_logs(user, exam.course_id):
        return exam
    seen = host().may_see_course(user, exam.course_id) or may_watch(user, exam.course_id)
    raise exceptions.PermissionDenied if seen else exceptions.NotFound


def reads_some_log(user: Any) -> bool:
    """Whether the person reads the logs of any course."""
    courses = (host().courses_with_role(user, role) for role in (Role.LOG_VIEWER, Role.INVIGILATOR, Role.STAFF))
    return any(held is None or held for held in courses)


def _row(event: Any) -> Row:
    login = event.login or ""
    known = event.status in Status.values
    return acs_row(
        event,
        login=login,
        name=_who(event, login),
        acs_status=TRAITS[Status(event.status)].acs_status if known else "",
        tenant_id=settings.tenant_id,
    )


def _who(event: Event, login: str) -> str:
    """The display name of the person who acted. Machines have none."""
    if event.actor == EventActor.TEST_TAKER:
        return login
    if event.actor != EventActor.PROCTOR or event.actor_user is None:
        return ""
    return str(event.actor_user.get_full_name() or event.actor_user.get_username())
