"""From a kept message to what it changes, once and in the order of its own time."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine

from proctoring.attempts.models import Attempt
from proctoring.attempts.registration import record_registration
from proctoring.attempts.states import Status
from proctoring.backends.types import LaunchData, RegisteredAttempt
from proctoring.exams.models import ExamType
from proctoring.exchange import handlers
from proctoring.exchange.processing import process
from proctoring.inbox import services as inbox
from proctoring.inbox.models import MessageStatus, WebhookMessage
from proctoring.reviews.models import Review
from tests.exchange.vendor import FakeVendor
from tests.factories import TEN, AttemptFactory, MessageFactory, UserFactory, at
from tests.hosts import configure

HALF_PAST = at(10, 30)

pytestmark = pytest.mark.usefixtures("vendor")


def attempt_in(status: Status, **fields: Any) -> Attempt:
    exam = {"exam__exam_type": ExamType.PROCTORED, "exam__backend": "vendor"}
    return AttemptFactory(**{"status": status, "external_id": "ext-1", **exam, **fields})


def message(*events: dict[str, Any], **fields: Any) -> WebhookMessage:
    plain = json.dumps([{"id": "ext-1", "at": at(10, 25).isoformat(), **event} for event in events]).encode()
    return MessageFactory(plain=plain, **fields)


def work(now: datetime = HALF_PAST) -> list[MessageStatus]:
    with time_machine.travel(now, tick=False):
        return [process(row) for row in inbox.claim_due(now=now, limit=10)]


READY = {"type": "ready"}
PASSED = {"type": "reviewed", "status": "passed"}
VIOLATION = {"type": "reviewed", "status": "violation"}


@pytest.mark.parametrize("status", [Status.CREATED, Status.DOWNLOAD_SOFTWARE_CLICKED])
def test_readiness_makes_an_attempt_ready(status: Status) -> None:
    attempt = attempt_in(status)
    row = message(READY)
    assert work() == ["processed"]
    attempt.refresh_from_db()
    row.refresh_from_db()
    assert attempt.status == Status.READY_TO_START
    assert (row.type, row.sent_at, row.processed_at) == ("AttemptReady", at(10, 25), at(10, 30))


@pytest.mark.parametrize("status", [s for s in Status if s not in ("created", "download_software_clicked")], ids=str)
def test_readiness_that_comes_late_is_ignored(status: Status) -> None:
    attempt = attempt_in(status)
    row = message(READY)
    assert work() == ["ignored"]
    attempt.refresh_from_db()
    row.refresh_from_db()
    assert (attempt.status, attempt.history.count()) == (status, 1)
    assert status in row.error


def test_a_review_is_applied_and_knows_its_message() -> None:
    attempt = attempt_in(Status.SUBMITTED)
    row = message(PASSED)
    assert work() == ["processed"]
    attempt.refresh_from_db()
    review = Review.objects.get()
    assert (attempt.status, review.message, review.occurred_at) == (Status.VERIFIED, row, at(10, 25))


def test_the_same_message_processed_again_changes_nothing() -> None:
    attempt = attempt_in(Status.SUBMITTED)
    row = message(PASSED)
    work()
    inbox.replay(row, now=at(10, 40))
    assert work(at(10, 40)) == ["processed"]
    assert (Review.objects.count(), attempt.history.count()) == (1, 2)


def test_an_older_review_that_arrives_later_does_not_overwrite_a_newer_one() -> None:
    attempt = attempt_in(Status.SUBMITTED)
    message({**PASSED, "at": at(10, 28).isoformat()})
    work()
    late = message({**VIOLATION, "at": at(10, 27).isoformat()})
    assert work() == ["ignored"]
    attempt.refresh_from_db()
    late.refresh_from_db()
    assert (attempt.status, late.error) == (Status.VERIFIED, "older_than_applied")


def test_a_type_that_nobody_handles_is_quarantined() -> None:
    row = message({"type": "telemetry"})
    assert work() == ["quarantined"]
    row.refresh_from_db()
    assert (row.type, "telemetry" in row.error) == ("telemetry", True)


def test_what_can_be_handled_is_handled_beside_what_cannot() -> None:
    attempt = attempt_in(Status.CREATED)
    row = message(READY, {"type": "telemetry"})
    assert work() == ["quarantined"]
    attempt.refresh_from_db()
    row.refresh_from_db()
    assert (attempt.status, row.type) == (Status.READY_TO_START, "AttemptReady, telemetry")


@pytest.mark.parametrize("type_", ["x" * 5000, "nul \x00 inside", "\ud83d\ude00"])
def test_a_strange_type_is_quarantined_and_not_a_failure(type_: str) -> None:
    message({"type": type_})
    assert work() == ["quarantined"]


def test_a_message_that_becomes_malformed_to_a_newer_plugin_is_quarantined() -> None:
    row = MessageFactory(plain=b"{")
    assert work() == ["quarantined"]
    row.refresh_from_db()
    assert row.error == "not understood: JSONDecodeError"


def test_an_empty_message_is_ignored() -> None:
    message()
    assert work() == ["ignored"]


def test_an_unknown_id_waits_until_the_id_is_stored(django_capture_on_commit_callbacks: Any) -> None:
    attempt = attempt_in(Status.CREATED, external_id=None)
    row = message(READY)
    assert work() == ["received"]
    row.refresh_from_db()
    assert (row.tries, row.next_try_at > at(10, 30), "ext-1" in row.error) == (0, True, True)
    answer = RegisteredAttempt(external_id="ext-1", launch=LaunchData())
    record_registration(attempt, answer, now=at(10, 30))
    assert work() == ["processed"]
    attempt.refresh_from_db()
    assert attempt.status == Status.READY_TO_START


def test_an_unknown_id_is_quarantined_after_a_day() -> None:
    message(READY)
    assert work(at(10, 30)) == ["received"]
    assert work(TEN + timedelta(hours=24)) == ["quarantined"]


def test_an_id_of_another_vendor_is_unknown() -> None:
    attempt = attempt_in(Status.CREATED, backend="other")
    message(READY)
    assert work() == ["received"]
    attempt.refresh_from_db()
    assert attempt.status == Status.CREATED


@pytest.mark.parametrize("stored", ["EXT-1", "ext-1 ", "ext-1\u0301"])
def test_an_id_is_compared_to_the_letter_on_every_database(stored: str) -> None:
    attempt = attempt_in(Status.CREATED, external_id=stored)
    message(READY)
    assert work() == ["received"]
    attempt.refresh_from_db()
    assert attempt.status == Status.CREATED


def test_an_id_with_a_nul_is_unknown() -> None:
    attempt_in(Status.CREATED)
    message({**READY, "id": "ext-1\x00"})
    assert work() == ["received"]


def test_a_reviewers_name_with_a_nul_is_kept_without_it() -> None:
    attempt_in(Status.SUBMITTED)
    message({**PASSED, "by": "a\x00b@example.org"})
    assert work() == ["processed"]
    assert Review.objects.get().reviewed_by == "ab@example.org"


def test_all_events_of_a_message_count_or_none() -> None:
    attempt = attempt_in(Status.CREATED)
    row = message(READY, {**PASSED, "id": "unknown"})
    assert work() == ["received"]
    attempt.refresh_from_db()
    assert (attempt.status, attempt.history.count()) == (Status.CREATED, 1)
    row.refresh_from_db()
    assert "unknown" in row.error


def test_a_handler_that_fails_leaves_its_error_outside_what_was_undone(
    vendor: FakeVendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The LMS's own answer is what breaks here, half-way through a review."""
    from proctoring.host import host

    def broken(*_: Any) -> Any:
        raise ZeroDivisionError("the LMS is upside down")

    attempt = attempt_in(Status.SUBMITTED)
    UserFactory(email="reviewer@example.org")
    monkeypatch.setattr(host(), "has_role", broken, raising=False)
    row = message({**PASSED, "by": "reviewer@example.org"})
    assert work() == ["failed"]
    row.refresh_from_db()
    assert (row.error, row.tries) == ("unforeseen ZeroDivisionError, see the log", 1)
    assert not Review.objects.exists()
    monkeypatch.undo()
    inbox.replay(row, now=at(11, 0))
    assert work(at(11, 0)) == ["processed"]
    attempt.refresh_from_db()
    assert attempt.status == Status.VERIFIED


def test_a_plugin_that_stumbles_is_noted_and_tried_again() -> None:
    row = message({"type": "crash"})
    assert work() == ["failed"]
    row.refresh_from_db()
    assert (row.error, row.next_try_at > at(10, 30)) == ("unforeseen RuntimeError, see the log", True)


@pytest.mark.parametrize("lost", ["key", "plugin"])
def test_a_message_that_cannot_be_read_now_is_tried_again(lost: str, settings: Any) -> None:
    message(READY)
    if lost == "key":
        configure(settings, ENCRYPTION_KEYS=["another-" * 5])
    else:
        configure(settings, BACKENDS={})
    assert work() == ["failed"]


@pytest.mark.parametrize(
    "event", [READY, {**READY, "id": "unknown"}, {"type": "crash"}, {"type": "telemetry"}], ids=str
)
def test_a_worker_that_lost_its_lease_changes_nothing_and_goes_on(event: dict[str, Any]) -> None:
    attempt = attempt_in(Status.CREATED)
    message(event)
    with time_machine.travel(at(10, 30), tick=False):
        [row] = inbox.claim_due(now=at(10, 30), limit=1)
        WebhookMessage.objects.update(claimed_by="another")
        process(row)
    attempt.refresh_from_db()
    assert (attempt.status, WebhookMessage.objects.get().claimed_by) == (Status.CREATED, "another")


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59+00:00", "2026-03-02T10:25:00"])
def test_a_plugins_impossible_moment_goes_to_quarantine(moment: str) -> None:
    attempt = attempt_in(Status.SUBMITTED)
    row = message({**PASSED, "at": moment})
    assert work() == ["quarantined"]
    row.refresh_from_db()
    attempt.refresh_from_db()
    assert (attempt.status, row.sent_at, Review.objects.count()) == (Status.SUBMITTED, None, 0)
    assert "1970" in row.error


@pytest.mark.parametrize("event", [VIOLATION, {"type": "rated", "risk": 0.5}], ids=["review", "rating"])
def test_a_person_who_is_erased_between_the_look_and_the_lock_leaves_no_word(
    event: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    attempt = attempt_in(Status.SUBMITTED)
    row = message({**event, "by": "rita@example.org"})
    find = handlers._find

    def found(*args: Any) -> Attempt:
        seen = find(*args)
        Attempt.objects.update(erased_at=at(10, 29))
        return seen

    monkeypatch.setattr(handlers, "_find", found)
    assert work() == ["ignored"]
    row.refresh_from_db()
    attempt.refresh_from_db()
    assert (row.body, row.error, attempt.status) == (b"", "", Status.SUBMITTED)
    assert not Review.objects.exclude(reviewed_by="", payload={}).exists()
