"""The ids under which vendors know people: one per person and backend, kept when keys rotate, useless anywhere else."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from datetime import datetime
from itertools import count

from django.db import IntegrityError, OperationalError, router, transaction
from django.db.models import QuerySet
from django.utils import timezone

from proctoring.backends import backends
from proctoring.conf import settings
from proctoring.errors import NotConfigured, UnknownBackend
from proctoring.outbox.models import DeliveryTarget, Operation
from proctoring.outbox.services import promise_call
from proctoring.privacy.models import Pseudonym

BATCH = 500


def candidate_id(backend: str, user_pk: int) -> str:
    """The id of this person at this vendor: the one in use, or a new one, stored at once.

    A new one is HMAC-SHA-256 under the newest of ``PSEUDONYM_KEYS``: 64 hexadecimal digits. Of two workers that make
    one at the same time both get the winner's. Raises ``NotConfigured`` where there is none yet and no key to make one:
    a primary key is never sent instead.
    """
    return known_id(backend, user_pk) or _make(backend, user_pk, now=timezone.now()).value


def known_id(backend: str, user_pk: int) -> str:
    """The id in use, empty where the vendor has never been told of this person."""
    row = _current(backend).filter(user=user_pk).first()
    return row.value if row else ""


def candidate_ids(backend: str, user_pks: Collection[int]) -> dict[int, str]:
    """Person → the id in use, or a new one. A few statements a batch.

    Raises ``NotConfigured`` as ``candidate_id``.
    """
    found: dict[int, str] = {}
    wanted = sorted(set(user_pks))
    now = timezone.now()
    for at in range(0, len(wanted), BATCH):
        batch = wanted[at : at + BATCH]
        found.update(_ids_in_use(backend, batch))
        fresh = [pk for pk in batch if pk not in found]
        if fresh:
            _make_many(backend, fresh, now=now)
            found.update(_ids_in_use(backend, fresh))
    # Who has come back after they were retired needs the next of their series.
    return found | {pk: _make(backend, pk, now=now).value for pk in wanted if pk not in found}


def people_of(backend: str, values: Collection[str]) -> dict[str, int]:
    """Value → whose id in use it is. Unknown, retired and malformed values are left out. One statement a batch."""
    found: dict[str, int] = {}
    wanted = sorted({value for value in values if len(value) <= 64 and "\x00" not in value})
    for at in range(0, len(wanted), BATCH):
        batch = wanted[at : at + BATCH]
        found.update(_current(backend).filter(value__in=batch).values_list("value", "user_id"))
    # Some databases take "ab" and "AB" for one word.
    return {value: user_id for value, user_id in found.items() if value in set(wanted)}


def outdated(backend: str) -> QuerySet[Pseudonym]:
    """The ids in use that an older key made, in order."""
    return _current(backend).exclude(key_id=_key_id(_newest_key())).order_by("pk")


def renew(pseudonym: Pseudonym, *, now: datetime) -> Pseudonym:
    """Give the person a new id under the newest key and retire this one; the vendor is told to forget it where it can.

    What the vendor keeps under the old id (recordings of past attempts, an approved onboarding) does not carry over.
    Returns the id in use afterwards. Raises ``NotConfigured`` without a key.
    """
    with transaction.atomic():
        # Conditional, so that of two runs one retires it.
        if not Pseudonym.objects.filter(pk=pseudonym.pk, current_slot=1).update(current_slot=None, retired_at=now):
            return _current(pseudonym.backend).get(user=pseudonym.user_id)
        fresh = _make(pseudonym.backend, pseudonym.user_id, now=now)
        promise_retirement(pseudonym, now=now)
    return fresh


def promise_retirement(pseudonym: Pseudonym, *, now: datetime) -> bool:
    """Owe the vendor the wish to forget this id. False where it takes no such wish. The caller has a transaction."""
    if not retires_candidates(pseudonym.backend):
        return False
    promise_call(
        backend=pseudonym.backend,
        operation=Operation.RETIRE_CANDIDATE,
        argument=pseudonym.value,
        target=DeliveryTarget.USER,
        target_id=pseudonym.user_id,
        # Nothing of the id itself: the key outlives it.
        key=f"{Operation.RETIRE_CANDIDATE.value}-{pseudonym.pk}-{pseudonym.created_at:%Y%m%d%H%M%S%f}",
        now=now,
    )
    return True


def retires_candidates(backend: str) -> bool:
    """Whether this vendor forgets people on request. One that cannot be loaded now is owed the call all the same."""
    try:
        return backends[backend].retires_candidates
    except UnknownBackend:
        return True


def _make(backend: str, user_pk: int, *, now: datetime) -> Pseudonym:
    """The first id of the person's series that is not taken. Only a retired one, of a person who has come back, is."""
    key = _newest_key()
    for number in count(1):
        value = _derive(key, backend, user_pk, number)
        if Pseudonym.objects.filter(backend=backend, value=value).exclude(user=user_pk, current_slot=1).exists():
            continue
        try:
            with transaction.atomic():
                return Pseudonym.objects.create(
                    user_id=user_pk, backend=backend, value=value, key_id=_key_id(key), created_at=now
                )
        except IntegrityError:
            winner = _winner(backend, user_pk)
            if winner is not None:
                return winner
    raise AssertionError("an endless loop has ended")  # pragma: no cover


def _ids_in_use(backend: str, user_pks: Collection[int]) -> dict[int, str]:
    return dict(_current(backend).filter(user__in=user_pks).values_list("user_id", "value"))


def _make_many(backend: str, user_pks: Collection[int], *, now: datetime) -> None:
    """The first ids of these people's series, as far as they are free. Whoever makes one at the same moment wins.

    Workers that name the same people may wait for each other's rows in a circle, which MariaDB ends by giving one of
    them up: its ids are the other's, and what is still missing is made one by one.
    """
    key = _newest_key()
    first = {_derive(key, backend, pk, 1): pk for pk in user_pks}
    taken = set(Pseudonym.objects.filter(backend=backend, value__in=first).values_list("value", flat=True))
    rows = [
        Pseudonym(user_id=pk, backend=backend, value=value, key_id=_key_id(key), created_at=now)
        for value, pk in first.items()
        if value not in taken
    ]
    try:
        Pseudonym.objects.bulk_create(rows, ignore_conflicts=True)
    except OperationalError:
        # A transaction around it has gone with it.
        if transaction.get_connection(router.db_for_write(Pseudonym)).in_atomic_block:
            raise


def _winner(backend: str, user_pk: int) -> Pseudonym | None:
    with transaction.atomic():
        # A locking read: the snapshot of a surrounding transaction may be older than the row that was faster.
        return _current(backend).select_for_update().filter(user=user_pk).first()


def _derive(key: str, backend: str, user_pk: int, number: int) -> str:
    message = f"{backend}:{user_pk}" if number == 1 else f"{backend}:{user_pk}:{number}"
    return hmac.new(key.encode(), message.encode(), hashlib.sha256).hexdigest()


def _newest_key() -> str:
    if not settings.pseudonym_keys:
        raise NotConfigured("Set PROCTORING['PSEUDONYM_KEYS'] to a list of strings of 32 characters or more.")
    return settings.pseudonym_keys[0]


def _key_id(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:16]


def _current(backend: str) -> QuerySet[Pseudonym]:
    return Pseudonym.objects.filter(backend=backend, current_slot=1)
