"""An LMS that has every effect and writes down what it is asked, and the way to look at what it is owed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

import time_machine

from proctoring.attempts.models import Attempt
from proctoring.exchange.deliveries import carry_out
from proctoring.host import CreditStatus, host
from proctoring.outbox.models import Delivery, DeliveryKind
from proctoring.outbox.services import claim_due
from tests.factories import at
from tests.hosts import ScriptedHost, configure

EVENING = at(22, 0)
"""After all that happens in a test."""


class EffectsHost(ScriptedHost):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, ...]] = []
        """Method and what else it was given, person and exam left out."""
        self.keys: list[str] = []
        self.failing: dict[str, Exception] = {}
        """Method → what it raises instead."""
        self.look: Callable[[], Any] = lambda: None
        """Called in the middle of every call."""

    def _note(self, method: str, *rest: object, key: str) -> None:
        self.look()
        self.keys.append(key)
        if method in self.failing:
            raise self.failing[method]
        self.calls.append((method, *(str(one) for one in rest)))

    def set_credit_requirement(
        self, user: Any, course_id: str, content_id: str, status: CreditStatus, *, key: str
    ) -> None:
        assert isinstance(status, CreditStatus)
        self._note("credit", status.value, key=key)

    def override_grade(self, user: Any, course_id: str, content_id: str, *, key: str) -> None:
        self._note("override", key=key)

    def undo_grade_override(self, user: Any, course_id: str, content_id: str, *, key: str) -> None:
        self._note("undo", key=key)

    def invalidate_certificate(self, user: Any, course_id: str, *, key: str) -> None:
        self._note("invalidate", key=key)

    def restore_certificate(self, user: Any, course_id: str, *, key: str) -> None:
        self._note("restore", key=key)

    def complete_content(self, user: Any, course_id: str, content_id: str, *, key: str) -> None:
        self._note("complete", key=key)

    def reset_learner_state(self, user: Any, course_id: str, content_id: str, *, key: str) -> None:
        self._note("reset", key=key)

    def notify_support(self, course_id: str, content_id: str, *, review_status: str, attempt_id: int, key: str) -> None:
        self._note("support", review_status, attempt_id, key=key)


def effects(settings: Any) -> EffectsHost:
    """Configure ``EffectsHost`` for one test and return the instance in use."""
    configure(settings, HOST="tests.effecting.EffectsHost")
    instance = host()
    assert isinstance(instance, EffectsHost)
    return instance


def owed(*, kind: DeliveryKind = DeliveryKind.HOST) -> list[str]:
    """What is due, oldest first: operation, and with what."""
    rows = Delivery.objects.filter(kind=kind, status="due").order_by("pk")
    return [f"{row.operation} {row.argument}".strip() for row in rows]


def mails_owed() -> list[str]:
    return [line.removeprefix("send_mail ") for line in owed(kind=DeliveryKind.MAIL)]


def work(now: datetime = EVENING) -> None:
    """What the task does, at a moment of the test's choice."""
    with time_machine.travel(now, tick=False):
        while claimed := claim_due(now=now, limit=10):
            for delivery in claimed:
                carry_out(delivery)


def reread(attempt: Attempt) -> Attempt:
    return Attempt.objects.select_related("exam", "user").get(pk=attempt.pk)
