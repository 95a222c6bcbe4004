"""Give people new ids at a vendor, after a rotation of the keys."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from proctoring.errors import NotConfigured
from proctoring.management.running import RowsCommand, alias, rows_of
from proctoring.privacy.models import Pseudonym
from proctoring.privacy.pseudonyms import outdated, renew


class Command(RowsCommand):
    help = (
        "Replace the ids that an older key made by ids of the newest of PSEUDONYM_KEYS, and have the vendor forget the "
        "old ones where it can. Onboarding that the vendor approved under an old id does not carry over."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("backend")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            keys = list(outdated(alias(options["backend"])).values_list("pk", flat=True))
        except NotConfigured as missing:
            raise CommandError(str(missing)) from missing
        if not keys:
            self.stdout.write("No id is older than the newest key.")
            return
        now = timezone.now()

        def replace(pseudonym: Pseudonym) -> str:
            renew(pseudonym, now=now)
            return "has a new id"

        self.each(rows_of(Pseudonym, keys), replace, name=lambda row: f"user {row.user_id}")
