"""Which mails a candidate is owed: one for each end, for each verdict on the whole chain, for each second chance."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.attempts.lifecycle import locked, move
from proctoring.attempts.models import Attempt
from proctoring.attempts.retries import authorize_resume
from proctoring.attempts.states import Actor, Status
from proctoring.exams.models import Exam, ExamType
from proctoring.outbox.models import Delivery
from tests.effecting import mails_owed, reread, work
from tests.factories import AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import configure

pytestmark = pytest.mark.django_db

LATER = at(10, 45)


@pytest.fixture
def ada(db: None) -> AbstractUser:
    return UserFactory(username="ada")


@pytest.fixture
def boss(db: None) -> AbstractUser:
    return UserFactory(is_superuser=True)


@pytest.fixture
def exam(db: None) -> Exam:
    return ExamFactory(exam_type=ExamType.PROCTORED, backend="null", name="Finals & <more>")


def sit(exam: Exam, user: AbstractUser, status: str, **fields: Any) -> Attempt:
    return AttemptFactory(exam=exam, user=user, status=status, **fields)


def step(attempt: Attempt, new: Status, actor: Actor = Actor.REVIEWER) -> None:
    with locked(reread(attempt), now=LATER) as row:
        move(row, new, actor=actor, now=LATER)


STEPS = [
    ("started", Status.SUBMITTED, Actor.CANDIDATE, ["submitted"]),
    ("started", Status.TERMINATED, Actor.PROCTOR, ["submitted"]),
    ("started", Status.ERROR, Actor.CANDIDATE, []),
    ("ready_to_start", Status.TERMINATED, Actor.PROCTOR, []),
    ("created", Status.DECLINED, Actor.CANDIDATE, []),
    ("submitted", Status.VERIFIED, Actor.VENDOR, ["verified"]),
    ("submitted", Status.REJECTED, Actor.VENDOR, ["rejected"]),
    ("submitted", Status.SECOND_REVIEW_REQUIRED, Actor.VENDOR, ["second_review"]),
    ("submitted", Status.VOIDED, Actor.STAFF, []),
]


@pytest.mark.parametrize("exam_type", list(ExamType))
@pytest.mark.parametrize(("old", "new", "actor", "mails"), STEPS)
def test_proctored_and_onboarding_exams_are_written_about(
    old: str, new: Status, actor: Actor, mails: list[str], exam_type: ExamType, ada: AbstractUser
) -> None:
    attempt = sit(ExamFactory(exam_type=exam_type, allow_opt_out=True), ada, old)
    step(attempt, new, actor)
    assert mails_owed() == (mails if exam_type in ("proctored", "onboarding") else [])


def test_nothing_is_written_where_the_setting_says_so(exam: Exam, ada: AbstractUser, settings: Any) -> None:
    configure(settings, SEND_MAIL=False)
    step(sit(exam, ada, "submitted"), Status.VERIFIED)
    assert mails_owed() == []


def test_one_mail_for_each_verdict(exam: Exam, ada: AbstractUser, mailoutbox: list[Any]) -> None:
    attempt = sit(exam, ada, "submitted")
    for verdict in (Status.REJECTED, Status.ERROR, Status.REJECTED, Status.VERIFIED, Status.REJECTED):
        step(attempt, verdict)
        work()
    assert [message.subject for message in mailoutbox] == [
        "“Finals & <more>” was not accepted", "“Finals & <more>” is verified", "“Finals & <more>” was not accepted"
    ]  # fmt: skip


def test_a_corrected_verdict_that_is_not_sent_yet_is_never_sent(
    exam: Exam, ada: AbstractUser, mailoutbox: list[Any]
) -> None:
    attempt = sit(exam, ada, "submitted")
    step(attempt, Status.REJECTED)
    step(attempt, Status.VERIFIED)
    assert mails_owed() == ["verified"]
    step(attempt, Status.ERROR)
    assert mails_owed() == []
    work()
    assert mailoutbox == []


def test_a_chain_is_verified_in_one_mail_when_all_of_it_is(exam: Exam, ada: AbstractUser) -> None:
    first = sit(exam, ada, "terminated", retry_kind="resume")
    second = sit(exam, ada, "submitted", number=2, resumed_from=first)
    step(second, Status.VERIFIED)
    assert mails_owed() == []
    step(first, Status.VERIFIED)
    assert mails_owed() == ["verified"]
    assert Delivery.objects.get(kind="mail").target_id == second.pk


def test_a_chain_with_a_rejected_part_is_rejected_once(exam: Exam, ada: AbstractUser) -> None:
    first = sit(exam, ada, "terminated", retry_kind="resume")
    second = sit(exam, ada, "submitted", number=2, resumed_from=first)
    step(first, Status.REJECTED)
    step(second, Status.VERIFIED)
    step(second, Status.REJECTED)
    assert mails_owed() == ["rejected"]


def test_a_resume_is_announced_until_it_is_withdrawn(
    exam: Exam, ada: AbstractUser, boss: AbstractUser, mailoutbox: list[Any]
) -> None:
    attempt = sit(exam, ada, "submitted")
    authorize_resume(attempt, by=boss, reason="", now=LATER)
    assert mails_owed() == ["resume_authorised"]
    step(attempt, Status.VERIFIED)
    Attempt.objects.update(retry_kind="")
    work()
    assert [message.subject for message in mailoutbox] == ["“Finals & <more>” is verified"]
    Attempt.objects.update(status="error")
    authorize_resume(reread(attempt), by=boss, reason="", now=LATER)
    work()
    assert mailoutbox[-1].subject == "You may go on with “Finals & <more>”"
