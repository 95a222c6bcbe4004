"""Promise, claim, settle. No network here: ``exchange/deliveries.py`` does the calls between claim and settlement."""

from __future__ import annotations

import random
import uuid
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.db.models import Count, F, Model, Q, QuerySet
from django.utils import timezone

from proctoring.conf import settings
from proctoring.errors import BackendAuthenticationError, BackendError, Conflict, LeaseLost
from proctoring.host import provides
from proctoring.outbox.circuits import begin_trial, close_circuit, end_trial, open_circuits, shorten, wished_pause
from proctoring.outbox.models import Delivery, DeliveryKind, DeliveryStatus, DeliveryTarget, Operation
from proctoring.signals import announce, delivery_promised

MAX_BACKOFF_SECONDS = 3600

MAIL_TOPIC = "mail"
HOST_METHODS = {
    Operation.SET_CREDIT: "set_credit_requirement",
    Operation.OVERRIDE_GRADE: "override_grade",
    Operation.UNDO_GRADE_OVERRIDE: "undo_grade_override",
    Operation.INVALIDATE_CERTIFICATE: "invalidate_certificate",
    Operation.RESTORE_CERTIFICATE: "restore_certificate",
    Operation.COMPLETE_CONTENT: "complete_content",
    Operation.RESET_LEARNER_STATE: "reset_learner_state",
    Operation.NOTIFY_SUPPORT: "notify_support",
}
"""The method of the host that each effect is."""


def promise_call(
    *,
    backend: str,
    operation: Operation,
    target: DeliveryTarget,
    target_id: int,
    key: str,
    argument: str = "",
    now: datetime | None = None,
) -> Delivery:
    """Write down a call that we owe to a vendor, in the transaction that makes it due.

    ``key`` is the idempotency key. Whoever promises knows that it is the first time; the unique column holds them
    to it (``IntegrityError``).
    """
    call = owed_call(
        backend=backend,
        operation=operation,
        target=target,
        target_id=target_id,
        key=key,
        argument=argument,
        now=now,
    )
    promise_all([call])
    return call


def promise_effect(
    *,
    operation: Operation,
    attempt: Model,
    topic: str,
    argument: str = "",
    key: str | None = None,
    now: datetime | None = None,
) -> Delivery | None:
    """Write down an effect on the LMS, in the transaction that makes it due. None, and no statement, where the
    configured host does not have it.

    With a ``key`` of the caller's own, the same promise made again is the one that is there; without one every call is
    a new promise.
    """
    effect = owed_effect(operation=operation, attempt=attempt, topic=topic, argument=argument, key=key, now=now)
    if effect is None:
        return None
    try:
        with transaction.atomic():
            promise_all([effect])
    except IntegrityError:
        return Delivery.objects.get(key=effect.key)
    return effect


def promise_mail(*, name: str, attempt: Model, now: datetime | None = None) -> Delivery | None:
    """Write down a mail to the candidate about this attempt. None where the settings say that no mail is sent."""
    letter = owed_mail(name=name, attempt=attempt, now=now)
    promise_all([letter])
    return letter


def promise_all(deliveries: Iterable[Delivery | None]) -> None:
    """Write down what is owed, in the transaction that makes it due, in this order: one statement, however many. None
    is passed over."""
    promised = [one for one in deliveries if one is not None]
    if len(promised) == 1:
        promised[0].save(force_insert=True)
    elif promised:
        Delivery.objects.bulk_create(promised)
        if not connection.features.can_return_rows_from_bulk_insert:
            # MySQL does not tell the keys of many new rows.
            keys = dict(Delivery.objects.filter(key__in=[one.key for one in promised]).values_list("key", "pk"))
            for one in promised:
                one.pk = keys[one.key]
    for one in promised:
        announce(delivery_promised, delivery=one)


def owed_call(
    *,
    backend: str,
    operation: Operation,
    target: DeliveryTarget,
    target_id: int,
    key: str,
    argument: str = "",
    now: datetime | None = None,
) -> Delivery:
    """A call to a vendor, for ``promise_all``."""
    return Delivery(
        kind=DeliveryKind.VENDOR,
        backend=backend,
        operation=operation,
        argument=argument,
        target=target,
        target_id=target_id,
        key=key,
        next_try_at=now or timezone.now(),
    )


def owed_effect(
    *,
    operation: Operation,
    attempt: Model,
    topic: str,
    argument: str = "",
    key: str | None = None,
    now: datetime | None = None,
) -> Delivery | None:
    """An effect on the LMS, for ``promise_all``; None where the configured host does not have it.

    ``topic`` is the queue of ``attempt`` in which it goes.
    """
    if not provides(HOST_METHODS[operation]):
        return None
    return _about(attempt, DeliveryKind.HOST, operation, topic, argument, key, now)


def owed_mail(*, name: str, attempt: Model, now: datetime | None = None) -> Delivery | None:
    """A mail to the candidate, for ``promise_all``; None where none is sent. ``name``: the folder of its templates."""
    if not settings.send_mail:
        return None
    return _about(attempt, DeliveryKind.MAIL, Operation.SEND_MAIL, MAIL_TOPIC, name, None, now)


def _about(
    attempt: Model,
    kind: DeliveryKind,
    operation: Operation,
    topic: str,
    argument: str,
    key: str | None,
    now: datetime | None,
) -> Delivery:
    return Delivery(
        kind=kind,
        operation=operation,
        argument=argument,
        topic=topic,
        target=DeliveryTarget.ATTEMPT,
        target_id=attempt.pk,
        key=key or f"{operation.value}-{uuid.uuid4().hex}",
        next_try_at=now or timezone.now(),
    )


def supersede_waiting(*, operation: Operation, target: DeliveryTarget, target_id: int) -> int:
    """Take back promises of this operation that no worker has begun: a newer one says the same with newer rows."""
    return Delivery.objects.filter(
        operation=operation, target=target, target_id=target_id, status=DeliveryStatus.DUE, claimed_until=None
    ).update(status=DeliveryStatus.SUPERSEDED)


def supersede(deliveries: Collection[Delivery]) -> bool:
    """Take these back as far as no worker has begun them. True where that was all of them. One statement."""
    waiting = Delivery.objects.filter(
        pk__in=[delivery.pk for delivery in deliveries], status=DeliveryStatus.DUE, claimed_until=None
    )
    return waiting.update(status=DeliveryStatus.SUPERSEDED) == len(deliveries)


def claim_due(*, now: datetime, limit: int, worker: str | None = None) -> list[Delivery]:
    """Take up to ``limit`` due deliveries for this worker, oldest first: a fair share from each vendor, of the LMS's
    effects and of the mails.

    A claim is a lease: when its holder dies, it runs out and another worker takes the rows. It counts as a try, so
    that a row which kills its workers is given up in the end. Four statements, and one for each receiver that has due
    rows.
    """
    worker = worker or uuid.uuid4().hex
    resting, trial = open_circuits(now)
    due = Delivery.objects.claimable(now).exclude(backend__in=resting | set(trial)).order_by("next_try_at", "pk")
    waiting = list(due.order_by().values_list("kind", "backend").distinct())
    keys: list[int] = []
    for kind, backend in waiting:
        share = max(1, limit // len(waiting))
        keys += due.filter(kind=kind, backend=backend).values_list("pk", flat=True)[:share]
    for backend in trial:
        first = Delivery.objects.claimable(now).filter(backend=backend).order_by("next_try_at", "pk")
        if (pk := first.values_list("pk", flat=True).first()) and begin_trial(backend, now):
            keys.append(pk)
    if not keys:
        return []
    # A worker that chose the same rows a moment ago has set its claim by now: the condition lets it keep them.
    free = Q(claimed_until__isnull=True) | Q(claimed_until__lte=now)
    Delivery.objects.filter(free, pk__in=keys, status=DeliveryStatus.DUE).update(
        claimed_until=_lease(now), claimed_by=worker, tries=F("tries") + 1
    )
    return list(Delivery.objects.filter(claimed_by=worker, status=DeliveryStatus.DUE, pk__in=keys).order_by("pk"))


def renew(delivery: Delivery, *, now: datetime) -> None:
    """Begin the lease anew just before the call, so that it covers this call and not those before it in the batch.

    Raises ``LeaseLost`` where another worker has the row by now: then the call is not ours to make.
    """
    if not _held(delivery).update(claimed_until=_lease(now)):
        raise LeaseLost("Another worker has taken this delivery over.")


def settle_success(delivery: Delivery, *, now: datetime, duration_ms: int) -> None:
    """Mark as done, in the transaction that applies the answer.

    Raises ``LeaseLost`` where another worker has the row by now: the caller's transaction is then undone, and the
    answer of that other call, which carried the same key, counts.
    """
    _settle(delivery, status=DeliveryStatus.DONE, done_at=now, last_error="", duration_ms=duration_ms)


def settle_moot(delivery: Delivery, *, why: str) -> None:
    """Nothing to call any more: what was promised has lost its object."""
    _settle(delivery, status=DeliveryStatus.SUPERSEDED, last_error=why)
    end_trial(delivery.backend)


def settle_failure(delivery: Delivery, error: BackendError, *, now: datetime, duration_ms: int | None = None) -> None:
    """Note the failure and decide about the next try: later, never (refused), or after a person says so (given up).

    Wrong credentials are given up at once: the vendor's account must not be locked by trying.
    """
    changes: dict[str, object] = {"last_error": shorten(error), "duration_ms": duration_ms}
    if isinstance(error, BackendAuthenticationError) or (error.retryable and exhausted(delivery)):
        changes["status"] = DeliveryStatus.GIVEN_UP
    elif not error.retryable:
        changes["status"] = DeliveryStatus.FAILED
    else:
        changes["next_try_at"] = now + backoff(delivery.tries, error.retry_after)
    _settle(delivery, **changes)


def exhausted(delivery: Delivery) -> bool:
    """Whether the try in hand is the last one."""
    return delivery.tries >= settings.delivery_max_tries


def later_is_done(delivery: Delivery) -> bool:
    """Whether the receiver has heard of something later about the same target: then this one would be a step back."""
    later = Delivery.objects.filter(target=delivery.target, target_id=delivery.target_id, backend=delivery.backend)
    return later.filter(pk__gt=delivery.pk, status=DeliveryStatus.DONE).exists()


def is_outdated(delivery: Delivery) -> bool:
    """Whether something later is promised, or delivered, in the same queue: then that is what holds."""
    later = Delivery.objects.filter(
        kind=delivery.kind,
        target=delivery.target,
        target_id=delivery.target_id,
        topic=delivery.topic,
        pk__gt=delivery.pk,
    )
    return later.exclude(status=DeliveryStatus.SUPERSEDED).exists()


def postpone(delivery: Delivery, *, why: str, until: datetime) -> None:
    """Something else must happen first: wait, without counting a try."""
    _settle(delivery, last_error=why, next_try_at=until, tries=max(0, delivery.tries - 1))
    end_trial(delivery.backend)


def release(delivery: Delivery) -> None:
    """Give the row back untried: this worker has no more time."""
    _settle(delivery, tries=max(0, delivery.tries - 1))


def wake(
    *, operation: Operation, target: DeliveryTarget, target_ids: Collection[int] | QuerySet[Any, Any], now: datetime
) -> None:
    """What a postponed delivery waited for has happened: it is due at once."""
    Delivery.objects.filter(
        operation=operation, target=target, target_id__in=target_ids, status=DeliveryStatus.DUE, next_try_at__gt=now
    ).update(next_try_at=now)


def repeat(delivery: Delivery, *, now: datetime | None = None) -> None:
    """A person wants a refused or given-up delivery tried again, with all its tries, at once.

    Raises ``Conflict`` for a delivery in any other status.
    """
    repeatable = (DeliveryStatus.FAILED, DeliveryStatus.GIVEN_UP)
    with transaction.atomic():
        changed = Delivery.objects.filter(pk=delivery.pk, status__in=repeatable).update(
            status=DeliveryStatus.DUE, tries=0, next_try_at=now or timezone.now(), claimed_until=None, claimed_by=""
        )
        if delivery.kind == DeliveryKind.VENDOR:
            close_circuit(delivery.backend, now=now)
        if not changed:
            raise Conflict("Only a refused or given-up delivery can be repeated.", code="not_repeatable")
        delivery.refresh_from_db()
        announce(delivery_promised, delivery=delivery)


def backoff(tries: int, retry_after: float | None = None, *, first_seconds: int | None = None) -> timedelta:
    """Exponential with full jitter on its upper half; never earlier than the vendor asked for. ``first_seconds``: the
    pause after the first try, by default a delivery's."""
    first = settings.delivery_backoff_seconds if first_seconds is None else first_seconds
    ceiling = min(MAX_BACKOFF_SECONDS, first * 2 ** min(max(tries, 1) - 1, 20))
    # Jitter spreads load; it protects nothing, so an ordinary generator is right.
    seconds = random.uniform(ceiling / 2, ceiling)  # noqa: S311  # nosec B311
    return timedelta(seconds=max(seconds, wished_pause(retry_after)))


def owed_by_backend() -> dict[str, dict[str, int]]:
    """Backend → status → how many calls are owed."""
    calls = Delivery.objects.owed().filter(kind=DeliveryKind.VENDOR)
    rows = calls.order_by().values_list("backend", "status").annotate(n=Count("pk"))
    owed: dict[str, dict[str, int]] = {}
    for backend, status, n in rows:
        owed.setdefault(backend, {})[status] = n
    return owed


def _settle(delivery: Delivery, **changes: object) -> None:
    if not _held(delivery).update(claimed_until=None, claimed_by="", **changes):
        raise LeaseLost("Another worker has taken this delivery over.")


def _held(delivery: Delivery) -> QuerySet[Delivery]:
    return Delivery.objects.filter(pk=delivery.pk, claimed_by=delivery.claimed_by, status=DeliveryStatus.DUE)


def _lease(now: datetime) -> datetime:
    return now + timedelta(seconds=settings.lease_seconds)
