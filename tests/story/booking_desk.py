"""A planner's desk for stories: everything is done through the REST API, and read there."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Thread
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.utils import timezone

from proctoring import tasks
from proctoring.testing.simulator.process import SimulatorProcess
from tests.story.conftest import PATIENCE, House

API = "/proctoring/api/v1/"


@dataclass
class Desk:
    house: House
    client: Client

    @property
    def simulator(self) -> SimulatorProcess:
        return self.house.simulator

    def call(self, method: str, path: str, body: Any = None, *, expect: int = 200) -> Any:
        answer = self.client.generic(
            method, API + path, "" if body is None else json.dumps(body), content_type="application/json"
        )
        assert answer.status_code == expect, (method, path, answer.status_code, answer.content)
        return answer.json()

    def plan(self, *, hours: float = 24.0, length: float = 2.0, **said: Any) -> dict[str, Any]:
        """A draft, of a window so many hours from now."""
        starts_at = (timezone.now() + timedelta(hours=hours)).replace(microsecond=0)
        body = {
            "exam": self.house.exam.pk,
            "starts_at": starts_at.isoformat(),
            "ends_at": (starts_at + timedelta(hours=length)).isoformat(),
            "ratio": 4,
            "candidates": [self.house.candidate.pk],
            **said,
        }
        made: dict[str, Any] = self.call("POST", "bookings/", body, expect=201)
        return made

    def scheduled(self, **said: Any) -> int:
        booking = self.plan(**said)
        self.call("POST", f"bookings/{booking['id']}/schedule/", {})
        return int(booking["id"])

    def become(self, status: str, **said: Any) -> int:
        """A booking that has got so far."""
        key = self.scheduled(**said)
        self.until(lambda: self.show(key)["status"] == status, f"booking to become {status}", key)
        return key

    def show(self, key: int) -> dict[str, Any]:
        shown: dict[str, Any] = self.call("GET", f"bookings/{key}/")
        return shown

    def log(self, key: int) -> list[dict[str, Any]]:
        """Oldest first."""
        rows: list[dict[str, Any]] = self.call("GET", f"bookings/{key}/log/?page_size=200")["results"]
        return rows[::-1]

    def codes(self, key: int) -> list[str | None]:
        return [row["code"] for row in self.log(key)]

    def until_logged(self, key: int, code: str) -> dict[str, Any]:
        self.until(lambda: code in self.codes(key), f"the entry {code}", key)
        return next(row for row in self.log(key) if row["code"] == code)

    def until(self, happened: Callable[[], Any], what: str, key: int) -> Any:
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:
            self.work()
            if found := happened():
                return found
            time.sleep(0.05)
        pytest.fail(f"still waiting: {what}; {self.show(key)}; {self.codes(key)}; {self.simulator.live()}")

    def work(self) -> None:
        """What beat and a worker do all day, once."""
        for task in (
            tasks.deliver_due,
            tasks.process_messages,
            tasks.send_bookings,
            tasks.check_bookings,
            tasks.read_sessions,
            tasks.read_ratings,
        ):
            task()

    def meanwhile(self, work: Callable[[], Any], act: Callable[[], Any]) -> None:
        """Another worker is at ``work``, in the middle of a slow call, when somebody acts."""

        def run() -> None:
            work()
            connections.close_all()

        worker = Thread(target=run)
        worker.start()
        time.sleep(0.7)
        act()
        worker.join(PATIENCE)
        assert not worker.is_alive()
