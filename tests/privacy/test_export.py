"""What is kept about a person, as they may read it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam
from proctoring.logs.models import Event
from proctoring.privacy import blanking
from proctoring.privacy.erasure import erase_user
from proctoring.privacy.export import export_user
from proctoring.privacy.pseudonyms import candidate_id
from proctoring.privacy.rules import RULES
from tests.factories import AttemptFactory, EventFactory, UserFactory, at
from tests.privacy.conftest import EXTERNAL, NAME, NOTES, USERNAME, VIDEO, a_strangers_attempt

pytestmark = pytest.mark.usefixtures("_noon")


def exported(person: AbstractUser) -> dict[str, Any]:
    read: dict[str, Any] = json.loads("".join(export_user(person, now=at(12, 0))))
    return read


def test_it_says_in_which_format_it_is_and_about_whom(known: Attempt, zuleika: AbstractUser) -> None:
    document = exported(zuleika)
    head = {name: document[name] for name in ("format", "version", "made_at", "person")}
    assert head == {
        "format": "proctoring.export",
        "version": 1,
        "made_at": "2026-03-02T12:00:00Z",
        "person": {"id": zuleika.pk, "username": USERNAME},
    }


def test_it_holds_what_is_kept_about_the_person(known: Attempt, zuleika: AbstractUser) -> None:
    document = exported(zuleika)
    [attempt] = document["attempts"]
    assert (attempt["id"], attempt["full_name"], attempt["external_id"]) == (known.pk, NAME, EXTERNAL)
    assert attempt["exam_name"] == known.exam.name
    assert {entry["note"] for entry in document["time_entries"]} >= {NOTES["extension"], NOTES["change"]}
    assert {one["note"] for one in document["allowances"]} == {NOTES["allowance"], NOTES["policy"]}
    assert [one["status"] for one in document["reviews"]] == ["suspicious", "violation"]
    assert document["reviews"][1]["note"] == NOTES["person"]
    assert [one["text"] for one in document["review_comments"]] == [NOTES["review"]]
    assert [one["raw_value"] for one in document["ratings"]] == ["7"]
    assert [one["backend"] for one in document["onboarding"]] == ["vendor"]
    assert [one["value"] for one in document["pseudonyms"]] == [candidate_id("vendor", zuleika.pk)]
    assert len(document["looks_at_recordings"]) == 1
    assert [one["type"] for one in document["messages"]] == ["AttemptReviewed"]
    assert "register_attempt" in {one["operation"] for one in document["deliveries"]}
    versions = document["attempt_versions"]
    assert versions[0]["status"] == "created"
    assert NOTES["change"] in {one["history_change_reason"] for one in versions}


def test_an_event_is_in_it_with_everything_that_erasure_would_empty(known: Attempt, zuleika: AbstractUser) -> None:
    fields = {"ip": "192.0.2.7", "user_agent": "Firefox", "data": {"from": "tab"}}
    EventFactory(attempt=known, type=16, occurred_at=at(10, 1), at=at(10, 2), **fields)
    [told] = [one for one in exported(zuleika)["events"] if one["type"] == 16]
    assert {**told, **fields} == told
    assert (told["occurred_at"], told["at"]) == ("2026-03-02T10:01:00Z", "2026-03-02T10:02:00Z")
    assert RULES[Event].personal.keys() <= told.keys()


def test_it_holds_no_secret_and_nobody_elses_name(
    known: Attempt, zuleika: AbstractUser, officer: AbstractUser, exam: Exam
) -> None:
    a_strangers_attempt(exam, officer)
    text = "".join(export_user(zuleika))
    for word in (known.code, VIDEO, officer.get_username(), "proctor@vendor.example", "Otto Stranger"):
        assert word not in text


def test_of_an_erased_person_it_holds_the_statistics(
    known: Attempt, zuleika: AbstractUser, officer: AbstractUser
) -> None:
    erase_user(zuleika, by=officer, reason="asked for", now=at(12, 0))
    text = "".join(export_user(zuleika))
    assert json.loads(text)["attempts"][0]["erased_at"] == "2026-03-02T12:00:00Z"
    for note in NOTES.values():
        assert note not in text


def test_of_a_stranger_it_is_empty(db: None) -> None:
    document = exported(UserFactory())
    assert not any(value for name, value in document.items() if isinstance(value, list)), document


def test_it_is_written_in_batches_of_rows(
    exam: Exam, zuleika: AbstractUser, monkeypatch: pytest.MonkeyPatch, django_assert_max_num_queries: Any
) -> None:
    monkeypatch.setattr(blanking, "BATCH", 2)
    for number in range(1, 6):
        AttemptFactory(exam=exam, user=zuleika, number=number, status="verified")
    with django_assert_max_num_queries(40):
        pieces = list(export_user(zuleika))
    assert [row["number"] for row in json.loads("".join(pieces))["attempts"]] == [1, 2, 3, 4, 5]
    assert len(pieces) > 10
