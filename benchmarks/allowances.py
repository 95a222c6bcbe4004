"""What allowances cost the database. ``python benchmarks/allowances.py`` prints one line of JSON.

``PROCTORING_TEST_DATABASE`` chooses the database, as for the tests, in which the same figures are pinned. Statements
are SELECT, INSERT, UPDATE and DELETE, the session and the account included.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext, setup_test_environment, teardown_test_environment
from django.utils import timezone

STATEMENT = re.compile(r"[\s(]*(SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
API = "/proctoring/api/v1"
COURSE = "course-v1:Bench+Marks+2026"


def _model(name: str) -> Any:
    """Asked for when it is needed: as a script, this file is imported before Django is set up."""
    return apps.get_model("proctoring", name)


def cost(ask: Callable[[], Any]) -> tuple[int, Any]:
    """Statements of one request, and its answer."""
    with CaptureQueriesContext(connection) as captured:
        answer = ask()
    if answer.status_code != 200:
        raise RuntimeError(f"{answer.status_code}: {answer.content[:500]!r}")
    return sum(bool(STATEMENT.match(query["sql"])) for query in captured.captured_queries), answer.json()


def clerk() -> Any:
    """A browser of somebody whom a Django permission makes staff."""
    user = get_user_model().objects.create_user("clerk")
    user.user_permissions.add(apps.get_model("auth.Permission").objects.get(codename="manage_course_exams"))
    client = Client()
    client.force_login(user)
    return client


def crowd(people: int, exams: int) -> tuple[list[Any], list[Any]]:
    model = get_user_model()
    names = [f"bench-{number}" for number in range(people)]
    model.objects.bulk_create(model(username=name, email=f"{name}@example.org") for name in names)
    fields = {"course_id": COURSE, "exam_type": "timed", "status": "active", "time_limit_minutes": 60}
    exam = _model("Exam")
    exam.objects.bulk_create(exam(content_id=f"bench-{number}", name="Exam", **fields) for number in range(exams))
    return list(model.objects.filter(username__in=names)), list(exam.objects.filter(course_id=COURSE))


def let_run(users: list[Any], exams: list[Any]) -> None:
    """Everybody sits every exam at once."""
    now = timezone.now()
    attempt, entry = _model("Attempt"), _model("TimeEntry")
    fields = {
        "number": 1,
        "status": "started",
        "backend": "null",
        "taking_as_proctored": False,
        "started_at": now,
        "expires_at": now + timedelta(hours=1),
        "total_seconds": 3600,
        "base_seconds": 3600,
    }
    attempt.objects.bulk_create(attempt(user=user, exam=exam, **fields) for user in users for exam in exams)
    rows = attempt.objects.filter(exam__in=exams)
    entry.objects.bulk_create(entry(attempt=row, kind="base", seconds=3600, at=now) for row in rows)


def bulk(client: Any, users: list[Any], exams: list[Any], minutes: int) -> tuple[int, Any]:
    """Grant minutes to all of them for all of these exams."""
    body = {
        "users": [user.pk for user in users],
        "exams": [exam.pk for exam in exams],
        "kind": "extra_minutes",
        "minutes": minutes,
    }
    return cost(lambda: client.post(f"{API}/allowances/bulk/", json.dumps(body), content_type="application/json"))


def fill(users: list[Any], rows: int) -> None:
    """Allowances by the thousand, for courses of their own."""
    allowance = _model("Allowance")
    allowance.objects.bulk_create(
        allowance(
            user=users[number % len(users)],
            course_id=f"course-{number // len(users)}",
            kind="extra_minutes",
            minutes=10,
        )
        for number in range(rows)
    )


def page(client: Any, query: str = "") -> tuple[int, Any]:
    return cost(lambda: client.get(f"{API}/allowances/{query}"))


def measure() -> dict[str, Any]:
    client = clerk()
    users, exams = crowd(100, 5)
    figures: dict[str, Any] = {
        "benchmark": "allowances",
        "database": connection.vendor,
        "people": 100,
        "exams": 5,
        "grant_nobody_attempting": bulk(client, users, exams, 10)[0],
        "update_nobody_attempting": bulk(client, users, exams, 20)[0],
    }
    let_run(users, exams)
    figures["update_500_running"] = bulk(client, users, exams, 30)[0]
    figures["repeat_500_running"] = bulk(client, users, exams, 30)[0]

    _model("Allowance").objects.all().delete()
    figures["grant_500_running"] = bulk(client, users, exams, 15)[0]
    fill(users, 10_000)
    figures["page_of_10000"] = page(client)[0]
    figures["page_of_10000_searched"] = page(client, "?search=bench-1")[0]
    return figures


def main() -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "test_settings")

    django.setup()

    setup_test_environment()
    kept = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        print(json.dumps(measure()))
    finally:
        connection.creation.destroy_test_db(kept, verbosity=0)
        teardown_test_environment()


if __name__ == "__main__":
    main()
