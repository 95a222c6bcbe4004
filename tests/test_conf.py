"""``PROCTORING``: keys, types, defaults; and the registry of vendors that reads them."""

from __future__ import annotations

from dataclasses import fields
from importlib.metadata import EntryPoint
from typing import Any

import pytest
from django.test import override_settings

from proctoring import backends as registry
from proctoring.backends import Backends, backends
from proctoring.backends.null import NullBackend
from proctoring.conf import ProctoringSettings, problems, settings
from proctoring.errors import UnknownBackend
from tests.exchange.vendor import VENDOR, FakeVendor
from tests.hosts import configure

KEY = "k" * 32


def wrong(**keys: Any) -> list[str]:
    with override_settings(PROCTORING=keys):
        return [key for key, sentence in problems() if sentence]


def test_nothing_need_be_set() -> None:
    with override_settings(PROCTORING={}):
        assert list(problems()) == []
        for field in fields(ProctoringSettings):
            assert getattr(settings, field.name) == getattr(ProctoringSettings(), field.name)


@pytest.mark.parametrize("key", ["HOTS", "host", "Access_Token_Keys", "", 7])
def test_a_misspelt_key_is_a_problem_and_nothing_else(key: Any) -> None:
    with override_settings(PROCTORING={key: "x"}):
        [(named, sentence)] = problems()
        assert named == str(key)
        assert "ACCESS_TOKEN_KEYS" in sentence
        assert settings.host == "proctoring.host.Host"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("HOST", 7),
        ("HOST", None),
        ("DEFAULT_BACKEND", b"null"),
        ("ACCESS_TOKEN_KEYS", KEY),
        ("ACCESS_TOKEN_KEYS", [KEY, "short"]),
        ("PSEUDONYM_KEYS", [7]),
        ("PAGE_NOTES", ["focus", "fokus"]),
        ("PAGE_BLOCKS", ["focus"]),
        ("ENCRYPTION_KEYS", {KEY}),
        ("ENCRYPTION_KEYS", [""]),
        ("ACCESS_TOKEN_SECONDS", "60"),
        ("ACCESS_TOKEN_SECONDS", 0),
        ("ACCESS_TOKEN_SECONDS", 1.5),
        ("LEASE_SECONDS", True),
        ("LEASE_SECONDS", -1),
        ("PAGE_MAX_EVENTS", 0),
        ("PAGE_MAX_EVENTS", "50000"),
        ("PAGE_MAX_EVENTS", 1e6),
        ("KEEP_TIMED_OUT", 1),
        ("KEEP_TIMED_OUT", "no"),
        ("LOW_THRESHOLD", "0.2"),
        ("LOW_THRESHOLD", 0),
        ("LOW_THRESHOLD", float("nan")),
        ("BACKENDS", []),
        ("BACKENDS", {"vendor": "path"}),
        ("BACKENDS", {"vendor": {}}),
        ("BACKENDS", {"vendor": {"BACKEND": "x", "OPTION": {}}}),
        ("BACKENDS", {"vendor": {"BACKEND": 7}}),
        ("BACKENDS", {"vendor": {"BACKEND": "x", "OPTIONS": ["a"]}}),
        ("BACKENDS", {7: {"BACKEND": "x"}}),
        ("BACKENDS", {"a/b": {"BACKEND": "x"}}),
        ("BACKENDS", {"": {"BACKEND": "x"}}),
        ("BACKENDS", {"v" * 101: {"BACKEND": "x"}}),
    ],
)
def test_a_value_of_a_wrong_type_or_size_is_a_problem(key: str, value: Any) -> None:
    assert wrong(**{key: value}) == [key]


def test_problems_do_not_show_a_key() -> None:
    with override_settings(PROCTORING={"ACCESS_TOKEN_KEYS": ["very secret"]}):
        assert "very secret" not in str(list(problems()))


@pytest.mark.parametrize("value", [None, [], "x"])
def test_the_setting_itself_is_a_dictionary(value: Any) -> None:
    with override_settings(PROCTORING=value):
        assert [key for key, _ in problems()] == ["PROCTORING"]


def test_right_values_are_no_problem() -> None:
    assert wrong(ACCESS_TOKEN_KEYS=(KEY,), LOW_THRESHOLD=1, KEEP_TIMED_OUT=True, BACKENDS=VENDOR) == []


def test_overridden_settings_are_seen_at_once_and_forgotten_after() -> None:
    assert settings.lease_seconds == 120
    with override_settings(PROCTORING={"LEASE_SECONDS": 7, "ACCESS_TOKEN_KEYS": [KEY]}):
        assert (settings.lease_seconds, settings.access_token_keys) == (7, (KEY,))
    assert settings.lease_seconds == 120


def test_the_null_backend_is_always_there() -> None:
    with override_settings(PROCTORING={}):
        assert isinstance(backends["null"], NullBackend)
        assert "null" in backends
        assert backends.default() == "null"


def test_a_vendor_of_the_settings_is_made_once_with_its_options(settings: Any) -> None:
    configure(settings, BACKENDS={"vendor": {**VENDOR["vendor"], "OPTIONS": {"url": "https://vendor.example"}}})
    vendor = backends["vendor"]
    assert isinstance(vendor, FakeVendor)
    assert (vendor.alias, vendor.options) == ("vendor", {"url": "https://vendor.example"})
    assert backends["vendor"] is vendor
    configure(settings, BACKENDS=VENDOR)
    assert backends["vendor"] is not vendor


def test_one_class_may_serve_two_vendors(settings: Any) -> None:
    configure(settings, BACKENDS={"one": VENDOR["vendor"], "two": VENDOR["vendor"]})
    assert backends["one"] is not backends["two"]
    assert (backends["one"].alias, backends["two"].alias) == ("one", "two")
    assert set(backends) >= {"null", "one", "two"}


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("no.such.Vendor", "ModuleNotFoundError"),
        ("tests.exchange.vendor.NoSuch", "ImportError"),
        ("tests.exchange.vendor.Unimportable", "TypeError"),
        ("tests.exchange.vendor.VENDOR", "TypeError"),
        ("", "ImportError"),
    ],
)
def test_a_vendor_that_cannot_be_loaded_says_why_and_the_others_work(path: str, why: str, settings: Any) -> None:
    configure(settings, BACKENDS={**VENDOR, "broken": {"BACKEND": path}})
    for _ in range(2):
        with pytest.raises(UnknownBackend, match=why):
            backends["broken"]
    assert list(backends.broken()) == ["broken"]
    assert isinstance(backends["vendor"], FakeVendor)
    assert "broken" in backends


def test_an_unknown_alias_names_the_known_ones(settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR)
    with pytest.raises(UnknownBackend, match="null, vendor"):
        backends["vendro"]
    assert "vendro" not in backends
    assert backends.broken() == {}


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Backends:
    """As if two packages with entry points were installed, one of them broken. What is installed is not our layer."""
    group = registry.ENTRY_POINTS
    points = [
        EntryPoint("plugged", "tests.exchange.vendor:FakeVendor", group),
        EntryPoint("vendor", "tests.exchange.vendor:Impatient", group),
        EntryPoint("rotten", "no.such:Vendor", group),
    ]
    monkeypatch.setattr(registry, "entry_points", lambda group: points)
    return Backends()


def test_an_installed_plugin_is_found_by_its_entry_point(installed: Backends) -> None:
    assert list(installed) == ["null", "plugged", "vendor", "rotten"]
    assert type(installed["plugged"]) is FakeVendor
    assert installed["plugged"].alias == "plugged"
    assert len(installed) == 4


def test_settings_win_over_an_installed_plugin_of_the_same_name(installed: Backends, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR)
    assert type(installed["vendor"]) is FakeVendor
    assert list(installed).count("vendor") == 1


def test_a_broken_plugin_is_reported_and_the_others_work(installed: Backends) -> None:
    assert list(installed.broken()) == ["rotten"]
    assert type(installed["plugged"]) is FakeVendor
