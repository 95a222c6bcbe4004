"""One attempt: the step, what the page is told of it, and what the log says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.allowances.models import Allowance
from proctoring.attempts import services
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Actor, Status
from proctoring.errors import Conflict, IllegalTransition, InvalidInput, NotPermitted
from proctoring.exams.models import Exam
from proctoring.host import Role
from proctoring.invigilation.actions import MAX_MESSAGE, SPEAKING, Action
from proctoring.invigilation.services import capacity
from proctoring.logs.models import Event
from proctoring.monitoring.models import Command
from tests.factories import AttemptFactory, UserFactory, at
from tests.hosts import ScriptedHost
from tests.invigilation.doing import HALF_PAST, NOISE, do, logged, now_of, wish

pytestmark = pytest.mark.django_db

SENT, FLAGGED = 1050, 1017


def told(attempt: Attempt) -> list[tuple[str, int | None, str]]:
    return [(one.kind, one.minutes, one.text) for one in Command.objects.filter(attempt=attempt)]


@pytest.mark.parametrize(
    ("status", "action", "after", "command"),
    [
        ("started", "pause", "paused", ("pause", None, "")),
        ("paused", "resume", "started", ("resume", None, "")),
        ("started", "extend", "started", ("extend", 10, "")),
        ("started", "terminate", "terminated", ("terminate", None, "")),
        ("started", "void", "voided", ("reload", None, "")),
        ("started", "message", "started", ("message", None, "Please sit down.")),
        ("created", "message", "created", ("message", None, "Please sit down.")),
        ("started", "reload", "started", ("reload", None, "")),
    ],
)
def test_the_server_acts_at_once_and_the_page_is_told(
    sitting: Any, proctor: AbstractUser, status: str, action: str, after: str, command: tuple[Any, ...]
) -> None:
    (attempt,) = sitting(status=status)
    assert do(attempt, action, proctor).status == now_of(attempt).status == after
    assert told(attempt) == [command]
    sent = Command.objects.get()
    assert (sent.by, sent.sent_at, sent.seen_at) == (proctor, HALF_PAST, None)
    (event,) = logged(attempt, SENT)
    assert (event.actor, event.actor_user, event.data["kind"]) == ("proctor", proctor, command[0])


@pytest.mark.parametrize("action", Action)
def test_a_text_for_the_candidate_goes_along_where_the_page_shows_one(
    sitting: Any, proctor: AbstractUser, action: Action
) -> None:
    (attempt,) = sitting(status="paused" if action == "resume" else "started")
    do(attempt, action, proctor, text="Read this.")
    assert [text for _, _, text in told(attempt) if text] == ["Read this."] * (action in SPEAKING)


def test_a_message_says_in_the_log_why_it_was_sent(sitting: Any, proctor: AbstractUser) -> None:
    (attempt,) = sitting()
    do(attempt, "message", proctor)
    (event,) = logged(attempt, SENT)
    assert (event.reason_code, event.reason_message) == (NOISE, "Drilling next door")
    assert event.data["text"] == "Please sit down."


def test_a_flag_is_for_the_log_alone(sitting: Any, proctor: AbstractUser) -> None:
    (attempt,) = sitting()
    versions = attempt.history.count()
    do(attempt, "flag", proctor)
    (event,) = logged(attempt, FLAGGED)
    assert (event.severity, event.reason_code, event.reason_message) == ("warning", NOISE, "Drilling next door")
    assert (event.actor, event.actor_user, event.status) == ("proctor", proctor, "started")
    assert (told(attempt), attempt.history.count()) == ([], versions)


def test_what_the_candidate_is_exempt_from_is_no_word_on_what_a_person_saw(sitting: Any, proctor: AbstractUser) -> None:
    (attempt,) = sitting()
    Allowance.objects.create(
        user=attempt.user, course_id=attempt.exam.course_id, kind="exemption", exemptions=[FLAGGED]
    )
    do(attempt, "flag", proctor)
    (event,) = logged(attempt, FLAGGED)
    assert event.severity == "warning"


@pytest.mark.parametrize("status", [one for one in Status.values if one not in ("started", "paused")])
def test_a_flag_goes_onto_an_attempt_in_any_state(sitting: Any, proctor: AbstractUser, status: str) -> None:
    (attempt,) = sitting(status=status)
    assert do(attempt, "flag", proctor).status == status
    assert len(logged(attempt, FLAGGED)) == 1


@pytest.mark.parametrize("action", ["message", "reload"])
@pytest.mark.parametrize("status", ["submitted", "terminated", "verified", "voided", "declined"])
def test_nobody_speaks_to_a_page_that_is_closed(sitting: Any, proctor: AbstractUser, action: str, status: str) -> None:
    (attempt,) = sitting(status=status)
    with pytest.raises(Conflict) as refused:
        do(attempt, action, proctor)
    assert refused.value.code == "attempt_closed"
    assert told(attempt) == []


def test_an_attempt_whose_deadline_has_passed_hears_no_message(sitting: Any, proctor: AbstractUser) -> None:
    (attempt,) = sitting()
    with pytest.raises(Conflict):
        do(attempt, "message", proctor, now=at(11, 1))


@pytest.mark.parametrize("action", ["message", "reload", "flag"])
def test_nothing_is_written_about_who_was_erased(sitting: Any, proctor: AbstractUser, action: str) -> None:
    (attempt,) = sitting(status="submitted", erased_at=at(10, 25))
    with pytest.raises(Conflict) as refused:
        do(attempt, action, proctor)
    assert refused.value.code == "attempt_erased"
    assert not Event.objects.exists()


def test_what_the_table_refuses_tells_the_page_nothing(sitting: Any, proctor: AbstractUser) -> None:
    (attempt,) = sitting(status="paused")
    with pytest.raises(IllegalTransition):
        do(attempt, "pause", proctor)
    assert told(attempt) == []


def test_a_closed_attempt_that_is_voided_has_no_page_to_load_again(lms: ScriptedHost, sitting: Any, exam: Exam) -> None:
    staff = UserFactory()
    lms.roles.add((staff.pk, exam.course_id, Role.STAFF))
    (attempt,) = sitting(status="submitted")
    assert do(attempt, "void", staff).status == "voided"
    assert told(attempt) == []


def test_what_a_vendor_does_is_no_command(sitting: Any) -> None:
    (attempt,) = sitting()
    services.pause_attempt(attempt, by=None, actor=Actor.VENDOR, now=HALF_PAST)
    assert told(attempt) == []


def test_who_may_in_which_capacity(lms: ScriptedHost, exam: Exam, proctor: AbstractUser) -> None:
    staff, stranger = UserFactory(), UserFactory()
    lms.roles |= {(staff.pk, exam.course_id, Role.STAFF), (stranger.pk, "other", Role.STAFF)}
    assert capacity(proctor, exam.course_id) == Actor.PROCTOR
    assert capacity(staff, exam.course_id) == Actor.STAFF
    with pytest.raises(NotPermitted) as refused:
        capacity(stranger, exam.course_id)
    assert refused.value.code == "not_permitted"


@pytest.mark.parametrize("action", Action.values)
def test_nobody_intervenes_in_their_own_attempt(exam: Exam, proctor: AbstractUser, action: str) -> None:
    own = AttemptFactory(exam=exam, user=proctor, status="started")
    with pytest.raises(NotPermitted) as refused:
        do(own, action, proctor)
    assert refused.value.code == "own_attempt"
    assert not Event.objects.exists()


@pytest.mark.parametrize(
    ("action", "fields", "wrong"),
    [
        ("pause", {"reason_code": 1}, "reason_code"),
        ("pause", {"comment": "  "}, "comment"),
        ("pause", {"comment": "x" * 2001}, "comment"),
        ("extend", {"minutes": None}, "minutes"),
        ("extend", {"minutes": 0}, "minutes"),
        ("extend", {"minutes": 1441}, "minutes"),
        ("message", {"text": " "}, "text"),
        ("message", {"text": "x" * (MAX_MESSAGE + 1)}, "text"),
    ],
)
def test_a_wish_says_what_and_why(action: str, fields: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        wish(action, **fields)
    assert list(refused.value.errors) == [wrong]


def test_both_happen_or_neither(
    sitting: Callable[..., list[Attempt]], proctor: AbstractUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    (attempt,) = sitting()

    def burst(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr("proctoring.invigilation.services.send_command", burst)
    with pytest.raises(RuntimeError):
        do(attempt, "pause", proctor)
    assert now_of(attempt).status == Status.STARTED
