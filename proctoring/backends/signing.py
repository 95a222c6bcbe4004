"""Standard Webhooks: signing and verifying. No HTTP, no storage: whoever receives remembers the delivery ids."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from proctoring.errors import VerificationFailed

ID_HEADER = "webhook-id"
TIMESTAMP_HEADER = "webhook-timestamp"
SIGNATURE_HEADER = "webhook-signature"

TOLERANCE = timedelta(minutes=5)

SECRET_PREFIX = "whsec_"  # noqa: S105 - the public prefix of every secret, not a secret
MIN_SECRET_BYTES = 24  # the specification asks for 24 to 64; a short or empty key can be guessed

# Bounds on what an unknown sender makes us compute before it is believed.
_MAX_SIGNATURE_HEADER = 4096
_MAX_SIGNATURES = 16

_DELIVERY_ID = re.compile(r"[\x21-\x7e]{1,255}")
_TIMESTAMP = re.compile(r"[0-9]{1,12}")


def decode_secret(secret: str) -> bytes:
    """Return the key inside ``whsec_<base64>``; raises ``ValueError`` with a sentence that does not contain it."""
    if not isinstance(secret, str) or not secret.startswith(SECRET_PREFIX):
        raise ValueError(f"a webhook secret begins with {SECRET_PREFIX}")
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError(f"a webhook secret is base64 after {SECRET_PREFIX}") from None
    if len(key) < MIN_SECRET_BYTES:
        raise ValueError(f"a webhook secret has at least {MIN_SECRET_BYTES} bytes after decoding, this one {len(key)}")
    return key


def secret_problems(secrets: Iterable[str]) -> Iterator[str]:
    """One sentence for each secret that cannot be used, naming its place in the list and not its value."""
    for place, secret in enumerate(secrets, start=1):
        try:
            decode_secret(secret)
        except ValueError as error:
            yield f"webhook secret number {place}: {error}"


def sign(body: bytes, *, secret: str, delivery_id: str, at: datetime) -> dict[str, str]:
    """Return the three headers for ``body``. ``at`` is the moment of sending, aware; ``ValueError`` on a bad secret."""
    timestamp = str(int(at.timestamp()))
    signature = _signature(decode_secret(secret), delivery_id, timestamp, body)
    return {ID_HEADER: delivery_id, TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: signature.decode()}


def verify(
    headers: Mapping[str, str],
    body: bytes,
    *,
    secrets: Iterable[str],
    now: datetime,
    tolerance: timedelta = TOLERANCE,
) -> str:
    """Return the delivery id of a message that one of ``secrets`` signed within ``tolerance`` of ``now``.

    ``headers`` has lower-case names. A secret that cannot be decoded signs nothing. Raises ``VerificationFailed``
    for everything else, whatever its shape. A repeated delivery verifies again: its id is there to notice it.
    """
    delivery_id = _header(headers, ID_HEADER, limit=255)
    timestamp = _header(headers, TIMESTAMP_HEADER, limit=12)
    presented = _header(headers, SIGNATURE_HEADER, limit=_MAX_SIGNATURE_HEADER).split(" ")
    if not _DELIVERY_ID.fullmatch(delivery_id):
        raise VerificationFailed(f"{ID_HEADER} is not an id of 1 to 255 printable characters.")
    if not _TIMESTAMP.fullmatch(timestamp):
        raise VerificationFailed(f"{TIMESTAMP_HEADER} is not a number of seconds.")
    if abs(now.timestamp() - int(timestamp)) > tolerance.total_seconds():
        raise VerificationFailed("The message was signed too long ago, or in the future.")
    if len(presented) > _MAX_SIGNATURES:
        raise VerificationFailed(f"{SIGNATURE_HEADER} carries too many signatures.")

    candidates = [signature.encode("utf-8", "replace") for signature in presented]
    matched = False
    for key in _keys(secrets):
        expected = _signature(key, delivery_id, timestamp, body)
        for candidate in candidates:
            matched |= hmac.compare_digest(expected, candidate)
    if not matched:
        raise VerificationFailed("No signature of the message matches.")
    return delivery_id


def _header(headers: Mapping[str, str], name: str, *, limit: int) -> str:
    value = headers.get(name)
    if not isinstance(value, str) or not value:
        raise VerificationFailed(f"{name} is missing.")
    if len(value) > limit:
        raise VerificationFailed(f"{name} is too long.")
    return value


def _keys(secrets: Iterable[str]) -> Iterator[bytes]:
    for secret in secrets:
        try:
            yield decode_secret(secret)
        except ValueError:
            continue


def _signature(key: bytes, delivery_id: str, timestamp: str, body: bytes) -> bytes:
    signed = f"{delivery_id}.{timestamp}.".encode() + body
    return b"v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest())
