"""A vendor that says a lot about people, and forgets them on request."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from proctoring.backends.types import AttemptReviewed, ReviewComment, VendorEvent
from tests.exchange.vendor import FakeVendor


class Forgetful(FakeVendor):
    announces_readiness = False
    retires_candidates = True

    def retire_candidate(self, candidate_id: str, *, key: str) -> None:
        self._answer("retire_candidate", key, candidate_id, None)

    def _event(self, data: dict[str, Any]) -> VendorEvent:
        event = super()._event(data)
        if not isinstance(event, AttemptReviewed):
            return event
        remarks = tuple(
            ReviewComment(comment=one, status="odd", start_seconds=1, stop_seconds=2) for one in data.get("remarks", ())
        )
        return replace(event, comments=remarks, video_url=data.get("video", ""))


FORGETFUL = {"vendor": {"BACKEND": "tests.privacy.vendor.Forgetful"}}
