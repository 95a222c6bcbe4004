"""A newer word on something that a receiver was told before: what is taken back, and what it must still hear.

A receiver *may have heard* of a delivery as soon as a worker has begun it, however that ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Model

from proctoring.outbox.models import Delivery, DeliveryStatus, Operation
from proctoring.outbox.services import supersede


@dataclass(frozen=True, kw_only=True, slots=True)
class Word:
    """What holds now in one queue: that of ``attempt`` about ``topic``."""

    attempt: Model
    topic: str
    told: Sequence[Delivery]
    """The deliveries of the queue so far, newest first."""
    operation: Operation | None
    """None: nothing holds any more, and nobody has to be told."""
    argument: str = ""
    is_reversal: bool = False
    """It only takes back what was said: where nothing was, there is nothing to say."""

    def is_said_by(self, delivery: Delivery) -> bool:
        return (delivery.operation, delivery.argument) == (self.operation, self.argument)


def unheard(words: Sequence[Word]) -> list[Word]:
    """Supersede what is due, not begun and contradicts these words; return those that must be promised.

    The caller holds a lock under which alone these queues grow. One statement where something is taken back, another
    where a worker was faster.
    """
    stale = [
        delivery
        for word in words
        for delivery in word.told
        if delivery.status == DeliveryStatus.DUE and delivery.claimed_until is None and not word.is_said_by(delivery)
    ]
    if stale and not supersede(stale):
        now_running = Delivery.objects.filter(pk__in=[one.pk for one in stale]).exclude(
            status=DeliveryStatus.SUPERSEDED
        )
        running = set(now_running.values_list("pk", flat=True))
        stale = [delivery for delivery in stale if delivery.pk not in running]
    for delivery in stale:
        delivery.status = DeliveryStatus.SUPERSEDED
    return [word for word in words if word.operation is not None and _must_be_said(word)]


def _must_be_said(word: Word) -> bool:
    last = next((delivery for delivery in word.told if _may_be_heard(delivery)), None)
    if last is None:
        return not word.is_reversal
    return last.status == DeliveryStatus.SUPERSEDED or not word.is_said_by(last)


def _may_be_heard(delivery: Delivery) -> bool:
    """Whether it counts: it will be, was, or may have been delivered. A repetition by hand begins its tries anew but
    keeps the last error."""
    return delivery.status != DeliveryStatus.SUPERSEDED or delivery.tries > 0 or bool(delivery.last_error)
