"""Very many live sessions, here with their attempts and at the vendor with their ratings."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from itertools import islice
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Model
from django.utils import timezone

from proctoring.attempts.models import Attempt
from proctoring.bookings.models import Booking, BookingPlan, LiveSession
from proctoring.exams.models import Exam
from proctoring.testing.simulator.process import SimulatorProcess

ALIAS = "simulator"
PREFIX = "bench"
PEOPLE = 1000
"""Of each exam."""
OF_BOOKING = 20
BATCH = 1000


def fill(sessions: int, simulator: SimulatorProcess) -> None:
    """Exams of a thousand people each, the same ones in all of them."""
    accounts = get_user_model()
    _create(accounts, (accounts(username=f"candidate-{number:04}") for number in range(PEOPLE)))
    people = list(accounts.objects.order_by("username").values_list("pk", flat=True))
    for first in range(1, sessions + 1, PEOPLE):
        count = min(PEOPLE, sessions + 1 - first)
        exam = _exam(first)
        simulator.fill_sessions(
            exam.external_id_at(ALIAS), count, first=first, prefix=PREFIX, per_booking=OF_BOOKING, rating=90
        )
        _sat(exam, people[:count], first)


def _exam(number: int) -> Exam:
    named = {"course_id": "bench", "content_id": f"exam-{number}", "name": f"Exam {number}"}
    ids = {ALIAS: f"exam-{number}"}
    return Exam.objects.create(exam_type="proctored", status="active", time_limit_minutes=60, external_ids=ids, **named)


def _sat(exam: Exam, people: list[int], first: int) -> None:
    """An hour ago, in bookings of twenty; session ``first`` is the first one's, as at the vendor."""
    begun = timezone.now() - timedelta(hours=1)
    given: dict[str, Any] = {"exam": exam, "backend": ALIAS}
    status = {"number": 1, "status": "submitted", "open_slot": None, "started_at": begun}
    _create(Attempt, (Attempt(user_id=pk, **given, **status) for pk in people))
    plan = BookingPlan.objects.create(exam=exam, selection="listed")
    window = {"starts_at": begun, "ends_at": begun + timedelta(hours=2), "ratio": 4, "status": "confirmed"}
    parts = range(1, -(-len(people) // OF_BOOKING) + 1)
    _create(Booking, (Booking(plan=plan, part=part, **given, **window) for part in parts))
    bookings = list(Booking.objects.filter(plan=plan).order_by("part").values_list("pk", flat=True))
    _create(
        LiveSession,
        (
            LiveSession(
                booking_id=bookings[at // OF_BOOKING],
                user_id=pk,
                candidate_number=at % OF_BOOKING + 1,
                external_id=f"{PREFIX}-{first + at}",
                **given,
            )
            for at, pk in enumerate(people)
        ),
    )


def _create(model: type[Model], rows: Iterable[Any]) -> None:
    rows = iter(rows)
    while batch := list(islice(rows, BATCH)):
        model._default_manager.bulk_create(batch)
