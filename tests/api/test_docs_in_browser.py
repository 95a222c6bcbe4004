"""``docs/`` in a real browser, under the strictest content security policy that a host may have."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def strict(get_response: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers["Content-Security-Policy"] = "default-src 'self'"
        return response

    return middleware


def test_every_operation_is_shown_and_nothing_is_blocked(live_server: Any, page: Any, settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.strict"]
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(f"{live_server.url}/proctoring/api/v1/docs/")
    page.wait_for_selector(".opblock")
    operations = page.locator(".opblock-summary-control")
    assert operations.count() > 30
    operations.first.click()
    page.wait_for_selector(".opblock-body .parameters-container")
    assert complaints == []
