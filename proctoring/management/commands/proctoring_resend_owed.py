"""Try again what receivers have refused or what was given up."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from proctoring.management.running import RowsCommand, rows_of
from proctoring.outbox.models import Delivery, DeliveryKind, DeliveryStatus
from proctoring.outbox.services import repeat


class Command(RowsCommand):
    help = "Have refused and given-up deliveries tried again, with all their tries."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("--backend", help="Of this vendor alone.")
        parser.add_argument("--kind", choices=DeliveryKind.values)

    def handle(self, *args: Any, **options: Any) -> None:
        owed = Delivery.objects.filter(status__in=(DeliveryStatus.FAILED, DeliveryStatus.GIVEN_UP))
        wanted = {name: options[name] for name in ("backend", "kind") if options[name]}
        keys = list(owed.filter(**wanted).order_by("pk").values_list("pk", flat=True))
        self.each(rows_of(Delivery, keys), _again, name=lambda row: f"delivery {row.pk}")


def _again(delivery: Delivery) -> str:
    if delivery.status not in (DeliveryStatus.FAILED, DeliveryStatus.GIVEN_UP):
        return "is on its way already"
    repeat(delivery)
    return f"{delivery.operation} for {delivery.target} {delivery.target_id} is due again"
