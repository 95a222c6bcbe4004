"""Who gets an attempt, and the word for each reason why not."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.attempts import creation, services
from proctoring.attempts.creation import Refusal, create_attempt
from proctoring.attempts.models import Attempt
from proctoring.attempts.retries import authorize_resume
from proctoring.attempts.states import BLOCKED, Actor, Status
from proctoring.errors import AttemptExists, CreationRefused
from proctoring.exams.models import Exam, ExamStatus, ExamType
from proctoring.host import PrerequisiteState
from proctoring.outbox.models import Delivery, Operation
from tests.exchange.vendor import VENDOR
from tests.factories import TEN, AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import ScriptedHost, configure

FACTS = ("not_permitted", "exam_not_active", "not_open_yet", "past_due")


def refusal_of(exam: Exam, user: AbstractUser, **options: Any) -> str:
    with pytest.raises(CreationRefused) as refused:
        create_attempt(exam, user, **{"now": TEN, **options})
    assert str(refused.value)
    assert not Attempt.objects.filter(exam=exam, user=user).exists()
    return refused.value.code


@pytest.mark.parametrize("status", [ExamStatus.DRAFT, ExamStatus.ARCHIVED])
def test_an_exam_that_is_not_active_is_refused(status: str, candidate: AbstractUser) -> None:
    assert refusal_of(ExamFactory(status=status), candidate) == "exam_not_active"


def test_an_exam_is_open_from_its_first_to_before_its_last_moment(candidate: AbstractUser) -> None:
    exam = ExamFactory(opens_at=at(10, 0), due_at=at(11, 0))
    second = timedelta(microseconds=1)
    assert refusal_of(exam, candidate, now=at(10, 0) - second) == "not_open_yet"
    assert refusal_of(exam, candidate, now=at(11, 0)) == "past_due"
    assert create_attempt(exam, UserFactory(), now=at(10, 0)).number == 1
    assert create_attempt(exam, UserFactory(), now=at(11, 0) - second).number == 1


def test_a_refusal_says_when_the_exam_opens(candidate: AbstractUser) -> None:
    with pytest.raises(CreationRefused) as refused:
        create_attempt(ExamFactory(opens_at=at(11, 0)), candidate, now=TEN)
    assert refused.value.data == {"opens_at": "2026-03-02T11:00:00+00:00"}


def test_a_person_without_the_right_is_refused(candidate: AbstractUser, lms: ScriptedHost) -> None:
    lms.barred.add(candidate.pk)
    assert refusal_of(ExamFactory(), candidate) == "not_permitted"


def test_an_inactive_account_is_refused(db: None, lms: ScriptedHost) -> None:
    assert refusal_of(ExamFactory(), UserFactory(is_active=False)) == "not_permitted"


@pytest.mark.parametrize(
    ("states", "code"),
    [
        (["pending"], "prerequisites_pending"),
        (["satisfied", "declined"], "prerequisites_declined"),
        (["pending", "declined"], "prerequisites_declined"),
        (["pending", "declined", "failed"], "prerequisites_failed"),
    ],
)
def test_the_gravest_unmet_prerequisite_refuses(
    states: list[str], code: str, candidate: AbstractUser, lms: ScriptedHost
) -> None:
    for state in states:
        lms.require(PrerequisiteState(state), name=state)
    exam = ExamFactory(exam_type=ExamType.PROCTORED)
    assert refusal_of(exam, candidate) == code
    with pytest.raises(CreationRefused) as refused:
        create_attempt(exam, candidate, now=TEN)
    listed = refused.value.data["prerequisites"]
    assert [one["name"] for one in listed] == [state for state in states if state != "satisfied"]
    assert listed[0] == {"name": listed[0]["name"], "label": listed[0]["name"].title(), "state": listed[0]["name"],
                         "url": f"/{listed[0]['name']}"}  # fmt: skip


@pytest.mark.parametrize("exam_type", [ExamType.TIMED, ExamType.PRACTICE, ExamType.ONBOARDING])
def test_prerequisites_are_asked_for_proctored_exams_alone(
    exam_type: str, candidate: AbstractUser, lms: ScriptedHost
) -> None:
    lms.require(PrerequisiteState.FAILED)
    assert create_attempt(ExamFactory(exam_type=exam_type), candidate, now=TEN).status == Status.CREATED


def test_the_first_reason_in_their_order_is_the_one_that_is_told(candidate: AbstractUser, lms: ScriptedHost) -> None:
    """Right, status, dates, opting out, prerequisites, attempts: each is mended in turn."""
    exam = ExamFactory(
        exam_type=ExamType.PROCTORED, status=ExamStatus.DRAFT, opens_at=at(11, 0), due_at=at(9, 0), allow_opt_out=False
    )
    AttemptFactory(exam=exam, user=candidate, status=Status.SUBMITTED)
    lms.barred.add(candidate.pk)
    lms.require(PrerequisiteState.PENDING)
    seen = []

    def attempt_code(**options: Any) -> None:
        with pytest.raises(CreationRefused) as refused:
            create_attempt(exam, candidate, **{"now": TEN, **options})
        seen.append(refused.value.code)

    attempt_code()
    lms.barred.clear()
    attempt_code()
    exam.status = ExamStatus.ACTIVE
    attempt_code()
    exam.opens_at = None
    attempt_code()
    exam.due_at = None
    exam.save()
    attempt_code(proctored=False)
    attempt_code()
    lms.required.clear()
    attempt_code()
    assert seen == [
        *FACTS,
        "opt_out_not_allowed",
        "prerequisites_pending",
        "attempt_limit_reached",
    ]
    assert set(seen) | {"prerequisites_failed", "prerequisites_declined"} == set(Refusal)


def test_an_attempt_begins_with_what_the_exam_says(candidate: AbstractUser, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR)
    exam = ExamFactory(
        exam_type=ExamType.PROCTORED,
        backend="vendor",
        due_at=at(12, 0),
        review_policy="No books.",
        time_limit_minutes=45,
    )
    attempt = create_attempt(exam, candidate, now=TEN)
    kept = Attempt.objects.get()
    assert (kept.number, kept.status, kept.open_slot, kept.backend) == (1, Status.CREATED, 1, "vendor")
    assert (kept.total_seconds, kept.started_at, kept.expires_at, kept.closes_at) == (2700, None, None, at(12, 0))
    assert (kept.review_policy, kept.full_name, kept.taking_as_proctored) == ("No books.", "Ada Lovelace", True)
    assert len(kept.code) >= 32
    entry = kept.time_entries.get()
    assert (entry.kind, entry.seconds, entry.state, entry.at) == ("base", 2700, "applied", TEN)
    history = kept.history.get()
    assert (history.status, history.history_user, history.history_change_reason) == ("created", candidate, "created")
    promised = Delivery.objects.get()
    assert (promised.operation, promised.target_id, promised.backend) == ("register_attempt", attempt.pk, "vendor")


def test_a_timed_exam_has_no_vendor_even_where_one_is_configured(candidate: AbstractUser, settings: Any) -> None:
    configure(settings, BACKENDS=VENDOR, DEFAULT_BACKEND="vendor")
    attempt = create_attempt(ExamFactory(), candidate, now=TEN)
    assert (attempt.backend, attempt.taking_as_proctored) == ("null", False)
    assert not Delivery.objects.exists()


def test_codes_differ_and_do_not_follow_from_each_other(candidate: AbstractUser) -> None:
    codes = {create_attempt(ExamFactory(), candidate, now=TEN).code for _ in range(10)}
    assert len(codes) == 10


def test_a_second_open_attempt_is_refused_and_names_the_first(candidate: AbstractUser) -> None:
    exam = ExamFactory()
    first = create_attempt(exam, candidate, now=TEN)
    with pytest.raises(AttemptExists) as refused:
        create_attempt(exam, candidate, now=TEN)
    assert (refused.value.code, refused.value.data) == ("attempt_exists", {"attempt": first.pk})
    assert Attempt.objects.count() == 1


def test_people_and_exams_do_not_stand_in_each_others_way(candidate: AbstractUser) -> None:
    exam = ExamFactory()
    create_attempt(exam, candidate, now=TEN)
    assert create_attempt(exam, UserFactory(), now=TEN).number == 1
    assert create_attempt(ExamFactory(), candidate, now=TEN).number == 1


@pytest.mark.parametrize(
    "status",
    [
        Status.SUBMITTED,
        Status.TERMINATED,
        Status.ERROR,
        Status.VERIFIED,
        Status.DECLINED,
        Status.EXPIRED,
        Status.VOIDED,
    ],
)
def test_one_attempt_is_the_limit_whatever_became_of_it(status: Status, candidate: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status=status)
    with pytest.raises(CreationRefused) as refused:
        create_attempt(attempt.exam, candidate, now=at(11, 0))
    assert refused.value.code == "attempt_limit_reached"


def test_a_granted_retry_gives_one_more_attempt_and_no_second(candidate: AbstractUser, staff: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status=Status.ERROR)
    authorize_resume(attempt, by=staff, reason="power cut", now=at(10, 30))
    second = create_attempt(attempt.exam, candidate, now=at(10, 40))
    assert second.number == 2
    services.report_error(second, by=candidate, actor=Actor.CANDIDATE, now=at(10, 41))
    with pytest.raises(CreationRefused) as refused:
        create_attempt(attempt.exam, candidate, now=at(10, 42))
    assert refused.value.code == "attempt_limit_reached"


@pytest.mark.parametrize("exam_type", [ExamType.PRACTICE, ExamType.ONBOARDING])
def test_practice_and_onboarding_are_unlimited(exam_type: str, candidate: AbstractUser) -> None:
    exam = ExamFactory(exam_type=exam_type)
    for number in range(1, 5):
        attempt = create_attempt(exam, candidate, now=TEN)
        assert (attempt.number, attempt.total_seconds) == (number, 3600)
        services.start_attempt(attempt, by=candidate, now=TEN)
        services.submit_attempt(attempt, by=candidate, now=at(10, 10))


@pytest.mark.parametrize("status", sorted(BLOCKED))
def test_a_blocked_attempt_is_voided_and_does_not_count(status: Status, candidate: AbstractUser) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED)
    AttemptFactory(exam=exam, user=candidate, status=status)
    for number in (2, 3):
        attempt = create_attempt(exam, candidate, now=TEN)
        assert (attempt.number, attempt.total_seconds, attempt.resumed_from) == (number, 3600, None)
        before = Attempt.objects.get(number=number - 1)
        assert (before.status, before.ended_at) == (Status.VOIDED, TEN)
        assert before.history.latest().history_change_reason == "onboarding tried again"
        Attempt.objects.filter(pk=attempt.pk).update(status=status)
    Attempt.objects.filter(number=3).update(status=Status.SUBMITTED, open_slot=None)
    with pytest.raises(CreationRefused):
        create_attempt(exam, candidate, now=TEN)


def test_an_overdue_attempt_ends_before_it_stands_in_the_way(candidate: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status=Status.STARTED)
    with pytest.raises(CreationRefused) as refused:
        create_attempt(attempt.exam, candidate, now=at(11, 0))
    assert refused.value.code == "attempt_limit_reached"


def test_an_overdue_practice_attempt_makes_way_for_the_next(candidate: AbstractUser) -> None:
    attempt = AttemptFactory(user=candidate, status=Status.STARTED, exam__exam_type=ExamType.PRACTICE)
    assert create_attempt(attempt.exam, candidate, now=at(12, 0)).number == 2
    attempt.refresh_from_db()
    assert (attempt.status, attempt.ended_at) == (Status.SUBMITTED, at(11, 0))


@pytest.mark.parametrize("state", [PrerequisiteState.FAILED, PrerequisiteState.DECLINED])
def test_a_prerequisite_that_failed_since_declines_at_the_start(
    state: PrerequisiteState, candidate: AbstractUser, lms: ScriptedHost
) -> None:
    attempt = create_attempt(ExamFactory(exam_type=ExamType.PROCTORED), candidate, now=TEN)
    lms.require(state)
    answer = services.start_attempt(attempt, by=candidate, now=at(10, 1))
    assert (answer.status, answer.started_at) == (Status.DECLINED, None)
    assert answer.history.latest().history_change_reason == f"prerequisites_{state.value}"


def test_a_pending_prerequisite_keeps_the_attempt_from_starting(candidate: AbstractUser, lms: ScriptedHost) -> None:
    attempt = create_attempt(ExamFactory(exam_type=ExamType.PROCTORED), candidate, now=TEN)
    lms.require(PrerequisiteState.PENDING)
    with pytest.raises(CreationRefused) as refused:
        services.start_attempt(attempt, by=candidate, now=at(10, 1))
    assert refused.value.code == "prerequisites_pending"
    lms.required.clear()
    assert services.start_attempt(attempt, by=candidate, now=at(10, 2)).status == Status.STARTED


def test_an_exam_that_was_archived_or_moved_since_does_not_start(candidate: AbstractUser) -> None:
    for changes, code in (
        ({"status": ExamStatus.ARCHIVED}, "exam_not_active"),
        ({"opens_at": at(12, 0)}, "not_open_yet"),
    ):
        attempt = AttemptFactory()
        Exam.objects.filter(pk=attempt.exam_id).update(**changes)
        with pytest.raises(CreationRefused) as refused:
            services.start_attempt(Attempt.objects.get(pk=attempt.pk), by=attempt.user, now=TEN)
        assert refused.value.code == code


@pytest.mark.django_db(transaction=True)
def test_a_due_date_that_changed_since_the_exam_was_read_counts(candidate: AbstractUser) -> None:
    exam = ExamFactory(due_at=at(11, 0))
    Exam.objects.filter(pk=exam.pk).update(due_at=at(12, 0))
    attempt = create_attempt(exam, candidate, now=TEN)
    assert attempt.closes_at == at(12, 0)
    assert Attempt.objects.get(pk=attempt.pk).closes_at == at(12, 0)


def test_registration_is_promised_once_and_only_to_vendors_that_hear_of_attempts(
    candidate: AbstractUser, settings: Any
) -> None:
    configure(settings, BACKENDS={"broken": {"BACKEND": "no.such.Vendor"}})
    create_attempt(ExamFactory(exam_type=ExamType.PROCTORED), candidate, now=TEN)
    assert not Delivery.objects.exists()
    create_attempt(ExamFactory(exam_type=ExamType.PROCTORED, backend="broken"), candidate, now=TEN)
    assert Delivery.objects.get().operation == Operation.REGISTER_ATTEMPT


def test_refusals_have_the_codes_of_the_contract() -> None:
    assert {code.value for code in creation.Refusal} == {
        "exam_not_active", "not_open_yet", "past_due", "not_permitted", "prerequisites_pending",
        "prerequisites_failed", "prerequisites_declined", "opt_out_not_allowed", "attempt_limit_reached",
    }  # fmt: skip
