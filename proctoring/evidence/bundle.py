"""Write an attempt's evidence into a zip, row by row. Memory does not grow with the log."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import IO, TYPE_CHECKING, Any

from django.utils import translation

from proctoring import __version__
from proctoring.attempts.models import Attempt
from proctoring.evidence import contents
from proctoring.evidence.signing import sign
from proctoring.logs.models import Seal
from proctoring.logs.sealing import as_text
from proctoring.verify import layout
from proctoring.verify.canonical import canonical

if TYPE_CHECKING:
    from proctoring.host import User

WHAT = (
    "Evidence of one attempt at an exam: its log of events with what each seal over it was made of, its timeline, its "
    "ledger of time and its reviews. Check it with: python -m proctoring.verify <this file>. It holds personal data."
)

EPOCH = (1980, 1, 1, 0, 0, 0)
"""Each file's date: the same evidence is the same zip, except for what the manifest says of its making."""


class Bundle:
    def __init__(self, target: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED)
        self.files: dict[str, dict[str, Any]] = {}

    def close(self) -> None:
        self._zip.close()

    @contextmanager
    def file(self, name: str, *, long: bool = False) -> Iterator[_Hashed]:
        """``long``: one that may grow beyond two gigabytes."""
        entry = zipfile.ZipInfo(name, EPOCH)
        entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o100600 << 16
        with self._zip.open(entry, "w", force_zip64=long) as raw:
            hashed = _Hashed(raw)
            yield hashed
        self.files[name] = {"sha256": hashed.digest.hexdigest(), "bytes": hashed.length}

    def write(self, name: str, value: Any) -> bytes:
        text = canonical(value) + b"\n"
        with self.file(name) as file:
            file.write(text)
        return text

    def write_list(self, name: str, rows: Iterable[Any]) -> None:
        with self.file(name, long=True) as file:
            before = b"[\n"
            for row in rows:
                file.write(before + canonical(row))
                before = b",\n"
            file.write(b"\n]\n" if before == b",\n" else b"[]\n")

    def write_lines(self, name: str, rows: Iterable[Any]) -> int:
        count = 0
        with self.file(name, long=True) as file:
            for count, row in enumerate(rows, start=1):  # noqa: B007 - the last one is the number of lines
                file.write(canonical(row) + b"\n")
        return count


class _Hashed:
    def __init__(self, raw: IO[bytes]) -> None:
        self.raw, self.digest, self.length = raw, hashlib.sha256(), 0

    def write(self, piece: bytes) -> None:
        self.raw.write(piece)
        self.digest.update(piece)
        self.length += len(piece)


def write_bundle(attempt: Attempt, target: IO[bytes], *, by: User | None, now: datetime) -> str:
    """Write the evidence as it is now; returns the manifest's SHA-256.

    Six statements, one for each seal, and two for each thousand of events.
    """
    # First the seals: an event that comes while the file is written is not sealed yet.
    seals = list(Seal.objects.filter(attempt=attempt.pk).defer("packed_places").order_by("number"))
    bundle = Bundle(target)
    bundle.write(layout.ATTEMPT, contents.attempt_facts(attempt, now=now))
    bundle.write(layout.SEALS, contents.seal_rows(seals))
    bundle.write_lines(layout.LEAVES, contents.leaf_rows(seals))
    keys = contents.event_keys(attempt)
    events = bundle.write_lines(layout.EVENTS, contents.event_rows(attempt, keys, seals))
    # In one language, whoever asks: the same evidence is the same file.
    with translation.override(None):
        bundle.write_lines(layout.TIMELINE, contents.timeline_rows(attempt, keys))
    bundle.write_list(layout.LEDGER, contents.ledger_rows(attempt))
    bundle.write_list(layout.REVIEWS, contents.review_rows(attempt))
    manifest = bundle.write(
        layout.MANIFEST,
        {
            "format": layout.FORMAT,
            "version": layout.VERSION,
            "what": WHAT,
            "software": f"django-proctoring {__version__}",
            "attempt": attempt.pk,
            "events": events,
            "sealed_events": sum(seal.count for seal in seals),
            "files": dict(bundle.files),
            "made_at": as_text(now),
            "made_by": contents.person(by),
        },
    )
    signature = sign(manifest)
    if signature is not None:
        bundle.write(layout.SIGNATURE, signature)
    bundle.close()
    return hashlib.sha256(manifest).hexdigest()
