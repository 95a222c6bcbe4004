"""The interface that every vendor plugin implements. A plugin translates; it never decides and never stores."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import ClassVar

from proctoring.backends.live import (
    BookingAnswer,
    BookingLimits,
    BookingReport,
    BookingRequest,
    RatingPage,
    SessionPage,
)
from proctoring.backends.types import (
    AttemptRegistration,
    ExamRegistration,
    IncomingRequest,
    LaunchData,
    OnboardingPage,
    Progress,
    RegisteredAttempt,
    VendorEvent,
    VerifiedMessage,
)


class Unsupported(Exception):
    """A plugin was asked for something that its capability flags do not claim: a mistake in the code."""


class Backend:
    """One vendor. Options of ``PROCTORING["BACKENDS"][alias]["OPTIONS"]`` are the keyword arguments of ``__init__``.

    An instance is shared by all threads of a process. Every method that talks to the vendor raises
    ``BackendError`` (``retryable``, ``retry_after``), ``BackendAuthenticationError`` or ``BackendRejected``,
    and nothing else; each takes ``key``, which is the same on every repetition of the same call and is to be
    sent as an idempotency key where the wire has room for one.
    """

    alias: str = ""
    """Set by the registry: the name under which settings configure this instance."""

    verbose_name: ClassVar[str] = ""
    """The vendor's name as people see it; the alias where it is empty."""

    registers_exams: ClassVar[bool] = False
    """The vendor wants to hear about exams (``register_exam``) before attempts."""

    registers_attempts: ClassVar[bool] = False
    """The vendor hears about attempts: ``register_attempt``, ``report_progress``, ``remove_attempt``."""

    announces_readiness: ClassVar[bool] = False
    """A candidate may start only after the vendor's ``AttemptReady``; without it the clock starts on a click."""

    takes_live_bookings: bool = False
    """Proctors are reserved for a window before the exam: ``book``, ``fetch_booking``, ``cancel_booking``,
    ``list_sessions``."""

    booking_limits: BookingLimits = BookingLimits()
    """What can be booked. An instance may set its own, from its options."""

    gives_ratings: bool = False
    """Risk ratings come after the exam, and can be read as a list (``list_ratings``)."""

    has_dashboard: ClassVar[bool] = False
    """``dashboard_url`` answers."""

    supports_onboarding: ClassVar[bool] = False
    """The vendor keeps profiles of candidates whose identity it knows, and lists them (``list_onboarding``)."""

    retires_candidates: ClassVar[bool] = False
    """The vendor forgets a person on request (``retire_candidate``)."""

    sends_events: ClassVar[bool] = False
    """Events arrive while an exam runs."""

    receives_webhooks: ClassVar[bool] = False
    """``verify`` and ``parse`` answer; without it ``webhooks/<alias>/`` does not exist."""

    signs_body: ClassVar[bool] = True
    """False where the scheme cannot notice an altered body: its messages are hints to ask, not facts."""

    def check(self) -> Iterable[str]:
        """Sentences about wrong options, for ``manage.py check``. No network."""
        return ()

    def register_exam(self, exam: ExamRegistration, *, key: str) -> str:
        """Create or update the exam at the vendor. Return the vendor's id (1 to 255 characters)."""
        raise Unsupported(f"{type(self).__name__} does not register exams")

    def register_attempt(self, attempt: AttemptRegistration, *, key: str) -> RegisteredAttempt:
        """Make the attempt known to the vendor."""
        raise Unsupported(f"{type(self).__name__} does not register attempts")

    def fetch_launch(self, exam_external_id: str, attempt_external_id: str, *, language: str) -> LaunchData:
        """Ask what the candidate needs to begin; called once where the registration's answer did not say."""
        raise Unsupported(f"{type(self).__name__} has no launch data")

    def report_progress(self, exam_external_id: str, attempt_external_id: str, progress: Progress, *, key: str) -> None:
        """Tell the vendor that the attempt started, ended or failed."""
        raise Unsupported(f"{type(self).__name__} does not hear about attempts")

    def remove_attempt(self, exam_external_id: str, attempt_external_id: str, *, key: str) -> None:
        """Ask the vendor to drop the attempt and what it recorded. One that is already gone is a success."""
        raise Unsupported(f"{type(self).__name__} does not hear about attempts")

    def list_onboarding(self, course_id: str, *, cursor: str) -> OnboardingPage:
        """One page of the profiles of a course's candidates. ``cursor`` is empty, or a page's ``next_cursor``."""
        raise Unsupported(f"{type(self).__name__} keeps no profiles")

    def retire_candidate(self, candidate_id: str, *, key: str) -> None:
        """Forget everything about a person. One who is not known (any more) is a success."""
        raise Unsupported(f"{type(self).__name__} does not forget people on request")

    def book(self, bookings: Sequence[BookingRequest], *, key: str) -> Sequence[BookingAnswer]:
        """Ask for proctors, many bookings in one call. Answers may come in any order; a booking without one is sent
        again. A reference that the vendor holds already is the same booking: accepted, under the id it has."""
        raise Unsupported(f"{type(self).__name__} takes no bookings")

    def fetch_booking(self, external_id: str) -> BookingReport:
        """Ask how a booking stands."""
        raise Unsupported(f"{type(self).__name__} takes no bookings")

    def cancel_booking(self, external_id: str, *, reference: str, key: str) -> None:
        """Give the proctors back. A booking that is already gone, or never arrived, is a success.

        ``external_id`` is empty where the vendor's answer to the booking never came: then ``reference``, ours, is all.
        """
        raise Unsupported(f"{type(self).__name__} takes no bookings")

    def list_sessions(self, exam_external_id: str, *, cursor: str) -> SessionPage:
        """One page of an exam's live sessions. ``cursor`` is empty, or a page's ``next_cursor``."""
        raise Unsupported(f"{type(self).__name__} has no live sessions")

    def list_ratings(self, *, since: datetime | None, cursor: str) -> RatingPage:
        """One page of the ratings given since then, the oldest first. ``cursor`` is empty, or a page's
        ``next_cursor``."""
        raise Unsupported(f"{type(self).__name__} gives no ratings")

    def dashboard_url(
        self, *, course_id: str, user_label: str, exam_external_id: str = "", attempt_external_id: str = ""
    ) -> str:
        """A link for staff to the vendor's own pages, signed where the vendor wants it. No network."""
        raise Unsupported(f"{type(self).__name__} has no dashboard")

    def verify(self, request: IncomingRequest, *, now: datetime) -> VerifiedMessage:
        """Establish that the vendor sent this.

        Raises ``VerificationFailed`` for every request that is not provably the vendor's, whatever its shape.
        """
        raise Unsupported(f"{type(self).__name__} receives no webhooks")

    def parse(self, body: bytes) -> Sequence[VendorEvent]:
        """Translate a verified body. Raises ``MalformedMessage``; a type without meaning here is ``UnknownEvent``."""
        raise Unsupported(f"{type(self).__name__} receives no webhooks")
