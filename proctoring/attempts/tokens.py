"""Signed tokens under keys of our own, never ``SECRET_KEY``.

Access tokens are short-lived, and an LMS verifies them without a query. With a page token the page of one attempt
speaks to us without a session.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import jwt

from proctoring.conf import settings
from proctoring.errors import NotPermitted

ALGORITHM = "HS256"
ISSUER = "proctoring"
PAGE = "proctoring page"
"""The issuer that page tokens name: neither kind passes for the other."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccessClaims:
    """What a token states. ``attempt`` is null where content is open without one."""

    user: str
    course_id: str
    content_id: str
    attempt: int | None
    reason: str
    read_only: bool
    expires_at: datetime


def issue(claims: AccessClaims, *, now: datetime) -> str | None:
    """Sign under the newest key; None where ``ACCESS_TOKEN_KEYS`` is empty."""
    if not settings.access_token_keys:
        return None
    payload = {
        "iss": ISSUER,
        "sub": claims.user,
        "course_id": claims.course_id,
        "content_id": claims.content_id,
        "attempt": claims.attempt,
        "reason": claims.reason,
        "read_only": claims.read_only,
        "iat": int(now.timestamp()),
        "exp": int(claims.expires_at.timestamp()),
    }
    return _signed(payload)


def verify_access_token(token: str) -> AccessClaims:
    """Check signature and expiry. No query. Raises ``NotPermitted`` (``invalid_token``) for anything that is off."""
    try:
        payload = _payload(token, ISSUER)
        return AccessClaims(
            user=payload["sub"],
            course_id=payload["course_id"],
            content_id=payload["content_id"],
            attempt=payload["attempt"],
            reason=payload["reason"],
            read_only=payload["read_only"],
            expires_at=datetime.fromtimestamp(payload["exp"], UTC),
        )
    except (jwt.PyJWTError, StopIteration, KeyError, ValueError) as wrong:
        raise NotPermitted("The access token is not valid.", code="invalid_token") from wrong


@dataclass(frozen=True, kw_only=True, slots=True)
class PageClaims:
    """Whose page of which attempt. It opens nothing: with it, heartbeats and events are taken from that page."""

    user: str
    attempt: int


def issue_page_token(claims: PageClaims, *, now: datetime) -> str | None:
    """Good for ``PAGE_TOKEN_HOURS``, and only for this attempt; None where ``ACCESS_TOKEN_KEYS`` is empty."""
    if not settings.access_token_keys:
        return None
    ends_at = now + timedelta(hours=settings.page_token_hours)
    return _signed({"iss": PAGE, "sub": claims.user, "attempt": claims.attempt, "exp": int(ends_at.timestamp())})


def verify_page_token(token: str, *, now: datetime) -> PageClaims:
    """Check signature and expiry. No query. Raises ``NotPermitted`` (``invalid_token``) for anything that is off."""
    try:
        claims, ends_at = _page_claims(token, settings.access_token_keys)
    except (jwt.PyJWTError, StopIteration, KeyError, TypeError, ValueError) as wrong:
        raise NotPermitted("The page's token is not valid.", code="invalid_token") from wrong
    if now.timestamp() >= ends_at:
        raise NotPermitted("The page's token has expired.", code="invalid_token")
    return claims


@lru_cache(maxsize=4096)
def _page_claims(token: str, keys: tuple[str, ...]) -> tuple[PageClaims, int]:
    """What a page's token states and when it ends. A page sends the same one for hours: its signature is checked once
    under these keys. An error is not remembered."""
    payload = _payload(token, PAGE)
    return PageClaims(user=payload["sub"], attempt=int(payload["attempt"])), payload["exp"]


def _signed(payload: dict[str, Any]) -> str:
    key = settings.access_token_keys[0]
    return jwt.encode(payload, key, algorithm=ALGORITHM, headers={"kid": key_id(key)})


def _payload(token: str, issuer: str) -> dict[str, Any]:
    kid = jwt.get_unverified_header(token).get("kid")
    key = next(key for key in settings.access_token_keys if key_id(key) == kid)
    payload: dict[str, Any] = jwt.decode(
        token, key, algorithms=[ALGORITHM], issuer=issuer, options={"require": ["exp", "sub", "iss"]}
    )
    return payload


def key_id(key: str) -> str:
    """A name for a key that says nothing about it: how a verifier with several finds the right one."""
    return hashlib.sha256(b"proctoring access token key:" + key.encode()).hexdigest()[:12]
