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
    text: Promise
    """The sentence of an entry; its parameters are the context variables of the vocabulary."""


# fmt: off
_ALL = (
    LogCode("booking_declared_as_scheduled", "booking", "scheduled",
            _("Booking scheduled"),
            _("%(exam)s: proctors will be asked for.")),
    LogCode("abandoned_bulk_booking_due_to_incompatible_booking_status", "booking", "unchanged",
            _("Not sent: the booking's status does not allow it any more"),
            _("%(exam)s: not sent, because the booking is now: %(booking_status)s.")),
    LogCode("booking_declared_as_sent", "booking", "sent",
            _("Booking sent to the vendor"),
            _("%(exam)s: the vendor has taken the booking and will decide.")),
    LogCode("booking_check_scheduled", "booking", "sent",
            _("The vendor's answer will be asked for later"),
            _("%(exam)s: the vendor will be asked for its answer.")),
    LogCode("abandoned_booking_check_due_to_incompatible_booking_status", "booking", "unchanged",
            _("Not checked: the booking waits for no answer any more"),
            _("%(exam)s: the vendor's answer is not awaited any more, because the booking is now: "
              "%(booking_status)s.")),
    LogCode("booking_declared_as_confirmed", "booking", "confirmed",
            _("Confirmed by the vendor"),
            _("%(exam)s: the vendor has assigned proctors.")),
    LogCode("booking_declared_as_confirmed_due_to_already_existing", "booking", "confirmed",
            _("Confirmed: the vendor has the same booking already"),
            _("%(exam)s: the vendor had this very booking before, so it is confirmed.")),
    LogCode("booking_check_failed_but_for_retry_later", "booking", "sent",
            _("Asking the vendor failed; it will be tried again"),
            _("%(exam)s: the vendor could not be asked just now; it will be asked again.")),
    LogCode("booking_rejection_reason_unknown", "booking", "rejected",
            _("Rejected by the vendor for a reason that is not known here"),
            _("%(exam)s: the vendor rejected the booking for a reason that is not known here.")),
    LogCode("booking_rejection_reason_wrong_test_status", "booking", "rejected",
            _("Rejected: the exam's status does not allow a booking"),
            _("%(exam)s: rejected, because the exam is not active but: %(exam_status)s.")),
    LogCode("booking_rejection_reason_booking_past_leading_time", "booking", "rejected",
            _("Rejected: too short before the window begins"),
            _("%(exam)s: rejected, because the window begins too soon.")),
    LogCode("booking_rejection_reason_no_bookable_candidates", "booking", "rejected",
            _("Rejected: no candidate needs a proctor"),
            _("%(exam)s: rejected, because nobody would need a proctor.")),
    LogCode("booking_rejection_reason_availability_limit_reached", "booking", "rejected",
            _("Rejected: the vendor has too few proctors in this window"),
            _("%(exam)s: rejected, because the vendor has too few proctors in this window.")),
    LogCode("booking_rejection_reason_booking_check_exhausted", "booking", "rejected",
            _("Rejected: the vendor gave no answer in time"),
            _("%(exam)s: rejected, because the vendor gave no answer however often it was asked.")),
    LogCode("booking_rejection_reason_conflict", "booking", "rejected",
            _("Rejected: the vendor has this exam booked for another window"),
            _("%(exam)s: rejected, because the vendor holds this exam for another window.")),
    LogCode("booking_rejection_reason_availability_unknown", "booking", "rejected",
            _("Rejected: it is not known how many proctors are free"),
            _("%(exam)s: rejected, because nobody could say how many proctors are free.")),
    LogCode("booking_rejection_reason_bulk_booking_failed", "booking", "rejected",
            _("Rejected: sending failed for good"),
            _("%(exam)s: rejected, because sending the booking failed for good.")),
    LogCode("booking_rejection_reason_booking_check_failed", "booking", "rejected",
            _("Rejected: asking the vendor failed for good"),
            _("%(exam)s: rejected, because asking the vendor failed for good.")),
    LogCode("booking_rejection_reason_authentication_failed_during_bulk_booking", "booking", "rejected",
            _("Rejected: the vendor refused our credentials when the booking was sent"),
            _("%(exam)s: rejected, because the vendor refused our credentials when the booking was sent.")),
    LogCode("booking_rejection_reason_authentication_failed_during_check", "booking", "rejected",
            _("Rejected: the vendor refused our credentials when it was asked"),
            _("%(exam)s: rejected, because the vendor refused our credentials when it was asked.")),
    LogCode("booking_declared_as_confirmed_manually", "booking", "confirmed",
            _("Confirmed by the service desk"),
            _("%(exam)s: confirmed by hand (%(agent)s).")),
    LogCode("booking_rejection_reason_manually_rejected", "booking", "rejected",
            _("Rejected by the service desk"),
            _("%(exam)s: rejected by hand (%(agent)s).")),
    LogCode("proctoring_session_joined_processing_completed", "session", "unchanged",
            _("The candidate's link to the live session is there"),
            _("%(exam)s: the link for candidate %(candidate_number)s is there.")),
    LogCode("proctoring_session_rating_updated_externally", "rating", "unchanged",
            _("The vendor has a rating for this candidate"),
            _("%(exam)s: the vendor has rated candidate %(candidate_number)s.")),
    LogCode("proctoring_session_rating_updated", "rating", "unchanged",
            _("Rating stored"),
            _("%(exam)s: the rating of candidate %(candidate_number)s is stored.")),
    LogCode("proctoring_session_rating_update_failed_but_for_retry_later", "rating", "unchanged",
            _("Fetching the rating failed; it will be tried again"),
            _("%(exam)s: the rating of candidate %(candidate_number)s could not be fetched just now; "
              "it will be tried again.")),
    LogCode("proctoring_session_rating_update_failed", "rating", "unchanged",
            _("Fetching the rating failed for good"),
            _("%(exam)s: the rating of candidate %(candidate_number)s could not be fetched.")),
    LogCode("proctoring_session_rating_update_abandoned_due_to_context_mismatch", "rating", "unchanged",
            _("Rating dropped: it is about another exam or candidate"),
            _("%(exam)s: a rating for candidate %(candidate_number)s was dropped, because it names "
              "another exam or candidate.")),
    LogCode("proctoring_session_rating_update_abandoned_due_to_invalid_payload", "rating", "unchanged",
            _("Rating dropped: it could not be understood"),
            _("%(exam)s: a rating for candidate %(candidate_number)s was dropped, because it could not "
              "be understood.")),
)
# fmt: on

LOG_CODES: dict[str, LogCode] = {one.code: one for one in _ALL}

JOINED = "proctoring_session_joined_processing_completed"
RATING_ANNOUNCED = "proctoring_session_rating_updated_externally"
RATING_STORED = "proctoring_session_rating_updated"
RATING_LATER = "proctoring_session_rating_update_failed_but_for_retry_later"
RATING_FAILED = "proctoring_session_rating_update_failed"
RATING_MISMATCH = "proctoring_session_rating_update_abandoned_due_to_context_mismatch"
RATING_INVALID = "proctoring_session_rating_update_abandoned_due_to_invalid_payload"
CHECK_LATER = "booking_check_failed_but_for_retry_later"
SENDING_ABANDONED = "abandoned_bulk_booking_due_to_incompatible_booking_status"
CHECK_ABANDONED = "abandoned_booking_check_due_to_incompatible_booking_status"


def codes_about(subject: str) -> list[str]:
    """The codes of one subject."""
    return [one.code for one in _ALL if one.subject == subject]
