"""Several threads, each with a connection of its own, that do their things at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from django.db import connections

TIMES = 20
"""A race is run so often: once proves nothing."""


def race(*actions: Callable[[], Any]) -> list[Any]:
    """Run all actions at once. Each answer is what the action returned or raised, in the order of the actions."""
    start = Barrier(len(actions))

    def run(action: Callable[[], Any]) -> Any:
        try:
            connections["default"].ensure_connection()
            start.wait(timeout=10)
            return action()
        except Exception as raised:  # noqa: BLE001 - the test looks at what was raised
            return raised
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(actions)) as pool:
        return list(pool.map(run, actions))


def kinds(answers: list[Any]) -> list[str]:
    """What came of each: the class of what was raised, or ``ok``. Sorted, because nobody knows who wins."""
    return sorted(type(one).__name__ if isinstance(one, Exception) else "ok" for one in answers)
