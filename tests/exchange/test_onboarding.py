"""The vendors' lists are read page by page, go on where they stopped, and never harm anybody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
import time_machine
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring import tasks
from proctoring.attempts.models import Attempt, OnboardingProfile
from proctoring.attempts.states import Status
from proctoring.backends import backends
from proctoring.backends.base import Backend
from proctoring.backends.types import OnboardingPage, OnboardingRecord, ProfileStatus
from proctoring.errors import BackendAuthenticationError, BackendError, BackendRejected
from proctoring.exams.models import ExamType
from proctoring.exchange.lists import PAUSE
from proctoring.exchange.onboarding import REST, OnboardingList
from proctoring.inbox.models import SweepCursor
from proctoring.outbox.models import Circuit
from proctoring.privacy.pseudonyms import candidate_id
from tests.attempts.racing import TIMES, race
from tests.factories import TEN, AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import configure

pytestmark = pytest.mark.django_db

Answer = OnboardingPage | Exception


class Registrar(Backend):
    """A vendor whose list a test writes: course and cursor → page, or what to raise."""

    supports_onboarding = True

    def __init__(self) -> None:
        self.pages: dict[tuple[str, str], Answer] = {}
        self.asked: list[tuple[str, str]] = []

    def list_onboarding(self, course_id: str, *, cursor: str) -> OnboardingPage:
        self.asked.append((course_id, cursor))
        answer = self.pages.get((course_id, cursor), OnboardingPage(records=()))
        if isinstance(answer, Exception):
            raise answer
        return answer


def page(*people: Any, status: ProfileStatus = ProfileStatus.APPROVED, next_cursor: str = "") -> OnboardingPage:
    ids = [candidate_id("registrar", person.pk) if not isinstance(person, str) else person for person in people]
    records = tuple(OnboardingRecord(candidate_id=one, status=status) for one in ids)
    return OnboardingPage(records=records, next_cursor=next_cursor)


@pytest.fixture
def registrar(settings: Any) -> Registrar:
    configure(settings, BACKENDS={"registrar": {"BACKEND": f"{__name__}.Registrar"}})
    backend = backends["registrar"]
    assert isinstance(backend, Registrar)
    return backend


@pytest.fixture
def course() -> Callable[..., Any]:
    def make(course_id: str, **fields: Any) -> Any:
        return ExamFactory(course_id=course_id, **{"exam_type": ExamType.ONBOARDING, "backend": "registrar", **fields})

    return make


def read(now: datetime = TEN) -> bool:
    return OnboardingList().read_next_page("registrar", now=now)


def cursor() -> SweepCursor:
    return SweepCursor.objects.get(name="onboarding", backend="registrar")


def test_courses_and_pages_in_order_each_once_and_then_a_rest(registrar: Registrar, course: Any) -> None:
    for name, fields in (
        ("b", {"exam_type": ExamType.PROCTORED}),
        ("a", {}),
        ("a", {}),
        ("c", {"status": "archived"}),
        ("d", {"exam_type": ExamType.TIMED}),
        ("e", {"backend": "another"}),
    ):
        course(name, **fields)
    registrar.pages["a", ""] = page(next_cursor="2")
    assert [read(), read(), read()] == [True, True, False]
    assert registrar.asked == [("a", ""), ("a", "2"), ("b", "")]
    assert (cursor().position, cursor().finished_at, cursor().claimed_until) == ("", TEN, None)
    assert not read(TEN + REST - timedelta(seconds=1))
    assert len(registrar.asked) == 3
    assert read(TEN + REST)
    assert registrar.asked[3:] == [("a", "")]


def test_exams_of_the_default_vendor_count(registrar: Registrar, course: Any, settings: Any) -> None:
    configure(settings, BACKENDS={"registrar": {"BACKEND": f"{__name__}.Registrar"}}, DEFAULT_BACKEND="registrar")
    course("a", backend="")
    assert not read()
    again = backends["registrar"]
    assert isinstance(again, Registrar)
    assert again.asked == [("a", "")]


def test_profiles_follow_and_blocked_attempts_are_freed(registrar: Registrar, course: Any) -> None:
    attempt = AttemptFactory(
        exam=course("a", exam_type=ExamType.PROCTORED), status=Status.ONBOARDING_PENDING, backend="registrar"
    )
    bystander = AttemptFactory(exam=attempt.exam, status=Status.ONBOARDING_PENDING, backend="registrar")
    registrar.pages["a", ""] = page(attempt.user, "nobody's id", "x" * 255)
    read()
    assert [row.user for row in OnboardingProfile.objects.all()] == [attempt.user]
    assert Attempt.objects.get(pk=attempt.pk).status == Status.VOIDED
    assert Attempt.objects.get(pk=bystander.pk).status == Status.ONBOARDING_PENDING


def test_who_was_approved_here_already_is_freed_when_the_vendor_says_so_too(registrar: Registrar, course: Any) -> None:
    attempt = AttemptFactory(
        exam=course("a", exam_type=ExamType.PROCTORED), status=Status.ONBOARDING_MISSING, backend="registrar"
    )
    OnboardingProfile.objects.create(
        user=attempt.user, backend="registrar", status="verified", approved_at=at(9, 0), expires_at=at(12, 0)
    )
    assert tasks.free_blocked_attempts() == 0
    registrar.pages["a", ""] = page(attempt.user)
    read()
    assert Attempt.objects.get().status == Status.VOIDED
    assert OnboardingProfile.objects.get().expires_at == at(12, 0)


def test_a_vendor_that_fails_is_left_alone_for_a_while_and_goes_on_from_there(
    registrar: Registrar, course: Any
) -> None:
    course("a")
    registrar.pages["a", ""] = page(next_cursor="2")
    registrar.pages["a", "2"] = BackendError("away")
    assert [read(), read()] == [True, False]
    assert (cursor().position, cursor().last_error) == ("a\n2", "BackendError: away")
    assert not read(TEN + PAUSE - timedelta(seconds=1))
    assert len(registrar.asked) == 2
    registrar.pages["a", "2"] = page()
    assert not read(TEN + PAUSE)
    assert registrar.asked[2:] == [("a", "2")]
    assert (cursor().position, cursor().last_error) == ("", "")


def test_a_vendor_may_ask_for_more_time(registrar: Registrar, course: Any) -> None:
    course("a")
    registrar.pages["a", ""] = BackendError("busy", retry_after=900)
    read()
    assert cursor().claimed_until == TEN + timedelta(seconds=900)


def test_wrong_credentials_stop_the_calls_until_a_person_mends_them(registrar: Registrar, course: Any) -> None:
    course("a")
    registrar.pages["a", ""] = BackendAuthenticationError("no")
    read()
    assert Circuit.objects.get(backend="registrar").stopped
    assert not read(at(11, 0))
    assert len(registrar.asked) == 1


def test_a_course_that_the_vendor_refuses_does_not_hide_the_others(registrar: Registrar, course: Any) -> None:
    course("a")
    course("b")
    registrar.pages["a", ""] = BackendRejected("no such course")
    assert read()
    assert "a: BackendRejected" in cursor().last_error
    read()
    assert registrar.asked == [("a", ""), ("b", "")]


@pytest.mark.parametrize(
    "answer",
    [
        ValueError("api_key=hush"),
        OnboardingPage(records=(), next_cursor="x" * 600),
        OnboardingPage(
            records=tuple(OnboardingRecord(candidate_id=str(n), status=ProfileStatus.NONE) for n in range(1001))
        ),
    ],
    ids=["raises", "endless cursor", "endless page"],
)
def test_a_plugin_that_misbehaves_is_noted_and_harms_nobody(registrar: Registrar, course: Any, answer: Answer) -> None:
    course("a")
    registrar.pages["a", ""] = answer
    assert not read()
    assert cursor().last_error or cursor().finished_at
    assert "hush" not in cursor().last_error
    assert not OnboardingProfile.objects.exists()


def test_what_a_plugin_returned_may_be_unusable_too(registrar: Registrar, course: Any) -> None:
    course("a")
    one = OnboardingRecord(
        candidate_id=candidate_id("registrar", UserFactory().pk),
        status=ProfileStatus.APPROVED,
        changed_at=TEN.replace(tzinfo=None),
    )
    registrar.pages["a", ""] = OnboardingPage(records=(one,))
    assert not read()
    assert (cursor().last_error, cursor().claimed_until) == ("unforeseen TypeError, see the log", TEN + PAUSE)
    assert not OnboardingProfile.objects.exists()


def test_a_cursor_that_turns_in_a_circle_ends(registrar: Registrar, course: Any) -> None:
    course("a")
    registrar.pages["a", ""] = page(next_cursor="1")
    registrar.pages["a", "1"] = page(next_cursor="1")
    assert [read(), read()] == [True, False]


def test_a_vendor_without_courses_is_not_asked(registrar: Registrar) -> None:
    assert not read()
    assert registrar.asked == []


def test_a_circuit_that_is_open_is_respected_and_tried_once(registrar: Registrar, course: Any) -> None:
    course("a")
    circuit = Circuit.objects.create(backend="registrar", failures=9, open_until=at(10, 5))
    assert not read()
    assert registrar.asked == []
    read(at(10, 5))
    circuit.refresh_from_db()
    assert (len(registrar.asked), circuit.open_until) == (1, None)


def test_only_vendors_that_keep_profiles_are_asked(settings: Any) -> None:
    configure(
        settings,
        BACKENDS={
            "registrar": {"BACKEND": f"{__name__}.Registrar"},
            "plain": {"BACKEND": "proctoring.backends.base.Backend"},
            "broken": {"BACKEND": "nowhere.Backend"},
        },
    )
    assert list(OnboardingList().vendors()) == ["registrar"]


@time_machine.travel(TEN, tick=False)
def test_the_task_reads_every_list_to_its_end(registrar: Registrar, course: Any) -> None:
    course("a")
    course("b")
    person = UserFactory()
    registrar.pages["a", ""] = page(next_cursor="2")
    registrar.pages["a", "2"] = page(person, status=ProfileStatus.PENDING)
    assert tasks.read_onboarding_lists() == 3
    assert OnboardingProfile.objects.get().status == "submitted"
    assert tasks.read_onboarding_lists() == 1
    assert len(registrar.asked) == 3


def test_the_statements_of_a_page_do_not_grow_with_the_people_on_it(registrar: Registrar, course: Any) -> None:
    course("a")
    costs = []
    for turn, count in enumerate((1, 40)):
        people = UserFactory.create_batch(count)
        registrar.pages["a", ""] = page(*people, status=ProfileStatus.PENDING)
        read(TEN + 2 * turn * REST)
        again = TEN + (2 * turn + 1) * REST
        with CaptureQueriesContext(connection) as captured:
            read(again)
        costs.append(len([one for one in captured.captured_queries if "SAVEPOINT" not in one["sql"]]))
        assert OnboardingProfile.objects.filter(synced_at=again).count() == count
    assert costs[0] == costs[1] <= 13
    assert OnboardingProfile.history.count() == 41


@pytest.mark.concurrency
@pytest.mark.django_db(transaction=True)
def test_of_two_workers_one_reads(registrar: Registrar, course: Any) -> None:
    course("a")
    for round_ in range(TIMES):
        registrar.asked.clear()
        now = TEN + round_ * REST
        race(*[lambda now=now: read(now)] * 3)
        assert registrar.asked == [("a", "")]
