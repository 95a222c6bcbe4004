"""By which public keys evidence can be known as ours."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError

from proctoring.evidence.signing import public_keys
from proctoring.management.running import RowsCommand


class Command(RowsCommand):
    help = "Print the public halves of the keys that sign evidence, the newest first. They are no secret: publish them."

    def handle(self, *args: Any, **options: Any) -> None:
        keys = public_keys()
        if not keys:
            raise CommandError("Evidence is not signed: PROCTORING['EVIDENCE_KEYS'] is empty.")
        self.each(keys, str, name=lambda key: "Ed25519")
