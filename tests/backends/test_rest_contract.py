"""The reference wire keeps the contract that every vendor keeps."""

from __future__ import annotations

import json

from proctoring.backends.rest import RestBackend
from proctoring.testing import BackendContract, Reply, VendorStubRequest
from proctoring.testing.incoming_contract import IncomingContract
from tests.backends.test_rest_incoming import message

REVIEWED = {
    "type": "attempt.reviewed",
    "timestamp": "2030-01-01T11:59:58+00:00",
    "data": {
        "attempt": "a-1",
        "status": "suspicious",
        "comments": [{"comment": "A second voice", "status": "suspicious", "start": 61, "stop": 75.5}],
        "reviewed_by": "reviewer@example.com",
        "video_url": "https://vendor.example.com/video/1",
    },
}
SESSION = {
    "id": "s-1",
    "booking": "b-1",
    "candidate_number": 1,
    "join_url": "https://vendor.example.com/live/1/",
    "joined_at": "2030-01-01T09:00:00+00:00",
}
RATING = {"rating": 90, "scale": "trust_0_100", "rated_at": "2030-01-01T11:00:00+00:00"}


class TestRestBackend(BackendContract):
    credentials = ("a-client-secret-of-thirty-two-bytes", "an-access-token")
    webhook_body = json.dumps(REVIEWED).encode()
    onboarding_body = json.dumps(
        {
            "count": 2,
            "num_pages": 1,
            "page": 1,
            "results": [
                {"user_id": "c-1", "status": "approved_in_course", "expiration_date": "2031-01-01T00:00:00+00:00"},
                {"user_id": "c-2", "status": "pending", "expiration_date": None},
            ],
        }
    ).encode()
    bookings_body = json.dumps(
        {
            "results": [
                {"reference": "c0ffee-2", "status": "no_capacity"},
                {"reference": "c0ffee-1", "status": "accepted", "id": "b-1"},
            ]
        }
    ).encode()
    booking_body = json.dumps({"id": "b-1", "status": "confirmed", "reason": "exists"}).encode()
    sessions_body = json.dumps({"results": [SESSION, {**SESSION, "id": 2}], "next_cursor": "2"}).encode()
    ratings_body = json.dumps(
        {
            "results": [
                {"session": "s-1", "exam": "e-1", "candidate_number": 1, **RATING},
                {"attempt": "a-1", **RATING},
            ],
            "next_cursor": None,
        }
    ).encode()
    unknown_word_bodies = (
        json.dumps({**REVIEWED, "type": "attempt.evaporated"}).encode(),
        json.dumps({**REVIEWED, "data": {"attempt": "a-1", "status": "Clean"}}).encode(),
    )

    def make_backend(self, base_url: str, *, timeout: float) -> RestBackend:
        return RestBackend(
            base_url=base_url,
            client_id="lms",
            client_secret=self.credentials[0],
            webhook_secrets=self.secrets,
            connect_timeout=timeout,
            read_timeout=timeout,
            total_timeout=timeout,
            live_proctoring=True,
        )

    def prepare(self, request: VendorStubRequest) -> Reply | None:
        if request.path == "/oauth2/access_token":
            return Reply(body=json.dumps({"access_token": self.credentials[1], "expires_in": 3600}).encode())
        return None


class _OtherMessages(IncomingContract):
    secrets = TestRestBackend.secrets
    make_backend = TestRestBackend.make_backend
    credentials = TestRestBackend.credentials
    unknown_word_bodies = TestRestBackend.unknown_word_bodies


class TestJoinedSession(_OtherMessages):
    webhook_body = message("session.joined", session="s-1", **{**SESSION, "id": "ignored"})


class TestRatedSession(_OtherMessages):
    webhook_body = message("session.rated", session="s-1", exam="e-1", candidate_number=1, **RATING)


class TestUpdatedBooking(_OtherMessages):
    webhook_body = message("booking.updated", booking="b-1")
