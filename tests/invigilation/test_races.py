"""Two people at once: of each attempt one wins, nobody waits for ever, and nothing is done or undone twice."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.utils import timezone

from proctoring.attempts.models import Attempt
from proctoring.host import Role
from proctoring.invigilation.bulk import act_on_many, carry_out, go_on, record_bulk_action
from proctoring.invigilation.choosing import choose_named
from proctoring.invigilation.models import BulkItem
from proctoring.invigilation.undo import undo_bulk_action
from proctoring.monitoring.models import Command
from tests.attempts.racing import kinds, race
from tests.factories import UserFactory
from tests.hosts import ScriptedHost
from tests.invigilation.doing import Why, now_of, wish

pytestmark = [pytest.mark.concurrency, pytest.mark.django_db(transaction=True)]

TIMES = 5
MISTAKE = Why(reason_code=30030, comment="A mistake")


@pytest.fixture
def colleague(lms: ScriptedHost, exam: Any) -> AbstractUser:
    user = UserFactory()
    lms.roles.add((user.pk, exam.course_id, Role.INVIGILATOR))
    return user


@pytest.fixture
def running(sitting: Any) -> Any:
    """Who have just begun: races have no clock of their own."""

    def make(number: int) -> list[Attempt]:
        attempts: list[Attempt] = sitting(number)
        now = timezone.now()
        Attempt.objects.filter(status="started").update(started_at=now, expires_at=now + timedelta(hours=1))
        return attempts

    return make


@pytest.mark.parametrize("action", ["pause", "terminate"])
def test_two_bulk_actions_share_the_attempts_between_them(
    running: Any, proctor: AbstractUser, colleague: AbstractUser, action: str
) -> None:
    for _ in range(TIMES):
        keys = [one.pk for one in running(6)]
        answers = race(
            lambda: act_on_many(choose_named(keys, by=proctor), wish(action), by=proctor),  # noqa: B023
            lambda: act_on_many(choose_named(keys[::-1], by=colleague), wish(action), by=colleague),  # noqa: B023
        )
        assert kinds(answers) == ["ok", "ok"]
        for key in keys:
            said = Counter(BulkItem.objects.filter(asked=key).values_list("result", "code"))
            assert said == {("done", ""): 1, ("refused", "illegal_transition"): 1}
            assert Command.objects.filter(attempt=key).count() == 1


def test_extensions_at_once_both_count(running: Any, proctor: AbstractUser, colleague: AbstractUser) -> None:
    attempts = running(6)
    keys = [one.pk for one in attempts]
    race(
        lambda: act_on_many(choose_named(keys, by=proctor), wish("extend"), by=proctor),
        lambda: act_on_many(choose_named(keys[::-1], by=colleague), wish("extend", minutes=5), by=colleague),
    )
    assert {now_of(one).total_seconds for one in attempts} == {3600 + 900}
    assert set(BulkItem.objects.values_list("result", flat=True)) == {"done"}


def test_two_who_undo_take_each_attempt_back_once(running: Any, proctor: AbstractUser, colleague: AbstractUser) -> None:
    for _ in range(TIMES):
        keys = [one.pk for one in running(3)]
        bulk = act_on_many(choose_named(keys, by=proctor), wish("pause"), by=proctor)
        answers = race(
            *(lambda by=by, bulk=bulk: undo_bulk_action(bulk, MISTAKE, by=by) for by in (proctor, colleague))
        )
        # Who comes while the other is at it goes on with what is left.
        assert kinds(answers) in (["Conflict", "ok"], ["ok", "ok"])
        assert Command.objects.filter(attempt__in=keys, kind="resume").count() == 3
        assert set(bulk.items.values_list("undo_result", flat=True)) == {"done"}
        assert set(Attempt.objects.filter(pk__in=keys).values_list("status", flat=True)) == {"started"}


@pytest.mark.parametrize("action", ["pause", "extend", "message"])
def test_two_who_go_on_do_everything_once(
    running: Any, proctor: AbstractUser, colleague: AbstractUser, action: str
) -> None:
    for _ in range(TIMES):
        keys = [one.pk for one in running(5)]
        bulk = record_bulk_action(choose_named(keys, by=proctor), wish(action), by=proctor)
        answers = race(*(lambda by=by, bulk=bulk: go_on(bulk, by=by) for by in (proctor, colleague)))
        assert kinds(answers) == ["ok", "ok"]
        assert set(bulk.items.values_list("result", flat=True)) == {"done"}
        assert Command.objects.filter(attempt__in=keys).count() == 5


def test_whoever_undoes_what_still_runs_stops_it(running: Any, proctor: AbstractUser) -> None:
    """Each item was done and taken back, or not done: none is done and forgotten."""
    for _ in range(TIMES):
        attempts = running(5)
        choice = choose_named([one.pk for one in attempts], by=proctor)
        bulk = record_bulk_action(choice, wish("pause"), by=proctor)
        answers = race(
            lambda: carry_out(bulk, choice, by=proctor),  # noqa: B023
            lambda: undo_bulk_action(bulk, MISTAKE, by=proctor),  # noqa: B023
        )
        assert kinds(answers) == ["ok", "ok"]
        assert {now_of(one).status for one in attempts} == {"started"}
        for item in bulk.items.all():
            assert (item.result, item.undo_result) in {("done", "done"), ("refused", "")}
