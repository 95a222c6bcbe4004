"""Stored words as staff read them: codes, failures of workers, and who acted where no account did."""

from __future__ import annotations

import re
from typing import Any

from django.utils.text import capfirst
from django.utils.translation import gettext as _

from proctoring.admin.rendering import minutes, vendor_name
from proctoring.attempts.mails import MailName
from proctoring.attempts.states import Actor, can_become
from proctoring.attempts.timing import EntryKind
from proctoring.exchange.outcomes import HostFailed, MailFailed
from proctoring.logs.reason_codes import REASON_CODES
from proctoring.outbox.models import Delivery, Operation
from proctoring.reviews.models import ReviewStatus

CODE = re.compile(r"^((?:[a-z][a-z ]{0,30}: )?)([0-9]{5})(?=: |$)", re.ASCII)
"""A cause where the services write it: first, or after what was done."""
ENTRY = re.compile(r"^([a-z_]{3,20}) ([+-][0-9]{1,9}) s(?=: |$)", re.ASCII)
KIND_OF_FAILURE = re.compile(r"^((?:[A-Z][a-z]+){2,}): (?=.)", re.ASCII)
OF_VENDOR = ("review: ", "answer to registration", "registration answered ", "registration refused: ", "ready")
"""How a reason begins that the services give to what a vendor does."""


def reason_in_words(reason: str | None) -> str:
    """A reason of the history with the cause's name in place of its number."""
    text = CODE.sub(_cause, reason or "")
    return ENTRY.sub(_entry, text)


def _cause(found: re.Match[str]) -> str:
    cause = REASON_CODES.get(int(found[2]))
    return f"{found[1]}{cause.label}" if cause else found[0]


def _entry(found: re.Match[str]) -> str:
    if found[1] not in EntryKind.values:
        return found[0]
    return f"{EntryKind(found[1]).label}, {minutes(int(found[2]))}"


def failure_in_words(error: str) -> str:
    """What a worker kept of a failure, without the name of its class."""
    found = KIND_OF_FAILURE.match(error)
    if found is None:
        return error
    rest = error[found.end() :]
    if found[1] == HostFailed.__name__:
        return _("The LMS failed: %s") % rest
    if found[1] == MailFailed.__name__:
        return _("The mail did not leave: %s") % rest
    return str(capfirst(rest))


def carried_by(delivery: Delivery) -> str:
    """What exactly is said, where the operation alone does not tell."""
    mails = {
        MailName.SUBMITTED: _("submitted"),
        MailName.VERIFIED: _("verified"),
        MailName.REJECTED: _("not accepted"),
        MailName.SECOND_REVIEW: _("needs a second review"),
        MailName.RESUME_AUTHORISED: _("may go on"),
    }
    credits_said = {
        "submitted": _("submitted"),
        "satisfied": _("satisfied"),
        "failed": _("failed"),
        "declined": _("declined"),
        "withdrawn": _("withdrawn"),
    }
    known: dict[str, dict[Any, str]] = {
        Operation.SEND_MAIL: mails,
        Operation.SET_CREDIT: credits_said,
        Operation.NOTIFY_SUPPORT: {one.value: str(one.label) for one in ReviewStatus},
    }
    if delivery.operation == Operation.RESET_LEARNER_STATE and delivery.argument:
        return _("of attempt #%s") % delivery.argument
    return known.get(delivery.operation, {}).get(delivery.argument, delivery.argument)


def delivery_in_words(delivery: Delivery) -> str:
    said = carried_by(delivery)
    return f"{delivery.get_operation_display()}: {said}" if said else delivery.get_operation_display()


def actor_in_words(row: Any, before: Any) -> str:
    """Who made this version of an attempt's history: an account, the vendor, or nobody but us."""
    if row.history_user is not None:
        return str(row.history_user)
    reason = row.history_change_reason or ""
    stepped = before is not None and can_become(before.status, row.status, Actor.VENDOR)
    if stepped and reason.startswith(OF_VENDOR):
        return _("the vendor (%s)") % vendor_name(row.backend)
    return _("the system")
