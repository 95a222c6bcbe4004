"""``attempts/{id}/events/``: who may report what, and what becomes of it."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from proctoring.api.v1.events import address_of
from proctoring.attempts.models import Attempt
from proctoring.attempts.reporting import AFTERWARDS, report_from_lms
from proctoring.attempts.states import Status
from proctoring.host import Role
from proctoring.logs.event_types import EVENT_TYPES
from proctoring.logs.models import Event
from proctoring.monitoring.beating import Pulse
from proctoring.monitoring.heartbeats import take_heartbeat
from tests.api.conftest import A, B, Person, refused
from tests.api.test_statements import cost
from tests.factories import TEN, AttemptFactory, UserFactory, at

FOLDER = Path(__file__).resolve().parent.parent / "catalogues"


def own_types(source: str, *, may: bool) -> list[int]:
    with (FOLDER / "own_event_types.csv").open(encoding="utf-8", newline="") as file:
        return [int(row["type"]) for row in csv.DictReader(file) if (source in row["sources"].split(";")) == may]


def vendors_types() -> list[int]:
    with (FOLDER / "event_types.csv").open(encoding="utf-8", newline="") as file:
        return [int(row["event_type_id"]) for row in csv.DictReader(file)]


def event(name: str, type_: Any = 1004, **fields: Any) -> dict[str, Any]:
    return {"message_id": name, "type": type_, "occurred_at": "2026-03-02T10:01:00Z", **fields}


def of_types(types: list[int]) -> list[dict[str, Any]]:
    return [event(f"m{type_}", type_) for type_ in types]


def taken(answer: Any) -> tuple[int, int, list[tuple[int, str]]]:
    assert answer.status_code == 200, answer.content
    body = answer.json()
    assert set(body) == {"stored", "repeated", "refused"}
    assert all(set(one) == {"index", "code", "detail"} and one["detail"] for one in body["refused"])
    return body["stored"], body["repeated"], [(one["index"], one["code"]) for one in body["refused"]]


@pytest.fixture
def server(person: Callable[..., Person]) -> Person:
    return person(Role.LMS)


@pytest.fixture
def running(attempt: Attempt) -> Attempt:
    Attempt.objects.update(status=Status.STARTED, started_at=TEN, expires_at=at(11, 0))
    attempt.refresh_from_db()
    return attempt


@pytest.fixture
def door(running: Attempt) -> str:
    return f"/attempts/{running.pk}/events/"


class TestWho:
    def test_the_page_and_the_server_of_the_lms(self, candidate: Person, server: Person, door: str) -> None:
        candidate.client.defaults["HTTP_USER_AGENT"] = "Fire\x00fox" + "x" * 500
        assert taken(candidate.post(door, [event("a", 1005)])) == (1, 0, [])
        assert taken(server.post(door, [event("b", 1006)])) == (1, 0, [])
        answered, saved = Event.objects.order_by("pk")
        assert (answered.actor, answered.ip, answered.user_agent) == (
            "test-taker",
            "127.0.0.1",
            ("Firefox" + "x" * 500)[:400],
        )
        # The server's own address would read as the candidate's.
        assert (saved.actor, saved.ip, saved.user_agent) == ("system", None, "")

    def test_nobody_else(
        self,
        nobody: Person,
        staff: Person,
        proctor: Person,
        reviewer: Person,
        neighbour: Person,
        person: Callable[..., Person],
        door: str,
    ) -> None:
        refused(nobody.post(door, []), 401, "not_authenticated")
        for who in (staff, proctor, reviewer, person(Role.LOG_VIEWER)):
            refused(who.post(door, "nonsense"), 403, "permission_denied")
        for who in (neighbour, person(), person(Role.LMS, course=B)):
            refused(who.post(door, "nonsense"), 404, "not_found")
        for pk in ("0", "x", str(2**63)):
            refused(staff.post(f"/attempts/{pk}/events/", []), 404, "not_found")
        assert not Event.objects.exists()

    def test_not_of_what_was_erased(self, candidate: Person, door: str) -> None:
        Attempt.objects.update(erased_at=TEN)
        refused(candidate.post(door, "nonsense"), 400, "invalid")
        refused(candidate.post(door, [event("a")]), 409, "attempt_erased")

    def test_not_from_a_page_whose_attempt_ended_long_ago(
        self, candidate: Person, server: Person, running: Attempt, door: str
    ) -> None:
        now = timezone.now()
        ended = {"status": Status.SUBMITTED, "open_slot": None}
        Attempt.objects.update(**ended, ended_at=now - AFTERWARDS + timedelta(minutes=5))
        assert taken(candidate.post(door, [event("leftover")])) == (1, 0, [])
        Attempt.objects.update(ended_at=now - AFTERWARDS - timedelta(minutes=5))
        refused(candidate.post(door, [event("a")]), 409, "attempt_ended")
        beat = candidate.post(door.replace("events", "heartbeat"), {"events": [event("b")]})
        refused(beat, 409, "attempt_ended")
        assert taken(server.post(door, [event("c", 1006)])) == (1, 0, [])
        assert [one.message_id for one in Event.objects.order_by("pk")] == ["leftover", "s:l:c"]


class TestWhat:
    def test_the_page_reports_the_vendors_types_unknown_ones_and_its_own(self, candidate: Person, door: str) -> None:
        sent = [*vendors_types(), 999, *own_types("page", may=True)]
        assert taken(candidate.post(door, of_types(sent))) == (len(sent), 0, [])
        stored = {one.type: one for one in Event.objects.all()}
        assert set(stored) == set(sent)
        assert all(stored[code].severity == EVENT_TYPES[code].severity for code in sent if code in EVENT_TYPES)
        assert {code for code, one in stored.items() if one.actor != "test-taker"} == {1040}
        assert stored[1040].actor == "deliver-fe"

    def test_everything_else_is_another_senders(self, candidate: Person, server: Person, door: str) -> None:
        ours = [code for code in own_types("page", may=False) if code not in (1002, 1007)]
        rows = of_types([*ours, 1000, 9999, 2**31 - 1])
        assert taken(candidate.post(door, rows)) == (0, 0, [(n, "wrong_source") for n in range(len(rows))])
        rows = of_types([*own_types("lms", may=False), *vendors_types(), 999, 9999])
        assert taken(server.post(door, rows)) == (0, 0, [(n, "wrong_source") for n in range(len(rows))])
        rows = of_types(own_types("lms", may=True))
        assert taken(server.post(door, rows)) == (len(rows), 0, [])

    def test_what_the_services_write_the_page_repeats(self, candidate: Person, door: str) -> None:
        assert taken(candidate.post(door, [event("a", 1002), event("b", 1007)])) == (0, 2, [])
        assert not Event.objects.exists()

    def test_a_page_takes_no_id_from_the_server_of_the_lms(
        self, candidate: Person, server: Person, running: Attempt, door: str
    ) -> None:
        longest = "saved-" + "8" * 58
        guessed = [event(name) for name in ("saved-81", "saved-82", longest)]
        assert taken(candidate.post(door, guessed)) == (3, 0, [])
        saved = [event(name, 1006) for name in ("saved-81", longest)]
        assert taken(server.post(door, saved)) == (2, 0, [])
        assert taken(server.post(door, saved)) == (0, 2, [])
        within = report_from_lms(running, [event("saved-82", 1006), event("saved-81", 1006)])
        assert (within.stored, within.repeated, within.refused) == (1, 1, ())
        names = [one.message_id for one in Event.objects.filter(type=1006).order_by("pk")]
        assert (names[0], names[2]) == ("s:l:saved-81", "s:l:saved-82")
        assert names[1].startswith("s:l:")
        assert len(names[1]) == 64
        for who, type_ in ((candidate, 1004), (server, 1006)):
            assert taken(who.post(door, [event("s:l:saved-83", type_)])) == (0, 0, [(0, "invalid")])

    def test_a_row_is_kept_whole(self, candidate: Person, running: Attempt, door: str) -> None:
        row = event(
            "a",
            1040,
            stream="s-1",
            sequence=7,
            item_id="item-9",
            question_number=3,
            error="TypeError: x",
            reason_code=40999,
            reason_message="Shown",
            data={"deep": [1, {"er": "é"}]},
        )
        assert taken(candidate.post(door, [row])) == (1, 0, [])
        stored = Event.objects.get()
        names = [name for name in row if name not in ("occurred_at",)]
        assert {name: getattr(stored, name) for name in names} == {name: row[name] for name in names}
        assert (stored.exam_id, stored.attempt_id, stored.status) == (running.exam_id, running.pk, "started")
        assert stored.occurred_at == stored.at == at(10, 1)

    @pytest.mark.parametrize("hours", [-2, 2])
    def test_a_clock_that_is_wrong(self, hours: int, candidate: Person, running: Attempt, door: str) -> None:
        now = timezone.now()
        Attempt.objects.update(started_at=now - timedelta(minutes=5), expires_at=now + timedelta(minutes=5))
        running.refresh_from_db()
        wrong = now + timedelta(hours=hours)
        assert taken(candidate.post(door, [event("a", occurred_at=wrong.isoformat())])) == (1, 0, [])
        stored = Event.objects.get()
        assert stored.occurred_at == wrong
        assert stored.at == (running.started_at if hours < 0 else stored.received_at)
        assert Attempt.objects.get().expires_at == running.expires_at


class TestOnce:
    def test_the_same_from_two_tabs_again_and_again(self, candidate: Person, door: str) -> None:
        first = [event(f"m{n}", sequence=n) for n in range(40)]
        second = [*first[20:], *(event(f"m{n}", sequence=n) for n in range(40, 60))]
        other_tab = Person(candidate.user)
        sums = [0, 0]
        for _ in range(5):
            for tab, rows in ((candidate, first), (other_tab, second)):
                stored, repeated, wrong = taken(tab.post(door, rows))
                assert (stored + repeated, wrong) == (40, [])
                sums[0] += stored
                sums[1] += repeated
        assert sums == [60, 340]
        in_order = Event.objects.order_by("at", "pk").values_list("sequence", flat=True)
        assert list(in_order) == list(range(60))

    def test_twice_in_one_batch(self, candidate: Person, door: str) -> None:
        assert taken(candidate.post(door, [event("a", 1003), event("a", 1004)])) == (1, 1, [])
        assert Event.objects.get().type == 1003

    def test_in_each_attempt(self, candidate: Person, door: str) -> None:
        other = AttemptFactory(user=candidate.user, status=Status.STARTED)
        for path in (door, f"/attempts/{other.pk}/events/"):
            assert taken(candidate.post(path, [event("a")])) == (1, 0, [])


class TestRefused:
    @pytest.mark.parametrize("body", [None, {}, "x", 1, True, [1], [event("a"), None], [[]], [event("a")] * 501])
    def test_what_is_no_list_of_events(self, body: Any, candidate: Person, door: str) -> None:
        refused(candidate.post(door, body), 400, "invalid")
        assert not Event.objects.exists()

    def test_what_is_no_json(self, candidate: Person, door: str) -> None:
        for body in (b"[", b'[{"data": NaN}]', b'[{"message_id": "\xff"}]', b"[" * 100 + b"]" * 100):
            refused(candidate.raw("POST", door, body), 400, "parse_error")
        refused(candidate.raw("POST", door, b"[]", content_type="text/plain"), 415, "unsupported_media_type")

    def test_an_empty_list_and_a_full_one(self, candidate: Person, door: str) -> None:
        assert taken(candidate.post(door, [])) == (0, 0, [])
        assert taken(candidate.post(door, [event(f"m{n}") for n in range(500)])) == (500, 0, [])

    @pytest.mark.parametrize(
        "fields",
        [
            {"message_id": None},
            {"message_id": ""},
            {"message_id": "x" * 65},
            {"message_id": "a b"},
            {"message_id": "a\n"},
            {"message_id": "é"},
            {"message_id": 5},
            {"message_id": "s:forged"},
            {"type": None},
            {"type": True},
            {"type": "1004"},
            {"type": 1004.0},
            {"type": -1},
            {"type": 2**31},
            {"type": 10**400},
            {"occurred_at": None},
            {"occurred_at": 5},
            {"occurred_at": True},
            {"occurred_at": "yesterday"},
            {"occurred_at": "2026-03-02T10:00:00"},
            {"occurred_at": "1969-12-31T23:59:59Z"},
            {"occurred_at": "0001-01-01T00:00:00+14:00"},
            {"occurred_at": "9999-12-31T23:59:59-14:00"},
            {"stream": "a b"},
            {"stream": 1},
            {"sequence": -1},
            {"sequence": True},
            {"sequence": 1.5},
            {"sequence": 2**53 + 1},
            {"item_id": "x" * 256},
            {"item_id": 7},
            {"item_id": "\x00"},
            {"question_number": "3"},
            {"question_number": 2**31},
            {"question_number": False},
            {"reason_code": -1},
            {"reason_code": True},
            {"reason_message": "x" * 4001},
            {"reason_message": ["x"]},
            {"error": "x" * 4001},
            {"error": "a\x00b"},
            {"error": "\ud800"},
            {"data": []},
            {"data": "x"},
            {"data": {"\x00": 1}},
            {"data": {"a": ["\\\x00"]}},
            {"data": {"\udfff": 1}},
        ],
    )
    def test_a_row_that_is_not_sound_keeps_nobody_out(
        self, fields: dict[str, Any], candidate: Person, door: str
    ) -> None:
        rows = [event("a"), {**event("b"), **fields}, event("c")]
        assert taken(candidate.post(door, rows)) == (2, 0, [(1, "invalid")])

    def test_what_only_looks_dangerous_is_kept(self, candidate: Person, door: str) -> None:
        texts = ["<script>alert(1)</script>", "=HYPERLINK(1)", "\\u0000", "';--", "\u202e", "\u2028", "x" * 4000]
        rows = [event(f"m{n}", 1040, error=text, data={text[:9]: text[:99]}) for n, text in enumerate(texts)]
        assert taken(candidate.post(door, rows)) == (len(texts), 0, [])
        kept = Event.objects.order_by("pk")
        assert [(one.error, one.data) for one in kept] == [(row["error"], row["data"]) for row in rows]

    def test_rows_that_are_too_large(self, candidate: Person, door: str) -> None:
        rows = [
            event("a", data={"x": "y" * 1_000_000}),
            event("b", data={"x": "é" * 4096}),
            event("c", error="€" * 4000),
            event("d", **{f"unknown{n}": "x" * 100 for n in range(90)}),
            event("e", data={"x": "y" * 8000}, unknown="ignored"),
        ]
        assert taken(candidate.post(door, rows)) == (1, 0, [(n, "too_large") for n in range(4)])
        refused(candidate.post(door, [event("a", data={"x": "y" * 3_000_000})]), 413, "too_large")

    def test_a_page_does_not_say_how_grave_it_is(self, candidate: Person, door: str) -> None:
        rows = [event("a", severity="alert"), event("b", 998, severity="alert"), event("c", severity=[])]
        assert taken(candidate.post(door, rows)) == (3, 0, [])
        assert list(Event.objects.order_by("pk").values_list("severity", flat=True)) == ["info", "notice", "info"]


@pytest.mark.parametrize(
    ("given", "known"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("fe80::1%eth0", "fe80::1"),
        ("2001:DB8::1", "2001:db8::1"),
        ("", None),
        ("/run/gunicorn.sock", None),
        ("unknown", None),
        ("192.0.2.7:80", None),
    ],
)
def test_the_address(given: str, known: str | None, candidate: Person, door: str) -> None:
    assert address_of(RequestFactory().post("/", REMOTE_ADDR=given)) == known  # type: ignore[arg-type]
    candidate.client.defaults["REMOTE_ADDR"] = given
    assert taken(candidate.post(door, [event("a")])) == (1, 0, [])
    assert Event.objects.get().ip == known


def test_a_batch_costs_three_statements_and_a_pages_one_more() -> None:
    ada = Person(UserFactory())
    attempt = AttemptFactory(user=ada.user, status=Status.STARTED, exam__course_id=A)
    door = f"/attempts/{attempt.pk}/events/"
    for _ in range(2):
        # Session, person, attempt; how much the page has sent; the lock; what is known of it; the insert.
        assert cost(lambda: ada.post(door, [event(uuid.uuid4().hex)])) == 7
        # Django puts 999 values into one insert on SQLite.
        assert cost(lambda: ada.post(door, [event(uuid.uuid4().hex) for n in range(38)])) == 7
        ada.post(door, [event("a")])
        assert cost(lambda: ada.post(door, [event("a")])) == 6
        assert cost(lambda: ada.post(door, [])) == 4
        # The same of a page that has been heard.
        take_heartbeat(attempt.pk, ada.user.pk, Pulse(), now=at(10, 1))
    with CaptureQueriesContext(connection) as captured:
        report_from_lms(attempt, [event("b", 1006)])
    assert sum("SAVEPOINT" not in one["sql"] for one in captured.captured_queries) == 3
