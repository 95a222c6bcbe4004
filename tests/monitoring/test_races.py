"""Heartbeats, sweeps and steps at the same moment: nothing is noted twice, nothing is lost, nobody waits for ever."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.contrib.auth import get_user_model

from proctoring.attempts import services
from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.states import Actor, Status
from proctoring.exams.models import OutagePolicy
from proctoring.logs.models import Event
from proctoring.monitoring.beating import Pulse
from proctoring.monitoring.commands import Acknowledged, acknowledge_commands, send_command
from proctoring.monitoring.heartbeats import take_heartbeat
from proctoring.monitoring.models import CommandKind, Presence, SeenAddress
from proctoring.monitoring.silence import notice_silence, notice_unheard
from tests.attempts.racing import TIMES, kinds, race
from tests.factories import AttemptFactory, ExamFactory, at

pytestmark = [pytest.mark.concurrency, pytest.mark.django_db(transaction=True)]


def sitting() -> Attempt:
    exam = ExamFactory(outage_policy=OutagePolicy.CREDIT, outage_cap_minutes=60)
    return AttemptFactory(exam=exam, status=Status.STARTED)


def beat(attempt: Attempt, *, minute: int, rows: Any = (), ip: str = "192.0.2.1", trip: int | None = None) -> Any:
    pulse = Pulse(ip=ip, round_trip_ms=trip)
    return take_heartbeat(attempt.pk, attempt.user_id, pulse, rows, now=at(10, minute))


def rows(tab: str, count: int = 20) -> list[dict[str, Any]]:
    when = "2026-03-02T10:10:00Z"
    return [{"message_id": f"{tab}{number}", "type": 1005, "occurred_at": when} for number in range(count)]


def types(attempt: Attempt) -> Counter[int]:
    return Counter(Event.objects.filter(attempt=attempt.pk).values_list("type", flat=True))


def test_first_heartbeats_of_two_tabs_make_one_row() -> None:
    for _ in range(TIMES):
        attempt = sitting()
        answers = race(*[lambda attempt=attempt: beat(attempt, minute=5)] * 3)
        assert kinds(answers) == ["ok"] * 3
        assert Presence.objects.filter(pk=attempt.pk).count() == 1
        assert SeenAddress.objects.filter(attempt=attempt).count() == 1


def test_tabs_that_come_back_and_sweeps_that_notice_give_the_time_once() -> None:
    for _ in range(TIMES):
        attempt = sitting()
        beat(attempt, minute=10)
        answers = race(
            lambda attempt=attempt: beat(attempt, minute=14, rows=rows("a")),
            lambda attempt=attempt: beat(attempt, minute=14, rows=rows("b")),
            lambda: notice_silence(now=at(10, 14)),
            lambda: notice_silence(now=at(10, 14)),
        )
        assert kinds(answers) == ["ok"] * 4
        beat(attempt, minute=15)
        given = TimeEntry.objects.filter(attempt=attempt, kind="outage")
        assert [entry.seconds for entry in given] == [240]
        assert types(attempt) == {1020: 1, 1021: 1, 1005: 40}
        attempt.refresh_from_db()
        assert (attempt.expires_at, attempt.outage_since, attempt.held_seconds) == (at(11, 4), None, 0)


def test_heartbeats_with_events_beside_pauses_new_tabs_and_the_sweep() -> None:
    """Each takes the attempt's row and the presence's, the ones before and the others after it."""
    proctor = get_user_model().objects.create_user("proctor")
    for _ in range(TIMES):
        attempt = sitting()
        beat(attempt, minute=10)
        answers = race(
            lambda attempt=attempt: beat(attempt, minute=11, rows=rows("a", 200)),
            lambda attempt=attempt: beat(attempt, minute=11, ip="192.0.2.2", rows=rows("b", 50)),
            lambda attempt=attempt: beat(attempt, minute=11, trip=5000),
            lambda attempt=attempt: services.pause_attempt(attempt, by=proctor, actor=Actor.PROCTOR, now=at(10, 11)),
            lambda: notice_silence(now=at(10, 11)),
        )
        assert kinds(answers) == ["ok"] * 5
        assert types(attempt)[1005] == 250
        assert Attempt.objects.get(pk=attempt.pk).status == Status.PAUSED


def test_submitting_while_the_page_comes_back_settles_once() -> None:
    for _ in range(TIMES):
        attempt = sitting()
        beat(attempt, minute=10)
        notice_silence(now=at(10, 12))
        answers = race(
            lambda attempt=attempt: beat(attempt, minute=14),
            lambda attempt=attempt: services.submit_attempt(attempt, by=attempt.user, now=at(10, 14)),
        )
        assert kinds(answers) == ["ok", "ok"]
        assert TimeEntry.objects.filter(attempt=attempt, kind="outage").count() == 1


def test_command_is_carried_out_once_whoever_says_so() -> None:
    for _ in range(TIMES):
        attempt = sitting()
        command = send_command(attempt, CommandKind.MESSAGE, by=None, now=at(10, 5))
        done = [Acknowledged(command=command.pk, applied=True)]
        answers = race(*[lambda attempt=attempt: acknowledge_commands(attempt, done, now=at(10, 6))] * 3)  # noqa: B023
        assert kinds(answers) == ["ok"] * 3
        assert types(attempt) == {1050: 1, 1051: 1, 1052: 1}


def test_unheard_page_is_noticed_once_and_its_first_word_is_heard() -> None:
    for _ in range(TIMES):
        heard = sitting()
        silent = AttemptFactory(exam=heard.exam, status=Status.STARTED)
        beat(heard, minute=4)
        answers = race(
            lambda: notice_unheard(now=at(10, 5)),
            lambda: notice_unheard(now=at(10, 5)),
            lambda silent=silent: beat(silent, minute=5),
        )
        assert kinds(answers) == ["ok"] * 3
        assert types(silent)[1020] == types(silent)[1021] <= 1
        assert Presence.objects.get(pk=silent.pk).state == "online"
