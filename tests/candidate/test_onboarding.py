"""Whoever is stopped by onboarding is shown the way to it, or why there is none; and who is approved, until when."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.template import Context, Template
from django.test import Client, RequestFactory

from proctoring.attempts.models import Attempt, OnboardingProfile
from proctoring.attempts.onboarding import blocked_of, free_blocked
from proctoring.attempts.retries import authorize_resume
from proctoring.attempts.states import BLOCKED, Status
from proctoring.candidate.screens import Screen
from proctoring.exams.models import Exam, ExamType
from proctoring.host import Host
from tests.candidate.pages import act, forms_of, page_url, screen_of
from tests.factories import AttemptFactory, ExamFactory, UserFactory, at
from tests.hosts import configure, scripted

YEAR = timedelta(days=365)


@pytest.fixture
def exam() -> Exam:
    return ExamFactory(exam_type=ExamType.PROCTORED)


@pytest.fixture
def onboarding() -> Exam:
    return ExamFactory(exam_type=ExamType.ONBOARDING, name="Meet the proctor")


def approve(user: AbstractUser, **fields: Any) -> None:
    given = {"status": "verified", "approved_at": at(9, 0), "expires_at": at(9, 0) + YEAR}
    OnboardingProfile.objects.create(user=user, backend="vendor", **{**given, **fields})


def text_of(client: Client, exam: Exam) -> str:
    return client.get(page_url(exam)).content.decode()


@pytest.mark.parametrize("status", sorted(BLOCKED), ids=str)
class TestBlocked:
    @pytest.fixture(autouse=True)
    def attempt(self, exam: Exam, candidate: AbstractUser, status: Status) -> Attempt:
        return AttemptFactory(exam=exam, user=candidate, status=status)

    def test_the_way_to_the_onboarding_and_another_try(self, page_client: Client, exam: Exam, onboarding: Exam) -> None:
        response = page_client.get(page_url(exam))
        assert f'href="{page_url(onboarding)}"' in response.content.decode()
        assert forms_of(response) == {"begin"}

    def test_one_that_opens_later_is_named_and_not_linked(
        self, page_client: Client, exam: Exam, onboarding: Exam
    ) -> None:
        Exam.objects.filter(pk=onboarding.pk).update(opens_at=at(11, 0))
        text = text_of(page_client, exam)
        assert "It opens:" in text
        assert "11 a.m. (UTC)" in text
        assert page_url(onboarding) not in text

    def test_one_that_is_over_is_named_and_not_linked(self, page_client: Client, exam: Exam, onboarding: Exam) -> None:
        Exam.objects.filter(pk=onboarding.pk).update(due_at=at(10, 0))
        text = text_of(page_client, exam)
        assert "onboarding of this course is past its due date" in text
        assert page_url(onboarding) not in text

    def test_one_of_another_vendor_or_of_other_people_is_none(
        self, page_client: Client, exam: Exam, onboarding: Exam, candidate: AbstractUser, settings: Any
    ) -> None:
        Exam.objects.filter(pk=onboarding.pk).update(backend="null")
        assert "no onboarding that you can do" in text_of(page_client, exam)
        Exam.objects.filter(pk=onboarding.pk).update(backend="")
        scripted(settings).barred.add(candidate.pk)
        assert "no onboarding that you can do" in text_of(page_client, exam)

    def test_who_was_approved_meanwhile_is_told_to_try_again(
        self, page_client: Client, exam: Exam, onboarding: Exam, candidate: AbstractUser
    ) -> None:
        approve(candidate)
        response = page_client.get(page_url(exam))
        assert "By now your onboarding is approved" in response.content.decode()
        assert forms_of(response) == {"begin"}

    def test_once_freed_the_page_says_so_and_offers_to_try_again(
        self, page_client: Client, exam: Exam, candidate: AbstractUser
    ) -> None:
        free_blocked(blocked_of("vendor", [candidate.pk]), now=at(10, 10))
        response = page_client.get(page_url(exam))
        text = response.content.decode()
        assert screen_of(response) == Screen.VOIDED
        assert "This attempt did not begin" in text
        assert "course staff" not in text
        assert "Try again" in text
        assert act(page_client, exam, "begin").status_code == 302
        assert Attempt.objects.get(number=2).status == Status.CREATED


def test_an_annulled_attempt_is_still_said_to_be_the_staffs_doing(
    page_client: Client, exam: Exam, candidate: AbstractUser
) -> None:
    AttemptFactory(exam=exam, user=candidate, status=Status.VOIDED)
    assert "The course staff annulled this attempt" in text_of(page_client, exam)


class TestApproved:
    @pytest.fixture(autouse=True)
    def attempt(self, onboarding: Exam, candidate: AbstractUser) -> Attempt:
        return AttemptFactory(exam=onboarding, user=candidate, status=Status.VERIFIED)

    def test_until_when_it_is_valid(self, page_client: Client, onboarding: Exam, candidate: AbstractUser) -> None:
        approve(candidate)
        text = text_of(page_client, onboarding)
        assert "It is valid until:" in text
        assert 'datetime="2027-03-02T09:00:00+00:00"' in text
        assert "That is soon" not in text

    @pytest.mark.parametrize(("days", "soon"), [(28, True), (29, False)])
    def test_when_that_is_soon(
        self, page_client: Client, onboarding: Exam, candidate: AbstractUser, days: int, soon: bool
    ) -> None:
        approve(candidate, expires_at=at(10, 10) + timedelta(days=days))
        response = page_client.get(page_url(onboarding))
        assert ("That is soon" in response.content.decode()) == soon
        assert forms_of(response) == {"begin", "acknowledge"}

    def test_when_that_is_over(self, page_client: Client, onboarding: Exam, candidate: AbstractUser) -> None:
        approve(candidate, expires_at=at(10, 0))
        text = text_of(page_client, onboarding)
        assert "approved too long ago" in text
        assert "It was valid until:" in text
        assert "That is soon" not in text

    def test_when_it_no_longer_counts(self, page_client: Client, onboarding: Exam, candidate: AbstractUser) -> None:
        approve(candidate, status="rejected", expires_at=None)
        assert "Whether it still counts" in text_of(page_client, onboarding)

    def test_pressing_start_over_in_an_old_tab_is_refused_with_a_sentence(
        self, page_client: Client, onboarding: Exam
    ) -> None:
        response = act(page_client, onboarding, "restart")
        assert response.status_code == 409
        assert "approved and stays as it is" in response.content.decode()


class HelpfulHost(Host):
    def escalation_email(self, course_id: str) -> str:
        return f"help+{course_id[:6]}@example.org"


def test_error_says_who_can_help_and_later_that_they_did(
    page_client: Client, exam: Exam, candidate: AbstractUser, settings: Any
) -> None:
    attempt = AttemptFactory(exam=exam, user=candidate, status=Status.ERROR)
    text = text_of(page_client, exam)
    assert "They can let you continue" in text
    assert "mailto:" not in text
    configure(settings, HOST=f"{__name__}.HelpfulHost")
    text = text_of(page_client, exam)
    assert '<a href="mailto:help%2Bcourse@example.org">help+course@example.org</a>' in text
    authorize_resume(attempt, by=UserFactory(), reason="fire alarm", now=at(10, 10))
    response = page_client.get(page_url(exam))
    assert "The course staff lets you continue" in response.content.decode()
    assert "begin" in forms_of(response)
    assert "mailto:" not in response.content.decode()


class TestTag:
    def shown(self, user: Any, course_id: str) -> str:
        request = RequestFactory().get("/")
        request.user = user
        template = Template("{% load proctoring %}{% proctoring_onboarding course_id %}")
        return template.render(Context({"request": request, "course_id": course_id})).strip()

    def test_where_one_stands_and_what_to_do_next(self, candidate: AbstractUser, onboarding: Exam) -> None:
        course = onboarding.course_id
        text = self.shown(candidate, course)
        assert 'data-onboarding="not_started"' in text
        assert f'href="{page_url(onboarding)}">Begin the onboarding<' in text
        attempt = AttemptFactory(exam=onboarding, user=candidate)
        assert "Continue the onboarding" in self.shown(candidate, course)
        Attempt.objects.filter(pk=attempt.pk).update(status=Status.SUBMITTED, open_slot=None)
        waiting = self.shown(candidate, course)
        assert "being checked" in waiting
        assert 'href="/proctoring' not in waiting
        Attempt.objects.filter(pk=attempt.pk).update(status=Status.ERROR)
        assert "Do the onboarding again" in self.shown(candidate, course)
        approve(candidate, approved_course_id="another")
        assert "approved in another course" in self.shown(candidate, course)
        assert "It is valid until:" in self.shown(candidate, course)

    @pytest.mark.parametrize(
        ("dates", "sentence"), [({"opens_at": at(11, 0)}, "It opens:"), ({"due_at": at(9, 0)}, "past its due date")]
    )
    def test_when_it_opens_and_that_it_is_over(
        self, candidate: AbstractUser, onboarding: Exam, dates: dict[str, Any], sentence: str
    ) -> None:
        Exam.objects.filter(pk=onboarding.pk).update(**dates)
        text = self.shown(candidate, onboarding.course_id)
        assert sentence in text
        assert page_url(onboarding) not in text

    def test_nothing_where_there_is_nothing_to_say(self, candidate: AbstractUser, onboarding: Exam) -> None:
        assert self.shown(candidate, "another-course") == ""
        assert self.shown(AnonymousUser(), onboarding.course_id) == ""
