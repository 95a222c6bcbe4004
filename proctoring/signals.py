"""Facts that the app announces once they are committed. Receivers get the row; a failing one is logged, not raised."""

from __future__ import annotations

import logging
from typing import Any

from django.db import transaction
from django.dispatch import Signal

logger = logging.getLogger(__name__)

exam_saved = Signal()
"""``exam``: an exam was created or changed."""

attempt_status_changed = Signal()
"""``attempt``, ``old`` (empty when it was created), ``new``."""

attempt_registered = Signal()
"""``attempt``: the vendor gave its id."""

deadline_changed = Signal()
"""``attempt``: its ``expires_at`` moved while it was running."""

review_received = Signal()
"""``review``: a review was stored, applied or not."""

booking_status_changed = Signal()
"""``booking``, ``old``, ``new``."""

booking_check_wanted = Signal()
"""``booking``: the vendor is to be asked about it now."""

rating_announced = Signal()
"""``session``: the vendor has a rating of it that is to be fetched."""

log_sealed = Signal()
"""``seal``: a log was sealed. Its ``root`` is worth most where the owner of this database cannot change it."""

delivery_promised = Signal()
"""``delivery``: a row of the outbox is due."""

message_received = Signal()
"""``message``: a row of the inbox waits to be processed."""


def announce(fact: Signal, **facts: Any) -> None:
    """Send ``fact`` after the surrounding transaction has committed (at once outside of one)."""

    def send() -> None:
        for receiver, answer in fact.send_robust(sender=None, **facts):
            if isinstance(answer, Exception):
                logger.error("receiver %r failed", receiver, exc_info=answer)

    transaction.on_commit(send)
