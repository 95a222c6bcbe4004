"""What the simulated vendor is told to be; everything here can be changed while it runs."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from proctoring.backends.signing import decode_secret

CLIENT_ID = "simulator"
CLIENT_SECRET = "the-simulator-has-no-real-secrets"  # noqa: S105 - well known, for tests
WEBHOOK_SECRET = "whsec_" + base64.b64encode(b"the-simulator-has-no-real-secrets").decode()

COMMENTS: Mapping[str, list[dict[str, Any]]] = {
    "passed": [{"comment": "The candidate looked away for a moment.", "status": "passed", "start": 61, "stop": 64}],
    "violation": [{"comment": "A telephone was used.", "status": "violation", "start": 312, "stop": 355}],
    "suspicious": [{"comment": "A second voice was heard.", "status": "suspicious", "start": 61, "stop": 75}],
    "not_reviewed": [],
}
"""What reviews say beside their verdict, unless told otherwise."""
VERDICTS = tuple(COMMENTS)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """Times are seconds."""

    client_id: str = CLIENT_ID
    client_secret: str = CLIENT_SECRET
    webhook_url: str = ""
    """Where messages go, ``…/webhooks/<alias>/``; empty: they are only written into the book."""
    webhook_secret: str = WEBHOOK_SECRET
    auto_ready: float | None = None
    """So long after its registration an attempt becomes ready by itself; None: when the candidate starts the check."""
    review_after: float | None = 2.0
    """So long after the submission comes the review; None: only on request."""
    verdict: str = "passed"
    reviewed_by: str = ""
    video_url: str = ""
    rating: float | None = None
    """Sent after each review; None: attempts are not rated."""
    rating_scale: str = "risk_0_100"
    """Any word: one that the wire does not have is worth a try."""
    token_lifetime: float = 3600.0
    require_onboarding: bool = False
    """Attempts of candidates without an approved profile are answered with an ``onboarding_*`` word."""

    proctors: int = 50
    """How many there are at any moment, for bookings."""
    booking_lead_minutes: float = 0.0
    """So long before the window, at the latest, a booking has to arrive."""
    confirm_after: float | None = 1.0
    """So long after it was accepted a booking is confirmed; None: only on request."""
    session_lead_minutes: float = 15.0
    """So long before the reserved time the rooms of a confirmed booking open."""
    rating_after: float | None = 3.0
    """So long after the submission the live session of the candidate is rated; None: only on request."""
    session_rating: float = 90.0
    session_rating_scale: str = "trust_0_100"
    rating_inline: bool = False
    """``session.rated`` of a live session contains the rating; otherwise it has to be read from the list."""
    booking_messages: bool = True
    """False: nobody is told that a booking has changed."""
    session_messages: bool = True
    """False: nobody is told that a room is open."""
    rating_messages: bool = True
    """False: ratings of live sessions are on the list, and nobody is told."""

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """Return a copy with ``changes``; ``ValueError`` with a sentence for a name or value that makes no sense."""
        kinds = {field.name: str(field.type) for field in fields(self)}
        for name, value in changes.items():
            if name not in kinds:
                raise ValueError(f"there is no setting {name!r}; there are {', '.join(kinds)}")
            if not _fits(value, kinds[name]):
                raise ValueError(f"{name} is {kinds[name]}, not {value!r}")
        new = replace(self, **changes)
        if new.verdict not in VERDICTS:
            raise ValueError(f"verdict is one of {', '.join(VERDICTS)}")
        decode_secret(new.webhook_secret)
        return new

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _fits(value: Any, kind: str) -> bool:
    if value is None:
        return "None" in kind
    if isinstance(value, bool) or kind == "bool":
        return isinstance(value, bool) and kind == "bool"
    return isinstance(value, str) if kind == "str" else isinstance(value, int | float) and value >= 0
