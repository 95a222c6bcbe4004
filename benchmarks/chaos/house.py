"""The LMS of the run: its settings, its exams with their candidates, and the people who mend what only people can."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils import timezone

from proctoring.bookings import states
from proctoring.bookings.models import Booking
from proctoring.bookings.planning import Wish, plan_bookings
from proctoring.bookings.services import check_now, schedule_booking
from proctoring.bookings.states import Actor, Status
from proctoring.exams.services import create_exam
from proctoring.outbox.circuits import close_circuit
from proctoring.outbox.models import Circuit, Delivery, DeliveryStatus
from proctoring.outbox.services import repeat
from proctoring.testing.simulator.process import SimulatorProcess

ALIAS = "simulator"
COURSE = "course-v1:Bench+Marks+2026"
SEND_TRIES, CHECK_TRIES = 40, 60
"""So many that bad luck alone hardly uses them up: a worker that is killed has used one as well."""


def configuration(simulator: SimulatorProcess, *, lease: int) -> dict[str, Any]:
    """``PROCTORING`` of a house in which everything that takes minutes takes seconds. A call may take two thirds of the
    ``lease``, also in seconds."""
    live = {
        "live_proctoring": True,
        "connect_timeout": lease / 3,
        "read_timeout": lease / 2,
        "total_timeout": lease * 2 / 3,
    }
    options = {**simulator.backend_options(), **live}
    return {
        **settings.PROCTORING,
        "BACKENDS": {ALIAS: {"BACKEND": "proctoring.backends.rest.RestBackend", "OPTIONS": options}},
        "DEFAULT_BACKEND": ALIAS,
        "LEASE_SECONDS": lease,
        "BOOKING_CHECK_SECONDS": 1,
        "BOOKING_SEND_TRIES": SEND_TRIES,
        "BOOKING_CHECK_TRIES": CHECK_TRIES,
        "DELIVERY_BACKOFF_SECONDS": 1,
        "DELIVERY_MAX_TRIES": 60,
        "CIRCUIT_OPEN_SECONDS": 1,
        "RATINGS_MINUTES": 1,
    }


class House:
    """A planner's wishes and a service desk's mending, through the services that their pages use."""

    def __init__(self) -> None:
        self.staff = get_user_model().objects.create_superuser("staff", "staff@example.org", "staff")
        self.mended: Counter[str] = Counter()

    def plan(self, bookings: int, candidates: int) -> list[Booking]:
        """Drafts, each of an exam and of people of its own, in windows twelve hours from now and later."""
        accounts = get_user_model()
        names = [f"candidate-{number:06}" for number in range(bookings * candidates)]
        accounts.objects.bulk_create([accounts(username=name) for name in names], batch_size=1000)
        named = accounts.objects.filter(username__startswith="candidate-").order_by("username")
        keys = list(named.values_list("pk", flat=True))
        return [self._draft(at, keys[at * candidates : (at + 1) * candidates]) for at in range(bookings)]

    def _draft(self, at: int, people: list[int]) -> Booking:
        fields = {"course_id": COURSE, "content_id": f"exam-{at}", "name": f"Exam {at}", "time_limit_minutes": 60}
        exam = create_exam({**fields, "exam_type": "proctored", "status": "active"}, by=self.staff)
        begins = timezone.now().replace(microsecond=0) + timedelta(hours=12, minutes=at)
        wish = Wish(exam=exam, starts_at=begins, ends_at=begins + timedelta(hours=2), ratio=4, candidates=people)
        [booking] = plan_bookings(wish, by=self.staff)
        return booking

    def schedule(self, drafts: list[Booking]) -> None:
        for draft in drafts:
            schedule_booking(draft, by=self.staff)

    def mend(self) -> None:
        """A vendor that calls its own new token expired has refused our credentials: nothing goes on by itself then."""
        if Circuit.objects.filter(backend=ALIAS, stopped=True).exists():
            close_circuit(ALIAS)
            self.mended["circuit"] += 1
        for delivery in Delivery.objects.filter(status__in=(DeliveryStatus.FAILED, DeliveryStatus.GIVEN_UP)):
            repeat(delivery)
            self.mended["delivery"] += 1
        refused = Booking.objects.filter(status=Status.REJECTED).select_related("exam", "plan")
        for booking in refused.filter(rejection_reason=states.SENDING_REFUSED):
            schedule_booking(booking, by=self.staff, actor=Actor.SERVICE_DESK)
            self.mended["sent_again"] += 1
        for booking in refused.filter(rejection_reason=states.CHECK_REFUSED):
            check_now(booking, by=self.staff, actor=Actor.SERVICE_DESK)
            self.mended["checked_again"] += 1
