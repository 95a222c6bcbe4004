"""Each of the 29 codes of the booking log: the simulator brings it about over HTTP, the API shows the entry."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from proctoring import tasks
from tests.story.booking_desk import Desk
from tests.story.conftest import ALIAS, House

REASON = "booking_rejection_reason_"
BATCH = "/bookings/batch"
ONE = "/bookings/booking"

VOCABULARY = Path(__file__).resolve().parent.parent / "catalogues" / "booking_log_codes.csv"


@pytest.fixture
def desk(house: House, settings: Any) -> Desk:
    options = {**settings.PROCTORING["BACKENDS"][ALIAS]["OPTIONS"], "live_proctoring": True}
    settings.PROCTORING = {
        **settings.PROCTORING,
        "BACKENDS": {ALIAS: {**settings.PROCTORING["BACKENDS"][ALIAS], "OPTIONS": options}},
        "BOOKING_CHECK_SECONDS": 1,
        "BOOKING_SEND_TRIES": 2,
        "BOOKING_CHECK_TRIES": 20,
        "RATING_SECONDS": 1,
        "RATING_TRIES": 2,
        "CIRCUIT_FAILURES": 50,
    }
    house.simulator.change_settings(confirm_after=0.1, rating_after=None)
    client = Client()
    client.force_login(house.staff)
    return Desk(house=house, client=client)


def strict(settings: Any, **keys: Any) -> None:
    settings.PROCTORING = {**settings.PROCTORING, **keys}


def scheduled(desk: Desk, settings: Any) -> int:
    return desk.scheduled()


def sent(desk: Desk, settings: Any) -> int:
    desk.simulator.change_settings(confirm_after=None)
    return desk.become("sent")


def cancelled_while_sending(desk: Desk, settings: Any) -> int:
    first = desk.become("confirmed", hours=48)  # the exam is registered, the token is there
    desk.call("POST", f"bookings/{first}/cancel/", {})
    desk.until(lambda: desk.simulator.live()["bookings"][0]["state"] == "cancelled", "the cancellation", first)
    key = desk.scheduled()
    desk.simulator.set_faults({"kind": "latency", "path": BATCH, "seconds": 1.5, "times": 1})
    desk.meanwhile(tasks.send_bookings, lambda: desk.call("POST", f"bookings/{key}/cancel/", {}))
    return key


def confirmed_while_checking(desk: Desk, settings: Any) -> int:
    key = sent(desk, settings)
    desk.simulator.set_faults({"kind": "latency", "path": ONE, "seconds": 1.5, "times": 1})
    desk.call("POST", f"bookings/{key}/check/", {})
    desk.meanwhile(
        tasks.check_bookings, lambda: desk.call("POST", f"bookings/{key}/confirm/", {"comment": "by telephone"})
    )
    return key


def confirmed(desk: Desk, settings: Any) -> int:
    return desk.become("confirmed")


def booked_twice(desk: Desk, settings: Any) -> int:
    first = desk.show(desk.become("confirmed"))
    return desk.scheduled(starts_at=first["starts_at"], ends_at=first["ends_at"])


def a_check_that_fails_once(desk: Desk, settings: Any) -> int:
    desk.simulator.set_faults({"kind": "status", "path": ONE, "status": 503, "times": 1})
    return desk.become("confirmed")


def answered(word: str) -> Callable[[Desk, Any], int]:
    def scenario(desk: Desk, settings: Any) -> int:
        desk.simulator.set_faults({"kind": "booking", "word": word})
        return desk.scheduled()

    return scenario


def exam_not_active(desk: Desk, settings: Any) -> int:
    key = desk.plan()["id"]
    desk.call("PATCH", f"exams/{desk.house.exam.pk}/", {"status": "draft"})
    desk.call("POST", f"bookings/{key}/schedule/", {})
    return int(key)


def too_late(desk: Desk, settings: Any) -> int:
    options = {**settings.PROCTORING["BACKENDS"][ALIAS]["OPTIONS"], "booking_lead_minutes": 60}
    strict(settings, BACKENDS={ALIAS: {**settings.PROCTORING["BACKENDS"][ALIAS], "OPTIONS": options}})
    return desk.scheduled(hours=0.5)


def nobody_left(desk: Desk, settings: Any) -> int:
    key = desk.plan()["id"]
    desk.house.candidate.is_active = False
    desk.house.candidate.save()
    desk.call("POST", f"bookings/{key}/schedule/", {})
    return int(key)


def no_proctors(desk: Desk, settings: Any) -> int:
    desk.simulator.change_settings(proctors=0)
    return desk.scheduled()


def no_answer_for_ever(desk: Desk, settings: Any) -> int:
    strict(settings, BOOKING_CHECK_TRIES=2)
    desk.simulator.change_settings(confirm_after=None)
    return desk.scheduled()


def another_window(desk: Desk, settings: Any) -> int:
    desk.become("confirmed", hours=24)
    return desk.scheduled(hours=72)


def sending_fails_for_good(desk: Desk, settings: Any) -> int:
    desk.simulator.set_faults({"kind": "status", "path": BATCH, "status": 500})
    return desk.scheduled()


def the_vendor_lost_it(desk: Desk, settings: Any) -> int:
    key = sent(desk, settings)
    desk.simulator.set_faults({"kind": "status", "path": ONE, "status": 404})
    desk.call("POST", f"bookings/{key}/check/", {})
    return key


def wrong_credentials_at_sending(desk: Desk, settings: Any) -> int:
    desk.become("confirmed", hours=72)
    desk.simulator.set_faults({"kind": "expired_token", "path": BATCH}, {"kind": "wrong_credentials"})
    return desk.scheduled()


def wrong_credentials_at_checking(desk: Desk, settings: Any) -> int:
    key = sent(desk, settings)
    desk.simulator.set_faults({"kind": "expired_token", "path": ONE}, {"kind": "wrong_credentials"})
    desk.call("POST", f"bookings/{key}/check/", {})
    return key


def by_hand(action: str) -> Callable[[Desk, Any], int]:
    def scenario(desk: Desk, settings: Any) -> int:
        key = sent(desk, settings)
        desk.call("POST", f"bookings/{key}/{action}/", {"comment": "they telephoned"})
        return key

    return scenario


def joined(desk: Desk, settings: Any) -> int:
    return desk.become("confirmed", hours=0.1)


def session_of(desk: Desk, key: int) -> str:
    desk.until_logged(key, "proctoring_session_joined_processing_completed")
    return str(desk.simulator.live()["sessions"][0]["id"])


def rated(*faults: dict[str, Any], **keys: Any) -> Callable[[Desk, Any], int]:
    def scenario(desk: Desk, settings: Any) -> int:
        strict(settings, **keys)
        desk.house.begin()
        key = joined(desk, settings)
        session = session_of(desk, key)
        desk.simulator.set_faults(*faults)
        desk.simulator.rate_session(session)
        return key

    return scenario


LIST_IS_AWAY = {"kind": "status", "path": "/ratings", "status": 503}

SCENARIOS: dict[str, Callable[[Desk, Any], int]] = {
    "booking_declared_as_scheduled": scheduled,
    "abandoned_bulk_booking_due_to_incompatible_booking_status": cancelled_while_sending,
    "booking_declared_as_sent": sent,
    "booking_check_scheduled": sent,
    "abandoned_booking_check_due_to_incompatible_booking_status": confirmed_while_checking,
    "booking_declared_as_confirmed": confirmed,
    "booking_declared_as_confirmed_due_to_already_existing": booked_twice,
    "booking_check_failed_but_for_retry_later": a_check_that_fails_once,
    REASON + "unknown": answered("rejected"),
    REASON + "wrong_test_status": exam_not_active,
    REASON + "booking_past_leading_time": too_late,
    REASON + "no_bookable_candidates": nobody_left,
    REASON + "availability_limit_reached": no_proctors,
    REASON + "booking_check_exhausted": no_answer_for_ever,
    REASON + "conflict": another_window,
    REASON + "availability_unknown": answered("availability_unknown"),
    REASON + "bulk_booking_failed": sending_fails_for_good,
    REASON + "booking_check_failed": the_vendor_lost_it,
    REASON + "authentication_failed_during_bulk_booking": wrong_credentials_at_sending,
    REASON + "authentication_failed_during_check": wrong_credentials_at_checking,
    "booking_declared_as_confirmed_manually": by_hand("confirm"),
    REASON + "manually_rejected": by_hand("reject"),
    "proctoring_session_joined_processing_completed": joined,
    "proctoring_session_rating_updated_externally": rated(),
    "proctoring_session_rating_updated": rated(),
    "proctoring_session_rating_update_failed_but_for_retry_later": rated(LIST_IS_AWAY),
    "proctoring_session_rating_update_failed": rated(LIST_IS_AWAY, RATING_TRIES=1),
    "proctoring_session_rating_update_abandoned_due_to_context_mismatch": rated({"kind": "rating_mismatch"}),
    "proctoring_session_rating_update_abandoned_due_to_invalid_payload": rated({"kind": "rating_invalid"}),
}


def vocabulary() -> dict[str, dict[str, str]]:
    with VOCABULARY.open(encoding="utf-8", newline="") as file:
        return {row["code"]: row for row in csv.DictReader(file)}


def test_every_code_has_its_scenario() -> None:
    assert set(SCENARIOS) == set(vocabulary())


@pytest.mark.parametrize("code", SCENARIOS)
def test_the_code_comes_about_and_is_read(code: str, desk: Desk, settings: Any) -> None:
    wanted = vocabulary()[code]
    key = SCENARIOS[code](desk, settings)
    row = desk.until_logged(key, code)
    assert row["subject"] == wanted["subject"]
    assert set(row["context"]) == set(wanted["context_variables"].split(";"))
    assert row["context"]["exam"] == "Final exam"
    assert row["text"].startswith("Final exam: ")
    assert "?" not in row["text"]
    if (after := wanted["booking_status_after"]) in ("confirmed", "rejected"):
        shown = desk.show(key)
        assert shown["status"] == after
        assert shown["rejection_reason"] == (code if after == "rejected" else "")
