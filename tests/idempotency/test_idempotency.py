"""The same key answers the same thing for a day, and does it once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.errors import InvalidInput, RuleBroken
from proctoring.exams.models import Exam
from proctoring.idempotency.models import IdempotencyRecord
from proctoring.idempotency.services import forget_old, once
from tests.attempts.racing import TIMES, race
from tests.factories import TEN, ExamFactory, UserFactory, at

pytestmark = pytest.mark.django_db


@pytest.fixture
def user(db: None) -> AbstractUser:
    return UserFactory()


def created() -> tuple[int, Any]:
    return 201, {"exam": ExamFactory().content_id}


def call(user: AbstractUser, act: Callable[[], tuple[int, Any]] = created, **changes: Any) -> tuple[int, Any, bool]:
    return once(**{"user": user, "key": "key", "fingerprint": "f" * 64, "now": TEN, "act": act, **changes})


def test_a_repeated_call_answers_as_the_first_and_acts_no_more(user: AbstractUser) -> None:
    status, answer, repeated = call(user)
    assert (status, repeated) == (201, False)
    assert call(user, now=at(23, 59)) == (201, answer, True)
    assert Exam.objects.count() == 1


def test_keys_of_different_people_and_different_keys_are_different(user: AbstractUser) -> None:
    call(user)
    assert call(UserFactory())[2] is False
    assert call(user, key="other")[2] is False
    assert Exam.objects.count() == 3


def test_a_key_that_was_used_for_another_request_is_refused(user: AbstractUser) -> None:
    call(user)
    with pytest.raises(RuleBroken) as refused:
        call(user, fingerprint="e" * 64)
    assert refused.value.code == "idempotency_key_reused"
    assert Exam.objects.count() == 1


def test_a_refusal_is_not_kept_and_leaves_nothing(user: AbstractUser) -> None:
    def refuse() -> tuple[int, Any]:
        ExamFactory()
        raise RuleBroken("no")

    with pytest.raises(RuleBroken):
        call(user, refuse)
    assert not Exam.objects.exists()
    assert not IdempotencyRecord.objects.exists()
    assert call(user)[2] is False


def test_a_key_is_forgotten_after_a_day(user: AbstractUser) -> None:
    call(user)
    assert call(user, now=TEN + timedelta(hours=24))[2] is True
    assert call(user, now=TEN + timedelta(hours=24, seconds=1))[2] is False
    assert Exam.objects.count() == 2


def test_the_sweep_drops_what_is_older_than_a_day(user: AbstractUser) -> None:
    call(user, key="old", now=TEN - timedelta(hours=25))
    call(user, key="new")
    assert forget_old(now=TEN) == 1
    assert IdempotencyRecord.objects.get().key == "new"


@pytest.mark.parametrize("key", ["", "x" * 256, "a\nb", "ü", "a\x00", "\ud800"])
def test_a_key_is_printable_ascii(key: str, user: AbstractUser) -> None:
    with pytest.raises(InvalidInput) as refused:
        call(user, key=key)
    assert "Idempotency-Key" in refused.value.errors
    assert not IdempotencyRecord.objects.exists()


@pytest.mark.parametrize("answer", [None, [], {"a": [1, "ü", None]}, "text"])
def test_any_json_answer_comes_back_as_it_was(answer: Any, user: AbstractUser) -> None:
    assert call(user, lambda: (200, answer)) == (200, answer, False)
    assert call(user) == (200, answer, True)


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_of_two_requests_at_once_the_second_waits_and_gets_the_firsts_answer() -> None:
    user = UserFactory()
    for turn in range(TIMES):
        acted: list[int] = []

        def act(acted: list[int] = acted) -> tuple[int, Any]:
            acted.append(threading.get_ident())
            return 201, {"n": len(acted)}

        ask = lambda turn=turn, act=act: call(user, act, key=f"key{turn}")  # noqa: E731
        answers = race(ask, ask, ask)
        assert sorted(repeated for _, _, repeated in answers) == [False, True, True]
        assert {(status, answer["n"]) for status, answer, _ in answers} == {(201, 1)}
        assert len(acted) == 1
