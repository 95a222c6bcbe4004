"""A whole exam with a vendor in another process, over HTTP in both directions."""

from __future__ import annotations

from proctoring.attempts.models import Attempt
from proctoring.attempts.retries import reset_attempt
from proctoring.attempts.services import start_attempt, submit_attempt
from proctoring.inbox.models import MessageStatus, WebhookMessage
from proctoring.outbox.models import Delivery, DeliveryStatus
from tests.story.conftest import House


def test_an_exam_runs_from_the_first_click_to_the_verdict(house: House) -> None:
    attempt = house.begin()
    house.until_status("ready_to_start")
    start_attempt(house.attempt(), by=house.candidate)
    submit_attempt(house.attempt(), by=house.candidate)
    attempt = house.until_status("verified")

    book = house.simulator.book()
    assert [exam["exam_name"] for exam in book["exams"]] == ["Final exam"]
    [registered] = book["attempts"]
    assert registered["id"] == attempt.external_id
    assert registered["user_id"] != str(house.candidate.pk)
    assert len(registered["user_id"]) == 64
    house.until(lambda: not Delivery.objects.owed().exists(), "everything owed to be delivered")
    assert set(WebhookMessage.objects.values_list("status", flat=True)) == {MessageStatus.PROCESSED}
    statuses = list(attempt.history.order_by("history_id").values_list("status", flat=True))
    assert [*dict.fromkeys(statuses)] == ["created", "ready_to_start", "started", "submitted", "verified"]


def test_the_candidate_goes_on_while_the_vendor_is_away_and_everything_catches_up(house: House) -> None:
    house.begin()
    house.until_status("ready_to_start")
    house.simulator.kill()
    start_attempt(house.attempt(), by=house.candidate)
    submit_attempt(house.attempt(), by=house.candidate)
    house.work()

    owed = Delivery.objects.owed()
    assert {one.operation for one in owed} == {"report_started", "report_submitted"}
    assert "BackendError" in owed.get(operation="report_started").last_error
    assert house.attempt().status == "submitted"

    house.simulator.restart()
    attempt = house.until_status("verified")
    assert attempt.reviews.count() == 1
    calls = [call for call in house.simulator.book()["calls"] if (call["method"], call["status"]) == ("PATCH", 200)]
    assert [call["body"]["status"] for call in calls] == ["started", "submitted"]


def test_the_vendor_hears_of_a_reset_and_drops_the_attempt(house: House) -> None:
    house.begin()
    house.until_status("ready_to_start")
    reset_attempt(house.attempt(), by=house.staff, reason="wrong person")
    house.until(lambda: not Delivery.objects.owed().exists(), "the vendor to have dropped the attempt")

    assert Delivery.objects.get(operation="remove_attempt").status == DeliveryStatus.DONE
    assert [one["status"] for one in house.simulator.book()["attempts"]] == ["deleted"]
    fresh = house.begin()
    assert (fresh.number, fresh.total_seconds) == (2, 3600)
    assert Attempt.objects.filter(open_slot=1).count() == 1


def test_a_candidate_whose_onboarding_is_missing_is_told_so_and_may_try_again(house: House) -> None:
    house.simulator.set_faults({"kind": "onboarding", "word": "onboarding_missing", "method": "POST", "times": 1})
    house.begin()
    house.until_status("onboarding_missing")

    second = house.begin()
    assert second.number == 2
    first = Attempt.objects.get(number=1)
    assert first.status == "voided"
    house.until(lambda: Attempt.objects.get(number=2).status == "ready_to_start", "the second attempt to be ready")
