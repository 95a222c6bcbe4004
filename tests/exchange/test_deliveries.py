"""From a promise to a call and from the vendor's answer to our rows."""

from __future__ import annotations

from typing import Any

import pytest
import time_machine
from django.contrib.auth.models import AbstractUser
from django.db import connection

from proctoring.attempts import services
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt
from proctoring.attempts.retries import reset_attempt
from proctoring.attempts.states import Actor, Status
from proctoring.backends.types import LaunchData, OnboardingBlock, Progress, RegisteredAttempt
from proctoring.errors import BackendAuthenticationError, BackendError, BackendRejected
from proctoring.exams.models import Exam, ExamType
from proctoring.exams.services import create_exam
from proctoring.exchange.deliveries import carry_out
from proctoring.outbox.models import Circuit, Delivery, Operation
from proctoring.outbox.services import claim_due
from tests.exchange.vendor import FakeVendor
from tests.factories import TEN, DeliveryFactory, ExamFactory, UserFactory, at
from tests.hosts import configure

LAUNCH = LaunchData(download_url="https://vendor.example/get", instructions=("Breathe.",))


@pytest.fixture
def candidate(db: None) -> AbstractUser:
    return UserFactory(username="candidate", email="ada@example.org")


@pytest.fixture
def exam(vendor: FakeVendor) -> Exam:
    return ExamFactory(
        exam_type=ExamType.PROCTORED, backend="vendor", external_ids={"vendor": "exam-1"}, rules={"notes": True}
    )


def work(now: Any = TEN, rounds: int = 10) -> None:
    """What the task does, at a moment of the test's choice."""
    with time_machine.travel(now, tick=False):
        for _ in range(rounds):
            for delivery in claim_due(now=now, limit=5):
                carry_out(delivery)


def make(exam: Exam, user: AbstractUser) -> Attempt:
    with time_machine.travel(TEN, tick=False):
        return create_attempt(exam, user, now=TEN)


def test_an_attempt_is_registered_with_what_the_vendor_may_know(
    exam: Exam, candidate: AbstractUser, vendor: FakeVendor, settings: Any
) -> None:
    configure(settings, LMS_HOST="https://lms.example.org")
    from proctoring.backends import backends

    vendor = backends["vendor"]  # type: ignore[assignment]  # the setting made a new one
    attempt = make(exam, candidate)
    work()
    [(operation, key, sent), (asked, _, language)] = vendor.calls
    assert (operation, asked, language) == ("register_attempt", "fetch_launch", "en")
    assert (sent.exam_external_id, sent.full_name, sent.email) == ("exam-1", "Ada Lovelace", "ada@example.org")
    assert (sent.time_limit_minutes, sent.is_sample, sent.lms_host) == (60, False, "https://lms.example.org")
    assert len(sent.candidate_id) == 64
    assert attempt.code not in f"{sent} {key}"
    attempt.refresh_from_db()
    assert attempt.external_id == "ext-0"
    assert attempt.launch_data["download_url"] == "https://vendor.example/get"
    assert set(Delivery.objects.values_list("status", flat=True)) == {"done"}


def test_launch_data_in_the_answer_saves_the_question(exam: Exam, candidate: AbstractUser, vendor: FakeVendor) -> None:
    vendor.answers["register_attempt"] = RegisteredAttempt(external_id="x", launch=LAUNCH)
    attempt = make(exam, candidate)
    work()
    assert [call[0] for call in vendor.calls] == ["register_attempt"]
    attempt.refresh_from_db()
    assert attempt.launch_data == {"download_url": LAUNCH.download_url, "instructions": ["Breathe."], "join_url": ""}


@pytest.mark.parametrize("blocked", list(OnboardingBlock), ids=str)
def test_an_answer_without_id_blocks_the_attempt(
    blocked: OnboardingBlock, exam: Exam, candidate: AbstractUser, vendor: FakeVendor
) -> None:
    vendor.answers["register_attempt"] = RegisteredAttempt(blocked=blocked)
    attempt = make(exam, candidate)
    work()
    attempt.refresh_from_db()
    assert (attempt.status, attempt.external_id, attempt.open_slot) == (blocked.value, None, 1)


def test_an_attempt_waits_until_its_exam_is_registered(candidate: AbstractUser, vendor: FakeVendor) -> None:
    with time_machine.travel(TEN, tick=False):
        exam = create_exam(
            {"course_id": "c", "content_id": "b", "name": "n", "time_limit_minutes": 9, "backend": "vendor",
             "status": "active"}, by=UserFactory()
        )  # fmt: skip
    attempt = make(exam, candidate)
    vendor.answers["register_exam"] = BackendError("away")
    work(rounds=1)
    assert [call[0] for call in vendor.calls] == ["register_exam"]
    waiting = Delivery.objects.get(operation=Operation.REGISTER_ATTEMPT)
    assert (waiting.status, waiting.tries) == ("due", 0)
    del vendor.answers["register_exam"]
    work(at(10, 1))
    exam.refresh_from_db()
    attempt.refresh_from_db()
    assert (exam.external_id, bool(attempt.external_id)) == ("exam-1", True)
    assert vendor.calls[1][1] == vendor.calls[0][1], "the same call carries the same key"


def test_the_vendor_hears_once_of_a_start_and_of_the_end_in_order(
    exam: Exam, candidate: AbstractUser, vendor: FakeVendor
) -> None:
    attempt = make(exam, candidate)
    services.mark_ready(attempt, by=None, actor=Actor.VENDOR, now=TEN)
    services.start_attempt(attempt, by=candidate, now=TEN)
    services.stop_attempt(attempt, by=candidate, now=TEN)
    services.start_attempt(attempt, by=candidate, now=TEN)
    services.pause_attempt(attempt, by=UserFactory(), actor=Actor.PROCTOR, now=TEN)
    services.resume_attempt(attempt, by=UserFactory(), actor=Actor.PROCTOR, now=TEN)
    services.submit_attempt(attempt, by=candidate, now=at(10, 1))
    Delivery.objects.update(next_try_at=TEN)
    work(at(10, 2))
    told = [about[1] for name, _, about in vendor.calls if name == "report_progress"]
    assert told == [Progress.STARTED, Progress.SUBMITTED]
    assert vendor.calls[0][0] == "register_attempt"


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (
            lambda a, u: services.terminate_attempt(a, by=UserFactory(), actor=Actor.STAFF, now=TEN),
            [Progress.SUBMITTED],
        ),
        (lambda a, u: services.report_error(a, by=u, actor=Actor.CANDIDATE, now=TEN), [Progress.ERROR]),
        (lambda a, u: services.report_error(a, by=None, actor=Actor.VENDOR, now=TEN), []),
        (lambda a, u: services.void_attempt(a, by=UserFactory(), actor=Actor.STAFF, now=TEN), []),
        (lambda a, u: reset_attempt(a, by=UserFactory(), reason="", now=TEN), ["remove"]),
    ],
    ids=["terminated", "error", "vendor's own error", "void", "reset"],
)
def test_the_vendor_hears_how_an_attempt_ended(
    end: Any, told: list[Any], exam: Exam, candidate: AbstractUser, vendor: FakeVendor
) -> None:
    attempt = make(exam, candidate)
    work()
    end(attempt, candidate)
    Delivery.objects.filter(status="due").update(next_try_at=TEN)
    work(at(10, 1))
    heard = [about[1] if name == "report_progress" else "remove" for name, _, about in vendor.calls[2:]]
    assert heard == told


def test_a_declined_attempt_is_not_registered_any_more(exam: Exam, candidate: AbstractUser, vendor: FakeVendor) -> None:
    exam.allow_opt_out = True
    exam.save()
    attempt = make(exam, candidate)
    services.decline_attempt(attempt, by=candidate, now=TEN)
    work()
    assert vendor.calls == []
    assert Delivery.objects.get().status == "superseded"


def test_a_removal_of_what_the_vendor_never_had_is_moot(
    exam: Exam, candidate: AbstractUser, vendor: FakeVendor
) -> None:
    attempt = make(exam, candidate)
    reset_attempt(attempt, by=UserFactory(), reason="", now=TEN)
    Delivery.objects.update(next_try_at=TEN)
    work()
    assert vendor.calls == []
    assert set(Delivery.objects.values_list("status", flat=True)) == {"superseded"}


def test_a_vendor_that_refuses_the_attempt_ends_it_before_the_start(
    exam: Exam, candidate: AbstractUser, vendor: FakeVendor
) -> None:
    vendor.answers["register_attempt"] = BackendRejected("too_many")
    attempt = make(exam, candidate)
    work()
    attempt.refresh_from_db()
    assert (attempt.status, attempt.history.latest().history_change_reason) == (
        Status.ERROR,
        "registration refused: too_many",
    )
    assert (Delivery.objects.get().status, Circuit.objects.get().failures) == ("failed", 0)


FAILURES = [
    (BackendError("timed out"), "due", 1),
    (BackendAuthenticationError("401"), "given_up", 1),
    (BackendRejected("no"), "failed", 0),
    (RuntimeError("a mistake of the plugin, with a secret"), "due", 0),
]


@pytest.mark.parametrize(("error", "status", "failures"), FAILURES, ids=lambda value: type(value).__name__)
def test_a_failure_is_written_into_the_row_and_never_raised(
    error: Exception, status: str, failures: int, exam: Exam, candidate: AbstractUser, vendor: FakeVendor
) -> None:
    attempt = make(exam, candidate)
    vendor.answers["register_attempt"] = error
    work(rounds=1)
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.tries, delivery.claimed_until) == (status, 1, None)
    assert (str(error) if isinstance(error, BackendError) else type(error).__name__) in delivery.last_error
    assert "secret" not in delivery.last_error
    assert sum(Circuit.objects.values_list("failures", flat=True)) == failures
    attempt.refresh_from_db()
    assert attempt.external_id is None


def test_an_answer_without_an_id_is_a_failure(exam: Exam, candidate: AbstractUser, vendor: FakeVendor) -> None:
    make(exam, candidate)
    vendor.answers["register_attempt"] = RegisteredAttempt()
    work(rounds=1)
    assert "no id" in Delivery.objects.get().last_error


def test_one_id_for_two_attempts_is_a_failure_of_the_second_alone(exam: Exam, vendor: FakeVendor) -> None:
    vendor.answers["register_attempt"] = RegisteredAttempt(external_id="same", launch=LAUNCH)
    for _ in range(2):
        make(exam, UserFactory())
    work(rounds=1)
    assert list(Attempt.objects.order_by("pk").values_list("external_id", flat=True)) == ["same", None]
    assert sorted(Delivery.objects.values_list("status", flat=True)) == ["done", "due"]


def test_a_backend_that_cannot_be_loaded_counts_as_away(candidate: AbstractUser, settings: Any) -> None:
    configure(settings, BACKENDS={"vendor": {"BACKEND": "no.such.Vendor"}})
    exam = ExamFactory(exam_type=ExamType.PROCTORED, backend="vendor", external_ids={"vendor": "e"})
    make(exam, candidate)
    work(rounds=1)
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.tries) == ("due", 1)
    assert "cannot be loaded" in delivery.last_error


def test_without_a_key_for_pseudonyms_nobody_is_registered_under_a_primary_key(
    exam: Exam, candidate: AbstractUser, settings: Any
) -> None:
    configure(settings, PSEUDONYM_KEYS=[])
    make(exam, candidate)
    work(rounds=1)
    assert "PSEUDONYM_KEYS" in Delivery.objects.get().last_error


@pytest.mark.parametrize(
    "answer",
    [None, BackendError("away"), BackendRejected("no"), RuntimeError("x")],
    ids=lambda value: type(value).__name__,
)
def test_a_worker_that_lost_its_lease_during_the_call_changes_nothing(
    answer: Exception | None, exam: Exam, candidate: AbstractUser, vendor: FakeVendor
) -> None:
    attempt = make(exam, candidate)

    def slow() -> RegisteredAttempt:
        """Another worker takes the row over while this call is under way."""
        Delivery.objects.update(claimed_by="another")
        if answer is not None:
            raise answer
        return RegisteredAttempt(external_id="mine", launch=LAUNCH)

    vendor.answers["register_attempt"] = slow
    work(rounds=1)
    attempt.refresh_from_db()
    assert (attempt.external_id, attempt.status) == (None, Status.CREATED)
    delivery = Delivery.objects.get()
    assert (delivery.status, delivery.claimed_by, delivery.tries) == ("due", "another", 1)


@pytest.mark.parametrize("case", ["moot", "wait", "unloadable"])
def test_a_worker_that_lost_its_lease_before_the_call_is_not_stopped_by_that(
    case: str, exam: Exam, candidate: AbstractUser, vendor: FakeVendor, settings: Any
) -> None:
    attempt = make(exam, candidate)
    with time_machine.travel(TEN, tick=False):
        [delivery] = claim_due(now=TEN, limit=5)
    Delivery.objects.update(claimed_by="another")
    if case == "moot":
        Attempt.objects.filter(pk=attempt.pk).update(status=Status.DECLINED, open_slot=None)
    elif case == "wait":
        Exam.objects.update(external_ids={})
    else:
        configure(settings, BACKENDS={"vendor": {"BACKEND": "no.such.Vendor"}})
    assert carry_out(delivery) is False
    assert Delivery.objects.get().claimed_by == "another"


def test_a_call_happens_outside_of_any_transaction(
    transactional_db: None, candidate: AbstractUser, vendor: FakeVendor
) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED, backend="vendor", external_ids={"vendor": "exam-1"})
    make(exam, candidate)
    seen: list[bool] = []

    def look() -> RegisteredAttempt:
        seen.append(connection.in_atomic_block)
        return RegisteredAttempt(external_id="x", launch=LAUNCH)

    vendor.answers["register_attempt"] = look
    work(rounds=1)
    assert seen == [False]


def test_the_key_of_a_call_stays_the_same_over_its_tries_and_differs_between_attempts(
    exam: Exam, vendor: FakeVendor
) -> None:
    make(exam, UserFactory())
    make(exam, UserFactory())
    vendor.answers["register_attempt"] = BackendError("away")
    work(rounds=1)
    work(at(10, 5), rounds=1)
    keys = [key for _, key, _ in vendor.calls]
    assert len(keys) == 4
    assert len(set(keys)) == 2


def test_an_operation_of_another_version_does_not_stop_the_worker(vendor: FakeVendor) -> None:
    DeliveryFactory(operation="teleport")
    work(rounds=1)
    assert Delivery.objects.get().last_error == "BackendError: unforeseen ValueError, see the log"


def test_what_a_person_repeats_goes_out_again_under_the_same_key(
    exam: Exam, candidate: AbstractUser, vendor: FakeVendor
) -> None:
    from proctoring.outbox.services import repeat

    make(exam, candidate)
    vendor.answers["register_attempt"] = BackendAuthenticationError("401")
    work(rounds=1)
    del vendor.answers["register_attempt"]
    repeat(Delivery.objects.get(), now=TEN)
    work(rounds=1)
    assert vendor.calls[0][1] == vendor.calls[1][1]
    assert Attempt.objects.get().external_id


@pytest.mark.parametrize("kind", [BackendError, BackendRejected])
def test_a_vendor_that_names_the_candidate_in_its_refusal_is_not_quoted(
    kind: type[BackendError], exam: Exam, candidate: AbstractUser, vendor: FakeVendor
) -> None:
    candidate.email = "ada@example.org"
    candidate.first_name, candidate.last_name = "Ada", "Lovelace"
    candidate.save()
    attempt = make(exam, candidate)
    vendor.answers["register_attempt"] = kind("no licence for Ada Lovelace <ada@example.org>")
    work(rounds=1)
    kept = Delivery.objects.get().last_error + " ".join(str(row.history_change_reason) for row in attempt.history.all())
    assert "no licence for [candidate] <[candidate]>" in kept
    assert "ada@" not in kept
    assert "Lovelace" not in kept
