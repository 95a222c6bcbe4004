"""What sealing a long log, and its evidence, cost. ``python -m benchmarks.evidence [EVENTS]`` prints one line of JSON.

``PROCTORING_TEST_DATABASE`` chooses the database, as for the tests. Memory is what Python allocates.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import django
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection
from django.test.utils import CaptureQueriesContext

TEN = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)
AFTERWARDS = TEN + timedelta(days=2)


def _model(name: str) -> Any:
    """Asked for when it is needed: as a script, this file is imported before Django is set up."""
    return apps.get_model("proctoring", name)


def main(events: int) -> None:
    kept = connection.settings_dict["NAME"]
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        attempt = fill(events)
        print(
            json.dumps({"benchmark": "evidence", "database": connection.vendor, "events": events, **measure(attempt)})
        )
    finally:
        connection.creation.destroy_test_db(kept, verbosity=0)


def fill(events: int) -> Any:
    person = get_user_model().objects.create(username="candidate")
    exam = _model("Exam").objects.create(
        course_id="bench", content_id="block", name="Exam", exam_type="proctored", time_limit_minutes=60
    )
    attempt = _model("Attempt").objects.create(
        exam=exam, user=person, number=1, backend="null", status="submitted", open_slot=None, seal_due_at=TEN
    )
    given = {"exam": exam, "attempt": attempt, "type": 16, "actor": "vendor", "severity": "warning", "ip": "192.0.2.7"}
    moments = dict.fromkeys(("at", "occurred_at", "received_at"), TEN)
    one, data = _model("Event"), {"faces": 2, "confidence": 0.93, "text": "somebody stands behind the candidate"}
    for begin in range(0, events, 5000):
        some = range(begin, min(events, begin + 5000))
        one.objects.bulk_create(one(**given, **moments, message_id=f"m-{n}", data=data) for n in some)
    return attempt


def measure(attempt: Any) -> dict[str, Any]:
    staff = get_user_model().objects.create(username="staff")
    seal_attempt = import_module("proctoring.attempts.sealing").seal_attempt
    hand_out = import_module("proctoring.evidence.services").hand_out_evidence
    check = import_module("proctoring.verify.checking").check
    # Sealed once and for all, hence not measured a second time.
    sealing = _seconds(lambda: seal_attempt(attempt.pk, now=AFTERWARDS))
    with tempfile.NamedTemporaryFile(suffix=".zip") as file:
        with hand_out(attempt, by=staff, now=AFTERWARDS) as bundle:
            file.write(bundle.read())
            file.flush()
        made = _cost(lambda: hand_out(attempt, by=staff, now=AFTERWARDS).close())
        checked = _cost(lambda: check(Path(file.name)))
        size = Path(file.name).stat().st_size
    facts = {"bundle_bytes": size, "seals": attempt.seals.count()}
    parts = {"sealing": sealing, "making": made, "checking": checked}
    return {**facts, **{f"{name}_{what}": value for name, cost in parts.items() for what, value in cost.items()}}


def _cost(act: Callable[[], object]) -> dict[str, Any]:
    """Memory is looked at in a second run: it slows everything down."""
    said = _seconds(act)
    tracemalloc.start()
    act()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return {**said, "megabytes": round(peak / 1e6, 1)}


def _seconds(act: Callable[[], object]) -> dict[str, Any]:
    begin = time.process_time()
    with CaptureQueriesContext(connection) as captured:
        act()
    return {"cpu_seconds": round(time.process_time() - begin, 1), "statements": len(captured)}


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "test_settings")
    django.setup()
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 100_000)
