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

VERDICTS = ("passed", "violation", "suspicious", "not_reviewed")


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
