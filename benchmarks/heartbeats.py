"""``python -m benchmarks.heartbeats [SECONDS]``: heartbeats and batches of events beside what cannot be beaten.

PostgreSQL, gunicorn with two workers, a generator of load on loopback. Prints one JSON line: heartbeats a second, those
of a bare Django view that runs the same statement, and that statement alone through psycopg; events a second in batches
of 500, and the same rows in one multi-row INSERT through psycopg's ``ClientCursor``. All of one run, so that the ratios
stand on the same ground; statements of each request; rows of history and of attempts before and after.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
import uuid
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from benchmarks import stage

stage.set_up()

# Django is set up: what follows needs it.
import psycopg
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client, override_settings
from django.utils import timezone

from benchmarks.served.server import WORKERS, Ask, load, served
from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.tokens import PageClaims, issue_page_token
from proctoring.exams.models import Exam
from proctoring.logs.models import Event
from proctoring.monitoring.beating import Pulse, statement
from proctoring.monitoring.heartbeats import take_heartbeat
from proctoring.monitoring.models import Presence

ATTEMPTS = 400
BATCH = 500
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PULSE = Pulse(ip="127.0.0.1", user_agent=AGENT)
ROUNDS = 3
"""Each thing is measured so often, in turn, and the median counts: what disturbs one disturbs the others too."""


def main(seconds: float) -> None:
    if connection.vendor != "postgresql":
        print(json.dumps({"scenario": "heartbeats", "skipped": "it compares with psycopg: PostgreSQL is needed"}))
        return
    with stage.own_database("heartbeats"), override_settings(ROOT_URLCONF="benchmarks.served.urls"):
        attempts = fill()
        costs = {
            "heartbeat": cost(attempts[0], []),
            "heartbeat_with_10_events": cost(attempts[0], rows(10)),
        }
        before = figures_of_rows()
        with served() as port:
            beats = in_turn(
                {
                    "app": lambda: rate(load(port, [heartbeat(one) for one in attempts], seconds=seconds)),
                    "bare_view": lambda: rate(load(port, [bare(one) for one in attempts], seconds=seconds)),
                    "psycopg": lambda: alone(attempts, seconds),
                }
            )
            after = figures_of_rows()
            events = in_turn(
                {
                    "app": lambda: (
                        BATCH * rate(load(port, batches(attempts, seconds), seconds=seconds, threads=WORKERS))
                    ),
                    "psycopg": lambda: inserted(attempts, seconds),
                }
            )
        print(
            json.dumps(
                {
                    "scenario": "heartbeats",
                    "database": connection.vendor,
                    "workers": WORKERS,
                    "statements": costs,
                    "heartbeats_a_second": beats,
                    "heartbeat_to_bare_view": round(beats["app"] / beats["bare_view"], 2),
                    "heartbeat_to_psycopg": round(beats["app"] / beats["psycopg"], 2),
                    "events_a_second": events,
                    "events_to_psycopg": round(events["app"] / events["psycopg"], 2),
                    "rows_before": before,
                    "rows_after_heartbeats": after,
                }
            )
        )


def in_turn(measures: dict[str, Callable[[], float]]) -> dict[str, int]:
    found: dict[str, list[float]] = {name: [] for name in measures}
    for _ in range(ROUNDS):
        for name, measure in measures.items():
            found[name].append(measure())
    return {name: round(statistics.median(each)) for name, each in found.items()}


def rate(figures: dict[str, Any]) -> float:
    return float(figures["requests"] / figures["seconds"])


def fill() -> list[Attempt]:
    """Attempts that run, each of a person of its own, whose pages have been heard of."""
    now = timezone.now()
    exam = Exam.objects.create(
        course_id="course", content_id="exam", name="Exam", exam_type="timed", status="active", time_limit_minutes=600
    )
    people = get_user_model().objects.bulk_create(
        get_user_model()(username=f"candidate{number}", password="!") for number in range(ATTEMPTS)
    )
    attempts = Attempt.objects.bulk_create(
        Attempt(
            exam=exam,
            user=person,
            number=1,
            backend="null",
            status="started",
            started_at=now,
            expires_at=now + timedelta(hours=10),
            total_seconds=36_000,
        )
        for person in people
    )
    TimeEntry.objects.bulk_create(TimeEntry(attempt=one, kind="base", seconds=36_000, at=now) for one in attempts)
    for attempt in attempts:
        take_heartbeat(attempt.pk, attempt.user_id, PULSE, now=now)
    return attempts


def figures_of_rows() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_relation_size('proctoring_attempt')")
        (size,) = cursor.fetchone()
    return {
        "attempts_bytes": size,
        "history": Attempt.history.count(),
        "presences": Presence.objects.count(),
        "events": Event.objects.count(),
    }


def token(attempt: Attempt) -> str:
    claims = PageClaims(user=str(attempt.user_id), attempt=attempt.pk)
    return str(issue_page_token(claims, now=timezone.now()))


def headers(attempt: Attempt) -> dict[str, str]:
    return {"X-Proctoring-Page": token(attempt), "User-Agent": AGENT}


def heartbeat(attempt: Attempt, events: list[dict[str, Any]] | None = None) -> Ask:
    body = {"sequence": 5, "client_time": timezone.now().isoformat(), **({"events": events} if events else {})}
    path = f"/proctoring/api/v1/attempts/{attempt.pk}/heartbeat/"
    return Ask(path=path, headers=headers(attempt), body=json.dumps(body))


def bare(attempt: Attempt) -> Ask:
    """The same bytes to another address."""
    like = heartbeat(attempt)
    return Ask(path=f"/bare/{attempt.pk}/{attempt.user_id}/", headers=like.headers, body=like.body)


def alone(attempts: list[Attempt], seconds: float) -> float:
    """The statement from as many connections as the server has workers."""

    def work(cursor: Any, number: int) -> None:
        attempt = attempts[number % len(attempts)]
        cursor.execute(*statement(connection, attempt.pk, attempt.user_id, PULSE, now=timezone.now()))
        if cursor.fetchone() is None:
            raise RuntimeError("The row was not found.")

    return at_once(work, seconds)


def at_once(work: Callable[[Any, int], None], seconds: float) -> float:
    """How often a second ``work`` was done by ``WORKERS`` connections together."""
    ends_at, done = time.monotonic() + seconds, [0] * WORKERS

    def run(worker: int) -> None:
        with _connect() as mine, mine.cursor() as cursor:
            number = worker * 7
            while time.monotonic() < ends_at:
                work(cursor, number)
                number += 1
                done[worker] += 1

    threads = [threading.Thread(target=run, args=(worker,)) for worker in range(WORKERS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.monotonic() - began)


def _connect() -> Any:
    parameters = connection.get_connection_params() | {"cursor_factory": psycopg.ClientCursor}
    return psycopg.connect(**{**parameters, "autocommit": True, "context": None})


def rows(count: int) -> list[dict[str, Any]]:
    now, stream = timezone.now().isoformat(), uuid.uuid4().hex
    return [
        {
            "message_id": f"{stream}:{number}",
            "type": 1005,
            "occurred_at": now,
            "stream": stream,
            "sequence": number,
            "item_id": f"block-v1:Demo+A+2026+type@problem+block@{number % 40}",
            "question_number": number % 40,
            "data": {"choice": "b", "seconds": 31},
        }
        for number in range(count)
    ]


def batches(attempts: list[Attempt], seconds: float) -> list[Ask]:
    """More than can be stored in so long: each batch is sent once."""
    asks = []
    for number in range(int(seconds * 80)):
        attempt = attempts[number % len(attempts)]
        path = f"/proctoring/api/v1/attempts/{attempt.pk}/events/"
        asks.append(Ask(path=path, headers=headers(attempt), body=json.dumps(rows(BATCH))))
    return asks


def inserted(attempts: list[Attempt], seconds: float) -> float:
    """Rows like those of the app in one INSERT of 500, its values written out by the client."""
    columns = [field.column for field in Event._meta.concrete_fields if field.column != "id"]
    like = Event.objects.order_by("-pk").values_list(*columns)[:BATCH]
    place = {name: columns.index(name) for name in ("message_id", "attempt_id", "data")}
    values = "(" + ", ".join(["%s"] * len(columns)) + ")"
    sql = f"INSERT INTO proctoring_event ({', '.join(columns)}) VALUES {', '.join([values] * BATCH)}"  # noqa: S608  # names of our own model
    template = [[json.dumps(cell) if at == place["data"] else cell for at, cell in enumerate(row)] for row in like]

    def work(cursor: Any, number: int) -> None:
        parameters = []
        for at, row in enumerate(template):
            row[place["message_id"]] = f"{uuid.uuid4().hex[:20]}:{at}"
            row[place["attempt_id"]] = attempts[number % len(attempts)].pk
            parameters += row
        cursor.execute(sql, parameters)

    return BATCH * at_once(work, seconds)


def cost(attempt: Attempt, events: list[dict[str, Any]]) -> int:
    ask = heartbeat(attempt, events)
    client = Client(headers=ask.headers)
    client.post(ask.path, heartbeat(attempt).body, content_type="application/json")
    with stage.counting() as verbs:
        answer = client.post(ask.path, ask.body, content_type="application/json")
    if answer.status_code != 200:
        raise RuntimeError(answer.content)
    return len(verbs)


if __name__ == "__main__":
    assert settings.configured
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 6)
