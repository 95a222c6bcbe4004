"""What a proctor wants done in the page of a running attempt, and what the candidate is told there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from proctoring.attempts.models import Attempt
from proctoring.attempts.services import pause_attempt, resume_attempt, terminate_attempt
from proctoring.attempts.states import Actor
from proctoring.candidate.screens import Screen
from proctoring.invigilation.actions import Action, Wish
from proctoring.invigilation.services import intervene
from proctoring.logs.models import Event
from proctoring.monitoring.commands import send_command
from proctoring.monitoring.models import Command, CommandKind
from tests.browser.conftest import Inspector
from tests.browser.monitored import (
    ASK_NOW,
    LEAVE,
    OFFLINE,
    PATIENCE,
    RETURN,
    answer,
    answers_in,
    beat,
    cut,
    eventually,
    flush,
    mend,
    only_network,
    open_page,
    reported,
    until,
)
from tests.factories import UserFactory

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.browser.exam_pages"),
]


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
    send_command(attempt, CommandKind.PAUSE, by=proctor, now=timezone.now(), text="There is an alarm")
    watched.evaluate(ASK_NOW)
    overlay = watched.get_by_role("dialog", name="Your exam is paused")
    expect(overlay).to_be_visible()
    for _ in range(3):
        watched.keyboard.press("Escape")
    expect(overlay).to_be_visible()
    expect(overlay.locator(".proctoring-notice")).to_contain_text("There is an alarm")
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


@pytest.mark.parametrize("tag", ["bar", "script"])
def test_words_that_go_along_with_the_end_are_on_the_page_that_says_so(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt, tag: str
) -> None:
    open_page(watched, questions.replace("/bar/", f"/{tag}/"))
    text = "We saw your phone.\n<img src=x onerror='window.hacked = 1'>"
    wish = Wish(action=Action.TERMINATE, reason_code=10030, comment="A phone", text=text)
    intervene(attempt, wish, by=UserFactory(), actor=Actor.PROCTOR)
    watched.evaluate(ASK_NOW)
    expect(watched.get_by_role("heading", level=1)).to_have_text(str(Screen.TERMINATED.label), timeout=PATIENCE)
    words = watched.get_by_role("status").filter(has_text="Message from the proctor")
    expect(words.locator("p")).to_have_text(text.replace("\n", " "))
    assert watched.evaluate("window.hacked") is None
    eventually(watched, lambda: Command.objects.get().applied_at)
    inspector.look(watched, "terminated-with-words")


def test_words_of_the_end_are_shown_where_the_lms_does_not_leave(
    watched: Page, questions: str, attempt: Attempt
) -> None:
    open_page(watched, questions.replace("/bar/", "/script/"))
    watched.evaluate("void document.addEventListener('proctoring:leave', (event) => event.preventDefault())")
    terminate_attempt(attempt, by=UserFactory(), actor=Actor.PROCTOR)
    send_command(attempt, CommandKind.TERMINATE, by=None, now=timezone.now(), text="We saw your phone.")
    watched.evaluate(ASK_NOW)
    expect(watched.locator(".proctoring-notice")).to_contain_text("We saw your phone.", timeout=PATIENCE)
    expect(watched.locator(".proctoring-notice")).to_contain_text(str(Screen.TERMINATED.label))


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
