"""The booking doctor: for each rejection its cause, who can mend it, and what to do next. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from proctoring.bookings import states


class Mender(StrEnum):
    PLANNER = "planner"
    SERVICE_DESK = "service_desk"
    VENDOR = "vendor"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True, kw_only=True, slots=True)
class Advice:
    cause: Promise
    mender: Mender
    next_step: Promise
    may_send_again: bool = True
    """Sending again cannot book anything twice."""
    may_check_again: bool = False
    """The vendor may hold the booking: asking it tells."""


ADVICE: Mapping[str, Advice] = {
    states.WRONG_STATUS: Advice(
        cause=_("The exam is not active."),
        mender=Mender.PLANNER,
        next_step=_("Have the exam activated, then schedule the booking again."),
    ),
    states.TOO_LATE: Advice(
        cause=_("The window begins too soon for the vendor to find proctors."),
        mender=Mender.PLANNER,
        next_step=_("Book a later window, or ask the service desk to arrange this one with the vendor."),
    ),
    states.NO_CANDIDATES: Advice(
        cause=_("Nobody in this booking can sit the exam (any more)."),
        mender=Mender.PLANNER,
        next_step=_("Enrol the candidates, then make a new booking."),
    ),
    states.NO_CAPACITY: Advice(
        cause=_("The vendor has too few proctors in this window."),
        mender=Mender.PLANNER,
        next_step=_("Choose another window or more candidates to a proctor, or schedule it again later."),
    ),
    states.NO_AVAILABILITY: Advice(
        cause=_("The vendor could not say how many proctors are free."),
        mender=Mender.VENDOR,
        next_step=_("Schedule it again after a while; if that does not help, the service desk asks the vendor."),
    ),
    states.CONFLICT: Advice(
        cause=_("The vendor holds this exam for another window."),
        mender=Mender.PLANNER,
        next_step=_("Cancel the other booking and schedule this one again, or plan one for the window that is held."),
    ),
    states.UNKNOWN: Advice(
        cause=_("The vendor rejected the booking and gave no reason that is known here."),
        mender=Mender.SERVICE_DESK,
        next_step=_("Ask the vendor for the reason; then schedule it again, or confirm it by hand."),
    ),
    states.SENDING_FAILED: Advice(
        cause=_("The booking could not be sent, in all its tries."),
        mender=Mender.SERVICE_DESK,
        next_step=_("See the last error; when it is mended, schedule the booking again: it cannot be booked twice."),
    ),
    states.SENDING_REFUSED: Advice(
        cause=_("The vendor refused our credentials. No more calls go there until somebody says they are mended."),
        mender=Mender.ADMINISTRATOR,
        next_step=_("Mend the vendor's credentials and let calls go out again; then schedule the booking again."),
    ),
    states.CHECK_EXHAUSTED: Advice(
        cause=_("The vendor took the booking and never said whether it holds, in all the times it was asked."),
        mender=Mender.SERVICE_DESK,
        next_step=_("Ask the vendor, then check again, or confirm by hand. It may hold the booking."),
        may_send_again=False,
        may_check_again=True,
    ),
    states.CHECK_FAILED: Advice(
        cause=_("Asking the vendor failed in a way that repeating does not mend."),
        mender=Mender.SERVICE_DESK,
        next_step=_("See the last error; when it is mended, check again. The vendor may hold the booking."),
        may_send_again=False,
        may_check_again=True,
    ),
    states.CHECK_REFUSED: Advice(
        cause=_("The vendor refused our credentials. No more calls go there until somebody says they are mended."),
        mender=Mender.ADMINISTRATOR,
        next_step=_("Mend the vendor's credentials and let calls go out again; then check again."),
        may_send_again=False,
        may_check_again=True,
    ),
    states.BY_HAND: Advice(
        cause=_("The service desk rejected it."),
        mender=Mender.SERVICE_DESK,
        next_step=_("See the comment in the log. When its cause is gone, schedule the booking again."),
    ),
}
"""Reason of a rejection → what to do about it. Every reason has its advice."""
