"""Ten thousand events of somebody who wants to harm their readers, through the doors of the page and of the readers."""

from __future__ import annotations

import csv
import io
import itertools
import json
import random
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.host import Role
from proctoring.logs.models import Event
from tests.api.conftest import ROOT, Person
from tests.factories import AttemptFactory, UserFactory

pytestmark = pytest.mark.long

EVENTS = 10_000
BATCH = 500
SHOWN = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "javascript:alert(1)",
    "{{ 7*7 }}{% debug %}",
    '=HYPERLINK("http://evil.example","x")',
    "+cmd|' /C calc'!A0",
    "-2+3",
    "@SUM(1+1)*cmd",
    "\t=1+1",
    "\r=1+1",
    "\n=1+1",
    "'; DROP TABLE proctoring_event; --",
    "a\r\nSet-Cookie: x=1",
    "\u202egnp.exe",
    "\u2028\u2029",
    "💣" * 50,
    "x" * 2000,
)
"""Sound text, whatever a reader's program would like to make of it."""
REFUSED: tuple[dict[str, Any], ...] = (
    {"error": "null\x00byte"},
    {"data": {"a\x00": 1}},
    {"error": "\ud800"},
    {"data": {"deep": "x" * 9000}},
    {"error": "x" * 1_000_000},
    {"message_id": "a b"},
    {"message_id": "x" * 65},
    {"message_id": "s:forged"},
    {"type": 1010},
    {"type": 2**40},
    {"type": "1005"},
    {"type": True},
    {"occurred_at": "0000-00-00"},
    {"occurred_at": "+10000-01-01T00:00:00Z"},
    {"sequence": -1},
    {"sequence": 2**80},
    {"data": []},
    {"stream": "\n"},
)


@pytest.fixture
def running(attempt: Attempt) -> Attempt:
    now = timezone.now()
    Attempt.objects.filter(pk=attempt.pk).update(status=Status.STARTED, started_at=now)
    attempt.refresh_from_db()
    return attempt


def rows() -> list[dict[str, Any]]:
    choice = random.Random(7)
    now = timezone.now().isoformat()
    return [
        {
            "message_id": f"m{number}",
            "type": choice.choice((1003, 1004, 1005, 1032, 1040, 5, 16, 999)),
            "occurred_at": now,
            "error": choice.choice(SHOWN),
            "item_id": choice.choice(SHOWN)[:255],
            "reason_message": choice.choice(SHOWN),
            "data": {choice.choice(SHOWN)[:300]: choice.choice(SHOWN)[:300]},
        }
        for number in range(EVENTS)
    ]


@pytest.fixture
def stored(candidate: Person, running: Attempt) -> Attempt:
    """The sound ones are in the log; with each batch came one of the others."""
    bad = itertools.cycle(REFUSED)
    agent = "=1+1<script>alert(2)</script>"
    for begin in range(0, EVENTS, BATCH):
        batch = rows()[begin : begin + BATCH - 1]
        wrong = {**batch[0], "message_id": f"bad{begin}", **next(bad)}
        answer = candidate.client.post(
            f"{ROOT}/attempts/{running.pk}/events/",
            json.dumps([*batch, wrong]),
            content_type="application/json",
            headers={"User-Agent": agent},
        )
        assert answer.status_code == 200, answer.content[:500]
        told = answer.json()
        assert (told["stored"], [one["index"] for one in told["refused"]]) == (BATCH - 1, [BATCH - 1])
    assert Event.objects.filter(attempt=running).count() == EVENTS - EVENTS // BATCH
    return running


def test_each_of_the_unsound_is_refused_and_no_other(candidate: Person, running: Attempt) -> None:
    good = {"message_id": "good", "type": 1005, "occurred_at": timezone.now().isoformat()}
    wrong = [{**good, "message_id": f"w{at}", **one} for at, one in enumerate(REFUSED)]
    answer = candidate.client.post(
        f"{ROOT}/attempts/{running.pk}/events/", json.dumps([good, *wrong]), content_type="application/json"
    )

    assert answer.status_code == 200
    assert answer.json()["stored"] == 1
    assert [one["index"] for one in answer.json()["refused"]] == list(range(1, len(wrong) + 1))


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b'[{"message_id": "\xff\xfe"}]', 400),
        (b"\x00", 400),
        (b"[" * 100_000, 400),
        (b'[{"type": 1e999}]', 400),
        (b'[{"type": NaN}]', 400),
        (b'"' + b"x" * 3_000_000 + b'"', 413),
    ],
)
def test_what_is_no_json_is_refused_whole(candidate: Person, running: Attempt, body: bytes, status: int) -> None:
    for door in ("events", "heartbeat"):
        assert candidate.raw("post", f"/attempts/{running.pk}/{door}/", body).status_code == status


def test_nothing_of_it_runs_anywhere(
    candidate: Person, person: Callable[..., Person], stored: Attempt, settings: Any
) -> None:
    viewer = person(Role.LOG_VIEWER)
    for path in (
        f"/attempts/{stored.pk}/candidate-log/?",
        f"/attempts/{stored.pk}/timeline/?",
        f"/logs/acs/?deliveryId={stored.exam_id}&",
    ):
        _read_as_a_spreadsheet(viewer, f"{ROOT}{path}export=csv")
        _read_as_a_program(viewer, f"{ROOT}{path}export=ndjson")
        page = viewer.client.get(f"{ROOT}{path}page_size=200")
        assert page.headers["Content-Type"] == "application/json"
        assert page.json()["results"]
    _look_in_the_admin(stored)


def _read_as_a_spreadsheet(viewer: Person, address: str) -> None:
    answer = viewer.client.get(address)
    text = b"".join(answer.streaming_content).decode()
    found = list(csv.reader(io.StringIO(text, newline="")))
    assert len(found) > 1000
    assert {len(row) for row in found} == {len(found[0])}
    assert not [cell for row in found for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]
    assert "Set-Cookie" not in answer.headers


def _read_as_a_program(viewer: Person, address: str) -> None:
    text = b"".join(viewer.client.get(address).streaming_content).decode()
    found = [json.loads(line) for line in text.split("\n") if line]
    assert len(found) > 1000


def _look_in_the_admin(stored: Attempt) -> None:
    boss = Client()
    boss.force_login(UserFactory(is_staff=True, is_superuser=True))
    events = reverse("admin:proctoring_event_changelist")
    one = Event.objects.filter(attempt=stored, error__startswith="<script>").first()
    assert one is not None
    for page in (
        f"{events}?attempt__id__exact={stored.pk}",
        reverse("admin:proctoring_event_change", args=(one.pk,)),
        reverse("admin:proctoring_attempt_change", args=(stored.pk,)),
    ):
        content = boss.get(page).content.decode()
        assert "alert(" in content
        assert not [word for word in ("<script>alert", "<img src=x", 'href="javascript:', ">49<") if word in content]


def test_same_batch_five_times_from_two_tabs_is_stored_once_and_in_order(candidate: Person, running: Attempt) -> None:
    """Tab B sends in the middle of tab A's, and both repeat themselves."""
    now = timezone.now().isoformat()
    tabs = {
        tab: [
            {"message_id": f"{tab}{n}", "type": 1005, "occurred_at": now, "stream": tab, "sequence": n}
            for n in range(40)
        ]
        for tab in ("a", "b")
    }
    for _ in range(5):
        for begin in range(0, 40, 10):
            for tab in ("a", "b"):
                body = tabs[tab][begin : begin + 20]
                door, sent = ("events", body) if begin % 20 else ("heartbeat", {"events": body})
                assert candidate.post(f"/attempts/{running.pk}/{door}/", sent).status_code == 200
    stranger = AttemptFactory(exam=running.exam)

    for tab in ("a", "b"):
        found = Event.objects.filter(attempt=running, stream=tab).order_by("at", "pk")
        assert list(found.values_list("sequence", flat=True)) == list(range(40))
    assert Event.objects.filter(attempt=running, type=1005).count() == 80
    assert not Event.objects.filter(attempt=stranger).exists()
