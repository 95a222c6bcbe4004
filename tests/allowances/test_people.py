"""Who is meant by an id, a user name or an address."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring.allowances.people import UnknownPerson, find_people
from tests.factories import UserFactory

pytestmark = pytest.mark.django_db


def code(found: Any) -> str:
    assert isinstance(found, UnknownPerson)
    return found.code


def test_integers_are_ids_and_strings_are_names_before_they_are_addresses() -> None:
    ada = UserFactory(username="ada", email="Ada@Example.org", is_active=False)
    named_like_an_address = UserFactory(username="bob@example.org", email="x@example.org")
    UserFactory(username="other", email="bob@example.org")
    found = find_people([ada.pk, "ada", "ADA@example.ORG", "bob@example.org"])
    assert [found[name] for name in (ada.pk, "ada", "ADA@example.ORG")] == [ada] * 3
    assert found["bob@example.org"] == named_like_an_address


@pytest.mark.parametrize("name", [0, -1, 2**63, 10**30, "nobody", "nobody@example.org", "", "ADA", "17", "a\u0130b"])
def test_who_does_not_exist_is_not_found(name: int | str) -> None:
    UserFactory(username="ada")
    assert code(find_people([name])[name]) == "user_not_found"


def test_an_address_of_several_accounts_is_nobodys() -> None:
    UserFactory(username="one", email="shared@example.org")
    UserFactory(username="two", email="Shared@example.org")
    assert code(find_people(["shared@example.org"])["shared@example.org"]) == "ambiguous_user"


def test_an_empty_address_means_nobody() -> None:
    UserFactory(username="one", email="")
    assert code(find_people(["@"])["@"]) == "user_not_found"


def test_a_thousand_cost_three_statements() -> None:
    users = [UserFactory() for _ in range(3)]
    names: list[int | str] = [
        *range(1, 1001),
        *(f"n{n}" for n in range(1000)),
        *(f"n{n}@example.org" for n in range(1000)),
    ]
    with CaptureQueriesContext(connection) as statements:
        find_people([*names, *(user.username for user in users)])
    assert len(statements) == 3
