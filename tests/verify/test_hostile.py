"""Files that are no bundles, made to hurt: refused soon, and with little memory."""

from __future__ import annotations

import hashlib
import json
import os
import struct
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from proctoring.verify import reading
from proctoring.verify.checking import check
from proctoring.verify.layout import EVENTS, LEAVES, LISTED, MANIFEST
from proctoring.verify.reading import NotABundle

ROOT = Path(__file__).resolve().parent.parent.parent
EMPTY: dict[str, bytes] = {
    "attempt.json": b'{"id":1}',
    "events.ndjson": b"",
    "leaves.ndjson": b"",
    "seals.json": b"[]",
    "timeline.ndjson": b"",
    "ledger.json": b"[]",
    "reviews.json": b"[]",
}


def manifest(files: dict[str, bytes], **more: Any) -> bytes:
    listed = {name: {"sha256": hashlib.sha256(text).hexdigest(), "bytes": len(text)} for name, text in files.items()}
    facts = {"format": "proctoring.evidence", "version": 1, "attempt": 1, "events": 0, "sealed_events": 0}
    return json.dumps({**facts, "files": listed, **more}).encode()


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Path]:
    """A bundle without events, with these files changed."""

    def write(changed: dict[str, bytes] | None = None, *, also: tuple[tuple[str, bytes], ...] = ()) -> Path:
        files = {**EMPTY, **(changed or {})}
        files.setdefault(MANIFEST, manifest({name: files[name] for name in LISTED}))
        path = tmp_path / "bundle.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as whole:
            for name, text in (*files.items(), *also):
                whole.writestr(name, text)
        return path

    return write


@pytest.fixture(autouse=True)
def _soon() -> Iterator[None]:
    begin = time.process_time()
    yield
    assert time.process_time() - begin < 10


def test_an_empty_one_is_good(make: Callable[..., Path]) -> None:
    assert check(make()).is_good


@pytest.mark.parametrize("text", [b"", b"x", b"PK", b"PK\x05\x06" + b"\x00" * 18, os.urandom(5000), b"\x00" * 100_000])
def test_what_is_no_zip(text: bytes, tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    path.write_bytes(text)
    with pytest.raises(NotABundle):
        check(path)


def test_what_is_not_there(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nothing"):
        with pytest.raises(NotABundle):
            check(path)


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/x", "C:\\x", "events.ndjson/", "EVENTS.NDJSON", "\x1b[2J"])
def test_names_that_are_no_bundles(name: str, make: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(NotABundle) as refused:
        check(make(also=((name, b"x"),)))
    assert "\x1b" not in str(refused.value)
    assert [one.name for one in tmp_path.iterdir()] == ["bundle.zip"]


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_twice(make: Callable[..., Path]) -> None:
    with pytest.raises(NotABundle, match="same name"):
        check(make(also=((EVENTS, b"{}"),)))


def test_a_bomb(make: Callable[..., Path]) -> None:
    for name in (EVENTS, LEAVES, MANIFEST, "seals.json"):
        with pytest.raises(NotABundle, match="larger than"):
            check(make({name: b" " * 20_000_000}))


def test_a_candidate_cannot_make_evidence_that_looks_like_a_bomb(make: Callable[..., Path]) -> None:
    """Rows as long as the intake takes them, of one letter, and a reviewer who says the same a hundred times."""
    salts = (os.urandom(16).hex() for _ in range(2000))
    rows = b"".join(
        json.dumps({"public": {"id": 1}, "salt": salt, "data": "a" * 8100}).encode() + b"\n" for salt in salts
    )
    assert check(make({EVENTS: rows, "reviews.json": b'["' + b"a" * 5_000_000 + b'"]'})).facts["events"] == 2000


def test_a_bomb_that_lies_about_its_size(make: Callable[..., Path]) -> None:
    path = make({EVENTS: b" " * 3_000_000})
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"PK\x01\x02", 0, raw.rindex(EVENTS.encode()))
    raw[at + 24 : at + 28] = struct.pack("<I", 10)
    path.write_bytes(raw)
    with pytest.raises(NotABundle):
        check(path)


def test_more_files_than_a_bundle(make: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(NotABundle, match="more files"):
        check(make(also=tuple((f"{number}", b"") for number in range(5000))))


def test_two_gigabytes_of_directory_are_not_read(make: Callable[..., Path]) -> None:
    path = make()
    raw = path.read_bytes()
    end = raw.rindex(b"PK\x05\x06")
    locator = b"PK\x06\x07" + struct.pack("<LQL", 0, 0, 1)
    path.write_bytes(raw[:end] + locator + raw[end:])
    with pytest.raises(NotABundle, match="does not end"):
        check(path)


@pytest.mark.parametrize("flags", [0x1, 0x40])
def test_an_encrypted_file(flags: int, make: Callable[..., Path]) -> None:
    path = make()
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"PK\x01\x02", 0, raw.rindex(EVENTS.encode()))
    raw[at + 8] |= flags
    path.write_bytes(raw)
    with pytest.raises(NotABundle):
        check(path)


DEEP = b"[" * 200_000
BROKEN = [b"{", b"\xff\xfe", b"NaN", b'{"id":1,"id":2}', b"[1e999]" + b"," * 3, b"9" * 5000, DEEP, b'{"a":' * 40_000]


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
@pytest.mark.parametrize("name", [MANIFEST, "attempt.json", "seals.json", EVENTS, LEAVES, "signature.json"])
def test_broken_json(name: str, text: bytes, make: Callable[..., Path]) -> None:
    with pytest.raises(NotABundle):
        check(make({name: text}))


@pytest.mark.parametrize("name", [EVENTS, LEAVES])
def test_a_line_without_an_end(name: str, make: Callable[..., Path]) -> None:
    with pytest.raises(NotABundle):
        check(make({name: b'"' + os.urandom(300_000).hex().encode() + b'"'}))


def test_more_lines_than_a_log_has(make: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    row = b'{"public":{"id":1}}\n'
    monkeypatch.setattr(reading, "LARGEST", {**reading.LARGEST, EVENTS: 11 * len(row)})
    monkeypatch.setattr(reading, "SHORTEST_LINE", 2 * len(row))
    with pytest.raises(NotABundle, match="too many"):
        check(make({EVENTS: row * 11}))


def test_a_log_may_have_as_many_lines_as_its_bytes_are_rows() -> None:
    assert reading.LARGEST[EVENTS] // reading.SHORTEST_LINE > 10_000_000
    assert reading.LARGEST[LEAVES] // reading.SHORTEST_LINE > 5_000_000


ODD: list[tuple[str, Any]] = [
    (MANIFEST, []),
    (MANIFEST, {"format": "proctoring.evidence", "version": True, "files": {}}),
    (MANIFEST, {"format": "proctoring.evidence", "version": 2, "files": {}}),
    (MANIFEST, {"format": "proctoring.evidence", "version": 1, "files": []}),
    (MANIFEST, {"format": "proctoring.evidence", "version": 1, "files": {"attempt.json": 7}}),
    ("attempt.json", {"id": "1"}),
    ("attempt.json", 7),
    ("seals.json", {}),
    ("seals.json", [{}]),
    ("seals.json", [7]),
    (EVENTS, 7),
    (EVENTS, {}),
    (EVENTS, {"public": {}}),
    (EVENTS, {"public": {"id": True}}),
    (EVENTS, {"public": {"id": 10**30}}),
    (LEAVES, {}),
    (LEAVES, {"seal": 1, "place": 1, "event": 1, "leaf": "zz"}),
    (LEAVES, {"seal": [], "place": 1, "event": 1, "leaf": "00" * 32}),
    ("signature.json", []),
    ("signature.json", {"key": 1, "signature": 2}),
]


@pytest.mark.parametrize(("name", "value"), ODD, ids=range(len(ODD)))
def test_json_that_is_something_else(name: str, value: Any, make: Callable[..., Path]) -> None:
    with pytest.raises(NotABundle):
        check(make({name: json.dumps(value).encode()}))


def test_words_of_a_forger_do_not_reach_the_terminal_as_they_are(make: Callable[..., Path]) -> None:
    said = {"type": "\x1b[2J", "at": "\x1b]0;x\x07" * 50, "id": 1, "message_id": "s:seal:\x1b"}
    row = json.dumps({"public": said, "actor_user": "\x1b" * 500}).encode()
    report = check(make({EVENTS: row}))
    assert not report.is_good
    assert "\x1b" not in report.as_text()
    assert max(map(len, report.as_text().splitlines())) < 400


SCRIPT = """
import pathlib, re, runpy, sys
for name in ("django", "rest_framework", "celery", "cryptography", "jwt", "requests"):
    sys.modules[name] = None  # an import of it fails
sys.argv = ["verify", sys.argv[1], "--json"]
try:
    runpy.run_module("proctoring.verify", run_name="__main__")
finally:
    status = pathlib.Path("/proc/self/status")
    most = re.search("VmHWM:(.*)kB", status.read_text()) if status.exists() else None
    print(most[1] if most else 0, file=sys.stderr)
"""


def run(path: Path) -> tuple[int, int]:
    """Exit status, and megabytes at most, of a verifier with no settings and no Django."""
    given = {name: value for name, value in os.environ.items() if not name.startswith(("DJANGO", "PROCTORING"))}
    answer = subprocess.run(  # noqa: PLW1510 - its status is what is asked for
        [sys.executable, "-c", SCRIPT, str(path)], cwd=ROOT, env=given, capture_output=True, text=True, timeout=60
    )
    return answer.returncode, int(answer.stderr.split()[-1]) // 1024


def test_it_needs_neither_django_nor_settings(make: Callable[..., Path], tmp_path: Path) -> None:
    assert run(make())[0] == 0
    assert run(make({"attempt.json": b'{"id":2}'}))[0] == 1
    assert run(tmp_path)[0] == 2


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="Linux says how much memory a process had")
def test_memory_has_a_bound(make: Callable[..., Path]) -> None:
    """Thirty thousand events that nobody has sealed."""
    rows = (json.dumps({"public": {"id": n, "x": os.urandom(400).hex()}}) + "\n" for n in range(1, 30_001))
    status, megabytes = run(make({EVENTS: "".join(rows).encode()}))
    assert status == 1
    assert megabytes < 60
