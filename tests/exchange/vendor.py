"""A vendor for the tests: it signs with one header, speaks small JSON, and answers calls as a test tells it."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from proctoring.backends.base import Backend
from proctoring.backends.types import (
    AttemptRated,
    AttemptReady,
    AttemptRegistration,
    AttemptReviewed,
    ExamRegistration,
    IncomingRequest,
    LaunchData,
    Progress,
    RegisteredAttempt,
    ReviewComment,
    ReviewStatus,
    UnknownEvent,
    VendorEvent,
    VerifiedMessage,
)
from proctoring.errors import MalformedMessage, VerificationFailed

SECRET = "the-vendor-knows-this"


class FakeVendor(Backend):
    """``calls`` lists what was asked of it; ``answers`` holds what to return, raise or do, by operation."""

    registers_exams = True
    registers_attempts = True
    announces_readiness = True
    receives_webhooks = True

    def __init__(self, **options: Any) -> None:
        self.options = options
        self.calls: list[tuple[str, str, Any]] = []
        self.answers: dict[str, Any] = {}

    def check(self) -> Sequence[str]:
        return [f"option {name!r} is unknown" for name in self.options]

    def register_exam(self, exam: ExamRegistration, *, key: str) -> str:
        return self._answer("register_exam", key, exam, "exam-1")

    def register_attempt(self, attempt: AttemptRegistration, *, key: str) -> RegisteredAttempt:
        external_id = f"ext-{len(self.calls)}"
        return self._answer("register_attempt", key, attempt, RegisteredAttempt(external_id=external_id))

    def fetch_launch(self, exam_external_id: str, attempt_external_id: str, *, language: str) -> LaunchData:
        return self._answer("fetch_launch", "", language, LaunchData(download_url="https://vendor.example/get"))

    def report_progress(self, exam_external_id: str, attempt_external_id: str, progress: Progress, *, key: str) -> None:
        self._answer("report_progress", key, (attempt_external_id, progress), None)

    def remove_attempt(self, exam_external_id: str, attempt_external_id: str, *, key: str) -> None:
        self._answer("remove_attempt", key, attempt_external_id, None)

    def verify(self, request: IncomingRequest, *, now: datetime) -> VerifiedMessage:
        if request.headers.get("x-vendor-secret") != SECRET or not request.headers.get("x-delivery"):
            raise VerificationFailed("wrong secret")
        return VerifiedMessage(delivery_id=request.headers["x-delivery"])

    def parse(self, body: bytes) -> Sequence[VendorEvent]:
        try:
            data = json.loads(body)
            events = data if isinstance(data, list) else [data]
            return [self._event(event) for event in events]
        except (ValueError, KeyError, TypeError) as wrong:
            raise MalformedMessage(f"not understood: {type(wrong).__name__}") from wrong

    def _event(self, data: dict[str, Any]) -> VendorEvent:
        occurred_at = datetime.fromisoformat(data["at"])
        if data["type"] == "ready":
            return AttemptReady(occurred_at=occurred_at, external_id=data["id"])
        if data["type"] == "reviewed":
            return AttemptReviewed(
                occurred_at=occurred_at,
                external_id=data["id"],
                status=ReviewStatus(data["status"]),
                reviewed_by=data.get("by", ""),
                comments=tuple(ReviewComment(comment=text) for text in data.get("comments", ())),
                payload=data,
            )
        if data["type"] == "rated":
            return AttemptRated(
                occurred_at=occurred_at,
                external_id=data["id"],
                raw_value=str(data["risk"]),
                raw_scale="risk_0_1",
                risk=data["risk"],
                mapping_version="fake-1",
            )
        if data["type"] == "crash":
            raise RuntimeError("the plugin has a mistake")
        return UnknownEvent(occurred_at=occurred_at, type=data["type"])

    def _answer(self, operation: str, key: str, about: Any, usual: Any) -> Any:
        self.calls.append((operation, key, about))
        answer = self.answers.get(operation, usual)
        if isinstance(answer, Exception):
            raise answer
        return answer() if isinstance(answer, Callable) else answer  # type: ignore[arg-type]


class Impatient(FakeVendor):
    """Does not announce readiness: the candidate starts without waiting."""

    announces_readiness = False


class Unimportable:
    """No backend at all."""


VENDOR = {"vendor": {"BACKEND": "tests.exchange.vendor.FakeVendor"}}
IMPATIENT = {"vendor": {"BACKEND": "tests.exchange.vendor.Impatient"}}
