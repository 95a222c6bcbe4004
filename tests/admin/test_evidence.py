"""Evidence on the page of an attempt: its seals, its copies, and who may take one more."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from proctoring.attempts.models import Attempt
from proctoring.attempts.sealing import seal_due
from proctoring.logs.models import EvidenceCopy
from tests.admin.conftest import address, make_event


@pytest.fixture
def sealed(make_attempt: Callable[..., Attempt]) -> Attempt:
    attempt = make_attempt("submitted")
    make_event(attempt)
    seal_due(now=timezone.now() + timedelta(days=2))
    assert attempt.seals.count() == 1
    return attempt


def evidence(attempt: Attempt) -> str:
    return reverse("admin:proctoring_attempt_evidence", args=(attempt.pk,))


def tables(client: Client, attempt: Attempt) -> set[str]:
    answer: Any = client.get(evidence(attempt))
    assert answer.status_code == 200
    return {table.name for table in answer.context["tables"]}


def test_the_page_shows_the_seals_and_the_copies(boss: User, boss_client: Client, sealed: Attempt) -> None:
    assert evidence(sealed) in boss_client.get(address(sealed)).content.decode()
    page = boss_client.get(evidence(sealed)).content.decode()
    assert sealed.seals.get().root in page
    assert "Nobody has taken a copy away." in page
    assert not EvidenceCopy.objects.exists()
    answer: Any = boss_client.post(evidence(sealed))
    assert b"".join(answer.streaming_content)[:2] == b"PK"
    assert answer.headers["Content-Type"] == "application/zip"
    assert "no-store" in answer.headers["Cache-Control"]
    copy = EvidenceCopy.objects.get()
    assert (copy.attempt, copy.by) == (sealed, boss)
    assert copy.sha256 in boss_client.get(evidence(sealed)).content.decode()
    assert boss_client.put(evidence(sealed)).status_code == 405


def test_before_it_was_sealed(boss_client: Client, attempt: Attempt) -> None:
    assert "Not sealed yet" in boss_client.get(evidence(attempt)).content.decode()


def test_staff_of_the_course_alone_take_a_copy(as_person: Callable[..., Client], sealed: Attempt) -> None:
    staff = as_person("staff-of-algebra")
    assert tables(staff, sealed) == {"seals", "copies"}
    assert staff.post(evidence(sealed)).status_code == 200
    assert EvidenceCopy.objects.count() == 1
    for role, status in (("invigilator", 403), ("reviewer", 403), ("log_viewer", 404)):
        assert as_person(f"{role}-of-algebra").post(evidence(sealed)).status_code == status
    assert as_person("staff-of-geology").post(evidence(sealed)).status_code == 404
    assert as_person("somebody", is_staff=False).post(evidence(sealed)).status_code == 302
    assert staff.get(reverse("admin:proctoring_attempt_evidence", args=(10**9,))).status_code == 404
    assert EvidenceCopy.objects.count() == 1


def test_an_invigilator_sees_the_seals_and_a_reviewer_nothing(
    as_person: Callable[..., Client], sealed: Attempt
) -> None:
    invigilator, reviewer = as_person("invigilator-of-algebra"), as_person("reviewer-of-algebra")
    assert tables(invigilator, sealed) == {"seals"}
    assert evidence(sealed) in invigilator.get(address(sealed)).content.decode()
    assert reviewer.get(evidence(sealed)).status_code == 403
    assert evidence(sealed) not in reviewer.get(address(sealed)).content.decode()
    assert as_person("staff-of-geology").get(evidence(sealed)).status_code == 404


def test_nobody_of_their_own_attempt(as_person: Callable[..., Client], sealed: Attempt) -> None:
    staff = as_person("staff-of-algebra")
    Attempt.objects.filter(pk=sealed.pk).update(user=get_user_model().objects.get(username="staff-of-algebra"))
    for method in (staff.get, staff.post):
        assert method(evidence(sealed)).status_code == 403
    assert evidence(sealed) not in staff.get(address(sealed)).content.decode()
    assert not EvidenceCopy.objects.exists()
