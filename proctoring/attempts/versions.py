"""History rows of attempts that are written together: of several attempts, or of several steps of one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.conf import settings as django_settings
from django.db import transaction
from django.utils import timezone

from proctoring.attempts.models import Attempt

if TYPE_CHECKING:
    from proctoring.host import User


class Versions:
    """Rows that wait for one another, in the transaction in which their attempts are saved."""

    def __init__(self) -> None:
        self._rows: list[Any] = []

    def take(self, attempt: Attempt, *, is_new: bool, by: User | None, reason: str) -> None:
        """The attempt as it is now."""
        model = Attempt.history.model
        row = model(
            history_date=timezone.now(),
            history_type="+" if is_new else "~",
            history_user=by,
            history_change_reason=reason,
            **{field.attname: getattr(attempt, field.attname) for field in model.tracked_fields},
        )
        self._rows.append(row)

    def write(self) -> None:
        # Where the LMS has turned histories off, simple-history writes none either.
        if getattr(django_settings, "SIMPLE_HISTORY_ENABLED", True):
            Attempt.history.bulk_create(self._rows)


@contextmanager
def versions_together() -> Iterator[Versions]:
    """A transaction at whose end the history rows that were taken in it are written, in one statement."""
    with transaction.atomic():
        versions = Versions()
        yield versions
        versions.write()
