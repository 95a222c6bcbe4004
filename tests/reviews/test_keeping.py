"""What is kept of a review: its comments, its recording, its author, and nothing that names the candidate."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.attempts import services
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Actor, Status
from proctoring.backends.types import AttemptReviewed, ReviewStatus
from proctoring.backends.types import ReviewComment as Remark
from proctoring.errors import Conflict, IllegalTransition, NotConfigured, NotPermitted
from proctoring.exams.models import ExamType
from proctoring.host import Role
from proctoring.inbox import sealing
from proctoring.outbox.models import Delivery, Operation
from proctoring.reviews.models import Review, VideoView
from proctoring.reviews.redaction import Redaction
from proctoring.reviews.services import (
    apply_kept_review,
    attempts_with_waiting_review,
    open_video,
    receive_review,
    record_decision,
    record_review,
)
from tests.factories import AttemptFactory, UserFactory, at
from tests.hosts import ScriptedHost, configure, scripted

pytestmark = pytest.mark.django_db

COURSE = "course-v1:Demo+Tests+2026"
VIDEO = "https://vendor.example/v/1?token=secret"
PASSED, VIOLATION, SUSPICIOUS, NOT_REVIEWED = ReviewStatus
HALF_PAST = at(10, 30)


def attempt_in(status: Status, **fields: Any) -> Attempt:
    return AttemptFactory(**{"status": status, "exam__exam_type": ExamType.PROCTORED, **fields})


def receive(attempt: Attempt, status: ReviewStatus, moment: datetime = HALF_PAST, **event: Any) -> Review:
    said = AttemptReviewed(occurred_at=moment, external_id="ext-1", status=status, **event)
    review = receive_review(attempt, said, message=None, now=at(10, 40))
    attempt.refresh_from_db()
    return review


@pytest.fixture
def submitted() -> Attempt:
    return attempt_in(Status.SUBMITTED)


@pytest.fixture
def lms(settings: Any) -> ScriptedHost:
    return scripted(settings)


@pytest.fixture
def reviewer(lms: ScriptedHost) -> AbstractUser:
    person = UserFactory(username="rita", email="rita@example.org")
    lms.roles.add((person.pk, COURSE, Role.REVIEWER))
    return person


class TestComments:
    def test_a_vendors_comments_are_rows_in_their_order_and_come_once(self, submitted: Attempt) -> None:
        said = (
            Remark(comment="A voice", status="suspicious", start_seconds=61, stop_seconds=75),
            Remark(comment="Nothing more"),
        )
        review = receive(submitted, SUSPICIOUS, comments=said)
        assert receive(submitted, SUSPICIOUS, comments=said) == review
        rows = list(review.comments.values_list("start_seconds", "stop_seconds", "severity", "text"))
        assert rows == [(61, 75, "suspicious", "A voice"), (None, None, "", "Nothing more")]

    def test_other_comments_make_another_review(self, submitted: Attempt) -> None:
        one = receive(submitted, PASSED, comments=(Remark(comment="A voice"),))
        assert receive(submitted, PASSED, comments=(Remark(comment="Two voices"),)) != one

    def test_what_a_sloppy_plugin_lets_through_is_made_storable(self, submitted: Attempt) -> None:
        remark = Remark(comment="a\x00b", status="x" * 300, start_seconds=-1, stop_seconds=2**40)
        review = receive(submitted, PASSED, comments=(remark,) * 1200)
        assert review.comments.count() == 1000
        kept = review.comments.first()
        assert kept is not None
        assert (kept.text, kept.severity, kept.start_seconds, kept.stop_seconds) == ("ab", "x" * 60, None, None)


class TestNames:
    def test_neither_the_candidates_name_nor_their_address_stays(self) -> None:
        attempt = attempt_in(Status.SUBMITTED, full_name="Ada Lovelace", user__email="ada@example.org")
        payload = {
            "who": "ADA  lovelace",
            "mail": ["ada@example.org"],
            "ada@example.org": {"seen": "Lovelace, Ada"},
            "n": 1,
        }
        said = Remark(comment="Ada Lovelace looked at https://secret.example/1 and away")
        review = receive(attempt, PASSED, payload=payload, comments=(said,))
        review.refresh_from_db()
        assert review.payload == {
            "who": "[name removed]",
            "mail": ["[name removed]"],
            "[name removed]": {"seen": "Lovelace, Ada"},
            "n": 1,
        }
        comment = review.comments.get()
        assert comment.text == "[name removed] looked at [link removed] and away"

    def test_a_name_is_a_word_and_fields_that_become_one_stay_two(self) -> None:
        redaction = Redaction({"Jo", "x", ""})
        assert redaction.text("Jo and Joanna x") == "[name removed] and Joanna x"
        assert redaction.tree({"s3://a/b": 1, "s3://c/d": 2}) == {"[link removed]": 1, "[link removed]*": 2}

    def test_without_names_only_links_go(self) -> None:
        assert Redaction(()).text("s3://a/b by Ada") == "[link removed] by Ada"


class TestRecording:
    def test_its_address_is_encrypted_for_its_attempt_alone(self, submitted: Attempt) -> None:
        review = receive(submitted, PASSED, video_url=VIDEO)
        review.refresh_from_db()
        assert (review.has_video, review.video_url) == (True, VIDEO)
        assert b"secret" not in bytes(review.sealed_video_url)
        review.attempt_id += 1
        with pytest.raises(NotConfigured):
            _ = review.video_url

    def test_whoever_opens_it_is_written_down(self, submitted: Attempt, reviewer: AbstractUser) -> None:
        review = receive(submitted, PASSED, video_url=VIDEO)
        assert open_video(review, by=reviewer, now=at(11, 0)) == VIDEO
        view = VideoView.objects.get()
        assert (view.review, view.by, view.at) == (review, reviewer, at(11, 0))

    @pytest.mark.parametrize("url", ["", "javascript:alert(1)", "ftp://vendor.example/1", "https://a b"])
    def test_only_web_addresses_are_kept(self, url: str, submitted: Attempt, reviewer: AbstractUser) -> None:
        review = receive(submitted, PASSED, video_url=url)
        assert not review.has_video
        assert open_video(review, by=reviewer) == ""
        assert not VideoView.objects.exists()

    def test_and_only_web_addresses_are_opened(self, submitted: Attempt, reviewer: AbstractUser) -> None:
        review = receive(submitted, PASSED)
        review.sealed_video_url = sealing.seal(b"javascript:alert(1)", context=f"video of attempt {submitted.pk}")
        assert open_video(review, by=reviewer) == ""

    def test_nobody_opens_the_recording_of_their_own_attempt(self, submitted: Attempt) -> None:
        review = receive(submitted, PASSED, video_url=VIDEO)
        with pytest.raises(NotPermitted):
            open_video(review, by=submitted.user)


class TestAuthor:
    def test_a_believed_reviewer_answers_for_it(self, submitted: Attempt, reviewer: AbstractUser) -> None:
        assert receive(submitted, VIOLATION, reviewed_by="Rita@Example.org").author == reviewer
        assert receive(submitted, VIOLATION, at(10, 31), reviewed_by="rita@example.org").author == reviewer
        assert receive(submitted, VIOLATION, at(10, 32), reviewed_by="rita").author is None

    def test_the_candidate_is_never_believed_to_have_reviewed_themselves(self, lms: ScriptedHost) -> None:
        attempt = attempt_in(Status.SUBMITTED, user__email="ada@example.org")
        lms.roles.add((attempt.user_id, COURSE, Role.REVIEWER))
        review = receive(attempt, VIOLATION, reviewed_by="ada@example.org")
        assert (review.author, attempt.status) == (None, Status.SECOND_REVIEW_REQUIRED)


class TestErrors:
    @pytest.mark.parametrize("actor", [Actor.CANDIDATE, Actor.VENDOR])
    def test_a_review_of_an_attempt_in_error_is_applied_when_staff_submit_it(self, actor: Actor) -> None:
        attempt = attempt_in(Status.STARTED)
        early = receive(attempt, VIOLATION, at(10, 12))
        services.report_error(attempt, by=None, actor=actor, now=at(10, 35))
        assert apply_kept_review(attempt, now=at(10, 36)) == early
        receive(attempt, SUSPICIOUS, at(10, 20))
        late = receive(attempt, PASSED, at(10, 33))
        assert (attempt.status, late.not_applied_reason) == (Status.ERROR, "attempt_in_error")
        assert not attempts_with_waiting_review().exists()
        services.change_status(
            attempt, Status.SUBMITTED, by=UserFactory(), actors=[Actor.STAFF], reason="complete", now=at(10, 50)
        )
        assert list(attempts_with_waiting_review()) == [attempt]
        assert apply_kept_review(attempt, now=at(10, 51)) == late
        attempt.refresh_from_db()
        assert attempt.status == Status.VERIFIED
        assert set(attempt.reviews.exclude(pk=late.pk).values_list("not_applied_reason", flat=True)) == {
            "older_than_applied"
        }
        assert not attempts_with_waiting_review().exists()

    def test_that_wakes_the_task(
        self, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
    ) -> None:
        from proctoring import receivers

        woken: list[Any] = []
        monkeypatch.setattr(receivers, "_start", lambda task, *args: woken.append((task.name, args)))
        attempt = attempt_in(Status.ERROR)
        with django_capture_on_commit_callbacks(execute=True):
            services.change_status(attempt, Status.SUBMITTED, by=UserFactory(), actors=[Actor.STAFF], reason="ok")
        assert ("proctoring.apply_kept_reviews", (attempt.pk,)) in woken

    def test_a_vendor_does_not_correct_a_persons_not_reviewed(self, submitted: Attempt, reviewer: AbstractUser) -> None:
        record_review(submitted, NOT_REVIEWED, by=reviewer, now=at(10, 31))
        assert receive(submitted, PASSED, at(10, 35)).not_applied_reason == "attempt_in_error"
        assert submitted.status == Status.ERROR


class TestErasure:
    def test_of_an_erased_attempts_review_only_the_status_is_kept(self) -> None:
        attempt = attempt_in(Status.SUBMITTED, erased_at=at(10, 0))
        said = {"reviewed_by": "rita@example.org", "video_url": VIDEO, "payload": {"note": "Ada"}}
        review = receive(attempt, VIOLATION, comments=(Remark(comment="A voice"),), **said)
        assert (attempt.status, review.not_applied_reason) == (Status.SUBMITTED, "attempt_erased")
        assert (review.reviewed_by, review.payload, review.has_video, review.comments.count()) == ("", {}, False, 0)

    def test_nobody_writes_anew_about_an_erased_attempt(self, reviewer: AbstractUser) -> None:
        attempt = attempt_in(Status.SUBMITTED, erased_at=at(10, 0))
        with pytest.raises(Conflict) as refused:
            record_review(attempt, PASSED, by=reviewer)
        assert refused.value.code == "attempt_erased"


class TestPersonsReviews:
    @pytest.mark.parametrize(
        ("said", "verdict"),
        [
            (PASSED, Status.VERIFIED),
            (VIOLATION, Status.REJECTED),
            (SUSPICIOUS, Status.REJECTED),
            (NOT_REVIEWED, Status.ERROR),
        ],
    )
    @pytest.mark.parametrize(
        "ended",
        [Status.SUBMITTED, Status.TIMED_OUT, Status.TERMINATED, Status.SECOND_REVIEW_REQUIRED, Status.REJECTED],
    )
    def test_it_decides_an_attempt_that_has_ended(
        self, said: ReviewStatus, verdict: Status, ended: Status, reviewer: AbstractUser
    ) -> None:
        attempt = attempt_in(ended)
        remark = Remark(comment="A telephone", status="violation", start_seconds=3, stop_seconds=9)
        review = record_review(attempt, said, by=reviewer, note="seen", comments=[remark], now=at(10, 30))
        attempt.refresh_from_db()
        assert attempt.status == verdict
        assert (review.status, review.source, review.author, review.note) == (said, "staff", reviewer, "seen")
        assert review.comments.get().text == "A telephone"
        assert review.history.get().history_user == reviewer
        if ended != verdict:
            newest = attempt.history.latest()
            assert (newest.history_user, newest.history_change_reason) == (reviewer, "seen")

    def test_it_may_confirm_what_stands(self, reviewer: AbstractUser) -> None:
        attempt = attempt_in(Status.VERIFIED)
        review = record_review(attempt, PASSED, by=reviewer)
        assert (review.applied_at is not None, attempt.history.count()) == (True, 1)

    @pytest.mark.parametrize("status", [Status.CREATED, Status.STARTED, Status.VOIDED, Status.DECLINED])
    def test_an_attempt_that_has_not_ended_or_is_closed_cannot_be_reviewed(
        self, status: Status, reviewer: AbstractUser
    ) -> None:
        attempt = attempt_in(status)
        with pytest.raises(IllegalTransition):
            record_review(attempt, NOT_REVIEWED, by=reviewer, now=at(10, 15))
        assert not attempt.reviews.exists()

    def test_an_overdue_attempt_has_ended(self, reviewer: AbstractUser) -> None:
        attempt = attempt_in(Status.STARTED)
        record_review(attempt, PASSED, by=reviewer, now=at(11, 30))
        attempt.refresh_from_db()
        assert (attempt.status, attempt.ended_at) == (Status.VERIFIED, at(11, 0))

    def test_a_decision_in_the_admin_keeps_author_reason_and_comments(
        self, submitted: Attempt, reviewer: AbstractUser
    ) -> None:
        record_decision(
            submitted,
            Status.REJECTED,
            by=reviewer,
            actors=[Actor.REVIEWER],
            reason="seen",
            comments=[Remark(comment="A telephone")],
        )
        review = submitted.reviews.get()
        assert (review.author, review.note, review.comments.get().text) == (reviewer, "seen", "A telephone")

    def test_staff_without_the_right_to_review_confirm_no_verdict(self) -> None:
        attempt = attempt_in(Status.VERIFIED)
        with pytest.raises(IllegalTransition):
            record_decision(attempt, Status.VERIFIED, by=UserFactory(), actors=[Actor.STAFF], reason="")


class TestCurrent:
    def current(self, attempt: Attempt) -> list[Any]:
        return [one.pk for one in attempt.reviews.for_reading() if one.is_current]  # type: ignore[attr-defined]

    def test_the_review_that_the_present_verdict_comes_from_is_current(
        self, submitted: Attempt, reviewer: AbstractUser
    ) -> None:
        first = receive(submitted, PASSED, at(10, 30))
        assert self.current(submitted) == [first.pk]
        second = receive(submitted, NOT_REVIEWED, at(10, 31))
        receive(submitted, VIOLATION, at(10, 29))
        assert self.current(submitted) == [second.pk]
        third = record_review(submitted, PASSED, by=reviewer, now=at(10, 50))
        assert self.current(submitted) == [third.pk]
        services.void_attempt(submitted, by=UserFactory(), actor=Actor.STAFF)
        assert self.current(submitted) == []

    def test_a_worker_that_waited_for_the_lock_and_decided_last_is_current(
        self, submitted: Attempt, reviewer: AbstractUser
    ) -> None:
        """Its clock was read before that of the one it waited for."""
        receive(submitted, VIOLATION, at(10, 30))
        said = AttemptReviewed(occurred_at=at(10, 31), external_id="ext-1", status=PASSED)
        second = receive_review(submitted, said, message=None, now=at(10, 39))
        assert self.current(submitted) == [second.pk]
        third = record_review(submitted, VIOLATION, by=reviewer, now=at(10, 38))
        assert self.current(submitted) == [third.pk]


class TestSupport:
    @pytest.fixture
    def _listens(self, settings: Any) -> None:
        configure(settings, HOST="tests.reviews.hosts.SupportedHost")

    def promised(self) -> list[Delivery]:
        return list(Delivery.objects.filter(operation=Operation.NOTIFY_SUPPORT))

    @pytest.mark.usefixtures("_listens")
    def test_a_suspicion_that_no_person_answers_for_is_promised_to_support_once(self, submitted: Attempt) -> None:
        for _ in range(2):
            receive(submitted, SUSPICIOUS)
        (promise,) = self.promised()
        assert (promise.target_id, promise.argument, promise.kind) == (submitted.pk, "suspicious", "host")

    @pytest.mark.usefixtures("_listens")
    def test_also_when_it_had_to_wait_for_the_end(self) -> None:
        attempt = attempt_in(Status.STARTED)
        receive(attempt, SUSPICIOUS)
        assert not self.promised()
        services.submit_attempt(attempt, by=attempt.user, now=at(10, 50))
        apply_kept_review(attempt, now=at(10, 51))
        assert len(self.promised()) == 1

    @pytest.mark.usefixtures("_listens")
    def test_other_verdicts_and_what_changes_nothing_are_not(self, submitted: Attempt) -> None:
        receive(submitted, VIOLATION, at(10, 31))
        receive(submitted, SUSPICIOUS, at(10, 30))
        person = UserFactory(is_superuser=True, email="root@example.org")
        receive(submitted, SUSPICIOUS, at(10, 32), reviewed_by=person.email)
        record_review(submitted, SUSPICIOUS, by=person, now=at(10, 50))
        assert not self.promised()

    def test_an_lms_without_support_is_promised_nothing(self, submitted: Attempt) -> None:
        receive(submitted, SUSPICIOUS)
        assert not self.promised()
