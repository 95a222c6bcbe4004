"""``python -m proctoring.verify bundle.zip``: exit status 0 for good, 1 for altered, 2 for what is no bundle."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from proctoring.verify.checking import check
from proctoring.verify.reading import NotABundle

GOOD, BAD, NONE = 0, 1, 2

HEX = re.compile(r"[0-9a-fA-F]{64}")


def main(arguments: Sequence[str] | None = None) -> int:
    given = _parser().parse_args(arguments)
    try:
        report = check(given.bundle, roots=given.root, keys=given.key)
    except NotABundle as wrong:
        said = {"status": "not_a_bundle", "detail": str(wrong)}
        sys.stdout.write(json.dumps(said) + "\n" if given.json else f"NOT A BUNDLE: {wrong}\n")
        return NONE
    sys.stdout.write(json.dumps(report.as_json()) + "\n" if given.json else report.as_text())
    return GOOD if report.is_good else BAD


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m proctoring.verify",
        description="Check a bundle of evidence. Exit status: 0 good, 1 altered, 2 not a bundle.",
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--json", action="store_true", help="say it as one JSON object")
    parser.add_argument(
        "--root", action="append", default=[], type=_hash, help="a root that was published, and must be among the seals"
    )
    parser.add_argument(
        "--key", action="append", default=[], type=_hash, help="a public key by which the bundle may be signed"
    )
    return parser


def _hash(text: str) -> str:
    if not HEX.fullmatch(text):
        raise argparse.ArgumentTypeError("64 hexadecimal digits")
    return text


if __name__ == "__main__":
    sys.exit(main())
