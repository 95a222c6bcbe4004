"""The attempt as everybody sees it, and the parts of it that only some see."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from django.contrib.auth import get_user_model
from django.utils.functional import cached_property
from rest_framework import serializers

from proctoring.api.base import Viewer
from proctoring.api.wire import UtcDateTimeField
from proctoring.attempts.models import Attempt, RetryKind
from proctoring.attempts.retries import can_be_resumed, usable_retries
from proctoring.attempts.states import TRAITS, Clock, Phase, Status
from proctoring.bookings.sessions import is_open, sessions_of
from proctoring.conf import settings
from proctoring.errors import NotConfigured, UnknownBackend
from proctoring.exams.models import Exam, ExamType


class PersonSerializer(serializers.ModelSerializer[Any]):
    """An account, as far as it is anybody's business here."""

    id = serializers.ModelField(get_user_model()._meta.pk, read_only=True)
    username = serializers.CharField(source="get_username")

    class Meta:
        model = get_user_model()
        fields = ("id", "username")


class LaunchSerializer(serializers.Serializer[Any]):
    """How the candidate begins with the vendor; empty where there is nothing to say (yet)."""

    download_url = serializers.CharField()
    instructions = serializers.ListField(child=serializers.CharField())
    join_url = serializers.CharField()


class ResumeSerializer(serializers.Serializer[Any]):
    """`allowed`: a retry was granted, not used, and exam and dates let the candidate use it now. `grantable`: staff may
    allow a resume now."""

    allowed = serializers.BooleanField()
    kind = serializers.ChoiceField(choices=RetryKind.choices, allow_null=True)
    granted_at = UtcDateTimeField(allow_null=True)
    grantable = serializers.BooleanField()


class AttemptListSerializer(serializers.ListSerializer[Any]):
    """Finds out for all rows at once what their granted retries are good for."""

    def to_representation(self, data: Any) -> Any:
        rows, one = list(data), cast("AttemptSerializer", self.child)
        one.usable_retries = usable_retries(rows, now=self.context["now"])
        return super().to_representation(rows)


# Wants rows of for_reading(), and "now" and "viewer" in its context: then it makes no query of its own, but one where a
# vendor takes live bookings, and those for retries that were granted at exams which are past their due date.
class AttemptSerializer(serializers.Serializer[Any]):
    """An attempt at the moment `server_time`: one whose deadline has passed has ended, whoever has noticed."""

    id = serializers.IntegerField()
    exam = serializers.IntegerField(source="exam_id")
    course_id = serializers.CharField(source="exam.course_id")
    content_id = serializers.CharField(source="exam.content_id")
    exam_name = serializers.CharField(source="exam.name")
    exam_type = serializers.ChoiceField(source="exam.exam_type", choices=ExamType.choices)
    user = PersonSerializer()
    number = serializers.IntegerField()
    status = serializers.ChoiceField(choices=Status.choices)
    phase = serializers.ChoiceField(choices=[phase.value for phase in Phase])
    taking_as_proctored = serializers.BooleanField()
    backend = serializers.CharField()
    created_at = UtcDateTimeField()
    started_at = UtcDateTimeField(allow_null=True)
    submitted_at = UtcDateTimeField(allow_null=True)
    ended_at = UtcDateTimeField(allow_null=True)
    acknowledged_at = UtcDateTimeField(allow_null=True)
    expires_at = UtcDateTimeField(allow_null=True)
    paused_until = UtcDateTimeField(allow_null=True)
    seconds_left = serializers.IntegerField(allow_null=True)
    server_time = UtcDateTimeField()
    total_seconds = serializers.IntegerField()
    low_threshold_seconds = serializers.IntegerField()
    critical_threshold_seconds = serializers.IntegerField()
    launch = LaunchSerializer(allow_null=True)
    resume = ResumeSerializer()

    usable_retries: set[int] | None = None
    """Primary keys; None: this one stands alone."""

    class Meta:
        list_serializer_class = AttemptListSerializer

    def to_representation(self, instance: Attempt) -> dict[str, Any]:
        now = self.context["now"]
        usable = self.usable_retries
        if usable is None:
            usable = usable_retries([instance], now=now)
        shown = Shown(instance, now, self.context["viewer"], self.rooms, instance.pk in usable)
        return super().to_representation(shown)

    @cached_property
    def rooms(self) -> OpenRooms:
        return OpenRooms(self.context["viewer"].user, self.context["now"])


class OpenRooms:
    """The viewer's own ways into the live sessions that are open now."""

    def __init__(self, user: Any, now: datetime) -> None:
        self.user = user
        self.now = now

    def link(self, exam: Exam) -> str:
        """Empty where there is none, and where the key that opens it is gone: that must not cost the candidate the
        sight of their clock."""
        try:
            session = self._by_exam.get(exam.pk) if exam.vendor.takes_live_bookings else None
            return session.join_url if session is not None else ""
        except (NotConfigured, UnknownBackend):
            return ""

    @cached_property
    def _by_exam(self) -> dict[int, Any]:
        return {session.exam_id: session for session in sessions_of(self.user) if is_open(session, self.now)}


@dataclass(frozen=True, slots=True)
class Shown:
    """An attempt at one moment, seen by one person. What it does not say itself, the row says."""

    attempt: Attempt
    server_time: datetime
    viewer: Viewer
    rooms: OpenRooms
    may_retry: bool

    def __getattr__(self, name: str) -> Any:
        return getattr(self.attempt, name)

    @property
    def status(self) -> Status:
        return self.attempt.status_at(self.server_time)

    @property
    def phase(self) -> str:
        return TRAITS[self.status].phase.value

    @property
    def ended_at(self) -> datetime | None:
        """An overdue attempt ended at its deadline, whether or not a sweep has written that down."""
        overdue = self.attempt.is_overdue(self.server_time)
        return self.attempt.deadline if overdue else self.attempt.ended_at

    @property
    def expires_at(self) -> datetime | None:
        return running_deadline(self.attempt, self.server_time)

    @property
    def paused_until(self) -> datetime | None:
        return self.attempt.paused_until if self.status == Status.PAUSED else None

    @property
    def seconds_left(self) -> int | None:
        return self.attempt.seconds_left(self.server_time)

    @property
    def low_threshold_seconds(self) -> int:
        return int(self.attempt.total_seconds * settings.low_threshold)

    @property
    def critical_threshold_seconds(self) -> int:
        return int(self.attempt.total_seconds * settings.critical_threshold)

    @property
    def launch(self) -> dict[str, Any] | None:
        """The candidate's own way in: shown to them, and to staff, who help them. Into a live session they alone go."""
        attempt, viewer = self.attempt, self.viewer
        is_own = attempt.user_id == viewer.user.pk
        if not is_own and not viewer.administers(attempt.exam.course_id):
            return None
        launch = {"download_url": "", "instructions": (), "join_url": "", **attempt.launch_data}
        if is_own and (link := self.rooms.link(attempt.exam)):
            launch["join_url"] = link
        return launch

    @property
    def resume(self) -> dict[str, Any]:
        attempt = self.attempt
        return {
            "allowed": self.may_retry,
            "kind": attempt.retry_kind or None,
            "granted_at": attempt.retry_granted_at,
            "grantable": can_be_resumed(attempt, now=self.server_time),
        }


def running_deadline(attempt: Attempt, now: datetime) -> datetime | None:
    """The deadline while a clock runs; nothing before the start, during a pause and after the end."""
    running = TRAITS[attempt.status_at(now)].clock == Clock.RUNNING
    return attempt.expires_at if running else None
