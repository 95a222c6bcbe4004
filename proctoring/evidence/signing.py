"""Sign what is handed out. Ed25519: who has the public half can check it, and cannot sign."""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from proctoring.conf import settings
from proctoring.verify.signing import CONTEXT


def sign(message: bytes) -> dict[str, str] | None:
    """The signature under the newest key, with its public half; None where ``EVIDENCE_KEYS`` is empty."""
    if not settings.evidence_keys:
        return None
    private = _private(settings.evidence_keys[0])
    return {
        "algorithm": "Ed25519",
        "key": _public(private),
        "signature": private.sign(CONTEXT + message).hex(),
    }


def public_keys() -> list[str]:
    """The public halves, the newest first: for everybody to know."""
    return [_public(_private(key)) for key in settings.evidence_keys]


def _private(key: str) -> Ed25519PrivateKey:
    seed = hashlib.sha256(b"proctoring evidence key:" + key.encode()).digest()
    return Ed25519PrivateKey.from_private_bytes(seed)


def _public(private: Ed25519PrivateKey) -> str:
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
