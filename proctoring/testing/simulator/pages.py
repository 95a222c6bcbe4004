"""Pages for people: the software that a candidate opens, the dashboard that staff open. No script, no inline style."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import json
import time
from typing import Any

from proctoring.testing.simulator.messages import RefusedError, Reply, Request, Routes
from proctoring.testing.simulator.vendor import Record, Vendor

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
STYLE = """
body { font-family: sans-serif; line-height: 1.5; max-width: 42rem; margin: 2rem auto; padding: 0 1rem;
  color: #1b1b1b; background: #ffffff; }
button { font: inherit; padding: 0.6rem 1.2rem; color: #ffffff; background: #0b5394; border: 2px solid #0b5394; }
button:focus-visible, a:focus-visible { outline: 3px solid #b35c00; outline-offset: 2px; }
table { border-collapse: collapse; } th, td { border: 1px solid #767676; padding: 0.3rem 0.6rem; text-align: left; }
"""
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title><link rel="stylesheet" href="/software/style.css">
</head>
<body><main><h1>{title}</h1>
{content}
</main></body>
</html>
"""
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

    def serve(self, request: Request) -> Reply:
        return self._routes.serve(request)

    def _style(self, request: Request) -> Reply:
        return Reply(body=STYLE, content_type="text/css; charset=utf-8", headers={"X-Content-Type-Options": "nosniff"})

    def _general(self, request: Request) -> Reply:
        return _page("Simulated proctoring software", "<p>Open the link of your own attempt.</p>")

    def _software(self, request: Request, code: str) -> Reply:
        attempt = self._attempt(code)
        content = f'<p role="status">{_STATUS_TEXTS[attempt["status"]]}</p>'
        if attempt["status"] == "created":
            action = f"/software/{html.escape(attempt['code'])}/start"
            content += f'<form method="post" action="{action}"><button type="submit">Start the check</button></form>'
        return _page("Simulated proctoring software", content)

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
                f"<tr><td>{_text(item['id'])}</td><td>{_text(item.get('user_id'))}</td><td>{item['status']}</td></tr>"
                for item in self._vendor.attempts.values()
                if self._is_asked_for(item, claims)
            )
        content = (
            f"<p>Course {_text(claims.get('course_id'))}</p><table><caption>Attempts</caption><thead><tr>"
            '<th scope="col">Attempt</th><th scope="col">Candidate</th><th scope="col">Status</th>'
            f"</tr></thead><tbody>{rows}</tbody></table>"
        )
        return _page("Simulated proctoring dashboard", content)

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


def _page(title: str, content: str) -> Reply:
    body = _PAGE.format(title=html.escape(title), content=content)
    return Reply(body=body, content_type="text/html; charset=utf-8", headers=HEADERS)


def _text(value: Any) -> str:
    return html.escape(str(value or ""))


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
