"""One table, three readings. Pure: an event goes in, a row of a log comes out; types say which events a log has."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any

from proctoring.logs.candidate_actions import CANDIDATE_ACTIONS
from proctoring.logs.event_types import EVENT_TYPES
from proctoring.logs.models import EventActor

if TYPE_CHECKING:
    from proctoring.logs.models import Event

ACS_FIELDS = (
    *("deliveryId", "deliveryExecutionId", "testTaker", "login", "name", "actor", "action", "actionStatus"),
    *("reasonCode", "reasonMessage", "extraTime", "incidentTime", "last_update_date", "itemId", "resourceLink"),
    *("status", "tenantId", "userAgent", "ip", "messageId", "_id"),
)

ACS_ACTIONS = (
    *("start", "pause", "resume", "terminate", "reset", "submission", "update", "flag", "log", "navigation"),
    "termination",
)

TEST_TAKER = "test-taker"
OPTIONAL = (TEST_TAKER, "start", "resume", "submission", "navigation")
"""What the ACS log leaves out unless a setting names it."""

CANDIDATE_COLUMNS = ("timestamp", "attempt", "action", "question_number", "item_id", "error", "ip_address")

UNKNOWN_ACTION = "flag"
"""How a vendor's event reads whose type is not known here."""


def acs_types(included: Collection[str]) -> list[int]:
    """The types that are rows of the ACS log."""
    left_out = set(OPTIONAL) - set(included)
    return [code for code, one in EVENT_TYPES.items() if one.acs_action and one.acs_action not in left_out]


def types_of_action(action: str) -> list[int]:
    return [code for code, one in EVENT_TYPES.items() if one.acs_action == action]


def candidate_types() -> list[int]:
    """The types that are rows of the candidate log."""
    return [code for code, one in EVENT_TYPES.items() if one.candidate_action]


def acs_row(event: Event, *, login: str, name: str, acs_status: str, tenant_id: str) -> dict[str, Any]:
    """The 21 fields in the ACS log's names. Times are unix timestamps, ``extraTime`` is in minutes.

    ``login``: the candidate's; ``name``: who acted; ``acs_status``: the attempt's status in that log's word. A
    person's act reads as the proctor's, a vendor's machine as the system.
    """
    known = event.known
    execution = str(event.attempt_id) if event.attempt_id else None
    return {
        "deliveryId": str(event.exam_id),
        "deliveryExecutionId": execution,
        "testTaker": login,
        "login": login,
        "name": name,
        "actor": EventActor.SYSTEM.value if event.actor == EventActor.VENDOR else event.actor,
        "action": (known.acs_action if known else "") or UNKNOWN_ACTION,
        "actionStatus": "succeeded",
        "reasonCode": event.reason_code if event.reason_code is not None or known is None else known.reason_code,
        "reasonMessage": event.reason_message or _said(event),
        "extraTime": event.extra_minutes,
        "incidentTime": unix(event.at),
        "last_update_date": unix(event.received_at),
        "itemId": event.item_id or None,
        "resourceLink": str(event.exam_id),
        "status": acs_status,
        "tenantId": tenant_id,
        "userAgent": event.user_agent or None,
        "ip": event.ip,
        "messageId": event.message_id,
        "_id": execution,
    }


def candidate_row(event: Event, *, number: int) -> dict[str, Any]:
    """A row of the candidate log: the vocabulary's word, and its translation beside it."""
    action = event.known.candidate_action if event.known else ""
    return {
        "timestamp": event.at,
        "attempt": number,
        "action": action,
        "action_label": str(CANDIDATE_ACTIONS[action].label) if action in CANDIDATE_ACTIONS else str(event),
        "question_number": event.question_number,
        "item_id": event.item_id or None,
        "error": event.error or None,
        "ip_address": event.ip,
    }


def timeline_row(event: Event, *, connection: str) -> dict[str, Any]:
    """What a person who watches sees: any event, described in our own words, beside the connection of its moment."""
    known = event.known
    return {
        "id": event.pk,
        "at": event.at,
        "occurred_at": event.occurred_at,
        "received_at": event.received_at,
        "type": event.type,
        "name": known.name if known else None,
        "label": str(event),
        "description": str(known.description) if known else "",
        "category": known.category if known else "unknown",
        "severity": event.severity,
        "actor": event.actor,
        "backend": event.backend or None,
        "reason_code": event.reason_code,
        "reason_message": event.reason_message,
        "question_number": event.question_number,
        "item_id": event.item_id or None,
        "stream": event.stream or None,
        "sequence": event.sequence,
        "connection": connection,
        "data": event.data,
    }


def unix(moment: datetime) -> int:
    return int(moment.timestamp())


def _said(event: Event) -> str:
    """Machines say what they mean by their type; a fault of the page says it itself."""
    return event.error or str(event)
