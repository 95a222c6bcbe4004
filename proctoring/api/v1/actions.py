"""``attempts/{id}/{action}/``: who may do it, what they must say, which service does it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import exceptions, serializers
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.api.base import ApiViewSet
from proctoring.api.idempotency import answer_once
from proctoring.api.openapi import IDEMPOTENCY_KEY, operation, path_id
from proctoring.api.v1.attempts import TAG, visible_attempt
from proctoring.api.v1.representation import AttemptSerializer
from proctoring.attempts import services
from proctoring.attempts.lifecycle import refuse_own
from proctoring.attempts.models import Attempt
from proctoring.attempts.retries import authorize_resume, reset_attempt, restart_sample
from proctoring.attempts.states import Actor
from proctoring.invigilation.actions import MAX_COMMENT, MAX_MESSAGE, MAX_MINUTES, Action, Wish
from proctoring.invigilation.services import capacity, intervene
from proctoring.logs.reason_codes import REASON_CODES
from proctoring.permissions import is_course_staff, may_invigilate

ACTIONS = {
    "launch": "launch",
    "start": "start",
    "stop": "stop",
    "submit": "submit",
    "decline": "decline",
    "error": "error",
    "acknowledge": "acknowledge",
    "reset": "reset",
    "pause": "pause",
    "resume": "resume",
    "terminate": "terminate",
    "void": "void",
    "extend": "extend",
    "message": "message",
    "flag": "flag",
    "reload": "reload",
    "authorize-resume": "authorize_resume",
    "ready": "ready",
}
"""The address's word → the method that answers."""


@extend_schema_field({"type": "integer", "enum": sorted(REASON_CODES)})
class ReasonCodeField(serializers.IntegerField):
    """A person's reason is one of the catalogue."""

    default_error_messages = {"unknown": _("This is no known reason code.")}

    def to_internal_value(self, data: Any) -> int:
        code = super().to_internal_value(data)
        if code not in REASON_CODES:
            self.fail("unknown")
        return code


class ReasonSerializer(serializers.Serializer[Any]):
    """Why a person intervenes: a known cause, and their own words."""

    reason_code = ReasonCodeField()
    comment = serializers.CharField(max_length=MAX_COMMENT)


class OptionalReasonSerializer(serializers.Serializer[Any]):
    reason_code = ReasonCodeField(required=False)
    comment = serializers.CharField(required=False, allow_blank=True, max_length=MAX_COMMENT)


class SpokenReasonSerializer(ReasonSerializer):
    """`text` is plain, and for the candidate; the reason is for the log."""

    text = serializers.CharField(required=False, allow_blank=True, max_length=MAX_MESSAGE)


class ExtensionSerializer(SpokenReasonSerializer):
    minutes = serializers.IntegerField(min_value=1, max_value=MAX_MINUTES)


class MessageSerializer(SpokenReasonSerializer):
    text = serializers.CharField(max_length=MAX_MESSAGE)


class IncidentSerializer(serializers.Serializer[Any]):
    detail = serializers.CharField(required=False, allow_blank=True, default="", max_length=2000)


@dataclass(frozen=True, kw_only=True, slots=True)
class StaffsStep:
    """What staff want, and why."""

    reason_code: int = 0
    comment: str = ""

    @property
    def reason(self) -> str:
        """The cause before the words, as the history keeps it."""
        return f"{self.reason_code}: {self.comment}" if self.reason_code else self.comment


def candidates_action(summary: str, *, body: Any = None) -> Any:
    errors = (403, 404, 409, 422)
    return operation(summary, tag=TAG, body=body, answer=AttemptSerializer, errors=errors, parameters=[path_id()])


def persons_action(summary: str, *, body: Any = ReasonSerializer, parameters: Sequence[Any] = ()) -> Any:
    errors, parameters = (403, 404, 409, 422), [path_id(), *parameters]
    return operation(summary, tag=TAG, body=body, answer=AttemptSerializer, errors=errors, parameters=parameters)


class AttemptActions(ApiViewSet):
    @candidates_action("Go for the proctoring software")
    def launch(self, request: Request, pk: str) -> Response:
        return self._answer(services.launch_software(self._own(pk), by=request.user, now=self.now))

    @candidates_action("Start the clock, or go back to work")
    def start(self, request: Request, pk: str) -> Response:
        return self._answer(services.start_attempt(self._own(pk), by=request.user, now=self.now))

    @candidates_action("Be about to submit; the clock goes on")
    def stop(self, request: Request, pk: str) -> Response:
        return self._answer(services.stop_attempt(self._own(pk), by=request.user, now=self.now))

    @candidates_action("Submit")
    def submit(self, request: Request, pk: str) -> Response:
        return self._answer(services.submit_attempt(self._own(pk), by=request.user, now=self.now))

    @candidates_action("Take the exam without proctoring")
    def decline(self, request: Request, pk: str) -> Response:
        return self._answer(services.decline_attempt(self._own(pk), by=request.user, now=self.now))

    @candidates_action("Report that the attempt cannot go on", body=IncidentSerializer)
    def error(self, request: Request, pk: str) -> Response:
        attempt = self._own(pk)
        detail = self.read(IncidentSerializer)["detail"]
        candidate = Actor.CANDIDATE
        return self._answer(
            services.report_error(attempt, by=request.user, actor=candidate, detail=detail, now=self.now)
        )

    @candidates_action("Say that you have seen how the attempt ended")
    def acknowledge(self, request: Request, pk: str) -> Response:
        return self._answer(services.acknowledge(self._own(pk), by=request.user, now=self.now))

    @persons_action("Begin again: candidates at practice and onboarding, staff anywhere", body=OptionalReasonSerializer)
    def reset(self, request: Request, pk: str) -> Response:
        attempt = visible_attempt(request.user, pk)
        if attempt.user_id == request.user.pk and attempt.exam.is_sample:
            return self._answer(restart_sample(attempt, actor=Actor.CANDIDATE, by=request.user, now=self.now))
        step = self._by_staff(attempt)
        return self._answer(reset_attempt(attempt, by=request.user, reason=step.reason, now=self.now))

    @persons_action("Stop the clock", body=SpokenReasonSerializer)
    def pause(self, request: Request, pk: str) -> Response:
        return self._intervene(pk, Action.PAUSE, SpokenReasonSerializer)

    @persons_action("Let the clock run again", body=SpokenReasonSerializer)
    def resume(self, request: Request, pk: str) -> Response:
        return self._intervene(pk, Action.RESUME, SpokenReasonSerializer)

    @persons_action("End the attempt against the candidate's will", body=SpokenReasonSerializer)
    def terminate(self, request: Request, pk: str) -> Response:
        return self._intervene(pk, Action.TERMINATE, SpokenReasonSerializer)

    @persons_action("Annul the attempt; the candidate gets no other")
    def void(self, request: Request, pk: str) -> Response:
        return self._intervene(pk, Action.VOID)

    @persons_action("Grant minutes to this attempt", body=ExtensionSerializer, parameters=[IDEMPOTENCY_KEY])
    def extend(self, request: Request, pk: str) -> Response:
        attempt, actor = self._as_invigilator(pk)
        wish = Wish(action=Action.EXTEND, **self.read(ExtensionSerializer))

        def act() -> tuple[int, Any]:
            extended = intervene(attempt, wish, by=request.user, actor=actor, now=self.now)
            return 200, self.shown(AttemptSerializer, extended)

        return answer_once(request, now=self.now, act=act)

    @persons_action("Show the candidate a message", body=MessageSerializer)
    def message(self, request: Request, pk: str) -> Response:
        return self._intervene(pk, Action.MESSAGE, MessageSerializer)

    @persons_action("Mark this moment; the candidate hears nothing of it")
    def flag(self, request: Request, pk: str) -> Response:
        return self._intervene(pk, Action.FLAG)

    @persons_action("Have the candidate's page load again")
    def reload(self, request: Request, pk: str) -> Response:
        return self._intervene(pk, Action.RELOAD)

    @persons_action("Let the candidate go on in a new attempt with the time that was left")
    def authorize_resume(self, request: Request, pk: str) -> Response:
        attempt = visible_attempt(request.user, pk)
        step = self._by_staff(attempt)
        return self._answer(authorize_resume(attempt, by=request.user, reason=step.reason, now=self.now))

    @persons_action("Say in the vendor's place that the candidate may start", body=OptionalReasonSerializer)
    def ready(self, request: Request, pk: str) -> Response:
        attempt = visible_attempt(request.user, pk)
        step = self._by_staff(attempt, OptionalReasonSerializer)
        return self._answer(
            services.mark_ready(attempt, by=request.user, actor=Actor.STAFF, reason=step.reason, now=self.now)
        )

    def _own(self, pk: str) -> Attempt:
        attempt = visible_attempt(self.request.user, pk)
        if attempt.user_id != self.request.user.pk:
            raise exceptions.PermissionDenied
        return attempt

    def _as_invigilator(self, pk: str) -> tuple[Attempt, Actor]:
        attempt = visible_attempt(self.request.user, pk)
        if not may_invigilate(self.request.user, attempt.exam.course_id):
            raise exceptions.PermissionDenied
        refuse_own(attempt, self.request.user)
        return attempt, capacity(self.request.user, attempt.exam.course_id)

    def _intervene(
        self, pk: str, action: Action, body: type[serializers.Serializer[Any]] = ReasonSerializer
    ) -> Response:
        attempt, actor = self._as_invigilator(pk)
        wish = Wish(action=action, **self.read(body))
        return self._answer(intervene(attempt, wish, by=self.request.user, actor=actor, now=self.now))

    def _by_staff(self, attempt: Attempt, body: type[serializers.Serializer[Any]] = ReasonSerializer) -> StaffsStep:
        if not is_course_staff(self.request.user, attempt.exam.course_id):
            raise exceptions.PermissionDenied
        refuse_own(attempt, self.request.user)
        return StaffsStep(**self.read(body))

    def _answer(self, attempt: Attempt) -> Response:
        return Response(self.shown(AttemptSerializer, attempt))
