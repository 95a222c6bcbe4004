"""Where a person is mentioned in words that are about something else."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.attempts.models import Attempt
from proctoring.exams.models import Exam
from proctoring.inbox.models import MessageStatus, SweepCursor, WebhookMessage
from proctoring.privacy.erasure import erase_user
from proctoring.reviews.models import Review, ReviewComment
from tests.factories import UserFactory, at
from tests.privacy.conftest import EMAIL, EXTERNAL, NAME, USERNAME, a_strangers_attempt, receive
from tests.privacy.dump import dump

NOON = at(12, 0)
pytestmark = pytest.mark.usefixtures("_noon")


def test_what_a_vendor_said_while_its_list_was_read(
    known: Attempt, zuleika: AbstractUser, officer: AbstractUser
) -> None:
    SweepCursor.objects.create(name="onboarding", backend="vendor", last_error=f"no such candidate: {EMAIL}")
    other = SweepCursor.objects.create(name="onboarding", backend="another", last_error="away")
    certificate = erase_user(zuleika, by=officer, reason="asked", now=NOON).certificate
    assert SweepCursor.objects.get(backend="vendor").last_error == "no such candidate: [removed]"
    assert certificate.counts["sweepcursor"] == 1
    other.refresh_from_db()
    assert other.last_error == "away"


def test_a_certificates_reason_keeps_no_part_of_a_name_however_short(officer: AbstractUser, db: None) -> None:
    ann = UserFactory(username="ann", email="a@b.example", first_name="Ann", last_name="Wu")
    said = "ANN (Ann Wu, a@b.example) has asked; Ms Wu’s letter of 4 May is in the annex"
    certificate = erase_user(ann, by=officer, reason=said, now=NOON).certificate
    assert certificate.reason == (
        "[removed] ([removed], [removed]) has asked; Ms [removed]’s letter of 4 May is in the annex"
    )


def spelt(name: str) -> list[str]:
    return [name, name.upper(), f"seen by {name.lower()}, twice", "  ".join(name.split())]


REVIEWED = {"type": "reviewed", "status": "passed"}


class TestMessagesOfNoAttempt:
    @pytest.mark.parametrize("word", [*spelt(NAME), *spelt(EMAIL), USERNAME, EXTERNAL])
    def test_those_that_name_the_person_are_emptied(
        self, word: str, known: Attempt, zuleika: AbstractUser, officer: AbstractUser
    ) -> None:
        kept = receive({"type": "strange", "who": "Zuleika Other"}, now=at(10, 40), delivery_id="kept")
        strange = receive({"type": "strange", "candidate": {"is": [word]}}, now=at(10, 42), delivery_id="named")
        waiting = receive({**REVIEWED, "id": "not-known-yet", "who": word}, now=at(10, 43), delivery_id="waiting")
        assert (strange.attempt, waiting.attempt, waiting.status) == (None, None, MessageStatus.RECEIVED)
        erase_user(zuleika, by=officer, reason="asked", now=NOON)
        for message in (strange, waiting):
            message.refresh_from_db()
            assert (message.body, message.blanked_at) == (b"", NOON)
        assert waiting.status == MessageStatus.IGNORED
        bodies = [message.body.decode().casefold() for message in WebhookMessage.objects.all()]
        assert not [body for body in bodies for name in (NAME, EMAIL, USERNAME, EXTERNAL) if name.casefold() in body]
        kept.refresh_from_db()
        assert b"Zuleika Other" in kept.body

    def test_also_of_somebody_who_never_had_an_attempt(
        self, exam: Exam, zuleika: AbstractUser, officer: AbstractUser
    ) -> None:
        message = receive({**REVIEWED, "id": "not-known-yet", "by": EMAIL}, delivery_id="1")
        erase_user(zuleika, by=officer, reason="asked", now=NOON)
        message.refresh_from_db()
        assert message.body == b""

    def test_a_word_of_letters_that_is_a_user_name_is_no_mention_inside_of_a_sentence(
        self, exam: Exam, officer: AbstractUser
    ) -> None:
        account = UserFactory(username="student", first_name="", last_name="", email="st@example.org")
        said = receive({"type": "strange", "note": "the student left", "is": "reviewed"}, delivery_id="1")
        named = receive({"type": "strange", "candidate": "Student"}, delivery_id="2")
        erase_user(account, by=officer, reason="asked", now=NOON)
        for message, is_kept in ((said, True), (named, False)):
            message.refresh_from_db()
            assert bool(message.body) is is_kept


class TestReviewsOfOthers:
    @pytest.fixture
    def reviewed(self, exam: Exam, officer: AbstractUser) -> Attempt:
        return a_strangers_attempt(exam, officer)

    @pytest.mark.parametrize(
        "said",
        [
            {"by": EMAIL.upper()},
            {"by": f"{NAME} <{EMAIL}>"},
            {"by": "r-17", "remarks": [f"seen by {NAME.lower()}"]},
            {"by": "r-17", "team": {"lead": [USERNAME], NAME: 1}},
        ],
    )
    def test_the_reviewers_name_goes_wherever_it_stands(
        self, said: dict[str, Any], reviewed: Attempt, zuleika: AbstractUser, officer: AbstractUser
    ) -> None:
        message = receive({**REVIEWED, "id": "of-a-stranger", "seen": "all is well", **said}, now=at(10, 44))
        review = Review.objects.get()
        review.save()
        certificate = erase_user(zuleika, by=officer, reason="asked", now=NOON).certificate
        everything = dump().casefold()
        for name in (NAME, EMAIL, USERNAME):
            assert name.casefold() not in everything
        assert "all is well" in everything
        assert (Review.objects.get().status, review.history.count()) == ("passed", 2)
        message.refresh_from_db()
        assert message.body == b""
        assert certificate.counts["webhookmessage"] == 1
        assert erase_user(zuleika, by=officer, reason="again", now=NOON).certificate == certificate

    def test_what_colleagues_wrote_is_kept_without_it(
        self, reviewed: Attempt, zuleika: AbstractUser, officer: AbstractUser
    ) -> None:
        said = {"status": "passed", "source": "staff", "author": officer, "occurred_at": NOON, "received_at": NOON}
        review = Review.objects.create(attempt=reviewed, note=f"As {NAME} says: nothing.", **said)
        ReviewComment.objects.create(review=review, text="The student left", severity=USERNAME)
        erase_user(zuleika, by=officer, reason="asked", now=NOON)
        review.refresh_from_db()
        comment = review.comments.get()
        assert (review.note, comment.text) == ("As [removed] says: nothing.", "The student left")
        assert (comment.severity, review.history.get().note) == ("[removed]", review.note)
