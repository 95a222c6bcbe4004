"""Open a bundle that may be anybody's: nothing is unpacked to disk, and time and memory have bounds."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, NoReturn

from proctoring.verify.layout import ATTEMPT, EVENTS, LEAVES, LEDGER, MANIFEST, REVIEWS, SEALS, SIGNATURE, TIMELINE

MEGA = 1_048_576
LARGEST: Mapping[str, int] = {
    MANIFEST: MEGA,
    SIGNATURE: MEGA,
    ATTEMPT: MEGA,
    SEALS: 8 * MEGA,
    EVENTS: 4096 * MEGA,
    LEAVES: 512 * MEGA,
    TIMELINE: 4096 * MEGA,
    LEDGER: 512 * MEGA,
    REVIEWS: 512 * MEGA,
}
"""Bytes, unpacked. These files and no others are in a bundle."""
LONGEST_LINE = MEGA // 4
SHORTEST_LINE = 64
"""Bytes. Rows of events and leaves hold a hash or a salt, and are longer; with it the bound on bytes is one on
rows, and no log that may be as large as that has too many of them."""
HIGHEST_RATIO, FREE_OF_RATIO = 500, MEGA
"""Hashes and salts cannot be packed: a long file of rows that is packed this well holds something else. Words can."""
OF_WORDS = (TIMELINE, LEDGER, REVIEWS)
LARGEST_DIRECTORY = 65_536
PIECE = 65_536

_END = struct.Struct("<4s4H2IH")
"""The end of a zip: mark, two numbers of disks, two of entries, size and place of the directory, length of comment."""
_ZIP64 = b"PK\x06\x07"


class NotABundle(Exception):
    """It cannot be read as evidence: refused, not judged."""


class Bundle:
    def __init__(self, path: Path) -> None:
        """Raises ``NotABundle``, also for what cannot be read."""
        try:
            _look_at_end(path)
            self._zip = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError) as wrong:
            raise NotABundle(f"It is no zip that can be read: {wrong}") from wrong
        try:
            self.names = _looked_at(self._zip.infolist())
        except BaseException:
            self._zip.close()
            raise

    def __enter__(self) -> Bundle:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, at: TracebackType | None
    ) -> None:
        self._zip.close()

    def digest(self, name: str) -> tuple[str, int]:
        """SHA-256 and length of a file."""
        digest, length = hashlib.sha256(), 0
        with _Readable(self._zip, name) as file:
            while piece := file.read(PIECE):
                digest.update(piece)
                length += len(piece)
        return digest.hexdigest(), length

    def raw(self, name: str) -> bytes:
        with _Readable(self._zip, name) as file:
            return file.read()

    def json(self, name: str) -> Any:
        return _json(self.raw(name), name)

    def lines(self, name: str) -> Iterator[Any]:
        """The rows of a file of JSON lines, one in memory at once."""
        with _Readable(self._zip, name) as file:
            number, most = 0, LARGEST[name] // SHORTEST_LINE
            while line := file.readline(LONGEST_LINE + 1):
                number += 1
                if len(line) > LONGEST_LINE or number > most:
                    raise NotABundle(f"{name} has a line that is too long, or too many: line {number}.")
                yield _json(line, f"{name}, line {number}")


class _Readable:
    """A file of the zip; whatever is wrong with it while it is read means that it is no bundle."""

    def __init__(self, whole: zipfile.ZipFile, name: str) -> None:
        self._name = name
        try:
            self._file: IO[bytes] = whole.open(name)
        except Exception as wrong:  # noqa: BLE001 - a zip can be broken in more ways than it has exceptions
            self._give_up(wrong)

    def __enter__(self) -> _Readable:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, raised: BaseException | None, at: TracebackType | None
    ) -> None:
        self._file.close()

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size)
        except Exception as wrong:  # noqa: BLE001 - the same
            self._give_up(wrong)

    def readline(self, limit: int) -> bytes:
        try:
            return self._file.readline(limit)
        except Exception as wrong:  # noqa: BLE001 - the same
            self._give_up(wrong)

    def _give_up(self, wrong: Exception) -> NoReturn:
        raise NotABundle(f"{self._name} cannot be unpacked: {wrong}") from wrong


def _look_at_end(path: Path) -> None:
    """Before the directory is read: that it is short. Bundles have a dozen files, no comment, and no need of ZIP64."""
    with path.open("rb") as file:
        size = file.seek(0, 2)
        if size < _END.size:
            raise NotABundle("It is too short for a zip.")
        file.seek(max(0, size - _END.size - 20))
        tail = file.read()
    mark, _disk, _start, _here, entries, directory, _place, comment = _END.unpack(tail[-_END.size :])
    if mark != b"PK\x05\x06" or comment or tail[: -_END.size].startswith(_ZIP64):
        raise NotABundle("It does not end as a bundle does.")
    if entries > 2 * len(LARGEST) or directory > LARGEST_DIRECTORY:
        raise NotABundle("It has more files than a bundle.")


def _looked_at(entries: list[zipfile.ZipInfo]) -> frozenset[str]:
    """The names of the files. Names that are not a bundle's, paths among them, are not touched at all."""
    names = [entry.filename for entry in entries]
    if len(set(names)) != len(names):
        raise NotABundle("Two of its files have the same name.")
    if unknown := sorted(set(names) - set(LARGEST)):
        raise NotABundle(f"It holds what is no part of a bundle: {', '.join(map(ascii, unknown))}.")
    for entry in entries:
        _refuse_bomb(entry)
    if MANIFEST not in names:
        raise NotABundle(f"It has no {MANIFEST}.")
    return frozenset(names)


def _refuse_bomb(entry: zipfile.ZipInfo) -> None:
    if entry.flag_bits & 0x1 or entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotABundle(f"{entry.filename} is encrypted or packed in a way that bundles are not.")
    ratio = 0 if entry.filename in OF_WORDS else entry.file_size / max(entry.compress_size, 1)
    too_dense = entry.file_size > FREE_OF_RATIO and ratio > HIGHEST_RATIO
    if entry.file_size > LARGEST[entry.filename] or too_dense:
        raise NotABundle(f"{entry.filename} is larger than such a file can be.")


def _json(text: bytes, where: str) -> Any:
    try:
        return json.loads(text.decode(), parse_constant=_refuse, object_pairs_hook=_once)
    except (ValueError, RecursionError) as wrong:
        raise NotABundle(f"{where} is not JSON: {wrong}") from wrong


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A name that stands twice would mean one thing here and another to the next reader."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice in one object")
    return found
