"""System checks: what is wrong with the settings is said before anybody notices."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import override_settings

from proctoring.backends import Backends
from proctoring.checks import NEEDED_APPS
from tests.exchange.vendor import VENDOR
from tests.hosts import configure

KEYS = {"ACCESS_TOKEN_KEYS": ["a" * 32], "PSEUDONYM_KEYS": ["b" * 32], "ENCRYPTION_KEYS": ["c" * 32]}


def found(**keys: Any) -> list[str]:
    with override_settings(PROCTORING=keys):
        return ids()


def ids() -> list[str]:
    return sorted(str(message.id) for message in run_checks(tags=["proctoring"]))


def test_the_settings_of_the_tests_are_in_order() -> None:
    assert ids() == []


def test_e001_a_misspelt_key_hides_no_other_mistake_of_the_keys() -> None:
    assert found(**KEYS, HOTS="x", LEASE_SECONDS="x") == ["proctoring.E001"] * 2


@pytest.mark.parametrize("value", [None, [], {7: "x"}])
def test_e001_settings_of_any_shape_do_not_stop_the_checks(value: Any) -> None:
    with override_settings(PROCTORING=value):
        assert ids() == ["proctoring.E001"]


@pytest.mark.parametrize(
    "path", ["no.such.Host", "tests.hosts.NoSuch", "tests.hosts.NotAHost", "tests.hosts.scripted", ""]
)
def test_e002_a_host_that_is_none(path: str) -> None:
    assert found(**KEYS, HOST=path) == ["proctoring.E002"]
    assert found(**KEYS, HOST="tests.hosts.ScriptedHost") == []


def test_e003_a_plugin_that_cannot_be_loaded_is_reported_for_each() -> None:
    broken = {"one": {"BACKEND": "no.such.Vendor"}, "two": {"BACKEND": "tests.hosts.NotAHost"}}
    assert found(**KEYS, BACKENDS={**VENDOR, **broken}) == ["proctoring.E003"] * 2


def test_e004_a_backends_own_complaints_name_it() -> None:
    with override_settings(PROCTORING={**KEYS, "BACKENDS": {"vendor": {**VENDOR["vendor"], "OPTIONS": {"ulr": 1}}}}):
        [message] = run_checks(tags=["proctoring"])
    assert (message.id, message.msg) == ("proctoring.E004", "backend 'vendor': option 'ulr' is unknown")


def test_e003_a_check_that_fails_itself_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.exchange.vendor import FakeVendor

    def stumble(self: FakeVendor) -> list[str]:
        raise ValueError("a mistake of the plugin")

    monkeypatch.setattr(FakeVendor, "check", stumble)
    assert found(**KEYS, BACKENDS=VENDOR, DEFAULT_BACKEND="x") == ["proctoring.E004", "proctoring.E005"]


def test_e005_a_default_that_is_not_configured() -> None:
    assert found(**KEYS, DEFAULT_BACKEND="vendor") == ["proctoring.E005"]
    assert found(**KEYS, DEFAULT_BACKEND="vendor", BACKENDS=VENDOR) == []


@pytest.mark.parametrize("missing", ["PSEUDONYM_KEYS", "ENCRYPTION_KEYS"])
def test_e006_a_vendor_without_the_keys_its_data_needs(missing: str) -> None:
    keys = {**KEYS, missing: []}
    assert found(**keys, BACKENDS=VENDOR) == ["proctoring.E006"]
    assert found(**keys) == []


def test_w001_no_key_for_access_tokens() -> None:
    assert found(**{**KEYS, "ACCESS_TOKEN_KEYS": []}) == ["proctoring.W001"]


@pytest.mark.parametrize("name", NEEDED_APPS)
def test_e007_an_app_that_ours_needs(name: str, settings: Any) -> None:
    settings.INSTALLED_APPS = [app for app in settings.INSTALLED_APPS if app != name]
    assert ids() == ["proctoring.E007"]


def test_w002_sqlite_that_begins_transactions_deferred(settings: Any) -> None:
    sqlite = {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    immediate = {**sqlite, "OPTIONS": {"transaction_mode": "IMMEDIATE"}}
    server = {"ENGINE": "django.db.backends.postgresql"}
    settings.DATABASES = {"default": sqlite, "other": immediate, "server": server}
    assert ids() == ["proctoring.W002"]


def test_every_message_has_a_hint_or_says_what_to_do(settings: Any) -> None:
    configure(settings, ACCESS_TOKEN_KEYS=[], ENCRYPTION_KEYS=[], BACKENDS=VENDOR, DEFAULT_BACKEND="nobody")
    messages = run_checks(tags=["proctoring"])
    assert {str(message.id) for message in messages} == {"proctoring.E005", "proctoring.E006", "proctoring.W001"}
    assert all("PROCTORING[" in message.msg for message in messages)


def test_checks_ask_no_network_and_no_database(settings: Any) -> None:
    """There is no database mark on this module: a query would fail."""
    configure(settings, BACKENDS=VENDOR)
    assert ids() == []
    assert len(Backends()) >= 2
