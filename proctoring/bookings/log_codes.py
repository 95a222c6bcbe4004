"""The codes of the booking log. An entry stores code and context; its text is rendered in the reader's language."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class LogCode:
    """``subject``: booking | session | rating. ``status_after``: the booking's, or ``unchanged``."""

    code: str
    subject: str
    status_after: str
    label: Promise


# fmt: off
_ALL = (
    LogCode("booking_declared_as_scheduled", "booking", "scheduled",
            _("Booking scheduled")),
    LogCode("abandoned_bulk_booking_due_to_incompatible_booking_status", "booking", "unchanged",
            _("Not sent: the booking's status does not allow it any more")),
    LogCode("booking_declared_as_sent", "booking", "sent",
            _("Booking sent to the provider")),
    LogCode("booking_check_scheduled", "booking", "sent",
            _("The provider's answer will be asked for later")),
    LogCode("abandoned_booking_check_due_to_incompatible_booking_status", "booking", "unchanged",
            _("Not checked: the booking waits for no answer any more")),
    LogCode("booking_declared_as_confirmed", "booking", "confirmed",
            _("Confirmed by the provider")),
    LogCode("booking_declared_as_confirmed_due_to_already_existing", "booking", "confirmed",
            _("Confirmed: the provider has the same booking already")),
    LogCode("booking_check_failed_but_for_retry_later", "booking", "sent",
            _("Asking the provider failed; it will be tried again")),
    LogCode("booking_rejection_reason_unknown", "booking", "rejected",
            _("Rejected by the provider for a reason that is not known here")),
    LogCode("booking_rejection_reason_wrong_test_status", "booking", "rejected",
            _("Rejected: the exam's status does not allow a booking")),
    LogCode("booking_rejection_reason_booking_past_leading_time", "booking", "rejected",
            _("Rejected: too short before the window begins")),
    LogCode("booking_rejection_reason_no_bookable_candidates", "booking", "rejected",
            _("Rejected: no candidate needs a proctor")),
    LogCode("booking_rejection_reason_availability_limit_reached", "booking", "rejected",
            _("Rejected: the provider has too few proctors in this window")),
    LogCode("booking_rejection_reason_booking_check_exhausted", "booking", "rejected",
            _("Rejected: the provider gave no answer in time")),
    LogCode("booking_rejection_reason_conflict", "booking", "rejected",
            _("Rejected: the provider has this exam booked for another window")),
    LogCode("booking_rejection_reason_availability_unknown", "booking", "rejected",
            _("Rejected: it is not known how many proctors are free")),
    LogCode("booking_rejection_reason_bulk_booking_failed", "booking", "rejected",
            _("Rejected: sending failed for good")),
    LogCode("booking_rejection_reason_booking_check_failed", "booking", "rejected",
            _("Rejected: asking the provider failed for good")),
    LogCode("booking_rejection_reason_authentication_failed_during_bulk_booking", "booking", "rejected",
            _("Rejected: the provider refused our credentials when the booking was sent")),
    LogCode("booking_rejection_reason_authentication_failed_during_check", "booking", "rejected",
            _("Rejected: the provider refused our credentials when it was asked")),
    LogCode("booking_declared_as_confirmed_manually", "booking", "confirmed",
            _("Confirmed by the service desk")),
    LogCode("booking_rejection_reason_manually_rejected", "booking", "rejected",
            _("Rejected by the service desk")),
    LogCode("proctoring_session_joined_processing_completed", "session", "unchanged",
            _("The candidate's link to the live session is there")),
    LogCode("proctoring_session_rating_updated_externally", "rating", "unchanged",
            _("The provider has a rating for this candidate")),
    LogCode("proctoring_session_rating_updated", "rating", "unchanged",
            _("Rating stored")),
    LogCode("proctoring_session_rating_update_failed_but_for_retry_later", "rating", "unchanged",
            _("Fetching the rating failed; it will be tried again")),
    LogCode("proctoring_session_rating_update_failed", "rating", "unchanged",
            _("Fetching the rating failed for good")),
    LogCode("proctoring_session_rating_update_abandoned_due_to_context_mismatch", "rating", "unchanged",
            _("Rating dropped: it is about another exam or candidate")),
    LogCode("proctoring_session_rating_update_abandoned_due_to_invalid_payload", "rating", "unchanged",
            _("Rating dropped: it could not be understood")),
)
# fmt: on

LOG_CODES: dict[str, LogCode] = {one.code: one for one in _ALL}
