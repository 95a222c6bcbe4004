"""A whole house for a story: a server that takes webhooks, and the vendor in another process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from proctoring import tasks
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam
from proctoring.exams.services import create_exam
from proctoring.outbox.models import Delivery
from proctoring.testing.simulator.process import SimulatorProcess
from proctoring.testing.simulator.settings import Settings

ALIAS = "simulator"
PATIENCE = 30.0
"""Seconds after which a story counts as stuck. A bound, not a measurement: a good run needs a second or two."""

QUICK = {
    "DELIVERY_BACKOFF_SECONDS": 1,
    "CIRCUIT_OPEN_SECONDS": 1,
    "CIRCUIT_FAILURES": 3,
}


@dataclass
class House:
    """What a story needs: the vendor, the people, the exam, and time that passes."""

    simulator: SimulatorProcess
    staff: Any
    candidate: Any
    exam: Exam

    def begin(self) -> Attempt:
        return create_attempt(self.exam, self.candidate)

    def attempt(self) -> Attempt:
        return Attempt.objects.select_related("exam", "user").get(exam=self.exam, user=self.candidate)

    def work(self) -> None:
        """What beat and a worker do all day, once."""
        tasks.deliver_due()
        tasks.process_messages()
        tasks.apply_kept_reviews()

    def until(self, happened: Callable[[], Any], what: str) -> Any:
        """Work until it has happened; fail, and say what did not happen, when patience is over."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.work()
            if found := happened():
                return found
            time.sleep(0.05)
        pytest.fail(f"still waiting: {what}; owed: {self.owed()}; the vendor's book: {self.simulator.book()}")

    def owed(self) -> list[tuple[str, str, str]]:
        return list(Delivery.objects.owed().values_list("operation", "status", "last_error"))

    def until_status(self, status: str) -> Attempt:
        def reached() -> Attempt | None:
            attempt = self.attempt()
            return attempt if attempt.status == status else None

        found: Attempt = self.until(reached, f"the attempt to become {status}")
        return found


@pytest.fixture(scope="session")
def process(live_server: Any) -> Iterator[SimulatorProcess]:
    url = f"{live_server.url}/proctoring/webhooks/{ALIAS}/"
    quick = ("--review-after", "0.1", "--auto-ready", "0.1")
    with SimulatorProcess(*quick, webhook_url=url, remember=True) as running:
        yield running


@pytest.fixture
def simulator(process: SimulatorProcess, live_server: Any) -> SimulatorProcess:
    """One process for all stories, which forgets between them; a story may stop or kill it."""
    if process.returncode is not None:
        process.start()
    process.control("POST", "reset")
    url = f"{live_server.url}/proctoring/webhooks/{ALIAS}/"
    process.change_settings(**Settings(webhook_url=url, review_after=0.1, auto_ready=0.1).as_json())
    return process


@pytest.fixture
def house(transactional_db: None, simulator: SimulatorProcess, settings: Any) -> House:
    options = {**simulator.backend_options(), "read_timeout": 2.0, "total_timeout": 3.0}
    settings.PROCTORING = {
        **settings.PROCTORING,
        **QUICK,
        "BACKENDS": {ALIAS: {"BACKEND": "proctoring.backends.rest.RestBackend", "OPTIONS": options}},
        "DEFAULT_BACKEND": ALIAS,
    }
    users = get_user_model().objects
    staff = users.create_superuser("staff", "staff@example.org", "staff")
    candidate = users.create_user("candidate", "candidate@example.org", "candidate")
    exam = create_exam(
        {
            "course_id": "course-v1:Demo+1+2026",
            "content_id": "exam-1",
            "name": "Final exam",
            "exam_type": "proctored",
            "status": "active",
            "time_limit_minutes": 60,
        },
        by=staff,
    )
    return House(simulator=simulator, staff=staff, candidate=candidate, exam=exam)
