"""What is left of a bulk action when somebody whom it was about is erased, and when its time is over."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.conf import settings
from proctoring.exams.models import Exam
from proctoring.invigilation.bulk import carry_out, record_bulk_action
from proctoring.invigilation.choosing import choose_found
from proctoring.invigilation.models import BulkAction
from proctoring.privacy.erasure import erase_user
from proctoring.privacy.holds import place_hold
from proctoring.privacy.retention import Sweep
from tests.factories import at
from tests.invigilation.doing import HALF_PAST, do_to_all, results, undo, undone, wish

pytestmark = pytest.mark.django_db

WORDS = ("filter", "comment", "text", "undo_comment")


def words(bulk: BulkAction) -> list[Any]:
    bulk.refresh_from_db()
    return [getattr(bulk, name) for name in WORDS]


@pytest.fixture
def said(exam: Exam, sitting: Any, proctor: AbstractUser) -> BulkAction:
    sitting(2, "submitted")
    choice = choose_found(exam, {"search": "ada"}, by=proctor, now=HALF_PAST)
    bulk = record_bulk_action(choice, wish("message", text="Ada, please sit down."), by=proctor, now=HALF_PAST)
    return undo(carry_out(bulk, choice, by=proctor), proctor)


def test_erasing_one_of_them_takes_the_words_and_leaves_the_results(said: BulkAction, proctor: AbstractUser) -> None:
    other = do_to_all([], "flag", proctor)
    before = results(said), undone(said)
    erased = said.items.all()[0].attempt
    assert erased is not None
    erase_user(erased.user, by=None, reason="asked for it", now=at(11, 0))
    assert words(said) == [{}, "", "", ""]
    assert (results(said), undone(said), said.by) == (*before, proctor)
    assert words(other)[1] == "Drilling next door"


def test_they_are_kept_as_long_as_events_and_longer_under_a_hold(said: BulkAction) -> None:
    def sweep(days: int) -> None:
        for _ in Sweep(now=HALF_PAST + timedelta(days=settings.keep_events_days + days)).batches():
            pass

    sweep(-1)
    assert words(said)[1] == "Drilling next door"
    attempt = said.items.all()[1].attempt
    assert attempt is not None
    hold = place_hold(by=None, reason="a case", user=attempt.user)
    sweep(1)
    assert words(said)[1] == "Drilling next door"
    hold.delete()
    sweep(1)
    assert words(said) == [{}, "", "", ""]
