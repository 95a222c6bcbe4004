"""Pages for people: the software that a candidate opens, the dashboard that staff open. No script, no inline style."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import time
from typing import Any

from proctoring.testing.simulator.live import Record
from proctoring.testing.simulator.messages import RefusedError, Reply, Request, Routes
from proctoring.testing.simulator.paper import HEADERS, STYLE, page, text
from proctoring.testing.simulator.rooms import Rooms
from proctoring.testing.simulator.vendor import Vendor

_STATUS_TEXTS = {
    "created": "The check has not been started yet.",
    "ready": "The check is done. You can return to your exam.",
    "started": "Your exam is being recorded (not really).",
    "submitted": "Your exam is over. The recording waits for its review.",
    "reviewed": "The recording was reviewed.",
    "error": "Something went wrong in your exam.",
    "deleted": "This session was removed.",
}


class Pages:
    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor
        self._routes = Routes()
        self._routes.add("GET", "/software/style.css", self._style)
        self._routes.add("GET", "/software/", self._general)
        self._routes.add("GET", "/software/{}/", self._software)
        self._routes.add("POST", "/software/{}/start", self._start)
        self._routes.add("GET", "/api/v1/instructor/{}/", self._dashboard)
        Rooms(vendor).add_to(self._routes)

    def serve(self, request: Request) -> Reply:
        return self._routes.serve(request)

    def _style(self, request: Request) -> Reply:
        return Reply(body=STYLE, content_type="text/css; charset=utf-8", headers={"X-Content-Type-Options": "nosniff"})

    def _general(self, request: Request) -> Reply:
        return page("Simulated proctoring software", "<p>Open the link of your own attempt.</p>")

    def _software(self, request: Request, code: str) -> Reply:
        attempt = self._attempt(code)
        content = f'<p role="status">{_STATUS_TEXTS[attempt["status"]]}</p>'
        if attempt["status"] == "created":
            action = f"/software/{html.escape(attempt['code'])}/start"
            content += f'<form method="post" action="{action}"><button type="submit">Start the check</button></form>'
        return page("Simulated proctoring software", content)

    def _start(self, request: Request, code: str) -> Reply:
        with self._vendor.lock:
            attempt = self._attempt(code)
            if attempt["status"] == "created":
                self._vendor.send_ready(attempt)
                self._vendor.save()
        return Reply(status=303, headers={"Location": f"/software/{attempt['code']}/", **HEADERS})

    def _dashboard(self, request: Request, client_id: str) -> Reply:
        claims = _claims(request.query.get("jwt", ""), self._vendor.settings.client_secret)
        with self._vendor.lock:
            rows = "".join(
                f"<tr><td>{text(item['id'])}</td><td>{text(item.get('user_id'))}</td><td>{item['status']}</td></tr>"
                for item in self._vendor.attempts.values()
                if self._is_asked_for(item, claims)
            )
        content = (
            f"<p>Course {text(claims.get('course_id'))}</p><table><caption>Attempts</caption><thead><tr>"
            '<th scope="col">Attempt</th><th scope="col">Candidate</th><th scope="col">Status</th>'
            f"</tr></thead><tbody>{rows}</tbody></table>"
        )
        return page("Simulated proctoring dashboard", content)

    def _is_asked_for(self, attempt: Record, claims: dict[str, Any]) -> bool:
        exam = self._vendor.exams.get(attempt["exam"], {})
        return (
            exam.get("course_id") == claims.get("course_id")
            and claims.get("exam_id", attempt["exam"]) == attempt["exam"]
            and claims.get("attempt_id", attempt["id"]) == attempt["id"]
        )

    def _attempt(self, code: str) -> Record:
        attempt = self._vendor.by_code(code)
        if attempt is None:
            raise RefusedError(404, "There is no such session.")
        return attempt


def _claims(token: str, secret: str) -> dict[str, Any]:
    """The claims of an HS256 token that is good now; ``RefusedError`` (403) otherwise."""
    try:
        signed, _, signature = token.rpartition(".")
        header, payload = (json.loads(_decoded(part)) for part in signed.split("."))
        expected = hmac.new(secret.encode(), signed.encode(), hashlib.sha256).digest()
        good = hmac.compare_digest(expected, _decoded(signature))
        if good and header["alg"] == "HS256" and payload["exp"] > time.time():
            return dict(payload)
    except (ValueError, TypeError, KeyError):
        pass
    raise RefusedError(403, "The link is not signed by this client, or too old.")


def _decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
