"""System checks: ``manage.py check`` says what is wrong with the settings and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings as django_settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register
from django.utils.module_loading import import_string

from proctoring import conf
from proctoring.backends import NULL, backends
from proctoring.host import Host

NEEDED_APPS = ("simple_history", "rest_framework", "drf_spectacular", "drf_spectacular_sidecar", "django_filters")


@register("proctoring")
def check_settings(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """E001 for a key of ``PROCTORING`` that is unknown or has a wrong value."""
    return [Error(f"{conf.SETTING}[{key!r}]: {what}", id="proctoring.E001") for key, what in conf.problems()]


@register("proctoring")
def check_host(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """E002 where ``HOST`` is no subclass of ``proctoring.host.Host``."""
    if any(conf.problems()):
        return []
    try:
        cls = import_string(conf.settings.host)
    except ImportError as failure:
        return [Error(f"PROCTORING['HOST'] cannot be imported: {failure}", id="proctoring.E002")]
    if not (isinstance(cls, type) and issubclass(cls, Host)):
        return [Error("PROCTORING['HOST'] is not a subclass of proctoring.host.Host.", id="proctoring.E002")]
    return []


@register("proctoring")
def check_backends(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """E003 for a plugin that cannot be loaded, E004 for its own wrong options, E005 for an unknown default."""
    if any(conf.problems()):
        return []
    broken = backends.broken()
    messages: list[CheckMessage] = [Error(why, id="proctoring.E003") for why in broken.values()]
    for alias in backends:
        if alias not in broken:
            messages += [Error(f"backend {alias!r}: {what}", id="proctoring.E004") for what in _complaints(alias)]
    if conf.settings.default_backend not in backends:
        known = ", ".join(backends)
        messages.append(
            Error(
                f"PROCTORING['DEFAULT_BACKEND'] is {conf.settings.default_backend!r}; configured are {known}.",
                id="proctoring.E005",
            )
        )
    return messages


def _complaints(alias: str) -> list[str]:
    try:
        return list(backends[alias].check())
    # A plugin is foreign code: its own mistake must not hide what else is wrong.
    except Exception as failure:  # noqa: BLE001
        return [f"its check failed: {type(failure).__name__}: {failure}"]


@register("proctoring")
def check_keys(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """E006 where a vendor is configured without the keys its data needs, W001 where no access token can be issued."""
    if any(conf.problems()):
        return []
    return list(_missing_keys())


def _missing_keys() -> Iterator[CheckMessage]:
    hint = 'Make one with: python -c "import secrets; print(secrets.token_urlsafe(48))"'
    if any(alias != NULL for alias in backends):
        for name, use in (("pseudonym_keys", "vendors get no ids"), ("encryption_keys", "no webhook can be kept")):
            if not getattr(conf.settings, name):
                key = f"PROCTORING[{name.upper()!r}]"
                yield Error(f"{key} is empty: without it {use}.", hint=hint, id="proctoring.E006")
    if not conf.settings.access_token_keys:
        yield checks.Warning(
            "PROCTORING['ACCESS_TOKEN_KEYS'] is empty: access answers carry no token.", hint=hint, id="proctoring.W001"
        )


@register("proctoring")
def check_apps(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """E007 for an app that ours needs beside it in ``INSTALLED_APPS``."""
    return [
        Error(f"Add {name!r} to INSTALLED_APPS: proctoring needs it.", id="proctoring.E007")
        for name in NEEDED_APPS
        if not apps.is_installed(name)
    ]


@register("proctoring")
def check_sqlite(app_configs: Any, **_: Any) -> list[CheckMessage]:
    """W002 for SQLite without immediate transactions: two requests at once would fail instead of waiting."""
    return [
        checks.Warning(
            f"DATABASES[{alias!r}]: SQLite begins transactions deferred, so requests that write at once can fail.",
            hint="Set OPTIONS = {'transaction_mode': 'IMMEDIATE', 'timeout': 20}.",
            id="proctoring.W002",
        )
        for alias, database in django_settings.DATABASES.items()
        if database.get("ENGINE") == "django.db.backends.sqlite3"
        and database.get("OPTIONS", {}).get("transaction_mode") != "IMMEDIATE"
    ]
