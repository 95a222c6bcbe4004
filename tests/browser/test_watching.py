"""What the page of a running attempt notices of itself, and how it gets into the log."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from proctoring.attempts.models import Attempt
from tests.browser.conftest import Inspector
from tests.browser.monitored import LEAVE, RETURN, answer, flush, in_order, open_page, reported

pytestmark = [
    pytest.mark.browser,
    pytest.mark.django_db(transaction=True),
    pytest.mark.urls("tests.browser.exam_pages"),
]


def test_questions_are_reported_without_a_script_of_the_lms(watched: Page, questions: str, attempt: Attempt) -> None:
    open_page(watched, questions)
    answer(watched, 2, "four")
    watched.wait_for_timeout(500)
    answer(watched, 2, "five")
    flush(watched)
    told = [(event.type, event.item_id, event.question_number) for event in reported(attempt)]
    page = attempt.exam.content_id
    second, third = (1004, "q2", 2), (1004, "q3", 3)
    answered = (1005, "q2", 2)
    assert told == [(1003, page, None), second, answered, third, second, answered, third]
    assert in_order(reported(attempt))
    assert all(event.data == {} for event in reported(attempt))


def test_leaving_is_one_event_and_coming_back_another(watched: Page, questions: str, attempt: Attempt) -> None:
    open_page(watched, questions)
    # A click into a frame of the page's own is no leaving, and neither is a moment.
    watched.frame_locator("iframe").get_by_label("Drawing").click()
    watched.get_by_label("Question 1").focus()
    watched.evaluate(LEAVE)
    watched.evaluate(RETURN)
    watched.wait_for_timeout(1000)
    watched.evaluate(LEAVE)
    watched.wait_for_timeout(1500)
    watched.evaluate(RETURN)
    flush(watched)
    assert [event.type for event in reported(attempt, 1032, 1033)] == [1032, 1033]
    assert reported(attempt, 1033)[0].data["seconds"] in (1, 2)
    # Going to another page of the exam is no leaving either.
    open_page(watched, watched.url)
    flush(watched)
    assert len(reported(attempt, 1032)) == 1


def test_commands_are_noted_or_stopped_as_the_page_says(watched: Page, questions: str, attempt: Attempt) -> None:
    open_page(watched, questions)
    watched.get_by_label("Question 1").fill("abc")
    watched.get_by_label("Question 1").select_text()
    for keys in ("Control+c", "Control+s"):
        watched.keyboard.press(keys)
    watched.get_by_role("heading", name="Questions").click(button="right")
    flush(watched)
    [noted] = reported(attempt, 1034, 1035)
    assert noted.data == {"command": "save", "blocked": False}
    assert noted.reason_message == "save (noted, not blocked)"
    open_page(watched, f"{questions}?block=clipboard context_menu shortcuts")
    watched.get_by_label("Question 1").fill("abc")
    watched.get_by_label("Question 1").select_text()
    for keys in ("Control+x", "Control+s"):
        watched.keyboard.press(keys)
    expect(watched.get_by_label("Question 1")).to_have_value("abc")
    prevented = watched.evaluate(
        "!document.body.dispatchEvent(new MouseEvent('contextmenu', { bubbles: true, cancelable: true }))"
    )
    assert prevented
    flush(watched)
    blocked = [event.data for event in reported(attempt, 1034, 1035)][1:]
    assert blocked == [{"command": name, "blocked": True} for name in ("cut", "save", "context menu")]


def test_errors_of_the_page_are_noted_and_a_loop_of_them_floods_nothing(
    watched: Page, inspector: Inspector, questions: str, attempt: Attempt
) -> None:
    open_page(watched, questions)
    watched.evaluate("setTimeout(() => { throw new Error('x'.repeat(5000)); })")
    watched.evaluate("for (let i = 0; i < 100; i += 1) setTimeout(() => { throw new Error('broken ' + (i % 50)); })")
    watched.evaluate("void Promise.reject(new TypeError('nobody caught this'))")
    watched.wait_for_timeout(500)
    flush(watched)
    errors = reported(attempt, 1040)
    assert len(errors) == 10
    assert len(errors[0].error) == 1000
    assert len({event.error for event in errors}) == 10
    inspector.complaints.clear()


def test_what_cannot_be_stored_is_made_storable(watched: Page, questions: str, attempt: Attempt) -> None:
    open_page(watched, questions)
    watched.evaluate(r"""() => {
      const { proctoring } = window;
      proctoring.report(1031, { data: { text: "half \ud83d, null \0, quote \" and backslash \\u0000" } });
      proctoring.report(1031, { data: { long: "ä".repeat(9000) } });
      proctoring.report(1031, { itemId: "i".repeat(300), number: "7", data: [1, 2] });
      proctoring.report(1031, { number: -1, data: 5 });
      proctoring.questionAnswered();
      const knot = {}; knot.knot = knot;
      proctoring.report(1031, { data: knot });
      proctoring.on("nothing", () => {});
      proctoring.on("deadline", () => { throw new Error("of the LMS"); });
    }""")
    flush(watched)
    told = reported(attempt, 1031)
    assert [event.data for event in told] == [
        {"text": 'half \ufffd, null , quote " and backslash \\u0000'},
        {"left_out": "too large"},
        {"value": [1, 2]},
        {"value": 5},
    ]
    assert told[2].item_id == "i" * 255
    assert told[2].question_number == 7
    assert in_order(reported(attempt))
