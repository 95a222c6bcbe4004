"""The readings of the log: pages and filters."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from proctoring.api.pagination import END, EPOCH
from proctoring.attempts.models import Attempt
from proctoring.host import Role, host
from proctoring.logs.models import Event, EventActor
from tests.api.conftest import Person, refused
from tests.factories import TEN, AttemptFactory, EventFactory, at
from tests.hosts import ScriptedHost, configure


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


def rows(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


def text(answer: Any) -> str:
    assert answer.status_code == 200, answer.content
    assert answer.streaming
    return b"".join(answer.streaming_content).decode()


def lines(answer: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text(answer).splitlines()]


def numbers(found: list[dict[str, Any]]) -> list[str]:
    """The events' numbers, which the tests write where each reading shows them."""
    return [row.get("item_id") or row["itemId"] for row in found]


def numbered(attempt: Attempt, *moments: Any, **fields: Any) -> None:
    for number, moment in enumerate(moments):
        EventFactory(attempt=attempt, type=1010, at=moment, item_id=str(number), **fields)


def walk(who: Person, path: str, link: str) -> list[list[str]]:
    pages, answer = [], who.get(path)
    while True:
        pages.append(numbers(rows(answer)))
        following = answer.json()[link]
        if following is None:
            return pages
        answer = who.client.get(following)


class TestPages:
    def test_through_ties_forth_and_back(self, viewer: Person, attempt: Attempt, paths: list[str]) -> None:
        numbered(attempt, *[TEN] * 5, *[at(10, 1)] * 2, at(9, 59))
        newest = ["6", "5", "4", "3", "2", "1", "0", "7"]
        # Of rows with one moment the one that was written last is the newest.
        for path in paths:
            forth = walk(viewer, f"{path}page_size=3", "next")
            assert forth == [newest[:3], newest[3:6], newest[6:]]
            answer = viewer.get(f"{path}page_size=3")
            for _ in forth[1:]:
                answer = viewer.client.get(answer.json()["next"])
            for page in reversed(forth[:-1]):
                answer = viewer.client.get(answer.json()["previous"])
                assert numbers(rows(answer)) == page
            assert answer.json()["previous"] is None

    def test_the_oldest_first(self, viewer: Person, attempt: Attempt, paths: list[str]) -> None:
        numbered(attempt, TEN, TEN, at(9, 59), TEN)
        for path in paths[:2]:
            assert walk(viewer, f"{path}order=oldest&page_size=2", "next") == [["2", "0"], ["1", "3"]]
            assert walk(viewer, f"{path}order=newest&page_size=3", "next") == [["3", "1", "0"], ["2"]]
            assert numbers(lines(viewer.get(f"{path}order=oldest&export=ndjson"))) == ["2", "0", "1", "3"]
            refused(viewer.get(f"{path}order=upwards"), 400, "invalid")

    def test_more_ties_than_rest_frameworks_own_pages_count(self, viewer: Person, attempt: Attempt) -> None:
        fields = {"exam_id": attempt.exam_id, "attempt": attempt, "type": 1010, "severity": "info", "actor": "system"}
        moments = dict.fromkeys(("at", "occurred_at", "received_at"), TEN)
        Event.objects.bulk_create(Event(**fields, **moments, message_id=str(n), item_id=str(n)) for n in range(1300))
        pages = walk(viewer, f"/attempts/{attempt.pk}/timeline/?page_size=200", "next")
        assert [len(page) for page in pages] == [200] * 6 + [100]
        assert [one for page in pages for one in page] == [str(n) for n in reversed(range(1300))]

    def test_what_comes_meanwhile_moves_nothing(self, viewer: Person, attempt: Attempt) -> None:
        numbered(attempt, TEN, TEN, TEN)
        first = viewer.get(f"/attempts/{attempt.pk}/timeline/?page_size=2")
        EventFactory(attempt=attempt, at=at(10, 1))
        second = viewer.client.get(first.json()["next"])
        assert numbers(rows(second)) == ["0"]
        assert second.json()["previous"] is not None

    def test_behind_the_end(self, viewer: Person, attempt: Attempt) -> None:
        numbered(attempt, TEN, at(10, 1))
        for order, reverse, link in (("newest", "0", "previous"), ("oldest", "1", "next")):
            cursor = _cursor(p="0.1", r=reverse)
            answer = viewer.get(f"/attempts/{attempt.pk}/timeline/", order=order, cursor=cursor, page_size=1)
            assert rows(answer) == []
            edge = viewer.client.get(answer.json()[link])
            assert numbers(rows(edge)) == ["0"]

    @pytest.mark.parametrize(
        "tokens",
        [
            {"p": "x"},
            {"p": ""},
            {"p": "5"},
            {"p": "1.x"},
            {"p": "-1.1"},
            {"p": "1.-1"},
            {"p": "1.1.1"},
            {"p": "1.1\n"},
            {"p": "\x00.1"},
            {"p": f"1.{2**63}"},
            {"p": f"{10**18 - 1}.1"},
            {"p": f"{10**40}.1"},
            {"p": f"{(END - EPOCH) // timedelta(microseconds=1)}.1"},
            {"p": "2026-03-02T10:00:00Z"},
            {"p": "1.1", "r": "x"},
            {"p": "1.1", "o": "-1"},
            {"p": "1.1", "o": "9" * 5000},
        ],
    )
    def test_hostile_cursors(self, tokens: dict[str, str], viewer: Person, paths: list[str]) -> None:
        for path in paths:
            refused(viewer.get(f"{path}{urlencode({'cursor': _cursor(**tokens)})}"), 400, "invalid")

    @pytest.mark.parametrize("cursor", ["x", "é", "cD0x" * 1000, "cD0%00eA"])
    def test_what_is_no_cursor(self, cursor: str, viewer: Person, paths: list[str]) -> None:
        for path in paths:
            refused(viewer.get(f"{path}cursor={cursor}"), 400, "invalid")

    def test_cursors_that_are_none_of_ours_and_harmless(self, viewer: Person, attempt: Attempt) -> None:
        numbered(attempt, TEN)
        for tokens in ({}, {"o": "5"}, {"r": "1"}, {"p": "9999999999999999.1"}, {"p": f"0.{2**63 - 1}", "r": "1"}):
            answer = viewer.get(f"/attempts/{attempt.pk}/timeline/", cursor=_cursor(**tokens))
            assert numbers(rows(answer)) == ["0"], tokens


class TestPagesThatReadOnlySoFar:
    """Whatever the filters find: here three rows a page."""

    @pytest.fixture(autouse=True)
    def _three(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("proctoring.api.pagination.MOST_READ", 3)

    @pytest.fixture
    def log(self, attempt: Attempt) -> None:
        """Of each moment some: the oldest, one in the middle and the newest are what is sought."""
        for number in range(11):
            fields: dict[str, Any] = {"type": 1010, "severity": "info", "actor": EventActor.SYSTEM}
            if number in (0, 5, 10):
                fields = {"type": 1014, "severity": "alert", "actor": EventActor.PROCTOR, "reason_code": 77}
            EventFactory(attempt=attempt, at=at(10, number // 2), item_id=str(number), **fields)

    @pytest.fixture
    def doors(self, paths: list[str]) -> list[str]:
        log, timeline, of_attempt, of_exam = paths
        rare = ("reasonCode=77", "action=termination", "actor=proctor")
        return [
            f"{log}action=Voided&",
            f"{timeline}severity=alert&",
            f"{timeline}type=1014&",
            *(f"{path}{query}&" for path in (of_attempt, of_exam) for query in rare),
        ]

    @pytest.mark.usefixtures("log")
    def test_go_on_where_they_found_nothing(self, viewer: Person, doors: list[str]) -> None:
        for door in doors:
            assert walk(viewer, f"{door}page_size=2", "next") == [["10"], ["5"], [], ["0"]], door

    @pytest.mark.long
    @pytest.mark.usefixtures("log")
    @pytest.mark.parametrize("size", [1, 2, 50])
    def test_find_everything_on_the_way_back_too(self, size: int, viewer: Person, doors: list[str]) -> None:
        for door in doors:
            answer = viewer.get(f"{door}page_size={size}")
            while (following := answer.json()["next"]) is not None:
                answer = viewer.client.get(following)
            back = [numbers(rows(answer))]
            while (before := answer.json()["previous"]) is not None:
                answer = viewer.client.get(before)
                back.insert(0, numbers(rows(answer)))
            assert [one for page in back for one in page] == ["10", "5", "0"], door

    @pytest.mark.usefixtures("log")
    def test_the_oldest_first(self, viewer: Person, doors: list[str]) -> None:
        for door in doors[:3]:
            pages = walk(viewer, f"{door}order=oldest&page_size=2", "next")
            assert [one for page in pages for one in page] == ["0", "5", "10"]

    @pytest.mark.usefixtures("log")
    def test_begin_where_the_moments_say(self, viewer: Person, doors: list[str]) -> None:
        for door in doors:
            first = walk(viewer, f"{door}to=2026-03-02T10:03:00Z&from=2026-03-02T10:02:00Z", "next")
            assert first == [["5"]], door

    @pytest.mark.usefixtures("log")
    def test_a_file_has_all(self, viewer: Person, doors: list[str]) -> None:
        for door in doors:
            assert numbers(lines(viewer.get(f"{door}export=ndjson"))) == ["10", "5", "0"]

    def test_without_filters_they_are_full(self, viewer: Person, attempt: Attempt, paths: list[str]) -> None:
        numbered(attempt, *[TEN] * 7)
        for path in paths:
            assert walk(viewer, f"{path}page_size=2", "next") == [["6", "5"], ["4", "3"], ["2", "1"], ["0"]]

    def test_a_candidates_rows_are_found_among_those_of_all(
        self, viewer: Person, candidate: Person, attempt: Attempt
    ) -> None:
        numbered(attempt, at(9, 0), at(9, 1))
        numbered(AttemptFactory(exam=attempt.exam), *[TEN] * 9)
        again = AttemptFactory(exam=attempt.exam, user=candidate.user, number=2, open_slot=None)
        numbered(again, at(9, 0, 30))
        elsewhere = AttemptFactory(exam__course_id=attempt.exam.course_id, user=candidate.user)
        numbered(elsewhere, TEN)
        query = {"deliveryId": attempt.exam_id, "testTaker": candidate.user.get_username()}
        assert numbers(rows(viewer.get("/logs/acs/", **query))) == ["1", "0", "0"]
        of_one = {"deliveryExecutionId": again.pk, "testTaker": candidate.user.get_username()}
        assert numbers(rows(viewer.get("/logs/acs/", **of_one))) == ["0"]
        assert rows(viewer.get("/logs/acs/", **{**of_one, "testTaker": viewer.user.get_username()})) == []
        assert rows(viewer.get("/logs/acs/", **{**query, "deliveryExecutionId": elsewhere.pk})) == []

    def test_ones_own_rows_are_passed_over(self, viewer: Person, attempt: Attempt) -> None:
        own = AttemptFactory(exam=attempt.exam, user=viewer.user)
        numbered(attempt, at(9, 0))
        numbered(own, *[TEN] * 5)
        # Of nobody's attempt, but of the exam.
        Event.objects.create(
            exam=attempt.exam,
            type=1010,
            actor="system",
            item_id="exam",
            message_id="x",
            **dict.fromkeys(("at", "occurred_at", "received_at"), at(9, 30)),
        )
        pages = walk(viewer, f"/logs/acs/?deliveryId={attempt.exam_id}", "next")
        assert pages == [[], ["exam"], ["0"]]


def _cursor(**tokens: str) -> str:
    return base64.b64encode(urlencode(tokens).encode()).decode()


class TestFilters:
    def test_of_the_candidate_log(self, viewer: Person, attempt: Attempt) -> None:
        EventFactory(attempt=attempt, type=1004, at=at(10, 0), item_id="0")
        EventFactory(attempt=attempt, type=1010, at=at(10, 1), item_id="1")
        EventFactory(attempt=attempt, type=1001, at=at(10, 1), item_id="no row")
        for query, found in (
            ({}, ["1", "0"]),
            ({"action": "Exam paused"}, ["1"]),
            ({"action": "Voided"}, []),
            ({"from": "2026-03-02T10:01:00Z"}, ["1"]),
            ({"to": "2026-03-02T11:01:00+01:00"}, ["0"]),
        ):
            assert numbers(rows(viewer.get(f"/attempts/{attempt.pk}/candidate-log/", **query))) == found
            file = viewer.get(f"/attempts/{attempt.pk}/candidate-log/", export="ndjson", **query)
            assert numbers(lines(file)) == found

    def test_of_the_timeline(self, viewer: Person, attempt: Attempt) -> None:
        EventFactory(attempt=attempt, type=16, at=at(10, 0), item_id="0", actor=EventActor.VENDOR)
        EventFactory(attempt=attempt, type=4711, at=at(10, 1), item_id="1", severity="alert")
        EventFactory(attempt=attempt, type=1010, at=at(10, 2), item_id="2", actor=EventActor.PROCTOR)
        for query, found in (
            ({"type": 16}, ["0"]),
            ({"type": 4711}, ["1"]),
            ({"type": 5}, []),
            ({"category": "face"}, ["0"]),
            ({"category": "unknown"}, ["1"]),
            ({"severity": "alert"}, ["1"]),
            ({"actor": "vendor"}, ["0"]),
            ({"actor": "proctor", "severity": "notice"}, ["2"]),
            ({"from": "2026-03-02T10:01:00Z", "to": "2026-03-02T10:02:00Z"}, ["1"]),
        ):
            assert numbers(rows(viewer.get(f"/attempts/{attempt.pk}/timeline/", **query))) == found

    def test_of_the_acs_log(
        self, viewer: Person, candidate: Person, attempt: Attempt, lms: ScriptedHost, settings: Any
    ) -> None:
        configure(settings, TENANT_ID="north")
        vars(host()).update(vars(lms))
        other = AttemptFactory(exam=attempt.exam)
        EventFactory(attempt=attempt, type=1010, at=at(10, 0), item_id="0", actor=EventActor.PROCTOR)
        EventFactory(attempt=other, type=1020, at=at(10, 1), item_id="1")
        EventFactory(attempt=attempt, type=4711, at=at(10, 2), item_id="2", actor=EventActor.VENDOR)
        EventFactory(attempt=other, type=1030, at=at(10, 3), item_id="3", actor=EventActor.VENDOR, reason_code=77)
        minute = int(at(10, 1).timestamp())
        for query, found in (
            ({"testTaker": candidate.user.get_username()}, ["2", "0"]),
            ({"testTaker": "nobody"}, []),
            ({"actor": "system"}, ["3", "2", "1"]),
            ({"actor": "proctor"}, ["0"]),
            ({"actor": "deliver-fe"}, []),
            ({"action": "flag"}, ["3", "2"]),
            ({"action": "log"}, ["1"]),
            ({"action": "pause"}, ["0"]),
            ({"action": "start"}, []),
            ({"reasonCode": 40030}, ["1"]),
            ({"reasonCode": 77}, ["3"]),
            # What was said counts, not what the type stands for.
            ({"reasonCode": 20060}, []),
            ({"from": minute}, ["3", "2", "1"]),
            ({"from": "2026-03-02T10:02:00Z"}, ["3", "2"]),
            ({"to": minute}, ["0"]),
            ({"from": minute, "to": "2026-03-02T10:02:00Z"}, ["1"]),
            ({"tenantId": "north"}, ["3", "2", "1", "0"]),
            ({"tenantId": "south"}, []),
        ):
            answer = viewer.get("/logs/acs/", deliveryId=attempt.exam_id, **query)
            assert numbers(rows(answer)) == found, query
            file = viewer.get("/logs/acs/", deliveryId=attempt.exam_id, export="ndjson", **query)
            assert numbers(lines(file)) == found, query

    @pytest.mark.parametrize(
        "query",
        [
            {"from": "yesterday"},
            {"from": "1969-12-31T00:00:00Z"},
            {"from": "-1"},
            {"from": "0001-01-01T00:00:00+14:00"},
            {"to": "9999-12-31T23:59:59Z"},
            {"to": "9999-12-31T23:59:59-14:00"},
            {"to": "999999999999"},
            {"to": "9" * 5000},
            {"to": "1e400"},
            {"to": "true"},
            {"to": "\x00"},
            {"page_size": "0"},
            {"page_size": "true"},
            {"export": "xlsx"},
            {"export": ""},
        ],
    )
    def test_what_makes_no_sense_anywhere(self, query: dict[str, Any], viewer: Person, paths: list[str]) -> None:
        for path in paths:
            refused(viewer.get(path + urlencode(query)), 400, "invalid")

    @pytest.mark.parametrize(
        ("log", "query"),
        [
            (0, {"action": "Danced"}),
            (0, {"action": "\x00"}),
            (1, {"type": "x"}),
            (1, {"type": "-1"}),
            (1, {"type": 2**31}),
            (1, {"type": "9" * 5000}),
            (1, {"type": "true"}),
            (1, {"category": "weather"}),
            (1, {"severity": "loud"}),
            (1, {"actor": "candidate"}),
            (3, {"testTaker": "a\x00b"}),
            (3, {"testTaker": "x" * 256}),
            (3, {"actor": "vendor"}),
            (3, {"action": "move"}),
            (3, {"reasonCode": "10.5"}),
            (3, {"reasonCode": 2**63}),
            (3, {"tenantId": "\x00"}),
        ],
    )
    def test_what_makes_no_sense(self, log: int, query: dict[str, Any], viewer: Person, paths: list[str]) -> None:
        refused(viewer.get(paths[log] + urlencode(query)), 400, "invalid")
