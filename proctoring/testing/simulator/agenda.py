"""Things to do later, by a few threads."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

WORKERS = 4  # a receiver that hangs holds up one of them


class Agenda:
    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._jobs: list[tuple[float, int, Callable[[], None]]] = []
        self._count = itertools.count()
        self._stopped = False

    def start(self) -> None:
        for _ in range(WORKERS):
            threading.Thread(target=self._work, daemon=True).start()

    def after(self, seconds: float, job: Callable[[], None]) -> None:
        """Run ``job`` so many seconds from now; equal times run in the order in which they were planned."""
        with self._condition:
            heapq.heappush(self._jobs, (time.monotonic() + seconds, next(self._count), job))
            self._condition.notify_all()

    def clear(self) -> None:
        with self._condition:
            self._jobs.clear()

    def stop(self) -> None:
        with self._condition:
            self._stopped = True
            self._condition.notify_all()

    def _work(self) -> None:
        while True:
            job = self._next()
            if job is None:
                return
            try:
                job()
            except Exception:
                logger.exception("a planned step of the simulator failed")

    def _next(self) -> Callable[[], None] | None:
        with self._condition:
            while not self._stopped:
                if not self._jobs:
                    self._condition.wait()
                    continue
                left = self._jobs[0][0] - time.monotonic()
                if left <= 0:
                    return heapq.heappop(self._jobs)[2]
                self._condition.wait(left)
            return None
