"""What the forms do, which reasons they give, and where they lead."""

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.test import Client

from proctoring.attempts.models import Attempt, RetryKind
from proctoring.attempts.retries import authorize_resume
from proctoring.attempts.states import Status
from proctoring.candidate.screens import Screen
from proctoring.exams.models import Exam, ExamStatus, ExamType
from proctoring.host import PrerequisiteState
from tests.candidate.pages import act, forms_of, page_url, screen_of
from tests.factories import AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import configure, scripted


def status_of(exam: Exam) -> str:
    return Attempt.objects.filter(exam=exam).order_by("-number")[0].status


def test_timed_exam_from_the_entrance_to_the_end(page_client: Client, settings: object) -> None:
    configure(settings, HOST="tests.candidate.test_screens.HostWithContent")
    exam = ExamFactory()
    for action, status, leads_to in (
        ("begin", Status.CREATED, page_url(exam)),
        ("start", Status.STARTED, "/the-questions/"),
        ("stop", Status.READY_TO_SUBMIT, page_url(exam)),
        ("back", Status.STARTED, "/the-questions/"),
        ("stop", Status.READY_TO_SUBMIT, page_url(exam)),
        ("submit", Status.SUBMITTED, page_url(exam)),
    ):
        answer = act(page_client, exam, action)
        assert (answer.status_code, answer.headers["Location"], status_of(exam)) == (302, leads_to, status)
    assert screen_of(page_client.get(page_url(exam))) == Screen.DONE
    act(page_client, exam, "acknowledge")
    assert Attempt.objects.get().acknowledged_at == at(10, 10)
    assert "acknowledge" not in forms_of(page_client.get(page_url(exam)))


def test_proctored_exam_waits_for_the_vendor(page_client: Client) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED)
    act(page_client, exam, "begin")
    attempt = Attempt.objects.get()
    assert "takes a moment" in page_client.get(page_url(exam)).content.decode()
    attempt.launch_data = {"download_url": "https://vendor.example/go?a=1&b=2", "instructions": ["One"], "join_url": ""}
    attempt.save()
    page = page_client.get(page_url(exam))
    assert "vendor.example" not in page.content.decode()
    assert "launch" in forms_of(page)
    act(page_client, exam, "launch")
    link = 'href="https://vendor.example/go?a=1&amp;b=2" target="_blank" rel="noopener noreferrer"'
    assert link in page_client.get(page_url(exam)).content.decode()
    early = act(page_client, exam, "start")
    assert early.status_code == 409
    assert "not ready yet" in early.content.decode()
    assert status_of(exam) == Status.DOWNLOAD_SOFTWARE_CLICKED


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java\nscript:alert(1)",
        " javascript:alert(1)",
        "data:text/html,<script>alert(1)</script>",
        "//vendor.example/",
        "/proctoring/exam/1/submit/",
        "https://",
        "http://[",
        'https://vendor.example/" onclick="alert(1)',
        42,
        None,
    ],
)
def test_address_that_a_browser_should_not_follow_is_no_link(
    page_client: Client, candidate: AbstractUser, address: Any
) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED)
    data = {"download_url": address, "join_url": address, "instructions": ["One"]}
    AttemptFactory(exam=exam, user=candidate, status=Status.DOWNLOAD_SOFTWARE_CLICKED, launch_data=data)
    text = page_client.get(page_url(exam)).content.decode()
    assert "alert(1)" not in text
    assert "_blank" not in text


@pytest.mark.parametrize("data", [[], "text", 7, {"instructions": "one line"}, {"instructions": {"a": 1}}, {}])
def test_launch_data_of_another_shape_is_no_launch(page_client: Client, candidate: AbstractUser, data: Any) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED)
    AttemptFactory(exam=exam, user=candidate, launch_data=data)
    assert screen_of(page_client.get(page_url(exam))) == Screen.INSTRUCTIONS


def test_text_of_the_vendor_is_text(page_client: Client, candidate: AbstractUser) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED, name="<b>Name</b>")
    data = {"instructions": ["<script>alert(1)</script>", '"><img src=x onerror=alert(2)>', 5]}
    AttemptFactory(exam=exam, user=candidate, launch_data=data, full_name="<i>Ada</i>")
    text = page_client.get(page_url(exam)).content.decode()
    for markup in ("<script>alert", "<img", "<b>Name", "<i>Ada"):
        assert markup not in text
    assert "&lt;script&gt;alert(1)" in text


def test_second_click_meets_a_refusal_and_the_page_as_it_is(page_client: Client, candidate: AbstractUser) -> None:
    exam = ExamFactory()
    AttemptFactory(exam=exam, user=candidate, status=Status.STARTED)
    answer = act(page_client, exam, "start")
    assert (answer.status_code, screen_of(answer)) == (409, Screen.RUNNING)
    assert 'role="alert"' in answer.content.decode()
    assert "cannot become" not in answer.content.decode()
    again = act(page_client, exam, "begin")
    assert (again.status_code, Attempt.objects.count()) == (409, 1)


def test_form_of_an_earlier_attempt_does_nothing_to_the_new_one(page_client: Client, candidate: AbstractUser) -> None:
    exam = ExamFactory()
    old = AttemptFactory(exam=exam, user=candidate, status=Status.VOIDED)
    AttemptFactory(exam=exam, user=candidate, number=2, status=Status.STARTED)
    answer = act(page_client, exam, "submit", attempt=old.pk)
    assert answer.status_code == 409
    assert "out of date" in answer.content.decode()
    assert status_of(exam) == Status.STARTED


def test_action_without_an_attempt_is_a_conflict(page_client: Client) -> None:
    exam = ExamFactory()
    for action in ("launch", "start", "stop", "back", "submit", "error", "acknowledge", "restart"):
        answer = act(page_client, exam, action)
        assert (answer.status_code, screen_of(answer)) == (409, Screen.ENTRANCE)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"opens_at": at(11, 0)}, "It opens: <time"),
        ({"due_at": at(10, 5)}, "It was due: <time"),
        ({"status": ExamStatus.ARCHIVED}, "archived"),
        ({"status": ExamStatus.DRAFT}, "not active"),
    ],
)
def test_exam_that_cannot_be_taken_says_why(page_client: Client, fields: dict[str, Any], words: str) -> None:
    exam = ExamFactory(**fields)
    page = page_client.get(page_url(exam))
    assert screen_of(page) == Screen.UNAVAILABLE
    assert words in page.content.decode()
    assert forms_of(page) == set()
    refused = act(page_client, exam, "begin")
    assert (refused.status_code, screen_of(refused)) == (422, Screen.UNAVAILABLE)


def test_person_without_the_right_is_told(page_client: Client, candidate: AbstractUser, settings: object) -> None:
    scripted(settings).barred.add(candidate.pk)
    exam = ExamFactory()
    assert "do not have the right" in page_client.get(page_url(exam)).content.decode()
    assert act(page_client, exam, "begin").status_code == 422


@pytest.mark.parametrize("state", [PrerequisiteState.PENDING, PrerequisiteState.FAILED, PrerequisiteState.DECLINED])
def test_prerequisites_are_listed_with_their_links(
    page_client: Client, settings: object, state: PrerequisiteState
) -> None:
    scripted(settings).require(state)
    exam = ExamFactory(exam_type=ExamType.PROCTORED, allow_opt_out=True)
    text = page_client.get(page_url(exam)).content.decode()
    assert '<a href="/identity">Identity</a>' in text
    assert "without proctoring</a>" in text
    assert act(page_client, exam, "begin").status_code == 422


def test_used_up_attempts_offer_no_other(page_client: Client, candidate: AbstractUser) -> None:
    exam = ExamFactory()
    AttemptFactory(exam=exam, user=candidate, status=Status.SUBMITTED)
    assert "begin" not in forms_of(page_client.get(page_url(exam)))
    refused = act(page_client, exam, "begin")
    assert (refused.status_code, screen_of(refused)) == (422, Screen.DONE)
    assert "no further attempt" in refused.content.decode()


def test_error_is_asked_about_reported_and_continued(page_client: Client, candidate: AbstractUser) -> None:
    exam = ExamFactory()
    attempt = AttemptFactory(exam=exam, user=candidate, status=Status.STARTED)
    assert forms_of(page_client.get(f"{page_url(exam)}error/")) == {"error"}
    act(page_client, exam, "error", detail="x" * 5000)
    page = page_client.get(page_url(exam))
    assert (screen_of(page), forms_of(page)) == (Screen.ERROR, {"acknowledge"})
    assert "tell the course staff" in page.content.decode()
    attempt.refresh_from_db()
    authorize_resume(attempt, by=UserFactory(), reason="a power cut")
    page = page_client.get(page_url(exam))
    assert "Continue with the time that was left" in page.content.decode()
    act(page_client, exam, "begin")
    newest = Attempt.objects.get(number=2)
    assert newest.total_seconds == 3000
    assert "50 minutes" in page_client.get(page_url(exam)).content.decode()


def test_fresh_attempt_is_offered_after_a_reset(page_client: Client, candidate: AbstractUser) -> None:
    exam = ExamFactory(due_at=at(11, 0))
    AttemptFactory(exam=exam, user=candidate, status=Status.VOIDED, retry_kind=RetryKind.FRESH)
    assert "Begin again" in page_client.get(page_url(exam)).content.decode()
    exam.due_at -= timedelta(hours=1)
    exam.save()
    page = page_client.get(page_url(exam))
    assert "not possible now" in page.content.decode()
    assert "begin" not in forms_of(page)


def test_opting_out_is_asked_about_and_done(page_client: Client) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED, allow_opt_out=True)
    asked = page_client.get(f"{page_url(exam)}decline/")
    assert forms_of(asked) == {"decline"}
    assert not Attempt.objects.exists()
    act(page_client, exam, "decline")
    assert (status_of(exam), screen_of(page_client.get(page_url(exam)))) == (Status.DECLINED, Screen.DECLINED)


def test_opting_out_of_a_begun_or_blocked_attempt(page_client: Client, candidate: AbstractUser) -> None:
    for status in (Status.CREATED, Status.READY_TO_START, Status.ONBOARDING_FAILED):
        exam = ExamFactory(exam_type=ExamType.PROCTORED, allow_opt_out=True)
        AttemptFactory(exam=exam, user=candidate, status=status)
        assert "without proctoring</a>" in page_client.get(page_url(exam)).content.decode()
        assert act(page_client, exam, "decline").status_code == 302
        assert status_of(exam) == Status.DECLINED


@pytest.mark.parametrize("exam_type", ExamType)
def test_exam_that_offers_no_way_out_of_proctoring_gives_none(page_client: Client, exam_type: ExamType) -> None:
    exam = ExamFactory(exam_type=exam_type)
    refused = act(page_client, exam, "decline")
    assert refused.status_code == 422
    assert "without proctoring" in refused.content.decode()
    assert not Attempt.objects.exists()


@pytest.mark.parametrize("exam_type", [ExamType.PRACTICE, ExamType.ONBOARDING])
@pytest.mark.parametrize(
    "status", [Status.CREATED, Status.SUBMITTED, Status.REJECTED, Status.ERROR, Status.VERIFIED, Status.EXPIRED]
)
def test_practice_can_be_started_over(
    page_client: Client, candidate: AbstractUser, exam_type: ExamType, status: Status
) -> None:
    exam = ExamFactory(exam_type=exam_type)
    AttemptFactory(exam=exam, user=candidate, status=status)
    again = forms_of(page_client.get(page_url(exam))) & {"restart", "begin"}
    assert len(again) == 1
    assert act(page_client, exam, again.pop()).status_code == 302
    newest = Attempt.objects.order_by("-number")[0]
    assert (newest.number, newest.status) == (2, Status.CREATED)


def test_real_exam_cannot_be_started_over(page_client: Client, candidate: AbstractUser) -> None:
    exam = ExamFactory()
    AttemptFactory(exam=exam, user=candidate, status=Status.SUBMITTED)
    assert act(page_client, exam, "restart").status_code == 409
    assert Attempt.objects.count() == 1


def test_submitting_too_late_shows_the_end(page_client: Client, candidate: AbstractUser) -> None:
    exam = ExamFactory(time_limit_minutes=5)
    AttemptFactory(exam=exam, user=candidate, status=Status.STARTED)
    assert act(page_client, exam, "submit").status_code == 302
    assert Attempt.objects.get().ended_at == at(10, 5)


def test_start_goes_where_it_ends_up_when_a_prerequisite_has_failed(
    page_client: Client, candidate: AbstractUser, settings: object
) -> None:
    exam = ExamFactory(exam_type=ExamType.PROCTORED)
    AttemptFactory(exam=exam, user=candidate, status=Status.READY_TO_START)
    scripted(settings).require(PrerequisiteState.FAILED)
    assert act(page_client, exam, "start").headers["Location"] == page_url(exam)
    assert screen_of(page_client.get(page_url(exam))) == Screen.DECLINED


def test_work_can_be_looked_at_after_it_was_acknowledged(
    page_client: Client, candidate: AbstractUser, settings: object
) -> None:
    configure(settings, HOST="tests.candidate.test_screens.HostWithContent")
    exam = ExamFactory(exam_type=ExamType.PROCTORED, viewable_past_due=True, due_at=at(10, 5))
    AttemptFactory(exam=exam, user=candidate, status=Status.VERIFIED)
    assert "/the-questions/" not in page_client.get(page_url(exam)).content.decode()
    act(page_client, exam, "acknowledge")
    assert "View the questions" in page_client.get(page_url(exam)).content.decode()
