"""What the verifier says of a bundle that somebody has touched, and of a database that somebody has."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.core.management import CommandError, call_command
from django.db import connection

from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.sealing import seal_due
from proctoring.evidence.signing import public_keys
from proctoring.logs.models import Event
from proctoring.logs.services import record
from proctoring.privacy.erasure import erase_user
from proctoring.privacy.retention import Sweep
from proctoring.verify.__main__ import main
from proctoring.verify.checking import check
from proctoring.verify.findings import BAD, Finding, Report
from proctoring.verify.merkle import Tree, leaf_hash, personal_hash, seal_root
from tests.evidence.conftest import DAY, come_late, document_of, falsified, rows_of
from tests.factories import TEN, AttemptFactory, EventFactory, UserFactory

Bundle = Callable[..., Path]
Files = dict[str, Any]
KEY = "for-tests-only-evidence-7rWq2NxTz5LkVm9PcYbD"


@pytest.fixture
def path(bundle_of: Bundle, attempt: Attempt) -> Path:
    return bundle_of(attempt)


def bad(report: Report) -> list[Finding]:
    return [one for one in report.findings if one.kind in BAD]


def said(path: Path, change: Callable[[Files], object], **more: Any) -> list[tuple[str, int | None]]:
    """Kinds and events of what is wrong after this change."""
    return [(one.kind, one.event) for one in bad(check(falsified(path, change, **more)))]


def event(files: Files, index: int) -> Any:
    return files["events.ndjson"][index]


class TestGood:
    def test_as_it_was_handed_out(self, path: Path, attempt: Attempt, capsys: pytest.CaptureFixture[str]) -> None:
        report = check(path)
        assert (report.is_good, report.findings) == (True, [])
        facts = {"attempt": attempt.pk, "events": 10, "sealed": 9, "seals": 2, "anchored": False}
        assert facts.items() <= report.facts.items()
        assert main([str(path)]) == 0
        assert "GOOD in itself" in capsys.readouterr().out

    def test_falsifying_nothing_changes_nothing(self, path: Path) -> None:
        assert said(path, lambda files: None) == []

    def test_a_published_root_vouches_for_it(self, path: Path, attempt: Attempt) -> None:
        roots = list(attempt.seals.values_list("root", flat=True))
        report = check(path, roots=roots)
        assert (report.is_good, report.facts["anchored"]) == (True, True)
        report = check(path, roots=["0" * 64])
        assert [one.kind for one in bad(report)] == ["missing"]

    def test_what_is_not_sealed_yet_is_said_to_be(self, attempt: Attempt, checked: Callable[..., Report]) -> None:
        come_late(attempt, "later", TEN + 6 * DAY)
        report = checked(attempt)
        assert report.is_good
        [found] = report.findings
        assert (found.kind, found.event) == ("not_sealed_yet", Event.objects.get(message_id="later").pk)

    def test_an_attempt_that_runs(self, checked: Callable[..., Report]) -> None:
        running = AttemptFactory(status="started")
        EventFactory(attempt=running, type=1002)
        report = checked(running)
        assert report.is_good
        assert report.counts == {"not_sealed_yet": 1}
        assert checked(AttemptFactory()).is_good


class TestTouchedFiles:
    """By somebody who brings the manifest up to date. Each kind is named, and which event."""

    @pytest.mark.parametrize(
        ("part", "name", "value"),
        [
            ("public", "at", "2026-03-02T10:02:00.000001Z"),
            ("public", "type", 17),
            ("public", "severity", "info"),
            ("public", "item_id", "x"),
            ("public", "sequence", 1),
            ("personal", "ip", "192.0.2.8"),
            ("personal", "data", {"faces": 3}),
            ("personal", "reason_message", " "),
            ("public", "new", None),
        ],
    )
    def test_a_field_of_an_event(self, part: str, name: str, value: Any, path: Path) -> None:
        key = rows_of(path, "events.ndjson")[2]["public"]["id"]
        assert said(path, lambda files: event(files, 2)[part].update({name: value})) == [("altered", key)]

    @pytest.mark.parametrize(
        "change", [{"salt": None}, {"salt": "00"}, {"personal": None}, {"personal_hash": "00"}, {"left": {}}]
    )
    def test_its_proof(self, change: dict[str, Any], path: Path) -> None:
        key = rows_of(path, "events.ndjson")[2]["public"]["id"]
        assert said(path, lambda files: event(files, 2).update(change)) == [("altered", key)]

    def test_an_event_that_is_gone(self, path: Path) -> None:
        key = rows_of(path, "events.ndjson")[3]["public"]["id"]
        report = check(falsified(path, lambda files: files["events.ndjson"].pop(3)))
        [found] = bad(report)
        assert (found.kind, found.event, found.seal, found.place) == ("missing", key, 1, 4)

    def test_an_event_that_was_added(self, path: Path) -> None:
        def add(files: Files) -> None:
            row = json.loads(json.dumps(event(files, 1)))
            row["public"] |= {"message_id": "forged"}
            files["events.ndjson"].insert(2, row)

        key = rows_of(path, "events.ndjson")[1]["public"]["id"]
        assert said(path, add) == [("added", key)]
        assert said(path, lambda files: files["events.ndjson"].append(event(files, 0)))[0][0] == "added"

    def test_events_that_were_swapped(self, path: Path) -> None:
        def swap(files: Files) -> None:
            rows = files["events.ndjson"]
            rows[2], rows[3] = rows[3], rows[2]

        key = rows_of(path, "events.ndjson")[2]["public"]["id"]
        assert said(path, swap) == [("reordered", key)]

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("sealed_at", "2026-03-03T00:00:00.000000Z"),
            ("count", 6),
            ("root", "0" * 64),
            ("last_event", 4711),
            ("first_event", 4711),
            ("previous_root", "0" * 64),
            ("attempt", 1_000_000),
        ],
    )
    def test_a_seal(self, name: str, value: Any, path: Path) -> None:
        report = check(falsified(path, lambda files: files["seals.json"][0].update({name: value})))
        assert {("altered", 1)} <= {(one.kind, one.seal) for one in bad(report)}

    def test_a_seal_that_is_gone(self, path: Path) -> None:
        assert ("missing", 2) in [(one.kind, one.seal) for one in bad(check(falsified(path, first_seal_only)))]
        report = check(falsified(path, lambda files: files["seals.json"].pop(0)))
        assert ("missing", 1) in [(one.kind, one.seal) for one in bad(report)]

    def test_a_seal_that_is_gone_with_its_leaves(self, path: Path) -> None:
        """The log itself notes that there was one."""

        def drop(files: Files) -> None:
            first_seal_only(files)
            files["leaves.ndjson"] = [row for row in files["leaves.ndjson"] if row["seal"] == 1]
            for row in files["events.ndjson"]:
                row["seal"] = 1 if row["seal"] == 1 else None
            files["manifest.json"]["sealed_events"] = len(files["leaves.ndjson"])

        [found] = bad(check(falsified(path, drop)))
        assert (found.kind, "seal '2'" in found.text) == ("missing", True)

    def test_leaves(self, path: Path) -> None:
        report = check(falsified(path, lambda files: files["leaves.ndjson"][0].update(leaf="0" * 64)))
        assert ("altered", 1) in [(one.kind, one.seal) for one in bad(report)]
        report = check(falsified(path, lambda files: files["leaves.ndjson"].pop(0)))
        assert ("altered", 1) in [(one.kind, one.seal) for one in bad(report)]

    def test_who_acted(self, path: Path) -> None:
        index = next(n for n, row in enumerate(rows_of(path, "events.ndjson")) if row["actor_user"])
        key = rows_of(path, "events.ndjson")[index]["public"]["id"]
        assert said(path, lambda files: event(files, index).update(actor_user="0")) == [("altered", key)]
        assert said(path, lambda files: event(files, 0).update(actor_user="1"))[0][0] == "altered"

    def test_another_attempts_name(self, path: Path) -> None:
        assert ("altered", None) in said(path, lambda files: files["attempt.json"].update(id=1_000_000))


def first_seal_only(files: Files) -> None:
    files["seals.json"] = files["seals.json"][:1]


class TestTheManifest:
    @pytest.mark.parametrize("name", ["timeline.ndjson", "ledger.json", "reviews.json", "attempt.json"])
    def test_any_file_that_is_not_the_one_that_was_handed_out(self, name: str, path: Path) -> None:
        def change(files: Files) -> None:
            row = files[name][0] if isinstance(files[name], list) else files[name]
            row["note"] = row.pop("note", "") + "x"

        report = check(falsified(path, change, manifest_too=False))
        assert [(one.kind, one.file) for one in bad(report)] == [("altered", name)]

    def test_a_ledger_that_gained_seconds(self, path: Path) -> None:
        change: Callable[[Files], object] = lambda files: files["ledger.json"][0].update(seconds=9999)  # noqa: E731
        [found] = bad(check(falsified(path, change, manifest_too=False)))
        assert (found.kind, found.file) == ("altered", "ledger.json")
        # Nothing but the signature tells who has rewritten the manifest as well.
        assert check(falsified(path, change)).is_good


class TestTheSignature:
    @pytest.fixture(autouse=True)
    def _key(self, settings: Any) -> None:
        settings.PROCTORING = {**settings.PROCTORING, "EVIDENCE_KEYS": [KEY]}

    def test_by_the_right_key(self, path: Path) -> None:
        report = check(path, keys=public_keys())
        assert (report.is_good, report.facts["anchored"]) == (True, True)
        [note] = check(path).findings
        assert (note.kind, public_keys()[0] in note.text) == ("note", True)

    def test_a_ledger_and_its_manifest(self, path: Path) -> None:
        forged = falsified(path, lambda files: files["ledger.json"][0].update(seconds=9999))
        [found] = bad(check(forged))
        assert (found.kind, found.file) == ("altered", "signature.json")

    def test_by_another_key(self, path: Path, settings: Any) -> None:
        [key] = public_keys()
        settings.PROCTORING = {**settings.PROCTORING, "EVIDENCE_KEYS": [KEY + "x"]}
        assert not check(path, keys=public_keys()).is_good
        assert check(path, keys=[*public_keys(), key]).is_good

    @pytest.mark.django_db
    def test_the_public_keys_are_there_to_be_published(self, capsys: pytest.CaptureFixture[str], settings: Any) -> None:
        call_command("proctoring_evidence_keys")
        assert capsys.readouterr().out == f"Ed25519: {public_keys()[0]}\n"
        settings.PROCTORING = {**settings.PROCTORING, "EVIDENCE_KEYS": []}
        with pytest.raises(CommandError, match="EVIDENCE_KEYS"):
            call_command("proctoring_evidence_keys")

    def test_by_none_where_one_is_wanted(self, path: Path) -> None:
        forged = falsified(path, lambda files: files.pop("signature.json"))
        assert check(forged).is_good
        [found] = bad(check(forged, keys=public_keys()))
        assert (found.kind, found.file) == ("missing", "signature.json")


class TestATouchedDatabase:
    """By somebody with SQL, after the log was sealed."""

    def run(self, sql: str, *values: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute(sql, values)

    def test_a_changed_row(self, attempt: Attempt, checked: Callable[..., Report]) -> None:
        event = attempt.events.order_by("pk")[2]
        self.run("UPDATE proctoring_event SET severity = 'alert' WHERE id = %s", event.pk)
        assert [(one.kind, one.event, one.place) for one in bad(checked(attempt))] == [("altered", event.pk, 3)]

    def test_a_deleted_row(self, attempt: Attempt, checked: Callable[..., Report]) -> None:
        event = attempt.events.order_by("pk")[2]
        self.run("DELETE FROM proctoring_event WHERE id = %s", event.pk)
        assert [(one.kind, one.event, one.place) for one in bad(checked(attempt))] == [("missing", event.pk, 3)]

    def test_an_act_that_is_put_on_somebody_else(self, attempt: Attempt, checked: Callable[..., Report]) -> None:
        event = attempt.events.get(type=1017)
        self.run("UPDATE proctoring_event SET actor_user_id = %s WHERE id = %s", UserFactory().pk, event.pk)
        assert [(one.kind, one.event) for one in bad(checked(attempt))] == [("altered", event.pk)]


class TestErased:
    def test_an_erased_person(self, attempt: Attempt, clerk: AbstractUser, checked: Callable[..., Report]) -> None:
        erase_user(attempt.user, by=clerk, reason="asked", now=TEN + 6 * DAY)
        report = checked(attempt)
        assert report.is_good
        assert report.counts == {"erased": 7}
        assert not attempt.events.exclude(ip=None).exists()

    def test_before_it_was_sealed(self, attempt: Attempt, clerk: AbstractUser, checked: Callable[..., Report]) -> None:
        come_late(attempt, "later", TEN + 6 * DAY)
        erase_user(attempt.user, by=clerk, reason="asked", now=TEN + 6 * DAY)
        seal_due(now=TEN + 8 * DAY)
        report = checked(attempt)
        assert (report.is_good, report.facts["seals"]) == (True, 3)

    def test_what_is_left_cannot_be_guessed(self, attempt: Attempt, clerk: AbstractUser, bundle_of: Bundle) -> None:
        erase_user(attempt.user, by=clerk, reason="asked", now=TEN + 6 * DAY)
        row = rows_of(bundle_of(attempt), "events.ndjson")[0]
        assert (row["salt"], row["personal"], row["removed_by"]) == (None, None, "erasure")
        assert len(row["personal_hash"]) == 64
        assert attempt.events.filter(salt=None).count() == 7

    def test_an_erased_invigilator(
        self, attempt: Attempt, invigilator: AbstractUser, clerk: AbstractUser, checked: Callable[..., Report]
    ) -> None:
        erase_user(invigilator, by=clerk, reason="asked", now=TEN + 6 * DAY)
        assert checked(attempt).findings == []
        invigilator.delete()
        report = checked(attempt)
        assert report.is_good
        assert [one.kind for one in report.findings] == ["note"]

    def test_somebody_who_is_named_in_words_about_somebody_else(
        self, attempt: Attempt, clerk: AbstractUser, bundle_of: Bundle
    ) -> None:
        named = UserFactory(username="n17", first_name="Zuleika", last_name="Quirrenbach")
        said = {"reason_code": 10030, "reason_message": "Zuleika Quirrenbach helped", "now": TEN + 6 * DAY}
        record(attempt, 1017, actor="proctor", **said)  # type: ignore[arg-type]
        seal_due(now=TEN + 8 * DAY)
        before = list(attempt.seals.values_list("root", flat=True))
        erase_user(named, by=clerk, reason="asked", now=TEN + 9 * DAY)
        path = bundle_of(attempt)
        report = check(path, roots=before)
        assert report.is_good
        assert report.counts == {"erased": 1}
        [row] = [row for row in rows_of(path, "events.ndjson") if row["personal_hash"]]
        assert (row["left"]["reason_message"], row["removed_by"]) == ("[removed] helped", "erasure")
        # And then its own person.
        erase_user(attempt.user, by=clerk, reason="asked", now=TEN + 9 * DAY)
        path = bundle_of(attempt)
        assert check(path, roots=before).is_good
        assert not any(row["left"] for row in rows_of(path, "events.ndjson"))

    def test_erased_is_not_altered_but_altered_is(
        self, attempt: Attempt, clerk: AbstractUser, bundle_of: Bundle
    ) -> None:
        erase_user(attempt.user, by=clerk, reason="asked", now=TEN + 6 * DAY)
        path = bundle_of(attempt)
        key = rows_of(path, "events.ndjson")[2]["public"]["id"]
        assert said(path, lambda files: event(files, 2)["public"].update(type=17)) == [("altered", key)]
        assert said(path, lambda files: event(files, 2).update(personal_hash="0" * 64)) == [("altered", key)]

    def test_the_end_of_retention(self, attempt: Attempt, checked: Callable[..., Report]) -> None:
        for _ in Sweep(now=TEN + 1826 * DAY).batches():
            pass
        report = checked(attempt)
        assert report.is_good
        assert report.counts == {"removed_by_retention": 7}
        assert attempt.seals.count() == 2


def test_somebody_elses_verifier_needs_only_what_the_documents_say(path: Path) -> None:
    """Root by root, from the files alone."""
    rows, before = rows_of(path, "events.ndjson"), None
    for seal in document_of(path, "seals.json"):
        root = seal.pop("root")
        tree = Tree()
        for row in rows:
            if row["seal"] == seal["number"]:
                tree.add(leaf_hash(row["public"], personal_hash(bytes.fromhex(row["salt"]), row["personal"])))
        assert (seal["count"], seal["previous_root"]) == (tree.count, before)
        assert seal_root(seal, tree.root()).hex() == root
        before = root


def test_what_it_says_as_json(path: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main([str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "good"
    forged = falsified(path, lambda files: files["events.ndjson"].pop(3))
    assert main([str(forged), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["status"], told["counts"]) == ("altered", {"missing": 1})
    assert {"kind", "text", "event", "seal", "place", "file"} == set(told["findings"][0])
    assert main([str(tmp_path / "nothing.zip"), "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["status"] == "not_a_bundle"


def test_there_is_something_in_the_ledger(attempt: Attempt) -> None:
    assert TimeEntry.objects.filter(attempt=attempt).exists()
