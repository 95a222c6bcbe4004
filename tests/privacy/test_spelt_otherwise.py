"""Names as people write them: not in the capitals of a list, not with the blanks of a form, and not as numbers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth.models import AbstractUser

from proctoring.attempts.models import Attempt, TimeEntry
from proctoring.attempts.states import Status
from proctoring.exams.models import Exam
from proctoring.idempotency.models import IdempotencyRecord
from proctoring.idempotency.services import once
from proctoring.logs.models import Event
from proctoring.privacy.erasure import erase_user
from proctoring.privacy.places import places
from proctoring.privacy.said import Said
from proctoring.privacy.words import Words, spellings, tells
from proctoring.reviews.models import Review
from tests.factories import (
    TEN,
    AttemptFactory,
    BookingFactory,
    EventFactory,
    LiveSessionFactory,
    UserFactory,
    at,
)
from tests.privacy.conftest import a_strangers_attempt

NOON = at(12, 0)
pytestmark = pytest.mark.usefixtures("_noon")


def a_person(username: str, first_name: str = "", last_name: str = "") -> AbstractUser:
    person: AbstractUser = UserFactory(username=username, first_name=first_name, last_name=last_name, email="")
    return person


def note(attempt: Attempt, text: str) -> TimeEntry:
    return TimeEntry.objects.create(attempt=attempt, kind="correction", seconds=0, note=text, at=TEN)


class TestCapitals:
    def test_people_write_one(self) -> None:
        assert spellings("WILL") == {"WILL", "Will"}
        assert spellings("will") == {"will", "Will", "WILL"}
        assert (
            Words([], words=["WILL", "ÖDÖN"]).without("Will will, WILL; Ödön") == "[removed] will, [removed]; [removed]"
        )

    def test_of_a_person_in_capitals_nothing_is_left_that_is_not_told(self, exam: Exam, officer: AbstractUser) -> None:
        will = a_person("ws-1", "WILL", "SMITH")
        shared = BookingFactory(exam=exam, last_error="no seat for Smith, Will")
        for number, person in enumerate((UserFactory(), will), start=1):
            LiveSessionFactory(booking=shared, user=person, candidate_number=number)
        entry = note(a_strangers_attempt(exam, officer), "Smith will ask Will")
        reason = "Will (W. Smith) has asked for it, and will ask again"
        erasure = erase_user(will, by=officer, reason=reason, now=NOON)
        shared.refresh_from_db()
        assert shared.last_error == "no seat for [removed], [removed]"
        assert erasure.certificate.reason == "[removed] (W. [removed]) has asked for it, and will ask again"
        assert erasure.unclear.places == [("timeentry", entry.pk, "note")]
        erase_user(will, by=officer, reason=reason, also=["WILL", "SMITH"], now=NOON)
        entry.refresh_from_db()
        assert entry.note == "[removed] will ask [removed]"


class TestKeptAnswers:
    @pytest.mark.parametrize(
        ("answer", "is_kept"),
        [
            ({"id": 7, "minutes": 30}, True),
            ({"30": [30, 30.0, {"n": 30}], "Bo": True}, True),
            ({"note": "Bo Li came late"}, False),
            ({"notes": [{"says": "and Li"}], "minutes": 30}, False),
            ({"external_id": "30"}, False),
        ],
    )
    def test_a_number_in_one_is_nobodys_id(self, answer: Any, is_kept: bool, exam: Exam, officer: AbstractUser) -> None:
        bo = a_person("bo", "Bo", "Li")
        AttemptFactory(exam=exam, user=bo, status=Status.SUBMITTED, external_id="30")
        once(user=officer, key="k", fingerprint="f", now=TEN, act=lambda: (200, answer))
        erase_user(bo, by=officer, reason="asked", now=NOON)
        assert IdempotencyRecord.objects.get().answer == (answer if is_kept else None)


class TestScriptsWithoutBlanks:
    @pytest.mark.parametrize(
        ("name", "text", "left"),
        [
            ("王小明", "考生王小明离开了", "考生[removed]离开了"),
            ("王 小明", "考生王小明离开了", "考生[removed]离开了"),
            ("小明 王", "考生王小明离开了", "考生[removed]离开了"),
            ("王明", "见过王明了", "见过[removed]了"),
            ("山田 タロウ", "受験者山田タロウさん", "受験者[removed]さん"),
            ("さくら のだ", "受験者のださくらさん", "受験者[removed]さん"),
            ("สมชาย ใจดี", "เห็นสมชายใจดีแล้ว", "เห็น[removed]แล้ว"),
            ("ສົມພອນ ແກ້ວ", "ເຫັນສົມພອນ ແກ້ວແລ້ວ", "ເຫັນ[removed]ແລ້ວ"),
            ("សុខ ចាន់", "ឃើញសុខចាន់ហើយ", "ឃើញ[removed]ហើយ"),
            ("အောင် ကျော်", "ယနေ့အောင်ကျော်လာ", "ယနေ့[removed]လာ"),
            ("𠮷野 家", "見た𠮷野家だ", "見た[removed]だ"),
        ],
    )
    def test_a_full_name_is_found_within_what_is_said_about_others(self, name: str, text: str, left: str) -> None:
        said = Said(1, ["u-17", name], ["@u-17"], full=[name])
        for words in (said.texts, said.titles):
            assert words.without(text) == left
        assert not said.unclear.stand_in(left)
        assert "[removed]" in said.theirs.without(text)

    def test_a_part_of_one_and_a_user_name_are_unclear(self) -> None:
        said = Said(1, ["学生", "王 小明"], ["@学生"], full=["王 小明"])
        for text in ("问过小明了", "一个学生离开了"):
            assert said.texts.without(text) == text
            assert said.unclear.stand_in(text)
            assert "[removed]" in said.theirs.without(text)
        assert not said.unclear.stand_in("王先生离开了")

    def test_a_word_with_marks_on_its_letters_is_a_word_of_letters(self) -> None:
        assert not any(map(tells, ("นักเรียน", "विद्यार्थी", "U\u0308nal")))
        assert tells("นักเรียน-7")

    @pytest.mark.parametrize("text", ["考生Bo Li离开了", "考生Bo_Li离开了", "考生v-17离开了"])
    def test_a_latin_name_ends_where_they_begin(self, text: str) -> None:
        assert Said(1, ["Bo Li"], ["v-17"]).texts.without(text) == "考生[removed]离开了"

    def test_beside_letters_that_are_no_word_of_it_a_name_ends_as_ever(self) -> None:
        words = Said(1, ["Bo王"], [], also=["Bo王", "Li"]).texts
        assert words.without("Bo王来了, 7Bo王, Lima, éLi") == "[removed]来了, 7Bo王, Lima, éLi"


def test_an_underscore_stands_between_words() -> None:
    said = Said(1, ["Anna Berg", "b_l"], [])
    assert (
        said.texts.without("Anna_Berg.png, x_Anna_Berg_2, b_l, b_la") == "[removed].png, x_[removed]_2, [removed], b_la"
    )
    assert said.unclear.stand_in("room_of_Anna_B")
    assert said.theirs.without("room_of_Anna_B") == "room_of_[removed]_B"


def test_an_inflected_name_is_not_guessed() -> None:
    said = Said(1, ["Anna Berg"], [])
    for words in (said.texts, said.theirs, said.unclear):
        assert words.without("Annas Handy") == "Annas Handy"


TOLD = [
    (("u-17", "小明", "王"), "考生王小明离开了", "考生[removed]离开了"),
    (("u-17", "王小明", ""), "考生王小明离开了", "考生[removed]离开了"),
    (("u-17", "山田", "太郎"), "考生山田太郎", "考生[removed]"),
    (("u-17", "สมชาย", "ใจดี"), "เห็นสมชายใจดีแล้ว", "เห็น[removed]แล้ว"),
    (("u-17", "𠮷野", "家"), "見た𠮷野家だ", "見た[removed]だ"),
    (("u-17", "Bo", "Li"), "考生Bo Li离开了", "考生[removed]离开了"),
    (("u-17", "Anna", "Berg"), "on Anna_Berg.png", "on [removed].png"),
    (("u-17", "ANNA", "BERG"), "on x_Anna_Berg_2", "on x_[removed]_2"),
    (("u-17", "", ""), "考生u-17离开了", "考生[removed]离开了"),
    (("u-17", "王", "小明"), "问过小明了", None),
    (("u-17", "BO", "LI"), "问过Bo了", None),
    (("u-17", "Anna", "Berg"), "of_Anna_B", None),
    (("学生", "", ""), "一个学生离开了", None),
]


@pytest.mark.parametrize(("names", "text", "left"), TOLD)
@pytest.mark.parametrize("way", ["text", "json", "vendors_json"])
def test_the_database_lets_nothing_through(
    way: str, names: tuple[str, str, str], text: str, left: str | None, exam: Exam, officer: AbstractUser
) -> None:
    """What is told is searched like what is taken out: ``left`` is None where it is."""
    attempt = a_strangers_attempt(exam, officer)
    row: Any
    if way == "text":
        row, name = note(attempt, text), "note"
    elif way == "json":
        row, name = EventFactory(exam=exam, attempt=attempt, data={"a": [{"b": text}]}), "data"
    else:
        moments = {"occurred_at": TEN, "received_at": TEN}
        row, name = Review.objects.create(attempt=attempt, status="passed", payload={"a": [text]}, **moments), "payload"
    erasure = erase_user(a_person(*names), by=officer, reason="asked", now=NOON)
    row.refresh_from_db()
    assert (left or text) in json.dumps(getattr(row, name), ensure_ascii=False)
    model = row._meta.model_name
    assert ((model, row.pk, name) in erasure.unclear.places) is (left is None)


def test_the_sieve_finds_what_json_escapes(exam: Exam, officer: AbstractUser) -> None:
    event = EventFactory(exam=exam, attempt=a_strangers_attempt(exam, officer), data={"a": "\t王小明\n_Bo_"})
    place = next(one for one in places() if one.model is Event)
    for name in ("王小明", "王 小明", "BO"):
        assert event in place.sieved(Said(1, [name], [], full=[name]), after=0)


@pytest.mark.parametrize("text", [" 17 ", "\n17", "\u300017", "17"])
def test_the_sieve_finds_a_whole_value_whatever_blanks_are_around_it(
    text: str, exam: Exam, officer: AbstractUser
) -> None:
    attempt = a_strangers_attempt(exam, officer)
    named, _other = (EventFactory(exam=exam, attempt=attempt, data={"a": [one], "n": 17}) for one in (text, "x"))
    place = next(one for one in places() if one.model is Event)
    assert list(place.sieved(Said(1, ["17"], []), after=0)) == [named]
