"""Under which ids vendors know a person, for support."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandError, CommandParser

from proctoring.backends import NULL, backends
from proctoring.errors import NotConfigured
from proctoring.management.running import RowsCommand, alias, person
from proctoring.privacy.pseudonyms import candidate_id, known_id


class Command(RowsCommand):
    help = "Print the ids under which vendors know a person. Creates none unless told to."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("user", help="Id, user name or e-mail address.")
        parser.add_argument("--backend", help="One vendor; otherwise all that are configured.")
        parser.add_argument("--create", action="store_true", help="Create the id where there is none yet.")

    def handle(self, *args: Any, **options: Any) -> None:
        who = person(options["user"])
        aliases = [alias(options["backend"])] if options["backend"] else [one for one in backends if one != NULL]

        def show(backend: str) -> str:
            if options["create"]:
                return candidate_id(backend, who.pk)
            return known_id(backend, who.pk) or "none yet"

        try:
            self.each(aliases, show, name=str)
        except NotConfigured as missing:
            raise CommandError(str(missing)) from missing
