"""``Idempotency-Key`` at the door: a repeated request gets the first one's answer."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response

from proctoring.idempotency.services import once

HEADER, REPLAYED = "Idempotency-Key", "Idempotency-Replayed"


def answer_once(request: Request, *, now: datetime, act: Callable[[], tuple[int, Any]]) -> Response:
    """Answer with what ``act`` returns (status code and JSON), or with what it returned under the same key before."""
    key = request.headers.get(HEADER)
    if key is None:
        status, data = act()
        return Response(data, status=status)
    status, data, repeated = once(user=request.user, key=key, fingerprint=_fingerprint(request), now=now, act=act)
    return Response(data, status=status, headers={REPLAYED: "true"} if repeated else None)


def _fingerprint(request: Request) -> str:
    """Over the meaning of the body, not its bytes: a client that retries may serialize anew."""
    body = json.dumps(request.data, sort_keys=True, allow_nan=False)
    return hashlib.sha256(f"{request.method} {request.path}\n{body}".encode()).hexdigest()


def begin_once(request: Request, *, now: datetime, begin: Callable[[], int]) -> tuple[int, dict[str, str] | None]:
    """For what takes several transactions: the key is kept together with the record that ``begin`` makes of it.

    Returns that record's primary key, and headers where it is an earlier call's: then nothing is to be done.
    """
    key = request.headers.get(HEADER)
    if key is None:
        return begin(), None
    _status, kept, repeated = once(
        user=request.user, key=key, fingerprint=_fingerprint(request), now=now, act=lambda: (200, {"begun": begin()})
    )
    if kept is None:
        # An erasure has emptied it.
        raise exceptions.NotFound
    return kept["begun"], {REPLAYED: "true"} if repeated else None
