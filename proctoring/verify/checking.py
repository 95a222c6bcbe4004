"""Check a whole bundle: its files, its signature, its seals, its events."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from proctoring.verify.events import Comparison
from proctoring.verify.findings import ADDED, ALTERED, MISSING, NOTE, Report
from proctoring.verify.layout import ATTEMPT, FORMAT, LISTED, MANIFEST, SEALS, SIGNATURE, VERSION
from proctoring.verify.reading import Bundle, NotABundle
from proctoring.verify.seals import read_chain
from proctoring.verify.signing import is_signed


def check(path: Path, *, roots: Collection[str] = (), keys: Collection[str] = ()) -> Report:
    """What is to be said of a bundle. ``roots``: published elsewhere, and to be found in it. ``keys``: the public keys
    by one of which it must be signed. Both in hexadecimal.

    Raises ``NotABundle``.
    """
    report = Report()
    with Bundle(path) as bundle:
        manifest = _manifest(bundle)
        _check_files(bundle, manifest["files"], report)
        _check_signature(bundle, keys, report)
        attempt = _attempt(bundle, manifest, report)
        chain = read_chain(bundle, attempt, report)
        events = Comparison(chain, attempt, report)
        events.run(bundle)
        _check_numbers(manifest, events, len(chain.places), report)
        _check_roots(bundle, roots, report)
    report.facts |= {
        "attempt": attempt,
        "events": events.count,
        "sealed": events.sealed,
        "seals": len(chain.numbers),
        "made_at": manifest.get("made_at"),
        "anchored": bool(roots or keys),
    }
    return report


def _manifest(bundle: Bundle) -> dict[str, Any]:
    manifest = bundle.json(MANIFEST)
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise NotABundle(f"{MANIFEST} is not that of a bundle of evidence.")
    if manifest.get("version") != VERSION or type(manifest["version"]) is not int:
        raise NotABundle(f"It is of version {ascii(manifest.get('version'))[:20]}, which is not known here.")
    files = manifest.get("files")
    if not isinstance(files, dict) or not all(isinstance(said, dict) for said in files.values()):
        raise NotABundle(f"{MANIFEST} lists no files.")
    if absent := sorted(set(LISTED) - bundle.names):
        raise NotABundle(f"It lacks {', '.join(absent)}.")
    return manifest


def _check_files(bundle: Bundle, files: dict[str, Any], report: Report) -> None:
    for name in LISTED:
        said = files.get(name)
        if said is None:
            report.add(ADDED, f"{name} is not in the manifest.", file=name)
        elif bundle.digest(name) != (said.get("sha256"), said.get("bytes")):
            report.add(ALTERED, f"{name} is not the file that the manifest is about.", file=name)
    for name in sorted(set(files) - set(LISTED)):
        report.add(MISSING, f"The manifest speaks of {ascii(name)[:80]}, which no bundle has.", file=MANIFEST)


def _check_signature(bundle: Bundle, keys: Collection[str], report: Report) -> None:
    wanted = {key.lower() for key in keys}
    if SIGNATURE not in bundle.names:
        if wanted:
            report.add(MISSING, "It is not signed.", file=SIGNATURE)
        return
    said = bundle.json(SIGNATURE)
    try:
        key, signature = bytes.fromhex(said["key"]), bytes.fromhex(said["signature"])
    except (TypeError, KeyError, ValueError) as wrong:
        raise NotABundle(f"{SIGNATURE} is none.") from wrong
    if not is_signed(bundle.raw(MANIFEST), key=key, signature=signature):
        report.add(ALTERED, f"The signature is not one of {MANIFEST}.", file=SIGNATURE)
    elif wanted and key.hex() not in wanted:
        report.add(ALTERED, f"It was signed with another key: {key.hex()}.", file=SIGNATURE)
    elif not wanted:
        report.add(NOTE, f"It is signed with the key {key.hex()}; whose that is, you have to know.", file=SIGNATURE)


def _attempt(bundle: Bundle, manifest: dict[str, Any], report: Report) -> int:
    facts = bundle.json(ATTEMPT)
    attempt = facts.get("id") if isinstance(facts, dict) else None
    if type(attempt) is not int:
        raise NotABundle(f"{ATTEMPT} is not about an attempt.")
    if manifest.get("attempt") != attempt:
        report.add(ALTERED, f"{ATTEMPT} and {MANIFEST} are about different attempts.", file=ATTEMPT)
    return attempt


def _check_numbers(manifest: dict[str, Any], events: Comparison, listed: int, report: Report) -> None:
    if manifest.get("events") != events.count:
        text = f"The manifest speaks of {ascii(manifest.get('events'))[:20]} events; there are {events.count}."
        report.add(ALTERED, text, file=MANIFEST)
    if manifest.get("sealed_events") != listed:
        text = f"The manifest speaks of {ascii(manifest.get('sealed_events'))[:20]} sealed events; {listed} are listed."
        report.add(ALTERED, text, file=MANIFEST)


def _check_roots(bundle: Bundle, roots: Collection[str], report: Report) -> None:
    there = {row["root"] for row in bundle.json(SEALS)}
    for root in roots:
        if root.lower() not in there:
            report.add(MISSING, f"No seal has the root {root.lower()}, which was published.", file=SEALS)
