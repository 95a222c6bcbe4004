"""Workers die at any moment. The rows are the truth: another worker finishes, and the vendor has each thing once."""

from __future__ import annotations

import random
import time
from collections import Counter
from typing import Any

from django.contrib.auth import get_user_model

from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt
from proctoring.attempts.services import start_attempt, submit_attempt
from proctoring.outbox.models import Delivery
from proctoring.reviews.models import Review
from tests.story.conftest import House
from tests.workers.process import kill, loop

CANDIDATES = 6
KILLS = 8


def test_workers_that_are_killed_again_and_again_lose_and_double_nothing(house: House, settings: Any) -> None:
    settings.PROCTORING = {**settings.PROCTORING, "LEASE_SECONDS": 2}
    house.simulator.set_faults({"kind": "latency", "seconds": 0.1}, {"kind": "lost_answer", "probability": 0.2})
    users = [get_user_model().objects.create_user(f"c{n}", f"c{n}@example.org") for n in range(CANDIDATES)]
    for user in users:
        create_attempt(house.exam, user)
    chance = random.Random(7)
    for _ in range(KILLS):
        with loop() as worker:
            time.sleep(0.7 + chance.random() * 0.8)
            _sit(users)
            kill(worker)
    house.simulator.set_faults()
    house.until(lambda: _sit(users) or _all_verified(), "every attempt to be verified")
    house.until(lambda: not Delivery.objects.owed().exists(), "everything owed to be delivered")

    book = house.simulator.book()
    assert len(book["attempts"]) == CANDIDATES
    assert {one["id"] for one in book["attempts"]} == set(Attempt.objects.values_list("external_id", flat=True))
    obeyed = Counter(
        (call["path"], call["body"]["status"])
        for call in book["calls"]
        if call["method"] == "PATCH" and call["status"] == 200 and call.get("replayed") is False
    )
    assert len(obeyed) == 2 * CANDIDATES
    assert set(obeyed.values()) == {1}
    assert Review.objects.count() == CANDIDATES
    for attempt in Attempt.objects.all():
        assert Counter(row.status for row in attempt.history.all())["verified"] == 1


def _sit(users: list[Any]) -> None:
    for attempt in Attempt.objects.filter(user__in=users, status="ready_to_start").select_related("exam", "user"):
        start_attempt(attempt, by=attempt.user)
        submit_attempt(attempt, by=attempt.user)


def _all_verified() -> bool:
    return Attempt.objects.filter(status="verified").count() == CANDIDATES
