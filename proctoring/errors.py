"""Everything that can go wrong, as one tree. No HTTP here: the doors translate (see ``api/errors.py``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


class ProctoringError(Exception):
    """Root of the tree.

    ``code`` is the stable word of the API contract, ``str(error)`` a sentence for people, ``data`` further facts
    that a door may show (never personal data, never a secret).
    """

    code = "error"

    def __init__(self, detail: str = "", *, code: str | None = None, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(detail or self.code.replace("_", " "))
        if code is not None:
            self.code = code
        self.data: Mapping[str, Any] = data or {}


class InvalidInput(ProctoringError):
    """What was sent cannot be understood; ``errors`` maps each field to its sentences."""

    code = "invalid"

    def __init__(self, detail: str = "", *, errors: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(detail or "The input is not valid.")
        self.errors: Mapping[str, Sequence[str]] = errors or {}


class NotPermitted(ProctoringError):
    """The person may see the thing but may not do this to it."""

    code = "permission_denied"


class RuleBroken(ProctoringError):
    """A business rule says no; ``code`` says which one."""

    code = "rule_broken"


class CreationRefused(RuleBroken):
    """An attempt cannot be created now; ``code`` is one of ``attempts.creation.Refusal``."""


class Conflict(ProctoringError):
    """The thing is in a state that does not allow this."""

    code = "conflict"


class IllegalTransition(Conflict):
    """The transition table has no such step for this actor."""

    code = "illegal_transition"


class AttemptExists(Conflict):
    """The person already has an open attempt at this exam."""

    code = "attempt_exists"


class RetryNotPossible(Conflict):
    """The attempt cannot be resumed or repeated."""

    code = "retry_not_possible"


class LeaseLost(Conflict):
    """Another worker took over the row while this one was still busy with it."""

    code = "lease_lost"


class NotConfigured(ProctoringError):
    """A setting that this operation needs is missing."""

    code = "not_configured"


class UnknownBackend(ProctoringError):
    """No vendor is configured under this alias, or its plugin could not be imported."""

    code = "unknown_backend"


class BackendError(ProctoringError):
    """The vendor could not be reached, or did not answer as agreed.

    ``retryable`` alone decides whether the outbox tries again; ``retry_after`` (seconds) is the vendor's own wish.
    """

    code = "backend_error"

    def __init__(self, detail: str = "", *, retryable: bool = True, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retryable = retryable
        self.retry_after = retry_after


class BackendAuthenticationError(BackendError):
    """The vendor refused our credentials. Trying again would only lock the account."""

    code = "backend_authentication_failed"

    def __init__(self, detail: str = "") -> None:
        super().__init__(detail, retryable=False)


class BackendRejected(BackendError):
    """The vendor understood and said no; ``reason`` is its word for why."""

    code = "backend_rejected"

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(detail or f"The vendor refused: {reason}", retryable=False)
        self.reason = reason


class VerificationFailed(ProctoringError):
    """An incoming message does not carry a signature that this backend accepts."""

    code = "not_verified"


class MalformedMessage(ProctoringError):
    """A message is signed but its body is not what the wire describes."""

    code = "malformed"


class UnknownExternalId(ProctoringError):
    """A message speaks of an id that is not stored (yet): ``external_id``."""

    code = "unknown_external_id"

    def __init__(self, external_id: str, detail: str = "") -> None:
        super().__init__(detail or f"nothing here has the id {external_id!r}")
        self.external_id = external_id
