"""No model, and no field that can hold something about a person, without a decision of what becomes of it."""

from __future__ import annotations

from typing import Any

import pytest
from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Q

from proctoring.bookings.models import BookingLogEntry
from proctoring.privacy.places import CONNECTIONS, places
from proctoring.privacy.retention import days_kept
from proctoring.privacy.rule import DataClass, Fate, Rule, Why
from proctoring.privacy.rules import (
    HISTORY_ACTORS,
    HISTORY_HARMLESS,
    HISTORY_PERSONAL,
    RULES,
    history_of,
)

NOT_TELLING = (
    models.AutoField,
    models.BooleanField,
    models.DateField,
    models.DecimalField,
    models.FloatField,
    models.IntegerField,
)


def models_of_the_app() -> list[type[models.Model]]:
    return list(apps.get_app_config("proctoring").get_models())


def telling(model: type[models.Model]) -> set[str]:
    """The fields that can hold words, JSON, bytes, an address, a person, or something that nobody has thought of."""
    found = set()
    for one in model._meta.concrete_fields:
        is_person = one.is_relation and one.related_model is get_user_model()
        if is_person or not (one.is_relation or isinstance(one, NOT_TELLING)):
            found.add(one.name)
    return found


def groups(rule: Rule) -> list[set[str]]:
    return [set(rule.personal), *map(set, (rule.texts, rule.titles, rule.actors)), *map(set, rule.harmless.values())]


def named(rule: Rule, *, history: bool) -> set[str]:
    own = set().union(*groups(rule))
    if not history:
        return own
    return own | {*HISTORY_PERSONAL, *HISTORY_ACTORS}.union(*HISTORY_HARMLESS.values())


def rule_of(model: type[models.Model]) -> tuple[Rule, bool] | None:
    if model in RULES:
        return RULES[model], False
    return next(((rule, True) for known, rule in RULES.items() if history_of(known) is model), None)


@pytest.mark.parametrize("model", models_of_the_app(), ids=lambda model: model.__name__)
def test_every_model_and_every_history_has_a_rule_that_names_each_telling_field(model: type[models.Model]) -> None:
    found = rule_of(model)
    assert found is not None, f"{model.__name__}: say in privacy/rules.py what becomes of it"
    rule, history = found
    unnamed = telling(model) - named(rule, history=history)
    assert not unnamed, f"{model.__name__}: privacy/rules.py does not say what becomes of {sorted(unnamed)}"


@pytest.mark.parametrize("model", models_of_the_app(), ids=lambda model: model.__name__)
def test_whatever_people_may_write_is_searched_for_others_or_says_why_not(model: type[models.Model]) -> None:
    found = rule_of(model)
    assert found is not None
    rule, history = found
    place = next((one for one in places() if one.model is model), None)
    searched = {*place.texts, *place.titles} if place else set()
    reasons = [*rule.harmless.values(), *(HISTORY_HARMLESS.values() if history else ())]
    unsearched = {name for name, one in rule.personal.items() if isinstance(one.unsearched, Why)}
    people = {*rule.actors, *(HISTORY_ACTORS if history else ())}
    left = telling(model) - searched - people - unsearched.union(*reasons)
    assert not left or model in CONNECTIONS, f"{model.__name__}: nobody is looked for in {sorted(left)}"
    assert "history_change_reason" in searched or not history


def test_a_new_field_of_text_would_be_noticed() -> None:
    note = apps.get_model("proctoring", "TimeEntry")
    assert "note" in telling(note)
    assert "note" in RULES[note].personal
    assert "note" in RULES[note].searched


@pytest.mark.parametrize("model", list(RULES), ids=lambda model: model.__name__)
def test_a_rule_names_only_what_there_is_and_each_field_once(model: type[models.Model]) -> None:
    rule = RULES[model]
    fields = {one.name for one in model._meta.concrete_fields}
    all_of_them = set().union(*groups(rule))
    assert all_of_them <= fields
    assert sum(map(len, groups(rule))) == len(all_of_them)
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


@pytest.mark.parametrize("model", list(RULES), ids=lambda model: model.__name__)
def test_whole_rows_go_with_age_only_where_erasure_deletes_them_and_no_version_is_left(model: Any) -> None:
    rule = RULES[model]
    if rule.keep == DataClass.UNTIL_ERASURE:
        assert rule.spent == Q()
        return
    assert days_kept(rule.keep) > 0
    assert rule.fate == Fate.DELETED
    assert history_of(model) is None
    assert rule.dated
    assert rule.attempt
