"""The door for vendors' messages: verify, keep, answer."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from proctoring.inbox.models import WebhookMessage
from proctoring.outbox.models import Circuit
from tests.exchange.vendor import SECRET, VENDOR
from tests.hosts import configure

pytestmark = pytest.mark.django_db

BODY = json.dumps({"type": "ready", "id": "ext-1", "at": "2026-03-02T10:00:00+00:00"}).encode()


@pytest.fixture(autouse=True)
def vendor(settings: Any) -> None:
    configure(settings, BACKENDS={**VENDOR, "broken": {"BACKEND": "no.such.Vendor"}})


def send(
    client: Client,
    body: bytes = BODY,
    *,
    alias: str = "vendor",
    method: str = "post",
    kind: str = "application/json",
    **headers: str,
) -> Any:
    sent = {"X-Vendor-Secret": SECRET, "X-Delivery": "msg-1", **headers}
    url = reverse("proctoring:webhook", args=[alias])
    return client.generic(method.upper(), url, body, content_type=kind, headers=sent)


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("method", ["post", "put"])
@pytest.mark.parametrize("kind", ["application/json", "application/json; charset=utf-8", "text/plain", ""])
def test_a_verified_message_is_kept_and_accepted_whatever_its_media_type(
    method: str, kind: str, client: Client
) -> None:
    answer = send(client, method=method, kind=kind)
    assert (answer.status_code, answer.json()) == (202, {"status": "accepted"})
    message = WebhookMessage.objects.get()
    assert (message.backend, message.delivery_id, message.body, message.status) == ("vendor", "msg-1", BODY, "received")


def test_a_message_that_comes_again_is_answered_and_not_kept_again(client: Client) -> None:
    assert [send(client).status_code for _ in range(3)] == [202, 202, 202]
    assert WebhookMessage.objects.count() == 1


def test_the_same_id_with_another_body_is_a_new_version(client: Client) -> None:
    send(client)
    assert send(client, BODY.replace(b"ext-1", b"ext-2")).status_code == 202
    assert WebhookMessage.objects.count() == 2


@pytest.mark.parametrize(
    "headers",
    [{"X-Vendor-Secret": "wrong"}, {"X-Vendor-Secret": ""}, {"X-Delivery": ""}, {"X-Vendor-Secret": "x" * 10_000}],
)
def test_an_unverified_message_is_refused_counted_and_not_kept(headers: dict[str, str], client: Client) -> None:
    for number in (1, 2):
        assert code(send(client, **headers)) == (401, "not_verified")
        assert Circuit.objects.get().unverified == number
    assert not WebhookMessage.objects.exists()
    assert SECRET not in send(client, **headers).content.decode()


@pytest.mark.parametrize(
    "body", [b"", b"{", b"\xff\xfe", b"[]]", b"7", b'{"type": "ready"}', b'{"type": "ready", "at": 3}']
)
def test_a_verified_body_that_is_malformed_is_kept_in_quarantine(body: bytes, client: Client) -> None:
    assert code(send(client, body)) == (400, "malformed")
    message = WebhookMessage.objects.get()
    assert (message.status, message.body) == ("quarantined", body)
    assert message.error


def test_a_plugin_that_stumbles_over_a_body_does_not_lose_the_message(client: Client) -> None:
    body = json.dumps({"type": "crash", "at": "2026-03-02T10:00:00+00:00"}).encode()
    assert send(client, body).status_code == 202
    assert WebhookMessage.objects.get().body == body


@pytest.mark.parametrize("alias", ["nobody", "null", "broken", "ü"])
def test_a_vendor_that_does_not_send_webhooks_has_no_address(alias: str, client: Client) -> None:
    assert code(send(client, alias=alias)) == (404, "not_found")
    assert not WebhookMessage.objects.exists()
    assert not Circuit.objects.exists()


@pytest.mark.parametrize("method", ["get", "delete", "patch", "head", "options"])
def test_other_methods_are_not_allowed(method: str, client: Client) -> None:
    answer = getattr(client, method)(reverse("proctoring:webhook", args=["vendor"]))
    assert answer.status_code == 405
    assert answer["Allow"] == "POST, PUT"


def test_a_huge_body_is_refused_before_it_is_believed(client: Client, settings: Any) -> None:
    configure(settings, WEBHOOK_MAX_BYTES=len(BODY))
    assert send(client).status_code == 202
    assert code(send(client, BODY + b" ")) == (413, "too_large")
    assert code(send(client, BODY + b" ", **{"X-Vendor-Secret": "wrong"})) == (413, "too_large")
    assert WebhookMessage.objects.count() == 1


def test_the_hosts_own_limit_on_bodies_does_not_cut_ours(client: Client, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 10
    assert send(client).status_code == 202


def test_without_an_encryption_key_the_vendor_is_asked_to_send_again(client: Client, settings: Any) -> None:
    configure(settings, ENCRYPTION_KEYS=[])
    assert code(send(client)) == (503, "not_configured")
    assert not WebhookMessage.objects.exists()


def test_a_vendor_needs_no_cookie_and_no_csrf_token() -> None:
    assert send(Client(enforce_csrf_checks=True)).status_code == 202
    assert not send(Client(enforce_csrf_checks=True)).cookies


def test_a_message_is_announced_after_it_is_kept_and_only_once(
    client: Client, django_capture_on_commit_callbacks: Any
) -> None:
    from proctoring.signals import message_received

    heard: list[int] = []

    def hear(message: WebhookMessage, **_: Any) -> None:
        heard.append(message.pk)

    message_received.connect(hear)
    try:
        for body in (BODY, BODY, b"malformed"):
            with django_capture_on_commit_callbacks(execute=True):
                send(client, body)
    finally:
        message_received.disconnect(hear)
    assert heard == list(WebhookMessage.objects.order_by("pk").values_list("pk", flat=True))
    assert len(heard) == 2


def test_a_host_that_demands_a_login_everywhere_lets_vendors_in(client: Client, settings: Any) -> None:
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    assert send(client).status_code == 202
    assert client.get("/proctoring/api/v1/schema/").status_code == 200
