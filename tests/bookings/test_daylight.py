"""Windows across the change of the clocks: planner, vendor and candidate mean the same instants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import Permission
from django.utils import timezone

from proctoring.bookings.models import LiveSession
from proctoring.exams.models import ExamType
from tests.api.conftest import Person
from tests.bookings.desk import check, send, vendor_of
from tests.factories import ExamFactory, UserFactory

pytestmark = pytest.mark.django_db

LINK = "https://vendor.example/room"


@pytest.mark.parametrize("zone", ["Europe/Berlin", "UTC"])
@pytest.mark.parametrize(
    ("starts", "ends", "starts_at", "ends_at"),
    [
        # The night in which an hour is missing: 01:30 to 03:30 is one hour.
        (
            "2027-03-28T01:30:00+01:00",
            "2027-03-28T03:30:00+02:00",
            datetime(2027, 3, 28, 0, 30, tzinfo=UTC),
            datetime(2027, 3, 28, 1, 30, tzinfo=UTC),
        ),
        # The night in which an hour comes twice: from the first 02:30 to the second one.
        (
            "2026-10-25T02:30:00+02:00",
            "2026-10-25T02:30:00+01:00",
            datetime(2026, 10, 25, 0, 30, tzinfo=UTC),
            datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        ),
    ],
    ids=["an hour is missing", "an hour comes twice"],
)
def test_the_same_instants_for_all(
    starts: str, ends: str, starts_at: datetime, ends_at: datetime, zone: str, settings: Any
) -> None:
    settings.TIME_ZONE = zone
    vendor = vendor_of(settings)
    candidate, staff = UserFactory(), UserFactory()
    staff.user_permissions.add(Permission.objects.get(codename="plan_bookings"))
    exam = ExamFactory(exam_type=ExamType.PROCTORED)
    body = {"exam": exam.pk, "starts_at": starts, "ends_at": ends, "candidates": [candidate.pk]}
    with time_machine.travel(starts_at - timedelta(days=7), tick=False), timezone.override(zone):
        planner = Person(staff)
        booking = planner.post("/bookings/", body).json()
        assert planner.post(f"/bookings/{booking['id']}/schedule/").status_code == 200
        send()
        shown = planner.get(f"/bookings/{booking['id']}/").json()
    assert [shown[name] for name in ("starts_at", "ends_at")] == [_utc(starts_at), _utc(ends_at)]
    [request] = vendor.script.book.values()
    assert (request.starts_at, request.ends_at) == (starts_at, ends_at)
    assert (request.reserved_from, request.reserved_until) == (
        starts_at - timedelta(minutes=15),
        ends_at + timedelta(minutes=10),
    )
    with time_machine.travel(starts_at - timedelta(hours=1), tick=False) as clock, timezone.override(zone):
        check()
        session = LiveSession.objects.select_related("booking").get()
        session.join_url = LINK
        session.save()
        person, links = Person(candidate), []
        for moment in (
            starts_at - timedelta(minutes=15, seconds=1),
            starts_at - timedelta(minutes=15),
            ends_at + timedelta(minutes=9, seconds=59),
            ends_at + timedelta(minutes=10),
        ):
            clock.move_to(moment)
            [row] = person.get("/live-sessions/").json()["results"]
            links.append(row["join_url"])
    assert links == [None, LINK, LINK, None]
    assert (row["starts_at"], row["ends_at"]) == (_utc(starts_at), _utc(ends_at))


def _utc(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
