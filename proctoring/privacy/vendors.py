"""What vendors have to forget about a person, and what we forget when they have.

Until a vendor has confirmed, its own ids are all by which it could find the person: they are kept as long as that.
"""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext as _

from proctoring.attempts.models import Attempt
from proctoring.backends import backends
from proctoring.errors import Conflict, UnknownBackend
from proctoring.outbox.models import (
    Delivery,
    DeliveryKind,
    DeliveryQuerySet,
    DeliveryStatus,
    DeliveryTarget,
    Operation,
)
from proctoring.outbox.services import promise_call, repeat
from proctoring.privacy.models import Pseudonym
from proctoring.privacy.pseudonyms import promise_retirement

FORGETTING = (Operation.REMOVE_ATTEMPT, Operation.RETIRE_CANDIDATE)


def promise_forgetting(user_pk: int, *, now: datetime) -> tuple[list[str], int]:
    """Take back what vendors and the person were still to be told, and owe vendors the wish to forget them.

    The caller has locked the person's attempts. Returns the vendors that are told, and how many pseudonyms were retired
    or deleted. Raises ``Conflict`` (``call_in_hand``) while a worker is registering one of the attempts: an
    id that is lost now could never be dropped.
    """
    _withdraw_other_calls(user_pk, now=now)
    told = set()
    for attempt in Attempt.objects.filter(user=user_pk, external_id__isnull=False).order_by("pk"):
        if _promise_removal(attempt, now=now):
            told.add(attempt.backend)
    retired = 0
    for pseudonym in Pseudonym.objects.filter(user=user_pk).order_by("pk"):
        if pseudonym.current_slot is None:
            continue
        retired += 1
        if promise_retirement(pseudonym, now=now):
            Pseudonym.objects.filter(pk=pseudonym.pk).update(current_slot=None, retired_at=now)
            told.add(pseudonym.backend)
        else:
            pseudonym.delete()
    return sorted(told), retired


def record_removed_attempt(attempt_pk: int) -> None:
    """The vendor has dropped the attempt: of an erased person's, its id goes, from all versions. In the caller's
    transaction, which locks the attempt before it looks: an erasure that is under way comes before or after."""
    erased = Attempt.objects.locked().filter(pk=attempt_pk).values_list("erased_at", flat=True).first()
    if erased is not None:
        _forget_external_id(attempt_pk)


def record_retired_candidate(delivery: Delivery) -> None:
    """The vendor has forgotten the person: so do we, under this name. In the caller's transaction."""
    Pseudonym.objects.filter(backend=delivery.backend, value=delivery.argument, current_slot=None).delete()
    Delivery.objects.filter(pk=delivery.pk).update(argument="")


def _withdraw_other_calls(user_pk: int, *, now: datetime) -> None:
    calls = _calls_about(user_pk).owed().exclude(kind=DeliveryKind.HOST).exclude(operation__in=FORGETTING)
    if calls.filter(operation=Operation.REGISTER_ATTEMPT, claimed_until__gt=now).exists():
        raise Conflict(_("A vendor is being called about this person. Try again in a minute."), code="call_in_hand")
    # A worker that has one in hand loses its lease: what it was told is not written down any more.
    calls.update(status=DeliveryStatus.SUPERSEDED, last_error="", claimed_until=None, claimed_by="")


def _calls_about(user_pk: int) -> DeliveryQuerySet:
    keys = list(Attempt.objects.filter(user=user_pk).order_by().values_list("pk", flat=True))
    of_attempts = Q(target=DeliveryTarget.ATTEMPT, target_id__in=keys)
    return Delivery.objects.filter(of_attempts | Q(target=DeliveryTarget.USER, target_id=user_pk))


def _promise_removal(attempt: Attempt, *, now: datetime) -> bool:
    """Owe the vendor the removal, unless it is owed or done already. False where there is nobody to tell."""
    promised = Delivery.objects.filter(
        operation=Operation.REMOVE_ATTEMPT, target=DeliveryTarget.ATTEMPT, target_id=attempt.pk
    ).first()
    if (promised is not None and promised.status == DeliveryStatus.DONE) or not _hears(attempt.backend):
        _forget_external_id(attempt.pk)
        return promised is not None
    if promised is None:
        digest = hashlib.sha256(attempt.code.encode()).hexdigest()[:32]
        promise_call(
            backend=attempt.backend,
            operation=Operation.REMOVE_ATTEMPT,
            target=DeliveryTarget.ATTEMPT,
            target_id=attempt.pk,
            key=f"{Operation.REMOVE_ATTEMPT.value}-{digest}",
            now=now,
        )
    elif promised.status != DeliveryStatus.DUE:
        repeat(promised, now=now)
    return True


def _hears(backend: str) -> bool:
    try:
        return backends[backend].registers_attempts
    except UnknownBackend:
        return True


def _forget_external_id(attempt_pk: int) -> None:
    Attempt.objects.filter(pk=attempt_pk).update(external_id=None)
    Attempt.history.filter(id=attempt_pk).update(external_id=None)
