"""What a vendor's list says reaches the profiles once, and an approval frees whom onboarding had stopped."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring import receivers, tasks
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.lifecycle import locked, move
from proctoring.attempts.models import Attempt, OnboardingProfile, RetryKind
from proctoring.attempts.onboarding import apply_vendor_list, blocked_in_vain, free_blocked
from proctoring.attempts.profiles import withdraw_approval
from proctoring.attempts.standing import standing_of
from proctoring.attempts.states import BLOCKED, Actor, Status
from proctoring.backends.types import OnboardingRecord
from proctoring.backends.types import ProfileStatus as Word
from proctoring.exams.models import ExamType
from tests.attempts.racing import TIMES, kinds, race
from tests.factories import TEN, AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import configure

pytestmark = pytest.mark.django_db

HERE = "course-here"
YEAR = timedelta(days=365)


def tell(user: AbstractUser, word: Word, now: datetime = TEN, **facts: Any) -> bool:
    """The vendor's list has this word for this person. Whether it is news that they are approved."""
    record = OnboardingRecord(candidate_id="c", status=word, **facts)
    return user.pk in apply_vendor_list("vendor", HERE, {user.pk: record}, now=now)


def profile(user: AbstractUser, **fields: Any) -> OnboardingProfile:
    return OnboardingProfile.objects.create(user=user, backend="vendor", **fields)


def stored(user: AbstractUser) -> OnboardingProfile:
    return OnboardingProfile.objects.get(user=user, backend="vendor")


@pytest.mark.parametrize(
    ("word", "standing"),
    [
        (Word.PENDING, "submitted"),
        (Word.APPROVED, "verified"),
        (Word.REJECTED, "rejected"),
        (Word.EXPIRED, "expired"),
    ],
)
def test_of_somebody_unknown_the_list_is_believed(candidate: AbstractUser, word: Word, standing: str) -> None:
    assert tell(candidate, word) == (word is Word.APPROVED)
    row = stored(candidate)
    assert standing_of(row, HERE, TEN) == standing
    assert (row.vendor_status, row.synced_at) == (word.value, TEN)
    [version] = row.history.all()
    assert (version.history_type, version.history_change_reason) == ("+", "the vendor's list")


def test_somebody_without_a_profile_at_the_vendor_gets_none_here(candidate: AbstractUser) -> None:
    assert not tell(candidate, Word.NONE)
    assert not OnboardingProfile.objects.exists()


@pytest.mark.parametrize(
    ("facts", "until"),
    [
        ({}, TEN + YEAR),
        ({"changed_at": at(9, 0)}, at(9, 0) + YEAR),
        ({"changed_at": at(12, 0)}, TEN + YEAR),
        ({"expires_at": at(12, 0)}, at(12, 0)),
    ],
)
def test_how_long_the_vendors_approval_holds(candidate: AbstractUser, facts: dict[str, Any], until: datetime) -> None:
    tell(candidate, Word.APPROVED, **facts)
    assert stored(candidate).expires_at == until


def test_a_renewal_at_the_vendor_is_news_though_the_word_is_the_same(candidate: AbstractUser) -> None:
    tell(candidate, Word.APPROVED, changed_at=TEN, in_course=True)
    renewed = TEN + timedelta(days=350)
    assert tell(candidate, Word.APPROVED, renewed, changed_at=renewed)
    row = stored(candidate)
    assert (row.approved_at, row.expires_at, row.approved_course_id) == (renewed, renewed + YEAR, HERE)
    versions = row.history.count()
    assert not tell(candidate, Word.APPROVED, renewed + timedelta(days=1), changed_at=renewed)
    assert not tell(candidate, Word.APPROVED, renewed, changed_at=renewed + YEAR), "a clock that is ahead"
    assert not tell(candidate, Word.APPROVED, renewed, changed_at=renewed, expires_at=renewed), "no longer"
    assert stored(candidate).history.count() == versions


def test_an_approval_that_was_taken_back_here_is_not_renewed_by_the_list(candidate: AbstractUser) -> None:
    tell(candidate, Word.APPROVED, changed_at=TEN)
    row = stored(candidate)
    withdraw_approval(row)
    row.save()
    assert not tell(candidate, Word.APPROVED, at(12, 0), changed_at=at(11, 0))
    assert stored(candidate).expires_at is None


def test_an_approval_that_is_over_already_is_expired(candidate: AbstractUser) -> None:
    assert not tell(candidate, Word.APPROVED, changed_at=TEN - YEAR)
    assert standing_of(stored(candidate), HERE, TEN) == "expired"


def test_where_it_was_approved_is_kept_as_soon_as_the_vendor_says(candidate: AbstractUser) -> None:
    tell(candidate, Word.APPROVED, in_course=False)
    assert stored(candidate).approved_course_id == ""
    tell(candidate, Word.APPROVED, in_course=True)
    assert stored(candidate).approved_course_id == HERE
    apply_vendor_list(
        "vendor",
        "there",
        {candidate.pk: OnboardingRecord(candidate_id="c", status=Word.APPROVED, in_course=True)},
        now=TEN,
    )
    assert stored(candidate).approved_course_id == HERE


@pytest.mark.parametrize("word", list(Word))
@pytest.mark.parametrize("status", ["setup_started", "onboarding_started"])
def test_a_try_that_is_under_way_is_not_forgotten(candidate: AbstractUser, status: str, word: Word) -> None:
    profile(candidate, status=status, course_id=HERE)
    tell(candidate, word)
    assert stored(candidate).status == status
    assert stored(candidate).is_approved(TEN) == (word is Word.APPROVED)


@pytest.mark.parametrize("word", list(Word))
def test_the_same_word_again_undoes_nothing_that_happened_since(candidate: AbstractUser, word: Word) -> None:
    """Staff annulled the approved attempt, or the candidate was rejected and is approved by now."""
    for status, expires_at in (("not_started", None), ("verified", at(12, 0)), ("submitted", None)):
        OnboardingProfile.objects.all().delete()
        profile(candidate, status=status, course_id=HERE, expires_at=expires_at, vendor_status=word.value)
        assert not tell(candidate, word)
        row = stored(candidate)
        assert (row.status, row.expires_at, row.synced_at) == (status, expires_at, TEN)
        assert row.history.count() == 1


@pytest.mark.parametrize("word", [Word.NONE, Word.PENDING, Word.REJECTED, Word.EXPIRED])
def test_a_list_that_lags_behind_takes_no_approval(candidate: AbstractUser, word: Word) -> None:
    profile(candidate, status="verified", expires_at=at(12, 0), vendor_status="pending" if word != "pending" else "")
    tell(candidate, word)
    assert standing_of(stored(candidate), HERE, TEN) == "verified"


@pytest.mark.parametrize(
    ("word", "standing"),
    [
        (Word.NONE, "not_started"),
        (Word.PENDING, "verified"),
        (Word.REJECTED, "rejected"),
        (Word.EXPIRED, "expired"),
    ],
)
def test_an_approval_that_the_list_had_shown_ends_when_the_list_says_so(
    candidate: AbstractUser, word: Word, standing: str
) -> None:
    tell(candidate, Word.APPROVED)
    tell(candidate, word, at(11, 0))
    assert standing_of(stored(candidate), HERE, at(11, 0)) == standing


@pytest.mark.parametrize(("word", "standing"), [(Word.REJECTED, "rejected"), (Word.EXPIRED, "submitted")])
def test_a_verdict_whose_message_was_lost_is_found_in_the_list(
    candidate: AbstractUser, word: Word, standing: str
) -> None:
    profile(candidate, status="submitted", course_id=HERE, vendor_status="pending")
    tell(candidate, word)
    assert standing_of(stored(candidate), HERE, TEN) == standing


def test_a_page_costs_the_same_however_many_are_on_it(django_assert_max_num_queries: Any) -> None:
    def page(count: int, word: Word) -> dict[int, OnboardingRecord]:
        people = UserFactory.create_batch(count)
        for person in people:
            profile(person, status="submitted", course_id=HERE, vendor_status="pending")
        return {person.pk: OnboardingRecord(candidate_id="c", status=word) for person in people}

    for word, most in ((Word.PENDING, 4), (Word.REJECTED, 6)):
        costs = []
        for count in (1, 60):
            records = page(count, word)
            with CaptureQueriesContext(connection) as statements:
                apply_vendor_list("vendor", HERE, records, now=TEN)
            costs.append(len(statements))
        assert costs[0] == costs[1] <= most
    strangers = {person.pk: OnboardingRecord(candidate_id="c", status=word) for person in UserFactory.create_batch(60)}
    with django_assert_max_num_queries(8):
        apply_vendor_list("vendor", HERE, strangers, now=TEN)
    assert OnboardingProfile.history.filter(history_change_reason="the vendor's list", history_type="+").count() == 60


def blocked(status: Status = Status.ONBOARDING_MISSING, **fields: Any) -> Attempt:
    attempt = AttemptFactory(exam=ExamFactory(exam_type=ExamType.PROCTORED, backend="vendor"), status=status, **fields)
    Attempt.objects.filter(pk=attempt.pk).update(created_at=TEN)
    return attempt


def sweep(now: datetime) -> int:
    return free_blocked(blocked_in_vain(now), now=now)


class TestFreeing:
    @pytest.fixture(autouse=True)
    def _vendor(self, settings: Any) -> None:
        configure(settings, BACKENDS={"vendor": {"BACKEND": "proctoring.backends.null.NullBackend"}})

    @pytest.mark.parametrize("status", sorted(BLOCKED), ids=str)
    def test_who_is_approved_may_try_again(self, status: Status) -> None:
        attempt = blocked(status)
        profile(attempt.user, status="verified", approved_at=at(10, 1), expires_at=TEN + YEAR)
        assert sweep(at(10, 2)) == 1
        row = Attempt.objects.get()
        assert (row.status, row.open_slot, row.retry_kind) == (Status.VOIDED, None, RetryKind.RESUME)
        assert row.retry_granted_by is None
        again = create_attempt(attempt.exam, attempt.user, now=at(10, 3))
        assert (again.number, again.total_seconds) == (2, 3600)
        assert sweep(at(10, 4)) == 0

    @pytest.mark.parametrize(
        "fields",
        [
            {"status": "verified", "approved_at": at(9, 59), "expires_at": TEN + YEAR},
            {"status": "verified", "approved_at": at(10, 1), "expires_at": at(10, 2)},
            {"status": "rejected"},
        ],
    )
    def test_others_wait(self, fields: dict[str, Any]) -> None:
        """An approval from before the vendor's answer is one that the vendor did not believe: trying again is the
        candidate's own affair, and no loop of ours."""
        profile(blocked().user, **fields)
        profile(blocked().user, **fields)
        OnboardingProfile.objects.filter(pk__gt=OnboardingProfile.objects.earliest("pk").pk).update(
            backend="another", status="verified", approved_at=at(10, 1), expires_at=TEN + YEAR
        )
        assert sweep(at(10, 2)) == 0

    def test_when_the_exam_has_closed_nobody_waits_any_more(self) -> None:
        late, early = blocked(closes_at=at(11, 0)), blocked(closes_at=at(12, 0))
        assert sweep(at(11, 0)) == 1
        assert [Attempt.objects.get(pk=one.pk).status for one in (late, early)] == ["voided", "onboarding_missing"]

    def test_one_that_cannot_be_saved_does_not_hold_up_the_others(self, monkeypatch: pytest.MonkeyPatch) -> None:
        attempts = [blocked(closes_at=at(11, 0)) for _ in range(2)]
        save = Attempt.save

        def broken(self: Attempt, *args: Any, **kwargs: Any) -> None:
            if self.pk == attempts[0].pk:
                raise ValueError("a receiver of the LMS")
            save(self, *args, **kwargs)

        monkeypatch.setattr(Attempt, "save", broken)
        assert sweep(at(11, 0)) == 1
        assert Attempt.objects.filter(status=Status.VOIDED).count() == 1

    @pytest.mark.concurrency
    @pytest.mark.django_db(transaction=True)
    def test_the_sweep_and_the_candidate_who_tries_again(self) -> None:
        for _ in range(TIMES):
            attempt = blocked()
            profile(attempt.user, status="verified", approved_at=at(10, 1), expires_at=TEN + YEAR)
            again = lambda one=attempt: create_attempt(one.exam, one.user, now=at(10, 2))  # noqa: E731
            assert kinds(race(again, lambda: sweep(at(10, 2)))) == ["ok", "ok"]
            mine = Attempt.objects.filter(user=attempt.user).order_by("number")
            assert [one.status for one in mine] == ["voided", "created"]


def test_the_approval_of_an_attempt_wakes_the_sweep(
    candidate: AbstractUser, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    woken: list[str] = []
    monkeypatch.setattr(receivers, "_start", lambda task, *_: woken.append(task.name))
    for exam_type in (ExamType.ONBOARDING, ExamType.PRACTICE):
        attempt = AttemptFactory(user=candidate, exam__exam_type=exam_type, status=Status.SUBMITTED)
        with django_capture_on_commit_callbacks(execute=True), locked(attempt, now=TEN) as row:
            move(row, Status.VERIFIED, actor=Actor.VENDOR, now=TEN)
    assert woken.count(tasks.free_blocked_attempts.name) == 1


def test_nobody_is_refused_here_for_want_of_a_profile(candidate: AbstractUser) -> None:
    """The vendor's answer to the registration decides."""
    exam = ExamFactory(exam_type=ExamType.PROCTORED)
    profile(candidate, status="rejected")
    assert create_attempt(exam, candidate, now=TEN).status == Status.CREATED
