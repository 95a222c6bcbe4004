"""The vendor misbehaves at each step. Nothing is lost, nothing is doubled, and the row says what was wrong."""

from __future__ import annotations

from typing import Any

import pytest

from proctoring.attempts.models import Attempt
from proctoring.attempts.services import start_attempt, submit_attempt
from proctoring.inbox.models import MessageStatus, WebhookMessage
from proctoring.outbox.models import Circuit, Delivery, DeliveryStatus
from proctoring.outbox.services import repeat
from proctoring.reviews.models import Review
from tests.story.conftest import ALIAS, House

ANSWERS: dict[str, dict[str, Any]] = {
    "500": {"kind": "status", "status": 500},
    "429": {"kind": "status", "status": 429, "retry_after": "1"},
    "time-out": {"kind": "hang", "seconds": 30},
    "slow body": {"kind": "slow_body", "seconds": 1},
    "broken JSON": {"kind": "broken_json"},
    "200 with an error inside": {"kind": "error_inside"},
    "huge body": {"kind": "huge_body", "size": 8 * 1024 * 1024},
    "lost answer": {"kind": "lost_answer"},
    "expired token": {"kind": "expired_token"},
}


@pytest.mark.parametrize("name", ANSWERS)
def test_a_fault_in_each_answer_delays_but_loses_and_doubles_nothing(house: House, name: str) -> None:
    for method, path in (("POST", "/attempt/"), ("PATCH", "/attempt/")):
        house.simulator.control("POST", "faults", {**ANSWERS[name], "method": method, "path": path, "times": 1})
    house.begin()
    house.until_status("ready_to_start")
    start_attempt(house.attempt(), by=house.candidate)
    submit_attempt(house.attempt(), by=house.candidate)
    attempt = house.until_status("verified")
    house.until(lambda: not Delivery.objects.owed().exists(), "everything owed to be delivered")

    book = house.simulator.book()
    assert [one["id"] for one in book["attempts"]] == [attempt.external_id]
    assert attempt.reviews.count() == 1
    calls = [call for call in book["calls"] if call["method"] == "PATCH" and call["status"] == 200]
    obeyed = [call["body"]["status"] for call in calls if call.get("replayed") is False]
    assert obeyed == ["started", "submitted"]


def test_what_went_wrong_is_written_beside_what_is_owed(house: House) -> None:
    house.simulator.set_faults({"kind": "status", "status": 500, "path": "/attempt/"})
    house.begin()
    delivery = house.until(
        lambda: Delivery.objects.filter(operation="register_attempt", tries__gte=3).first(), "three failed tries"
    )
    assert "500" in delivery.last_error
    assert delivery.duration_ms is not None
    circuit = Circuit.objects.get(backend=ALIAS)
    assert circuit.open_until is not None
    assert "500" in circuit.last_error

    house.simulator.set_faults()
    house.until_status("ready_to_start")
    circuit.refresh_from_db()
    assert (circuit.failures, circuit.open_until) == (0, None)


def test_wrong_credentials_are_not_tried_again_until_a_person_says_so(house: House) -> None:
    house.work()
    house.simulator.set_faults({"kind": "wrong_credentials"}, {"kind": "expired_token"})
    house.begin()
    delivery = house.until(
        lambda: Delivery.objects.filter(operation="register_attempt", status="given_up").first(), "the refusal"
    )
    assert "BackendAuthenticationError" in delivery.last_error
    assert delivery.tries == 1
    assert house.attempt().status == "created"

    house.simulator.set_faults()
    repeat(delivery)
    house.until_status("ready_to_start")


def test_a_registration_that_the_vendor_refuses_ends_the_attempt_in_error(house: House) -> None:
    house.simulator.set_faults({"kind": "status", "status": 422, "method": "POST", "path": "/attempt/", "times": 1})
    house.begin()
    attempt = house.until_status("error")
    assert "registration refused" in attempt.history.latest().history_change_reason
    assert Delivery.objects.get(operation="register_attempt").status == DeliveryStatus.FAILED
    assert not Delivery.objects.filter(status=DeliveryStatus.DUE).exists()


MESSAGES: dict[str, dict[str, Any]] = {
    "duplicate": {"kind": "duplicate", "copies": 4},
    "reordered": {"kind": "reorder", "seconds": 1},
    "late": {"kind": "late", "seconds": 1},
    "wrong signature": {"kind": "wrong_signature", "times": 1},
    "altered body": {"kind": "altered_body", "times": 1},
    "old timestamp": {"kind": "header_skew", "seconds": -3600, "times": 1},
    "timestamp from the future": {"kind": "header_skew", "seconds": 3600, "times": 1},
}
UNVERIFIED = {"wrong signature", "altered body", "old timestamp", "timestamp from the future"}


@pytest.mark.parametrize("name", MESSAGES)
def test_a_fault_in_the_messages_loses_and_doubles_nothing(house: House, name: str) -> None:
    house.simulator.set_faults(MESSAGES[name])
    house.begin()
    house.until_status("ready_to_start")
    start_attempt(house.attempt(), by=house.candidate)
    submit_attempt(house.attempt(), by=house.candidate)
    attempt = house.until_status("verified")

    assert Review.objects.count() == 1
    verdicts = [row.status for row in attempt.history.all() if row.history_change_reason == "review: passed"]
    assert verdicts == ["verified"]
    ids = list(WebhookMessage.objects.values_list("delivery_id", flat=True))
    assert len(ids) == len(set(ids))
    unverified = Circuit.objects.get(backend=ALIAS).unverified
    assert (unverified > 0) == (name in UNVERIFIED)


def test_the_older_of_two_reviews_does_not_overwrite_the_newer_one_whichever_comes_last(house: House) -> None:
    house.simulator.change_settings(review_after=3600)
    house.begin()
    attempt = house.until_status("ready_to_start")
    start_attempt(attempt, by=house.candidate)
    submit_attempt(house.attempt(), by=house.candidate)
    vendor_id = attempt.external_id or ""

    house.simulator.send_review(vendor_id, status="passed", timestamp="2026-05-01T12:00:00Z")
    house.until_status("verified")
    house.simulator.send_review(vendor_id, status="violation", timestamp="2026-05-01T11:00:00Z")
    older = house.until(lambda: Review.objects.filter(status="violation").first(), "the older review")
    assert (older.applied_at, older.not_applied_reason) == (None, "older_than_applied")
    assert house.attempt().status == "verified"

    house.simulator.send_review(vendor_id, status="violation", timestamp="2026-05-01T13:00:00Z")
    house.until_status("second_review_required")


def test_a_review_that_comes_before_the_end_waits_for_it(house: House) -> None:
    house.simulator.change_settings(review_after=3600)
    house.begin()
    attempt = house.until_status("ready_to_start")
    start_attempt(attempt, by=house.candidate)
    house.simulator.send_review(attempt.external_id or "", status="passed")
    review = house.until(Review.objects.first, "the early review")
    assert review.not_applied_reason == "attempt_not_ended"
    assert house.attempt().status == "started"

    submit_attempt(house.attempt(), by=house.candidate)
    house.until_status("verified")


def test_a_message_of_an_unknown_type_and_one_about_an_unknown_attempt_are_kept(house: House) -> None:
    house.begin()
    house.until_status("ready_to_start")
    house.simulator.control(
        "POST", "messages", {"type": "session.teleported", "data": {"session": "s-1", "scale": "0-1"}}
    )
    house.simulator.control("POST", "messages", {"type": "attempt.ready", "data": {"attempt": "not-here"}})
    unknown = house.until(lambda: WebhookMessage.objects.filter(type="session.teleported").first(), "the unknown type")
    waiting = house.until(lambda: WebhookMessage.objects.filter(waits_for="not-here").first(), "the unknown id")
    assert unknown.status == MessageStatus.QUARANTINED
    assert waiting.status == MessageStatus.RECEIVED

    Attempt.objects.filter(pk=house.attempt().pk).update(status="created", external_id="not-here")
    WebhookMessage.objects.filter(pk=waiting.pk).update(next_try_at=waiting.received_at)
    house.until_status("ready_to_start")
