"""How many events of an attempt's page are kept, and what becomes of the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.host import Role
from proctoring.logs.event_types import Source
from proctoring.logs.intake import Reporter, take_in
from proctoring.logs.models import Event
from proctoring.monitoring.commands import send_command
from proctoring.monitoring.models import CommandKind, Presence
from proctoring.monitoring.silence import notice_unheard
from tests.api.conftest import Person
from tests.api.test_statements import cost
from tests.factories import AttemptFactory, UserFactory
from tests.hosts import configure


@pytest.fixture(autouse=True)
def _room(settings: Any) -> None:
    configure(settings, PAGE_MAX_EVENTS=5)


@pytest.fixture
def running(attempt: Attempt) -> Attempt:
    now = timezone.now()
    Attempt.objects.update(
        status=Status.STARTED, started_at=now - timedelta(minutes=10), expires_at=now + timedelta(minutes=50)
    )
    return Attempt.objects.get()


def rows(*names: str, **fields: Any) -> list[dict[str, Any]]:
    return [{"message_id": one, "type": 1004, "occurred_at": timezone.now().isoformat(), **fields} for one in names]


def beat(candidate: Person, attempt: Attempt, *names: str, **body: Any) -> dict[str, Any]:
    answer = candidate.post(f"/attempts/{attempt.pk}/heartbeat/", {"events": rows(*names), **body})
    assert answer.status_code == 200, answer.content
    told: dict[str, Any] = answer.json()
    return told


def alone(who: Person, attempt: Attempt, *names: str, **fields: Any) -> dict[str, Any]:
    answer = who.post(f"/attempts/{attempt.pk}/events/", rows(*names, **fields))
    assert answer.status_code == 200, answer.content
    told: dict[str, Any] = answer.json()
    return told


def codes(told: dict[str, Any]) -> list[tuple[int, str]]:
    return [(one["index"], one["code"]) for one in told["refused"]]


def kept() -> list[str]:
    return list(Event.objects.filter(type=1004).order_by("pk").values_list("message_id", flat=True))


FULL = [(0, "too_many"), (1, "too_many")]


def test_heartbeat_of_a_page_that_has_sent_too_much_is_heard_and_its_events_are_not_kept(
    candidate: Person, running: Attempt
) -> None:
    assert codes(beat(candidate, running, "a", "b", "c")) == []
    # The batch that fills it is the last.
    assert codes(beat(candidate, running, "d", "e", "f")) == []
    before = Presence.objects.get().last_seen_at
    command = send_command(running, CommandKind.MESSAGE, by=None, now=timezone.now(), text="Hello")
    told = beat(candidate, running, "g", "h")

    assert codes(told) == FULL
    assert all(one["detail"] for one in told["refused"])
    assert (told["status"], [one["id"] for one in told["commands"]]) == ("started", [command.pk])
    assert 2990 <= told["seconds_left"] <= 3000
    assert Presence.objects.get().last_seen_at > before
    assert codes(alone(candidate, running, "g", "h")) == FULL
    assert kept() == ["a", "b", "c", "d", "e", "f"]


def test_repeated_and_refused_events_count_too(candidate: Person, running: Attempt) -> None:
    """A page that sends the same for ever makes as much work as one that sends something new."""
    for _ in range(3):
        beat(candidate, running, "a")
    candidate.post(f"/attempts/{running.pk}/heartbeat/", {"events": [{}, {}]})

    assert codes(beat(candidate, running, "b", "c")) == FULL


def test_events_that_come_alone_count_with_the_others(candidate: Person, running: Attempt) -> None:
    beat(candidate, running, "a")
    assert alone(candidate, running, "b", "c", "d", "e")["stored"] == 4
    assert alone(candidate, running, "f", "g") == alone(candidate, running, "f", "g")
    assert codes(alone(candidate, running, "f", "g")) == codes(beat(candidate, running, "f", "g")) == FULL
    assert kept() == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("status", [Status.STARTED, Status.SUBMITTED])
def test_page_that_never_beats_is_counted_by_what_the_log_has_of_it(
    status: Status, candidate: Person, running: Attempt
) -> None:
    Attempt.objects.update(status=status, **({} if status == Status.STARTED else _ended()))
    assert alone(candidate, running, "a", "b", "c")["stored"] == 3
    assert alone(candidate, running, "d", "e", "f")["stored"] == 3
    assert codes(alone(candidate, running, "g", "h")) == FULL
    # Nor does it gain anything by its first heartbeat.
    assert codes(beat(candidate, running, "g", "h")) == FULL
    assert codes(beat(candidate, running, "g", "h")) == FULL


def _ended() -> dict[str, Any]:
    return {"open_slot": None, "ended_at": timezone.now()}


def test_page_that_shows_as_lost_because_it_never_beat(candidate: Person, running: Attempt) -> None:
    alone(candidate, running, "a", "b", "c", "d", "e")
    heard = AttemptFactory(exam=running.exam, status=Status.STARTED)
    Presence.objects.create(attempt=heard, last_seen_at=timezone.now(), interval_seconds=30)
    notice_unheard()

    assert Presence.objects.get(attempt=running).state == "lost"
    assert codes(beat(candidate, running, "f", "g")) == FULL


def test_heartbeats_after_the_end_count_once(candidate: Person, running: Attempt) -> None:
    beat(candidate, running, "a")
    Attempt.objects.update(status=Status.SUBMITTED, **_ended())
    beat(candidate, running, "b", "c")
    assert Presence.objects.get().page_events == 3
    beat(candidate, running, "d", "e")
    assert codes(beat(candidate, running, "f", "g")) == FULL


def test_what_others_report_is_not_counted_and_has_room(
    candidate: Person, person: Callable[..., Person], running: Attempt
) -> None:
    server = person(Role.LMS)
    assert alone(server, running, *"abcdef", type=1006)["stored"] == 6
    vendor = Reporter(source=Source.VENDOR)
    assert take_in(running, rows(*(f"s:v:{one}" for one in "abcdef"), type=5), vendor, now=timezone.now()).stored == 6
    assert alone(candidate, running, *"abcdef")["stored"] == 6
    assert codes(alone(candidate, running, "g", "h")) == FULL
    assert alone(server, running, "z", type=1006)["stored"] == 1
    assert take_in(running, rows("s:v:z", type=5), vendor, now=timezone.now()).stored == 1


def test_heartbeat_costs_what_it_did(candidate: Person, running: Attempt) -> None:
    beat(candidate, running)
    # Session and person are the host's.
    assert cost(lambda: beat_answer(candidate, running)) == 3
    assert cost(lambda: beat_answer(candidate, running, *"abcde")) == 4
    # Nothing to insert any more.
    assert cost(lambda: beat_answer(candidate, running, "f")) == 3


def beat_answer(candidate: Person, attempt: Attempt, *names: str) -> Any:
    return candidate.post(f"/attempts/{attempt.pk}/heartbeat/", {"events": rows(*names)})


@pytest.mark.parametrize("is_over", [False, True])
def test_staff_see_it_with_the_attempt(is_over: bool, candidate: Person, running: Attempt) -> None:
    boss = Client()
    boss.force_login(UserFactory(is_staff=True, is_superuser=True))
    page = reverse("admin:proctoring_attempt_change", args=[running.pk])
    beat(candidate, running, *"abcd")
    assert "no more of them are kept" not in boss.get(page).content.decode()
    beat(candidate, running, "e")
    if is_over:
        Attempt.objects.update(status=Status.SUBMITTED, **_ended())
    assert "It sent 5; no more of them are kept." in boss.get(page).content.decode()
