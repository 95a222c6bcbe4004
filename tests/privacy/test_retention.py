"""What has been kept long enough goes by itself."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring import tasks
from proctoring.attempts.models import Attempt
from proctoring.beat import SCHEDULE
from proctoring.conf import settings as ours
from proctoring.errors import Conflict, InvalidInput
from proctoring.exams.models import Exam
from proctoring.inbox.models import WebhookMessage
from proctoring.monitoring.models import Presence, SeenAddress
from proctoring.privacy import blanking, certificates
from proctoring.privacy.holds import place_hold, release_hold
from proctoring.privacy.models import DeletionCertificate, LegalHold
from proctoring.privacy.retention import Sweep
from proctoring.reviews.models import Review, ReviewComment
from tests.factories import TEN, AttemptFactory, MessageFactory, at
from tests.privacy.conftest import COURSE, EXTERNAL, NAME, NOTES, VIDEO, receive
from tests.privacy.dump import dump

pytestmark = pytest.mark.usefixtures("_noon")


def after(days: int) -> datetime:
    return TEN + timedelta(days=days)


def sweep(now: datetime, **more: Any) -> Sweep:
    run = Sweep(now=now, **more)
    for _ in run.batches():
        pass
    return run


def test_nothing_goes_before_its_time(known: Attempt) -> None:
    before = dump()
    run = sweep(after(90))
    assert (dict(run.counts), run.certificate) == ({}, None)
    assert dump() == before


def test_bodies_of_messages_go_first(known: Attempt) -> None:
    run = sweep(after(91))
    assert run.counts == {"webhookmessage": 2}
    for message in WebhookMessage.objects.all():
        assert (message.body, message.blanked_at) == (b"", after(91))
    assert VIDEO in dump()
    assert NOTES["review"] in dump()


def test_then_links_to_recordings_in_all_versions(known: Attempt) -> None:
    run = sweep(after(366))
    assert set(run.counts) == {"webhookmessage", "review", "historicalreview"}
    assert VIDEO not in dump()
    assert NOTES["review"] in dump()
    assert not any(review.has_video for review in Review.objects.all())


def test_then_what_reviews_say_and_who_said_it_and_the_verdicts_stay(known: Attempt) -> None:
    verdicts = list(Review.objects.order_by("pk").values("status", "source", "occurred_at", "author"))
    run = sweep(after(1826))
    assert run.counts["reviewcomment"] == ReviewComment.objects.count() == 1
    assert run.counts["review"] == 3
    everything = dump()
    assert NOTES["review"] not in everything
    for review in Review.objects.all():
        assert (review.reviewed_by, review.payload, review.note) == ("", {}, "")
    assert list(Review.objects.order_by("pk").values("status", "source", "occurred_at", "author")) == verdicts
    known.refresh_from_db()
    assert known.full_name == NAME


def test_a_review_that_is_sent_again_afterwards_brings_nothing_back(known: Attempt) -> None:
    said = {"type": "reviewed", "status": "suspicious", "id": EXTERNAL, "remarks": [NOTES["review"]], "video": VIDEO}
    first = receive({**said, "at": at(11, 30).isoformat()}, now=at(11, 30))
    kept, comments = Review.objects.count(), ReviewComment.objects.count()
    sweep(after(1827))
    again = receive({**said, "at": at(11, 30).isoformat()}, now=after(1828), delivery_id="sent-again")
    assert again.pk != first.pk
    assert (Review.objects.count(), ReviewComment.objects.count()) == (kept, comments)
    sweep(after(1828 + 91))
    for words in (NOTES["review"], VIDEO):
        assert words not in dump()


def test_a_run_that_deleted_something_leaves_one_certificate(known: Attempt) -> None:
    run = sweep(after(1826))
    certificate = DeletionCertificate.objects.get()
    assert certificate == run.certificate
    assert certificate.counts == dict(run.counts)
    assert (certificate.kind, certificate.subject, certificate.made_by) == ("retention", "", None)
    assert certificates.verify(certificate)
    again = sweep(after(1827))
    assert (again.certificate, DeletionCertificate.objects.count()) == (None, 1)


def test_a_dry_run_says_what_would_go_and_changes_nothing(known: Attempt) -> None:
    before = dump()
    run = sweep(after(1826), dry_run=True)
    assert dump() == before
    assert run.certificate is None
    assert run.counts == sweep(after(1826)).counts


def test_a_run_that_was_stopped_has_certified_what_it_did_and_the_next_goes_on(
    known: Attempt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blanking, "BATCH", 1)
    run = Sweep(now=after(91))
    next(run.batches())
    certificate = DeletionCertificate.objects.get()
    assert certificate.counts == {"webhookmessage": 1}
    assert certificates.verify(certificate)
    assert WebhookMessage.objects.filter(blanked_at=None).count() == 1
    assert sweep(after(91)).counts == {"webhookmessage": 1}


def test_batches_are_bounded(known: Attempt, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blanking, "BATCH", 2)
    for _ in range(5):
        MessageFactory()
    assert list(Sweep(now=after(91)).batches()) == [("webhookmessage", 2)] * 3 + [("webhookmessage", 1)]


@pytest.mark.parametrize("about", ["person", "course"])
def test_a_legal_hold_keeps_what_is_old_until_it_is_released(
    about: str, known: Attempt, zuleika: AbstractUser, officer: AbstractUser
) -> None:
    what: Any = {"user": zuleika} if about == "person" else {"course_id": COURSE}
    hold = place_hold(by=officer, reason="a case", now=TEN, **what)
    before = dump()
    assert not sweep(after(1826)).counts
    assert dump() == before
    release_hold(hold, by=officer)
    assert sweep(after(1826)).counts["review"] == 3


def test_a_hold_on_somebody_else_keeps_only_what_could_be_theirs(
    known: Attempt, exam: Exam, officer: AbstractUser
) -> None:
    place_hold(by=officer, reason="a case", user=officer, now=TEN)
    run = sweep(after(91))
    # The one that nobody understood belongs to no attempt.
    assert run.counts == {"webhookmessage": 1}
    assert list(WebhookMessage.objects.filter(blanked_at=None).values_list("delivery_id", flat=True)) == ["strange"]


def test_the_settings_say_how_long(known: Attempt, settings: Any) -> None:
    settings.PROCTORING = {**settings.PROCTORING, "KEEP_MESSAGE_BODIES_DAYS": 1, "KEEP_REVIEWS_DAYS": 2}
    assert ours.keep_message_bodies_days == 1
    assert set(sweep(after(2)).counts) == {"webhookmessage"}
    assert "reviewcomment" in sweep(after(3)).counts


def test_the_task_does_it_every_day(known: Attempt, settings: Any) -> None:
    settings.PROCTORING = {**settings.PROCTORING, "KEEP_MESSAGE_BODIES_DAYS": 1}
    WebhookMessage.objects.update(received_at=TEN - timedelta(days=3))
    assert tasks.apply_retention() == 2
    assert DeletionCertificate.objects.get().counts == {"webhookmessage": 2}
    assert tasks.apply_retention() == 0
    assert SCHEDULE["proctoring-apply-retention"]["task"] == "proctoring.apply_retention"


class TestHolds:
    def test_a_hold_is_of_a_person_or_a_course_and_has_a_reason(self, officer: AbstractUser) -> None:
        for wrong in ({}, {"user": officer, "course_id": COURSE}):
            with pytest.raises(InvalidInput):
                place_hold(by=officer, reason="x", **wrong)
        with pytest.raises(InvalidInput) as refused:
            place_hold(by=officer, reason="  ", course_id=COURSE)
        assert list(refused.value.errors) == ["reason"]
        assert not LegalHold.objects.exists()

    def test_a_hold_says_who_placed_and_who_released_it(self, officer: AbstractUser) -> None:
        hold = place_hold(by=officer, reason=" a case ", course_id=COURSE, now=TEN)
        assert (hold.reason, hold.placed_by, hold.placed_at, hold.released_at) == ("a case", officer, TEN, None)
        release_hold(hold, by=officer, now=at(11, 0))
        assert (hold.released_by, hold.released_at) == (officer, at(11, 0))
        with pytest.raises(Conflict) as refused:
            release_hold(hold, by=officer)
        assert refused.value.code == "hold_released"


@pytest.fixture
def heard_of(db: None) -> Attempt:
    """Its page was last heard of at ten, from the second of two addresses."""
    attempt = AttemptFactory(status="submitted")
    Presence.objects.create(
        attempt=attempt, last_seen_at=TEN, interval_seconds=30, ip="192.0.2.8", user_agent="Firefox"
    )
    for number, days in ((7, -1), (8, 0)):
        SeenAddress.objects.create(
            attempt=attempt, exam_id=attempt.exam_id, ip=f"192.0.2.{number}", first_seen_at=after(days)
        )
    return attempt


def test_addresses_and_browsers_of_pages_go_as_those_of_events_do(heard_of: Attempt) -> None:
    assert sweep(after(1824)).counts == {}
    assert sweep(after(1825)).counts == {"seenaddress": 1}
    told = sweep(after(1826), dry_run=True).counts
    assert (Presence.objects.count(), SeenAddress.objects.count()) == (1, 1)
    assert sweep(after(1826)).counts == told == {"seenaddress": 1, "presence": 1}
    assert not Presence.objects.exists()
    assert not SeenAddress.objects.exists()
    assert [one.counts for one in DeletionCertificate.objects.order_by("pk")] == [{"seenaddress": 1}, dict(told)]


def test_the_page_of_an_open_attempt_is_expected_however_long_it_was_silent(heard_of: Attempt) -> None:
    Attempt.objects.filter(pk=heard_of.pk).update(open_slot=1)
    assert sweep(after(1826)).counts == {"seenaddress": 2}
    assert Presence.objects.exists()


@pytest.mark.parametrize("about", ["person", "course"])
def test_a_legal_hold_keeps_where_pages_were_heard_from(about: str, heard_of: Attempt) -> None:
    what: Any = {"user": heard_of.user} if about == "person" else {"course_id": heard_of.exam.course_id}
    hold = place_hold(by=None, reason="a case", now=TEN, **what)
    assert sweep(after(1826)).counts == {}
    release_hold(hold, by=None)
    assert sweep(after(1826)).counts == {"seenaddress": 2, "presence": 1}
