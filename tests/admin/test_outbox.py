"""Deliveries and vendor connections: what is owed, what it waits for, and trying again."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from proctoring.attempts.models import Attempt
from proctoring.outbox.models import Delivery, DeliveryStatus

from .conftest import make_circuit, make_delivery, told

LIST = "admin:proctoring_delivery_changelist"


def again(*deliveries: Delivery) -> dict[str, Any]:
    return {"action": "try_again", ACTION_CHECKBOX_NAME: [one.pk for one in deliveries], "index": 0}


def test_refused_and_given_up_are_tried_again_and_others_are_not(boss_client: Client, attempt: Attempt) -> None:
    failed, given_up = make_delivery(attempt, "failed", tries=1), make_delivery(attempt, "given_up", tries=20)
    done = make_delivery(attempt, "done", tries=1)
    response = boss_client.post(reverse(LIST), again(failed, given_up, done), follow=True)
    assert sorted(told(response)) == sorted(
        [
            f"“Report the start (rest) #{failed.pk}”: is due again.",
            f"“Report the start (rest) #{given_up.pk}”: is due again.",
            f"“Report the start (rest) #{done.pk}”: Only a refused or given-up delivery can be repeated.",
        ]
    )
    for one in (failed, given_up, done):
        one.refresh_from_db()
    assert [(one.status, one.tries) for one in (failed, given_up, done)] == [("due", 0), ("due", 0), ("done", 1)]
    assert LogEntry.objects.filter(object_id__in=[failed.pk, given_up.pk, done.pk]).count() == 2


def test_looking_is_not_repeating(as_person: Callable[..., Client], attempt: Attempt) -> None:
    failed, person = make_delivery(attempt, "failed"), as_person("support")
    user = User.objects.get(username="support")
    user.user_permissions.add(Permission.objects.get(codename="view_delivery"))
    assert b"Try again" not in person.get(reverse(LIST)).content
    person.post(reverse(LIST), again(failed))
    failed.refresh_from_db()
    assert failed.status == DeliveryStatus.FAILED
    user.user_permissions.add(Permission.objects.get(codename="change_delivery"))
    person.post(reverse(LIST), again(failed))
    failed.refresh_from_db()
    assert failed.status == DeliveryStatus.DUE


def test_what_is_owed_can_be_asked_for(boss_client: Client, attempt: Attempt) -> None:
    owed = [make_delivery(attempt, status) for status in ("due", "failed", "given_up")]
    for status in ("done", "superseded"):
        make_delivery(attempt, status)
    shown = boss_client.get(reverse(LIST), {"owed": "yes"}).context["cl"].result_list
    assert {row.pk for row in shown} == {row.pk for row in owed}


def test_delivery_says_that_it_waits_for_earlier_ones(boss_client: Client, attempt: Attempt) -> None:
    first, second = make_delivery(attempt), make_delivery(attempt)
    rows = {row.pk: row for row in boss_client.get(reverse(LIST)).context["cl"].result_list}
    assert rows[first.pk].first_in_line
    assert not rows[second.pk].first_in_line
    content = boss_client.get(reverse(LIST)).content.decode()
    assert content.count("earlier deliveries") == 1
    earlier: dict[str, str | int] = {"target__exact": "attempt", "target_id__exact": attempt.pk, "id__lt": second.pk}
    assert [row.pk for row in boss_client.get(reverse(LIST), earlier).context["cl"].result_list] == [first.pk]


def test_list_says_which_vendor_rests(boss_client: Client) -> None:
    circuit = make_circuit()
    assert f"Calls to {circuit.backend} wait until" in boss_client.get(reverse(LIST)).content.decode()
    assert "<script>alert" not in boss_client.get(reverse(LIST)).content.decode()


@pytest.mark.parametrize(
    ("open_for", "words"), [(None, "Calls go out"), (60, "Calls wait until"), (-60, "The next call is a trial")]
)
def test_connection_says_how_it_is_now(boss_client: Client, open_for: int | None, words: str) -> None:
    until = None if open_for is None else timezone.now() + timedelta(seconds=open_for)
    circuit = make_circuit(open_until=until)
    page = boss_client.get(reverse("admin:proctoring_circuit_change", args=(circuit.pk,)))
    assert words in page.content.decode()


def test_connection_counts_what_is_owed(boss_client: Client, attempt: Attempt) -> None:
    circuit = make_circuit()
    for status in ("due", "failed", "done"):
        make_delivery(attempt, status, backend=circuit.backend)
    link = f"{reverse(LIST)}?backend={circuit.backend}&amp;owed=yes"
    content = boss_client.get(reverse("admin:proctoring_circuit_changelist")).content.decode()
    assert f'<a href="{link}">2</a>' in content
