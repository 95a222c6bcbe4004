"""The page of a running attempt in a real browser: what reaches the log, whatever happens to page and network."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, Request, Route, expect
from pytest_django.live_server_helper import LiveServer

from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.states import Status
from proctoring.attempts.timing import EntryKind
from proctoring.candidate.screens import Screen
from proctoring.logs.models import Event
from proctoring.monitoring.models import Presence
from proctoring.monitoring.silence import notice_silence
from tests.browser import exam_pages
from tests.browser.conftest import Inspector
from tests.browser.monitored import (
    ASK_NOW,
    BACK,
    OFFLINE,
    PATIENCE,
    answer,
    answers_in,
    beat,
    cut,
    eventually,
    fall,
    flush,
    go_silent,
    in_order,
    is_heartbeat,
    mend,
    only_network,
    open_page,
    reported,
    until,
)
from tests.candidate.pages import page_url

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.browser.exam_pages"),
]


def test_nothing_is_lost_while_the_network_is_away(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt
) -> None:
    open_page(watched, questions)
    answer(watched, 1, "before")
    flush(watched)
    line = watched.locator("[data-connection]")
    expect(line).to_be_empty()
    cut(watched)
    expect(line).to_contain_text(OFFLINE)
    expect(line).to_contain_text("Go on working")
    answer(watched, 2, "meanwhile")
    watched.evaluate("window.proctoring.report(1031, { data: { why: 'meanwhile' } })")
    before = watched.get_by_role("timer").inner_text()
    expect(watched.get_by_role("timer")).not_to_have_text(before)
    go_silent(attempt, minutes=4)
    notice_silence()
    answer(watched, 3, "still meanwhile")
    mend(watched)
    expect(line).to_have_text(BACK, timeout=PATIENCE)
    flush(watched)
    events = reported(attempt)
    assert answers_in(attempt) == ["q1", "q2", "q3"]
    assert len({event.message_id for event in events}) == len(events)
    assert in_order(events)
    assert len({event.stream for event in events}) == 1
    noticed = Event.objects.filter(attempt=attempt, type__in=(1020, 1021)).order_by("pk")
    assert [event.type for event in noticed] == [1020, 1021]
    credit = TimeEntry.objects.get(attempt=attempt, kind=EntryKind.OUTAGE)
    assert 240 <= credit.seconds < 300
    expect(watched.get_by_role("timer")).to_contain_text("53:", timeout=PATIENCE)
    left = watched.evaluate("window.proctoring.deadline().millisecondsLeft") / 1000
    attempt.refresh_from_db()
    assert attempt.expires_at is not None
    assert abs(left - (attempt.expires_at - timezone.now()).total_seconds()) < 3
    only_network(inspector)


@pytest.mark.parametrize("crash", [False, True], ids=["reload", "crash"])
def test_what_a_page_could_not_send_the_next_one_sends_first(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt, crash: bool
) -> None:
    open_page(watched, questions)
    flush(watched)
    cut(watched)
    for number in (1, 2, 3):
        answer(watched, number, "kept")
    for number in range(30):
        watched.evaluate(f"window.proctoring.report(1031, {{ data: {{ number: {number} }} }})")
    watched.wait_for_timeout(300)
    assert answers_in(attempt) == []
    page = fall(watched) if crash else watched
    # The network takes pages again and nothing else: the events of the page before still wait.
    page.route("**/api/v1/**", lambda route: route.abort())
    mend(page)
    page.goto(questions)
    until(page, "window.proctoring?.attempt")
    answer(page, 1, "after the reload")
    page.unroute_all()
    page.evaluate(ASK_NOW)
    eventually(page, lambda: len(answers_in(attempt)) == 4)
    flush(page)
    events = reported(attempt)
    assert answers_in(attempt) == ["q1", "q2", "q3", "q1"]
    assert [event.data.get("number") for event in events if event.type == 1031] == [*range(30)]
    assert in_order(events)
    streams = [event.stream for event in events]
    assert sorted(streams, key=streams.index) == streams, "one load of the page after the other"
    assert len(set(streams)) == 2
    assert len({event.message_id for event in events}) == len(events)
    page.goto("about:blank")
    only_network(inspector)


def test_more_than_a_batch_waits_and_arrives_in_order(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt
) -> None:
    open_page(watched, questions)
    flush(watched)
    asked: list[int] = []
    watched.on(
        "request",
        lambda request: asked.append(len(request.post_data_json)) if request.url.endswith("/events/") else None,
    )
    cut(watched)
    watched.evaluate("for (let i = 0; i < 1100; i += 1) window.proctoring.report(1031, { data: { i } })")
    mend(watched)
    flush(watched)
    assert [event.data["i"] for event in reported(attempt, 1031)] == [*range(1100)]
    assert in_order(reported(attempt))
    assert max(asked) <= 500
    only_network(inspector)


def test_two_tabs_of_one_attempt_double_nothing(watched: Page, questions: str, attempt: Attempt) -> None:
    open_page(watched, questions)
    other = watched.context.new_page()
    open_page(other, questions)
    answer(watched, 1, "here")
    answer(other, 1, "there")
    for page in (watched, other, watched):
        page.evaluate(ASK_NOW)
    flush(watched)
    flush(other)
    events = reported(attempt, 1005)
    assert len(events) == 2
    assert len({event.stream for event in events}) == 2
    every = reported(attempt)
    assert len({event.message_id for event in every}) == len(every)
    other.goto("about:blank")


@pytest.mark.parametrize("status", [500, 403, 429])
def test_server_without_a_sound_answer_disturbs_nothing(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt, status: int
) -> None:
    watched.clock.install()
    asked: list[str] = []

    def fail(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=status, body="<h1>Sorry</h1>")

    watched.route("**/api/v1/**", fail)
    watched.goto(questions)
    for _ in range(4):
        watched.clock.run_for(60_000)
        watched.wait_for_timeout(100)
    eventually(watched, lambda: len(asked) >= 3)
    # Ever more seldom: four minutes are twenty intervals.
    assert len(asked) < 15
    expect(watched.locator("[data-connection]")).to_contain_text(OFFLINE)
    answer(watched, 1, "saved all the same")
    eventually(watched, lambda: "saved all the same" in exam_pages.SAVED)
    expect(watched.get_by_role("timer")).to_contain_text("4")
    assert watched.url == questions
    assert reported(attempt) == []
    watched.get_by_role("button", name="Save everything").click()
    expect(watched.get_by_role("heading", name="Saved")).to_be_visible()
    only_network(inspector)


def test_one_missed_heartbeat_is_not_worth_a_word(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt
) -> None:
    watched.clock.install()
    watched.goto(questions)
    watched.clock.run_for(3000)
    eventually(watched, lambda: Presence.objects.filter(attempt=attempt).exists())
    asked: list[str] = []
    watched.route("**/heartbeat/", lambda route: (asked.append(route.request.url), route.abort()))
    watched.evaluate(ASK_NOW)
    eventually(watched, lambda: asked)
    expect(watched.locator("[data-connection]")).to_be_empty()
    watched.unroute_all()
    watched.evaluate(ASK_NOW)
    watched.wait_for_timeout(300)
    expect(watched.locator("[data-connection]")).to_be_empty()
    only_network(inspector)


def test_server_that_wants_patience_hears_no_heartbeat_before(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt
) -> None:
    watched.clock.install()
    asked: list[str] = []

    def refuse(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=503, headers={"Retry-After": "120"}, body="")

    watched.route("**/heartbeat/", refuse)
    with watched.expect_request_finished(is_heartbeat):
        watched.goto(questions)
        watched.clock.run_for(3_000)
    watched.wait_for_timeout(500)
    watched.clock.run_for(100_000)
    watched.evaluate(ASK_NOW)
    watched.wait_for_timeout(500)
    assert len(asked) == 1
    # Not much more than what is left: a request that takes ten seconds of this clock is given up.
    watched.clock.run_for(22_000)
    eventually(watched, lambda: len(asked) == 2)
    # The browser's word about the second one comes a moment later.
    watched.wait_for_timeout(1_000)
    only_network(inspector)


def test_clock_that_is_two_hours_off_moves_nothing(watched: Page, questions: str, attempt: Attempt) -> None:
    watched.add_init_script(
        "const Real = Date; window.Date = class extends Real {"
        " constructor(...given) { super(...(given.length ? given : [Real.now() + 7200000])); }"
        " static now() { return Real.now() + 7200000; } };"
    )
    open_page(watched, questions)
    answer(watched, 1, "when?")
    flush(watched)
    expect(watched.get_by_role("timer")).to_contain_text("49:")
    left = watched.evaluate("window.proctoring.deadline().millisecondsLeft") / 60000
    assert 48 < left < 50
    [event] = reported(attempt, 1005)
    assert event.occurred_at - timezone.now() > timedelta(minutes=110)
    assert abs(event.at - timezone.now()) < timedelta(seconds=30)
    assert abs(Presence.objects.get(attempt=attempt).clock_offset_ms - 7_200_000) < 5_000


def test_page_is_heard_without_a_login_and_says_that_answers_need_one(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt
) -> None:
    open_page(watched, questions)
    cookies = watched.context.cookies()
    watched.context.clear_cookies()
    beat(watched)
    line = watched.locator("[data-connection]")
    expect(line).to_contain_text("You are not logged in any more")
    expect(line.get_by_role("link", name="Log in (new tab)")).to_be_visible()
    answer(watched, 1, "by the token")
    flush(watched)
    assert answers_in(attempt) == ["q1"]
    expect(line).to_contain_text("You are not logged in any more")
    assert watched.url == questions
    watched.context.add_cookies(cookies)  # type: ignore[arg-type]  # what the one answers the other takes
    watched.evaluate(ASK_NOW)
    expect(line).to_have_text(BACK, timeout=PATIENCE)
    only_network(inspector)


def test_worn_out_token_is_replaced_or_done_without(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt, settings: Any
) -> None:
    keys = settings.PROCTORING
    settings.PROCTORING = {**keys, "ACCESS_TOKEN_KEYS": ["of another time, which has long gone by"]}
    watched.goto(questions)
    settings.PROCTORING = keys
    until(watched, "window.proctoring?.attempt")
    asked: list[Request] = []
    watched.on("request", lambda request: asked.append(request) if is_heartbeat(request) else None)
    answer(watched, 1, "by the session")
    flush(watched)
    assert answers_in(attempt) == ["q1"]
    # Logged out: the token is all that there was.
    cookies = watched.context.cookies()
    watched.context.clear_cookies()
    answer(watched, 2, "kept")
    for _ in range(2):
        beat(watched)
    expect(watched.locator("[data-connection]")).to_contain_text("You are not logged in any more")
    assert answers_in(attempt) == ["q1"]
    watched.context.add_cookies(cookies)  # type: ignore[arg-type]  # what the one answers the other takes
    watched.evaluate(ASK_NOW)
    eventually(watched, lambda: answers_in(attempt) == ["q1", "q2"])
    only_network(inspector)


def test_without_keys_the_session_speaks(watched: Page, questions: str, attempt: Attempt, settings: Any) -> None:
    settings.PROCTORING = {**settings.PROCTORING, "ACCESS_TOKEN_KEYS": []}
    open_page(watched, questions)
    answer(watched, 1, "here")
    flush(watched)
    assert answers_in(attempt) == ["q1"]


def test_page_that_has_sent_too_much_forgets_the_rest_and_is_heard(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt, settings: Any
) -> None:
    settings.PROCTORING = {**settings.PROCTORING, "PAGE_MAX_EVENTS": 30}
    open_page(watched, questions)
    for _ in range(3):
        watched.evaluate("for (let i = 0; i < 40; i += 1) window.proctoring.report(1031)")
        # Nothing is left in its store.
        flush(watched)
    # The batch that filled it was the last.
    assert 30 <= len(reported(attempt)) < 120
    assert in_order(reported(attempt))
    seen = Presence.objects.get(attempt=attempt).last_seen_at
    beat(watched)
    assert Presence.objects.get(attempt=attempt).last_seen_at > seen
    assert inspector.complaints == []


def test_browser_without_a_database_keeps_events_over_a_reload(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt
) -> None:
    watched.add_init_script("IDBFactory.prototype.open = () => { throw new Error('not here'); };")
    open_page(watched, questions)
    flush(watched)
    watched.route("**/api/v1/**", lambda route: route.abort())
    answer(watched, 1, "kept")
    watched.reload()
    until(watched, "window.proctoring?.attempt")
    answer(watched, 2, "kept as well")
    watched.unroute_all()
    flush(watched)
    assert answers_in(attempt) == ["q1", "q2"]
    assert in_order(reported(attempt))
    assert watched.evaluate("Object.keys(localStorage).filter((name) => name.includes('events'))") == []
    only_network(inspector)


def test_full_store_gives_up_the_least_and_says_so(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt
) -> None:
    watched.add_init_script("""
      const { add } = IDBObjectStore.prototype;
      let room = 40;
      IDBObjectStore.prototype.add = function (...what) {
        if ((room -= 1) === 0) throw new DOMException("full", "QuotaExceededError");
        return add.apply(this, what);
      };
    """)
    open_page(watched, questions)
    flush(watched)
    cut(watched)
    watched.evaluate("for (let i = 0; i < 60; i += 1) window.proctoring.report(i % 2 ? 1032 : 1031, { data: { i } })")
    mend(watched)
    flush(watched)
    kept = [event.data["i"] for event in reported(attempt, 1032) if "i" in event.data]
    assert kept == [*range(1, 60, 2)]
    assert 0 < len(reported(attempt, 1031)) < 30
    [marker] = reported(attempt, 1040)
    assert marker.data["dropped"] == 30 - len(reported(attempt, 1031))
    only_network(inspector)


def test_end_of_the_exam_does_not_strand_what_was_noted(
    watched: Page, inspector: Inspector, questions: str, live_server: LiveServer, attempt: Attempt
) -> None:
    open_page(watched, questions)
    flush(watched)
    watched.route("**/api/v1/**", lambda route: route.abort())
    answer(watched, 1, "just in time")
    Attempt.objects.filter(pk=attempt.pk).update(
        status=Status.SUBMITTED, open_slot=None, expires_at=None, ended_at=timezone.now()
    )
    watched.unroute_all()
    watched.goto(live_server.url + page_url(attempt.exam))
    expect(watched.get_by_role("heading", level=1)).to_have_text(str(Screen.DONE.label))
    eventually(watched, lambda: answers_in(attempt) == ["q1"])
    only_network(inspector)
