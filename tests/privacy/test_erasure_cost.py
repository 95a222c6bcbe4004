"""Erasing costs statements by what vendors know, not by what is kept here."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam
from proctoring.logs.models import Event
from proctoring.privacy.erasure import erase_user
from proctoring.reviews.models import Review, ReviewComment
from tests.factories import TEN, AttemptFactory, EventFactory, UserFactory, at


def reviewed(exam: Exam, attempts: int) -> AbstractUser:
    person = UserFactory()
    for number in range(1, attempts + 1):
        attempt = AttemptFactory(exam=exam, user=person, number=number, status=Status.VERIFIED)
        for _ in range(5):
            TimeEntry.objects.create(attempt=attempt, kind="correction", seconds=0, note="a note", at=TEN)
        moments = {"occurred_at": TEN, "received_at": TEN}
        review = Review.objects.create(attempt=attempt, status="passed", payload={"a": 1}, **moments)
        ReviewComment.objects.bulk_create(ReviewComment(review=review, text="a remark") for _ in range(5))
    return person


def test_what_is_kept_costs_no_statement_by_the_row(exam: Exam, officer: AbstractUser) -> None:
    """Only an attempt that a vendor knows does: the vendor is told of each."""
    costs = []
    for attempts in (1, 9):
        person = reviewed(exam, attempts)
        with CaptureQueriesContext(connection) as statements:
            assert (
                erase_user(person, by=officer, reason="asked", now=at(12, 0)).certificate.counts["timeentry"]
                == 5 * attempts
            )
        costs.append(len(statements))
    assert costs[1] <= costs[0] <= 120


def test_neither_does_an_event(exam: Exam, officer: AbstractUser) -> None:
    """Each keeps a hash of its own: they are written in batches."""
    costs = []
    for attempts in (1, 9):
        person = reviewed(exam, attempts)
        for attempt in Attempt.objects.filter(user=person):
            for _ in range(10):
                EventFactory(attempt=attempt, ip="192.0.2.7", data={"a": 1})
        with CaptureQueriesContext(connection) as statements:
            assert (
                erase_user(person, by=officer, reason="asked", now=at(12, 0)).certificate.counts["event"]
                == 10 * attempts
            )
        assert not Event.objects.filter(attempt__user=person, personal_hash=None).exists()
        costs.append(len(statements))
    assert costs[1] <= costs[0] <= 120
