"""The ids under which vendors know people."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import OperationalError, transaction
from django.db.models import QuerySet

from proctoring.backends import backends
from proctoring.errors import NotConfigured
from proctoring.outbox.models import Delivery
from proctoring.privacy import pseudonyms
from proctoring.privacy.models import Pseudonym
from proctoring.privacy.pseudonyms import candidate_id, candidate_ids, known_id, outdated, people_of, renew
from tests.attempts.racing import race
from tests.exchange.vendor import VENDOR
from tests.factories import TEN, UserFactory, at
from tests.hosts import configure

OLD, NEW = "the-old-key-" * 4, "the-new-key-" * 4


@pytest.fixture
def ada(db: None, settings: Any) -> AbstractUser:
    configure(settings, BACKENDS=VENDOR, PSEUDONYM_KEYS=[OLD])
    return UserFactory()


def rotate(settings: Any) -> None:
    configure(settings, PSEUDONYM_KEYS=[NEW, OLD])


def forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """The vendor forgets people on request."""
    monkeypatch.setattr(type(backends["vendor"]), "retires_candidates", True)


def test_a_person_has_one_id_at_each_vendor_which_says_nothing_elsewhere(ada: AbstractUser) -> None:
    name = candidate_id("vendor", ada.pk)
    assert name == candidate_id("vendor", ada.pk) == known_id("vendor", ada.pk)
    assert len({name, candidate_id("other", ada.pk), candidate_id("vendor", UserFactory().pk)}) == 3
    assert len(name) == 64
    assert str(ada.pk) != name


def test_an_id_that_is_known_costs_one_statement(ada: AbstractUser, django_assert_num_queries: Any) -> None:
    candidate_id("vendor", ada.pk)
    with django_assert_num_queries(1):
        candidate_id("vendor", ada.pk)


def test_a_rotation_of_the_keys_changes_nobodys_id(ada: AbstractUser, settings: Any) -> None:
    name = candidate_id("vendor", ada.pk)
    rotate(settings)
    assert candidate_id("vendor", ada.pk) == name
    newcomer = UserFactory()
    candidate_id("vendor", newcomer.pk)
    kept, fresh = Pseudonym.objects.order_by("pk")
    assert kept.key_id != fresh.key_id
    assert len(fresh.key_id) == 16


def test_without_a_key_a_known_person_keeps_their_id_and_nobody_new_is_named(ada: AbstractUser, settings: Any) -> None:
    name = candidate_id("vendor", ada.pk)
    configure(settings, PSEUDONYM_KEYS=[])
    assert candidate_id("vendor", ada.pk) == name
    with pytest.raises(NotConfigured, match="PSEUDONYM_KEYS"):
        candidate_id("vendor", UserFactory().pk)


def test_the_people_behind_ids_are_found_in_one_statement(ada: AbstractUser, django_assert_num_queries: Any) -> None:
    bob = UserFactory()
    names = {candidate_id("vendor", one.pk): one.pk for one in (ada, bob)}
    strangers = ["0" * 64, "x" * 1000, "a\x00b", candidate_id("other", ada.pk), *(name.upper() for name in names)]
    with django_assert_num_queries(1):
        assert people_of("vendor", [*names, *strangers]) == names


def test_a_renewed_id_is_a_new_one_and_the_old_one_names_nobody(
    ada: AbstractUser, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgetful(monkeypatch)
    old = candidate_id("vendor", ada.pk)
    rotate(settings)
    [row] = outdated("vendor")
    fresh = renew(row, now=at(10, 30))
    assert candidate_id("vendor", ada.pk) == fresh.value != old
    assert people_of("vendor", [old, fresh.value]) == {fresh.value: ada.pk}
    row.refresh_from_db()
    assert (row.current_slot, row.retired_at) == (None, at(10, 30))
    owed = Delivery.objects.get()
    assert (owed.operation, owed.argument, owed.target, owed.target_id) == ("retire_candidate", old, "user", ada.pk)
    assert old[:16] not in owed.key
    assert not outdated("vendor").exists()


def test_a_second_renewal_of_the_same_id_changes_nothing(
    ada: AbstractUser, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgetful(monkeypatch)
    candidate_id("vendor", ada.pk)
    rotate(settings)
    [row] = outdated("vendor")
    assert renew(row, now=TEN).pk == renew(row, now=TEN).pk
    assert Delivery.objects.count() == 1
    assert Pseudonym.objects.count() == 2


def test_a_vendor_that_cannot_forget_is_not_asked_to(ada: AbstractUser, settings: Any) -> None:
    candidate_id("vendor", ada.pk)
    rotate(settings)
    renew(outdated("vendor").get(), now=TEN)
    assert not Delivery.objects.exists()


def test_a_person_who_comes_back_while_the_old_id_is_being_forgotten_gets_another(ada: AbstractUser) -> None:
    old = candidate_id("vendor", ada.pk)
    Pseudonym.objects.update(current_slot=None, retired_at=TEN)
    assert candidate_id("vendor", ada.pk) != old
    assert candidate_id("vendor", ada.pk) == candidate_id("vendor", ada.pk)


def test_many_people_are_named_in_few_statements_and_as_one_by_one(
    ada: AbstractUser, django_assert_num_queries: Any
) -> None:
    known, back = candidate_id("vendor", ada.pk), UserFactory()
    retired = candidate_id("vendor", back.pk)
    Pseudonym.objects.filter(user=back).update(current_slot=None, retired_at=TEN)
    people = [ada, *UserFactory.create_batch(20)]
    with django_assert_num_queries(4):
        ids = candidate_ids("vendor", [person.pk for person in people])
    assert ids == {person.pk: known_id("vendor", person.pk) for person in people}
    assert (ids[ada.pk], len(set(ids.values()))) == (known, 21)
    with django_assert_num_queries(1):
        assert candidate_ids("vendor", [person.pk for person in people]) == ids
    again = candidate_ids("vendor", [back.pk])[back.pk]
    assert again not in ("", retired)
    assert again == known_id("vendor", back.pk)


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_of_workers_that_name_a_person_at_once_all_get_the_same_id(settings: Any) -> None:
    configure(settings, PSEUDONYM_KEYS=[OLD])
    for _ in range(10):
        person = UserFactory()
        answers = race(*[lambda person=person: pseudonyms.candidate_id("vendor", person.pk)] * 4)
        assert Pseudonym.objects.filter(user=person).count() == 1
        assert len({str(answer) for answer in answers}) == 1


@pytest.mark.django_db(transaction=True)
def test_worker_that_the_database_gives_up_makes_them_one_by_one(
    settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(settings, PSEUDONYM_KEYS=[OLD])
    people = [person.pk for person in UserFactory.create_batch(3)]

    def give_up(*args: Any, **kwargs: Any) -> None:
        raise OperationalError(1213, "Deadlock found when trying to get lock; try restarting transaction")

    monkeypatch.setattr(QuerySet, "bulk_create", give_up)
    answer = pseudonyms.candidate_ids("vendor", people)
    assert answer == {pk: pseudonyms.known_id("vendor", pk) for pk in people}
    assert len(set(answer.values())) == 3
    with transaction.atomic(), pytest.raises(OperationalError):
        pseudonyms.candidate_ids("vendor", [UserFactory().pk])


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_of_workers_that_name_many_at_once_all_get_the_same_ids(settings: Any) -> None:
    configure(settings, PSEUDONYM_KEYS=[OLD])
    for _ in range(5):
        people = [person.pk for person in UserFactory.create_batch(10)]
        answers = race(*[lambda people=people: pseudonyms.candidate_ids("vendor", people)] * 4)
        assert len({str(sorted(answer.items())) for answer in answers}) == 1, answers
        assert Pseudonym.objects.filter(user__in=people).count() == len(people)
