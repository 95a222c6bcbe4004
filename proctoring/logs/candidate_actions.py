"""What the candidate log calls things. ``code`` is the vocabulary's word, the label its translation."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class CandidateAction:
    """``side``: who writes it down: client | server | invigilator | monitor | integrity."""

    code: str
    side: str
    label: Promise


_ALL = (
    CandidateAction("Page visited", "client", _("Page visited")),
    CandidateAction("Exam started", "client", _("Exam started")),
    CandidateAction("Question visited", "client", _("Question visited")),
    CandidateAction("Question answered", "client", _("Question answered")),
    CandidateAction("Candidate save answer", "server", _("Answer saved")),
    CandidateAction("Exam paused", "invigilator", _("Exam paused")),
    CandidateAction("Exam resumed", "invigilator", _("Exam resumed")),
    CandidateAction("Extra time granted", "invigilator", _("Extra time granted")),
    CandidateAction("Heartbeat lost", "monitor", _("Contact lost")),
    CandidateAction("Heartbeat restored", "monitor", _("Contact restored")),
    CandidateAction("Browser inspector detected", "integrity", _("Browser inspector open")),
    CandidateAction("Left full screen", "integrity", _("Full screen left")),
    CandidateAction("Exam completed", "client", _("Exam completed")),
    CandidateAction("Voided", "invigilator", _("Voided")),
)

CANDIDATE_ACTIONS: dict[str, CandidateAction] = {one.code: one for one in _ALL}
