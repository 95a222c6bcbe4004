"""Each screen on the app's own base template, and what its script does when the world changes."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Page, Route, expect
from pytest_django.live_server_helper import LiveServer

from proctoring.attempts.models import Attempt
from proctoring.attempts.services import pause_attempt, terminate_attempt
from proctoring.attempts.states import Actor, Phase, Status
from proctoring.candidate.screens import Screen, screen_for
from proctoring.exams.models import Exam, ExamType
from tests.browser.conftest import Inspector
from tests.candidate.conftest import VENDOR
from tests.candidate.pages import page_url
from tests.factories import AttemptFactory, ExamFactory, UserFactory
from tests.hosts import configure

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PATIENCE = 30_000
ASK_NOW = "window.dispatchEvent(new Event('online'))"
LAUNCH = {"download_url": "https://vendor.example/software/", "instructions": ["Open it.", "Wait."], "join_url": ""}


@pytest.fixture
def candidate(live_server: LiveServer, watched: Page, settings: Any) -> AbstractUser:
    configure(settings, BACKENDS={"vendor": VENDOR}, DEFAULT_BACKEND="vendor")
    person = UserFactory()
    client = Client()
    client.force_login(person)
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    watched.context.add_cookies([cookie])
    return person


def attempt_in(status: Status, exam: Exam, candidate: AbstractUser, *, minutes_gone: float = 10) -> Attempt:
    now = timezone.now()
    times: dict[str, Any] = {"ended_at": now} if status not in (Status.PAUSED,) else {"paused_at": now}
    started_at = now - timedelta(minutes=minutes_gone)
    attempt: Attempt = AttemptFactory(exam=exam, user=candidate, status=status, launch_data=LAUNCH)
    if attempt.traits.phase in (Phase.RUNNING, Phase.ENDED, Phase.DECIDED):
        times["started_at"] = started_at
    if attempt.traits.phase == Phase.RUNNING:
        times.pop("ended_at", None)
        times["expires_at"] = None if status == Status.PAUSED else started_at + timedelta(hours=1)
    for name, value in times.items():
        setattr(attempt, name, value)
    attempt.save()
    return attempt


def answer_state(page: Page, **answer: Any) -> list[str]:
    """Answer in the server's place, and say what was asked."""
    asked: list[str] = []

    def fulfill(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(**answer)

    page.route("**/state/", fulfill)
    page.route("**/heartbeat/", lambda route: route.fulfill(**answer))
    return asked


def told_of_no_connection(page: Page) -> None:
    """One heartbeat that fails is not worth a word, two are."""
    line = page.locator("[data-connection]")
    for _ in range(20):
        page.evaluate(ASK_NOW)
        page.wait_for_timeout(500)
        if line.inner_text():
            break
    expect(line).to_contain_text("No connection to the server")


def count_loads(page: Page) -> list[str]:
    """The documents that the page loads from now on."""
    loads: list[str] = []
    page.on("request", lambda request: loads.append(request.url) if request.is_navigation_request() else None)
    return loads


def open_quietly(page: Page, url: str) -> None:
    """Open a page and wait for its first answer: it asks no second time for some seconds."""
    with page.expect_response("**/state/"):
        page.goto(url)


def eventually(page: Page, condition: Callable[[], bool]) -> None:
    """Let the browser go on until it is so."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not condition():
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)


@pytest.mark.parametrize("status", Status)
def test_screen_is_accessible_and_fits(
    watched: Page, inspector: Inspector, live_server: LiveServer, candidate: AbstractUser, status: Status
) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED, allow_opt_out=True, due_at=timezone.now() + timedelta(days=1))
    attempt_in(status, exam, candidate)
    watched.goto(live_server.url + page_url(exam))
    label = str(screen_for(status, exam.exam_type).label)
    expect(watched.get_by_role("heading", level=1)).to_have_text(label)
    inspector.look(watched, status.value)


def test_entrance_and_refusal_are_accessible_and_fit(
    watched: Page, inspector: Inspector, live_server: LiveServer, candidate: AbstractUser
) -> None:
    opens_at = timezone.now() + timedelta(days=1)
    for exam, label in (
        (ExamFactory(exam_type=ExamType.ONBOARDING), Screen.ENTRANCE.label),
        (ExamFactory(opens_at=opens_at), Screen.UNAVAILABLE.label),
    ):
        watched.goto(live_server.url + page_url(exam))
        expect(watched.get_by_role("heading", level=1)).to_have_text(str(label))
        inspector.look(watched, exam.exam_type)


def test_refused_form_is_announced_and_does_not_come_again(
    watched: Page, inspector: Inspector, live_server: LiveServer, candidate: AbstractUser
) -> None:
    exam = ExamFactory()
    attempt = attempt_in(Status.STARTED, exam, candidate)
    # A page that hears of the change first leaves by itself, while the button is being pressed.
    open_quietly(watched, live_server.url + page_url(exam))
    Attempt.objects.filter(pk=attempt.pk).update(status=Status.READY_TO_SUBMIT)
    watched.get_by_role("button", name="I am done").click()
    expect(watched.get_by_role("alert")).to_contain_text("done already")
    assert [text for text in inspector.complaints if "409" not in text] == []
    inspector.complaints.clear()
    inspector.look(watched, "refused")
    Attempt.objects.filter(pk=attempt.pk).update(status=Status.STARTED)
    watched.evaluate(ASK_NOW)
    expect(watched.get_by_role("heading", level=1)).to_have_text(str(Screen.RUNNING.label), timeout=PATIENCE)
    expect(watched.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize(("minutes_gone", "words"), [(52, "Little time left"), (58, "Almost no time left")])
def test_little_time_is_said_in_words(
    watched: Page,
    inspector: Inspector,
    live_server: LiveServer,
    candidate: AbstractUser,
    minutes_gone: int,
    words: str,
) -> None:
    exam = ExamFactory()
    attempt_in(Status.STARTED, exam, candidate, minutes_gone=minutes_gone)
    watched.goto(live_server.url + page_url(exam))
    expect(watched.locator("[data-timer-level]")).to_have_text(words)
    expect(watched.locator("[data-timer-announcement]")).to_have_text(f"Time left: {60 - minutes_gone} min")
    inspector.look(watched, words)


def test_page_goes_on_by_itself_when_the_time_is_over(
    watched: Page, live_server: LiveServer, candidate: AbstractUser
) -> None:
    exam = ExamFactory()
    attempt_in(Status.STARTED, exam, candidate, minutes_gone=59.9)
    watched.goto(live_server.url + page_url(exam))
    expect(watched.get_by_role("timer")).to_be_visible()
    expect(watched.get_by_role("heading", level=1)).to_have_text(str(Screen.TIMED_OUT.label), timeout=PATIENCE)


def test_page_follows_what_a_proctor_does(watched: Page, live_server: LiveServer, candidate: AbstractUser) -> None:
    exam = ExamFactory()
    attempt = attempt_in(Status.STARTED, exam, candidate)
    watched.goto(live_server.url + page_url(exam))
    for act, screen in ((pause_attempt, Screen.PAUSED), (terminate_attempt, Screen.TERMINATED)):
        act(attempt, by=UserFactory(), actor=Actor.PROCTOR)
        watched.evaluate(ASK_NOW)
        expect(watched.get_by_role("heading", level=1)).to_have_text(str(screen.label), timeout=PATIENCE)


def test_lost_connection_is_said_and_the_clock_goes_on(
    watched: Page, inspector: Inspector, live_server: LiveServer, candidate: AbstractUser
) -> None:
    exam = ExamFactory()
    attempt_in(Status.STARTED, exam, candidate)
    watched.goto(live_server.url + page_url(exam))
    line = watched.locator("[data-connection]")
    expect(line).to_be_empty()
    watched.context.set_offline(True)
    watched.evaluate(ASK_NOW)
    expect(line).to_contain_text("No connection to the server")
    before = watched.get_by_role("timer").inner_text()
    expect(watched.get_by_role("timer")).not_to_have_text(before)
    watched.context.set_offline(False)
    watched.evaluate(ASK_NOW)
    expect(line).to_have_text("The connection is back.", timeout=PATIENCE)
    inspector.complaints.clear()


@pytest.mark.parametrize("status", [403, 408, 429, 503])
def test_answer_that_is_none_takes_nothing_away(
    watched: Page, inspector: Inspector, live_server: LiveServer, candidate: AbstractUser, status: int
) -> None:
    exam = ExamFactory()
    attempt_in(Status.STARTED, exam, candidate)
    asked = answer_state(watched, status=status, body="{}", content_type="application/json")
    loads = count_loads(watched)
    watched.goto(live_server.url + page_url(exam))
    line = watched.locator("[data-connection]")
    told_of_no_connection(watched)
    eventually(watched, lambda: len(asked) >= 2)
    expect(watched.get_by_role("timer")).to_be_visible()
    watched.unroute_all(behavior="wait")
    watched.evaluate(ASK_NOW)
    expect(line).to_have_text("The connection is back.", timeout=PATIENCE)
    assert len(loads) == 1
    inspector.complaints.clear()


@pytest.mark.parametrize("body", ["<html>Log in</html>", "{}", "null"])
def test_answer_of_something_in_between_is_none(
    watched: Page, live_server: LiveServer, candidate: AbstractUser, body: str
) -> None:
    exam = ExamFactory()
    attempt_in(Status.STARTED, exam, candidate)
    answer_state(watched, body=body)
    loads = count_loads(watched)
    watched.goto(live_server.url + page_url(exam))
    told_of_no_connection(watched)
    assert len(loads) == 1


def test_server_that_wants_patience_is_not_asked_before(
    watched: Page, inspector: Inspector, live_server: LiveServer, candidate: AbstractUser
) -> None:
    exam = ExamFactory()
    attempt_in(Status.STARTED, exam, candidate)
    watched.clock.install()
    asked = answer_state(watched, status=429, headers={"Retry-After": "40"})
    watched.goto(live_server.url + page_url(exam))
    eventually(watched, lambda: len(asked) == 1)
    watched.clock.run_for(25_000)
    watched.evaluate(ASK_NOW)
    assert len(asked) == 1
    watched.clock.run_for(30_000)
    eventually(watched, lambda: len(asked) >= 2)
    inspector.complaints.clear()


def test_who_is_logged_out_meanwhile_comes_to_the_login(
    watched: Page, inspector: Inspector, live_server: LiveServer, candidate: AbstractUser
) -> None:
    exam = ExamFactory()
    attempt_in(Status.STARTED, exam, candidate)
    watched.goto(live_server.url + page_url(exam))
    watched.context.clear_cookies()
    watched.evaluate(ASK_NOW)
    watched.wait_for_url(f"**/accounts/login/?next={page_url(exam)}", wait_until="commit")
    inspector.complaints.clear()


@pytest.mark.parametrize("answer", [{"status": 401}, {"status": 404}, {"page_version": "another"}])
def test_page_does_not_load_itself_for_ever(
    watched: Page,
    inspector: Inspector,
    live_server: LiveServer,
    candidate: AbstractUser,
    answer: dict[str, Any],
) -> None:
    exam = ExamFactory()
    attempt_in(Status.STARTED, exam, candidate)
    fields = {"content_version": "", "server_time": timezone.now().isoformat(), "expires_at": None, **answer}
    asked = answer_state(watched, status=answer.get("status", 200), json=fields)
    loads = count_loads(watched)
    watched.goto(live_server.url + page_url(exam), wait_until="commit")
    eventually(watched, lambda: len(asked) >= 2)
    watched.wait_for_load_state()
    for _ in range(3):
        before = len(asked)
        watched.evaluate(ASK_NOW)
        eventually(watched, lambda before=before: len(asked) > before)  # type: ignore[misc]
    expect(watched.get_by_role("timer")).to_be_visible()
    assert len(loads) == 2
    inspector.complaints.clear()


def test_lms_is_told_before_the_time_is_over(watched: Page, live_server: LiveServer, candidate: AbstractUser) -> None:
    exam = ExamFactory()
    attempt_in(Status.STARTED, exam, candidate, minutes_gone=59.8)
    watched.add_init_script(
        "document.addEventListener('proctoring:closing', (event) => { window.told = event.detail.seconds_left; });"
    )
    watched.goto(live_server.url + page_url(exam))
    watched.wait_for_function("window.told > 0")


def test_button_works_again_where_nothing_came_of_it(
    watched: Page, live_server: LiveServer, candidate: AbstractUser
) -> None:
    exam = ExamFactory()
    attempt_in(Status.READY_TO_SUBMIT, exam, candidate)
    watched.clock.install()
    watched.goto(live_server.url + page_url(exam))
    sent: list[Route] = []
    watched.route("**/submit/", lambda route: (sent.append(route), route.fulfill(status=204)))
    button = watched.get_by_role("button", name="Submit now")
    button.click()
    eventually(watched, lambda: len(sent) == 1)
    watched.unroute_all(behavior="wait")
    watched.clock.run_for(11_000)
    button.click()
    expect(watched.get_by_role("heading", level=1)).to_have_text(str(Screen.DONE.label))


def test_button_of_a_page_from_before_a_new_login_works_at_the_second_time(
    watched: Page, inspector: Inspector, live_server: LiveServer, candidate: AbstractUser
) -> None:
    exam = ExamFactory()
    attempt_in(Status.STARTED, exam, candidate)
    watched.goto(live_server.url + page_url(exam))
    token = {"name": "csrftoken", "value": "n" * 32, "url": live_server.url}
    watched.context.add_cookies([token])
    watched.get_by_role("button", name="I am done").click()
    expect(watched.get_by_role("alert")).to_have_text("This page was out of date. Please press again.")
    watched.get_by_role("button", name="I am done").click()
    expect(watched.get_by_role("heading", level=1)).to_have_text(str(Screen.HAND_IN.label))
    assert [text for text in inspector.complaints if "403" not in text] == []
    inspector.complaints.clear()


def test_clock_of_the_computer_moves_nothing(watched: Page, live_server: LiveServer, candidate: AbstractUser) -> None:
    exam = ExamFactory()
    attempt_in(Status.STARTED, exam, candidate)
    watched.add_init_script("const now = Date.now; Date.now = () => now() + 7200000;")
    watched.goto(live_server.url + page_url(exam))
    watched.evaluate(ASK_NOW)
    expect(watched.get_by_role("timer")).to_contain_text("49:")


def test_system_check_says_what_it_found(watched: Page, live_server: LiveServer, candidate: AbstractUser) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED)
    attempt_in(Status.CREATED, exam, candidate)
    watched.goto(live_server.url + page_url(exam))
    for name in ("script", "cookies", "clock"):
        expect(watched.locator(f'[data-check="{name}"]')).to_have_text("fine")
    for name in ("camera", "microphone"):
        expect(watched.locator(f'[data-check="{name}"]')).not_to_have_text("–")
