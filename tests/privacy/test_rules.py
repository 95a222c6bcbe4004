"""No model, and no field that can hold something about a person, without a decision of what becomes of it."""

from __future__ import annotations

from typing import Any

import jsonfield
import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models

from proctoring.bookings.models import BookingLogEntry
from proctoring.privacy.retention import days_kept
from proctoring.privacy.rules import (
    HISTORY_ACTORS,
    HISTORY_HARMLESS,
    HISTORY_PERSONAL,
    RULES,
    DataClass,
    Fate,
    Rule,
    history_of,
)

TELLING = (
    models.CharField,
    models.TextField,
    models.JSONField,
    models.BinaryField,
    models.GenericIPAddressField,
    models.FileField,
    models.DurationField,
    models.UUIDField,
    jsonfield.JSONField,
)


def models_of_the_app() -> list[type[models.Model]]:
    return list(apps.get_app_config("proctoring").get_models())


def telling(model: type[models.Model]) -> set[str]:
    """The fields that can hold words, JSON, bytes, an address or a person."""
    found = set()
    for one in model._meta.concrete_fields:
        is_person = one.is_relation and one.related_model is get_user_model()
        if is_person or isinstance(one, TELLING):
            found.add(one.name)
    return found


def named(rule: Rule, *, history: bool) -> set[str]:
    own = {*rule.personal, *rule.actors, *rule.harmless}
    return own | {*HISTORY_PERSONAL, *HISTORY_ACTORS, *HISTORY_HARMLESS} if history else own


def rule_of(model: type[models.Model]) -> tuple[Rule, bool] | None:
    if model in RULES:
        return RULES[model], False
    return next(((rule, True) for known, rule in RULES.items() if history_of(known) is model), None)


@pytest.mark.parametrize("model", models_of_the_app(), ids=lambda model: model.__name__)
def test_every_model_and_every_history_has_a_rule_that_names_each_telling_field(model: type[models.Model]) -> None:
    found = rule_of(model)
    assert found is not None, f"{model.__name__}: say in privacy/rules.py what becomes of it"
    rule, history = found
    if rule.fate in (Fate.DELETED, Fate.FORGOTTEN_WITH_VENDOR):
        return
    unnamed = telling(model) - named(rule, history=history)
    assert not unnamed, f"{model.__name__}: {sorted(unnamed)} are neither personal nor harmless in privacy/rules.py"


def test_a_new_field_of_text_would_be_noticed() -> None:
    rule = RULES[apps.get_model("proctoring", "TimeEntry")]
    assert "note" in telling(apps.get_model("proctoring", "TimeEntry"))
    assert "note" in rule.personal


@pytest.mark.parametrize("model", list(RULES), ids=lambda model: model.__name__)
def test_a_rule_names_only_what_there_is_and_each_field_once(model: type[models.Model]) -> None:
    rule = RULES[model]
    fields = {one.name for one in model._meta.concrete_fields}
    groups = [set(rule.personal), set(rule.actors), set(rule.harmless)]
    assert set().union(*groups) <= fields
    assert sum(map(len, groups)) == len(set().union(*groups))
    assert not rule.stamp or rule.stamp in fields


@pytest.mark.parametrize("model", list(RULES), ids=lambda model: model.__name__)
def test_what_is_blanked_goes_into_its_column_on_this_database(model: Any, db: None) -> None:
    rule = RULES[model]
    for name, personal in rule.personal.items():
        rows = model._base_manager.filter(**{name: personal.blank})
        assert rows.exclude(**{name: personal.blank}).update(**{name: personal.blank}) == 0


@pytest.mark.parametrize("model", list(RULES), ids=lambda model: model.__name__)
def test_an_export_reads_only_what_there_is(model: Any, db: None) -> None:
    rule = RULES[model]
    assert bool(rule.section) == bool(rule.exported)
    if rule.about is not None:
        assert list(model._base_manager.filter(rule.about(0)).values(*rule.exported)) == []


def test_secrets_and_other_peoples_names_are_no_part_of_an_export() -> None:
    # An attempt's code opens its pages; a log entry's is a word of a vocabulary.
    told = {name for model, rule in RULES.items() for name in rule.exported if model is not BookingLogEntry}
    assert not told & {"code", "sealed_body", "sealed_video_url", "reviewed_by", "payload", "by", "author", "answer"}


def test_whatever_has_an_end_of_its_own_knows_its_age_and_its_attempt() -> None:
    for model, rule in RULES.items():
        kept = {personal.keep for personal in rule.personal.values()} - {DataClass.UNTIL_ERASURE}
        if kept:
            assert rule.dated, model
            assert rule.attempt, model
        for one in kept:
            assert days_kept(one) > 0
