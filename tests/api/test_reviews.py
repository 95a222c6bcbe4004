"""``reviews/``, ``attempts/{id}/reviews/`` and ``ratings/``: who may, which shape, which error, at which cost."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam, ExamType
from proctoring.host import Role
from proctoring.inbox import sealing
from proctoring.reviews.models import Rating, Review, ReviewComment, VideoView
from tests.api.conftest import A, B, Person, refused
from tests.api.test_statements import cost
from tests.factories import AttemptFactory, ExamFactory, UserFactory, at

VIDEO = "https://vendor.example/v/1?token=é"


def make_review(attempt: Attempt, minute: int = 30, *, video: str = "", **fields: Any) -> Review:
    moment = at(10, minute)
    sealed = sealing.seal(video.encode(), context=f"video of attempt {attempt.pk}") if video else b""
    given = {"status": "suspicious", "occurred_at": moment, "received_at": moment, "applied_at": moment}
    review = Review.objects.create(attempt=attempt, sealed_video_url=sealed, **{**given, **fields})
    ReviewComment.objects.create(review=review, text="A voice", severity="suspicious", start_seconds=61)
    return review


def make_rating(attempt: Attempt, risk: str, minute: int = 30, *, is_current: bool = True) -> Rating:
    moment = at(10, minute)
    return Rating.objects.create(
        attempt=attempt,
        exam=attempt.exam,
        raw_value=risk,
        raw_scale="risk_0_1",
        risk=Decimal(risk),
        mapping_version="rest-1",
        source="webhook",
        rated_at=moment,
        fetched_at=moment,
        is_current=is_current,
    )


def ids(answer: Any) -> list[int]:
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["results"]]


@pytest.fixture
def ended(proctored: Exam, candidate: Person) -> Attempt:
    return AttemptFactory(exam=proctored, user=candidate.user, status=Status.SUBMITTED)


@pytest.fixture
def elsewhere(ended: Attempt) -> Attempt:
    return AttemptFactory(exam=ExamFactory(course_id=B, exam_type=ExamType.PROCTORED), status=Status.SUBMITTED)


class TestList:
    def test_a_review_is_shown_whole(self, reviewer: Person, ended: Attempt) -> None:
        author = UserFactory(username="rita")
        Attempt.objects.update(status=Status.SECOND_REVIEW_REQUIRED)
        review = make_review(ended, video=VIDEO, reviewed_by="rita@example.org", author=author, note="seen")
        (row,) = reviewer.get("/reviews/").json()["results"]
        assert row == {
            "id": review.pk,
            "attempt": ended.pk,
            "exam": ended.exam_id,
            "course_id": A,
            "status": "suspicious",
            "source": "vendor",
            "reviewed_by": "rita@example.org",
            "author": {"id": author.pk, "username": "rita"},
            "message": "seen",
            "comments": [{"start_seconds": 61, "stop_seconds": None, "severity": "suspicious", "text": "A voice"}],
            "has_video": True,
            "applied": True,
            "applied_at": "2026-03-02T10:30:00Z",
            "not_applied_reason": "",
            "occurred_at": "2026-03-02T10:30:00Z",
            "received_at": "2026-03-02T10:30:00Z",
            "current": True,
        }
        assert "vendor.example" not in str(row)

    def test_reviewers_and_staff_read_those_of_their_courses(
        self, person: Callable[..., Person], superuser: Person, ended: Attempt, elsewhere: Attempt
    ) -> None:
        here, there = make_review(ended), make_review(elsewhere)
        assert ids(person(Role.REVIEWER).get("/reviews/")) == [here.pk]
        assert ids(person(Role.STAFF).get("/reviews/")) == [here.pk]
        assert ids(person(Role.REVIEWER, course=B).get("/reviews/")) == [there.pk]
        assert ids(superuser.get("/reviews/")) == [there.pk, here.pk]

    def test_others_read_none(
        self, nobody: Person, candidate: Person, proctor: Person, reviewer: Person, ended: Attempt
    ) -> None:
        make_review(ended)
        for path in ("/reviews/", f"/attempts/{ended.pk}/reviews/"):
            refused(nobody.get(path), 401, "not_authenticated")
            refused(candidate.get(path), 403, "permission_denied")
            refused(proctor.get(path), 403, "permission_denied")
        refused(reviewer.get("/attempts/99999/reviews/"), 404, "not_found")

    def test_nobody_reads_about_their_own_attempt(self, reviewer: Person, proctored: Exam) -> None:
        own = AttemptFactory(exam=proctored, user=reviewer.user, status=Status.SUBMITTED)
        review = make_review(own, video=VIDEO)
        assert ids(reviewer.get("/reviews/")) == []
        refused(reviewer.get(f"/attempts/{own.pk}/reviews/"), 403, "own_attempt")
        refused(reviewer.get(f"/reviews/{review.pk}/video/"), 403, "own_attempt")

    def test_it_can_be_filtered(self, superuser: Person, ended: Attempt, elsewhere: Attempt) -> None:
        one = make_review(ended, status="passed", source="staff")
        two = make_review(elsewhere, applied_at=None, not_applied_reason="attempt_closed")
        for query, found in {
            f"exam={ended.exam_id}": one,
            f"attempt={elsewhere.pk}": two,
            "status=passed": one,
            "source=vendor": two,
            "applied=false": two,
            "applied=true": one,
        }.items():
            assert ids(superuser.get(f"/reviews/?{query}")) == [found.pk], query
        assert ids(superuser.get("/reviews/", course_id=B)) == [two.pk]
        for query in ("status=fine", "source=us", "applied=perhaps", "exam=x", "attempt=0", "cursor=x"):
            refused(superuser.get(f"/reviews/?{query}"), 400, "invalid")

    def test_an_attempts_reviews_are_all_there_and_one_is_current(self, reviewer: Person, ended: Attempt) -> None:
        Attempt.objects.update(status=Status.VERIFIED)
        rows = [
            make_review(ended, 30),
            make_review(ended, 31, status="passed"),
            make_review(ended, 29, applied_at=None, not_applied_reason="older_than_applied"),
        ]
        shown = reviewer.get(f"/attempts/{ended.pk}/reviews/").json()["results"]
        assert [row["id"] for row in shown] == [row.pk for row in reversed(rows)]
        assert [row["current"] for row in shown] == [False, True, False]


class TestWriting:
    BODY = {
        "status": "violation",
        "message": "A telephone",
        "comments": [{"text": "There", "start_seconds": 5, "stop_seconds": 9, "severity": "violation"}, {"text": "="}],
    }

    def test_a_reviewer_decides_under_their_own_name(self, reviewer: Person, ended: Attempt) -> None:
        answer = reviewer.post(f"/attempts/{ended.pk}/reviews/", self.BODY)
        assert answer.status_code == 201, answer.content
        row = answer.json()
        assert (row["status"], row["source"], row["author"]["id"]) == ("violation", "staff", reviewer.user.pk)
        assert (row["message"], row["applied"], row["current"]) == ("A telephone", True, True)
        assert row["comments"] == [
            {"start_seconds": 5, "stop_seconds": 9, "severity": "violation", "text": "There"},
            {"start_seconds": None, "stop_seconds": None, "severity": "", "text": "="},
        ]
        ended.refresh_from_db()
        assert ended.status == Status.REJECTED
        assert ended.history.latest().history_user == reviewer.user

    def test_comments_may_be_spelt_as_vendors_spell_them(self, reviewer: Person, ended: Attempt) -> None:
        theirs = {"comment": "There", "start": 5, "stop": 9, "status": "violation"}
        both = {"comment": "Not this", "text": "This", "start": 70, "start_seconds": 7}
        answer = reviewer.post(f"/attempts/{ended.pk}/reviews/", {"status": "violation", "comments": [theirs, both]})
        assert answer.json()["comments"] == [
            {"start_seconds": 5, "stop_seconds": 9, "severity": "violation", "text": "There"},
            {"start_seconds": 7, "stop_seconds": None, "severity": "", "text": "This"},
        ]

    @pytest.mark.parametrize("status", ["passed", "violation", "suspicious", "not_reviewed"])
    def test_a_word_is_enough(self, status: str, reviewer: Person, ended: Attempt) -> None:
        assert reviewer.post(f"/attempts/{ended.pk}/reviews/", {"status": status}).status_code == 201

    @pytest.mark.parametrize("status", [Status.STARTED, Status.CREATED, Status.VOIDED, Status.EXPIRED])
    def test_only_an_attempt_that_has_ended(self, status: Status, reviewer: Person, proctored: Exam) -> None:
        attempt = AttemptFactory(exam=proctored, status=status, expires_at=None)
        refused(reviewer.post(f"/attempts/{attempt.pk}/reviews/", self.BODY), 409, "illegal_transition")

    def test_who_may_not(
        self,
        nobody: Person,
        staff: Person,
        candidate: Person,
        proctor: Person,
        neighbour: Person,
        reviewer: Person,
        ended: Attempt,
    ) -> None:
        path = f"/attempts/{ended.pk}/reviews/"
        refused(nobody.post(path, self.BODY), 401, "not_authenticated")
        refused(neighbour.post(path, {"status": "?"}), 404, "not_found")
        for person in (staff, candidate, proctor):
            refused(person.post(path, {"status": "?"}), 403, "permission_denied")
        own = AttemptFactory(exam=ended.exam, user=reviewer.user, status=Status.SUBMITTED)
        refused(reviewer.post(f"/attempts/{own.pk}/reviews/", {"status": "?"}), 403, "own_attempt")
        assert not Review.objects.exists()

    @pytest.mark.parametrize(
        "body",
        [
            {},
            [],
            {"status": "clean"},
            {"status": "passed", "message": "x" * 4001},
            {"status": "passed", "message": "\x00"},
            {"status": "passed", "comments": "x"},
            {"status": "passed", "comments": [{}]},
            {"status": "passed", "comments": [{"text": " "}]},
            {"status": "passed", "comments": [{"text": "x", "start_seconds": -1}]},
            {"status": "passed", "comments": [{"text": "x", "start_seconds": 9, "stop_seconds": 8}]},
            {"status": "passed", "comments": [{"text": "x", "stop_seconds": 2**31}]},
            {"status": "passed", "comments": [{"comment": "x", "start": "soon"}]},
            {"status": "passed", "comments": [{"comment": "x", "start": 9, "stop": 8}]},
            {"status": "passed", "comments": [{"text": "x" * 10_001}]},
            {"status": "passed", "comments": [{"text": "x", "severity": "y" * 61}]},
            {"status": "passed", "comments": [{"text": "x"}] * 201},
        ],
    )
    def test_input_that_makes_no_sense(self, body: Any, reviewer: Person, ended: Attempt) -> None:
        refused(reviewer.post(f"/attempts/{ended.pk}/reviews/", body), 400, "invalid")
        assert not Review.objects.exists()


class TestVideo:
    def test_a_reviewer_is_sent_there_and_written_down(self, reviewer: Person, ended: Attempt) -> None:
        review = make_review(ended, video=VIDEO)
        answer = reviewer.get(f"/reviews/{review.pk}/video/")
        assert (answer.status_code, answer.content) == (302, b"")
        assert answer.headers["Location"] == "https://vendor.example/v/1?token=%C3%A9"
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        view = VideoView.objects.get()
        assert (view.review, view.by) == (review, reviewer.user)

    def test_others_are_not(
        self,
        nobody: Person,
        staff: Person,
        candidate: Person,
        proctor: Person,
        person: Callable[..., Person],
        ended: Attempt,
    ) -> None:
        path = f"/reviews/{make_review(ended, video=VIDEO).pk}/video/"
        refused(nobody.get(path), 401, "not_authenticated")
        refused(staff.get(path), 403, "permission_denied")
        for stranger in (candidate, proctor, person(Role.REVIEWER, course=B)):
            refused(stranger.get(path), 404, "not_found")
        assert not VideoView.objects.exists()

    @pytest.mark.parametrize("video", ["", "javascript:alert(1)", "file:///etc/passwd"])
    def test_where_there_is_none(self, video: str, reviewer: Person, ended: Attempt) -> None:
        refused(reviewer.get(f"/reviews/{make_review(ended, video=video).pk}/video/"), 404, "not_found")
        for pk in ("0", "x", "99999999999999999999"):
            refused(reviewer.get(f"/reviews/{pk}/video/"), 404, "not_found")
        assert not VideoView.objects.exists()

    def test_where_the_key_is_gone(self, superuser: Person, ended: Attempt, settings: Any) -> None:
        review = make_review(ended, video=VIDEO)
        settings.PROCTORING = {**settings.PROCTORING, "ENCRYPTION_KEYS": ["x" * 32]}
        refused(superuser.get(f"/reviews/{review.pk}/video/"), 503, "not_configured")
        assert not VideoView.objects.exists()


class TestRatings:
    def test_a_rating_is_shown_whole(self, staff: Person, ended: Attempt) -> None:
        rating = make_rating(ended, "0.25")
        (row,) = staff.get("/ratings/").json()["results"]
        assert row == {
            "id": rating.pk,
            "attempt": ended.pk,
            "exam": ended.exam_id,
            "course_id": A,
            "user": {"id": ended.user_id, "username": ended.user.get_username()},
            "risk": 0.25,
            "raw_value": "0.25",
            "raw_scale": "risk_0_1",
            "mapping_version": "rest-1",
            "source": "webhook",
            "by": None,
            "rated_at": "2026-03-02T10:30:00Z",
            "fetched_at": "2026-03-02T10:30:00Z",
            "current": True,
        }

    def test_it_can_be_filtered_and_shows_what_counts(
        self, superuser: Person, ended: Attempt, elsewhere: Attempt
    ) -> None:
        old = make_rating(ended, "0.95", 29, is_current=False)
        high, low = make_rating(ended, "0.9"), make_rating(elsewhere, "0.1")
        assert ids(superuser.get("/ratings/")) == [low.pk, high.pk]
        assert ids(superuser.get("/ratings/?current=true")) == [low.pk, high.pk]
        assert ids(superuser.get("/ratings/?current=false")) == [low.pk, high.pk, old.pk]
        assert ids(superuser.get("/ratings/?risk_min=0.9")) == [high.pk]
        assert ids(superuser.get("/ratings/", exam=elsewhere.exam_id)) == [low.pk]
        risks = ("2", "-0.1", "NaN", "1e-999999", "high")
        for query in (*(f"risk_min={risk}" for risk in risks), "current=x", "exam=x"):
            refused(superuser.get(f"/ratings/?{query}"), 400, "invalid")

    def test_only_staff_of_the_course_read_them(
        self,
        nobody: Person,
        staff: Person,
        reviewer: Person,
        candidate: Person,
        neighbour: Person,
        ended: Attempt,
    ) -> None:
        make_rating(ended, "0.9")
        own = AttemptFactory(exam=ended.exam, user=staff.user, status=Status.SUBMITTED)
        make_rating(own, "0.9")
        assert len(ids(staff.get("/ratings/"))) == 1
        assert ids(neighbour.get("/ratings/")) == []
        refused(nobody.get("/ratings/"), 401, "not_authenticated")
        for person in (reviewer, candidate):
            refused(person.get("/ratings/"), 403, "permission_denied")


class TestCost:
    """Under the default host, by a Django permission."""

    def clerk(self, permission: str) -> Person:
        user = UserFactory()
        user.user_permissions.add(Permission.objects.get(codename=permission))
        return Person(user)

    def grow(self, count: int) -> Attempt:
        exam = ExamFactory(exam_type=ExamType.PROCTORED)
        for _ in range(count):
            attempt = AttemptFactory(exam=exam, status=Status.VERIFIED)
            for minute in (30, 31):
                make_review(attempt, minute, author=UserFactory())
            make_rating(attempt, "0.5")
        return attempt

    def test_a_page_of_reviews_costs_five_statements_at_any_size(self) -> None:
        reviewer = self.clerk("review_attempt")
        self.grow(1)
        assert cost(lambda: reviewer.get("/reviews/")) == 5  # bound: 6
        self.grow(40)
        assert cost(lambda: reviewer.get("/reviews/?page_size=200")) == 5
        assert cost(lambda: reviewer.get("/reviews/?status=suspicious&applied=true")) == 5

    def test_an_attempts_reviews_cost_six(self) -> None:
        reviewer, attempt = self.clerk("review_attempt"), self.grow(1)
        assert cost(lambda: reviewer.get(f"/attempts/{attempt.pk}/reviews/")) == 6

    def test_a_page_of_ratings_costs_four_statements_at_any_size(self) -> None:
        staff = self.clerk("manage_course_exams")
        self.grow(1)
        assert cost(lambda: staff.get("/ratings/")) == 4  # bound: 5
        self.grow(20)
        assert cost(lambda: staff.get("/ratings/?risk_min=0.2")) == 4
