"""By which words a person is recognised, and where."""

from __future__ import annotations

import pytest

from proctoring.privacy.said import LISTED, Said, Unclear, single_words


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("Bo Li", {"Bo", "Li"}),
        ("Li, Bo (Bobby)", {"Li", "Bo", "Bobby"}),
        ("Dr. Anna-Lena J. von Berg", {"Anna-Lena", "Berg"}),
        ("ludwig van beethoven", {"ludwig", "van", "beethoven"}),
        ("王 小明", {"小明"}),
        ("student", {"student"}),
        ("zuleika.q", {"zuleika.q"}),
        ("17", set()),
        ("b2", {"b2"}),
        ("2026", {"2026"}),
        ("7", set()),
        ("", set()),
    ],
)
def test_the_words_of_a_name_that_are_one_by_themselves(name: str, words: set[str]) -> None:
    assert set(single_words([name])) == words


SENTENCE = "Bo Li (@bo, bo, bo@li.example) is no Bo; BO Li’s Li will bolt, says v-17"


def test_about_others_only_what_can_be_nobody_else_is_recognised_and_the_rest_is_unclear() -> None:
    said = Said(1, ["bo", "Bo Li", "bo@li.example"], ["@bo", "v-17"])
    left = said.texts.without(SENTENCE)
    assert left == "[removed] ([removed], bo, [removed]) is no Bo; [removed]’s Li will bolt, says [removed]"
    assert said.unclear.without(left).count("[removed]") == left.count("[removed]") + 3
    assert said.theirs.without(SENTENCE) == (
        "[removed] ([removed], [removed], [removed]) is no [removed]; [removed]’s [removed] will bolt, says [removed]"
    )


def test_about_whom_somebody_has_decided_is_not_unclear() -> None:
    said = Said(1, ["bo", "Bo Li"], [], also=["Li", "Bobby"])
    assert said.texts.without("Li, Bobby, Bo") == "[removed], [removed], Bo"
    assert said.titles.without("The exam of Li and Bo") == "The exam of [removed] and Bo"
    assert (said.unclear.stand_in("Li, li"), said.unclear.stand_in("Bo")) == (False, True)


def test_all_unclear_places_are_counted_and_the_first_are_listed() -> None:
    unclear = Unclear()
    for key in range(LISTED):
        unclear.add("event", key, ["data", "error"])
    assert unclear.counts == {"event": 2 * LISTED}
    assert len(unclear.places) == LISTED
    assert unclear.places[-1] == ("event", LISTED // 2 - 1, "error")
