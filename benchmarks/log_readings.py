"""``python -m benchmarks.log_readings [EVENTS]``: pages and files of the log's readings as the log grows.

Prints one JSON line: for each reading its first page and one in the middle, at a tenth of ``EVENTS`` (1 000 000) and at
all of them, in one exam: statements, the median time, and, on PostgreSQL, the buffers and the scans of the plans; the
ratio of the two sizes. Among the readings are those whose filters find a single row, the oldest, and that of a log
viewer whose own attempts are left out. Then the file of all the exam's rows: rows a second, and memory after a tenth
and at the end.
"""

from __future__ import annotations

import json
import re
import resource
import statistics
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from benchmarks import stage

stage.set_up()

# Django is set up: what follows needs it.
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam
from proctoring.logs.models import Event

ROOT = "/proctoring/api/v1"
EACH = 1000
"""Events of an attempt."""
FLAGS = (4, 5, 16)
RARE = 1013
"""A termination: one of all."""
TYPES = (5, 1005, 1005, 1004, 1006, 16, 1003, 4, 1005, 1006)
"""In turn: three of ten are rows of the ACS log, as the setting leaves it."""
FILTERS = ("testTaker=candidate5", "testTaker=nobody", "reasonCode=77", "action=terminate", "actor=proctor")
GROUP = 500
"""Attempts that are filled together: their events lie beside each other, as those of people who sit an exam at once."""
ROUNDS = 15
DATABASE = "log"


def main(events: int) -> None:
    with stage.own_database(DATABASE), override_settings(DEBUG=False):
        client, viewer, exam = Client(), Client(), _exam()
        client.force_login(get_user_model().objects.create_superuser("root"))
        viewer.force_login(_viewer())
        found = {}
        for size in (events // 10, events):
            fill(exam, size)
            found[size] = {name: reading(client, path) for name, path in paths(exam).items()}
            found[size]["acs_of_exam for a viewer"] = reading(viewer, paths(exam)["acs_of_exam"])
        smaller, larger = found.values()
        print(
            json.dumps(
                {
                    "scenario": "log_readings",
                    "database": connection.vendor,
                    "events": events,
                    "pages": found,
                    "time_ratio": {name: ratios(smaller[name], larger[name]) for name in smaller},
                    "file": file(client, exam),
                }
            )
        )


def ratios(smaller: list[dict[str, Any]], larger: list[dict[str, Any]]) -> list[float]:
    return [round(large["ms"] / small["ms"], 2) for small, large in zip(smaller, larger, strict=True)]


def _exam() -> Exam:
    return Exam.objects.create(
        course_id="course", content_id="exam", name="Exam", exam_type="timed", status="active", time_limit_minutes=600
    )


def _viewer() -> Any:
    viewer = get_user_model().objects.create(username="viewer", password="!")
    viewer.user_permissions.add(Permission.objects.get(codename="view_candidate_log"))
    return viewer


def fill(exam: Exam, size: int) -> None:
    """Bring the log up to ``size``, attempt by attempt. On PostgreSQL the events of all but the first are copies of its
    own, each attempt's a little later: many millions take minutes then."""
    now = timezone.now()
    have = Event.objects.count()
    copies = connection.vendor == "postgresql"
    for begin in range(have // EACH, size // EACH, GROUP):
        numbers = range(begin, min(begin + GROUP, size // EACH))
        attempts = _attempts(exam, numbers, now)
        for number, attempt in zip(numbers, attempts, strict=True):
            if number == 0 or not copies:
                Event.objects.bulk_create(_events(attempt, now, is_first=number == 0))
        if copies:
            _copy(exam, [attempt.pk for attempt in attempts])
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if copies else "ANALYZE")


def _attempts(exam: Exam, numbers: Iterable[int], now: datetime) -> list[Attempt]:
    people = get_user_model().objects.bulk_create(
        get_user_model()(username=f"candidate{number}", password="!") for number in numbers
    )
    return Attempt.objects.bulk_create(
        Attempt(exam=exam, user=person, number=1, backend="null", status="submitted", open_slot=None, started_at=now)
        for person in people
    )


def _copy(exam: Exam, attempts: Sequence[int]) -> None:
    """The events of the exam's first attempt for these, without the one that is rare."""
    first = Attempt.objects.filter(exam=exam).earliest("pk").pk
    copied = {"attempt_id": "a.id"}
    copied |= dict.fromkeys(("at", "occurred_at", "received_at"), "e.{name} + (a.id - %s) * interval '0.4 second'")
    copied |= {"type": f"CASE e.type WHEN {RARE} THEN 1004 ELSE e.type END"}
    copied |= {"actor": f"CASE e.type WHEN {RARE} THEN 'test-taker' ELSE e.actor END"}
    names = [str(field.column) for field in Event._meta.concrete_fields if not field.primary_key]
    values = ", ".join(copied.get(name, "e.{name}").format(name=name) for name in names)
    columns = ", ".join(names)
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO proctoring_event ({columns}) SELECT {values} FROM proctoring_attempt a, proctoring_event e"  # noqa: S608  # of our own model
            " WHERE e.attempt_id = %s AND a.id = ANY(%s) AND a.id <> e.attempt_id ORDER BY e.id, a.id",
            [*[first] * 3, first, list(attempts)],
        )


def _events(attempt: Attempt, now: datetime, *, is_first: bool) -> Iterator[Event]:
    for number in range(EACH):
        moment = now + timedelta(seconds=number)
        type_ = {0: 1022, 1: RARE if is_first else 1004}.get(number, TYPES[number % len(TYPES)])
        yield Event(
            exam_id=attempt.exam_id,
            attempt=attempt,
            type=type_,
            actor={RARE: "proctor"}.get(type_, "vendor" if type_ in FLAGS else "test-taker"),
            **dict.fromkeys(("at", "occurred_at", "received_at"), moment),
            message_id=str(number),
            severity="info",
            status="started",
            question_number=number % 40,
            ip="192.0.2.1",
            data={"to": "good"} if type_ == 1022 else {"choice": "b"},
        )


def paths(exam: Exam) -> dict[str, str]:
    attempt = Attempt.objects.filter(exam=exam).order_by("pk")[Attempt.objects.count() // 2].pk
    return {
        "acs_of_exam": f"{ROOT}/logs/acs/?deliveryId={exam.pk}",
        "acs_of_attempt": f"{ROOT}/logs/acs/?deliveryExecutionId={attempt}",
        "candidate_log": f"{ROOT}/attempts/{attempt}/candidate-log/",
        "timeline": f"{ROOT}/attempts/{attempt}/timeline/",
        **{f"acs_of_exam {query}": f"{ROOT}/logs/acs/?deliveryId={exam.pk}&{query}" for query in FILTERS},
        "candidate_log Voided": f"{ROOT}/attempts/{attempt}/candidate-log/?action=Voided",
        "timeline alert": f"{ROOT}/attempts/{attempt}/timeline/?severity=alert",
    }


def reading(client: Client, path: str) -> list[dict[str, Any]]:
    """The first page, and the one that ten pages later follows."""
    later = path
    for _ in range(10):
        address = urlsplit(client.get(later).json()["next"] or path)
        later = f"{address.path}?{address.query}"
    return [page(client, one) for one in (path, later)]


def page(client: Client, path: str) -> dict[str, Any]:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer = client.get(path)
        times.append(time.perf_counter() - began)
    if answer.status_code != 200:
        raise RuntimeError(answer.content)
    with CaptureQueriesContext(connection) as captured:
        client.get(path)
    statements = [one["sql"] for one in captured.captured_queries if stage.STATEMENT.match(one["sql"])]
    of_events = [sql for sql in statements if 'FROM "proctoring_event"' in sql]
    figures = {"statements": len(statements), "ms": round(1000 * statistics.median(times), 2)}
    return figures | (plans(of_events) if connection.vendor == "postgresql" else {})


def plans(statements: list[str]) -> dict[str, Any]:
    buffers, scans = 0, set()
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(f"EXPLAIN (ANALYZE, BUFFERS) {statement}")
            lines = [row[0] for row in cursor.fetchall()]
            # The first line of the plan counts those below it too.
            first = next(line for line in lines if "Buffers:" in line)
            buffers += sum(int(number) for number in re.findall(r"(?:hit|read)=(\d+)", first))
            scans |= {found[0] for line in lines if (found := re.search(r"(?:Index|Seq|Bitmap)[\w ]*Scan[^(]*", line))}
    return {"buffers": buffers, "scans": sorted(scan.strip() for scan in scans)}


def file(client: Client, exam: Exam) -> dict[str, Any]:
    """All rows of the exam as NDJSON, counted and thrown away."""
    total = Event.objects.filter(exam=exam, type__in=FLAGS).count()
    began, rows, memory = time.perf_counter(), 0, {}
    for piece in client.get(f"{ROOT}/logs/acs/?deliveryId={exam.pk}&export=ndjson").streaming_content:
        rows += piece.count(b"\n")
        if "after_a_tenth" not in memory and rows >= total // 10:
            memory["after_a_tenth"] = _megabytes()
    seconds = time.perf_counter() - began
    return {
        "rows": rows,
        "rows_a_second": round(rows / seconds),
        "megabytes": {**memory, "at_the_end": _megabytes()},
    }


def _megabytes() -> float:
    """The most that this process has had so far."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000)
