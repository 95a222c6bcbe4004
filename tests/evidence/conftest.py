"""A sealed attempt with everything that evidence holds, its bundle, and ways to falsify one."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.attempts.models import Attempt
from proctoring.attempts.sealing import seal_due
from proctoring.attempts.states import Status
from proctoring.evidence.services import hand_out_evidence
from proctoring.logs.event_types import Source
from proctoring.logs.intake import Reporter, take_in
from proctoring.logs.services import record
from proctoring.reviews.models import Review, ReviewComment
from proctoring.verify.checking import check
from proctoring.verify.findings import Report
from tests.factories import TEN, AttemptFactory, EventFactory, UserFactory, at

DAY = timedelta(days=1)


@pytest.fixture
def clerk(db: None) -> AbstractUser:
    return UserFactory(username="clerk")


@pytest.fixture
def invigilator(db: None) -> AbstractUser:
    return UserFactory(username="invigilator")


@pytest.fixture
def attempt(invigilator: AbstractUser) -> Attempt:
    """Two seals: six events and the invigilator's; a note and a late event; then a note that is not sealed."""
    attempt = AttemptFactory(status=Status.SUBMITTED, user__username="candidate")
    for minute in range(6):
        EventFactory(attempt=attempt, type=16, at=at(10, minute), ip="192.0.2.7", data={"faces": minute})
    note = {"reason_code": 10030, "reason_message": "he looked away", "now": at(10, 9)}
    record(attempt, 1017, actor="proctor", by=invigilator, **note)  # type: ignore[arg-type]
    review = Review.objects.create(attempt=attempt, status="passed", note="fine", occurred_at=TEN, received_at=TEN)
    ReviewComment.objects.create(review=review, text="=HYPERLINK(1)", start_seconds=3)
    seal_due(now=TEN + 2 * DAY)
    come_late(attempt, "late", TEN + 3 * DAY)
    seal_due(now=TEN + 5 * DAY)
    assert attempt.seals.count() == 2
    return attempt


def come_late(attempt: Attempt, name: str, now: datetime) -> None:
    row = {"message_id": name, "type": 16, "occurred_at": now.isoformat()}
    take_in(Attempt.objects.get(pk=attempt.pk), [row], Reporter(source=Source.VENDOR), now=now)


@pytest.fixture
def bundle_of(tmp_path: Path, clerk: AbstractUser) -> Callable[..., Path]:
    def make(attempt: Attempt, name: str = "bundle.zip", *, now: datetime = TEN + 6 * DAY) -> Path:
        path = tmp_path / name
        attempt = Attempt.objects.select_related("exam", "user").get(pk=attempt.pk)
        with hand_out_evidence(attempt, by=clerk, now=now) as file:
            path.write_bytes(file.read())
        return path

    return make


@pytest.fixture
def checked(bundle_of: Callable[..., Path]) -> Callable[..., Report]:
    """What the verifier says of the attempt's bundle as it is now."""
    return lambda attempt, **more: check(bundle_of(attempt), **more)


def rows_of(path: Path, name: str) -> list[Any]:
    with zipfile.ZipFile(path) as whole:
        return [json.loads(line) for line in whole.read(name).splitlines()]


def document_of(path: Path, name: str) -> Any:
    with zipfile.ZipFile(path) as whole:
        return json.loads(whole.read(name))


def falsified(path: Path, change: Callable[[dict[str, Any]], None], *, manifest_too: bool = True) -> Path:
    """The bundle with its files changed, as JSON; by somebody who brings the manifest's hashes up to date, too."""
    with zipfile.ZipFile(path) as whole:
        before = {name: whole.read(name) for name in whole.namelist()}
    files, untouched = ({name: _parsed(name, text) for name, text in before.items()} for _ in range(2))
    change(files)
    raw = {name: before[name] if value == untouched[name] else _text(name, value) for name, value in files.items()}
    if manifest_too:
        manifest = files["manifest.json"]
        for name in manifest["files"]:
            manifest["files"][name] = {"sha256": hashlib.sha256(raw[name]).hexdigest(), "bytes": len(raw[name])}
        manifest["events"] = len(files["events.ndjson"])
        raw["manifest.json"] = _text("manifest.json", manifest)
    return packed(path.with_name("falsified.zip"), raw)


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as whole:
        for name, text in files.items():
            whole.writestr(name, text)
    return path


def _parsed(name: str, text: bytes) -> Any:
    return [json.loads(line) for line in text.splitlines()] if "ndjson" in name else json.loads(text)


def _text(name: str, value: Any) -> bytes:
    if "ndjson" in name:
        return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in value).encode()
    return json.dumps(value, ensure_ascii=False).encode()
