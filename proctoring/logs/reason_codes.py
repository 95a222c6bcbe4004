"""Why somebody intervened: the Assessment Control Service's numbers. A person chooses one of these, with a comment."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class ReasonCode:
    """``category`` and ``cause`` are the vocabulary's words; ``label`` is ours and translated."""

    code: int
    category: str
    cause: str
    label: Promise


_ALL = (
    ReasonCode(10010, "ENVIRONMENT", "COMFORT", _("Room: comfort (heat, cold, light)")),
    ReasonCode(10020, "ENVIRONMENT", "DISTURBANCE", _("Room: disturbance")),
    ReasonCode(10030, "ENVIRONMENT", "NOISE", _("Room: noise")),
    ReasonCode(10040, "ENVIRONMENT", "POWER OUTAGE", _("Room: power failure")),
    ReasonCode(10050, "ENVIRONMENT", "WEATHER", _("Room: weather")),
    ReasonCode(10999, "ENVIRONMENT", "OTHER", _("Room: something else")),
    ReasonCode(20010, "EXAMINEE", "BEHAVIOUR", _("Candidate: behaviour")),
    ReasonCode(20020, "EXAMINEE", "COMPLAINT", _("Candidate: complaint")),
    ReasonCode(20030, "EXAMINEE", "ID/AUTHORIZATION", _("Candidate: identity or right to sit the exam")),
    ReasonCode(20040, "EXAMINEE", "ILLNESS", _("Candidate: illness")),
    ReasonCode(20050, "EXAMINEE", "LATE", _("Candidate: late")),
    ReasonCode(20060, "EXAMINEE", "NAVIGATION", _("Candidate: navigation")),
    ReasonCode(20999, "EXAMINEE", "OTHER", _("Candidate: something else")),
    ReasonCode(30010, "PROCTOR/STAFF", "BEHAVIOUR", _("Proctor or staff: behaviour")),
    ReasonCode(30020, "PROCTOR/STAFF", "COMPLIANCE", _("Proctor or staff: rules not kept")),
    ReasonCode(30030, "PROCTOR/STAFF", "ERROR", _("Proctor or staff: mistake")),
    ReasonCode(30040, "PROCTOR/STAFF", "LATE", _("Proctor or staff: late")),
    ReasonCode(30999, "PROCTOR/STAFF", "OTHER", _("Proctor or staff: something else")),
    ReasonCode(40010, "TECHNICAL", "FREEZING", _("Technology: frozen screen")),
    ReasonCode(40020, "TECHNICAL", "LAUNCHING", _("Technology: does not start")),
    ReasonCode(40030, "TECHNICAL", "NETWORK", _("Technology: network")),
    ReasonCode(40040, "TECHNICAL", "PRINTING", _("Technology: printing")),
    ReasonCode(40050, "TECHNICAL", "TESTING WORKSTATION", _("Technology: the candidate's workstation")),
    ReasonCode(40999, "TECHNICAL", "OTHER", _("Technology: something else")),
)

REASON_CODES: dict[int, ReasonCode] = {one.code: one for one in _ALL}
