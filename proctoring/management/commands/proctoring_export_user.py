"""Write down everything that is kept about a person."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser

from proctoring.management.running import RowsCommand, person
from proctoring.privacy.export import export_user, sections


class Command(RowsCommand):
    help = "Export what is kept about somebody as JSON, to standard output or into a new file."

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("user", help="Id, user name or e-mail address.")
        parser.add_argument("--output", metavar="FILE", help="A file that does not exist yet.")

    def handle(self, *args: Any, **options: Any) -> None:
        who = person(options["user"])
        if self.dry_run:
            self.each(sections(who.pk), lambda section: f"{sum(1 for _ in section[1])} rows", name=lambda one: one[0])
        elif options["output"]:
            self._write(who, Path(options["output"]))
        else:
            for piece in export_user(who):
                self.stdout.write(piece, ending="")
            self.stdout.write("")

    def _write(self, who: Any, path: Path) -> None:
        try:
            # Exclusive, and readable for its owner alone from the first byte.
            path.touch(mode=0o600, exist_ok=False)
            with path.open("w", encoding="utf-8") as file:
                file.writelines(export_user(who))
        except OSError as failed:
            raise CommandError(f"The file cannot be written: {failed}") from failed
        self.stderr.write(f"Written to {path}.")
