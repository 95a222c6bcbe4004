"""The readings of the log: files, and what files and pages cost."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring.api.v1.event_logs import BATCH
from proctoring.api.v1.timeline import Timeline
from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam
from proctoring.host import Role
from proctoring.logs.models import Event, EventActor
from proctoring.logs.readings import ACS_FIELDS, CANDIDATE_COLUMNS
from tests.api.conftest import ROOT, Person
from tests.api.test_logs_pages import lines, numbered, numbers, rows, text
from tests.api.test_statements import cost
from tests.factories import TEN, AttemptFactory, EventFactory, UserFactory, at


@pytest.fixture
def viewer(person: Callable[..., Person]) -> Person:
    return person(Role.LOG_VIEWER)


@pytest.fixture
def paths(attempt: Attempt) -> list[str]:
    """Of each reading, of one attempt or its exam."""
    return [
        f"/attempts/{attempt.pk}/candidate-log/?",
        f"/attempts/{attempt.pk}/timeline/?",
        f"/logs/acs/?deliveryExecutionId={attempt.pk}&",
        f"/logs/acs/?deliveryId={attempt.exam_id}&",
    ]


HOSTILE = (
    '=HYPERLINK("http://x")',
    "+1",
    "-1+1",
    "@SUM(1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "<script>alert(1)</script>",
    '"; x',
)


class TestFiles:
    def test_without_formulas(self, viewer: Person, attempt: Attempt, paths: list[str]) -> None:
        for number, said in enumerate(HOSTILE):
            EventFactory(
                attempt=attempt,
                type=1010,
                at=at(10, number),
                item_id=said[:255],
                error=said,
                reason_message=said,
                user_agent=said,
                data={said: said},
            )
        for path in paths:
            table = list(csv.DictReader(io.StringIO(text(viewer.get(f"{path}export=csv")), newline="")))
            assert len(table) == len(HOSTILE)
            for row in table:
                cells = {name: cell for name, cell in row.items() if cell}
                assert not [name for name, cell in cells.items() if cell[0] in "=+-@\t\r\n"]
            shown = [row.get("item_id") or row["itemId"] for row in table]
            assert [one.removeprefix("'") for one in shown] == list(reversed(HOSTILE))
            assert numbers(lines(viewer.get(f"{path}export=ndjson"))) == list(reversed(HOSTILE))
            answer = viewer.get(path)
            assert answer.headers["Content-Type"] == "application/json"
            assert numbers(rows(answer)) == list(reversed(HOSTILE))

    def test_headers_names_and_columns(self, viewer: Person, attempt: Attempt, paths: list[str]) -> None:
        names = [
            f"candidate-log-{attempt.pk}",
            f"timeline-{attempt.pk}",
            f"acs-log-attempt-{attempt.pk}",
            f"acs-log-exam-{attempt.exam_id}",
        ]
        numbered(attempt, TEN)
        columns = [CANDIDATE_COLUMNS, Timeline.columns, ACS_FIELDS, ACS_FIELDS]
        for path, name, fields in zip(paths, names, columns, strict=True):
            for export, kind in (("csv", "text/csv"), ("ndjson", "application/x-ndjson")):
                answer = viewer.get(f"{path}export={export}")
                assert answer.headers["Content-Type"] == f"{kind}; charset=utf-8"
                assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.{export}"'
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                assert answer.headers["Cache-Control"] == "no-store"
                found = text(answer)
                given = found.splitlines()[0].split(",") if export == "csv" else list(json.loads(found))
                assert given == list(fields)
        row = next(csv.DictReader(io.StringIO(text(viewer.get(f"{paths[1]}export=csv")), newline="")))
        assert (row["at"], row["data"]) == ("2026-03-02T10:00:00Z", "{}")

    def test_a_file_is_read_in_batches_while_it_is_written(
        self, viewer: Person, attempt: Attempt, paths: list[str]
    ) -> None:
        count = 2 * BATCH
        fields = {"exam_id": attempt.exam_id, "attempt": attempt, "type": 1010, "severity": "info", "actor": "system"}
        Event.objects.bulk_create(
            Event(
                **fields,
                **dict.fromkeys(("at", "occurred_at", "received_at"), TEN + timedelta(seconds=n // 300)),
                message_id=str(n),
                item_id=str(n),
            )
            for n in range(count)
        )
        for path in paths:
            answer = viewer.get(f"{path}export=ndjson")
            with CaptureQueriesContext(connection) as captured:
                found = numbers(lines(answer))
            # Two batches and an empty one; the timeline asks twice a batch how the connection was.
            assert len(captured) == (7 if "timeline" in path else 3)
            assert found == [str(n) for n in reversed(range(count))]


class TestCost:
    @pytest.mark.parametrize(
        ("path", "statements"),
        [
            # Session, person, permissions, attempt or exam, how far a page reads, events; the candidate log's siblings
            # beside.
            ("/attempts/{a}/candidate-log/?", 7),
            ("/attempts/{a}/candidate-log/?action=Voided&", 7),
            # Twice more: how the connection was before and during the page.
            ("/attempts/{a}/timeline/?", 8),
            ("/logs/acs/?deliveryExecutionId={a}&", 6),
            ("/logs/acs/?deliveryId={e}&", 6),
            ("/logs/acs/?deliveryId={e}&reasonCode=7&action=pause&", 6),
            # Once more: whose attempts.
            ("/logs/acs/?deliveryId={e}&testTaker={u}&", 7),
        ],
    )
    def test_a_page_costs_the_same_at_any_size(self, path: str, statements: int) -> None:
        clerk = Person(UserFactory())
        clerk.user.user_permissions.add(Permission.objects.get(codename="view_candidate_log"))
        attempt = AttemptFactory()
        door = path.format(a=attempt.pk, e=attempt.exam_id, u=attempt.user.get_username())

        def grow(count: int) -> None:
            for _ in range(count):
                EventFactory(attempt=attempt, type=1010, actor=EventActor.PROCTOR, actor_user=UserFactory())

        grow(10)
        assert cost(lambda: clerk.get(door)) == statements
        grow(50)
        assert cost(lambda: clerk.get(f"{door}page_size=200")) == statements

    def test_an_index_has_the_rows_in_order(self, viewer: Person, attempt: Attempt, exam: Exam) -> None:
        if connection.vendor != "sqlite":
            pytest.skip("the plans of other databases depend on how many rows there are")
        numbered(attempt, *[TEN] * 3)
        taker = attempt.user.get_username()
        for path, index in (
            (f"/attempts/{attempt.pk}/candidate-log/?page_size=1", "proctoring_event_attempt"),
            (f"/attempts/{attempt.pk}/timeline/?page_size=1&order=oldest", "proctoring_event_attempt"),
            (f"/logs/acs/?page_size=1&deliveryExecutionId={attempt.pk}", "proctoring_event_attempt"),
            (f"/logs/acs/?page_size=1&deliveryId={exam.pk}", "proctoring_event_exam"),
            (f"/logs/acs/?page_size=1&deliveryId={exam.pk}&testTaker={taker}", "proctoring_event_attempt"),
        ):
            following = viewer.get(path).json()["next"]
            for ask in (ROOT + path, following):
                for plan in _plans(viewer, ask):
                    assert index in plan, plan
                    assert "TEMP B-TREE" not in plan, plan


def _plans(who: Person, address: str) -> list[str]:
    """How the database finds the events of this page."""
    with CaptureQueriesContext(connection) as captured:
        assert who.client.get(address).status_code == 200
    statements = [one["sql"] for one in captured.captured_queries if 'FROM "proctoring_event"' in one["sql"]]
    assert statements
    plans = []
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(f"EXPLAIN QUERY PLAN {statement}")
            plans.append(" | ".join(row[3] for row in cursor.fetchall()))
    return plans
