"""A browser that is watched: what it complains about, what a screen reader would, what does not fit on a telephone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.contrib.auth.models import AbstractUser
from django.test import Client
from django.utils import timezone
from playwright.sync_api import ConsoleMessage, Error, Page
from pytest_django.live_server_helper import LiveServer

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam, OutagePolicy
from tests.browser import exam_pages
from tests.demo.process import DemoProcess
from tests.factories import AttemptFactory, ExamFactory, UserFactory

GRAVE = ("serious", "critical")
PHONE = {"width": 360, "height": 740}
DESK = {"width": 1100, "height": 800}
AT_REST = "Promise.all(document.getAnimations().map(one => one.finished.catch(() => null)))"
WIDER_THAN_THE_WINDOW = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


class Inspector:
    """Looks at pages as they are met. Screenshots go to pytest's temporary folder."""

    def __init__(self, pictures: Path) -> None:
        self.complaints: list[str] = []
        self.met: list[str] = []
        self._axe = Axe()
        self._pictures = pictures

    def watch(self, page: Page) -> None:
        page.on("console", self._note)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def look(self, page: Page, name: str) -> None:
        """No grave violation in light and dark, and no scrolling to the side on a telephone or a desk."""
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            # Half-way between two colours nothing has contrast.
            page.evaluate(AT_REST)
            found = self._axe.run(page).response["violations"]
            grave = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in GRAVE]
            assert grave == [], f"{name}, {scheme}"
            for width, size in (("desk", DESK), ("phone", PHONE)):
                page.set_viewport_size(size)
                assert not page.evaluate(WIDER_THAN_THE_WINDOW), f"{name} is too wide for a {width}"
                page.screenshot(path=self._pictures / f"{name}-{scheme}-{width}.png", full_page=True)
        self.met.append(name)

    def _note(self, message: ConsoleMessage) -> None:
        # The icon is the LMS's, and browsers ask for it by themselves.
        of_icon = message.location["url"].endswith("/favicon.ico")
        if message.type in ("error", "warning") and not of_icon:
            self.complaints.append(message.text)


@pytest.fixture
def inspector(tmp_path: Path) -> Iterator[Inspector]:
    """Fails the test afterwards where the browser complained: a blocked script, a missing file, an error."""
    made = Inspector(tmp_path)
    yield made
    assert made.complaints == []


@pytest.fixture
def watched(page: Page, inspector: Inspector) -> Page:
    inspector.watch(page)
    return page


@pytest.fixture(scope="session")
def browser_context_args(browser_context_args: dict[str, Any]) -> dict[str, Any]:
    return {**browser_context_args, "locale": "en-GB", "viewport": DESK}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProcess]:
    with DemoProcess(tmp_path_factory.mktemp("demo")) as running:
        yield running


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
