"""The LMS at the other end of the simulator: it registers exams and attempts, and takes messages."""

from __future__ import annotations

import queue
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from proctoring.backends.live import BookedCandidate, BookingAnswer, BookingRequest
from proctoring.backends.rest import RestBackend
from proctoring.backends.types import IncomingRequest, VendorEvent
from proctoring.testing.contract_base import ATTEMPT, EXAM

PATIENCE = 30.0
_NOW = datetime.now(UTC)  # one for all wishes: windows are compared


class Receiver:
    """Stands where an LMS stands: takes messages, or answers with the statuses that ``answers`` holds first."""

    def __init__(self, server: HTTPServer) -> None:
        self.url = server.url_for("/webhooks/simulator/")
        self.answers: list[int] = []
        self._arrived: queue.Queue[IncomingRequest] = queue.Queue()
        server.expect_request("/webhooks/simulator/", method="POST").respond_with_handler(self._take)

    def next(self) -> IncomingRequest:
        return self._arrived.get(timeout=PATIENCE)

    def next_event(self, backend: RestBackend) -> VendorEvent:
        """The next message, verified and parsed as the LMS would."""
        request = self.next()
        backend.verify(request, now=datetime.now(UTC))
        (event,) = backend.parse(request.body)
        return event

    def _take(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self._arrived.put(IncomingRequest(method=request.method, headers=headers, body=request.get_data()))
        return Response(status=self.answers.pop(0) if self.answers else 202)


def register(backend: RestBackend, key: str = "k") -> tuple[str, str]:
    exam = backend.register_exam(EXAM, key=f"{key}-exam")
    attempt = backend.register_attempt(replace(ATTEMPT, exam_external_id=exam), key=f"{key}-attempt")
    return exam, attempt.external_id


def wish(
    exam: str, reference: str = "plan-1", *, hours: float = 24, people: Sequence[str] = (), **fields: Any
) -> BookingRequest:
    """A booking of two hours that begins so many hours from now."""
    starts_at = _NOW + timedelta(hours=hours)
    people = people or (ATTEMPT.candidate_id, "somebody-else")
    return replace(
        BookingRequest(
            reference=reference,
            exam_external_id=exam,
            starts_at=starts_at,
            ends_at=starts_at + timedelta(hours=2),
            reserved_from=starts_at - timedelta(minutes=15),
            reserved_until=starts_at + timedelta(hours=2, minutes=10),
            ratio=4,
            candidates=tuple(BookedCandidate(number=at, candidate_id=who) for at, who in enumerate(people, 1)),
        ),
        **fields,
    )


def book(backend: RestBackend, *wishes: BookingRequest) -> dict[str, BookingAnswer]:
    return {answer.reference: answer for answer in backend.book(wishes, key="b")}
