"""A kind has its own value, and nothing else."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from hypothesis import given
from hypothesis import strategies as st

from proctoring.allowances.computation import granted_seconds, in_force, policy_with_exception
from proctoring.allowances.models import Allowance, AllowanceKind
from proctoring.allowances.terms import Terms
from proctoring.errors import InvalidInput
from tests.factories import AllowanceFactory

RIGHT: dict[str, dict[str, Any]] = {
    "extra_minutes": {"minutes": 10},
    "time_multiplier": {"multiplier": Decimal("1.25")},
    "policy_exception": {"note": "A dictionary"},
    "exemption": {"exemptions": (1002,)},
}


@pytest.mark.parametrize("kind", RIGHT)
def test_each_kind_takes_its_value_and_a_note(kind: str) -> None:
    terms = Terms(kind=AllowanceKind(kind), **{"note": "certificate", **RIGHT[kind]})
    assert Terms.of(Allowance(**terms.as_columns())) == terms


@pytest.mark.parametrize(
    ("kind", "values", "wrong"),
    [
        ("extra_minutes", {}, "minutes"),
        ("extra_minutes", {"minutes": 0}, "minutes"),
        ("extra_minutes", {"minutes": 1441}, "minutes"),
        ("extra_minutes", {"minutes": 5, "multiplier": Decimal(2)}, "multiplier"),
        ("time_multiplier", {"minutes": 5}, "multiplier"),
        ("time_multiplier", {"multiplier": Decimal("0.99")}, "multiplier"),
        ("time_multiplier", {"multiplier": Decimal("10.01")}, "multiplier"),
        ("time_multiplier", {"multiplier": Decimal("1.255")}, "multiplier"),
        ("time_multiplier", {"multiplier": Decimal("NaN")}, "multiplier"),
        ("time_multiplier", {"multiplier": Decimal("1e999999")}, "multiplier"),
        ("policy_exception", {}, "note"),
        ("policy_exception", {"note": "x" * 4001}, "note"),
        ("exemption", {"exemptions": ()}, "exemptions"),
        ("exemption", {"exemptions": (999_999,)}, "exemptions"),
        ("exemption", {"exemptions": (1002,), "minutes": 5}, "minutes"),
    ],
)
def test_other_values_are_refused_by_their_field(kind: str, values: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Terms(kind=AllowanceKind(kind), **values)
    assert wrong in refused.value.errors


@pytest.mark.parametrize(
    "values",
    [
        {"minutes": None},
        {"minutes": 1441},
        {"multiplier": Decimal(2)},
        {"kind": "time_multiplier", "minutes": None},
        {"kind": "exemption", "minutes": 5},
    ],
)
def test_the_database_refuses_them_too(db: None, values: dict[str, Any]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        AllowanceFactory(**values)


def test_one_person_has_one_of_a_kind_in_a_scope(db: None) -> None:
    first = AllowanceFactory()
    with pytest.raises(IntegrityError), transaction.atomic():
        AllowanceFactory(user=first.user)
    AllowanceFactory(user=first.user, kind="time_multiplier", multiplier=Decimal(2))
    AllowanceFactory(user=first.user, course_id="other")


def extra(exam: int, minutes: int, course: str = "a") -> Allowance:
    return Allowance(exam_slot=exam, course_id=course, kind=AllowanceKind.EXTRA_MINUTES, minutes=minutes)


@pytest.mark.parametrize("turned", [False, True])
def test_the_exams_own_beats_the_courses_in_any_order(turned: bool) -> None:
    both = [extra(0, 30), extra(7, 5)]
    assert in_force(reversed(both) if turned else both, 7, "a")["extra_minutes"].minutes == 5
    assert in_force(both, 8, "a")["extra_minutes"].minutes == 30
    assert in_force(both, 8, "b") == {}


@given(
    st.integers(60, 604_800),
    st.none() | st.decimals(Decimal(1), Decimal(10), places=2),
    st.none() | st.integers(1, 1440),
)
def test_the_seconds_are_base_times_multiplier_and_minutes(
    base: int, multiplier: Decimal | None, minutes: int | None
) -> None:
    rules = {}
    if multiplier is not None:
        rules["time_multiplier"] = Allowance(kind="time_multiplier", multiplier=multiplier)
    if minutes is not None:
        rules["extra_minutes"] = Allowance(kind="extra_minutes", minutes=minutes)
    exact = base * (multiplier or 1) - base + (minutes or 0) * 60
    assert 0 <= granted_seconds(base, rules) - exact < 1


def test_an_exception_stands_after_the_policy() -> None:
    rules = {"policy_exception": Allowance(kind="policy_exception", note="A dictionary")}
    assert policy_with_exception("", rules) == "A dictionary"
    assert policy_with_exception("No books.", {}) == "No books."
