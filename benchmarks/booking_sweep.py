"""``python -m benchmarks.booking_sweep [DUE]``: what sending and checking cost when very many bookings are due.

Prints one JSON line: the statements and the median time of a batch at a tenth of ``DUE`` (10 000) and at all of it, and
the ratio of the two; two sweeps at once, and how many bookings both of them took; a sweep that was killed with its
batch in hand, and how much of it another had before and after its lease was over. Claims alone, and whole batches with
a vendor that answers at once.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from benchmarks import stage

stage.set_up()

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import override_settings
from django.utils import timezone

from proctoring.bookings.checking import claim_to_check
from proctoring.bookings.models import Booking, BookingPlan, LiveSession
from proctoring.bookings.sending import claim_to_send
from proctoring.exams.models import Exam
from proctoring.exchange.bookings import check_batch, send_batch
from proctoring.tasks import CLAIM, SEND
from tests.workers.process import kill, module

ALIAS = "quick"
LEASE = 2
BATCHES = 10
KINDS: dict[str, tuple[dict[str, Any], Callable[..., list[Booking]], Callable[..., int], int]] = {
    "send": ({"status": "scheduled"}, claim_to_send, send_batch, SEND),
    "check": ({"status": "sent", "check_count": 0}, claim_to_check, check_batch, CLAIM),
}
"""What is due, who claims it, who does all of it, how many at once."""


def main(due: int) -> None:
    vendor = {"BACKEND": "benchmarks.quick_vendor.QuickVendor"}
    house = {"BACKENDS": {ALIAS: vendor}, "DEFAULT_BACKEND": ALIAS, "LEASE_SECONDS": LEASE}
    with stage.own_database("sweep"), override_settings(PROCTORING={**settings.PROCTORING, **house}):
        fill(due)
        figures = {kind: {**costs(kind, due), **two_at_once(kind), **after_a_death(kind)} for kind in KINDS}
        print(json.dumps({"scenario": "booking_sweep", "database": connection.vendor, "due": due, **figures}))


def fill(due: int) -> None:
    """Bookings of one candidate each, in windows of tomorrow."""
    person = get_user_model().objects.create_user("candidate")
    named = {"course_id": "bench", "content_id": "exam", "name": "Exam"}
    exam = Exam.objects.create(status="active", time_limit_minutes=60, **named)
    plan = BookingPlan.objects.create(exam=exam, selection="listed")
    begins = timezone.now() + timedelta(days=1)
    given = {"exam": exam, "plan": plan, "backend": ALIAS, "ratio": 4, "status": "draft"}
    rows = [
        Booking(part=part, starts_at=begins + timedelta(seconds=part), ends_at=begins + timedelta(hours=3), **given)
        for part in range(1, due + 1)
    ]
    Booking.objects.bulk_create(rows, batch_size=1000)
    session = {"exam": exam, "user": person, "candidate_number": 1, "backend": ALIAS}
    keys = Booking.objects.values_list("pk", flat=True)
    LiveSession.objects.bulk_create((LiveSession(booking_id=pk, **session) for pk in keys), batch_size=1000)


def make_due(kind: str, size: int) -> None:
    """So many are due now, all others are drafts."""
    past = timezone.now() - timedelta(minutes=1)
    free = {"claimed_until": None, "claimed_by": "", "send_tries": 0, "next_send_at": past, "next_check_at": past}
    Booking.objects.update(status="draft")
    keys = list(Booking.objects.order_by("pk").values_list("pk", flat=True)[:size])
    Booking.objects.filter(pk__range=(keys[0], keys[-1])).update(**free, **KINDS[kind][0])
    with connection.cursor() as cursor:
        cursor.execute({"mysql": "ANALYZE TABLE proctoring_booking"}.get(connection.vendor, "ANALYZE"))


def costs(kind: str, due: int) -> dict[str, Any]:
    _, claim, sweep, limit = KINDS[kind]
    found: dict[str, Any] = {}
    for name, batch in (
        ("claim", lambda: len(claim(ALIAS, now=timezone.now(), limit=limit))),
        ("batch", lambda: sweep(ALIAS, limit=limit)),
    ):
        measured = {}
        for size in (due // 10, due):
            make_due(kind, size)
            measured[size] = [cost(batch, limit) for _ in range(min(BATCHES, size // limit))]
        small, large = (statistics.median(ms for _, ms in rows) for rows in measured.values())
        found[name] = {
            "statements": {size: sorted({count for count, _ in rows}) for size, rows in measured.items()},
            "ms": {size: round(ms, 1) for size, ms in zip(measured, (small, large), strict=True)},
            "ratio": round(large / small, 2),
        }
    return {"at_once": limit, **found}


def cost(batch: Callable[[], int], expected: int) -> tuple[int, float]:
    """Statements and milliseconds of one batch, which must be a full one."""
    with stage.counting() as statements:
        began = time.perf_counter()
        taken = batch()
        milliseconds = (time.perf_counter() - began) * 1000
    if taken != expected:
        raise RuntimeError(f"{taken} were claimed, not {expected}")
    return len(statements), milliseconds


def two_at_once(kind: str) -> dict[str, int]:
    """Two sweeps claim everything that is due; nobody else gives anything back meanwhile."""
    _, claim, _, limit = KINDS[kind]
    size = min(1000, Booking.objects.count())
    make_due(kind, size)
    start, now = threading.Barrier(2), timezone.now()
    taken: tuple[list[int], list[int]] = ([], [])

    def sweep(mine: list[int]) -> None:
        start.wait()
        while Booking.objects.filter(status=KINDS[kind][0]["status"], claimed_until=None).exists():
            mine += [booking.pk for booking in claim(ALIAS, now=now, limit=limit)]
        connection.close()

    threads = [threading.Thread(target=sweep, args=(mine,)) for mine in taken]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    first, second = map(set, taken)
    return {"taken_by_two": len(first | second), "of": size, "taken_twice": sum(map(len, taken)) - len(first | second)}


def after_a_death(kind: str) -> dict[str, int]:
    """A process of its own claims a batch and is killed with it in hand."""
    _, claim, _, limit = KINDS[kind]
    make_due(kind, limit)
    with module("benchmarks.booking_sweep", "--hold", kind, stdout=subprocess.PIPE) as holder:
        held = set(json.loads(next(iter(holder.stdout or ()))))
        kill(holder)
    before = claim(ALIAS, now=timezone.now(), limit=limit)
    time.sleep(LEASE)
    after = {booking.pk for booking in claim(ALIAS, now=timezone.now(), limit=limit)}
    return {"held_by_the_dead": len(held), "taken_before_its_end": len(before), "taken_after_it": len(held & after)}


def hold(kind: str) -> None:
    print(json.dumps([one.pk for one in KINDS[kind][1](ALIAS, now=timezone.now(), limit=KINDS[kind][3])]), flush=True)
    time.sleep(600)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--hold"]:
        hold(sys.argv[2])
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
