"""What a course's violation report costs. ``python benchmarks/violation_report.py [ATTEMPTS]`` prints one line of JSON.

``PROCTORING_TEST_DATABASE`` chooses the database, as for the tests. Memory is what Python allocates while the report is
written as CSV, and does not grow with the number of attempts.
"""

from __future__ import annotations

import json
import os
import sys
import time
import tracemalloc
from datetime import UTC, datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

COURSE = "course-v1:Bench+Marks+2026"
EXAMS, COMMENTS = 4, 3


def _model(name: str) -> Any:
    """Asked for when it is needed: as a script, this file is imported before Django is set up."""
    return apps.get_model("proctoring", name)


def main(attempts: int) -> None:
    kept = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        fill(attempts)
        print(json.dumps({"benchmark": "violation_report", "database": connection.vendor, **measure(attempts)}))
    finally:
        connection.creation.destroy_test_db(kept, verbosity=0)


def fill(attempts: int) -> None:
    accounts, moment = get_user_model(), datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
    exam, attempt, review, comment = (_model(name) for name in ("Exam", "Attempt", "Review", "ReviewComment"))
    accounts.objects.bulk_create([accounts(username=f"person-{n}") for n in range(attempts // EXAMS)], batch_size=1000)
    people = list(accounts.objects.filter(username__startswith="person-").values_list("pk", flat=True))
    for n in range(EXAMS):
        row = exam.objects.create(
            course_id=COURSE, content_id=f"block-{n}", name=f"Exam {n}", exam_type="proctored", time_limit_minutes=60
        )
        given = {"exam": row, "number": 1, "backend": "null", "status": "rejected", "open_slot": None}
        attempt.objects.bulk_create((attempt(user_id=pk, **given) for pk in people), batch_size=1000)
    times = dict.fromkeys(("occurred_at", "received_at", "applied_at"), moment)
    keys = attempt.objects.values_list("pk", flat=True)
    review.objects.bulk_create((review(attempt_id=pk, status="violation", **times) for pk in keys), batch_size=1000)
    said = {"text": "A telephone was used. " * 5, "severity": "violation"}
    keys = [pk for pk in review.objects.values_list("pk", flat=True) for _ in range(COMMENTS)]
    comment.objects.bulk_create((comment(review_id=pk, **said) for pk in keys), batch_size=1000)


def measure(attempts: int) -> dict[str, Any]:
    csv_pieces = import_module("proctoring.reports.tables").csv_pieces
    report = import_module("proctoring.reports.violations")
    started = time.perf_counter()
    size = sum(len(piece) for piece in csv_pieces(report.COLUMNS, report.violation_rows(COURSE)))
    seconds = time.perf_counter() - started
    with CaptureQueriesContext(connection) as captured:
        rows = sum(1 for _ in report.violation_rows(COURSE))
    # Apart from the rest: it slows everything down, and a log of statements is memory as well.
    tracemalloc.start()
    for _ in csv_pieces(report.COLUMNS, report.violation_rows(COURSE)):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {
        "attempts": attempts,
        "rows": rows,
        "characters": size,
        "statements": len(captured),
        "seconds": round(seconds, 3),
        "peak_mib": round(peak / 2**20, 2),
    }


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "test_settings")
    django.setup()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
