"""Names so short that they are words, too: what is certain goes, what is not is left, told, and decided by people."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import AbstractUser
from django.contrib.contenttypes.models import ContentType
from django.db import connection
from django.test.utils import CaptureQueriesContext

from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.states import Status
from proctoring.bookings.lifecycle import log
from proctoring.errors import Conflict, InvalidInput
from proctoring.exams.models import Exam
from proctoring.idempotency.services import once
from proctoring.inbox.models import MessageStatus, WebhookMessage
from proctoring.outbox.models import Circuit
from proctoring.privacy import certificates
from proctoring.privacy.erasure import Erasure, erase_user
from proctoring.privacy.holds import place_hold
from proctoring.privacy.models import DeletionCertificate
from proctoring.privacy.places import newest
from proctoring.reviews.models import Review, ReviewComment
from tests.factories import (
    TEN,
    AttemptFactory,
    BookingFactory,
    DeliveryFactory,
    EventFactory,
    LiveSessionFactory,
    MessageFactory,
    UserFactory,
    at,
)
from tests.privacy.conftest import a_strangers_attempt
from tests.privacy.dump import dump
from tests.privacy.test_erasure import statistics

NOON = at(12, 0)
pytestmark = pytest.mark.usefixtures("_noon", "db")

BO = re.compile(r"(?<!\w)(Bo|BO|bo|Li|LI)(?!\w)")
"""Nobody else in these tests is called so."""


@pytest.fixture
def bo() -> AbstractUser:
    return UserFactory(username="bo", first_name="Bo", last_name="Li", email="bo@li.example")


@pytest.fixture
def other(exam: Exam, officer: AbstractUser) -> Attempt:
    return a_strangers_attempt(exam, officer)


def erase(person: AbstractUser, officer: AbstractUser, *also: str) -> Erasure:
    return erase_user(person, by=officer, reason="Bo (Bo Li) has asked for it", also=also, now=NOON)


def note(attempt: Attempt, text: str) -> TimeEntry:
    return TimeEntry.objects.create(attempt=attempt, kind="correction", seconds=0, note=text, at=TEN)


def review(attempt: Attempt, **fields: Any) -> Review:
    said = {"status": "passed", "payload": {}, "occurred_at": TEN, "received_at": TEN, **fields}
    found: Review = Review.objects.create(attempt=attempt, **said)
    return found


def admins_word(row: Any, by: AbstractUser, text: str) -> LogEntry:
    about = ContentType.objects.get_for_model(row)
    said = {"object_repr": text, "change_message": text, "action_flag": CHANGE}
    entry: LogEntry = LogEntry.objects.create(user=by, content_type=about, object_id=str(row.pk), **said)
    return entry


def own_records(exam: Exam, bo: AbstractUser, officer: AbstractUser) -> None:
    """“Bo” and nothing more, in all that is about Bo."""
    attempt = AttemptFactory(exam=exam, user=bo, status=Status.SUBMITTED, full_name="Bo Li", external_id="v-1")
    note(attempt, "Bo fainted")
    own = review(attempt, note="Bo looked away", reviewed_by="a friend of Bo", payload={"seen": "Bo and a phone"})
    ReviewComment.objects.create(review=own, text="Is this Bo?")
    EventFactory(exam=exam, attempt=attempt, reason_message="Bo left", data={"who": ["it was bo"]})
    MessageFactory(attempt=attempt, status=MessageStatus.PROCESSED, plain=b'{"remark": "Bo coughed"}')
    DeliveryFactory(target="attempt", target_id=attempt.pk, last_error="Bo is unknown", status="given_up")
    admins_word(attempt, officer, "Bo again")
    booking = BookingFactory(exam=exam, last_error="Li is too early")
    for number, person in enumerate((UserFactory(), bo), start=1):
        LiveSessionFactory(booking=booking, user=person, candidate_number=number)
    log(booking, "", now=TEN, comment="BO and Otto come later", step="seen")
    DeliveryFactory(target="booking", target_id=booking.pk, last_error="no seat for Li", status="given_up")
    Circuit.objects.create(backend="vendor", last_error="refused: bo")
    once(user=officer, key="k", fingerprint="f", now=TEN, act=lambda: (200, {"note": "Bo is late"}))


def records_of_others(exam: Exam, other: Attempt) -> None:
    """Bo, as nobody else is called, in what is about Otto."""
    note(other, "sat beside Bo Li (@bo, BO@LI.EXAMPLE) all day")
    review(other, note="As BO  LI says", reviewed_by="bo", payload={"by": "Li Bo or @bo", "Bo Li": "Bo\nLi"})
    EventFactory(exam=exam, attempt=other, data={"said": ["hello Bo Li—bye", "—Bo\tLi"]})
    MessageFactory(plain=b'{"remark": "Bo Li coughed", "seat": 3}')


def test_of_a_person_with_a_short_name_nothing_is_found_but_what_is_told(
    exam: Exam, bo: AbstractUser, officer: AbstractUser, other: Attempt
) -> None:
    own_records(exam, bo, officer)
    records_of_others(exam, other)
    before = statistics()
    assert len(BO.findall(dump())) > 40
    erasure = erase(bo, officer)
    left = dump()
    # “Li Bo” is not how the person is called.
    assert erasure.unclear.counts == {"review": 1, "historicalreview": 1}
    assert set(BO.findall(left.replace("Li Bo", ""))) == set()
    for kept in ("sat beside [removed] ([removed], [removed]) all day", "hello [removed]", "and Otto come later"):
        assert kept in left
    assert erasure.certificate.reason == "[removed] ([removed]) has asked for it"
    assert erase(bo, officer, "Bo", "Li").unclear.counts == {}
    assert not BO.findall(dump())
    assert statistics() == before


class TestWhatIsUnclear:
    def test_is_left_and_told_with_its_place(
        self, exam: Exam, bo: AbstractUser, officer: AbstractUser, other: Attempt
    ) -> None:
        entry = note(other, "Bo Li? Or another Bo: a bo tree, Li’s")
        note(other, "both will board, he said, about li")
        found = review(other, note="LI", payload={"who": ["the Bo of the year"]})
        exam.name = "The Bo exam"
        exam.save()
        line = admins_word(exam, officer, "Bo’s")
        message = MessageFactory(plain=b'{"remark": "Bo coughed"}')
        erasure = erase(bo, officer)
        version = found.history.get()
        assert sorted(erasure.unclear.places) == sorted(
            [
                ("timeentry", entry.pk, "note"),
                ("review", found.pk, "note"),
                ("review", found.pk, "payload"),
                ("historicalreview", version.pk, "note"),
                ("historicalreview", version.pk, "payload"),
                ("historicalexam", exam.history.first().pk, "name"),
                ("exam", exam.pk, "name"),
                ("logentry", line.pk, "object_repr"),
                ("logentry", line.pk, "change_message"),
                ("webhookmessage", message.pk, "sealed_body"),
            ]
        )
        entry.refresh_from_db()
        assert entry.note == "[removed]? Or another Bo: a bo tree, Li’s"
        assert "The Bo exam" in dump()

    def test_is_counted_in_the_certificate_which_says_no_word_of_it(
        self, bo: AbstractUser, officer: AbstractUser, other: Attempt
    ) -> None:
        note(other, "Bo or Li")
        review(other, note="a Bo", payload={"a": "the Bo"})
        erasure = erase(bo, officer)
        certificate = DeletionCertificate.objects.get()
        assert certificate == erasure.certificate
        assert certificate.unclear == {"historicalreview": 2, "review": 2, "timeentry": 1} == erasure.unclear.counts
        assert certificates.verify(certificate)
        certificate.unclear = {}
        assert not certificates.verify(certificate)

    def test_is_told_again_by_the_next_erasure_which_certifies_nothing_new(
        self, bo: AbstractUser, officer: AbstractUser, other: Attempt
    ) -> None:
        note(other, "saw Bo")
        first = erase(bo, officer)
        assert erase(bo, officer) == first
        note(other, "saw Bo again")
        second = erase(bo, officer)
        assert second.certificate == first.certificate
        assert second.unclear.counts == {"timeentry": 2}

    def test_is_told_once_if_it_is_written_while_the_search_is_on(
        self, bo: AbstractUser, officer: AbstractUser, other: Attempt, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first, meanwhile = note(other, "saw Bo"), []

        def while_somebody_writes(models: Any) -> Any:
            keys = newest(models)
            if not meanwhile:
                meanwhile.append(note(other, "Bo, says Bo Li"))
            return keys

        monkeypatch.setattr("proctoring.privacy.erasure.newest", while_somebody_writes)
        erasure = erase(bo, officer)
        [entry] = meanwhile
        assert erasure.unclear.places == [("timeentry", one.pk, "note") for one in (first, entry)]
        assert erasure.certificate.counts["timeentry"] == 1
        entry.refresh_from_db()
        assert entry.note == "Bo, says [removed]"

    def test_costs_no_statement_by_the_place(
        self, exam: Exam, bo: AbstractUser, officer: AbstractUser, other: Attempt
    ) -> None:
        costs = []
        for places in (1, 9):
            for _ in range(places):
                note(other, "saw Bo")
                EventFactory(exam=exam, attempt=other, data={"who": "the Bo"})
            with CaptureQueriesContext(connection) as statements:
                erase(bo, officer)
            costs.append(len(statements))
        assert costs[1] <= costs[0] <= 120


class TestWhatIsDecided:
    def test_goes_wherever_it_stands_as_a_whole_word(
        self, exam: Exam, bo: AbstractUser, officer: AbstractUser, other: Attempt
    ) -> None:
        entry = note(other, "Bobby, BOBBY: bobby; Bobbys and Bo")
        event = EventFactory(exam=exam, attempt=other, data={"said": ["—Bobby", {"Bobby": 1}], "n": 17})
        messages = [MessageFactory(plain=json.dumps({"t": text}).encode()) for text in ("by Bobby", "bobby")]
        exam.name = "Bobby resits"
        exam.save()
        erasure = erase(bo, officer, " Bobby ")
        for row in (entry, event, exam, *messages):
            row.refresh_from_db()
        # “Bo” is still unclear there.
        assert entry.note == "[removed], [removed]: bobby; Bobbys and Bo"
        assert erasure.unclear.places == [("timeentry", entry.pk, "note")]
        assert event.data == {"said": ["—[removed]", {"[removed]": 1}], "n": 17}
        assert exam.name == "[removed] resits"
        assert [bool(message.body) for message in messages] == [False, True]
        assert WebhookMessage.objects.count() == 2

    def test_a_case_keeps_its_words(self, bo: AbstractUser, officer: AbstractUser, other: Attempt) -> None:
        entry = note(other, "saw Bo")
        place_hold(user=other.user, by=officer, reason="a case")
        assert erase(bo, officer).unclear.counts == {"timeentry": 1}
        with pytest.raises(Conflict) as refused:
            erase(bo, officer, "Bo")
        assert refused.value.code == "legal_hold"
        entry.refresh_from_db()
        assert entry.note == "saw Bo"

    @pytest.mark.parametrize("word", ["", " ", "B", " B "])
    def test_a_character_is_no_word(self, word: str, bo: AbstractUser, officer: AbstractUser, other: Attempt) -> None:
        note(other, "plan B")
        with pytest.raises(InvalidInput):
            erase(bo, officer, "Bo", word)
        assert "plan B" in dump()
