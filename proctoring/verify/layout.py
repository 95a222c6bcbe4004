"""What a bundle of evidence is made of. Version 1 (``docs/evidence.rst``)."""

from __future__ import annotations

FORMAT, VERSION = "proctoring.evidence", 1

MANIFEST, SIGNATURE = "manifest.json", "signature.json"
ATTEMPT, EVENTS, LEAVES, SEALS = "attempt.json", "events.ndjson", "leaves.ndjson", "seals.json"
TIMELINE, LEDGER, REVIEWS = "timeline.ndjson", "ledger.json", "reviews.json"

LISTED = (ATTEMPT, EVENTS, LEAVES, SEALS, TIMELINE, LEDGER, REVIEWS)
"""The files whose hashes are in the manifest."""

SEAL_NOTE = "s:seal:"
"""How the id of an event begins by which a log notes that it was sealed; the seal's number stands behind it."""
NOTE_TYPE = 1063

ERASURE, RETENTION = "erasure", "retention"
"""Why the personal part of an event is gone."""
