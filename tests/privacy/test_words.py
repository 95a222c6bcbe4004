"""How a person is recognised in text and JSON that is not about them alone."""

from __future__ import annotations

from typing import Any

import pytest

from proctoring.privacy.words import Words, tells

ADA = Words(["Ada", "Ada Lovelace", "ada@example.org", "Ünal Öztürk", "", "  ", "17"])


@pytest.mark.parametrize(
    "value",
    [
        "Ada Lovelace was here",
        "ada lovelace",
        "mail to ada@example.org.",
        {"by": ["x", {"who": "Ada"}]},
        {"Ada Lovelace": 1},
        {"id": 17},
        "ADA",
        "said Ünal Öztürk",
    ],
)
def test_a_person_is_found_by_name_wherever_it_stands(value: Any) -> None:
    assert ADA.stand_in(value)
    assert ADA.without(value) != value or value == {"id": 17}


@pytest.mark.parametrize(
    "value", ["Ada and 17 others", {"n": 170}, "at 10:17", "xada@example.orgx", "Ada Lovelaces", None, True, 1.7, []]
)
def test_short_words_and_parts_of_words_are_nobody(value: Any) -> None:
    assert not ADA.stand_in(value)
    assert ADA.without(value) == value


@pytest.mark.parametrize(
    "body",
    [
        b'{"a": "\\u00dcnal \\u00d6zt\\u00fcrk"}',
        '{"a": "Ünal Öztürk"}'.encode(),
        "no json: Ünal Öztürk".encode(),
        b"\xff ada@example.org",
    ],
)
def test_a_body_is_read_as_what_it_is(body: bytes) -> None:
    assert ADA.stand_in_bytes(body)
    assert not Words([]).stand_in_bytes(body)


def test_a_name_is_the_same_whatever_stands_between_its_words() -> None:
    assert ADA.without("by Ada  Lovelace and Ada\nLovelace") == "by [removed] and [removed]"


@pytest.mark.parametrize("text", ["Bo Li", "王 明", "b-2", "bo1", "@bo", "b.l", "b_l", "a@b.c", "O'Neill", "123456"])
def test_several_words_and_a_word_with_more_than_letters_mean_one_person_however_short(text: str) -> None:
    assert tells(text)
    assert Words([text]).without(f"said {text}, twice") == "said [removed], twice"


@pytest.mark.parametrize("text", ["Ada", "student", "Ünal", "明", "7", "17", "b2", "2026", "12345"])
def test_a_word_of_letters_or_a_number_may_mean_anybody_inside_of_a_sentence(text: str) -> None:
    assert not tells(text)
    assert Words([text]).without(f"said {text}, twice") == f"said {text}, twice"
    assert Words([text]).without(f" {text} ") == "[removed]"


WILL = Words([], words=["Will", "bo", "LI", "Ödön", "student"])


def test_a_word_that_is_sought_is_found_inside_and_a_short_one_not_in_smaller_letters() -> None:
    assert WILL.without("Will and WILL will, bo, Bo, BO; LI, Li, li; Ödön, ÖDÖN, ödön; Students of STUDENT") == (
        "[removed] and [removed] will, [removed], [removed], [removed]; [removed], [removed], li; "
        "[removed], [removed], ödön; Students of [removed]"
    )
    assert WILL.without({"will": ["Will", "will"], "Body": "bob"}) == {"will": ["[removed]", "will"], "Body": "bob"}


def test_where_others_are_spoken_of_a_single_word_of_letters_is_no_name_inside_of_a_sentence() -> None:
    account = Words(["student", "student17", "stu@example.org"])
    assert account.without("the student left, said student17 of stu@example.org") == (
        "the student left, said [removed] of [removed]"
    )
    assert account.without({"by": "Student"}) == {"by": "[removed]"}


def test_what_is_nested_without_end_is_still_searched() -> None:
    assert ADA.stand_in_bytes(b"[" * 100_000 + b"ada@example.org")
    assert ADA.stand_in_bytes(b"[" * 5_000 + b'"ada@example.org"' + b"]" * 5_000)


def test_nothing_else_of_a_text_is_taken_out() -> None:
    assert ADA.without({"n": 1, "t": "by Ada Lovelace, who asked", "u": ["ada@example.org"]}) == {
        "n": 1,
        "t": "by [removed], who asked",
        "u": ["[removed]"],
    }
    assert Words([]).without("as it is") == "as it is"
