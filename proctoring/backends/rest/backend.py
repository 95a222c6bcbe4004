"""``RestBackend``: the outgoing half of the reference wire, and the options of both halves."""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

import jwt

from proctoring.backends.base import Backend
from proctoring.backends.http import MAX_ANSWER_BYTES, Answer, HttpClient, tame_lines, tame_url
from proctoring.backends.rest.incoming import parse_message
from proctoring.backends.rest.onboarding import PAGE_SIZE, page_number, read_page
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
_GONE = (404, 410)
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_LANGUAGE = re.compile(r"[A-Za-z0-9-]{1,35}")


class RestBackend(Backend):
    """A vendor whose server speaks the reference wire.

    ``webhook_secrets`` is one ``whsec_…`` secret or a list of them, the old and the new one during a rotation.
    ``token_scheme`` is the first word of the ``Authorization`` header (``JWT``, or ``Bearer``). ``issuer`` is the
    ``iss`` of dashboard links, by default the address of the token; ``dashboard_path`` may contain ``{client_id}``.
    ``allow_http`` permits unencrypted calls to hosts other than this one. Time-outs are seconds, for each request.
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
    ) -> None:
        self._base_url = base_url.rstrip("/") if isinstance(base_url, str) else ""
        self._client_id = client_id
        self._client_secret = client_secret
        self._webhook_secrets = _as_list(webhook_secrets)
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
        yield from self._address_problems()
        for name, value in (("client_id", self._client_id), ("client_secret", self._client_secret)):
            if not isinstance(value, str) or not value.strip():
                yield f"{name} is empty."
        if not self._webhook_secrets:
            yield "webhook_secrets is empty: no message of this vendor could be believed."
        yield from (f"webhook_secrets: {problem}." for problem in secret_problems(self._webhook_secrets))
        if not isinstance(self._token_scheme, str) or not re.fullmatch(r"[A-Za-z]{1,20}", self._token_scheme):
            yield "token_scheme is one word, such as JWT or Bearer."
        numbers = {**self._timeouts, "dashboard_link_seconds": self._dashboard_link_seconds}
        for name, seconds in {**numbers, "max_answer_bytes": self._max_answer_bytes}.items():
            if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
                yield f"{name} is not a positive number."

    def register_exam(self, exam: ExamRegistration, *, key: str) -> str:
        path = f"/api/v1/exam/{_segment(exam.external_id)}/" if exam.external_id else "/api/v1/exam/"
        answer = self._http.request("POST", path, json=_exam_fields(exam), key=key)
        _answer_object(answer)
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
        path = f"/api/v1/exam/{_segment(attempt.exam_external_id)}/attempt/"
        answer = self._http.request("POST", path, json=fields, key=key, accept=_MAY_CARRY_ONBOARDING)
        blocked = _onboarding_block(answer)
        if blocked is not None:
            return RegisteredAttempt(blocked=blocked)
        if answer.status >= 400:
            self._http.refuse(answer)
        value = _answer_object(answer)
        launch = _launch(value)
        complete = bool(launch.download_url and launch.instructions)
        return RegisteredAttempt(external_id=answer.id(), launch=launch if complete else None)

    def fetch_launch(self, exam_external_id: str, attempt_external_id: str, *, language: str) -> LaunchData:
        headers = {"Accept-Language": language} if _LANGUAGE.fullmatch(language) else {}
        path = _attempt_path(exam_external_id, attempt_external_id)
        launch = _launch(_answer_object(self._http.request("GET", path, headers=headers)))
        if launch.download_url and launch.instructions:
            return launch
        general = _launch(_answer_object(self._http.request("GET", "/api/v1/config/", headers=headers)))
        return LaunchData(
            download_url=launch.download_url or general.download_url,
            instructions=launch.instructions or general.instructions,
            join_url=launch.join_url or general.join_url,
        )

    def report_progress(self, exam_external_id: str, attempt_external_id: str, progress: Progress, *, key: str) -> None:
        path = _attempt_path(exam_external_id, attempt_external_id)
        _refuse_error_inside(self._http.request("PATCH", path, json={"status": progress.value}, key=key))

    def remove_attempt(self, exam_external_id: str, attempt_external_id: str, *, key: str) -> None:
        path = _attempt_path(exam_external_id, attempt_external_id)
        answer = self._http.request("DELETE", path, key=key, accept=_GONE)
        if answer.status not in _GONE:
            _refuse_error_inside(answer)

    def list_onboarding(self, course_id: str, *, cursor: str) -> OnboardingPage:
        page = page_number(cursor)
        path = f"/api/v1/courses/{_segment(course_id)}/onboarding_statuses"
        answer = self._http.request("GET", path, params={"page": str(page), "page_size": str(PAGE_SIZE)})
        return read_page(_answer_object(answer), page=page)

    def retire_candidate(self, candidate_id: str, *, key: str) -> None:
        """The answer is whether there was anybody to forget, which comes to the same."""
        answer = self._http.request("DELETE", f"/api/v1/user/{_segment(candidate_id)}/", key=key, accept=_GONE)
        if answer.status not in _GONE and answer.body.strip() not in (b"", b"true", b"false"):
            _refuse_error_inside(answer)

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
        path = self._dashboard_path.replace("{client_id}", _segment(self._client_id))
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

    def _address_problems(self) -> Iterator[str]:
        try:
            parts = urlsplit(self._base_url)
            host = parts.hostname
        except ValueError:
            host = None
        if not host or parts.scheme not in ("http", "https"):
            yield "base_url is not an http(s) address, such as https://proctoring.example.com."
            return
        if parts.scheme == "http" and host not in _LOOPBACK and not self._allow_http:
            yield "base_url is not https, so secrets would travel in the clear (allow_http=True permits it)."
        if parts.username or parts.password or parts.query or parts.fragment:
            yield "base_url has credentials, a query or a fragment in it."


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


def _as_list(secrets: Any) -> tuple[Any, ...]:
    """Whatever settings say, so that ``check`` can tell what is wrong with it."""
    if isinstance(secrets, str):
        return (secrets,) if secrets else ()
    return tuple(secrets) if isinstance(secrets, Sequence) else (secrets,) if secrets else ()


def _segment(text: str) -> str:
    return quote(text, safe="")


def _attempt_path(exam_external_id: str, attempt_external_id: str) -> str:
    return f"/api/v1/exam/{_segment(exam_external_id)}/attempt/{_segment(attempt_external_id)}/"


def _answer_object(answer: Answer) -> dict[str, Any]:
    value = answer.json_object()
    if value.get("error"):
        raise BackendError(f"The vendor answered {answer.status} with an error inside.")
    return value


def _refuse_error_inside(answer: Answer) -> None:
    if answer.body.strip():
        _answer_object(answer)


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
