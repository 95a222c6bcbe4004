"""Forget a person."""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandParser

from proctoring.management.running import RowsCommand, officer, person
from proctoring.privacy.erasure import erase_user


class Command(RowsCommand):
    help = "Erase everything personal about somebody, here and at the vendors. The account itself is the LMS's."
    has_own_transaction = True

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("user", help="Id, user name or e-mail address.")
        parser.add_argument("--reason", required=True, help="Kept in the certificate, without the person's names.")
        parser.add_argument(
            "--also",
            action="append",
            default=[],
            metavar="WORD",
            help="Taken out wherever it stands, whoever is meant; for what was unclear. May be given several times.",
        )
        parser.add_argument("--by", required=True, help="A privacy officer: id, user name or e-mail address.")

    def handle(self, *args: Any, **options: Any) -> None:
        by, who = officer(options["by"]), person(options["user"])

        def erase(user: Any) -> str:
            erasure = erase_user(user, by=by, reason=options["reason"], also=options["also"])
            certificate, unclear = erasure.certificate, erasure.unclear
            facts = {
                "counts": certificate.counts,
                "unclear": unclear.counts,
                "unclear_places": [f"{where.model} {where.key} {where.field}" for where in unclear.places],
                "vendors": certificate.vendors,
            }
            if not self.dry_run:
                facts |= {"certificate": certificate.pk, "digest": certificate.digest}
            return json.dumps(facts, sort_keys=True)

        self.each([who], erase, name=lambda user: f"user {user.pk}")
