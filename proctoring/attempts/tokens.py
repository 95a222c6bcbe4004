"""Access tokens: signed, short-lived, verifiable by an LMS without a query. Keys of our own, never ``SECRET_KEY``."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime

import jwt

from proctoring.conf import settings
from proctoring.errors import NotPermitted

ALGORITHM = "HS256"
ISSUER = "proctoring"


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
    key = settings.access_token_keys[0]
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
    return jwt.encode(payload, key, algorithm=ALGORITHM, headers={"kid": key_id(key)})


def verify_access_token(token: str) -> AccessClaims:
    """Check signature and expiry. No query. Raises ``NotPermitted`` (``invalid_token``) for anything that is off."""
    try:
        kid = jwt.get_unverified_header(token).get("kid")
        key = next(key for key in settings.access_token_keys if key_id(key) == kid)
        payload = jwt.decode(
            token, key, algorithms=[ALGORITHM], issuer=ISSUER, options={"require": ["exp", "sub", "iss"]}
        )
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


def key_id(key: str) -> str:
    """A name for a key that says nothing about it: how a verifier with several finds the right one."""
    return hashlib.sha256(b"proctoring access token key:" + key.encode()).hexdigest()[:12]
