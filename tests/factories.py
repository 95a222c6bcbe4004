"""Rows for the tests. Nothing here goes through a service: a test that wants the rules calls them itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import factory
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser

from proctoring.allowances.models import Allowance
from proctoring.attempts import states
from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.states import Phase, Status
from proctoring.attempts.timing import EntryKind
from proctoring.bookings.models import Booking, BookingPlan, LiveSession
from proctoring.exams.models import Exam, ExamStatus, ExamType
from proctoring.inbox import sealing
from proctoring.inbox.models import WebhookMessage
from proctoring.logs.event_types import EVENT_TYPES, Severity
from proctoring.logs.models import Event, EventActor
from proctoring.outbox.models import Delivery, DeliveryTarget, Operation

TEN = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
"""Ten o'clock: when the exams of the tests start."""


def at(hour: int, minute: int, second: int = 0, microsecond: int = 0) -> datetime:
    """A time of the tests' day."""
    return TEN.replace(hour=hour, minute=minute, second=second, microsecond=microsecond)


class UserFactory(factory.django.DjangoModelFactory[AbstractUser]):
    class Meta:
        model = get_user_model()

    username = factory.Sequence(lambda n: f"person{n}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.org")
    first_name = "Ada"
    last_name = "Lovelace"


class ExamFactory(factory.django.DjangoModelFactory[Exam]):
    """An active timed exam of 60 minutes without dates."""

    class Meta:
        model = Exam

    course_id = "course-v1:Demo+Tests+2026"
    content_id = factory.Sequence(lambda n: f"block-{n}")
    name = factory.Sequence(lambda n: f"Exam {n}")
    exam_type = ExamType.TIMED
    status = ExamStatus.ACTIVE
    time_limit_minutes = 60


class AttemptFactory(factory.django.DjangoModelFactory[Attempt]):
    """An attempt in any status, as if the steps before had been taken at ten o'clock; with its base entry."""

    class Meta:
        model = Attempt
        skip_postgeneration_save = True

    exam = factory.SubFactory(ExamFactory)
    user = factory.SubFactory(UserFactory)
    number = 1
    status = Status.CREATED
    backend = factory.LazyAttribute(lambda row: row.exam.backend_alias)
    open_slot = factory.LazyAttribute(lambda row: 1 if row.status in states.OPEN else None)
    taking_as_proctored = factory.LazyAttribute(lambda row: row.exam.exam_type != ExamType.TIMED)
    total_seconds = factory.LazyAttribute(lambda row: row.exam.time_limit_minutes * 60)
    base_seconds = factory.SelfAttribute("total_seconds")
    closes_at = factory.LazyAttribute(lambda row: row.exam.due_at)
    full_name = "Ada Lovelace"

    @factory.lazy_attribute
    def started_at(self) -> datetime | None:
        return TEN if states.TRAITS[Status(self.status)].phase in (Phase.RUNNING, Phase.ENDED, Phase.DECIDED) else None

    @factory.lazy_attribute
    def paused_at(self) -> datetime | None:
        return at(10, 5) if self.status == Status.PAUSED else None

    @factory.lazy_attribute
    def expires_at(self) -> datetime | None:
        if self.started_at is None or self.paused_at is not None:
            return None
        ends_at = self.started_at + timedelta(seconds=self.total_seconds)
        return min(ends_at, self.closes_at or ends_at)

    @factory.lazy_attribute
    def ended_at(self) -> datetime | None:
        return None if self.status in states.OPEN else at(10, 20)

    @factory.lazy_attribute
    def seal_due_at(self) -> datetime | None:
        return self.ended_at + timedelta(hours=24) if self.ended_at is not None else None

    @factory.post_generation
    def base(attempt: Any, create: bool, extracted: object, **_: object) -> None:  # noqa: N805 - factory-boy's protocol
        if create:
            TimeEntry.objects.create(attempt=attempt, kind=EntryKind.BASE, seconds=attempt.total_seconds, at=TEN)


class AllowanceFactory(factory.django.DjangoModelFactory[Allowance]):
    """Ten minutes more in every exam of the course. Attempts that exist hear nothing of it."""

    class Meta:
        model = Allowance

    user = factory.SubFactory(UserFactory)
    course_id = "course-v1:Demo+Tests+2026"
    exam_slot = factory.LazyAttribute(lambda row: row.exam.pk if getattr(row, "exam", None) else 0)
    kind = "extra_minutes"
    minutes = factory.LazyAttribute(lambda row: 10 if row.kind == "extra_minutes" else None)


class DeliveryFactory(factory.django.DjangoModelFactory[Delivery]):
    """A report about an attempt that is due now."""

    class Meta:
        model = Delivery

    backend = "vendor"
    operation = Operation.REPORT_STARTED
    target = DeliveryTarget.ATTEMPT
    target_id = factory.Sequence(lambda n: n + 1)
    key = factory.Sequence(lambda n: f"key-{n}")
    next_try_at = TEN


class MessageFactory(factory.django.DjangoModelFactory[WebhookMessage]):
    """A message that waits to be processed since ten o'clock."""

    class Meta:
        model = WebhookMessage

    class Params:
        plain = b"{}"

    backend = "vendor"
    delivery_id = factory.Sequence(lambda n: f"msg-{n}")
    sha256 = factory.Sequence(lambda n: f"{n:064x}")
    sealed_body = factory.LazyAttribute(lambda row: sealing.seal(row.plain, context=row.sha256))
    received_at = TEN
    next_try_at = TEN
    give_up_at = TEN + timedelta(hours=24)


class BookingPlanFactory(factory.django.DjangoModelFactory[BookingPlan]):
    """For people who were named one by one."""

    class Meta:
        model = BookingPlan

    exam = factory.SubFactory(ExamFactory, exam_type=ExamType.PROCTORED)
    selection = "listed"


class BookingFactory(factory.django.DjangoModelFactory[Booking]):
    """A draft for nobody yet, from ten o'clock to twelve."""

    class Meta:
        model = Booking

    plan = factory.SubFactory(BookingPlanFactory, exam=factory.SelfAttribute("..exam"))
    exam = factory.SubFactory(ExamFactory, exam_type=ExamType.PROCTORED)
    backend = "live"
    starts_at = TEN
    ends_at = at(12, 0)
    onboarding_minutes = 15
    closing_minutes = 10
    ratio = 4


class LiveSessionFactory(factory.django.DjangoModelFactory[LiveSession]):
    """A candidate's place in a booking, the vendor not heard of yet."""

    class Meta:
        model = LiveSession

    booking = factory.SubFactory(BookingFactory)
    exam = factory.SelfAttribute("booking.exam")
    user = factory.SubFactory(UserFactory)
    candidate_number = factory.Sequence(lambda n: n + 1)
    backend = factory.SelfAttribute("booking.backend")


class EventFactory(factory.django.DjangoModelFactory[Event]):
    """Something that the system noticed in an attempt at ten o'clock."""

    class Meta:
        model = Event

    attempt = factory.SubFactory(AttemptFactory)
    exam = factory.SelfAttribute("attempt.exam")
    type = 1001
    actor = EventActor.SYSTEM
    at = TEN
    occurred_at = factory.SelfAttribute("at")
    received_at = factory.SelfAttribute("at")
    message_id = factory.Sequence(lambda n: f"m{n}")
    status = factory.SelfAttribute("attempt.status")

    @factory.lazy_attribute
    def severity(self) -> str:
        known = EVENT_TYPES.get(self.type)
        return (known.severity if known else Severity.NOTICE).value
