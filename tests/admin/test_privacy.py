"""Legal holds and certificates in the admin: for privacy officers, and nobody else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import Permission, User
from django.test import Client
from django.urls import reverse

from proctoring.privacy.certificates import make_certificate
from proctoring.privacy.holds import place_hold
from proctoring.privacy.models import CertificateKind, DeletionCertificate, LegalHold
from tests.factories import TEN, UserFactory

from .conftest import HOSTILE

MODELS = ["legalhold", "deletioncertificate"]


def url(model: str, page: str = "changelist", *args: Any) -> str:
    return reverse(f"admin:proctoring_{model}_{page}", args=args)


@pytest.fixture
def rows(boss: User) -> dict[str, Any]:
    counts = {"attempt": 3, "review": 1}
    return {
        "legalhold": place_hold(by=boss, reason=HOSTILE, course_id="algebra", now=TEN),
        "deletioncertificate": make_certificate(
            CertificateKind.ERASURE,
            counts=counts,
            unclear={"timeentry": 17},
            vendors=["vendor"],
            reason=HOSTILE,
            by=boss,
            now=TEN,
        ),
    }


@pytest.mark.parametrize("model", MODELS)
def test_an_officer_reads_lists_and_pages(boss_client: Client, rows: dict[str, Any], model: str) -> None:
    assert boss_client.get(url(model)).status_code == 200
    page = boss_client.get(url(model, "change", rows[model].pk))
    assert page.status_code == 200
    assert b"<script>alert" not in page.content
    assert b"&lt;script&gt;alert" in page.content


@pytest.mark.parametrize("model", MODELS)
def test_nobody_else_does_whatever_django_permits_them(
    as_person: Callable[..., Client], rows: dict[str, Any], model: str
) -> None:
    staff = as_person("staff-of-algebra")
    of_model = Permission.objects.filter(codename__endswith=f"_{model}")
    assert of_model.count() >= 4
    User.objects.get(username="staff-of-algebra").user_permissions.add(*of_model)
    assert staff.get(url(model)).status_code == 403
    assert staff.get(url(model, "change", rows[model].pk)).status_code in (302, 403)
    assert staff.post(url("legalhold", "add"), {"course_id": "x", "reason": "x"}).status_code == 403
    assert (
        staff.post(url("legalhold"), {"action": "release", ACTION_CHECKBOX_NAME: [rows["legalhold"].pk]}).status_code
        == 403
    )
    assert LegalHold.objects.get().released_at is None


@pytest.mark.parametrize("model", MODELS)
def test_nothing_is_changed_or_deleted(boss_client: Client, rows: dict[str, Any], model: str) -> None:
    row = rows[model]
    assert boss_client.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert boss_client.post(url(model, "change", row.pk), {"reason": "other"}).status_code == 403
    row.refresh_from_db()
    assert row.reason == HOSTILE


def test_a_certificate_cannot_be_made_up(boss_client: Client) -> None:
    assert boss_client.get(url("deletioncertificate", "add")).status_code == 403


def test_a_hold_is_placed_on_a_person_or_a_course(boss: User, boss_client: Client) -> None:
    person = UserFactory()
    assert boss_client.get(url("legalhold", "add")).status_code == 200
    for wanted in ({"user": person.pk, "course_id": ""}, {"user": "", "course_id": "algebra"}):
        answer = boss_client.post(url("legalhold", "add"), {**wanted, "reason": "a case"})
        assert answer.status_code == 302, answer.context["errors"]
    placed = LegalHold.objects.order_by("pk").values_list("user", "course_id", "reason", "placed_by")
    assert list(placed) == [(person.pk, "", "a case", boss.pk), (None, "algebra", "a case", boss.pk)]


@pytest.mark.parametrize("wanted", [{}, {"user": "1", "course_id": "algebra"}, {"user": "999999"}, {"user": "x"}])
def test_what_the_service_refuses_is_shown(wanted: dict[str, str], boss: User, boss_client: Client) -> None:
    given = {key: str(boss.pk) if value == "1" else value for key, value in wanted.items()}
    answer = boss_client.post(url("legalhold", "add"), {**given, "reason": "a case"})
    assert answer.status_code == 200
    assert answer.context["errors"]
    assert not LegalHold.objects.exists()


def test_a_hold_is_released_once(boss: User, boss_client: Client, rows: dict[str, Any]) -> None:
    hold = rows["legalhold"]
    chosen = {"action": "release", ACTION_CHECKBOX_NAME: [hold.pk]}
    assert b"is released." in boss_client.post(url("legalhold"), chosen, follow=True).content
    hold.refresh_from_db()
    assert hold.released_by == boss
    assert b"was released already" in boss_client.post(url("legalhold"), chosen, follow=True).content


def test_a_certificate_says_how_much_was_unclear(boss_client: Client, rows: dict[str, Any]) -> None:
    page = boss_client.get(url("deletioncertificate", "change", rows["deletioncertificate"].pk))
    assert b"timeentry: 17" in page.content


def test_a_certificate_that_was_altered_is_marked(boss_client: Client, rows: dict[str, Any]) -> None:
    assert b"icon-yes" in boss_client.get(url("deletioncertificate")).content
    DeletionCertificate.objects.update(counts={"attempt": 1})
    page = boss_client.get(url("deletioncertificate"))
    assert b"icon-no" in page.content
    assert b"icon-yes" not in page.content


@pytest.mark.parametrize("model", MODELS)
def test_a_list_costs_the_same_however_long_it_is(
    boss: User, boss_client: Client, rows: dict[str, Any], model: str, django_assert_num_queries: Any
) -> None:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as one:
        boss_client.get(url(model))
    for _ in range(3):
        place_hold(by=boss, user=UserFactory(), reason="x")
        make_certificate(CertificateKind.RETENTION, counts={}, by=UserFactory(), now=TEN)
    with django_assert_num_queries(len(one)):
        boss_client.get(url(model))
