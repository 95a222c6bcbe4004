"""The ids under which vendors know people: stable per backend, and useless anywhere else."""

from __future__ import annotations

import hashlib
import hmac

from proctoring.conf import settings
from proctoring.errors import NotConfigured


def candidate_id(backend: str, user_pk: object) -> str:
    """HMAC-SHA-256 of backend and primary key under the newest of ``PSEUDONYM_KEYS``: 64 hexadecimal digits.

    Raises ``NotConfigured`` without a key: a primary key is never sent instead.
    """
    if not settings.pseudonym_keys:
        raise NotConfigured("Set PROCTORING['PSEUDONYM_KEYS'] to a list of strings of 32 characters or more.")
    key = settings.pseudonym_keys[0].encode()
    return hmac.new(key, f"{backend}:{user_pk}".encode(), hashlib.sha256).hexdigest()
