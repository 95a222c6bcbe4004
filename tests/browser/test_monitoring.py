"""The page of a running attempt in a real browser: what reaches the log, whatever happens to page and network."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Error, Page, Request, Route, expect
from pytest_django.live_server_helper import LiveServer

from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.services import pause_attempt, resume_attempt, terminate_attempt
from proctoring.attempts.states import Actor, Status
from proctoring.attempts.timing import EntryKind
from proctoring.candidate.screens import Screen
from proctoring.exams.models import Exam, OutagePolicy
from proctoring.logs.models import Event
from proctoring.monitoring.commands import send_command
from proctoring.monitoring.models import Command, CommandKind, Presence, milliseconds
from proctoring.monitoring.silence import notice_silence
from tests.browser import exam_pages
from tests.browser.conftest import Inspector
from tests.candidate.pages import page_url
from tests.factories import AttemptFactory, ExamFactory, UserFactory

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.browser.exam_pages"),
]
PATIENCE = 30_000
# What a browser does when it has a network again, and what makes the script send its next heartbeat at once.
ASK_NOW = "window.dispatchEvent(new Event('online'))"
LEAVE = """() => {
  Object.defineProperty(document, 'hidden', { value: true, configurable: true });
  document.dispatchEvent(new Event('visibilitychange'));
  window.dispatchEvent(new Event('blur'));
}"""
RETURN = """() => {
  delete document.hidden;
  document.dispatchEvent(new Event('visibilitychange'));
  window.dispatchEvent(new Event('focus'));
}"""
OFFLINE = "No connection to the server"
BACK = "The connection is back."


@pytest.fixture
def candidate(live_server: LiveServer, watched: Page) -> Iterator[AbstractUser]:
    person = UserFactory()
    client = Client()
    client.force_login(person)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    watched.context.add_cookies([cookie])
    exam_pages.SAVED.clear()
    yield person
    # No heartbeat may be under way while the tables are emptied.
    for page in watched.context.pages:
        with contextlib.suppress(Error):
            page.goto("about:blank")


@pytest.fixture
def exam() -> Exam:
    made: Exam = ExamFactory(
        heartbeat_seconds=12, outage_policy=OutagePolicy.CREDIT, outage_cap_minutes=60, name="Geometry"
    )
    return made


@pytest.fixture
def attempt(exam: Exam, candidate: AbstractUser) -> Attempt:
    now = timezone.now()
    made: Attempt = AttemptFactory(exam=exam, user=candidate, status=Status.STARTED)
    made.started_at, made.expires_at = now - timedelta(minutes=10), now + timedelta(minutes=50)
    made.save()
    return made


@pytest.fixture
def questions(live_server: LiveServer, exam: Exam, attempt: Attempt) -> str:
    return f"{live_server.url}/exams/{exam.pk}/bar/"


def eventually(page: Page, condition: Callable[[], Any]) -> None:
    """Let the browser go on until it is so."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not condition():
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)


def until(page: Page, expression: str) -> None:
    """Playwright's own waiting would be stopped by the page's policy."""

    def holds() -> bool:
        # The page may be on its way to another one.
        with contextlib.suppress(Error):
            return bool(page.evaluate(expression))
        return False

    eventually(page, holds)


def is_heartbeat(request: Any) -> bool:
    return str(request.url).endswith("/heartbeat/")


def open_page(page: Page, url: str) -> None:
    """Open it and wait for its first heartbeat."""
    with page.expect_response(is_heartbeat):
        page.goto(url)
    until(page, "window.proctoring?.attempt")


def beat(page: Page) -> None:
    with page.expect_response(is_heartbeat):
        page.evaluate(ASK_NOW)


def flush(page: Page) -> None:
    until(page, "window.proctoring?.flush()")


def reported(attempt: Attempt, *types: int) -> list[Event]:
    """What the page has said, in the order in which it arrived."""
    events = Event.objects.filter(attempt=attempt).exclude(stream="").order_by("pk")
    return [event for event in events if not types or event.type in types]


def in_order(events: list[Event]) -> bool:
    """Each load of the page counts its events from one, without a gap, and they arrived as they were counted."""
    streams: dict[str, list[int | None]] = {}
    for event in events:
        streams.setdefault(event.stream, []).append(event.sequence)
    return all(numbers == [*range(1, len(numbers) + 1)] for numbers in streams.values())


def answer(page: Page, number: int, text: str) -> None:
    page.get_by_label(f"Question {number}").fill(text)
    page.get_by_label(f"Question {number}").press("Tab")


def answers_in(attempt: Attempt) -> list[str]:
    return [event.item_id for event in reported(attempt, 1005)]


def go_silent(attempt: Attempt, *, minutes: int) -> None:
    """Let the server's clock say that so many minutes have passed since the last heartbeat."""
    past = timezone.now() - timedelta(minutes=minutes)
    presence = Presence.objects.get(attempt=attempt)
    patience = (presence.lost_at_ms or 0) - milliseconds(presence.last_seen_at)
    Presence.objects.filter(attempt=attempt).update(last_seen_at=past, lost_at_ms=milliseconds(past) + patience)


def cut(page: Page) -> None:
    page.context.set_offline(True)


def mend(page: Page) -> None:
    page.context.set_offline(False)


def only_network(inspector: Inspector) -> None:
    """The browser itself complains of requests that fail; nothing else may have gone wrong."""
    assert [one for one in inspector.complaints if "Failed to load resource" not in one] == []
    inspector.complaints.clear()


def test_questions_are_reported_without_a_script_of_the_lms(watched: Page, questions: str, attempt: Attempt) -> None:
    open_page(watched, questions)
    answer(watched, 2, "four")
    watched.wait_for_timeout(500)
    answer(watched, 2, "five")
    flush(watched)
    told = [(event.type, event.item_id, event.question_number) for event in reported(attempt)]
    page = attempt.exam.content_id
    second, third = (1004, "q2", 2), (1004, "q3", 3)
    answered = (1005, "q2", 2)
    assert told == [(1003, page, None), second, answered, third, second, answered, third]
    assert in_order(reported(attempt))
    assert all(event.data == {} for event in reported(attempt))


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


def fall(page: Page) -> Page:
    """Let the page's process die without a word, and open another page in its place."""
    with page.expect_event("crash"), contextlib.suppress(Error):
        page.goto("chrome://crash", timeout=3_000)
    context = page.context
    page.close()
    return context.new_page()


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


def test_leaving_is_one_event_and_coming_back_another(watched: Page, questions: str, attempt: Attempt) -> None:
    open_page(watched, questions)
    # A click into a frame of the page's own is no leaving, and neither is a moment.
    watched.frame_locator("iframe").get_by_label("Drawing").click()
    watched.get_by_label("Question 1").focus()
    watched.evaluate(LEAVE)
    watched.evaluate(RETURN)
    watched.wait_for_timeout(1000)
    watched.evaluate(LEAVE)
    watched.wait_for_timeout(1500)
    watched.evaluate(RETURN)
    flush(watched)
    assert [event.type for event in reported(attempt, 1032, 1033)] == [1032, 1033]
    assert reported(attempt, 1033)[0].data["seconds"] in (1, 2)
    # Going to another page of the exam is no leaving either.
    open_page(watched, watched.url)
    flush(watched)
    assert len(reported(attempt, 1032)) == 1


def test_commands_are_noted_or_stopped_as_the_page_says(watched: Page, questions: str, attempt: Attempt) -> None:
    open_page(watched, questions)
    watched.get_by_label("Question 1").fill("abc")
    watched.get_by_label("Question 1").select_text()
    for keys in ("Control+c", "Control+s"):
        watched.keyboard.press(keys)
    watched.get_by_role("heading", name="Questions").click(button="right")
    flush(watched)
    [noted] = reported(attempt, 1034, 1035)
    assert noted.data == {"command": "save", "blocked": False}
    assert noted.reason_message == "save (noted, not blocked)"
    open_page(watched, f"{questions}?block=clipboard context_menu shortcuts")
    watched.get_by_label("Question 1").fill("abc")
    watched.get_by_label("Question 1").select_text()
    for keys in ("Control+x", "Control+s"):
        watched.keyboard.press(keys)
    expect(watched.get_by_label("Question 1")).to_have_value("abc")
    prevented = watched.evaluate(
        "!document.body.dispatchEvent(new MouseEvent('contextmenu', { bubbles: true, cancelable: true }))"
    )
    assert prevented
    flush(watched)
    blocked = [event.data for event in reported(attempt, 1034, 1035)][1:]
    assert blocked == [{"command": name, "blocked": True} for name in ("cut", "save", "context menu")]


def test_errors_of_the_page_are_noted_and_a_loop_of_them_floods_nothing(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt
) -> None:
    open_page(watched, questions)
    watched.evaluate("setTimeout(() => { throw new Error('x'.repeat(5000)); })")
    watched.evaluate("for (let i = 0; i < 100; i += 1) setTimeout(() => { throw new Error('broken ' + (i % 50)); })")
    watched.evaluate("void Promise.reject(new TypeError('nobody caught this'))")
    watched.wait_for_timeout(500)
    flush(watched)
    errors = reported(attempt, 1040)
    assert len(errors) == 10
    assert len(errors[0].error) == 1000
    assert len({event.error for event in errors}) == 10
    inspector.complaints.clear()


def test_what_cannot_be_stored_is_made_storable(watched: Page, questions: str, attempt: Attempt) -> None:
    open_page(watched, questions)
    watched.evaluate(r"""() => {
      const { proctoring } = window;
      proctoring.report(1031, { data: { text: "half \ud83d, null \0, quote \" and backslash \\u0000" } });
      proctoring.report(1031, { data: { long: "ä".repeat(9000) } });
      proctoring.report(1031, { itemId: "i".repeat(300), number: "7", data: [1, 2] });
      proctoring.report(1031, { number: -1, data: 5 });
      proctoring.questionAnswered();
      const knot = {}; knot.knot = knot;
      proctoring.report(1031, { data: knot });
      proctoring.on("nothing", () => {});
      proctoring.on("deadline", () => { throw new Error("of the LMS"); });
    }""")
    flush(watched)
    told = reported(attempt, 1031)
    assert [event.data for event in told] == [
        {"text": 'half \ufffd, null , quote " and backslash \\u0000'},
        {"left_out": "too large"},
        {"value": [1, 2]},
        {"value": 5},
    ]
    assert told[2].item_id == "i" * 255
    assert told[2].question_number == 7
    assert in_order(reported(attempt))


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


def test_message_is_text_and_says_when_it_was_seen_and_closed(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt
) -> None:
    open_page(watched, questions)
    text = "Please sit up.\n<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"
    command = send_command(attempt, CommandKind.MESSAGE, by=None, now=timezone.now(), text=text)
    watched.get_by_label("Question 2").focus()
    beat(watched)
    panel = watched.locator(".proctoring-notice")
    expect(panel).to_contain_text("Message from the proctor")
    expect(panel.locator("p")).to_have_text(text.replace("\n", " "))
    assert watched.evaluate("window.hacked") is None
    assert watched.get_by_label("Question 2").evaluate("element => element === document.activeElement")
    eventually(watched, lambda: Command.objects.get(pk=command.pk).seen_at)
    assert Command.objects.get(pk=command.pk).applied_at is None
    inspector.look(watched, "message")
    watched.reload()
    # It was not closed before the page went.
    panel.get_by_role("button", name="Close").click(timeout=PATIENCE)
    expect(panel).to_have_count(0)
    eventually(watched, lambda: Command.objects.get(pk=command.pk).applied_at)
    beat(watched)
    expect(panel).to_have_count(0)
    assert Event.objects.filter(attempt=attempt, type__in=(1050, 1051, 1052)).count() == 3


def test_message_that_another_tab_closes_goes(watched: Page, questions: str, attempt: Attempt) -> None:
    open_page(watched, questions)
    other = watched.context.new_page()
    open_page(other, questions)
    send_command(attempt, CommandKind.MESSAGE, by=None, now=timezone.now(), text="Hello")
    for page in (watched, other):
        beat(page)
        expect(page.locator(".proctoring-notice")).to_have_count(1)
    watched.bring_to_front()
    watched.get_by_role("button", name="Close").click()
    eventually(watched, lambda: Command.objects.get().applied_at)
    beat(other)
    expect(other.locator(".proctoring-notice")).to_have_count(0)
    other.goto("about:blank")


def test_lost_acknowledgement_is_said_again_and_nothing_is_done_twice(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt
) -> None:
    open_page(watched, questions)
    command = send_command(attempt, CommandKind.EXTEND, by=None, now=timezone.now(), minutes=5, text="A fire drill")
    told = Event.objects.filter(attempt=attempt, type=1052)
    beat(watched)
    expect(watched.locator(".proctoring-notice")).to_contain_text("You have 5 more minutes.")
    eventually(watched, told.exists)
    # As if the acknowledgement had never come.
    Command.objects.filter(pk=command.pk).update(applied_at=None)
    open_page(watched, questions)
    eventually(watched, lambda: Command.objects.get(pk=command.pk).applied_at)
    expect(watched.locator(".proctoring-notice")).to_have_count(0)


def test_reload_is_done_once_and_after_what_waits_was_sent(watched: Page, questions: str, attempt: Attempt) -> None:
    open_page(watched, questions)
    loads: list[str] = []
    watched.on("request", lambda request: loads.append(request.url) if request.is_navigation_request() else None)
    answer(watched, 1, "before")
    command = send_command(attempt, CommandKind.RELOAD, by=None, now=timezone.now())
    watched.evaluate(ASK_NOW)
    eventually(watched, lambda: questions in loads)
    until(watched, "window.proctoring?.attempt")
    assert Command.objects.get(pk=command.pk).applied_at
    assert answers_in(attempt) == ["q1"]
    Command.objects.filter(pk=command.pk).update(applied_at=None)
    beat(watched)
    eventually(watched, lambda: Command.objects.get(pk=command.pk).applied_at)
    watched.wait_for_timeout(500)
    assert loads.count(questions) == 1


def test_extension_moves_the_timer_with_the_next_heartbeat(watched: Page, questions: str, attempt: Attempt) -> None:
    open_page(watched, questions)
    expect(watched.get_by_role("timer")).to_contain_text("49:")
    watched.evaluate(
        "void window.proctoring.on('deadline', (deadline) => { window.moved = deadline.millisecondsLeft; })"
    )
    Attempt.objects.filter(pk=attempt.pk).update(expires_at=attempt.expires_at + timedelta(minutes=20))
    beat(watched)
    expect(watched.get_by_role("timer")).to_contain_text("1:09:")
    until(watched, "Math.abs(window.moved / 60000 - 70) < 1")


def test_pause_and_resume_lead_from_page_to_page(watched: Page, questions: str, attempt: Attempt) -> None:
    open_page(watched, questions)
    proctor = UserFactory()
    pause_attempt(attempt, by=proctor, actor=Actor.PROCTOR)
    pause = send_command(attempt, CommandKind.PAUSE, by=proctor, now=timezone.now(), text="There is an alarm")
    watched.evaluate(ASK_NOW)
    expect(watched.get_by_role("heading", level=1)).to_have_text(str(Screen.PAUSED.label), timeout=PATIENCE)
    expect(watched.locator(".proctoring-notice")).to_contain_text("There is an alarm")
    eventually(watched, lambda: Command.objects.get(pk=pause.pk).applied_at)
    flush(watched)
    before = len(reported(attempt))
    watched.evaluate(LEAVE)
    watched.wait_for_timeout(1000)
    watched.evaluate(RETURN)
    flush(watched)
    assert len(reported(attempt)) == before, "a pause is the candidate's own time"
    resume_attempt(attempt, by=proctor, actor=Actor.PROCTOR)
    resume = send_command(attempt, CommandKind.RESUME, by=proctor, now=timezone.now())
    watched.evaluate(ASK_NOW)
    expect(watched.get_by_role("heading", level=1)).to_have_text(str(Screen.RUNNING.label), timeout=PATIENCE)
    eventually(watched, lambda: Command.objects.get(pk=resume.pk).applied_at)


def test_page_without_the_bar_pauses_behind_an_overlay_and_leaves_at_the_end(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt
) -> None:
    open_page(watched, questions.replace("/bar/", "/script/"))
    proctor = UserFactory()
    pause_attempt(attempt, by=proctor, actor=Actor.PROCTOR)
    send_command(attempt, CommandKind.PAUSE, by=proctor, now=timezone.now())
    watched.evaluate(ASK_NOW)
    overlay = watched.get_by_role("dialog", name="Your exam is paused")
    expect(overlay).to_be_visible()
    for _ in range(3):
        watched.keyboard.press("Escape")
    expect(overlay).to_be_visible()
    inspector.look(watched, "pause")
    resume_attempt(attempt, by=proctor, actor=Actor.PROCTOR)
    watched.evaluate(ASK_NOW)
    expect(overlay).to_have_count(0)
    answer(watched, 1, "on we go")
    terminate_attempt(attempt, by=proctor, actor=Actor.PROCTOR)
    command = send_command(attempt, CommandKind.TERMINATE, by=proctor, now=timezone.now())
    watched.evaluate(ASK_NOW)
    expect(watched.get_by_role("heading", level=1)).to_have_text(str(Screen.TERMINATED.label), timeout=PATIENCE)
    assert Command.objects.get(pk=command.pk).applied_at
    assert answers_in(attempt) == ["q1"]


def test_termination_leads_from_the_bar_to_the_page_that_says_so(
    watched: Page, questions: str, attempt: Attempt
) -> None:
    open_page(watched, questions)
    terminate_attempt(attempt, by=UserFactory(), actor=Actor.PROCTOR)
    command = send_command(attempt, CommandKind.TERMINATE, by=None, now=timezone.now())
    watched.evaluate(ASK_NOW)
    expect(watched.get_by_role("heading", level=1)).to_have_text(str(Screen.TERMINATED.label), timeout=PATIENCE)
    eventually(watched, lambda: Command.objects.get(pk=command.pk).seen_at)


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
    watched.goto(questions)
    watched.clock.run_for(3_000)
    eventually(watched, lambda: len(asked) == 1)
    watched.clock.run_for(100_000)
    watched.evaluate(ASK_NOW)
    watched.wait_for_timeout(200)
    assert len(asked) == 1
    watched.clock.run_for(40_000)
    eventually(watched, lambda: len(asked) == 2)
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


def test_notices_are_accessible_and_fit(watched: Page, inspector: Inspector, questions: str, attempt: Attempt) -> None:
    open_page(watched, questions)
    cut(watched)
    expect(watched.locator("[data-connection]")).to_contain_text(OFFLINE)
    inspector.look(watched, "offline")
    mend(watched)
    open_page(watched, questions.replace("/bar/", "/script/"))
    cut(watched)
    expect(watched.locator("[data-connection]")).to_contain_text(OFFLINE)
    inspector.look(watched, "offline-without-bar")
    mend(watched)
    only_network(inspector)
