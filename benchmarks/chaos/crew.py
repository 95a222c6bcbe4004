"""``python -m benchmarks.chaos.crew``: workers that are killed with SIGKILL at any moment, and replaced at once.

Each is forked from this process, which has loaded everything and touched no database. Says ``killed`` for each.
"""

from __future__ import annotations

import argparse
import logging
import os
import random
import signal
import time
from datetime import timedelta
from typing import NoReturn

import django

django.setup()

from django.db import connection

from proctoring import tasks
from proctoring.exchange import bookings, lists

logger = logging.getLogger(__name__)

TASKS = (
    tasks.deliver_due,
    tasks.process_messages,
    tasks.send_bookings,
    tasks.check_bookings,
    tasks.read_sessions,
    tasks.read_ratings,
)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--workers", type=int, required=True)
    parser.add_argument("--every", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    options = parser.parse_args()
    # They are seconds and minutes in real life; the run has no time for that.
    bookings.PAUSE = lists.PAUSE = timedelta(seconds=1)
    chance, parent = random.Random(options.seed), os.getppid()
    hands = [_hire() for _ in range(options.workers)]
    while os.getppid() == parent:
        time.sleep(chance.uniform(0.05, 2 * options.every))
        place = chance.randrange(len(hands))
        os.kill(hands[place], signal.SIGKILL)
        _, how = os.waitpid(hands[place], 0)
        print("killed" if os.WIFSIGNALED(how) else "ended by itself", flush=True)
        hands[place] = _hire()
    for hand in hands:
        os.kill(hand, signal.SIGKILL)


def _hire() -> int:
    boss = os.getpid()
    return os.fork() or _work(boss)


def _work(boss: int) -> NoReturn:
    """What beat and a worker do all day, the tasks in an order of one's own: none waits for the others for ever."""
    random.seed()
    order = random.sample(TASKS, len(TASKS))
    while os.getppid() == boss:
        for task in order:
            try:
                task()
            except Exception:
                logger.exception("%s failed", task.name)
                connection.close()
        time.sleep(0.05)
    os._exit(0)


if __name__ == "__main__":
    main()
