"""Commands about people: their ids at vendors, erasure, export, retention."""

from __future__ import annotations

import json
import stat
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.exams.models import Exam
from proctoring.inbox.models import WebhookMessage
from proctoring.outbox.models import Delivery
from proctoring.privacy.holds import place_hold
from proctoring.privacy.models import DeletionCertificate, Pseudonym
from proctoring.privacy.pseudonyms import candidate_id
from tests.factories import TEN
from tests.hosts import configure
from tests.management.running import dry, run
from tests.privacy.conftest import NAME, a_strangers_attempt

pytestmark = pytest.mark.usefixtures("_noon", "db")


class TestPseudonym:
    def test_it_shows_the_ids_and_creates_none(self, zuleika: AbstractUser, vendor: Any) -> None:
        assert run("proctoring_pseudonym", zuleika.username) == "vendor: none yet\n"
        assert not Pseudonym.objects.exists()
        name = candidate_id("vendor", zuleika.pk)
        for who in (zuleika.pk, zuleika.username, zuleika.email):
            assert run("proctoring_pseudonym", who, "--backend", "vendor") == f"vendor: {name}\n"

    def test_it_creates_one_when_told_to(self, zuleika: AbstractUser, vendor: Any) -> None:
        said = dry("proctoring_pseudonym", zuleika.pk, "--create")
        assert not Pseudonym.objects.exists()
        assert run("proctoring_pseudonym", zuleika.pk, "--create") == said
        assert Pseudonym.objects.get().value in said

    def test_whom_and_what_it_does_not_know_it_says(self, zuleika: AbstractUser, vendor: Any, settings: Any) -> None:
        run("proctoring_pseudonym", "no-such-person", fails="no such account")
        run("proctoring_pseudonym", zuleika.pk, "--backend", "x", fails="no backend 'x'")
        configure(settings, PSEUDONYM_KEYS=[])
        said = run("proctoring_pseudonym", zuleika.pk, "--create", fails="1 of 1")
        assert "PSEUDONYM_KEYS" in said.err


class TestErase:
    def test_it_prints_what_was_done_and_not_whose_it_was(
        self, known: Attempt, zuleika: AbstractUser, officer: AbstractUser
    ) -> None:
        wanted = ("proctoring_erase_user", zuleika.username, "--reason", f"{NAME} asked", "--by", "officer")
        said = dry(*wanted)
        assert "certificate" not in said
        real = run(*wanted)
        certificate = DeletionCertificate.objects.get()
        facts = json.loads(real.partition(": ")[2])
        assert facts == {
            "certificate": certificate.pk,
            "counts": certificate.counts,
            "digest": certificate.digest,
            "unclear": {},
            "unclear_places": [],
            "vendors": ["vendor"],
        }
        assert json.loads(said.partition(": ")[2])["counts"] == certificate.counts
        assert run(*wanted) == real

    def test_it_says_where_a_word_may_mean_the_person_and_takes_it_out_when_told_to(
        self, exam: Exam, zuleika: AbstractUser, officer: AbstractUser
    ) -> None:
        entry = TimeEntry.objects.create(
            attempt=a_strangers_attempt(exam, officer), kind="correction", seconds=0, note="sat beside Zuleika", at=TEN
        )
        wanted = ("proctoring_erase_user", zuleika.pk, "--reason", "x", "--by", "officer")
        for said in (dry(*wanted), run(*wanted), dry(*wanted)):
            facts = json.loads(said.partition(": ")[2])
            assert facts["unclear"] == {"timeentry": 1}
            assert facts["unclear_places"] == [f"timeentry {entry.pk} note"]
        assert "uleika" not in said
        facts = json.loads(run(*wanted, "--also", "Zuleika", "--also", "Quirrenbach").partition(": ")[2])
        assert (facts["counts"], facts["unclear"]) == ({"timeentry": 1}, {})
        entry.refresh_from_db()
        assert entry.note == "sat beside [removed]"
        run(*wanted, "--also", "Z", fails="1 of 1")

    def test_what_stands_in_the_way_is_said(
        self, known: Attempt, zuleika: AbstractUser, officer: AbstractUser, reviewer: AbstractUser
    ) -> None:
        place_hold(user=zuleika, by=officer, reason="a case")
        said = run("proctoring_erase_user", zuleika.pk, "--reason", "x", "--by", "officer", fails="1 of 1")
        assert "legal_hold" in said.err
        run("proctoring_erase_user", zuleika.pk, "--reason", "x", "--by", reviewer.pk, fails="not a privacy officer")


class TestExport:
    def test_it_writes_the_document(self, known: Attempt, zuleika: AbstractUser, tmp_path: Path) -> None:
        document = json.loads(run("proctoring_export_user", zuleika.pk))
        assert document["attempts"][0]["id"] == known.pk
        path = tmp_path / "zuleika.json"
        run("proctoring_export_user", zuleika.pk, "--output", path)
        assert json.loads(path.read_text(encoding="utf-8"))["attempts"] == document["attempts"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        run("proctoring_export_user", zuleika.pk, "--output", path, fails="cannot be written")

    def test_a_dry_run_counts(self, known: Attempt, zuleika: AbstractUser, tmp_path: Path) -> None:
        path = tmp_path / "none.json"
        assert "attempts: 1 rows" in dry("proctoring_export_user", zuleika.pk, "--output", path)
        assert not path.exists()


class TestRetention:
    @pytest.fixture
    def old(self, known: Attempt) -> None:
        WebhookMessage.objects.update(received_at=TEN - timedelta(days=100))

    @pytest.mark.usefixtures("old")
    def test_it_empties_what_is_old(self) -> None:
        assert dry("proctoring_apply_retention") == "webhookmessage: 2 would be emptied\n"
        said = run("proctoring_apply_retention")
        certificate = DeletionCertificate.objects.get()
        assert said == f"webhookmessage: 2 emptied\ncertificate {certificate.pk}, digest {certificate.digest}\n"
        assert run("proctoring_apply_retention") == "Nothing is old enough.\n"

    @pytest.mark.usefixtures("old")
    def test_a_limit_stops_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("proctoring.privacy.blanking.BATCH", 1)
        assert run("proctoring_apply_retention", "--limit", 1).startswith("webhookmessage: 1 emptied")
        assert WebhookMessage.objects.filter(blanked_at=None).count() == 1


class TestRenewal:
    NEW = "the-new-key-" * 4

    def test_ids_of_an_older_key_are_replaced(self, known: Attempt, zuleika: AbstractUser, settings: Any) -> None:
        old = candidate_id("vendor", zuleika.pk)
        assert run("proctoring_renew_pseudonyms", "vendor") == "No id is older than the newest key.\n"
        configure(settings, PSEUDONYM_KEYS=[self.NEW, *settings.PROCTORING["PSEUDONYM_KEYS"]])
        said = dry("proctoring_renew_pseudonyms", "vendor")
        assert run("proctoring_renew_pseudonyms", "vendor") == said == f"user {zuleika.pk}: has a new id\n"
        assert candidate_id("vendor", zuleika.pk) != old
        assert Delivery.objects.get(operation="retire_candidate").argument == old
        assert run("proctoring_renew_pseudonyms", "vendor") == "No id is older than the newest key.\n"

    def test_it_needs_a_vendor_and_a_key(self, vendor: Any, settings: Any) -> None:
        run("proctoring_renew_pseudonyms", "x", fails="no backend 'x'")
        configure(settings, PSEUDONYM_KEYS=[])
        run("proctoring_renew_pseudonyms", "vendor", fails="PSEUDONYM_KEYS")
