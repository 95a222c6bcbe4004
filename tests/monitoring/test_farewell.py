"""A command that outlives the attempt: the page must be told to leave."""

from __future__ import annotations

from collections.abc import Callable

from proctoring.attempts import services
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Actor
from proctoring.monitoring.commands import send_command
from proctoring.monitoring.models import CommandKind
from tests.factories import UserFactory, at
from tests.monitoring.conftest import Beat


def test_page_of_a_terminated_attempt_still_hears_its_command(make: Callable[..., Attempt], beat: Beat) -> None:
    attempt = make()
    beat(attempt, at(10, 10))
    services.terminate_attempt(attempt, by=UserFactory(), actor=Actor.PROCTOR, now=at(10, 11))
    send_command(attempt, CommandKind.TERMINATE, by=None, now=at(10, 11))

    # As before, and where something else has changed as well: then it goes the longer way.
    for round_trip_ms in (None, 100):
        seen = beat(attempt, at(10, 12), round_trip_ms=round_trip_ms).seen
        assert (seen.attempt.status, seen.has_commands) == ("terminated", True)
