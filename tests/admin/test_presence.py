"""How a page is connected, what it was told and where it came from: in the list, and on the attempt's page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.monitoring.beating import Pulse
from proctoring.monitoring.commands import send_command
from proctoring.monitoring.heartbeats import take_heartbeat
from proctoring.monitoring.models import CommandKind

from .conftest import HOSTILE, address

LIST = "admin:proctoring_attempt_changelist"


def running(make_attempt: Callable[..., Attempt], silent_for: int, ip: str = "192.0.2.1") -> Attempt:
    now = timezone.now()
    attempt = make_attempt()
    Attempt.objects.filter(pk=attempt.pk).update(
        status=Status.STARTED, started_at=now - timedelta(hours=1), expires_at=now + timedelta(hours=1)
    )
    take_heartbeat(attempt.pk, attempt.user_id, Pulse(ip=ip), now=now - timedelta(seconds=silent_for))
    return attempt


def listed(client: Client, **query: Any) -> set[int]:
    return {row.pk for row in client.get(reverse(LIST), query).context["cl"].result_list}


def test_list_shows_and_finds_who_is_late_or_lost(boss_client: Client, make_attempt: Callable[..., Attempt]) -> None:
    attempts = {name: running(make_attempt, silent) for name, silent in {"online": 1, "late": 60, "lost": 200}.items()}
    never = make_attempt()
    for name, attempt in attempts.items():
        assert listed(boss_client, connection=name) == {attempt.pk}
    assert never.pk in listed(boss_client)
    content = boss_client.get(reverse(LIST)).content.decode()
    assert '<span class="p-badge p-badge-rejected">Lost</span>' in content
    assert '<span class="p-badge p-badge-scheduled">Late</span>' in content


def test_page_shows_connection_commands_and_addresses(
    boss_client: Client, make_attempt: Callable[..., Attempt]
) -> None:
    attempt = running(make_attempt, 1, ip="2001:db8::7")
    running(make_attempt, 1, ip="2001:db8::7")
    send_command(attempt, CommandKind.MESSAGE, by=None, now=timezone.now(), text=HOSTILE)
    content = boss_client.get(address(attempt)).content.decode()

    assert "Online, Unknown" in content
    assert "Sent to the candidate’s page" in content
    assert "not yet" in content
    assert "<script>alert" not in content
    row = content.partition("Addresses of the candidate’s page")[2].partition("</table>")[0]
    assert "2001:db8::7" in row
    assert ">1<" in row
