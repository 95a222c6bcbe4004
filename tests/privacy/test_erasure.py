"""A person is forgotten: in every table, in every version, and at the vendor."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser
from django.db.models import Avg, Count, Sum

from proctoring.allowances.models import Allowance
from proctoring.attempts import services
from proctoring.attempts.creation import create_attempt
from proctoring.attempts.models import Attempt, OnboardingProfile, TimeEntry
from proctoring.attempts.states import Status
from proctoring.errors import BackendError, Conflict, InvalidInput, NotConfigured
from proctoring.exams.models import Exam
from proctoring.idempotency.models import IdempotencyRecord
from proctoring.inbox.models import MessageStatus, WebhookMessage
from proctoring.inbox.services import replay
from proctoring.outbox.models import Delivery
from proctoring.privacy import certificates
from proctoring.privacy.erasure import erase_user
from proctoring.privacy.holds import place_hold, release_hold
from proctoring.privacy.models import DeletionCertificate, LegalHold, Pseudonym
from proctoring.privacy.pseudonyms import candidate_id
from proctoring.reviews.models import Rating, Review, ReviewComment, VideoView
from tests.factories import TEN, AttemptFactory, UserFactory, at
from tests.hosts import configure
from tests.privacy.conftest import (
    EMAIL,
    EXTERNAL,
    NAME,
    NOTES,
    USERNAME,
    VIDEO,
    a_strangers_attempt,
    deliver,
    receive,
    secrets_of,
)
from tests.privacy.dump import dump
from tests.privacy.vendor import Forgetful

NOON = at(12, 0)
pytestmark = pytest.mark.usefixtures("_noon")


def erase(person: AbstractUser, officer: AbstractUser, **more: Any) -> DeletionCertificate:
    return erase_user(person, **{"by": officer, "reason": f"{NAME} has asked for it", "now": NOON, **more}).certificate


def statistics() -> dict[str, Any]:
    """The numbers that an institution publishes."""
    return {
        "attempts": list(Attempt.objects.order_by("status").values("status").annotate(n=Count("pk"))),
        "seconds": TimeEntry.objects.aggregate(n=Sum("seconds"))["n"],
        "kinds": list(TimeEntry.objects.order_by("kind").values("kind").annotate(n=Sum("seconds"))),
        "total": Attempt.objects.aggregate(n=Sum("total_seconds"))["n"],
        "risk": Rating.objects.aggregate(n=Avg("risk"))["n"],
        "verdicts": list(Review.objects.order_by("pk").values("status", "source", "occurred_at", "applied_at")),
        "comments": list(ReviewComment.objects.order_by("pk").values("start_seconds", "stop_seconds")),
        "versions": Attempt.history.count(),
    }


def test_before_the_erasure_everything_can_be_found(known: Attempt) -> None:
    everything = dump()
    for secret in secrets_of(known):
        assert secret in everything, secret


def test_of_an_erased_person_nothing_is_found_in_any_table_and_the_statistics_stay(
    known: Attempt, zuleika: AbstractUser, officer: AbstractUser, vendor: Forgetful
) -> None:
    before, pseudonym = statistics(), candidate_id("vendor", zuleika.pk)
    erase(zuleika, officer)
    deliver(NOON)
    everything = dump()
    for secret in (*secrets_of(known), pseudonym):
        assert secret not in everything, secret
    assert statistics() == before
    asked = [(operation, about) for operation, _key, about in vendor.calls[-2:]]
    assert asked == [("remove_attempt", EXTERNAL), ("retire_candidate", pseudonym)]
    assert not Delivery.objects.owed().exists()


def test_until_the_vendor_has_confirmed_its_ids_are_kept_and_nothing_else(
    known: Attempt, zuleika: AbstractUser, officer: AbstractUser, vendor: Forgetful
) -> None:
    vendor.answers |= {"remove_attempt": BackendError("away"), "retire_candidate": BackendError("away")}
    pseudonym = candidate_id("vendor", zuleika.pk)
    erase(zuleika, officer)
    deliver(NOON)
    everything = dump()
    assert [word for word in secrets_of(known) if word in everything] == [EXTERNAL]
    assert pseudonym in everything
    del vendor.answers["remove_attempt"], vendor.answers["retire_candidate"]
    deliver(at(13, 0))
    everything = dump()
    assert EXTERNAL not in everything
    assert pseudonym not in everything
    assert not Pseudonym.objects.exists()


def test_a_person_and_their_attempts_stay_together_and_the_account_is_left_to_the_lms(
    known: Attempt, zuleika: AbstractUser, officer: AbstractUser
) -> None:
    erase(zuleika, officer)
    known.refresh_from_db()
    zuleika.refresh_from_db()
    assert (known.user_id, known.erased_at, known.status) == (zuleika.pk, NOON, Status.REJECTED)
    assert zuleika.email == EMAIL


def test_somebody_elses_rows_are_not_touched(
    known: Attempt, exam: Exam, zuleika: AbstractUser, officer: AbstractUser, vendor: Forgetful
) -> None:
    other = a_strangers_attempt(exam, officer)
    receive(
        {"type": "reviewed", "status": "passed", "id": "of-a-stranger", "by": "x", "remarks": ["a strangers remark"]},
        now=at(11, 0),
        delivery_id="other",
    )
    receive({"type": "strange", "id": "of-a-stranger"}, now=at(11, 1), delivery_id="also-strange")
    erase(zuleika, officer)
    deliver(NOON)
    other.refresh_from_db()
    assert (other.full_name, other.external_id, other.erased_at) == ("Otto Stranger", "of-a-stranger", None)
    assert "a strangers remark" in dump()
    kept = WebhookMessage.objects.filter(blanked_at=None).values_list("delivery_id", flat=True)
    assert set(kept) == {"other", "also-strange"}


def test_allowances_and_profiles_go_with_their_versions_and_the_granted_seconds_stay(
    known: Attempt, zuleika: AbstractUser, officer: AbstractUser
) -> None:
    erase(zuleika, officer)
    for model in (Allowance, Allowance.history, OnboardingProfile, OnboardingProfile.history, VideoView.objects):
        assert not getattr(model, "objects", model).all().exists()
    granted = TimeEntry.objects.get(attempt=known, kind="allowance")
    assert (granted.seconds, granted.note) == (600, "")


def test_a_kept_answer_to_somebody_else_goes_and_its_key_still_stops_a_repetition(
    known: Attempt, zuleika: AbstractUser, officer: AbstractUser
) -> None:
    erase(zuleika, officer)
    [kept] = IdempotencyRecord.objects.all()
    assert (kept.user_id, kept.key, kept.answer, kept.status_code) == (officer.pk, "theirs", None, 200)


def test_the_certificate_says_what_was_done_and_not_whose_it_was(
    known: Attempt, zuleika: AbstractUser, officer: AbstractUser
) -> None:
    certificate = erase(zuleika, officer)
    certificate.refresh_from_db()
    assert certificate.reason == "[removed] has asked for it"
    assert certificate.vendors == ["vendor"]
    assert certificate.made_by == officer
    assert certificate.counts["attempt"] == 1
    assert certificate.counts["allowance"] == certificate.counts["historicalallowance"] == 2
    assert certificate.counts["webhookmessage"] == 2
    assert certificate.counts["logentry"] == 3
    assert certificates.verify(certificate)
    assert certificate.subject in certificates.subjects_of(zuleika.pk)
    assert certificate.subject not in certificates.subjects_of(officer.pk)


@pytest.mark.parametrize("change", [{"counts": {"attempt": 0}}, {"reason": "none"}, {"vendors": []}, {"made_at": TEN}])
def test_a_certificate_that_was_altered_shows(
    change: dict[str, Any], known: Attempt, zuleika: AbstractUser, officer: AbstractUser
) -> None:
    certificate = erase(zuleika, officer)
    DeletionCertificate.objects.update(**change)
    certificate.refresh_from_db()
    assert not certificates.verify(certificate)


def test_erasing_again_changes_nothing_and_returns_the_same_certificate(
    known: Attempt, zuleika: AbstractUser, officer: AbstractUser
) -> None:
    first = erase(zuleika, officer)
    before = dump()
    assert erase(zuleika, officer, now=at(12, 30)) == first
    assert dump() == before
    deliver(NOON)
    assert erase(zuleika, officer, now=at(12, 40)) == first


def test_what_came_since_is_erased_by_the_next_run(
    known: Attempt, zuleika: AbstractUser, officer: AbstractUser
) -> None:
    first = erase(zuleika, officer)
    TimeEntry.objects.create(attempt=known, kind="correction", seconds=0, note="came later", at=NOON)
    second = erase(zuleika, officer)
    assert second != first
    assert second.counts == {"timeentry": 1}
    assert "came later" not in dump()


def test_a_person_of_whom_nothing_is_kept_gets_a_certificate_of_nothing(officer: AbstractUser) -> None:
    certificate = erase(UserFactory(), officer)
    assert (certificate.counts, certificate.vendors) == ({}, [])
    assert certificates.verify(certificate)


class TestRefusals:
    def test_an_attempt_that_has_not_ended_has_to_be_voided_first(
        self, exam: Exam, zuleika: AbstractUser, officer: AbstractUser
    ) -> None:
        attempt = AttemptFactory(exam=exam, user=zuleika, status=Status.STARTED, expires_at=at(13, 0))
        before = dump()
        with pytest.raises(Conflict) as refused:
            erase(zuleika, officer)
        assert refused.value.code == "attempt_open"
        assert dump() == before
        services.void_attempt(attempt, by=officer, actor=services.Actor.STAFF, now=NOON)
        assert erase(zuleika, officer).counts["attempt"] == 1

    def test_an_attempt_whose_deadline_has_passed_has_ended(
        self, exam: Exam, zuleika: AbstractUser, officer: AbstractUser
    ) -> None:
        attempt = AttemptFactory(exam=exam, user=zuleika, status=Status.STARTED)
        erase(zuleika, officer)
        attempt.refresh_from_db()
        assert (attempt.status, attempt.ended_at, attempt.full_name) == (Status.SUBMITTED, at(11, 0), "")

    @pytest.mark.parametrize("about", ["person", "course"])
    def test_a_legal_hold_keeps_everything_until_it_is_released(
        self, about: str, known: Attempt, zuleika: AbstractUser, officer: AbstractUser
    ) -> None:
        what: Any = {"user": zuleika} if about == "person" else {"course_id": known.exam.course_id}
        hold = place_hold(by=officer, reason="a case", now=TEN, **what)
        before = dump()
        with pytest.raises(Conflict) as refused:
            erase(zuleika, officer)
        assert refused.value.code == "legal_hold"
        assert dump() == before
        release_hold(hold, by=officer)
        assert erase(zuleika, officer).counts

    def test_a_hold_on_others_keeps_nothing_of_this_person(
        self, known: Attempt, zuleika: AbstractUser, officer: AbstractUser
    ) -> None:
        place_hold(by=officer, reason="a case", user=officer, now=TEN)
        place_hold(by=officer, reason="a case", course_id="course-v1:Other+X+1", now=TEN)
        assert erase(zuleika, officer).counts

    def test_without_a_reason_or_a_key_nothing_happens(
        self, known: Attempt, zuleika: AbstractUser, officer: AbstractUser, settings: Any
    ) -> None:
        with pytest.raises(InvalidInput):
            erase(zuleika, officer, reason=" ")
        configure(settings, PSEUDONYM_KEYS=[])
        with pytest.raises(NotConfigured):
            erase(zuleika, officer)
        assert Attempt.objects.get(pk=known.pk).full_name == NAME

    def test_while_a_worker_registers_an_attempt_its_answer_is_waited_for(
        self, exam: Exam, zuleika: AbstractUser, officer: AbstractUser
    ) -> None:
        attempt = create_attempt(exam, zuleika, now=NOON)
        services.void_attempt(attempt, by=officer, actor=services.Actor.STAFF, now=NOON)
        Delivery.objects.update(claimed_by="w", claimed_until=at(12, 1))
        with pytest.raises(Conflict) as refused:
            erase(zuleika, officer)
        assert refused.value.code == "call_in_hand"
        Delivery.objects.update(claimed_until=at(11, 59))
        assert erase(zuleika, officer).counts
        assert Delivery.objects.get().status == "superseded"

    def test_a_failure_in_between_undoes_everything(
        self, known: Attempt, zuleika: AbstractUser, officer: AbstractUser, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        before = dump()
        monkeypatch.setattr("proctoring.privacy.mentions.blank_log_entries", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            erase(zuleika, officer)
        assert dump() == before


class TestMessages:
    def test_what_a_vendor_still_says_about_an_erased_person_is_not_kept(
        self, known: Attempt, zuleika: AbstractUser, officer: AbstractUser, vendor: Forgetful
    ) -> None:
        vendor.answers["remove_attempt"] = BackendError("away")
        erase(zuleika, officer)
        reviews = Review.objects.count()
        late = receive(
            {"type": "reviewed", "status": "passed", "id": EXTERNAL, "by": NAME, "remarks": ["late"], "video": VIDEO},
            now=at(12, 5),
            delivery_id="late",
        )
        assert (late.status, late.body, late.error) == (MessageStatus.IGNORED, b"", "")
        assert late.blanked_at is not None
        assert Review.objects.count() == reviews
        assert NAME not in dump()

    def test_what_the_same_message_says_about_others_is_applied(
        self, known: Attempt, exam: Exam, zuleika: AbstractUser, officer: AbstractUser, vendor: Forgetful
    ) -> None:
        vendor.answers["remove_attempt"] = BackendError("away")
        other = a_strangers_attempt(exam, officer)
        erase(zuleika, officer)
        verdict = {"type": "reviewed", "status": "passed"}
        late = receive({**verdict, "id": EXTERNAL}, {**verdict, "id": "of-a-stranger"}, now=at(12, 5))
        other.refresh_from_db()
        assert (late.status, late.body) == (MessageStatus.PROCESSED, b"")
        assert other.status == Status.VERIFIED

    def test_a_message_belongs_to_the_one_attempt_it_is_about_and_else_to_none(
        self, known: Attempt, exam: Exam, officer: AbstractUser
    ) -> None:
        a_strangers_attempt(exam, officer)
        verdict = {"type": "reviewed", "status": "passed"}
        one = receive({**verdict, "id": "of-a-stranger"}, now=at(11, 10), delivery_id="one")
        two = receive(
            {**verdict, "id": EXTERNAL}, {**verdict, "id": "of-a-stranger"}, now=at(11, 11), delivery_id="two"
        )
        assert one.attempt.external_id == "of-a-stranger"
        assert two.attempt is None

    def test_a_message_about_several_people_that_names_the_person_is_emptied(
        self, known: Attempt, exam: Exam, zuleika: AbstractUser, officer: AbstractUser
    ) -> None:
        a_strangers_attempt(exam, officer)
        verdict = {"type": "reviewed", "status": "passed"}
        both = receive({**verdict, "id": EXTERNAL}, {**verdict, "id": "of-a-stranger"}, now=at(11, 11))
        erase(zuleika, officer)
        both.refresh_from_db()
        assert both.body == b""

    def test_one_that_was_emptied_is_neither_processed_nor_repeated(
        self, known: Attempt, zuleika: AbstractUser, officer: AbstractUser
    ) -> None:
        erase(zuleika, officer)
        message = WebhookMessage.objects.get(delivery_id="strange")
        with pytest.raises(Conflict) as refused:
            replay(message)
        assert refused.value.code == "body_blanked"
        WebhookMessage.objects.filter(pk=message.pk).update(status=MessageStatus.RECEIVED, next_try_at=NOON)
        receive({"type": "ready", "id": "x"}, now=at(12, 5), delivery_id="wakes the worker")
        message.refresh_from_db()
        assert (message.status, message.error) == (MessageStatus.IGNORED, "its body is no longer kept")


class TestAsStaff:
    def test_a_reviewers_name_goes_and_their_decisions_stay(
        self, exam: Exam, zuleika: AbstractUser, officer: AbstractUser
    ) -> None:
        stranger = a_strangers_attempt(exam, officer)
        said = {"type": "reviewed", "status": "passed", "id": "of-a-stranger", "by": EMAIL, "seen": "all is well"}
        receive(said, now=at(11, 0))
        Review.objects.create(
            attempt=stranger,
            status="violation",
            source="staff",
            author=zuleika,
            reviewed_by=USERNAME,
            payload={},
            occurred_at=TEN,
            received_at=TEN,
        )
        certificate = erase(zuleika, officer)
        everything = dump()
        for word in (EMAIL, USERNAME):
            assert word not in everything
        assert "all is well" in everything
        assert certificate.counts["review"] == 2
        assert list(Review.objects.order_by("pk").values_list("status", flat=True)) == ["passed", "violation"]
        assert Review.objects.latest("pk").author == zuleika
        assert LegalHold.objects.count() == 0


def test_the_notes_of_this_test_are_all_in_use() -> None:
    assert len(set(NOTES.values())) == len(NOTES)
