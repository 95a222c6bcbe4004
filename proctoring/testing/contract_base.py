"""What the halves of the contract share: making the backend, its claimed calls, looking for secrets in errors."""

from __future__ import annotations

import json
import traceback
import unittest
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, TypeVar

from proctoring.backends.base import Backend
from proctoring.backends.live import BookedCandidate, BookingRequest
from proctoring.backends.types import AttemptRegistration, ExamRegistration, ExamType, Progress
from proctoring.errors import BackendError
from proctoring.testing.vendor_stub import Reply, VendorStub, VendorStubRequest

Result = TypeVar("Result")

KEY = "0b54ad9c-contract-key"
STANDARD_SECRET = "whsec_Y29udHJhY3QtbmV3LXNlY3JldC1jb250cmFjdC1uZXc="  # noqa: S105 - made for tests
STANDARD_OLD_SECRET = "whsec_Y29udHJhY3Qtb2xkLXNlY3JldC1jb250cmFjdC1vbGQ="  # noqa: S105 - made for tests

EXAM = ExamRegistration(
    course_id="course-v1:Acme+Chemistry+2030",
    content_id="block-v1:Acme+Chemistry+2030+type@exam+block@final",
    name="Chemistry ½",
    exam_type=ExamType.PROCTORED,
    time_limit_minutes=90,
    is_active=True,
    due_at=datetime(2030, 1, 1, 12, tzinfo=UTC),
)
ATTEMPT = AttemptRegistration(
    exam_external_id="exam 1/é",
    candidate_id="c4nd1d4te",
    full_name="Zoë Ünal",
    email="zoe@example.com",
    time_limit_minutes=120,
    is_sample=False,
    review_policy="",
    lms_host="https://lms.example.com",
)
BOOKINGS = tuple(
    BookingRequest(
        reference=f"c0ffee-{part}",
        exam_external_id=ATTEMPT.exam_external_id,
        starts_at=datetime(2030, 1, 1, 9, tzinfo=UTC),
        ends_at=datetime(2030, 1, 1, 12, tzinfo=UTC),
        reserved_from=datetime(2030, 1, 1, 8, 45, tzinfo=UTC),
        reserved_until=datetime(2030, 1, 1, 12, 10, tzinfo=UTC),
        ratio=4,
        candidates=tuple(
            BookedCandidate(number=number, candidate_id=f"{ATTEMPT.candidate_id}-{part}-{number}") for number in (1, 2)
        ),
    )
    for part in (1, 2)
)
SINCE = BOOKINGS[0].ends_at + timedelta(hours=1)

STRANGE: tuple[Any, ...] = (None, True, -1, 10**30, 1e300, "", ".", "x" * 5000, "a\x00", "\ud800", [], {}, [[[]]])
"""What no vendor says on purpose."""
NO_DOCUMENTS = (b"", b"{", b"<html>", b"null", b'"list"', b"\xff\xfe", b"[" * 100_000, b'{"count": NaN}')


class ContractBase:
    """The part of the contract that a vendor fills in."""

    credentials: ClassVar[Sequence[str]] = ()
    """Secrets of the outgoing half that ``make_backend`` uses, at least 4 characters each."""

    secrets: ClassVar[Sequence[str]] = (STANDARD_SECRET, STANDARD_OLD_SECRET)
    """Webhook secrets that ``make_backend`` configures, all accepted at once; one where the vendor cannot rotate."""

    timeout: ClassVar[float] = 0.8
    """Seconds; ``make_backend`` sets every deadline of the backend to it."""

    def make_backend(self, base_url: str, *, timeout: float) -> Backend:
        """Return the backend with good options, calling the vendor at ``base_url``, with short deadlines."""
        raise NotImplementedError

    def prepare(self, request: VendorStubRequest) -> Reply | None:
        """Answer well what comes before the calls under test, such as the request for a token; None for the rest."""
        return None

    def backend(self, base_url: str = "http://127.0.0.1:9") -> Backend:
        backend = self.make_backend(base_url, timeout=self.timeout)
        backend.alias = backend.alias or "contract"
        return backend

    def require(self, flag: str) -> Backend:
        """Skip the test, visibly, unless the backend claims ``flag``."""
        backend = self.backend()
        if not getattr(backend, flag):
            raise unittest.SkipTest(f"{type(backend).__name__} does not claim {flag}")
        return backend

    def server(self) -> VendorStub:
        return VendorStub(self.prepare)

    def calls(self, backend: Backend) -> Mapping[str, Callable[[], object]]:
        """The outgoing calls that the backend claims, by name."""
        calls: dict[str, Callable[[], object]] = {}
        exam, attempt = ATTEMPT.exam_external_id, "attempt 1/é"
        if backend.registers_exams:
            calls["register_exam"] = lambda: backend.register_exam(EXAM, key=KEY)
        if backend.registers_attempts:
            calls["register_attempt"] = lambda: backend.register_attempt(ATTEMPT, key=KEY)
            calls["report_progress"] = lambda: backend.report_progress(exam, attempt, Progress.STARTED, key=KEY)
            calls["remove_attempt"] = lambda: backend.remove_attempt(exam, attempt, key=KEY)
            if type(backend).fetch_launch is not Backend.fetch_launch:
                calls["fetch_launch"] = lambda: backend.fetch_launch(exam, attempt, language="de-at")
        if backend.supports_onboarding:
            calls["list_onboarding"] = lambda: backend.list_onboarding(EXAM.course_id, cursor="")
        if backend.retires_candidates:
            calls["retire_candidate"] = lambda: backend.retire_candidate(ATTEMPT.candidate_id, key=KEY)
        calls.update(self._live_calls(backend))
        if not calls:
            flags = (
                "registers_exams, registers_attempts, supports_onboarding, retires_candidates, takes_live_bookings "
                "nor gives_ratings"
            )
            raise unittest.SkipTest(f"{type(backend).__name__} claims neither {flags}")
        return calls

    def _live_calls(self, backend: Backend) -> Mapping[str, Callable[[], object]]:
        calls: dict[str, Callable[[], object]] = {}
        reference = BOOKINGS[0].reference
        if backend.takes_live_bookings:
            calls["book"] = lambda: backend.book(BOOKINGS, key=KEY)
            calls["fetch_booking"] = lambda: backend.fetch_booking("booking 1/é")
            calls["cancel_booking"] = lambda: backend.cancel_booking("booking 1/é", reference=reference, key=KEY)
            calls["list_sessions"] = lambda: backend.list_sessions(ATTEMPT.exam_external_id, cursor="")
        if backend.gives_ratings:
            calls["list_ratings"] = lambda: backend.list_ratings(since=SINCE, cursor="")
        return calls

    def outcomes(
        self, call: Callable[[Backend], Result], bodies: Iterable[bytes]
    ) -> Iterator[tuple[bytes, Result | BackendError]]:
        """Each body as the vendor's answer to ``call``, and what that returns or raises."""
        with self.server() as stub:
            backend = self.backend(stub.url)
            for body in bodies:
                stub.reply = Reply(body=body)
                try:
                    yield body, call(backend)
                except BackendError as error:
                    yield body, error

    def assert_retryable(self, call: Callable[[Backend], object], bodies: Iterable[bytes]) -> None:
        for body, outcome in self.outcomes(call, bodies):
            assert isinstance(outcome, BackendError), f"{body[:20]!r} was taken for an answer: {outcome!r}"
            assert outcome.retryable, f"{body[:20]!r} was taken for final"

    def tolerated(self, call: Callable[[Backend], Result], good: bytes, strange: Any) -> list[Result]:
        """What comes of ``good``, JSON, with ``strange`` in each of its places, where that is not refused."""
        bodies = (json.dumps(body).encode() for body in altered(json.loads(good), strange))
        return [outcome for _, outcome in self.outcomes(call, bodies) if not isinstance(outcome, BackendError)]

    def assert_keeps_secrets(self, error: BaseException) -> None:
        told = "".join(traceback.format_exception(error)) + str(error) + repr(error) + repr(vars(error))
        for secret in (*self.credentials, *self.secrets):
            assert secret not in told, f"a secret stands in the text of {type(error).__name__}"


def altered(value: Any, strange: Any) -> list[Any]:
    """The document again and again, each time with ``strange`` in another place."""
    versions = [strange]
    if isinstance(value, dict):
        for name, item in value.items():
            versions += [{**value, name: version} for version in altered(item, strange)]
    elif isinstance(value, list):
        for at, item in enumerate(value):
            versions += [[*value[:at], version, *value[at + 1 :]] for version in altered(item, strange)]
    return versions
