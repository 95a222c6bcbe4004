"""The contract notices what it is there to notice, and passes over what is not claimed."""

from __future__ import annotations

import json
import unittest
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar

import pytest
import requests

from proctoring.backends.base import Backend
from proctoring.backends.live import (
    BookingAnswer,
    BookingReport,
    BookingRequest,
    BookingState,
    BookingWord,
    RatingPage,
    RatingRecord,
    SessionPage,
    SessionRecord,
)
from proctoring.backends.null import NullBackend
from proctoring.backends.types import (
    AttemptReady,
    AttemptRegistration,
    IncomingRequest,
    RegisteredAttempt,
    VendorEvent,
    VerifiedMessage,
)
from proctoring.errors import BackendError
from proctoring.testing import BackendContract, vendor_stub
from tests.backends.test_rest_contract import TestRestBackend as ReferenceContract


class CarelessBackend(Backend):
    """What many a plugin looks like at first."""

    registers_attempts = True
    receives_webhooks = True

    def __init__(self, *, base_url: str, api_key: str) -> None:
        self.base_url = base_url
        self.api_key = api_key

    def __repr__(self) -> str:
        return f"CarelessBackend({self.api_key})"

    def register_attempt(self, attempt: AttemptRegistration, *, key: str) -> RegisteredAttempt:
        return RegisteredAttempt(external_id=str(self._call("POST").get("id")))

    def report_progress(self, *args: Any, **kwargs: Any) -> None:
        self._call("PATCH")

    def remove_attempt(self, *args: Any, **kwargs: Any) -> None:
        self._call("DELETE")

    def verify(self, request: IncomingRequest, *, now: datetime) -> VerifiedMessage:
        return VerifiedMessage(delivery_id=request.headers["webhook-id"])

    def parse(self, body: bytes) -> Sequence[VendorEvent]:
        said = json.loads(body)
        return [AttemptReady(occurred_at=datetime.now(UTC), external_id=str(said["attempt"]))]

    def _call(self, method: str) -> Any:
        try:
            answer = requests.request(method, self.base_url, headers={"X-Key": self.api_key}, timeout=0.3)
            answer.raise_for_status()
            return answer.json()
        except (requests.RequestException, ValueError) as error:
            raise BackendError(f"{self.api_key}: {error}") from error


class CarelessContract(BackendContract):
    credentials: ClassVar[Sequence[str]] = ["careless-key"]
    webhook_body = b'{"attempt": "a-1"}'

    def make_backend(self, base_url: str, *, timeout: float) -> Backend:
        return CarelessBackend(base_url=base_url, api_key=self.credentials[0])


class CarelessLiveBackend(Backend):
    takes_live_bookings = gives_ratings = True

    def __init__(self, *, base_url: str) -> None:
        self.base_url = base_url

    def book(self, bookings: Sequence[BookingRequest], *, key: str) -> Sequence[BookingAnswer]:
        said = self._call("POST", "book").get("results", [])
        answered = {row["reference"]: row for row in said if row}
        return [
            BookingAnswer(
                reference=booking.reference,
                word=BookingWord(answered.get(booking.reference, {}).get("status") or "accepted"),
                external_id=str(answered.get(booking.reference, {}).get("id")),
            )
            for booking in bookings
        ]

    def fetch_booking(self, external_id: str) -> BookingReport:
        said = self._call("GET", external_id)
        return BookingReport(state=BookingState(said.get("status", "confirmed")))

    def cancel_booking(self, external_id: str, *, reference: str, key: str) -> None:
        self._call("DELETE", external_id)

    def list_sessions(self, exam_external_id: str, *, cursor: str) -> SessionPage:
        rows = self._call("GET", "sessions").get("results", [])
        return SessionPage(
            records=tuple(
                SessionRecord(
                    external_id=row["id"],
                    booking_external_id=row["booking"],
                    candidate_number=row["candidate_number"],
                    join_url=row["join_url"],
                )
                for row in rows
            )
        )

    def list_ratings(self, *, since: datetime | None, cursor: str) -> RatingPage:
        rows = self._call("GET", "ratings").get("results", [])
        return RatingPage(
            records=tuple(RatingRecord(session_external_id=row["session"], risk=row["rating"]) for row in rows)
        )

    def _call(self, method: str, path: str) -> Any:
        answer = requests.request(method, f"{self.base_url}/{path}", timeout=0.3)
        answer.raise_for_status()
        return answer.json()


class CarelessLiveContract(BackendContract):
    bookings_body = ReferenceContract.bookings_body
    booking_body = ReferenceContract.booking_body
    sessions_body = ReferenceContract.sessions_body
    ratings_body = ReferenceContract.ratings_body

    def make_backend(self, base_url: str, *, timeout: float) -> Backend:
        return CarelessLiveBackend(base_url=base_url)


class SilentContract(BackendContract):
    def make_backend(self, base_url: str, *, timeout: float) -> Backend:
        return NullBackend()


TESTS = [name for name in dir(BackendContract) if name.startswith("test_")]


@pytest.mark.parametrize(
    "name",
    [
        "test_a_body_that_drips_is_cut_off",
        "test_headers_that_drip_are_cut_off",
        "test_no_redirect_is_followed",
        "test_too_many_requests_is_retryable_when_the_vendor_says",
        "test_refused_credentials_are_not_tried_again",
        "test_a_refusal_is_final_and_says_why",
        "test_a_success_with_an_error_inside_is_no_success",
        "test_an_id_that_cannot_be_stored_is_not_accepted",
        "test_an_attempt_that_is_gone_already_counts_as_removed",
        "test_the_idempotency_key_is_sent",
        "test_secrets_are_in_no_error_and_no_repr",
        "test_a_server_error_is_retryable",
        "test_a_strangers_signature_is_refused",
        "test_a_message_without_a_header_is_refused",
        "test_garbage_in_a_header_is_refused_and_nothing_worse",
        "test_an_altered_body_is_refused",
        "test_an_old_message_is_refused",
        "test_a_message_from_the_future_is_refused",
        "test_what_is_no_message_is_malformed",
        "test_wrong_values_in_a_message_are_malformed_or_tamed",
    ],
)
def test_a_careless_plugin_fails(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vendor_stub, "PATIENCE", 0.5)
    with pytest.raises((AssertionError, ValueError, KeyError, TypeError, AttributeError, BackendError)):
        getattr(CarelessContract(), name)()


@pytest.mark.parametrize(
    "name",
    [
        "test_a_server_error_is_retryable",
        "test_the_idempotency_key_is_sent",
        "test_what_does_not_say_how_a_booking_stands_is_retryable",
        "test_what_is_no_list_of_answers_or_sessions_is_retryable",
        "test_words_that_nobody_agreed_on_are_no_yes",
        "test_strange_values_about_bookings_do_no_harm",
        "test_a_booking_that_is_gone_already_counts_as_cancelled",
        "test_a_booking_whose_id_never_came_can_be_cancelled",
        "test_the_ratings_are_read",
        "test_what_is_no_list_of_ratings_is_retryable",
        "test_strange_values_in_a_list_of_ratings_do_no_harm",
    ],
)
def test_a_careless_plugin_for_live_proctoring_fails(name: str) -> None:
    with pytest.raises((AssertionError, ValueError, KeyError, TypeError, AttributeError, requests.RequestException)):
        getattr(CarelessLiveContract(), name)()


@pytest.mark.parametrize("name", [name for name in TESTS if name != "test_good_options_have_no_complaints"])
def test_what_a_plugin_does_not_claim_is_skipped_and_the_flag_is_named(name: str) -> None:
    with pytest.raises(unittest.SkipTest, match=r"NullBackend (does not claim|claims neither) "):
        getattr(SilentContract(), name)()


def test_the_contract_works_with_unittest_alone() -> None:
    case = type("SilentTest", (SilentContract, unittest.TestCase), {})
    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(case).run(result)
    assert result.testsRun == len(TESTS)
    assert len(result.skipped) == len(TESTS) - 1
    assert result.wasSuccessful()
