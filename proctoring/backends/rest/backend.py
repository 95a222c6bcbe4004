"""``RestBackend``: the outgoing half of the reference wire, and the options of both halves."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

import jwt

from proctoring.backends.http import MAX_ANSWER_BYTES, Answer, HttpClient, tame_lines, tame_url
from proctoring.backends.live import BookingLimits
from proctoring.backends.rest.answers import GONE, answer_object, refuse_error_inside, segment
from proctoring.backends.rest.incoming import parse_message
from proctoring.backends.rest.live import LiveCalls
from proctoring.backends.rest.onboarding import PAGE_SIZE, page_number, read_page
from proctoring.backends.rest.options import address_problems, as_list, booking_problems, number_problems
from proctoring.backends.rest.tokens import TOKEN_PATH, ClientCredentials
from proctoring.backends.signing import secret_problems, verify
from proctoring.backends.types import (
    AttemptRegistration,
    ExamRegistration,
    ExamType,
    IncomingRequest,
    LaunchData,
    OnboardingBlock,
    OnboardingPage,
    Progress,
    RegisteredAttempt,
    VendorEvent,
    VerifiedMessage,
)
from proctoring.errors import BackendError

# Servers differ in the status that goes with an onboarding word.
_MAY_CARRY_ONBOARDING = (400, 403, 409, 422)
_LANGUAGE = re.compile(r"[A-Za-z0-9-]{1,35}")


class RestBackend(LiveCalls):
    """A vendor whose server speaks the reference wire.

    ``webhook_secrets`` is one ``whsec_…`` secret or a list of them, the old and the new one during a rotation.
    ``token_scheme`` is the first word of the ``Authorization`` header (``JWT``, or ``Bearer``). ``issuer`` is the
    ``iss`` of dashboard links, by default the address of the token; ``dashboard_path`` may contain ``{client_id}``.
    ``allow_http`` permits unencrypted calls to hosts other than this one. Time-outs are seconds, for each request.
    ``live_proctoring`` says that the vendor takes bookings and gives ratings; ``booking_…`` what can be booked.
    """

    verbose_name = "REST"
    registers_exams = True
    registers_attempts = True
    announces_readiness = True
    has_dashboard = True
    supports_onboarding = True
    retires_candidates = True
    receives_webhooks = True

    def __init__(
        self,
        *,
        base_url: str,
        client_id: str,
        client_secret: str,
        webhook_secrets: str | Sequence[str] = (),
        token_scheme: str = "JWT",  # noqa: S107 - a word of the Authorization header, not a secret
        issuer: str = "",
        dashboard_path: str = "/api/v1/instructor/{client_id}/",
        dashboard_link_seconds: int = 60,
        allow_http: bool = False,
        connect_timeout: float = 5.0,
        read_timeout: float = 10.0,
        total_timeout: float = 20.0,
        max_answer_bytes: int = MAX_ANSWER_BYTES,
        live_proctoring: bool = False,
        booking_max_candidates: int | None = None,
        booking_max_minutes: int | None = None,
        booking_lead_minutes: int = 0,
        booking_ratios: Sequence[int] = (),
    ) -> None:
        self._live_proctoring = live_proctoring
        self.takes_live_bookings = self.gives_ratings = bool(live_proctoring)
        self.booking_limits = BookingLimits(
            max_candidates=booking_max_candidates,
            max_minutes=booking_max_minutes,
            lead_minutes=booking_lead_minutes,
            ratios=as_list(booking_ratios),
        )
        self._base_url = base_url.rstrip("/") if isinstance(base_url, str) else ""
        self._client_id = client_id
        self._client_secret = client_secret
        self._webhook_secrets = as_list(webhook_secrets)
        self._token_scheme = token_scheme
        self._issuer = issuer or self._base_url + TOKEN_PATH
        self._dashboard_path = dashboard_path
        self._dashboard_link_seconds = dashboard_link_seconds
        self._allow_http = allow_http
        self._timeouts = {
            "connect_timeout": connect_timeout,
            "read_timeout": read_timeout,
            "total_timeout": total_timeout,
        }
        self._max_answer_bytes = max_answer_bytes
        self._tokens = ClientCredentials(
            http=self._client(), client_id=client_id, client_secret=client_secret, scheme=token_scheme
        )
        self._http = self._client(self._tokens)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.alias}>"

    def check(self) -> Iterator[str]:
        yield from address_problems(self._base_url, allow_http=self._allow_http)
        for name, value in (("client_id", self._client_id), ("client_secret", self._client_secret)):
            if not isinstance(value, str) or not value.strip():
                yield f"{name} is empty."
        if not self._webhook_secrets:
            yield "webhook_secrets is empty: no message of this vendor could be believed."
        yield from (f"webhook_secrets: {problem}." for problem in secret_problems(self._webhook_secrets))
        if not isinstance(self._token_scheme, str) or not re.fullmatch(r"[A-Za-z]{1,20}", self._token_scheme):
            yield "token_scheme is one word, such as JWT or Bearer."
        numbers = {**self._timeouts, "dashboard_link_seconds": self._dashboard_link_seconds}
        yield from number_problems({**numbers, "max_answer_bytes": self._max_answer_bytes})
        yield from booking_problems(self.booking_limits, live_proctoring=self._live_proctoring)

    def register_exam(self, exam: ExamRegistration, *, key: str) -> str:
        path = f"/api/v1/exam/{segment(exam.external_id)}/" if exam.external_id else "/api/v1/exam/"
        answer = self._http.request("POST", path, json=_exam_fields(exam), key=key)
        answer_object(answer)
        return answer.id()

    def register_attempt(self, attempt: AttemptRegistration, *, key: str) -> RegisteredAttempt:
        fields = {
            "lms_host": attempt.lms_host,
            "time_limit_mins": attempt.time_limit_minutes,
            "user_id": attempt.candidate_id,
            "full_name": attempt.full_name,
            "email": attempt.email,
            "is_sample_attempt": attempt.is_sample,
            "review_policy": attempt.review_policy,
            "status": "created",
        }
        path = f"/api/v1/exam/{segment(attempt.exam_external_id)}/attempt/"
        answer = self._http.request("POST", path, json=fields, key=key, accept=_MAY_CARRY_ONBOARDING)
        blocked = _onboarding_block(answer)
        if blocked is not None:
            return RegisteredAttempt(blocked=blocked)
        if answer.status >= 400:
            self._http.refuse(answer)
        value = answer_object(answer)
        launch = _launch(value)
        complete = bool(launch.download_url and launch.instructions)
        return RegisteredAttempt(external_id=answer.id(), launch=launch if complete else None)

    def fetch_launch(self, exam_external_id: str, attempt_external_id: str, *, language: str) -> LaunchData:
        headers = {"Accept-Language": language} if _LANGUAGE.fullmatch(language) else {}
        path = _attempt_path(exam_external_id, attempt_external_id)
        launch = _launch(answer_object(self._http.request("GET", path, headers=headers)))
        if launch.download_url and launch.instructions:
            return launch
        general = _launch(answer_object(self._http.request("GET", "/api/v1/config/", headers=headers)))
        return LaunchData(
            download_url=launch.download_url or general.download_url,
            instructions=launch.instructions or general.instructions,
            join_url=launch.join_url or general.join_url,
        )

    def report_progress(self, exam_external_id: str, attempt_external_id: str, progress: Progress, *, key: str) -> None:
        path = _attempt_path(exam_external_id, attempt_external_id)
        refuse_error_inside(self._http.request("PATCH", path, json={"status": progress.value}, key=key))

    def remove_attempt(self, exam_external_id: str, attempt_external_id: str, *, key: str) -> None:
        path = _attempt_path(exam_external_id, attempt_external_id)
        answer = self._http.request("DELETE", path, key=key, accept=GONE)
        if answer.status not in GONE:
            refuse_error_inside(answer)

    def list_onboarding(self, course_id: str, *, cursor: str) -> OnboardingPage:
        page = page_number(cursor)
        path = f"/api/v1/courses/{segment(course_id)}/onboarding_statuses"
        answer = self._http.request("GET", path, params={"page": str(page), "page_size": str(PAGE_SIZE)})
        return read_page(answer_object(answer), page=page)

    def retire_candidate(self, candidate_id: str, *, key: str) -> None:
        """The answer is whether there was anybody to forget, which comes to the same."""
        answer = self._http.request("DELETE", f"/api/v1/user/{segment(candidate_id)}/", key=key, accept=GONE)
        if answer.status not in GONE and answer.body.strip() not in (b"", b"true", b"false"):
            refuse_error_inside(answer)

    def dashboard_url(
        self,
        *,
        course_id: str,
        user_label: str,
        exam_external_id: str = "",
        attempt_external_id: str = "",
        configuration: bool = False,
    ) -> str:
        """``configuration`` asks for the pages on which an exam is set up instead of those that show sessions."""
        claims: dict[str, Any] = {
            "course_id": course_id,
            "user": {"id": user_label, "full_name": user_label, "email": ""},
            "iss": self._issuer,
            "jti": uuid.uuid4().hex,
            "exp": int(time.time()) + self._dashboard_link_seconds,
        }
        if exam_external_id:
            claims["exam_id"] = exam_external_id
        if attempt_external_id:
            claims["attempt_id"] = attempt_external_id
        if configuration:
            claims["config"] = True
        path = self._dashboard_path.replace("{client_id}", segment(self._client_id))
        return f"{self._base_url}{path}?jwt={jwt.encode(claims, self._client_secret, algorithm='HS256')}"

    def verify(self, request: IncomingRequest, *, now: datetime) -> VerifiedMessage:
        delivery_id = verify(request.headers, request.body, secrets=self._webhook_secrets, now=now)
        return VerifiedMessage(delivery_id=delivery_id)

    def parse(self, body: bytes) -> Sequence[VendorEvent]:
        return parse_message(body)

    def _client(self, tokens: ClientCredentials | None = None) -> HttpClient:
        return HttpClient(
            base_url=self._base_url,
            max_answer_bytes=self._max_answer_bytes,
            secrets=[text for text in (self._client_secret, *self._webhook_secrets) if isinstance(text, str)],
            tokens=tokens,
            connect_timeout=self._timeouts["connect_timeout"],
            read_timeout=self._timeouts["read_timeout"],
            total_timeout=self._timeouts["total_timeout"],
        )


def _exam_fields(exam: ExamRegistration) -> dict[str, Any]:
    return {
        "course_id": exam.course_id,
        "content_id": exam.content_id,
        "exam_name": exam.name,
        "exam_type": exam.exam_type.value,
        "time_limit_mins": exam.time_limit_minutes,
        "due_date": exam.due_at.isoformat() if exam.due_at else None,
        "is_proctored": exam.exam_type is not ExamType.TIMED,
        "is_practice_exam": exam.exam_type in (ExamType.PRACTICE, ExamType.ONBOARDING),
        "is_active": exam.is_active,
        "external_id": exam.external_id or None,
        "rules": dict(exam.rules),
    }


def _attempt_path(exam_external_id: str, attempt_external_id: str) -> str:
    return f"/api/v1/exam/{segment(exam_external_id)}/attempt/{segment(attempt_external_id)}/"


def _onboarding_block(answer: Answer) -> OnboardingBlock | None:
    try:
        return OnboardingBlock(answer.json_object()["status"])
    except (BackendError, KeyError, ValueError):
        return None


def _launch(value: dict[str, Any]) -> LaunchData:
    return LaunchData(
        download_url=tame_url(value.get("download_url")),
        instructions=tame_lines(value.get("instructions")),
        join_url=tame_url(value.get("join_url")),
    )
