"""Certificates of what was deleted. Whose it was can only be told by somebody who has the person and our keys."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from proctoring.conf import settings
from proctoring.errors import NotConfigured
from proctoring.privacy.models import CertificateKind, DeletionCertificate

if TYPE_CHECKING:
    from proctoring.host import User


def make_certificate(
    kind: CertificateKind,
    *,
    counts: Mapping[str, int],
    now: datetime,
    by: User | None = None,
    subject: str = "",
    reason: str = "",
    vendors: Sequence[str] = (),
    unclear: Mapping[str, int] = MappingProxyType({}),
) -> DeletionCertificate:
    """Written in the transaction of the deletion that it certifies."""
    certificate = DeletionCertificate(
        kind=kind,
        subject=subject,
        reason=reason,
        counts=_without_zeros(counts),
        unclear=_without_zeros(unclear),
        vendors=sorted(vendors),
        made_at=now,
        made_by=by,
    )
    certificate.digest = digest(certificate)
    certificate.save()
    return certificate


def add_counts(certificate: DeletionCertificate, counts: Mapping[str, int]) -> None:
    """A run that goes on in batches certifies each in the batch's own transaction: a killed one has told the truth."""
    for name, rows in counts.items():
        certificate.counts[name] = certificate.counts.get(name, 0) + rows
    certificate.counts = _without_zeros(certificate.counts)
    certificate.digest = digest(certificate)
    certificate.save(update_fields=("counts", "digest"))


def certify_again(certificates: Iterable[DeletionCertificate]) -> None:
    """Of these a name was taken out, and the certificate of that says so. Not for one that did not verify before."""
    for certificate in certificates:
        certificate.digest = digest(certificate)
        certificate.save(update_fields=("digest",))


def verify(certificate: DeletionCertificate) -> bool:
    """Whether the certificate is as it was made. Compare the digest itself with a copy kept elsewhere."""
    return hmac.compare_digest(certificate.digest, digest(certificate))


def digest(certificate: DeletionCertificate) -> str:
    """SHA-256 over the certificate as JSON with sorted keys and no blanks; the time in UTC with microseconds. What was
    unclear is part of it where anything was."""
    facts: dict[str, Any] = {
        "kind": str(certificate.kind),
        "subject": certificate.subject,
        "reason": certificate.reason,
        "counts": certificate.counts,
        "vendors": certificate.vendors,
        "made_at": certificate.made_at.astimezone(UTC).isoformat(timespec="microseconds"),
    }
    if certificate.unclear:
        facts["unclear"] = certificate.unclear
    return hashlib.sha256(json.dumps(facts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def subjects_of(user_pk: int) -> list[str]:
    """Under which names certificates may speak of this person, one for each key, the newest first.

    Raises ``NotConfigured`` without a key.
    """
    if not settings.pseudonym_keys:
        raise NotConfigured("Set PROCTORING['PSEUDONYM_KEYS'] to a list of strings of 32 characters or more.")
    message = f"proctoring.privacy.certificate:{user_pk}".encode()
    return [hmac.new(key.encode(), message, hashlib.sha256).hexdigest() for key in settings.pseudonym_keys]


def _without_zeros(counts: Mapping[str, int]) -> dict[str, int]:
    return {name: rows for name, rows in sorted(counts.items()) if rows}
