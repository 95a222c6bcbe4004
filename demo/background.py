"""Celery inside the web server's process: one worker thread and the clock, over a broker in memory.

Good for one machine. Everything that matters is in rows of the database, so nothing is lost when the process ends.
"""

from __future__ import annotations

import threading
import time
from typing import Any

from celery import Celery
from celery.beat import EmbeddedService
from celery.worker import state

STOP_SECONDS = 5.0


class Background:
    def __init__(self, app: Celery) -> None:
        self._worker = app.WorkController(
            pool="solo",
            concurrency=1,
            loglevel="WARNING",
            without_heartbeat=True,
            without_mingle=True,
            without_gossip=True,
        )
        self._thread = threading.Thread(target=self._worker.start, name="worker", daemon=True)
        # The schedule needs no memory: every task may run at any time.
        self._beat: Any = EmbeddedService(app, thread=True, scheduler_cls="celery.beat:Scheduler")

    def start(self) -> None:
        self._thread.start()
        self._beat.start()

    def stop(self) -> None:
        """Let the task that runs finish, if it does so soon. An idle worker is not waited for: it would only sleep."""
        self._beat.service.stop(wait=False)
        state.should_stop = 0  # type: ignore[assignment]  # the stubs know only its first value
        end = time.monotonic() + STOP_SECONDS
        while state.active_requests and self._thread.is_alive() and time.monotonic() < end:
            time.sleep(0.05)
