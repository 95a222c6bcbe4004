"""``python -m benchmarks.onboarding_status``: a page of staff's onboarding list in a course of 500 and in one of 5 000.

Prints one JSON line: the statements of a page (session and account included), its median time in both courses, and
the ratio of the two, for the plain list, a common and a rare status, and a search. Works in a database of its own
beside the configured one (``PROCTORING_TEST_DATABASE``, as for the tests), which is dropped at the end.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import sys
import time
from datetime import timedelta
from typing import Any

import django
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import Client
from django.test.utils import (
    CaptureQueriesContext,
    override_settings,
    setup_test_environment,
    teardown_test_environment,
)
from django.utils import timezone

STATEMENT = re.compile(r"[\s(]*(SELECT|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
SMALL, LARGE = 500, 5_000
QUERIES = {"all": "", "common": "&status=verified", "rare": "&status=rejected&page_size=10", "search": "&search=p004"}


def main(repeats: int) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "test_settings")
    django.setup()
    setup_test_environment()
    connection.creation.create_test_db(verbosity=0, autoclobber=True)
    try:
        with override_settings(PROCTORING={"HOST": "benchmarks.course_groups.GroupHost"}):
            for size in (SMALL, LARGE):
                fill(size)
            with connection.cursor() as cursor:
                cursor.execute({"mysql": "ANALYZE TABLE auth_user_groups, auth_user"}.get(connection.vendor, "ANALYZE"))
            print(json.dumps({"scenario": "onboarding_status", "database": connection.vendor, **measure(repeats)}))
    finally:
        connection.creation.destroy_test_db("", verbosity=0)
        teardown_test_environment()


def course(size: int) -> str:
    return f"course-of-{size}"


def fill(size: int) -> None:
    """A course with an onboarding exam; most of its people are approved, one in fifty was rejected."""

    accounts, later = get_user_model(), timezone.now() + timedelta(days=200)
    profile = apps.get_model("proctoring", "OnboardingProfile")
    given = {"content_id": "onboarding", "name": "Onboarding", "time_limit_minutes": 20}
    apps.get_model("proctoring", "Exam").objects.create(
        course_id=course(size), exam_type="onboarding", status="active", **given
    )
    names = [f"p{number:05}-of-{size}" for number in range(size)]
    accounts.objects.bulk_create([accounts(username=name) for name in names], batch_size=1000)
    people = list(accounts.objects.filter(username__endswith=f"-of-{size}").order_by("pk").values_list("pk", flat=True))
    group = apps.get_model("auth", "Group").objects.create(name=course(size))
    member = accounts.groups.through
    member.objects.bulk_create([member(user_id=pk, group_id=group.pk) for pk in people], batch_size=1000)
    profile.objects.bulk_create(
        [
            profile(user_id=pk, backend="null", course_id=course(size), status="rejected")
            if number % 50 == 0
            else profile(user_id=pk, backend="null", status="verified", expires_at=later)
            for number, pk in enumerate(people)
            if number % 4 or number % 50 == 0
        ],
        batch_size=1000,
    )


def measure(repeats: int) -> dict[str, Any]:
    clerk = get_user_model().objects.create_user("clerk")
    clerk.user_permissions.add(apps.get_model("auth", "Permission").objects.get(codename="manage_course_exams"))
    client = Client()
    client.force_login(clerk)
    found: dict[str, Any] = {}
    for name, query in QUERIES.items():
        address = f"/proctoring/api/v1/onboarding/?course_id={{}}{query}"
        statements = {cost(client, address.format(course(size))) for size in (SMALL, LARGE)}
        times: dict[int, list[float]] = {SMALL: [], LARGE: []}
        for _ in range(repeats):
            for size, taken in times.items():
                began = time.perf_counter()
                client.get(address.format(course(size)))
                taken.append((time.perf_counter() - began) * 1000)
        small, large = (statistics.median(times[size]) for size in (SMALL, LARGE))
        found[name] = {
            "statements": max(statements),
            f"ms_at_{SMALL}": round(small, 2),
            f"ms_at_{LARGE}": round(large, 2),
            "ratio": round(large / small, 2),
        }
    return found


def cost(client: Any, address: str) -> int:
    """Statements of one page, which must be there."""
    with CaptureQueriesContext(connection) as captured:
        answer = client.get(address)
    if answer.status_code != 200 or not answer.json()["results"]:
        raise RuntimeError(f"{address}: {answer.status_code} {answer.content[:500]!r}")
    return sum(bool(STATEMENT.match(query["sql"])) for query in captured.captured_queries)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 30)
