"""Every status of every type of exam has its page, the documented one, and none that should not shows content."""

import csv
from pathlib import Path

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from proctoring.attempts.access import current_attempt, decide
from proctoring.attempts.models import Attempt
from proctoring.attempts.states import Status
from proctoring.candidate.screens import TABLE, Screen, screen_for
from proctoring.exams.models import ExamType
from proctoring.host import Host
from tests.candidate.pages import forms_of, page_url, screen_of
from tests.factories import AttemptFactory, ExamFactory, at
from tests.hosts import configure

CELLS = [(status, exam_type) for status in Status for exam_type in ExamType]
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "candidate_pages.rst"
MOST_STATEMENTS = 7
"""Session, person, two for permissions, exam, attempt; the onboarding exam where there is a way to it."""


class HostWithContent(Host):
    def exam_url(self, course_id: str, content_id: str) -> str:
        return "/the-questions/"

    def course_url(self, course_id: str) -> str:
        return "/the-course/"


class HostWithHelp(Host):
    def escalation_email(self, course_id: str) -> str:
        return "help@example.org"


@pytest.fixture
def content(settings: object) -> None:
    configure(settings, HOST="tests.candidate.test_screens.HostWithContent")


def test_document_has_the_table_of_the_code() -> None:
    lines = DOCUMENT.read_text(encoding="utf-8").split(":header: ")[1].split("\n\nWithout")[0].splitlines()
    rows = list(csv.DictReader(line.strip() for line in lines if line.strip()))
    documented = {(row["status"], exam_type.value): row[exam_type.value] for row in rows for exam_type in ExamType}
    assert documented == {(status, kind): TABLE[status][kind].value for status, kind in CELLS}


@pytest.mark.parametrize(("status", "exam_type"), CELLS)
@pytest.mark.usefixtures("content")
def test_every_cell_has_its_page(
    page_client: Client, candidate: AbstractUser, status: Status, exam_type: ExamType
) -> None:
    exam = ExamFactory(exam_type=exam_type, backend="vendor")
    attempt = AttemptFactory(exam=exam, user=candidate, status=status)
    before = Attempt.objects.values().get(pk=attempt.pk)
    with CaptureQueriesContext(connection) as statements:
        response = page_client.get(page_url(exam))
    assert response.status_code == 200
    assert screen_of(response) == TABLE[status][exam_type]
    assert str(Screen(TABLE[status][exam_type]).label) in response.content.decode()
    allowed = decide(exam, candidate, current_attempt(exam, candidate)).allowed
    assert ("/the-questions/" in response.content.decode()) == (allowed and status != Status.READY_TO_SUBMIT)
    assert len(statements) <= MOST_STATEMENTS
    assert Attempt.objects.values().get(pk=attempt.pk) == before
    assert Attempt.history.count() == 1


@pytest.mark.parametrize("exam_type", ExamType)
def test_status_that_nobody_knows_shows_no_content_and_takes_no_action(
    page_client: Client, candidate: AbstractUser, exam_type: ExamType
) -> None:
    exam = ExamFactory(exam_type=exam_type)
    attempt = AttemptFactory(exam=exam, user=candidate, status=Status.STARTED)
    Attempt.objects.filter(pk=attempt.pk).update(status="from_the_future")
    response = page_client.get(page_url(exam))
    assert response.status_code == 200
    assert screen_of(response) == Screen.UNKNOWN
    assert forms_of(response) == set()
    assert page_client.get(f"{page_url(exam)}state/").json()["allowed"] is False
    for action in ("begin", "start", "submit", "decline", "error", "restart"):
        assert page_client.post(f"{page_url(exam)}{action}/").status_code == 409
    assert Attempt.objects.get().status == "from_the_future"


def test_word_without_a_row_is_unknown() -> None:
    assert screen_for("nonsense", ExamType.TIMED) == Screen.UNKNOWN
    assert screen_for(Status.STARTED, "nonsense") == Screen.UNKNOWN


@pytest.mark.parametrize("exam_type", ExamType)
def test_overdue_attempt_is_shown_as_ended_before_any_sweep(
    page_client: Client, candidate: AbstractUser, exam_type: ExamType
) -> None:
    exam = ExamFactory(exam_type=exam_type, time_limit_minutes=5)
    AttemptFactory(exam=exam, user=candidate, status=Status.STARTED)
    response = page_client.get(page_url(exam))
    assert screen_of(response) in (Screen.DONE, Screen.SUBMITTED)
    assert forms_of(response) <= {"acknowledge", "restart"}


@pytest.mark.parametrize("exam_type", ExamType)
@pytest.mark.parametrize("kept_apart", [False, True])
@pytest.mark.parametrize("swept", [False, True])
def test_whoever_ran_out_of_time_reads_that_the_time_was_over(
    page_client: Client, candidate: AbstractUser, settings: object, exam_type: ExamType, kept_apart: bool, swept: bool
) -> None:
    configure(settings, KEEP_TIMED_OUT=kept_apart)
    exam = ExamFactory(exam_type=exam_type, time_limit_minutes=5)
    ended = {"status": Status.TIMED_OUT if kept_apart else Status.SUBMITTED, "ended_at": at(10, 5)}
    AttemptFactory(exam=exam, user=candidate, **(ended if swept else {"status": Status.STARTED}))
    text = page_client.get(page_url(exam)).content.decode()
    assert "<h1>Your time is over</h1>" in text
    assert "submitted as it was when the time was over" in text
    assert "10:05 a.m. (UTC)" in text
    assert "Your answers have arrived" not in text


def test_without_a_vendor_there_is_nothing_to_set_up(page_client: Client, candidate: AbstractUser) -> None:
    exam = ExamFactory(exam_type=ExamType.PRACTICE, backend="null")
    attempt = AttemptFactory(exam=exam, user=candidate)
    response = page_client.get(page_url(exam))
    assert screen_of(response) == Screen.READY
    assert forms_of(response) == {"start"}
    Attempt.objects.filter(pk=attempt.pk).update(status=Status.SUBMITTED, open_slot=None)
    assert screen_of(page_client.get(page_url(exam))) == Screen.DONE


@pytest.mark.parametrize("exam_type", ExamType)
def test_entrance_says_how_long_and_under_which_name(
    page_client: Client, candidate: AbstractUser, exam_type: ExamType
) -> None:
    exam = ExamFactory(exam_type=exam_type, due_at=at(10, 40), allow_opt_out=True)
    response = page_client.get(page_url(exam))
    text = response.content.decode()
    assert screen_of(response) == Screen.ENTRANCE
    assert forms_of(response) == {"begin"}
    assert "1 hour" in text
    assert "Ada Lovelace" in text
    assert "10:40 a.m. (UTC)" in text
    assert "closes before that time would be over" in text
    assert ("without proctoring</a>" in text) == (exam_type == ExamType.PROCTORED)


def test_times_are_in_the_zone_of_the_person(page_client: Client, settings: object) -> None:
    settings.TIME_ZONE = "Asia/Kolkata"
    exam = ExamFactory(due_at=at(10, 40))
    text = page_client.get(page_url(exam)).content.decode()
    assert "4:10 p.m. (Asia/Kolkata)" in text
    assert 'datetime="2026-03-02T10:40:00+00:00"' in text


def test_ready_and_running_say_what_is_left(page_client: Client, candidate: AbstractUser) -> None:
    exam = ExamFactory()
    AttemptFactory(exam=exam, user=candidate, status=Status.STARTED)
    text = page_client.get(page_url(exam)).content.decode()
    assert 'data-seconds-left="3000"' in text
    assert ">50:00<" in text
    assert 'data-low="720" data-critical="180"' in text


def test_pause_says_until_when(page_client: Client, candidate: AbstractUser) -> None:
    exam = ExamFactory(due_at=at(11, 30))
    AttemptFactory(exam=exam, user=candidate, status=Status.PAUSED)
    text = page_client.get(page_url(exam)).content.decode()
    assert "11:30 a.m. (UTC)" in text
    assert "data-timer " not in text


def test_blocked_candidate_is_sent_to_the_onboarding_of_the_same_vendor(
    page_client: Client, candidate: AbstractUser
) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED)
    ExamFactory(exam_type=ExamType.ONBOARDING, backend="null")
    onboarding = ExamFactory(exam_type=ExamType.ONBOARDING)
    AttemptFactory(exam=exam, user=candidate, status=Status.ONBOARDING_MISSING)
    response = page_client.get(page_url(exam))
    assert f'href="{page_url(onboarding)}"' in response.content.decode()
    assert forms_of(response) == {"begin"}


@pytest.mark.parametrize(
    ("earlier", "heading", "sentence"),
    [
        ("error", "This part passed the review", "an earlier part is still being looked at"),
        ("rejected", "This part passed the review", "an earlier part of your exam did not"),
        ("verified", "Passed the review", "nothing was wrong with it"),
    ],
)
def test_verified_part_of_a_resumed_exam_says_what_the_whole_waits_for(
    page_client: Client, candidate: AbstractUser, earlier: str, heading: str, sentence: str
) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED)
    first = AttemptFactory(exam=exam, user=candidate, status=earlier, retry_kind="resume")
    AttemptFactory(exam=exam, user=candidate, number=2, status=Status.VERIFIED, resumed_from=first)
    text = page_client.get(page_url(exam)).content.decode()
    assert f"<h1>{heading}</h1>" in text
    assert sentence in text


def test_verified_page_loads_itself_anew_when_the_earlier_part_is_decided(
    page_client: Client, candidate: AbstractUser
) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED)
    first = AttemptFactory(exam=exam, user=candidate, status=Status.ERROR, retry_kind="resume")
    AttemptFactory(exam=exam, user=candidate, number=2, status=Status.VERIFIED, resumed_from=first)
    before = page_client.get(f"{page_url(exam)}state/").json()["page_version"]
    Attempt.objects.filter(pk=first.pk).update(status=Status.VERIFIED)
    assert page_client.get(f"{page_url(exam)}state/").json()["page_version"] != before


def test_vendor_that_does_not_answer_is_named_as_the_reason_after_a_minute(
    page_client: Client, candidate: AbstractUser, settings: object
) -> None:
    configure(settings, HOST="tests.candidate.test_screens.HostWithHelp")
    exam = ExamFactory(exam_type=ExamType.PROCTORED)
    attempt = AttemptFactory(exam=exam, user=candidate)
    text = page_client.get(page_url(exam)).content.decode()
    assert "is being told about your exam" in text
    assert "help@example.org" not in text
    before = page_client.get(f"{page_url(exam)}state/").json()["page_version"]
    Attempt.objects.filter(pk=attempt.pk).update(created_at=at(10, 9))
    text = page_client.get(page_url(exam)).content.decode()
    assert "does not answer yet" in text
    assert "You lose no time" in text
    assert "mailto:help@example.org" in text
    assert page_client.get(f"{page_url(exam)}state/").json()["page_version"] != before
    Attempt.objects.filter(pk=attempt.pk).update(launch_data={"instructions": ["Open it"]})
    assert "does not answer yet" not in page_client.get(page_url(exam)).content.decode()
