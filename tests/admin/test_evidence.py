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


def names(client: Client, attempt: Attempt) -> set[str]:
    answer: Any = client.get(address(attempt))
    assert answer.status_code == 200
    return {table.name for table in answer.context["tables"]}


def test_the_page_shows_the_seals_and_the_copies(boss: User, boss_client: Client, sealed: Attempt) -> None:
    page = boss_client.get(address(sealed)).content.decode()
    assert sealed.seals.get().root in page
    assert evidence(sealed) in page
    assert "Nobody has taken a copy away." in page
    answer: Any = boss_client.get(evidence(sealed))
    assert b"".join(answer.streaming_content)[:2] == b"PK"
    assert (answer.headers["Cache-Control"], answer.headers["Content-Type"]) == ("no-store", "application/zip")
    copy = EvidenceCopy.objects.get()
    assert (copy.attempt, copy.by) == (sealed, boss)
    assert copy.sha256 in boss_client.get(address(sealed)).content.decode()


def test_staff_of_the_course_alone_take_a_copy(as_person: Callable[..., Client], sealed: Attempt) -> None:
    staff = as_person("staff-of-algebra")
    assert staff.get(evidence(sealed)).status_code == 200
    assert {"seals", "evidence"} <= names(staff, sealed)
    assert EvidenceCopy.objects.count() == 1
    for role, status in (("invigilator", 403), ("reviewer", 403), ("log_viewer", 404)):
        assert as_person(f"{role}-of-algebra").get(evidence(sealed)).status_code == status
    assert as_person("staff-of-geology").get(evidence(sealed)).status_code == 404
    assert as_person("staff-of-algebra-2", is_staff=False).get(evidence(sealed)).status_code == 302
    assert staff.get(reverse("admin:proctoring_attempt_evidence", args=(10**9,))).status_code == 404
    assert EvidenceCopy.objects.count() == 1


def test_an_invigilator_sees_the_seals_and_a_reviewer_neither(
    as_person: Callable[..., Client], sealed: Attempt
) -> None:
    assert {"seals", "evidence"} & names(as_person("invigilator-of-algebra"), sealed) == {"seals"}
    assert {"seals", "evidence"} & names(as_person("reviewer-of-algebra"), sealed) == set()


def test_nobody_of_their_own_attempt(as_person: Callable[..., Client], sealed: Attempt) -> None:
    staff = as_person("staff-of-algebra")
    Attempt.objects.filter(pk=sealed.pk).update(user=get_user_model().objects.get(username="staff-of-algebra"))
    assert staff.get(evidence(sealed)).status_code == 403
    assert not {"seals", "evidence"} & names(staff, sealed)
    assert not EvidenceCopy.objects.exists()
