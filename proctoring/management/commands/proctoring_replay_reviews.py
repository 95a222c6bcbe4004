"""Have the reviews that vendors sent in some span of time processed again."""

from __future__ import annotations

from itertools import chain
from typing import Any

from django.core.management.base import CommandError, CommandParser

from proctoring.attempts.models import Attempt
from proctoring.inbox.models import WebhookMessage
from proctoring.inbox.services import replay
from proctoring.management.running import RowsCommand, moment, rows_of
from proctoring.reviews.services import apply_kept_review, attempts_with_waiting_review


class Command(RowsCommand):
    help = (
        "Mark the vendors' messages with reviews that arrived in this span as received, so that workers process them "
        "again, and apply reviews that were kept back. Applying a review twice changes nothing."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--since", type=moment, required=True, help="With its zone.")
        parser.add_argument("--until", type=moment, required=True, help="With its zone; not included.")
        parser.add_argument("--backend", help="Of this vendor alone.")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["since"] >= options["until"]:
            raise CommandError("--until must be after --since.")
        messages = WebhookMessage.objects.filter(
            received_at__gte=options["since"], received_at__lt=options["until"], type__contains="AttemptReviewed"
        )
        waiting = attempts_with_waiting_review()
        if options["backend"]:
            # Any word: messages outlive the configuration of their vendor.
            messages = messages.filter(backend=options["backend"])
            waiting = waiting.filter(backend=options["backend"])
        kept = messages.filter(blanked_at=None).order_by("pk").values_list("pk", flat=True)
        owed = waiting.order_by("pk").values_list("pk", flat=True)
        rows = chain(rows_of(WebhookMessage, list(kept)), rows_of(Attempt, list(owed)))
        self.each(rows, _again, name=lambda row: f"{row._meta.model_name} {row.pk}")


def _again(row: WebhookMessage | Attempt) -> str:
    if isinstance(row, WebhookMessage):
        replay(row)
        return f"of {row.received_at:%Y-%m-%dT%H:%M:%SZ} is going to be processed again"
    applied = apply_kept_review(row)
    return f"review {applied.pk}: {applied.not_applied_reason or 'applied'}" if applied else "no review waits any more"
