"""``attempts/{id}/evidence/``: who may, what is in it, what is written down, what it costs."""

from __future__ import annotations

import hashlib
import io
import json
import tracemalloc
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.translation import override

from proctoring.attempts.models import Attempt
from proctoring.attempts.sealing import seal_due
from proctoring.attempts.states import Status
from proctoring.evidence.services import hand_out_evidence
from proctoring.exams.models import Exam
from proctoring.host import Role
from proctoring.logs.models import Event, EvidenceCopy
from proctoring.verify.checking import check
from tests.api.conftest import ROOT, B, Person, refused
from tests.factories import TEN, AttemptFactory, EventFactory, at

FILES = {
    *("attempt.json", "events.ndjson", "leaves.ndjson", "ledger.json", "manifest.json", "reviews.json", "seals.json"),
    "timeline.ndjson",
}


@pytest.fixture
def ended(exam: Exam, candidate: Person) -> Attempt:
    attempt = AttemptFactory(exam=exam, user=candidate.user, status=Status.SUBMITTED)
    for minute in range(3):
        EventFactory(attempt=attempt, at=at(10, minute), ip="192.0.2.7")
    return attempt


def path_of(attempt: Attempt) -> str:
    return f"/attempts/{attempt.pk}/evidence/"


def body(answer: Any) -> bytes:
    assert answer.status_code == 200, answer.content
    return b"".join(answer.streaming_content)


class TestWho:
    def test_staff_of_the_course(self, staff: Person, superuser: Person, ended: Attempt) -> None:
        for who in (staff, superuser):
            assert zipfile.is_zipfile(io.BytesIO(body(who.get(path_of(ended)))))

    def test_those_who_only_see_it(
        self, candidate: Person, proctor: Person, reviewer: Person, person: Callable[..., Person], ended: Attempt
    ) -> None:
        for who in (candidate, proctor, reviewer, person(Role.LOG_VIEWER)):
            refused(who.get(path_of(ended)), 403, "permission_denied")
        assert not EvidenceCopy.objects.exists()

    def test_nobody_else(
        self, nobody: Person, neighbour: Person, person: Callable[..., Person], ended: Attempt
    ) -> None:
        refused(nobody.get(path_of(ended)), 401, "not_authenticated")
        strangers = (neighbour, person(), person(Role.LMS), person(Role.PLANNER), person(Role.LOG_VIEWER, course=B))
        for who in strangers:
            refused(who.get(path_of(ended)), 404, "not_found")
        assert not EvidenceCopy.objects.exists()

    def test_not_of_ones_own_attempt(self, exam: Exam, staff: Person) -> None:
        own = AttemptFactory(exam=exam, user=staff.user, status=Status.SUBMITTED)
        refused(staff.get(path_of(own)), 403, "own_attempt")

    @pytest.mark.parametrize("pk", ["0", "x", "-1", "9" * 19, "9" * 30, "%00", "1.5"])
    def test_what_is_not_there(self, pk: str, staff: Person) -> None:
        refused(staff.get(f"/attempts/{pk}/evidence/"), 404, "not_found")

    def test_nothing_else_can_be_done_with_it(self, staff: Person, ended: Attempt) -> None:
        for method in ("post", "put", "patch", "delete"):
            assert staff.raw(method, path_of(ended), "{}").status_code == 405


class TestWhat:
    def test_a_zip_to_be_saved(self, staff: Person, ended: Attempt) -> None:
        answer = staff.get(path_of(ended))
        text = body(answer)
        assert answer.headers["Content-Type"] == "application/zip"
        assert answer.headers["Content-Disposition"] == f'attachment; filename="evidence-{ended.pk}.zip"'
        assert (answer.headers["Cache-Control"], answer.headers["X-Content-Type-Options"]) == ("no-store", "nosniff")
        assert int(answer.headers["Content-Length"]) == len(text)
        with zipfile.ZipFile(io.BytesIO(text)) as whole:
            assert {*whole.namelist()} == FILES

    def test_it_is_good_and_says_who_took_it(self, staff: Person, ended: Attempt, tmp_path: Path) -> None:
        seal_due(now=TEN + timedelta(days=2))
        path = tmp_path / "x.zip"
        path.write_bytes(body(staff.get(path_of(ended))))
        report = check(path, roots=[ended.seals.get().root])
        assert report.is_good
        assert (report.facts["events"], report.facts["sealed"], report.facts["seals"]) == (4, 3, 1)
        with zipfile.ZipFile(path) as whole:
            manifest = whole.read("manifest.json")
            attempt = json.loads(whole.read("attempt.json"))
        name = {"id": str(staff.user.pk), "username": staff.user.get_username()}
        assert json.loads(manifest)["made_by"] == name
        assert attempt["user"]["username"] == ended.user.get_username()
        copy = EvidenceCopy.objects.get()
        assert (copy.attempt, copy.by, copy.sha256) == (ended, staff.user, hashlib.sha256(manifest).hexdigest())

    def test_each_time_is_written_down(self, staff: Person, ended: Attempt) -> None:
        for _ in range(2):
            body(staff.get(path_of(ended)))
        assert EvidenceCopy.objects.count() == 2

    def test_at_the_same_moment_it_is_the_same_to_the_byte(self, staff: Person, ended: Attempt) -> None:
        with time_machine.travel(at(12, 0), tick=False):
            first = body(staff.get(path_of(ended)))
        with time_machine.travel(at(12, 0), tick=False):
            assert body(staff.get(path_of(ended))) == first
        with time_machine.travel(at(13, 0), tick=False):
            other = body(staff.get(path_of(ended)))
        with zipfile.ZipFile(io.BytesIO(first)) as one, zipfile.ZipFile(io.BytesIO(other)) as another:
            changed = {name for name in FILES if one.read(name) != another.read(name)}
        assert changed == {"manifest.json"}

    def test_the_timeline_is_in_it_as_those_who_watch_read_it(self, staff: Person, ended: Attempt) -> None:
        # What arrives later may have happened before.
        EventFactory(attempt=ended, type=1022, at=at(10, 1), data={"to": "poor"})
        EventFactory(attempt=ended, type=1020, at=at(10, 1, 30))
        EventFactory(attempt=ended, type=64, at=at(10, 1, 45), reason_message="A <b>phone</b>", data={"x": 1})
        with zipfile.ZipFile(io.BytesIO(body(staff.get(path_of(ended))))) as whole:
            rows = [json.loads(line) for line in whole.read("timeline.ndjson").splitlines()]
        read = staff.get(f"/attempts/{ended.pk}/timeline/?order=oldest").json()["results"]
        assert [row["id"] for row in rows] == [row["id"] for row in read]
        assert [row["connection"] for row in rows] == ["unknown", "unknown", "poor", "lost", "lost", "lost"]
        moments = {"at", "occurred_at", "received_at"}
        for row, shown in zip(rows, read, strict=True):
            del shown["data"]
            assert row.keys() == shown.keys()
            assert [row[name] for name in row if name not in moments] == [
                shown[name] for name in row if name not in moments
            ]

    def test_it_is_the_same_in_every_language(self, staff: Person, ended: Attempt) -> None:
        EventFactory(attempt=ended, type=1020)
        with time_machine.travel(at(12, 0), tick=False):
            first = body(staff.get(path_of(ended)))
            attempt = Attempt.objects.select_related("exam", "user").get(pk=ended.pk)
            with override("de"), hand_out_evidence(attempt, by=staff.user) as file:
                assert file.read() == first

    def test_no_secret_is_in_it(self, staff: Person, ended: Attempt) -> None:
        with zipfile.ZipFile(io.BytesIO(body(staff.get(path_of(ended))))) as whole:
            everything = b"".join(whole.read(name) for name in whole.namelist())
        assert ended.code.encode() not in everything


class TestCost:
    def test_statements(self, staff: Person, ended: Attempt) -> None:
        seal_due(now=TEN + timedelta(days=2))
        costs = []
        for more in (0, 400):
            for _ in range(more):
                EventFactory(attempt=ended)
            with CaptureQueriesContext(connection) as captured:
                body(staff.get(path_of(ended)))
            # PostgreSQL reads what is streamed through a cursor that it declares.
            reads = ("SELECT", "DECLARE", "INSERT")
            costs.append(sum(query["sql"].startswith(reads) for query in captured.captured_queries))
        # Session, person, attempt; seals, leaves, keys, events, changes of the connection, events as the timeline has
        # them, ledger, reviews; the copy.
        assert costs == [12, 12]

    @pytest.mark.long
    def test_memory_does_not_grow_with_the_log(self, staff: Person, ended: Attempt, tmp_path: Path) -> None:
        """The keys of all are in memory, and a thousand rows. ``benchmarks/evidence.py`` measures more."""
        row = {"exam": ended.exam, "attempt": ended, "type": 16, "actor": "vendor", "severity": "warning"}
        moments = {"at": at(10, 5), "occurred_at": at(10, 5), "received_at": at(10, 5)}
        attempt = Attempt.objects.select_related("exam", "user").get(pk=ended.pk)
        most = []
        for size in (2_000, 20_000):
            events = [Event(**row, **moments, message_id=f"{size}-{n}", data={"x": "x" * 500}) for n in range(size)]  # type: ignore[misc]
            Event.objects.bulk_create(events)
            del events
            tracemalloc.start()
            with hand_out_evidence(attempt, by=staff.user) as file:
                most.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.stop()
                (tmp_path / "x.zip").write_bytes(file.read())
            assert check(tmp_path / "x.zip").facts["events"] >= size
        # Sixty bytes for a key.
        assert most[1] - most[0] < 2_000_000


def test_the_description_says_what_comes(staff: Person) -> None:
    schema = staff.client.get(f"{ROOT}/schema/").json()
    operation = schema["paths"]["/proctoring/api/v1/attempts/{id}/evidence/"]["get"]
    assert set(operation["responses"]) == {"200", "401", "403", "404"}
    assert set(operation["responses"]["200"]["content"]) == {"application/zip"}
