"""Webhook messages: who may open a body, how it is shown, and processing again."""

import json
from collections.abc import Callable
from datetime import timedelta
from time import perf_counter
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from proctoring.admin.rendering import MAX_TEXT, foreign_text
from proctoring.inbox.models import MessageStatus, WebhookMessage

from .conftest import HOSTILE, make_message, told

LIST = "admin:proctoring_webhookmessage_changelist"


def shown(client: Client, message: WebhookMessage) -> str:
    return client.get(reverse("admin:proctoring_webhookmessage_change", args=(message.pk,))).content.decode()


def again(*messages: WebhookMessage) -> dict[str, Any]:
    return {"action": "process_again", ACTION_CHECKBOX_NAME: [one.pk for one in messages], "index": 0}


def test_messages_are_processed_again_each_with_its_result(boss_client: Client) -> None:
    free, held = make_message(), make_message()
    WebhookMessage.objects.filter(pk=free.pk).update(status="quarantined", next_try_at=None)
    WebhookMessage.objects.filter(pk=held.pk).update(claimed_until=timezone.now() + timedelta(minutes=1))
    response = boss_client.post(reverse(LIST), again(free, held), follow=True)
    assert sorted(told(response)) == sorted(
        [
            f"“rest: {free.delivery_id} #{free.pk}”: is going to be processed again.",
            f"“rest: {held.delivery_id} #{held.pk}”: A worker has this message in hand.",
        ]
    )
    free.refresh_from_db()
    assert free.status == MessageStatus.RECEIVED
    assert free.next_try_at is not None


def test_body_is_for_those_who_may_process_it(as_person: Callable[..., Client]) -> None:
    message, person = make_message(b'{"note": "personal"}'), as_person("support")
    user = User.objects.get(username="support")
    user.user_permissions.add(Permission.objects.get(codename="view_webhookmessage"))
    assert "personal" not in shown(person, message)
    person.post(reverse(LIST), again(message))
    user.user_permissions.add(Permission.objects.get(codename="change_webhookmessage"))
    assert "personal" in shown(person, message)


def test_body_is_shown_escaped_without_links_and_secrets(boss_client: Client) -> None:
    body = {
        "note": HOSTILE,
        "closing": "</textarea><script>x()</script>",
        "api_key": "hush",
        "deep": [{"token": 12345}],
    }
    content = shown(boss_client, make_message(json.dumps(body).encode()))
    assert "&lt;script&gt;" in content
    for forbidden in ("<script>alert", "<script>x()", "evil.example", "hush", "12345"):
        assert forbidden not in content


def test_body_that_is_no_json_is_shown_without_secrets() -> None:
    text = foreign_text(b'token=hush&x=1 {"clientSecret" : "hush" password: hush see https://evil.example/?a=1 \xff')
    assert "hush" not in text
    assert "evil.example" not in text
    assert "�" in text


@pytest.mark.parametrize("body", [b"[" * 100_000, b"1" * 100_000, b"a" * 100_000, b"token" * 20_000, b"{" * 9, b""])
def test_hostile_body_is_shown_quickly(body: bytes) -> None:
    start = perf_counter()
    assert len(foreign_text(body)) <= 2 * MAX_TEXT + 10_000 or body.isdigit()
    assert perf_counter() - start < 2


def test_long_body_is_cut(boss_client: Client) -> None:
    content = shown(boss_client, make_message(json.dumps({"note": "x" * 50_000}).encode()))
    assert "Cut off after 10000 characters." in content
    assert content.count("x") < 11_000


def test_body_whose_key_is_gone_and_one_no_longer_kept_are_explained(boss_client: Client, settings: Any) -> None:
    message, blank = make_message(), make_message()
    WebhookMessage.objects.filter(pk=blank.pk).update(sealed_body=b"")
    assert "No longer kept." in shown(boss_client, blank)
    settings.PROCTORING = {**settings.PROCTORING, "ENCRYPTION_KEYS": ["another-key-" + "x" * 40]}
    assert "opens this message" in shown(boss_client, message)


def test_list_does_not_load_bodies(boss_client: Client) -> None:
    make_message()
    row = boss_client.get(reverse(LIST)).context["cl"].result_list[0]
    assert row.get_deferred_fields() == {"sealed_body"}
