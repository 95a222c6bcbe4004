"""Everything that a database holds about us, as text, to search it for words that must not be there."""

from __future__ import annotations

import json
from typing import Any

from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.db import connection

from proctoring.inbox import sealing
from proctoring.inbox.models import WebhookMessage
from proctoring.reviews.models import Review, video_context

NOT_OURS = ("auth_", "django_session", "django_migrations", "django_content_type", "sqlite_sequence")


def tables() -> list[str]:
    ours = [model._meta.db_table for model in apps.get_app_config("proctoring").get_models()]
    return [*ours, LogEntry._meta.db_table]


def dump() -> str:
    """All rows of all our tables, histories and the admin's log; what is encrypted also in clear."""
    lines: list[str] = []
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            lines += [line for line in connection.connection.iterdump() if not _elsewhere(line)]
        for table in tables():
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")  # noqa: S608 - our own tables
            lines += [_text(row) for row in cursor.fetchall()]
    lines += [message.body.decode(errors="replace") for message in WebhookMessage.objects.all()]
    for model in (Review, Review.history.model):
        for row in model._base_manager.exclude(sealed_video_url=b""):
            lines.append(sealing.unseal(bytes(row.sealed_video_url), context=video_context(row.attempt_id)).decode())
    return "\n".join(lines)


def _elsewhere(line: str) -> bool:
    return line.startswith(tuple(f'INSERT INTO "{name}' for name in NOT_OURS))


def _text(row: tuple[Any, ...]) -> str:
    parts = [bytes(value).decode(errors="replace") if isinstance(value, memoryview | bytes) else value for value in row]
    # As it stands, and with the characters that JSON columns hold escaped.
    return " | ".join(map(str, parts)) + json.dumps(list(map(str, parts)), ensure_ascii=False)
