"""Run a command as a shell would, for real or as a rehearsal."""

from __future__ import annotations

import io
from typing import Any

from django.core.management import CommandError, call_command

from tests.privacy.dump import dump


class Said(str):
    """What a command wrote to standard output; ``err`` has the rest."""

    err = ""


def run(name: str, *arguments: object, fails: str = "", **options: Any) -> Said:
    out, err = io.StringIO(), io.StringIO()
    try:
        call_command(name, *map(str, arguments), stdout=out, stderr=err, **options)
        failed = ""
    except CommandError as error:
        failed = str(error)
    assert (fails in failed) if fails else not failed, (failed, err.getvalue())
    said = Said(out.getvalue())
    said.err = err.getvalue() + failed
    return said


def dry(name: str, *arguments: object, **options: Any) -> Said:
    """The same without consequences: whatever the command says, every table is as it was."""
    before = dump()
    said = run(name, *arguments, "--dry-run", **options)
    assert dump() == before
    return said
