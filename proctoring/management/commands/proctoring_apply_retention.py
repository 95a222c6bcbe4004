"""Empty what has been kept long enough, now."""

from __future__ import annotations

from typing import Any

from proctoring.management.running import RowsCommand
from proctoring.privacy.retention import Sweep


class Command(RowsCommand):
    help = (
        "Empty message bodies, links to recordings and reviews that are older than the settings allow and under no "
        "legal hold. A task does the same every day. --limit stops after the batch that reaches it."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        sweep = Sweep(dry_run=self.dry_run)
        for name, rows in sweep.batches():
            self.stderr.write(f"{name}: {rows} rows …")
            if self.limit is not None and sweep.counts.total() >= self.limit:
                break
        for name, rows in sorted(sweep.counts.items()):
            self.stdout.write(f"{name}: {rows} {'would be emptied' if self.dry_run else 'emptied'}")
        if sweep.certificate is not None:
            self.stdout.write(f"certificate {sweep.certificate.pk}, digest {sweep.certificate.digest}")
        if not sweep.counts:
            self.stdout.write("Nothing is old enough.")
