"""Bookings for the tests of the admin, in any status, and how the pages are asked about them."""

from __future__ import annotations

import itertools
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.test import Client
from django.urls import reverse

from proctoring.bookings.models import Booking, BookingLogEntry
from proctoring.exams.models import Exam
from proctoring.outbox.models import Delivery
from tests.factories import UserFactory

from .conftest import make_booking

LIST = "admin:proctoring_booking_changelist"
LOG = "admin:proctoring_bookinglogentry_changelist"
ADD = "admin:proctoring_booking_add"
numbers = itertools.count(1)


def booked(exam: Exam, status: str = "draft", *, candidates: int = 1, **fields: Any) -> Booking:
    """A booking for tomorrow that the vendor knows where it must have heard of it."""
    people = [UserFactory(username=f"booked-{next(numbers)}") for _ in range(candidates)]
    known = {"external_id": f"b-{next(numbers)}"} if status in ("sent", "confirmed") else {}
    return make_booking(exam, *people, status=status, **{**known, **fields})


def address(booking: Booking) -> str:
    return reverse("admin:proctoring_booking_change", args=(booking.pk,))


def step_address(booking: Booking, step: str) -> str:
    return reverse("admin:proctoring_booking_step", args=(booking.pk, step))


def said(**fields: Any) -> dict[str, Any]:
    return {"comment": "called the vendor", "starts_at": "2031-03-01T10:00", "ends_at": "2031-03-01T12:00", **fields}


def take(client: Client, booking: Booking, step: str, **fields: Any) -> Any:
    return client.post(step_address(booking, step), said(**fields))


def together(step: str, *bookings: Booking, **fields: Any) -> dict[str, Any]:
    chosen = [one.pk for one in bookings]
    return {"action": step, ACTION_CHECKBOX_NAME: chosen, "confirmed": "yes", **said(**fields)}


def shown(response: Any, name: str) -> list[list[str]]:
    table = next(table for table in response.context["tables"] if table.name == name)
    return [[str(cell) for cell in row] for row in table.rows]


def listed(client: Client, name: str = LIST, **query: Any) -> set[int]:
    response = client.get(reverse(name), query)
    assert response.status_code == 200
    return {row.pk for row in response.context["cl"].result_list}


def everything(booking: Booking) -> tuple[Any, ...]:
    """All that a step could have changed."""
    return (
        list(Booking.objects.order_by("pk").values()),
        booking.history.count(),
        BookingLogEntry.objects.count(),
        Delivery.objects.count(),
    )
