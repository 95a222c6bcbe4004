"""An attempt that runs since ten o'clock, and a page of it that beats."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import pytest

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.exams.models import ExamType, OutagePolicy
from proctoring.monitoring.beating import Pulse
from proctoring.monitoring.heartbeats import Heard, take_heartbeat
from tests.factories import AttemptFactory, ExamFactory


@pytest.fixture(autouse=True)
def _database(db: None) -> None:
    """Every test here writes."""


Beat = Callable[..., Heard]


@pytest.fixture
def make() -> Callable[..., Attempt]:
    """An attempt of 60 minutes that runs since ten o'clock."""

    def make_one(policy: OutagePolicy = OutagePolicy.OFF, cap: int = 5, **exam: Any) -> Attempt:
        made = ExamFactory(exam_type=ExamType.TIMED, outage_policy=policy, outage_cap_minutes=cap, **exam)
        return AttemptFactory(exam=made, status=Status.STARTED)

    return make_one


@pytest.fixture
def beat() -> Beat:
    def send(attempt: Attempt, now: datetime, rows: Any = (), **pulse: Any) -> Heard:
        heard = take_heartbeat(attempt.pk, attempt.user_id, Pulse(**{"ip": "192.0.2.1", **pulse}), rows, now=now)
        assert heard is not None
        return heard

    return send
