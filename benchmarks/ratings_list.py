"""``python -m benchmarks.ratings_list [SESSIONS]``: a vendor's list of very many ratings, and a reader that is killed.

The simulator, in another process, has rated ``SESSIONS`` (10 000) live sessions. A reader of its own process takes in
pages of 300, is killed with SIGKILL in the middle of one, and another goes on from the stored cursor when the lease is
over. Prints one JSON line: pages, statements of a page, ratings stored, pages that were asked for twice (the one in
hand), the second reader's memory at its start and end, and the time of a page in the last tenth against the first.
"""

from __future__ import annotations

import json
import random
import statistics
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from benchmarks import stage

stage.set_up()

from django.conf import settings
from django.db import connection
from django.test.utils import override_settings
from django.utils import timezone

from benchmarks.rated_sessions import ALIAS, fill
from proctoring.bookings.models import BookingLogEntry, LiveSession
from proctoring.exchange.live import RatingList
from proctoring.inbox.models import SweepCursor
from proctoring.reviews.models import Rating
from proctoring.testing.simulator.process import SimulatorProcess
from tests.workers.process import kill, module

LEASE = 3
Page = dict[str, Any]


def main(sessions: int) -> None:
    with SimulatorProcess() as simulator, stage.own_database("ratings"):
        options = {**simulator.backend_options(), "live_proctoring": True}
        vendor = {"BACKEND": "proctoring.backends.rest.RestBackend", "OPTIONS": options}
        house = {"BACKENDS": {ALIAS: vendor}, "DEFAULT_BACKEND": ALIAS, "LEASE_SECONDS": LEASE}
        with override_settings(PROCTORING={**settings.PROCTORING, **house}):
            fill(sessions, simulator)
            began = time.perf_counter()
            first = pages_of_a_reader(stop_after=sessions // 300 // 3)
            second = pages_of_a_reader()
            seconds = time.perf_counter() - began
            figures = {**read(simulator), **measured(first, second), "seconds": round(seconds, 1), **stored()}
        print(json.dumps({"scenario": "ratings_list", "database": connection.vendor, "sessions": sessions, **figures}))


def pages_of_a_reader(stop_after: int | None = None) -> list[Page]:
    """What a reader tells of its pages, until it is done, or killed within the page after so many."""
    pages: list[Page] = []
    with module("benchmarks.ratings_list", "--read", stdout=subprocess.PIPE) as reader:
        for line in reader.stdout or ():
            pages.append(json.loads(line))
            if len(pages) == stop_after:
                time.sleep(random.uniform(0.3, 0.7) * pages[-1]["ms"] / 1000)
                kill(reader)
                break
    return pages


def reader() -> None:
    """One page after the other; whoever comes before a dead reader's lease is over waits."""
    ratings, more = RatingList(), True
    cursor = SweepCursor.objects.filter(name=ratings.name, backend=ALIAS)
    while more or not cursor.filter(finished_at__isnull=False).exists():
        began = time.perf_counter()
        with stage.counting() as statements:
            more = ratings.read_next_page(ALIAS, now=timezone.now())
        if not more and not cursor.filter(finished_at__isnull=False).exists():
            time.sleep(0.1)
            continue
        milliseconds = (time.perf_counter() - began) * 1000
        print(json.dumps({"statements": len(statements), "ms": milliseconds, "kib": _memory()}), flush=True)


def _memory() -> int:
    """Resident now, in KiB."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))


def read(simulator: SimulatorProcess) -> dict[str, int]:
    """By the vendor's book: pages, and how many of them it was asked for more than once."""
    calls = [one for one in simulator.book()["calls"] if one["path"] == "/api/v1/ratings"]
    asked = Counter(one["query"].get("cursor", "") for one in calls)
    return {"pages": len(asked), "pages_repeated": asked.total() - len(asked)}


def measured(first: list[Page], second: list[Page]) -> dict[str, Any]:
    # A reader's first page pays for the connection and the token.
    pages = first[1:] + second[1:]
    tenth = max(1, len(pages) // 10)
    early, late = (statistics.median(page["ms"] for page in some) for some in (pages[:tenth], pages[-tenth:]))
    return {
        "pages_of_the_killed": len(first),
        "statements_of_a_page": sorted({page["statements"] for page in pages}),
        "ms_of_a_page": {"first_tenth": round(early, 1), "last_tenth": round(late, 1), "ratio": round(late / early, 2)},
        "reader_mib": {"start": round(second[0]["kib"] / 1024, 1), "end": round(second[-1]["kib"] / 1024, 1)},
    }


def stored() -> dict[str, int]:
    """Each rating, and each entry about one, is there once."""
    entries = BookingLogEntry.objects.filter(code="proctoring_session_rating_updated")
    return {
        "ratings": Rating.objects.count(),
        "attempts_rated": Rating.objects.filter(is_current=True).values("attempt").distinct().count(),
        "sessions_rated": LiveSession.objects.filter(rating_state="rated").count(),
        "entries": entries.count(),
        "sessions_with_entry": entries.order_by().values("session").distinct().count(),
    }


if __name__ == "__main__":
    if sys.argv[1:] == ["--read"]:
        reader()
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
