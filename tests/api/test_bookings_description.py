"""The doors of bookings held against their own description, with made-up requests about bookings that exist."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from proctoring.bookings import states
from proctoring.bookings.lifecycle import log
from proctoring.bookings.log_codes import JOINED
from proctoring.bookings.models import BookingPlan
from tests.api.conftest import A, Person
from tests.api.test_description import CHECKS, operations
from tests.booking_vendor import live_vendor
from tests.factories import TEN, BookingFactory, LiveSessionFactory

DOORS = ("/bookings/", "/booking-log/", "/live-sessions/")


@pytest.fixture
def known(candidate: Person, settings: Any) -> list[int]:
    """A booking in each status, each with the candidate and its log."""
    live_vendor(settings)
    keys = []
    for status in states.Status.values:
        reason = states.CHECK_FAILED if status == "rejected" else ""
        booking = BookingFactory(exam__course_id=A, status=status, rejection_reason=reason, external_id="b")
        session = LiveSessionFactory(booking=booking, user=candidate.user)
        log(booking, states.WITHOUT_CODE, now=TEN, step="cancelled", by=candidate.user)
        log(booking, JOINED, now=TEN, session=session)
        keys.append(booking.pk)
    return keys


@pytest.fixture
def _one_connection() -> Iterator[None]:
    """A server closes connections between requests; the test's transaction is in this one."""
    signals = (request_started, request_finished)
    for signal in signals:
        signal.disconnect(close_old_connections)
    yield
    for signal in signals:
        signal.connect(close_old_connections)


@pytest.mark.long
@pytest.mark.usefixtures("_one_connection")
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("who", ["superuser", "candidate"])
def test_no_request_is_answered_otherwise_than_described(
    request: pytest.FixtureRequest, known: list[int], who: str, mode: GenerationMode
) -> None:
    session = request.getfixturevalue(who).client.cookies["sessionid"].value
    token = "x" * 32
    exams = list(BookingPlan.objects.values_list("exam_id", flat=True))
    seen: Counter[int] = Counter()
    for operation in operations():
        if not any(door in operation.path for door in DOORS):
            continue

        @settings(
            max_examples=12,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(mode), key=st.sampled_from([*known, None]), exam=st.sampled_from(exams))
        def ask(case: Any, key: Any, exam: int) -> None:
            if key is not None and "id" in case.path_parameters:
                case.path_parameters["id"] = key
            if isinstance(case.body, dict) and "exam" in case.body and key is not None:
                case.body["exam"] = exam
            case.cookies = {"sessionid": session, "csrftoken": token}
            case.headers = {name: value for name, value in case.headers.items() if name == "Idempotency-Key"}
            seen[case.call_and_validate(headers={"X-CSRFToken": token}, checks=CHECKS).status_code] += 1

        ask()
    assert 200 in seen
    assert 404 in seen or mode == GenerationMode.NEGATIVE
    assert not seen[401]
