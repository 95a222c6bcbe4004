"""What an operator does from a shell: each command, what it refuses, and that a dry run changes nothing."""

from __future__ import annotations

import io
import pkgutil
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.core.management import get_commands, load_command_class

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam, ExamType
from proctoring.inbox.models import MessageStatus, WebhookMessage
from proctoring.management import commands
from proctoring.management.running import RowsCommand
from proctoring.outbox.models import Delivery
from proctoring.reviews.models import Review
from tests.factories import TEN, AttemptFactory, DeliveryFactory, ExamFactory, MessageFactory, at
from tests.management.running import dry, run
from tests.privacy.conftest import COURSE, receive

pytestmark = pytest.mark.usefixtures("_noon", "db")

OURS = sorted(module.name for module in pkgutil.iter_modules(commands.__path__))


@pytest.mark.parametrize("name", OURS)
def test_every_command_can_be_rehearsed_and_limited_and_says_what_it_is_for(name: str) -> None:
    assert name.startswith("proctoring_")
    command = load_command_class(get_commands()[name], name)
    assert isinstance(command, RowsCommand)
    text = command.create_parser("manage.py", name).format_help()
    assert "--dry-run" in text
    assert "--limit" in text
    assert command.help


class TestSetStatus:
    def test_it_goes_through_the_services(self, ended: Attempt, officer: AbstractUser) -> None:
        wanted = ("proctoring_set_status", ended.pk, "voided", "--reason", "doubled", "--by", "officer")
        said = dry(*wanted)
        assert said == run(*wanted) == f"attempt {ended.pk}: submitted → voided\n"
        version = ended.history.first()
        assert (version.status, version.history_change_reason, version.history_user) == ("voided", "doubled", officer)
        assert run(*wanted) == f"attempt {ended.pk}: is voided already\n"

    def test_a_verdict_is_kept_as_a_review(self, ended: Attempt, officer: AbstractUser) -> None:
        run("proctoring_set_status", ended.pk, "verified", "--reason", "looked", "--by", officer.pk)
        assert Review.objects.get(attempt=ended).author == officer

    @pytest.mark.parametrize("status", ["started", "created", "onboarding_missing"])
    def test_what_the_table_does_not_allow_is_refused(self, status: str, ended: Attempt, officer: AbstractUser) -> None:
        said = run("proctoring_set_status", ended.pk, status, "--reason", "x", "--by", "officer", fails="1 of 1")
        assert "illegal_transition" in said.err
        ended.refresh_from_db()
        assert ended.status == Status.SUBMITTED

    def test_it_lends_nobody_a_role_they_do_not_have(self, ended: Attempt, reviewer: AbstractUser) -> None:
        said = run("proctoring_set_status", ended.pk, "voided", "--reason", "x", "--by", reviewer.pk, fails="1 of 1")
        assert "no role in this course" in said.err

    def test_its_arguments_are_checked(self, ended: Attempt, officer: AbstractUser) -> None:
        run("proctoring_set_status", 999999, "voided", "--reason", "x", "--by", "officer", fails="no attempt")
        run("proctoring_set_status", ended.pk, "gone", "--reason", "x", "--by", "officer", fails="invalid choice")
        run("proctoring_set_status", ended.pk, "voided", "--reason", " ", "--by", "officer", fails="reason")
        run("proctoring_set_status", "-1", "voided", "--reason", "x", "--by", "officer", fails="above 0")


class TestReset:
    def file(self, tmp_path: Path, *lines: str) -> Path:
        path = tmp_path / "rows.csv"
        path.write_text("\n".join(lines), encoding="utf-8-sig")
        return path

    def test_it_resets_by_id_and_by_person_and_exam(
        self, tmp_path: Path, ended: Attempt, officer: AbstractUser
    ) -> None:
        other = AttemptFactory(exam=ended.exam, status=Status.ERROR)
        path = self.file(tmp_path, "attempt", str(ended.pk), "", f" {other.user.username} , {other.exam_id}")
        wanted = ("proctoring_reset_attempts", path, "--reason", "the alarm", "--by", "officer")
        said = dry(*wanted)
        assert run(*wanted) == said
        for one in (ended, other):
            one.refresh_from_db()
            assert (one.status, one.retry_kind, one.retry_granted_by) == (Status.VOIDED, "fresh", officer)
        removals = Delivery.objects.filter(operation="remove_attempt").count()
        again = run(*wanted)
        assert again.count("was reset for this reason already") == 2
        assert Delivery.objects.filter(operation="remove_attempt").count() == removals

    def test_a_second_run_leaves_the_attempt_alone_that_was_begun_since(
        self, tmp_path: Path, ended: Attempt, officer: AbstractUser
    ) -> None:
        path = self.file(tmp_path, f"{ended.user_id},{ended.exam_id}")
        wanted = ("proctoring_reset_attempts", path, "--reason", "the alarm", "--by", "officer")
        run(*wanted)
        newer = AttemptFactory(exam=ended.exam, user=ended.user, number=2, status=Status.STARTED)
        assert "already" in run(*wanted)
        newer.refresh_from_db()
        assert newer.status == Status.STARTED

    def test_a_practice_attempt_is_started_over_once(self, tmp_path: Path, officer: AbstractUser) -> None:
        practice = AttemptFactory(exam=ExamFactory(exam_type=ExamType.PRACTICE), status=Status.SUBMITTED)
        path = self.file(tmp_path, f"{practice.user_id},{practice.exam_id}")
        wanted = ("proctoring_reset_attempts", path, "--reason", "the alarm", "--by", "officer")
        assert "is the next one" in run(*wanted)
        assert "already" in run(*wanted)
        assert Attempt.objects.filter(user=practice.user).count() == 2

    def test_a_bad_row_does_not_stop_the_others(self, tmp_path: Path, ended: Attempt, officer: AbstractUser) -> None:
        bad = ["x", "999999", "1,2,3", "nobody@example.org,1", f"{ended.user_id},99", "=1+1", "9" * 30, "\x00"]
        path = self.file(tmp_path, *bad, str(ended.pk))
        said = run("proctoring_reset_attempts", path, "--reason", "x", "--by", "officer", fails="8 of 9 were refused")
        assert f"line 9: attempt {ended.pk}" in said
        for line in range(1, 9):
            assert f"line {line}: " in said.err

    def test_nobody_resets_in_a_course_that_is_not_theirs(
        self, tmp_path: Path, ended: Attempt, reviewer: AbstractUser
    ) -> None:
        path = self.file(tmp_path, str(ended.pk))
        said = run("proctoring_reset_attempts", path, "--reason", "x", "--by", reviewer.username, fails="1 of 1")
        assert "not staff of this course" in said.err

    def test_a_file_that_cannot_be_read_is_said_so(self, tmp_path: Path, officer: AbstractUser) -> None:
        run("proctoring_reset_attempts", tmp_path / "no", "--reason", "x", "--by", "officer", fails="cannot be read")
        (tmp_path / "latin").write_bytes(b"\xff\xfe,1")
        run("proctoring_reset_attempts", tmp_path / "latin", "--reason", "x", "--by", "officer", fails="cannot be read")

    def test_standard_input_and_a_limit(
        self, ended: Attempt, officer: AbstractUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = AttemptFactory(exam=ended.exam, status=Status.ERROR)
        monkeypatch.setattr("sys.stdin", io.StringIO(f"{ended.pk}\n{other.pk}\n"))
        said = run("proctoring_reset_attempts", "-", "--reason", "x", "--by", "officer", "--limit", 1)
        assert said.count("is reset") == 1
        other.refresh_from_db()
        assert other.status == Status.ERROR


class TestReplay:
    SPAN = ("--since", "2026-03-02T10:00:00Z", "--until", "2026-03-02T11:00:00+00:00")

    def test_reviews_of_that_span_are_processed_again(self, known: Attempt) -> None:
        said = dry("proctoring_replay_reviews", *self.SPAN)
        assert run("proctoring_replay_reviews", *self.SPAN) == said
        again, other = WebhookMessage.objects.order_by("received_at")
        assert (again.status, other.status) == (MessageStatus.RECEIVED, MessageStatus.QUARANTINED)
        assert f"webhookmessage {again.pk}: of 2026-03-02T10:40:00Z" in said
        reviews = Review.objects.count()
        receive({"type": "ready", "id": "x"}, now=at(12, 0))
        again.refresh_from_db()
        assert again.status != MessageStatus.RECEIVED
        assert Review.objects.count() == reviews

    def test_other_spans_and_vendors_are_left_alone(self, known: Attempt) -> None:
        early = ("--since", "2026-03-02T09:00:00Z", "--until", "2026-03-02T10:00:00Z")
        assert run("proctoring_replay_reviews", *early) == ""
        assert run("proctoring_replay_reviews", *self.SPAN, "--backend", "other") == ""

    def test_what_a_worker_holds_is_refused_and_the_others_go_on(self, known: Attempt) -> None:
        MessageFactory(type="AttemptReviewed", received_at=TEN, claimed_by="w", claimed_until=at(13, 0))
        said = run("proctoring_replay_reviews", *self.SPAN, fails="1 of 2")
        assert "message_claimed" in said.err
        assert "is going to be processed again" in said

    def test_kept_reviews_are_applied(self, ended: Attempt) -> None:
        fields = {"occurred_at": at(10, 5), "received_at": at(10, 5), "payload": {}}
        kept = Review.objects.create(attempt=ended, status="passed", not_applied_reason="attempt_not_ended", **fields)
        assert run("proctoring_replay_reviews", *self.SPAN) == f"attempt {ended.pk}: review {kept.pk}: applied\n"
        ended.refresh_from_db()
        assert ended.status == Status.VERIFIED

    @pytest.mark.parametrize("text", ["2026-03-02T10:00:00", "yesterday", "2026-03-02", "2026-13-02T10:00:00Z"])
    def test_a_time_without_a_zone_is_refused(self, text: str) -> None:
        run("proctoring_replay_reviews", "--since", text, "--until", "2026-03-02T11:00:00Z", fails="zone")

    def test_a_span_has_a_length(self) -> None:
        run("proctoring_replay_reviews", "--since", self.SPAN[3], "--until", self.SPAN[1], fails="after --since")


class TestResend:
    def test_what_was_refused_or_given_up_is_due_again(self, vendor: Any) -> None:
        failed, given_up = DeliveryFactory(status="failed", tries=3), DeliveryFactory(status="given_up", tries=20)
        done, mail = DeliveryFactory(status="done"), DeliveryFactory(status="failed", kind="mail", backend="")
        said = dry("proctoring_resend_owed", "--kind", "vendor", "--backend", "vendor")
        assert run("proctoring_resend_owed", "--kind", "vendor", "--backend", "vendor") == said
        assert said.count("is due again") == 2
        for row, status in ((failed, "due"), (given_up, "due"), (done, "done"), (mail, "failed")):
            row.refresh_from_db()
            assert row.status == status
        assert failed.tries == 0
        assert run("proctoring_resend_owed", "--backend", "vendor") == ""
        assert f"delivery {mail.pk}" in run("proctoring_resend_owed")


class TestRecompute:
    @pytest.fixture
    def late(self) -> Attempt:
        """Its exam's due date was moved past the services."""
        attempt: Attempt = AttemptFactory(exam=ExamFactory(course_id=COURSE), status=Status.STARTED)
        Attempt.objects.update(expires_at=at(13, 0))
        Exam.objects.update(due_at=at(12, 30))
        Attempt.objects.update(started_at=at(11, 45))
        attempt.refresh_from_db()
        return attempt

    @pytest.mark.parametrize("which", [(), ("--course", COURSE), ("--exam",)])
    def test_deadlines_follow_their_exams(self, which: tuple[str, ...], late: Attempt) -> None:
        which = (*which, str(late.exam_id)) if which == ("--exam",) else which
        said = dry("proctoring_recompute_deadlines", *which)
        assert run("proctoring_recompute_deadlines", *which) == said == f"exam {late.exam_id}: 1 deadlines changed\n"
        late.refresh_from_db()
        assert late.expires_at == at(12, 30)
        assert "0 deadlines changed" in run("proctoring_recompute_deadlines", *which)

    def test_other_exams_are_left_alone(self, late: Attempt) -> None:
        assert run("proctoring_recompute_deadlines", "--course", "another") == ""
        run("proctoring_recompute_deadlines", "--exam", 999999, fails="no exam")
        run("proctoring_recompute_deadlines", "--exam", 1, "--course", "x", fails="not allowed with")


def test_one_row_that_breaks_does_not_stop_the_others_and_its_words_stay_in_the_log(
    vendor: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = DeliveryFactory(status="failed"), DeliveryFactory(status="failed")
    from proctoring.management.commands import proctoring_resend_owed

    def broken(delivery: Delivery) -> None:
        if delivery.pk == first.pk:
            raise RuntimeError("the secret of the row")
        Delivery.objects.filter(pk=delivery.pk).update(status="due")

    monkeypatch.setattr(proctoring_resend_owed, "repeat", broken)
    said = run("proctoring_resend_owed", fails="1 of 2")
    assert "RuntimeError, see the log" in said.err
    assert "the secret of the row" not in said.err + said
    second.refresh_from_db()
    assert second.status == "due"


def test_progress_goes_to_standard_error(vendor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("proctoring.management.running.PROGRESS", 2)
    for _ in range(5):
        DeliveryFactory(status="failed")
    said = run("proctoring_resend_owed")
    assert said.err.splitlines() == ["2 rows …", "4 rows …", "5 done, 0 refused."]
