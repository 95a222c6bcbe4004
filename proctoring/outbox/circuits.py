"""Whether calls to a vendor make sense at the moment: one row a vendor, shared by all workers."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db.models import F, Q
from django.utils import timezone

from proctoring.conf import settings
from proctoring.errors import BackendAuthenticationError, BackendError
from proctoring.outbox.models import Circuit, Delivery, DeliveryStatus

MAX_RETRY_AFTER_SECONDS = 24 * 3600
"""A plugin's number is foreign: one that asks for more, or for nonsense, must not stop us for ever."""
MAX_ERROR_LENGTH = 2000


def note_vendor_answered(backend: str, *, now: datetime) -> None:
    """The vendor lives: close its circuit, and let what waited for it go out at once."""
    circuit, _ = Circuit.objects.get_or_create(backend=backend)
    Circuit.objects.filter(pk=circuit.pk).update(failures=0, open_until=None, probing_until=None, last_success_at=now)
    if circuit.open_until is not None:
        _hurry(backend, now)


def note_vendor_failed(backend: str, error: BackendError, *, now: datetime) -> None:
    """Count a failure in a row; at the limit, stop calling for a while.

    ``Retry-After`` stops all calls to that vendor at once: it asked for that. Wrong credentials stop them until a
    person says that they were mended (``close_circuit``, ``repeat``): every further call could lock the account.
    """
    Circuit.objects.get_or_create(backend=backend)
    row = Circuit.objects.filter(backend=backend)
    row.update(failures=F("failures") + 1, last_error=shorten(error), probing_until=None)
    if isinstance(error, BackendAuthenticationError):
        row.update(stopped=True)
        return
    wish = wished_pause(error.retry_after)
    pause = timedelta(seconds=max(settings.circuit_open_seconds, wish))
    row.filter(Q(failures__gte=settings.circuit_failures)).update(open_until=now + pause)
    if wish:
        row.filter(failures__lt=settings.circuit_failures).update(open_until=now + timedelta(seconds=wish))


def close_circuit(backend: str, *, now: datetime | None = None) -> None:
    """A person wants the vendor called again now, whatever we think of it."""
    Circuit.objects.filter(backend=backend).update(failures=0, open_until=None, stopped=False, probing_until=None)
    _hurry(backend, now or timezone.now())


def end_trial(backend: str) -> None:
    """No call was made, so the trial has shown nothing: the next delivery may try."""
    if not backend:  # The LMS and mails have no circuit.
        return
    Circuit.objects.filter(backend=backend, probing_until__isnull=False).update(probing_until=None)


def note_unverified(backend: str, *, now: datetime) -> None:
    """Count a webhook that nobody could believe."""
    Circuit.objects.get_or_create(backend=backend)
    Circuit.objects.filter(backend=backend).update(unverified=F("unverified") + 1, last_unverified_at=now)


def open_circuits(now: datetime) -> tuple[set[str], list[str]]:
    """Backends that rest, and those of which one call may try whether they are back."""
    resting, trial = set(), []
    for circuit in Circuit.objects.filter(Q(open_until__isnull=False) | Q(stopped=True)):
        state = circuit.state(now)
        busy = circuit.probing_until is not None and circuit.probing_until > now
        if state == "half_open" and not busy:
            trial.append(circuit.backend)
        else:
            resting.add(circuit.backend)
    return resting, trial


def begin_trial(backend: str, now: datetime) -> bool:
    """Whether this worker is the one that tries."""
    free = Q(probing_until__isnull=True) | Q(probing_until__lte=now)
    until = now + timedelta(seconds=settings.lease_seconds)
    return bool(Circuit.objects.filter(free, backend=backend).update(probing_until=until))


def wished_pause(retry_after: float | None) -> float:
    """The pause that a vendor asked for, in seconds and within bounds; 0 where it asked for none."""
    return min(retry_after, MAX_RETRY_AFTER_SECONDS) if retry_after is not None and retry_after > 0 else 0


def _hurry(backend: str, now: datetime) -> None:
    """Backoff was about a vendor that was away: it is back."""
    Delivery.objects.filter(backend=backend, status=DeliveryStatus.DUE, tries__gt=0, next_try_at__gt=now).update(
        next_try_at=now
    )


def shorten(error: Exception) -> str:
    """A failure as a row keeps it: its kind and its words, cut."""
    return f"{type(error).__name__}: {error}"[:MAX_ERROR_LENGTH]
