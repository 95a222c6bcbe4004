"""``catalogues/`` against the vocabularies as they were handed over."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest

from proctoring.api.v1.catalogues import CATALOGUES
from tests.api.conftest import Person, refused

FOLDER = Path(__file__).resolve().parent.parent / "catalogues"


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def listed(one: Person, name: str) -> list[dict[str, Any]]:
    answer = one.get(f"/catalogues/{name}/")
    assert answer.status_code == 200
    return answer.json()


@pytest.mark.parametrize("name", CATALOGUES)
def test_any_account_may_read_and_nobody_else(nobody: Person, candidate: Person, name: str) -> None:
    refused(nobody.get(f"/catalogues/{name}/"), 401, "not_authenticated")
    assert listed(candidate, name)
    refused(candidate.post(f"/catalogues/{name}/", {}), 405, "method_not_allowed")


def test_an_unknown_catalogue_is_not_there(candidate: Person) -> None:
    refused(candidate.get("/catalogues/colours/"), 404, "not_found")


def test_event_types(candidate: Person) -> None:
    vendors = [
        (int(row["event_type_id"]), row["name"], row["category"], row["default_severity"])
        for row in rows("event_types")
    ]
    own = [(int(row["type"]), row["name"], row["severity"]) for row in rows("own_event_types")]
    given = listed(candidate, "event-types")
    assert [
        (one["code"], one["name"], one["category"], one["severity"]) for one in given if one["code"] < 1000
    ] == vendors
    assert [(one["code"], one["name"], one["severity"]) for one in given if one["code"] >= 1000] == own
    assert all(one["category"] and one["label"] and one["description"] for one in given)


def test_reason_codes(candidate: Person) -> None:
    expected = [(int(row["reason_code"]), row["category"], row["cause"]) for row in rows("acs_reason_codes")]
    given = listed(candidate, "reason-codes")
    assert [(one["code"], one["category"], one["cause"]) for one in given] == expected
    assert len({one["label"] for one in given}) == len(given)


def test_booking_log_codes(candidate: Person) -> None:
    expected = [(row["code"], row["subject"], row["booking_status_after"]) for row in rows("booking_log_codes")]
    given = listed(candidate, "booking-log-codes")
    assert len(given) == 29
    assert [(one["code"], one["subject"], one["status_after"]) for one in given] == expected
    assert len({one["label"] for one in given}) == len(given)


def test_candidate_actions(candidate: Person) -> None:
    expected = [(row["action"], row["side"]) for row in rows("candidate_log_actions")]
    assert [(one["code"], one["side"]) for one in listed(candidate, "candidate-actions")] == expected


def test_attempt_statuses(candidate: Person) -> None:
    expected = [
        {**row, "code": row["status"], "open": row["open"] == "yes"} | {"status": None}
        for row in rows("attempt_statuses")
    ]
    given = [{**one, "status": None} for one in listed(candidate, "attempt-statuses")]
    extra = {"name", "label"}
    assert [{name: value for name, value in one.items() if name not in extra} for one in given] == expected


def test_attempt_transitions(candidate: Person) -> None:
    def table(found: Any) -> dict[tuple[str, str], tuple[set[str], str]]:
        return {(one["from"], one["to"]): (set(one["actors"]), one["note"]) for one in found}

    expected = [{**row, "actors": row["actors"].split(";")} for row in rows("attempt_transitions")]
    given = listed(candidate, "attempt-transitions")
    assert len(given) == len(expected)
    assert table(given) == table(expected)
