"""Hand an attempt's evidence to somebody, and write down to whom."""

from __future__ import annotations

import tempfile
from datetime import datetime
from typing import IO, TYPE_CHECKING

from django.utils import timezone

from proctoring.attempts.lifecycle import refuse_own
from proctoring.attempts.models import Attempt
from proctoring.evidence.bundle import write_bundle
from proctoring.logs.models import EvidenceCopy

if TYPE_CHECKING:
    from proctoring.host import User

IN_MEMORY = 1_048_576
"""Bytes; what is longer is spooled to a file without a name, which goes when it is closed."""


def hand_out_evidence(attempt: Attempt, *, by: User, now: datetime | None = None) -> IO[bytes]:
    """The evidence as a zip, open at its beginning; the caller closes it. The caller has asked whether ``by`` may.

    That it was handed out is written down with the manifest's hash. Raises ``NotPermitted`` as ``refuse_own`` does.
    Wants ``exam`` and ``user`` loaded. Takes as long as the log is.
    """
    refuse_own(attempt, by)
    now = now or timezone.now()
    spool = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - the caller closes it
    try:
        digest = write_bundle(attempt, spool, by=by, now=now)
        EvidenceCopy.objects.create(attempt=attempt, by=by, at=now, sha256=digest)
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return spool


def filename(attempt: Attempt) -> str:
    return f"evidence-{attempt.pk}.zip"
