"""What the tests of a running exam's page do and look at, again and again."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.db.models import F
from django.utils import timezone
from playwright.sync_api import Error, Page

from proctoring.attempts.models import Attempt
from proctoring.logs.models import Event
from proctoring.monitoring.models import Presence, milliseconds
from tests.browser.conftest import Inspector

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
    # What arrived before lies as far back: somebody who was heard in the middle was not out of reach.
    lapse = timedelta(minutes=minutes)
    Event._base_manager.filter(attempt=attempt).update(at=F("at") - lapse, received_at=F("received_at") - lapse)


def cut(page: Page) -> None:
    page.context.set_offline(True)


def mend(page: Page) -> None:
    page.context.set_offline(False)


def only_network(inspector: Inspector) -> None:
    """The browser itself complains of requests that fail; nothing else may have gone wrong."""
    assert [one for one in inspector.complaints if "Failed to load resource" not in one] == []
    inspector.complaints.clear()


def fall(page: Page) -> Page:
    """Let the page's process die without a word, and open another page in its place."""
    with page.expect_event("crash"), contextlib.suppress(Error):
        page.goto("chrome://crash", timeout=3_000)
    context = page.context
    page.close()
    return context.new_page()
