"""Many rows in one statement, each with values of its own."""

from __future__ import annotations

import pytest

from proctoring import bulk
from proctoring.bookings.models import LiveSession
from proctoring.bulk import update_by_key, update_each
from tests.bookings.desk import statements
from tests.factories import AttemptFactory, LiveSessionFactory, at

pytestmark = pytest.mark.django_db

FIELDS = ["external_id", "sealed_join_url", "joined_at", "attempt_id", "rating_tries"]


def test_each_row_gets_its_own_values_of_every_kind() -> None:
    first, second, other = (LiveSessionFactory() for _ in range(3))
    for number, one in enumerate((first, second, other), start=1):
        one.external_id, one.sealed_join_url, one.joined_at = f"é%s'{number}", bytes([0, 255, number]), at(9, number)
        one.attempt, one.rating_tries = AttemptFactory(), number
    second.external_id = second.joined_at = second.attempt = None
    assert statements(lambda: update_each([first, second], FIELDS)) == 1
    for one in (first, second):
        found = LiveSession.objects.get(pk=one.pk)
        assert [getattr(found, name) for name in FIELDS] == [getattr(one, name) for name in FIELDS]
    assert LiveSession.objects.get(pk=other.pk).external_id is None


def test_a_column_of_nothing_but_null() -> None:
    some = [LiveSessionFactory(joined_at=at(9, 0)) for _ in range(2)]
    for one in some:
        one.joined_at = None
    assert update_each(some, ["joined_at"]) == 2
    assert not LiveSession.objects.exclude(joined_at=None).exists()


def test_no_rows_are_no_statement() -> None:
    assert statements(lambda: update_each([], FIELDS)) == 0


def test_more_than_a_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "BATCH", 2)
    some = [LiveSessionFactory() for _ in range(5)]
    for number, one in enumerate(some):
        one.rating_tries = number
    assert statements(lambda: update_each(some, ["rating_tries"])) == 3
    assert list(LiveSession.objects.order_by("pk").values_list("rating_tries", flat=True)) == [0, 1, 2, 3, 4]


def test_only_rows_of_the_given_ones_are_written_to() -> None:
    mine, theirs = LiveSessionFactory(rating_tries=1), LiveSessionFactory()
    tries = {"rating_tries": {mine.pk: 7, theirs.pk: 8}}
    assert update_by_key(LiveSession.objects.filter(rating_tries=1), tries, external_id="s") == 1
    assert list(LiveSession.objects.order_by("pk").values_list("rating_tries", "external_id")) == [(7, "s"), (0, None)]
