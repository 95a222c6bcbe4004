"""Something between page and server takes not everything: what it does not take must not keep back the rest."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Request, Route, expect
from pytest_django.live_server_helper import LiveServer

from proctoring.attempts.models import Attempt
from proctoring.attempts.services import terminate_attempt
from proctoring.attempts.states import Actor, Status
from proctoring.candidate.screens import Screen
from proctoring.monitoring.commands import send_command
from proctoring.monitoring.models import Command, CommandKind
from tests.browser.conftest import Inspector
from tests.browser.monitored import (
    ASK_NOW,
    PATIENCE,
    eventually,
    flush,
    in_order,
    only_network,
    open_page,
    reported,
)
from tests.candidate.pages import page_url
from tests.factories import UserFactory

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.browser.exam_pages"),
]

POISON = "poison"
REPORT = """for (let i = 0; i < {count}; i += 1) {{
  window.proctoring.report(1031, {{ data: {{ i, is: i === {bad} ? 'poison' : '' }} }});
}}"""
HTML = {"body": "<h1>Sorry</h1>", "content_type": "text/html"}
UNREADABLE = {"status": 400, "json": {"code": "invalid", "detail": "No."}}


def report(page: Page, *, count: int, bad: int = -1) -> None:
    page.evaluate(REPORT.format(count=count, bad=bad))


def block(page: Page, condition: Callable[[Request], bool], **answer: Any) -> list[Request]:
    """Answer in the server's place where the condition holds; the requests that were."""
    stopped = []

    def look(route: Route) -> None:
        if condition(route.request):
            stopped.append(route.request)
            route.fulfill(**answer)
        else:
            route.continue_()

    page.route("**/api/v1/**", look)
    return stopped


def events_in(request: Request) -> list[Any]:
    body: Any = request.post_data_json or []
    return list(body["events"] if isinstance(body, dict) else body)


def has_poison(request: Request) -> bool:
    return POISON in (request.post_data or "")


def numbers(attempt: Attempt) -> list[int]:
    return [event.data["i"] for event in reported(attempt, 1031)]


def in_batches(requests: list[Request]) -> list[Request]:
    return [one for one in requests if one.url.endswith("/events/")]


def pass_time(page: Page, *, minutes: int) -> None:
    """With a simulated clock, and with the time that requests take by the real one."""
    for _ in range(minutes * 15):
        page.clock.run_for(4_000)
        page.wait_for_timeout(50)
    # Nothing may be under way when what comes next changes.
    page.wait_for_timeout(500)


def arrived(page: Page, attempt: Attempt, count: int) -> None:
    def all_there() -> bool:
        page.clock.run_for(60_000)
        page.wait_for_timeout(100)
        return len(numbers(attempt)) >= count

    eventually(page, all_there)


def submit(attempt: Attempt) -> None:
    Attempt.objects.filter(pk=attempt.pk).update(
        status=Status.SUBMITTED, open_slot=None, expires_at=None, ended_at=timezone.now()
    )


def ask_until(page: Page, condition: Callable[[], Any]) -> None:
    def asked() -> Any:
        page.evaluate(ASK_NOW)
        page.wait_for_timeout(100)
        return condition()

    eventually(page, asked)


@pytest.mark.parametrize("count", [18, 60], ids=["with-a-heartbeat", "in-batches"])
def test_what_is_too_much_at_once_goes_in_parts(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt, count: int
) -> None:
    open_page(watched, questions)
    flush(watched)
    stopped = block(watched, lambda request: len(request.post_data or "") > 2000, status=413, **HTML)
    report(watched, count=count)
    ask_until(watched, lambda: len(numbers(attempt)) == count)
    assert stopped
    assert numbers(attempt) == [*range(count)]
    assert in_order(reported(attempt))
    expect(watched.locator("[data-connection]")).to_be_empty()
    only_network(inspector)


@pytest.mark.parametrize("status", [200, 403, 502])
def test_what_meets_trouble_only_together_arrives_in_parts(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt, status: int
) -> None:
    open_page(watched, questions)
    flush(watched)
    stopped = block(watched, lambda request: len(events_in(request)) > 10, status=status, **HTML)
    report(watched, count=40)
    ask_until(watched, lambda: len(numbers(attempt)) == 40)
    assert stopped
    assert numbers(attempt) == [*range(40)]
    assert in_order(reported(attempt))
    expect(watched.locator("[data-connection]")).to_be_empty()
    only_network(inspector)


@pytest.mark.parametrize("answer", [{"status": 413, **HTML}, UNREADABLE], ids=["too-large", "unreadable"])
def test_one_that_is_never_taken_is_given_up_and_told_of(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt, answer: dict[str, Any]
) -> None:
    open_page(watched, questions)
    flush(watched)
    block(watched, has_poison, **answer)
    report(watched, count=40, bad=7)
    ask_until(watched, lambda: reported(attempt, 1040))
    assert numbers(attempt) == [number for number in range(40) if number != 7]
    [marker] = reported(attempt, 1040)
    assert marker.data["type"] == 1031
    stream, sequence = marker.data["refused"].rsplit(".", 1)
    missing = {*range(1, (marker.sequence or 0) + 1)} - {event.sequence for event in reported(attempt)}
    assert (stream, {int(sequence)}) == (marker.stream, missing)
    flush(watched)
    only_network(inspector)


def test_something_that_takes_nothing_at_all_is_not_told_of_for_ever(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt
) -> None:
    open_page(watched, questions)
    flush(watched)
    stopped = block(watched, lambda request: bool(events_in(request)), status=413, **HTML)
    report(watched, count=3)
    flush(watched)
    flush(watched)
    assert len(stopped) < 20
    only_network(inspector)


@pytest.mark.parametrize("status", [403, 500])
def test_one_that_meets_trouble_waits_and_keeps_nothing_else_back(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt, status: int
) -> None:
    open_page(watched, questions)
    flush(watched)
    block(watched, has_poison, status=status, **HTML)
    report(watched, count=12, bad=3)
    ask_until(watched, lambda: len(numbers(attempt)) == 11)
    report(watched, count=1)
    ask_until(watched, lambda: len(numbers(attempt)) == 12)
    assert 3 not in numbers(attempt)
    send_command(attempt, CommandKind.MESSAGE, by=None, now=timezone.now(), text="Hello")
    watched.evaluate(ASK_NOW)
    expect(watched.locator(".proctoring-notice")).to_contain_text("Hello", timeout=PATIENCE)
    expect(watched.locator("[data-connection]")).to_be_empty()
    # Nothing was given up: after a reload it is first again.
    watched.unroute_all()
    open_page(watched, questions)
    flush(watched)
    assert sorted(numbers(attempt)) == sorted([*range(12), 0])
    assert reported(attempt, 1040) == []
    only_network(inspector)


def test_events_in_trouble_are_tried_ever_more_seldom_and_heartbeats_go_on(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt
) -> None:
    watched.clock.install()
    heartbeats: list[Request] = []
    watched.on("request", lambda one: heartbeats.append(one) if one.url.endswith("/heartbeat/") else None)
    stopped = block(watched, lambda request: bool(events_in(request)), status=500, **HTML)
    watched.goto(questions)
    for _ in range(40):
        watched.clock.run_for(12_000)
        watched.wait_for_timeout(50)
    eventually(watched, lambda: len(heartbeats) > 20)
    # Eight minutes are forty intervals.
    assert 2 < len(in_batches(stopped)) < 20
    assert len([one for one in heartbeats if events_in(one)]) < len(heartbeats) / 2
    assert reported(attempt) == []
    watched.unroute_all()
    watched.evaluate(ASK_NOW)
    eventually(watched, lambda: reported(attempt, 1003))
    only_network(inspector)


def test_an_outage_of_events_alone_keeps_their_order(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt
) -> None:
    watched.clock.install()
    open_page(watched, questions)
    flush(watched)
    heartbeats: list[Request] = []
    watched.on("request", lambda one: heartbeats.append(one) if one.url.endswith("/heartbeat/") else None)
    stopped = block(watched, lambda request: bool(events_in(request)), status=500, **HTML)
    report(watched, count=20)
    pass_time(watched, minutes=12)
    tries = in_batches(stopped)
    # In the end each is one row and another behind it, and at least half a minute lies between two.
    assert 12 < len(tries) < 50
    assert len(events_in(tries[-1])) == 1
    assert len([one for one in heartbeats if not events_in(one)]) > 20
    assert numbers(attempt) == []
    watched.unroute_all()
    arrived(watched, attempt, 20)
    assert numbers(attempt) == [*range(20)]
    assert in_order(reported(attempt))
    only_network(inspector)


def test_several_bad_ones_keep_back_nothing_behind_them(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt
) -> None:
    open_page(watched, questions)
    flush(watched)
    block(watched, has_poison, status=500, **HTML)
    report(watched, count=1)
    for _ in range(3):
        report(watched, count=1, bad=0)
    report(watched, count=10)
    ask_until(watched, lambda: len(numbers(attempt)) == 11)
    watched.unroute_all()
    ask_until(watched, lambda: len(numbers(attempt)) == 14)
    assert numbers(attempt)[-3:] == [0, 0, 0]
    only_network(inspector)


def test_after_the_end_an_outage_keeps_the_order(
    watched: Page, inspector: Inspector, questions: str, live_server: LiveServer, attempt: Attempt
) -> None:
    open_page(watched, questions)
    flush(watched)
    watched.route("**/api/v1/**", lambda route: route.abort())
    report(watched, count=20)
    watched.wait_for_timeout(300)
    submit(attempt)
    # Nothing is sent in passing, which would not be stopped.
    watched.evaluate("void Object.defineProperty(navigator, 'onLine', { value: false })")
    watched.clock.install()
    watched.goto(live_server.url + page_url(attempt.exam))
    expect(watched.get_by_role("heading", level=1)).to_have_text(str(Screen.DONE.label))
    pass_time(watched, minutes=12)
    assert numbers(attempt) == []
    watched.unroute_all()
    arrived(watched, attempt, 20)
    assert numbers(attempt) == [*range(20)]
    only_network(inspector)


def test_the_end_is_heard_several_times_and_the_rest_is_tried_by_one(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt
) -> None:
    watched.clock.install()
    open_page(watched, questions.replace("/bar/", "/script/"))
    flush(watched)
    watched.evaluate("void document.addEventListener('proctoring:leave', (event) => event.preventDefault())")
    stopped = block(watched, lambda request: bool(events_in(request)), status=500, **HTML)
    report(watched, count=1)
    terminate_attempt(attempt, by=UserFactory(), actor=Actor.PROCTOR)
    commands = [send_command(attempt, CommandKind.TERMINATE, by=None, now=timezone.now()) for _ in range(4)]
    watched.evaluate(ASK_NOW)

    def all_applied() -> bool:
        watched.clock.run_for(1_000)
        watched.wait_for_timeout(100)
        return not Command.objects.filter(pk__in=[one.pk for one in commands], applied_at=None).exists()

    eventually(watched, all_applied)
    before = len(in_batches(stopped))
    pass_time(watched, minutes=10)
    # At least half a minute lies between two of them, once it is clear that it lasts.
    assert 5 < len(in_batches(stopped)) - before < 25
    watched.unroute_all()
    arrived(watched, attempt, 1)
    only_network(inspector)


def test_after_the_end_the_rest_is_tried_again(
    watched: Page, inspector: Inspector, questions: str, live_server: LiveServer, attempt: Attempt
) -> None:
    open_page(watched, questions)
    flush(watched)
    watched.route("**/api/v1/**", lambda route: route.abort())
    report(watched, count=30)
    watched.wait_for_timeout(300)
    submit(attempt)
    watched.clock.install()
    watched.unroute_all()
    stopped = block(watched, lambda request: len(events_in(request)) > 10, status=502, **HTML)
    watched.goto(live_server.url + page_url(attempt.exam))
    expect(watched.get_by_role("heading", level=1)).to_have_text(str(Screen.DONE.label))
    arrived(watched, attempt, 30)
    assert stopped
    assert numbers(attempt) == [*range(30)]
    only_network(inspector)
