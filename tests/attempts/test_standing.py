"""Every profile has its word in every course, the same in Python and in SQL, and leads to a step that is possible."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import product
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AbstractUser

from proctoring.attempts.models import OnboardingProfile, ProfileStatus
from proctoring.attempts.onboarding_roll import course_people, only, profile_of
from proctoring.attempts.profiles import WORDS
from proctoring.attempts.standing import NextStep, Standing, onboarding_of, own_onboarding, standing_of
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam, ExamType
from proctoring.host import Host
from tests.factories import AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import ScriptedHost, configure

NOW = at(10, 0)
HERE, THERE = "course-here", "course-there"
PLACES = ("", HERE, THERE)
BACKEND = "null"


class Everybody(Host):
    def enrolled(self, course_id: str) -> Any:
        return get_user_model().objects.all()


def profiles() -> Iterator[OnboardingProfile]:
    """Every combination of what a row can say."""
    ends = (None, NOW - timedelta(days=1), NOW, NOW + timedelta(days=1))
    for status, course, approved_in, expires_at in product(ProfileStatus, PLACES, PLACES, ends):
        yield OnboardingProfile(
            backend=BACKEND, status=status, course_id=course, approved_course_id=approved_in, expires_at=expires_at
        )


def expected(profile: OnboardingProfile) -> str:
    """The rule once more, as one would say it."""
    if profile.expires_at is not None and profile.expires_at > NOW:
        return "other_course_approved" if profile.approved_course_id == THERE else "verified"
    if profile.status == "verified":
        return "expired"
    return "not_started" if profile.course_id == THERE else str(profile.status)


def test_every_profile_has_its_word() -> None:
    assert standing_of(None, HERE, NOW) == "not_started"
    seen = set()
    for profile in profiles():
        word = standing_of(profile, HERE, NOW)
        assert word == expected(profile), (profile.status, profile.course_id, profile.expires_at)
        seen.add(word)
    assert seen == set(Standing) - {Standing.ONBOARDING_RESET}


@pytest.mark.django_db
def test_sql_finds_exactly_those_who_have_the_word(settings: Any) -> None:
    configure(settings, HOST=f"{__name__}.Everybody")
    rows = list(profiles())
    people = get_user_model().objects.bulk_create(
        [get_user_model()(username=f"person{number}") for number in range(len(rows) + 1)]
    )
    people = list(get_user_model().objects.order_by("pk"))
    for row, person in zip(rows, people, strict=False):
        row.user = person
    OnboardingProfile.objects.bulk_create(rows)
    OnboardingProfile.objects.create(user=people[-1], backend="another", status="verified", expires_at=at(12, 0))
    everybody = course_people(HERE, backend=BACKEND)
    words = {person.pk: standing_of(profile_of(person), HERE, NOW) for person in everybody}
    assert len(words) == len(rows) + 1
    for word in Standing:
        found = set(only(everybody, [word], HERE, NOW).values_list("pk", flat=True))
        assert found == {pk for pk, have in words.items() if have == word}, word
    several = set(only(everybody, ["verified", "rejected"], HERE, NOW).values_list("pk", flat=True))
    assert several == {pk for pk, have in words.items() if have in ("verified", "rejected")}


@pytest.mark.django_db
def test_a_host_that_knows_nobody_shows_those_with_an_attempt() -> None:
    sat = AttemptFactory(exam__course_id=HERE, exam__exam_type=ExamType.PROCTORED)
    AttemptFactory(exam__course_id=HERE, exam__exam_type=ExamType.TIMED)
    AttemptFactory(exam__course_id=THERE, exam__exam_type=ExamType.PROCTORED)
    assert [person.pk for person in course_people(HERE, backend=BACKEND)] == [sat.user_id]


@pytest.fixture
def exam(db: None) -> Exam:
    return ExamFactory(course_id=HERE, exam_type=ExamType.ONBOARDING)


def own(user: AbstractUser, now: datetime = NOW) -> tuple[str, str]:
    answer = own_onboarding(user, HERE, now=now)
    assert answer is not None
    return answer.status.value, answer.next_step.value


STEPS = {
    "not_started": "begin",
    "setup_started": "continue",
    "onboarding_started": "continue",
    "submitted": "wait",
    "rejected": "retry",
    "error": "retry",
}


@pytest.mark.parametrize("status", list(Status), ids=str)
def test_every_status_of_the_newest_attempt_has_its_word_and_step(exam: Exam, status: Status) -> None:
    """Without a profile, as if the attempt came from another time: the candidate's own answer looks at it."""
    attempt = AttemptFactory(exam=exam, status=status)
    word = WORDS.get(status, "onboarding_reset" if status == Status.ONBOARDING_RESET else "not_started")
    if status == Status.VERIFIED:
        word = "not_started"  # its approval was never written, and a word alone opens nothing
    step = "begin" if word == "onboarding_reset" else STEPS[word]
    assert own(attempt.user, at(10, 1)) == (word, step)


def test_the_newest_attempt_that_was_not_reset_counts(exam: Exam) -> None:
    first = AttemptFactory(exam=exam, status=Status.REJECTED)
    AttemptFactory(exam=exam, user=first.user, number=2, status=Status.ONBOARDING_RESET)
    assert own(first.user) == ("rejected", "retry")


def test_a_deadline_that_no_sweep_has_noticed_has_passed(exam: Exam) -> None:
    attempt = AttemptFactory(exam=exam, status=Status.STARTED)
    OnboardingProfile.objects.create(
        user=attempt.user, backend=BACKEND, status=ProfileStatus.ONBOARDING_STARTED, course_id=HERE
    )
    assert own(attempt.user, at(10, 30)) == ("onboarding_started", "continue")
    assert own(attempt.user, at(11, 0)) == ("submitted", "wait")


def test_a_try_in_another_course_says_nothing_here_and_the_one_here_is_found(exam: Exam) -> None:
    attempt = AttemptFactory(exam=exam, status=Status.SUBMITTED)
    OnboardingProfile.objects.create(
        user=attempt.user, backend=BACKEND, status=ProfileStatus.SETUP_STARTED, course_id=THERE
    )
    assert own(attempt.user) == ("submitted", "wait")
    stranger = UserFactory()
    OnboardingProfile.objects.create(user=stranger, backend=BACKEND, status="setup_started", course_id=THERE)
    assert own(stranger) == ("not_started", "begin")


def test_an_approval_of_another_course_comes_before_a_failed_try_here(exam: Exam) -> None:
    attempt = AttemptFactory(exam=exam, status=Status.REJECTED)
    OnboardingProfile.objects.create(
        user=attempt.user,
        backend=BACKEND,
        status=ProfileStatus.REJECTED,
        course_id=HERE,
        approved_course_id=THERE,
        expires_at=NOW + timedelta(days=100),
    )
    assert own(attempt.user) == ("other_course_approved", "none")


@pytest.mark.parametrize(
    ("left", "soon", "status", "step"),
    [
        (timedelta(days=29), False, "verified", "none"),
        (timedelta(days=28), True, "verified", "renew"),
        (timedelta(seconds=1), True, "verified", "renew"),
        (timedelta(0), False, "expired", "renew"),
        (timedelta(days=-400), False, "expired", "renew"),
    ],
)
def test_an_approval_expires_soon_within_28_days_and_never_afterwards(
    exam: Exam, left: timedelta, soon: bool, status: str, step: str
) -> None:
    user = UserFactory()
    profile = OnboardingProfile.objects.create(user=user, backend=BACKEND, status="verified", expires_at=NOW + left)
    for answer in (own_onboarding(user, HERE, now=NOW), onboarding_of(user, profile, [exam], now=NOW)):
        assert answer is not None
        assert (answer.status, answer.expiring_soon, answer.next_step) == (status, soon, step)
        assert answer.expires_at == NOW + left


class TestSeveralExams:
    """One candidate who has not begun, and exams that open and close."""

    def ask(self, *windows: tuple[datetime | None, datetime | None]) -> Any:
        exams = [
            ExamFactory(course_id=HERE, exam_type=ExamType.ONBOARDING, opens_at=opens_at, due_at=due_at)
            for opens_at, due_at in windows
        ]
        answer = own_onboarding(UserFactory(), HERE, now=NOW)
        assert answer is not None
        return exams.index(answer.exam), answer.past_due, answer.next_step, answer.leads_to_exam

    def test_the_first_that_is_open(self, db: None) -> None:
        assert self.ask((None, at(9, 0)), (at(11, 0), None), (None, None)) == (2, False, NextStep.BEGIN, True)

    def test_else_the_one_that_opens_next_which_is_not_linked_yet(self, db: None) -> None:
        assert self.ask((None, at(9, 0)), (at(12, 0), None), (at(11, 0), None)) == (2, False, NextStep.WAIT, False)

    def test_past_due_only_if_all_are(self, db: None) -> None:
        assert self.ask((None, at(9, 0)), (None, at(10, 0))) == (0, True, NextStep.NONE, False)


def test_a_running_try_goes_on_although_the_exam_is_over(exam: Exam) -> None:
    attempt = AttemptFactory(exam=exam, status=Status.STARTED)
    Exam.objects.filter(pk=exam.pk).update(due_at=at(9, 0))
    assert own(attempt.user, at(10, 30)) == ("onboarding_started", "continue")


def test_there_is_none_where_the_exam_is_inactive_or_not_the_persons(exam: Exam, lms: ScriptedHost) -> None:
    user = UserFactory()
    assert own_onboarding(user, HERE, now=NOW) is not None
    assert own_onboarding(user, HERE, now=NOW, backend="another") is None
    lms.barred.add(user.pk)
    assert own_onboarding(user, HERE, now=NOW) is None
    Exam.objects.update(status="archived")
    assert own_onboarding(UserFactory(), HERE, now=NOW) is None


def test_a_persons_own_date_decides_what_is_past_due(exam: Exam, monkeypatch: pytest.MonkeyPatch) -> None:
    Exam.objects.filter(pk=exam.pk).update(due_at=at(9, 0))
    user = UserFactory()
    assert own(user) == ("not_started", "none")
    monkeypatch.setattr(Host, "personal_due_at", lambda *_: at(11, 0))
    assert own(user) == ("not_started", "begin")
