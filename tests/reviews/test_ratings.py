"""Ratings: all are kept, the newest counts, the same one comes once."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.backends.types import AttemptRated
from proctoring.errors import InvalidInput, MalformedMessage, NotPermitted
from proctoring.reviews.models import Rating, RatingSource
from proctoring.reviews.ratings import record_ratings, set_risk
from tests.attempts.racing import TIMES, kinds, race
from tests.factories import AttemptFactory, UserFactory, at

HALF_PAST = at(10, 30)

pytestmark = pytest.mark.django_db


def rated(risk: float, moment: datetime = HALF_PAST, **fields: Any) -> AttemptRated:
    given = {"external_id": "ext-1", "raw_value": str(risk), "raw_scale": "risk_0_1", "mapping_version": "rest-1"}
    return AttemptRated(**{"occurred_at": moment, "risk": risk, **given, **fields})


def record_rating(attempt: Attempt, event: AttemptRated, *, now: datetime) -> Rating | None:
    with transaction.atomic():
        [rating] = record_ratings([(attempt, event)], source=RatingSource.WEBHOOK, now=now)
    return rating


def current(attempt: Attempt) -> list[Decimal]:
    return list(attempt.ratings.filter(is_current=True).values_list("risk", flat=True))


@pytest.fixture
def attempt() -> Attempt:
    return AttemptFactory(status=Status.SUBMITTED)


def test_a_rating_is_kept_as_it_came_and_as_a_risk(attempt: Attempt) -> None:
    record_rating(attempt, rated(0.123456, raw_value="12.3456", raw_scale="risk_0_100"), now=at(10, 31))
    row = Rating.objects.get()
    assert (row.raw_value, row.raw_scale, row.risk) == ("12.3456", "risk_0_100", Decimal("0.1235"))
    assert (row.mapping_version, row.source, row.exam, row.is_current) == ("rest-1", "webhook", attempt.exam, True)
    assert (row.rated_at, row.fetched_at) == (at(10, 30), at(10, 31))


def test_the_same_one_again_is_the_one_that_is_kept(attempt: Attempt) -> None:
    assert record_rating(attempt, rated(0.2), now=at(10, 31)) is not None
    assert record_rating(attempt, rated(0.2), now=at(10, 45)) is None
    assert Rating.objects.count() == 1


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_newest_counts_in_whatever_order_they_come(attempt: Attempt, order: tuple[int, ...]) -> None:
    events = [rated(0.1, at(10, 30)), rated(0.9, at(10, 31)), rated(0.4, at(10, 32))]
    for place in order:
        record_rating(attempt, events[place], now=at(10, 40))
    assert (current(attempt), attempt.ratings.count()) == ([Decimal("0.4000")], 3)


@pytest.mark.parametrize("in_order", [True, False])
def test_a_clock_that_is_ahead_still_says_which_one_is_newer(attempt: Attempt, in_order: bool) -> None:
    events = [rated(0.9, at(13, 0)), rated(0.1, at(13, 30))]
    for minute, event in enumerate(events if in_order else reversed(events), start=40):
        record_rating(attempt, event, now=at(10, minute))
    assert current(attempt) == [Decimal("0.1000")]


def test_a_clock_that_is_years_ahead_does_not_overrule_people_for_years(attempt: Attempt) -> None:
    years_ahead = at(10, 30).replace(year=2036)
    record_rating(attempt, rated(0.9, years_ahead), now=at(10, 40))
    set_risk(attempt, Decimal("0.25"), by=UserFactory(), now=at(10, 50))
    record_rating(attempt, rated(0.8, years_ahead - timedelta(minutes=1)), now=at(11, 0))
    assert current(attempt) == [Decimal("0.2500")]
    record_rating(attempt, rated(0.7, years_ahead + timedelta(minutes=1)), now=at(11, 10))
    assert current(attempt) == [Decimal("0.7000")]


@pytest.mark.parametrize("risk", [-0.01, 1.01, float("nan"), float("inf")])
def test_a_risk_that_is_none_is_refused(attempt: Attempt, risk: float) -> None:
    with pytest.raises(MalformedMessage):
        record_rating(attempt, rated(risk), now=at(10, 31))
    with pytest.raises(InvalidInput):
        set_risk(attempt, Decimal(str(risk)), by=UserFactory())
    assert not Rating.objects.exists()


def test_a_persons_rating_counts_over_an_older_one(attempt: Attempt) -> None:
    record_rating(attempt, rated(0.9), now=at(10, 31))
    person = UserFactory()
    row = set_risk(attempt, Decimal("0.25"), by=person, now=at(11, 0))
    assert (row.source, row.by, row.raw_value, row.mapping_version) == ("staff", person, "0.2500", "staff-1")
    assert current(attempt) == [Decimal("0.2500")]


def test_nobody_rates_their_own_attempt(attempt: Attempt) -> None:
    with pytest.raises(NotPermitted):
        set_risk(attempt, Decimal(0), by=attempt.user)


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_of_ratings_at_the_same_moment_one_is_current() -> None:
    for _ in range(TIMES):
        attempt = AttemptFactory(status=Status.SUBMITTED)
        events = [rated(0.1), rated(0.1), rated(0.9, at(10, 31)), rated(0.9, at(10, 31))]
        answers = race(*[lambda a=attempt, e=event: record_rating(a, e, now=at(10, 40)) for event in events])
        assert kinds(answers) == ["ok"] * 4
        assert (current(attempt), attempt.ratings.count()) == ([Decimal("0.9000")], 2)
