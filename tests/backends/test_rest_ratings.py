"""``session.rated``: each scale of the wire becomes a risk, and what cannot be mapped is no rating."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from proctoring.backends.rest.incoming import parse_message
from proctoring.backends.rest.ratings import SCALES
from proctoring.backends.types import AttemptRated, UnknownEvent
from proctoring.errors import MalformedMessage

SENT, RATED = datetime(2030, 1, 1, 12, 0, tzinfo=UTC), datetime(2030, 1, 1, 11, 0, tzinfo=UTC)


def parse(**data: Any) -> Any:
    given = {"attempt": "a-1", "rating": 80, "scale": "risk_0_100", **data}
    message = {"type": "session.rated", "timestamp": SENT.isoformat(), "data": given}
    (event,) = parse_message(json.dumps(message).encode())
    return event


@pytest.mark.parametrize(
    ("scale", "rating", "risk"),
    [
        ("risk_0_1", 0, 0),
        ("risk_0_1", 0.3, 0.3),
        ("risk_0_1", 1, 1),
        ("risk_0_100", 0, 0),
        ("risk_0_100", 80, 0.8),
        ("risk_0_100", 100, 1),
        ("trust_0_100", 0, 1),
        ("trust_0_100", 80, 0.2),
        ("trust_0_100", 100, 0),
        ("stars_1_5", 1, 1),
        ("stars_1_5", 4, 0.25),
        ("stars_1_5", 5, 0),
    ],
)
def test_every_scale_has_its_direction(scale: str, rating: float, risk: float) -> None:
    event = parse(scale=scale, rating=rating)
    assert event.risk == pytest.approx(risk)
    assert 0 <= event.risk <= 1
    assert (event.raw_value, event.raw_scale, event.mapping_version) == (str(rating), scale, "rest-1")


def test_every_scale_is_tried() -> None:
    assert set(SCALES) == {"risk_0_1", "risk_0_100", "trust_0_100", "stars_1_5"}


def test_it_was_rated_when_it_says_so_else_when_the_message_says_so() -> None:
    assert parse(rated_at=RATED.isoformat()) == AttemptRated(
        occurred_at=RATED,
        external_id="a-1",
        raw_value="80",
        raw_scale="risk_0_100",
        risk=0.8,
        mapping_version="rest-1",
    )
    assert parse().occurred_at == SENT


def test_an_attempts_rating_that_is_not_in_the_message_is_kept_for_people() -> None:
    assert parse(rating=None) == UnknownEvent(occurred_at=SENT, type="session.rated")


@pytest.mark.parametrize(
    "data",
    [
        {"scale": "mood"},
        {"scale": None},
        {"scale": ["risk_0_1"]},
        {"rating": "80"},
        {"rating": True},
        {"rating": []},
        {"rating": -1},
        {"rating": 101},
        {"rating": 10**400},
        {"rating": 0.5, "scale": "stars_1_5"},
        {"attempt": None},
        {"attempt": ["a"]},
        {"rated_at": "yesterday"},
        {"rated_at": 7},
        {"rated_at": "2030-01-01T11:00:00"},
    ],
)
def test_what_is_not_as_described_is_malformed(data: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        parse(**data)
