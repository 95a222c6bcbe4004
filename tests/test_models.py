"""``proctoring.models`` is the table of contents: every model of every room, and nothing that has gone."""

from __future__ import annotations

import importlib
import pkgutil
from io import StringIO

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import models

import proctoring
from proctoring import models as contents


def rooms() -> list[str]:
    found = pkgutil.walk_packages(proctoring.__path__, "proctoring.")
    return sorted(module.name for module in found if module.name.endswith(".models"))


def defined(module: str) -> set[str]:
    members = vars(importlib.import_module(module)).values()
    return {
        one.__name__
        for one in members
        if isinstance(one, type)
        and issubclass(one, models.Model)
        and one.__module__ == module
        and not one._meta.abstract
    }


def test_every_model_of_every_room_is_in_the_table_of_contents() -> None:
    own = {name for room in rooms() for name in defined(room) if not name.startswith("Historical")}
    assert own == set(contents.__all__)
    assert own, "the rooms were found"


def test_the_table_of_contents_is_sorted_and_true() -> None:
    assert list(contents.__all__) == sorted(contents.__all__)
    for name in contents.__all__:
        assert apps.get_model("proctoring", name) is getattr(contents, name)


def test_django_knows_no_model_of_ours_that_is_not_listed() -> None:
    known = {model.__name__ for model in apps.get_app_config("proctoring").get_models()}
    assert {name for name in known if not name.startswith("Historical")} == set(contents.__all__)


@pytest.mark.parametrize("name", ["Exam", "Attempt", "Review"])
def test_what_people_decide_has_a_history(name: str) -> None:
    assert hasattr(apps.get_model("proctoring", name), "history")


@pytest.mark.parametrize("name", ["TimeEntry", "Delivery", "Circuit", "WebhookMessage", "IdempotencyRecord"])
def test_what_is_appended_or_churns_has_none(name: str) -> None:
    assert not hasattr(apps.get_model("proctoring", name), "history")


def test_every_model_can_be_named_to_people() -> None:
    for model in apps.get_app_config("proctoring").get_models():
        assert str(model._meta.verbose_name)
        assert "__str__" in vars(model) or model.__name__.startswith("Historical"), model


@pytest.mark.django_db
def test_the_migrations_are_up_to_date() -> None:
    said = StringIO()
    try:
        call_command("makemigrations", "proctoring", check=True, dry_run=True, verbosity=3, stdout=said)
    except SystemExit:
        pytest.fail(said.getvalue())
