"""The way back: by the opposite step, and only where an attempt is still as the action left it."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.attempts.models import Attempt
from proctoring.errors import Conflict
from proctoring.host import Role
from proctoring.invigilation.actions import UNDOABLE, Action
from proctoring.invigilation.bulk import record_bulk_action
from proctoring.invigilation.choosing import choose_named
from proctoring.monitoring.models import Command
from tests.factories import UserFactory, at
from tests.hosts import ScriptedHost
from tests.invigilation.doing import do, do_to_all, killed_after, logged, now_of, results, undo, undone, wish

pytestmark = pytest.mark.django_db

DONE = ("done", "")


def last_told(attempt: Attempt) -> tuple[str, int | None]:
    return Command.objects.filter(attempt=attempt).order_by("pk").values_list("kind", "minutes").last()  # type: ignore[return-value]


def test_a_pause_is_ended_and_given_back(sitting: Any, proctor: AbstractUser) -> None:
    attempts = sitting(2)
    bulk = do_to_all(attempts, "pause", proctor)
    assert undone(undo(bulk, proctor)) == [DONE, DONE]
    for attempt in map(now_of, attempts):
        assert (attempt.status, attempt.expires_at) == ("started", at(11, 10))
        assert last_told(attempt) == ("resume", None)
    assert (bulk.undone_at, bulk.undone_by) == (at(10, 40), proctor)
    assert (bulk.undo_reason_code, bulk.undo_comment) == (30030, "A mistake")
    assert results(bulk) == [DONE, DONE]


def test_a_resume_becomes_a_pause(sitting: Any, proctor: AbstractUser) -> None:
    attempts = sitting(1, "paused")
    assert undone(undo(do_to_all(attempts, "resume", proctor), proctor)) == [DONE]
    assert (now_of(attempts[0]).status, last_told(attempts[0])) == ("paused", ("pause", None))


def test_extra_time_is_reversed_in_the_ledger(sitting: Any, proctor: AbstractUser) -> None:
    (attempt,) = sitting()
    bulk = do_to_all([attempt], "extend", proctor)
    assert now_of(attempt).expires_at == at(11, 10)
    assert undone(undo(bulk, proctor)) == [DONE]
    assert now_of(attempt).expires_at == at(11, 0)
    given, taken = attempt.time_entries.filter(kind="extra_time")
    assert (taken.seconds, taken.reverses, taken.note, taken.by) == (-600, given, "A mistake", proctor)
    assert last_told(attempt) == ("extend", -10)
    assert len(logged(attempt, 1062)) == 1


def test_of_two_extensions_each_takes_back_its_own(sitting: Any, proctor: AbstractUser) -> None:
    (attempt,) = sitting()
    first = do_to_all([attempt], "extend", proctor)
    do_to_all([attempt], "extend", proctor, minutes=30)
    assert undone(undo(first, proctor)) == [DONE]
    assert now_of(attempt).expires_at == at(11, 30)


def test_time_that_is_being_used_is_not_taken(sitting: Any, proctor: AbstractUser) -> None:
    (attempt,) = sitting()
    bulk = do_to_all([attempt], "extend", proctor, minutes=30)
    assert undone(undo(bulk, proctor, moment=at(11, 5))) == [("refused", "time_used")]
    assert (now_of(attempt).status, now_of(attempt).expires_at) == ("started", at(11, 30))


@pytest.mark.parametrize("action", [one for one in Action.values if one not in UNDOABLE])
def test_what_has_no_way_back_says_so(sitting: Any, proctor: AbstractUser, action: str) -> None:
    attempts = [*sitting(1), *sitting(1, "submitted")]
    bulk = do_to_all(attempts, action, proctor)
    before = [now_of(one).status for one in attempts]
    undo(bulk, proctor)
    expected = ("refused", "not_undoable")
    assert undone(bulk) == [expected if result == "done" else ("", "") for result, _code in results(bulk)]
    assert [now_of(one).status for one in attempts] == before


def test_only_what_is_still_as_it_was_left(sitting: Any, proctor: AbstractUser) -> None:
    ended, again, untouched = attempts = sitting(3)
    bulk = do_to_all(attempts, "pause", proctor)
    do(ended, "terminate", proctor, now=at(10, 31))
    do(again, "resume", proctor, now=at(10, 31))
    do(again, "pause", proctor, now=at(10, 32))
    changed = ("refused", "changed_meanwhile")
    assert undone(undo(bulk, proctor)) == [changed, changed, DONE]
    assert [now_of(one).status for one in attempts] == ["terminated", "paused", "started"]
    assert now_of(untouched).status == "started"


def test_a_resume_after_another_pause_is_not_as_it_was_left(sitting: Any, proctor: AbstractUser) -> None:
    (attempt,) = sitting(1, "paused")
    bulk = do_to_all([attempt], "resume", proctor)
    do(attempt, "pause", proctor, now=at(10, 31))
    do(attempt, "resume", proctor, now=at(10, 32))
    assert undone(undo(bulk, proctor)) == [("refused", "changed_meanwhile")]
    assert now_of(attempt).status == "started"


def test_an_extension_that_staff_reversed_or_an_attempt_that_ended(sitting: Any, proctor: AbstractUser) -> None:
    ended, open_one = attempts = sitting(2)
    bulk = do_to_all(attempts, "extend", proctor)
    do(ended, "terminate", proctor, now=at(10, 31))
    from proctoring.attempts.services import reverse_time

    entry = open_one.time_entries.get(kind="extra_time")
    reverse_time(open_one, entry=entry, by=proctor, reason_code=None, note="x", now=at(10, 32))
    assert undone(undo(bulk, proctor)) == [("refused", "changed_meanwhile"), ("refused", "already_reversed")]


def test_what_was_refused_has_nothing_to_undo(sitting: Any, proctor: AbstractUser) -> None:
    bulk = do_to_all([*sitting(1, "submitted"), *sitting(1)], "pause", proctor)
    assert undone(undo(bulk, proctor)) == [("", ""), DONE]


def test_once(sitting: Any, proctor: AbstractUser) -> None:
    bulk = do_to_all(sitting(1), "pause", proctor)
    undo(bulk, proctor)
    with pytest.raises(Conflict) as refused:
        undo(bulk, proctor)
    assert refused.value.code == "already_undone"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("action", "before"), [("pause", "started"), ("resume", "paused")])
def test_one_that_was_killed_goes_on(
    sitting: Any, proctor: AbstractUser, lms: ScriptedHost, action: str, before: str
) -> None:
    attempts = sitting(3, before)
    bulk = do_to_all(attempts, action, proctor)
    with killed_after(attempts[0]), pytest.raises(KeyboardInterrupt):
        undo(bulk, proctor)
    assert undone(bulk) == [DONE, ("", ""), ("", "")]
    colleague = UserFactory()
    lms.roles.add((colleague.pk, attempts[0].exam.course_id, Role.INVIGILATOR))
    undo(bulk, colleague, moment=at(10, 45))
    assert undone(bulk) == [DONE] * 3
    assert {now_of(one).status for one in attempts} == {before}
    assert [Command.objects.filter(attempt=one).count() for one in attempts] == [2] * 3
    assert (bulk.undone_at, bulk.undone_by) == (at(10, 40), proctor)
    with pytest.raises(Conflict):
        undo(bulk, proctor)


def test_what_was_not_reached_is_not_done_any_more(sitting: Any, proctor: AbstractUser) -> None:
    (attempt,) = sitting()
    bulk = record_bulk_action(choose_named([attempt.pk], by=proctor), wish("pause"), by=proctor)
    assert results(undo(bulk, proctor)) == [("refused", "stopped")]


def test_by_who_intervenes_in_the_attempts_own_course(sitting: Any, proctor: AbstractUser, lms: ScriptedHost) -> None:
    (attempt,) = sitting()
    bulk = do_to_all([attempt], "pause", proctor)
    lms.roles.discard((proctor.pk, attempt.exam.course_id, Role.INVIGILATOR))
    assert undone(undo(bulk, proctor)) == [("refused", "not_permitted")]
    assert now_of(attempt).status == "paused"
