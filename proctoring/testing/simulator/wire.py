"""The reference wire as the vendor serves it: tokens, configuration, exams, attempts, candidates, live proctoring."""

from __future__ import annotations

import hmac
import secrets
import time
from typing import Any

from proctoring.testing.simulator.live import Record
from proctoring.testing.simulator.live_wire import BATCH, LiveWire
from proctoring.testing.simulator.messages import RefusedError, Reply, Request, Routes, positive
from proctoring.testing.simulator.vendor import Vendor

REPORTS = ("started", "submitted", "error")
INSTRUCTIONS = {
    "en": ["Open the simulated proctoring software.", "Start the check.", "Return to your exam when it is done."],
    "de": [
        "Öffnen Sie die simulierte Aufsichts-Software.",
        "Starten Sie die Prüfung Ihres Geräts.",
        "Kehren Sie danach zu Ihrer Prüfung zurück.",
    ],
}


class Wire:
    """``address`` is where the simulator can be reached, without a slash at its end."""

    def __init__(self, vendor: Vendor, *, address: str) -> None:
        self._vendor = vendor
        self._address = address
        self._tokens: dict[str, float] = {}
        self._open = Routes()
        self._open.add("POST", "/oauth2/access_token", self._give_token)
        self._routes = Routes()
        for method, path, function in (
            ("GET", "/api/v1/config/", self._config),
            ("POST", "/api/v1/exam/", self._create_exam),
            ("GET", "/api/v1/exam/{}/", self._show_exam),
            ("POST", "/api/v1/exam/{}/", self._update_exam),
            ("POST", "/api/v1/exam/{}/attempt/", self._create_attempt),
            ("GET", "/api/v1/exam/{}/attempt/{}/", self._show_attempt),
            ("PATCH", "/api/v1/exam/{}/attempt/{}/", self._report),
            ("DELETE", "/api/v1/exam/{}/attempt/{}/", self._drop_attempt),
            ("DELETE", "/api/v1/user/{}/", self._retire),
            ("GET", "/api/v1/courses/{}/onboarding_statuses", self._onboarding_statuses),
        ):
            self._routes.add(method, path, function)
        LiveWire(vendor).add_to(self._routes)

    def serve(self, request: Request) -> Reply:
        """Serve one request whole or not at all; a key that was seen before gets the answer of that time."""
        vendor = self._vendor
        with vendor.lock:
            if request.path.startswith("/oauth2/"):
                return self._open.serve(request)
            self._demand_token(request)
            if request.method == "POST" and request.path.rstrip("/").endswith("/attempt"):
                fault = vendor.faults.take(["onboarding"], path=request.path, method=request.method)
                if fault:
                    return Reply(body={"status": fault.word})
            key = "" if request.path == BATCH else request.headers.get("idempotency-key", "")
            known = f"{request.method} {request.path} {key}"
            if key and known in vendor.answers:
                return Reply(**vendor.answers[known], headers={"Idempotent-Replayed": "true"})
            reply = self._routes.serve(request)
            if key and request.method != "GET":
                vendor.answers[known] = {"status": reply.status, "body": reply.body}
            if request.method != "GET":
                vendor.save()
            return reply

    def expire_tokens(self) -> None:
        self._tokens.clear()

    def _demand_token(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() not in ("jwt", "bearer") or self._tokens.get(token, 0.0) <= time.monotonic():
            raise RefusedError(401, "The token is missing, unknown or expired.")

    def _give_token(self, request: Request) -> Reply:
        settings, form = self._vendor.settings, request.form()
        right = hmac.compare_digest(form.get("client_id", "").encode(), settings.client_id.encode())
        right &= hmac.compare_digest(form.get("client_secret", "").encode(), settings.client_secret.encode())
        if form.get("grant_type") != "client_credentials":
            return Reply(status=400, body={"error": "unsupported_grant_type"})
        if not right:
            return Reply(status=401, body={"error": "invalid_client"})
        token = secrets.token_urlsafe(32)
        self._tokens[token] = time.monotonic() + settings.token_lifetime
        kind = form.get("token_type") or "JWT"
        return Reply(body={"access_token": token, "token_type": kind, "expires_in": settings.token_lifetime})

    def _config(self, request: Request) -> Reply:
        language = _language(request)
        return Reply(
            body={
                "name": "Simulated proctoring",
                "rules": {"allow_notes": "The candidate may use notes."},
                "download_url": f"{self._address}/software/",
                "instructions": INSTRUCTIONS[language],
            },
            headers={"Content-Language": language},
        )

    def _create_exam(self, request: Request) -> Reply:
        return Reply(body={"id": self._vendor.keep_exam(_exam_fields(request))["id"]})

    def _show_exam(self, request: Request, exam_id: str) -> Reply:
        return Reply(body=self._exam(exam_id))

    def _update_exam(self, request: Request, exam_id: str) -> Reply:
        self._exam(exam_id)
        return Reply(body={"id": self._vendor.keep_exam(_exam_fields(request), exam_id=exam_id)["id"]})

    def _create_attempt(self, request: Request, exam_id: str) -> Reply:
        exam, fields = self._exam(exam_id), request.json_object()
        candidate = fields.get("user_id")
        if not isinstance(candidate, str) or not candidate:
            raise RefusedError(400, "user_id is missing.")
        self._vendor.meet(exam, candidate)
        word = self._vendor.block(exam, candidate)
        if word:
            return Reply(body={"status": word})
        return Reply(body={"id": self._vendor.create_attempt(exam_id, fields)["id"]})

    def _show_attempt(self, request: Request, exam_id: str, attempt_id: str) -> Reply:
        attempt = self._attempt(exam_id, attempt_id)
        language = _language(request)
        return Reply(
            body={
                "id": attempt_id,
                "status": attempt["status"],
                "instructions": INSTRUCTIONS[language],
                "download_url": f"{self._address}/software/{attempt['code']}/",
            },
            headers={"Content-Language": language},
        )

    def _report(self, request: Request, exam_id: str, attempt_id: str) -> Reply:
        attempt, status = self._attempt(exam_id, attempt_id), request.json_object().get("status")
        if status not in REPORTS:
            raise RefusedError(400, f"status is one of {', '.join(REPORTS)}.")
        self._vendor.report(attempt, status)
        return Reply(body={"id": attempt_id, "status": status})

    def _drop_attempt(self, request: Request, exam_id: str, attempt_id: str) -> Reply:
        self._vendor.drop(self._attempt(exam_id, attempt_id))
        return Reply(body={"status": "deleted"})

    def _retire(self, request: Request, candidate: str) -> Reply:
        return Reply(body=self._vendor.retire(candidate))

    def _onboarding_statuses(self, request: Request, course_id: str) -> Reply:
        query = request.query
        rows = [
            {
                "user_id": candidate,
                "status": self._vendor.onboarding_word(candidate, course_id),
                "expiration_date": None,
            }
            for candidate in sorted(self._vendor.met.get(course_id, ()))
            if query.get("user_id", candidate) == candidate
        ]
        wanted = query.get("status", "")
        rows = [row for row in rows if wanted in ("", row["status"], self._vendor.profiles.get(str(row["user_id"])))]
        page, size = positive(query, "page", 1), min(positive(query, "page_size", 25), 300)
        pages = max(1, -(-len(rows) // size))
        shown = rows[(page - 1) * size : page * size]
        return Reply(body={"count": len(rows), "num_pages": pages, "page": page, "results": shown})

    def _exam(self, exam_id: str) -> Record:
        try:
            return self._vendor.exams[exam_id]
        except KeyError:
            raise RefusedError(404, "There is no such exam.") from None

    def _attempt(self, exam_id: str, attempt_id: str) -> Record:
        attempt = self._vendor.attempts.get(attempt_id)
        if attempt is None or attempt["exam"] != exam_id or attempt["status"] == "deleted":
            raise RefusedError(404, "There is no such attempt.")
        return attempt


def _exam_fields(request: Request) -> dict[str, Any]:
    fields = request.json_object()
    missing = [name for name in ("course_id", "content_id", "exam_name", "time_limit_mins") if name not in fields]
    if missing:
        raise RefusedError(400, f"{', '.join(missing)} missing.")
    return fields


def _language(request: Request) -> str:
    return "de" if request.headers.get("accept-language", "").lower().startswith("de") else "en"
