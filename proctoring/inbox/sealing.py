"""Encryption of message bodies at rest, bound to the row they belong to."""

from __future__ import annotations

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from proctoring.conf import settings
from proctoring.errors import NotConfigured


def seal(plain: bytes, *, context: str) -> bytes:
    """Encrypt under the newest key. Raises ``NotConfigured`` without a key."""
    return _fernet().encrypt(_label(context) + plain)


def unseal(sealed: bytes, *, context: str) -> bytes:
    """Decrypt with any configured key. Raises ``NotConfigured`` where none fits, or the text is another row's."""
    try:
        plain = _fernet().decrypt(sealed)
    except InvalidToken as wrong:
        raise NotConfigured("No key of PROCTORING['ENCRYPTION_KEYS'] opens this message.") from wrong
    label = _label(context)
    if not plain.startswith(label):
        raise NotConfigured("This encrypted text belongs to another row.")
    return plain[len(label) :]


def _label(context: str) -> bytes:
    return hashlib.sha256(context.encode()).digest()


def _fernet() -> MultiFernet:
    keys = settings.encryption_keys
    if not keys:
        raise NotConfigured("Set PROCTORING['ENCRYPTION_KEYS'] to a list of strings of 32 characters or more.")
    return MultiFernet([Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest())) for key in keys])
