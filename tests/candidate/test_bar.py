"""``{% exam_bar exam %}`` in a page of the host."""

import pytest
from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.template import Context, Template
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from proctoring.attempts.states import Status
from proctoring.exams.models import Exam
from proctoring.templatetags.proctoring import clock, duration
from tests.factories import AttemptFactory, ExamFactory, at


def bar(exam: Exam, user: AbstractUser) -> str:
    request = RequestFactory().get("/")
    request.user = user
    page = Template("{% load proctoring %}{% exam_bar exam %}")
    return page.render(Context({"exam": exam, "request": request, "csrf_token": "token-of-the-page"}))


def test_bar_has_the_time_and_the_ways_out(candidate: AbstractUser) -> None:
    exam = ExamFactory(name="<Maths>")
    AttemptFactory(exam=exam, user=candidate, status=Status.STARTED)
    with CaptureQueriesContext(connection) as statements:
        text = bar(exam, candidate)
    assert len(statements) == 1
    assert "&lt;Maths&gt;" in text
    assert 'data-seconds-left="3000"' in text
    assert f'action="/proctoring/exam/{exam.pk}/stop/"' in text
    assert "token-of-the-page" in text
    assert 'data-proctoring-watch="content"' in text


def test_bar_at_the_end_submits(candidate: AbstractUser) -> None:
    exam = ExamFactory()
    AttemptFactory(exam=exam, user=candidate, status=Status.READY_TO_SUBMIT)
    assert f'action="/proctoring/exam/{exam.pk}/submit/"' in bar(exam, candidate)


def test_bar_over_old_work_says_that_it_is_read_only(candidate: AbstractUser) -> None:
    exam = ExamFactory(due_at=at(10, 5))
    AttemptFactory(exam=exam, user=candidate, status=Status.SUBMITTED)
    text = bar(exam, candidate)
    assert "Read only" in text
    assert "<form" not in text
    assert "data-timer " not in text


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(None, ""), (0, "00:00"), (59, "00:59"), (3599, "59:59"), (3600, "1:00:00"), (36061, "10:01:01")],
)
def test_clock(seconds: int | None, shown: str) -> None:
    assert clock(seconds) == shown


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (60, "1 minute"),
        (2700, "45 minutes"),
        (3600, "1 hour"),
        (5400, "1 hour 30 minutes"),
        (7260, "2 hours 1 minute"),
    ],
)
def test_duration(seconds: int, said: str) -> None:
    assert duration(seconds) == said
