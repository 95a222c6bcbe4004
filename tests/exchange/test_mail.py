"""Mails about attempts: when they are owed, what is in them, and what their failure does."""

from __future__ import annotations

import smtplib
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.core.mail import EmailMultiAlternatives
from django.core.mail.backends.base import BaseEmailBackend
from django.db import connection

from proctoring.attempts import services
from proctoring.attempts.effects import follow
from proctoring.attempts.lifecycle import locked, move
from proctoring.attempts.mails import MailName
from proctoring.attempts.models import Attempt
from proctoring.attempts.retries import reset_attempt
from proctoring.attempts.states import Actor, Status
from proctoring.exams.models import Exam, ExamType
from proctoring.outbox.models import Circuit, Delivery
from proctoring.outbox.services import promise_mail, repeat
from tests.effecting import reread, work
from tests.factories import TEN, AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import ScriptedHost, configure

pytestmark = pytest.mark.django_db

LATER = at(10, 45)


class MailHost(ScriptedHost):
    tongue, zone, escalation, address = "en", "Europe/Berlin", "", None

    def language(self, user: Any) -> str:
        return self.tongue

    def timezone(self, user: Any) -> str:
        return self.zone

    def escalation_email(self, course_id: str) -> str:
        return self.escalation

    def course_url(self, course_id: str) -> str:
        return f"/courses/{course_id}/"

    def email(self, user: Any) -> str:
        return super().email(user) if self.address is None else self.address


@pytest.fixture(autouse=True)
def lms(settings: Any) -> MailHost:
    from proctoring.host import host

    configure(settings, HOST=f"{__name__}.MailHost", LMS_HOST="https://lms.example.org", DELIVERY_MAX_TRIES=2)
    instance = host()
    assert isinstance(instance, MailHost)
    return instance


@pytest.fixture
def ada(db: None) -> AbstractUser:
    return UserFactory(username="ada", email="ada@example.org")


@pytest.fixture
def boss(db: None) -> AbstractUser:
    return UserFactory(is_superuser=True)


@pytest.fixture
def exam(db: None) -> Exam:
    return ExamFactory(exam_type=ExamType.PROCTORED, backend="null", course_id="c1", name="Finals & <more>")


def sit(exam: Exam, user: AbstractUser, status: str, **fields: Any) -> Attempt:
    return AttemptFactory(exam=exam, user=user, status=status, **fields)


def step(attempt: Attempt, new: Status, actor: Actor = Actor.REVIEWER) -> None:
    with locked(reread(attempt), now=LATER) as row:
        move(row, new, actor=actor, now=LATER)


def mail(attempt: Attempt, name: MailName, outbox: list[EmailMultiAlternatives]) -> EmailMultiAlternatives:
    promise_mail(name=name, attempt=attempt, now=TEN)
    work()
    [sent] = outbox
    return sent


def html(message: EmailMultiAlternatives) -> str:
    [(text, mimetype)] = [(one[0], one[1]) for one in message.alternatives]
    assert mimetype == "text/html"
    return str(text)


def test_a_mail_has_text_and_html_link_zone_and_no_more_of_the_person_than_the_name(
    exam: Exam, ada: AbstractUser, lms: MailHost, mailoutbox: list[Any], settings: Any
) -> None:
    configure(settings, MAIL_FROM="exams@example.org")
    attempt = sit(exam, ada, "submitted", submitted_at=at(10, 20))
    message = mail(attempt, MailName.SUBMITTED, mailoutbox)
    assert (message.to, message.from_email, message.reply_to) == (["ada@example.org"], "exams@example.org", [])
    assert message.subject == "“Finals & <more>” was submitted"
    assert "You submitted “Finals & <more>” on March 2, 2026, 11:20 a.m. (Europe/Berlin)." in message.body
    assert "https://lms.example.org/courses/c1/" in message.body
    assert "Hello Ada Lovelace," in message.body
    page = html(message)
    assert "Finals &amp; &lt;more&gt;" in page
    assert '<html lang="en">' in page
    assert '<a href="https://lms.example.org/courses/c1/">' in page
    for text in (message.body, page):
        assert "ada@example.org" not in text
        assert attempt.code not in text
    headers = message.message()
    assert headers["Auto-Submitted"] == "auto-generated"
    key = Delivery.objects.get(kind="mail").key
    assert headers["Message-ID"].startswith(f"<{key}@")


def test_the_escalation_address_gets_the_answers_and_is_not_the_sender(
    exam: Exam, ada: AbstractUser, lms: MailHost, mailoutbox: list[Any], settings: Any
) -> None:
    lms.escalation = "help@example.org"
    message = mail(sit(exam, ada, "verified"), MailName.VERIFIED, mailoutbox)
    # A mail server may send for one domain alone: the sender stays the one that the LMS has configured.
    assert (message.from_email, message.reply_to) == (settings.DEFAULT_FROM_EMAIL, ["help@example.org"])
    assert "help@example.org" in message.body
    assert "mailto:help@example.org" in html(message)


@pytest.mark.parametrize("exam_type", [ExamType.PROCTORED, ExamType.ONBOARDING])
@pytest.mark.parametrize("name", list(MailName))
def test_mails_are_german_for_germans(
    name: MailName, exam_type: ExamType, ada: AbstractUser, lms: MailHost, mailoutbox: list[Any]
) -> None:
    lms.tongue = "de-AT"
    status = {"second_review": "second_review_required", "resume_authorised": "error"}.get(name, name)
    exam = ExamFactory(exam_type=exam_type, name="Klausur")
    attempt = sit(exam, ada, status, retry_kind="resume", submitted_at=at(10, 20))
    message = mail(attempt, name, mailoutbox)
    page = html(message)
    assert '<html lang="de">' in page
    for text in (message.subject, message.body, page):
        assert not [word for word in (" your ", " was ", "You ", "Questions", " the ") if word in text], text
    assert "Guten Tag Ada Lovelace," in message.body
    if name == MailName.SUBMITTED:
        assert "2. März 2026 11:20 (Europe/Berlin)" in message.body


@pytest.mark.parametrize(
    ("fields", "subject", "said"),
    [
        ({"submitted_at": at(10, 20)}, "was submitted", "You submitted"),
        ({"ended_at": at(11, 0)}, "has ended", "was over on"),
        ({"status": "terminated"}, "has ended", "before you submitted it"),
    ],
)
def test_a_receipt_says_how_it_ended(
    fields: dict[str, Any], subject: str, said: str, exam: Exam, ada: AbstractUser, mailoutbox: list[Any]
) -> None:
    attempt = AttemptFactory(exam=exam, user=ada, **{"status": "submitted", **fields})
    message = mail(attempt, MailName.SUBMITTED, mailoutbox)
    assert subject in message.subject
    for text in (message.body, html(message)):
        assert said in text
        assert "will be reviewed" in text


def test_a_receipt_that_comes_after_the_verdict_announces_no_review(
    exam: Exam, ada: AbstractUser, mailoutbox: list[Any]
) -> None:
    message = mail(sit(exam, ada, "verified", submitted_at=at(10, 20)), MailName.SUBMITTED, mailoutbox)
    assert "will be reviewed" not in message.body + html(message)


@pytest.mark.parametrize(("tongue", "zone"), [("xx", "Mars/Olympus"), ("../etc", "../etc/passwd"), ("", "")])
def test_nonsense_from_the_host_does_not_keep_a_mail_back(
    tongue: str, zone: str, exam: Exam, ada: AbstractUser, lms: MailHost, mailoutbox: list[Any]
) -> None:
    lms.tongue, lms.zone = tongue, zone
    message = mail(sit(exam, ada, "submitted", submitted_at=at(10, 20)), MailName.SUBMITTED, mailoutbox)
    assert "10:20 a.m. (UTC)" in message.body


@pytest.mark.parametrize(
    ("lms_host", "said"), [("", False), ("https://lms.example.org/base/", True), ("javascript:alert(1)//", False)]
)
def test_a_link_is_absolute_or_left_out(
    lms_host: str, said: bool, exam: Exam, ada: AbstractUser, mailoutbox: list[Any], settings: Any
) -> None:
    configure(settings, LMS_HOST=lms_host)
    message = mail(sit(exam, ada, "verified"), MailName.VERIFIED, mailoutbox)
    assert ("/courses/c1/" in message.body) is said
    assert "javascript" not in message.body + html(message)


def test_a_name_with_line_breaks_stays_on_one_line_of_the_subject(ada: AbstractUser, mailoutbox: list[Any]) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED, name="Finals\r\nBcc: all@example.org")
    message = mail(sit(exam, ada, "verified"), MailName.VERIFIED, mailoutbox)
    assert message.subject == "“Finals Bcc: all@example.org” is verified"
    assert message.recipients() == ["ada@example.org"]


def test_a_vendor_and_the_lms_may_have_templates_of_their_own(
    exam: Exam, ada: AbstractUser, mailoutbox: list[Any], settings: Any, tmp_path: Path
) -> None:
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    for place, text in (("null/verified", "The vendor's"), ("rejected", "The LMS's")):
        folder = tmp_path / "proctoring" / "mail" / place
        folder.mkdir(parents=True)
        (folder / "subject.txt").write_text(f"{text} {{{{ exam_name|safe }}}}\n")
    step(one := sit(exam, ada, "submitted"), Status.VERIFIED)
    work()
    assert mailoutbox[0].subject == "The vendor's Finals & <more>"
    assert "nothing was wrong" in mailoutbox[0].body, "the rest is as before"
    step(one, Status.REJECTED)
    work()
    assert mailoutbox[1].subject == "The LMS's Finals & <more>"


class Broken(BaseEmailBackend):
    error: Exception | None = None
    in_transaction: list[bool] = []

    def send_messages(self, messages: Any) -> int:
        self.in_transaction.append(connection.in_atomic_block)
        if self.error is not None:
            raise self.error
        return len(messages)


REFUSED = smtplib.SMTPRecipientsRefused({"ada@example.org": (550, b"no such ada@example.org")})
BUSY = smtplib.SMTPRecipientsRefused({"ada@example.org": (450, b"later")})


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (REFUSED, "failed"),
        (BUSY, "due"),
        (ConnectionRefusedError("ada@example.org"), "due"),
        (smtplib.SMTPServerDisconnected("ada@example.org"), "due"),
        (smtplib.SMTPDataError(554, b"ada@example.org"), "due"),
    ],
    ids=str,
)
def test_trouble_with_mail_is_written_into_the_row_and_leaves_the_attempt_alone(
    error: Exception, status: str, exam: Exam, ada: AbstractUser, settings: Any, monkeypatch: Any
) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Broken"
    monkeypatch.setattr(Broken, "error", error)
    attempt = sit(exam, ada, "submitted")
    step(attempt, Status.VERIFIED)
    work(LATER)
    delivery = Delivery.objects.get(kind="mail")
    assert (delivery.status, delivery.tries) == (status, 1)
    assert delivery.last_error.startswith("MailFailed: ")
    assert "ada@" not in delivery.last_error
    assert (reread(attempt).status, Circuit.objects.count()) == ("verified", 0)
    if status == "due":
        work(at(12, 0))
        delivery.refresh_from_db()
        assert delivery.status == "given_up"
    monkeypatch.setattr(Broken, "error", None)
    repeat(delivery, now=at(12, 0))
    work(at(12, 0))
    delivery.refresh_from_db()
    assert delivery.status == "done"


def test_a_template_that_does_not_work_is_tried_again(
    exam: Exam, ada: AbstractUser, mailoutbox: list[Any], settings: Any, tmp_path: Path
) -> None:
    folder = tmp_path / "proctoring" / "mail" / "verified"
    folder.mkdir(parents=True)
    (folder / "body.txt").write_text("{% nonsense %}")
    with_folder = {**settings.TEMPLATES[0], "DIRS": [tmp_path]}
    settings.TEMPLATES, before = [with_folder], settings.TEMPLATES
    step(sit(exam, ada, "submitted"), Status.VERIFIED)
    work(LATER)
    assert Delivery.objects.get().status == "due"
    settings.TEMPLATES = before
    work(at(12, 0))
    assert len(mailoutbox) == 1


@pytest.mark.parametrize("gone", ["inactive", "erased", "no address", "blank address"])
def test_nobody_is_written_to_who_is_not_there(
    gone: str, exam: Exam, ada: AbstractUser, lms: MailHost, mailoutbox: list[Any]
) -> None:
    step(sit(exam, ada, "submitted"), Status.VERIFIED)
    if gone == "inactive":
        ada.is_active = False
        ada.save()
    elif gone == "erased":
        Attempt.objects.update(erased_at=TEN)
    else:
        lms.address = "" if gone == "no address" else " "
    work()
    assert (Delivery.objects.get().status, mailoutbox) == ("superseded", [])


@pytest.mark.parametrize("name", list(MailName))
def test_what_no_longer_holds_is_not_sent(
    name: MailName, exam: Exam, ada: AbstractUser, boss: AbstractUser, mailoutbox: list[Any]
) -> None:
    attempt = sit(exam, ada, "submitted")
    promise_mail(name=name, attempt=attempt, now=TEN)
    reset_attempt(attempt, by=boss, reason="", now=LATER)
    work()
    assert mailoutbox == []


def test_who_has_gone_on_already_is_not_told_that_it_is_possible(
    exam: Exam, ada: AbstractUser, mailoutbox: list[Any]
) -> None:
    attempt = sit(exam, ada, "error", retry_kind="resume")
    promise_mail(name=MailName.RESUME_AUTHORISED, attempt=attempt, now=TEN)
    sit(exam, ada, "started", number=2, resumed_from=attempt)
    work()
    assert mailoutbox == []


def test_a_mail_is_sent_outside_of_any_transaction(transactional_db: None, settings: Any) -> None:
    settings.EMAIL_BACKEND = f"{__name__}.Broken"
    attempt = AttemptFactory(exam__exam_type=ExamType.ONBOARDING, status="verified")
    Broken.in_transaction.clear()
    follow(attempt, old=Status.SUBMITTED, now=TEN)
    work()
    assert Broken.in_transaction == [False]


def test_an_attempt_that_the_deadline_ended_is_written_about(
    exam: Exam, ada: AbstractUser, mailoutbox: list[Any]
) -> None:
    attempt = sit(exam, ada, "started")
    services.submit_attempt(attempt, by=ada, now=at(12, 0))
    work()
    assert "The time for “Finals & <more>” was over on March 2, 2026, noon (Europe/Berlin)" in mailoutbox[0].body
