"""A whole exam in the demo LMS: a browser, the demo's process and the vendor's process, and nothing in between."""

import pytest
import requests
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import PHONE, Inspector
from tests.demo.process import DemoProcess, eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
PATIENCE = 60_000
# The page's word, and the one of the LMS's server.
OF_AN_ANSWER = {"Page visited", "Question visited", "Question answered", "Candidate save answer"}


def press(page: Page, name: str, role: str = "button") -> None:
    """Reach a control by the Tab key alone and press Enter on it."""
    wanted = page.get_by_role(role, name=name, exact=True).last
    expect(wanted).to_be_visible(timeout=PATIENCE)
    for _ in range(60):
        page.keyboard.press("Tab")
        if wanted.evaluate("element => element === document.activeElement"):
            hidden = (
                "element => { const b = element.getClientRects()[0];"
                " return !element.contains(document.elementFromPoint(b.x + b.width / 2, b.y + b.height / 2)); }"
            )
            assert not wanted.evaluate(hidden), f"{name} has the focus behind something else"
            page.keyboard.press("Enter")
            return
    raise AssertionError(f"{name} cannot be reached by the Tab key")


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text, timeout=PATIENCE)


def login(page: Page, demo: DemoProcess, name: str = "candidate") -> None:
    page.goto(f"{demo.url}/accounts/login/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(name)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name=f"Log out {name}")).to_be_visible()


def test_proctored_exam_from_login_to_verdict_with_the_keyboard(
    watched: Page, inspector: Inspector, demo: DemoProcess, browser: Browser
) -> None:
    page, look = watched, inspector.look
    page.set_viewport_size(PHONE)
    page.goto(demo.url)
    look(page, "start")
    press(page, "Log in", "link")
    look(page, "login")
    login(page, demo)
    press(page, "How weather works", "link")
    look(page, "course")
    press(page, "Final exam: reading the weather", "link")
    heading(page, "Before you begin")
    look(page, "entrance")
    press(page, "Take this exam without proctoring", "link")
    heading(page, "Really without proctoring?")
    look(page, "confirm-decline")
    press(page, "Stay with proctoring", "link")
    press(page, "Begin")
    expect(page.get_by_text("Open the simulated proctoring software.")).to_be_visible(timeout=PATIENCE)
    look(page, "instructions")
    press(page, "Get the software")
    link = page.get_by_role("link", name="Open the proctoring software (new tab)")
    expect(link).to_have_attribute("rel", "noopener noreferrer")
    with page.context.expect_page() as opened:
        press(page, "Open the proctoring software (new tab)", "link")
    inspector.watch(opened.value)
    opened.value.get_by_role("button", name="Start the check").press("Enter")
    page.bring_to_front()
    heading(page, "Ready to start")
    look(page, "ready")
    press(page, "Start the exam")
    heading(page, "Final exam: reading the weather")
    expect(page.get_by_role("timer")).to_contain_text("44:")
    answer(page)
    look(page, "questions")
    press(page, "Exam page", "link")
    heading(page, "Your exam is running")
    look(page, "running")
    press(page, "Something is broken and I cannot go on", "link")
    heading(page, "Report a problem")
    look(page, "confirm-error")
    press(page, "Back to my exam", "link")
    press(page, "Go to the questions", "link")
    expect(page.get_by_label("3. A warm front")).to_have_value("They get lower and thicker.")
    press(page, "I am done")
    heading(page, "Submit your exam?")
    look(page, "hand-in")
    press(page, "Submit now")
    heading(page, "Passed the review")
    look(page, "verified")
    press(page, "I have read this")
    expect(page.get_by_role("button", name="I have read this")).to_have_count(0)
    assert_admin_has_the_verdict(browser, demo)


def answer(page: Page) -> None:
    """A choice and a text, saved without a button."""
    page.get_by_role("radio", name="Strong wind").focus()
    page.keyboard.press("Space")
    page.get_by_label("3. A warm front").focus()
    page.keyboard.type("They get lower and thicker.")
    page.keyboard.press("Tab")
    for question in (1, 3):
        expect(page.locator(f"#question-{question} [data-saved]")).to_have_text("saved")


def assert_admin_has_the_verdict(browser: Browser, demo: DemoProcess) -> None:
    context = browser.new_context()
    page = context.new_page()
    login(page, demo, "staff")
    page.goto(f"{demo.url}/admin/proctoring/attempt/")
    expect(page.locator("#result_list")).to_contain_text("Verified")
    context.close()


def test_timed_exam_without_any_script(browser: Browser, demo: DemoProcess) -> None:
    context = browser.new_context(java_script_enabled=False, locale="en-GB")
    page = context.new_page()
    login(page, demo)
    page.get_by_role("link", name="How weather works").click()
    page.get_by_role("link", name="Timed quiz: air and water").click()
    page.get_by_role("button", name="Begin").click()
    page.get_by_role("button", name="Start the exam").click()
    page.get_by_label("3. At which temperature").fill("0")
    page.get_by_role("button", name="Save answer 3").click()
    expect(page.get_by_label("3. At which temperature")).to_have_value("0")
    page.get_by_role("button", name="I am done").click()
    page.get_by_role("button", name="Submit now").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You have submitted your exam")
    context.close()


def test_questions_close_when_the_exam_ends_elsewhere(watched: Page, demo: DemoProcess) -> None:
    page = watched
    login(page, demo)
    page.get_by_role("link", name="How weather works").click()
    page.get_by_role("link", name="Practice: try out the proctoring").click()
    exam = page.url
    page.get_by_role("button", name="Begin").click()
    page.get_by_role("button", name="Get the software").click(timeout=PATIENCE)
    software = page.get_by_role("link", name="Open the proctoring software (new tab)").get_attribute("href")
    requests.post(f"{software}start", timeout=10)
    page.get_by_role("button", name="Start the exam").click(timeout=PATIENCE)
    expect(page.get_by_role("timer")).to_be_visible()
    other_tab = demo.login("candidate")
    demo.post(other_tab, exam + "stop/")
    demo.post(other_tab, exam + "submit/")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    heading(page, "Passed the review")
    expect(page.get_by_role("button", name="Practise again")).to_be_visible()


def start_quiz(page: Page, demo: DemoProcess, name: str) -> None:
    login(page, demo, name)
    page.get_by_role("link", name="How weather works").click()
    page.get_by_role("link", name="Timed quiz: air and water").click()
    page.get_by_role("button", name="Begin").click()
    page.get_by_role("button", name="Start the exam").click()
    expect(page.get_by_role("timer")).to_be_visible()


def what_the_log_says(page: Page, demo: DemoProcess) -> list[str]:
    """The candidate's own log of the attempt whose page this is."""
    attempt = page.evaluate("window.proctoring.attempt")
    log = page.request.get(f"{demo.url}/proctoring/api/v1/attempts/{attempt}/candidate-log/")
    return [row["action"] for row in log.json()["results"]]


def test_answers_are_saved_while_they_are_typed(watched: Page, demo: DemoProcess) -> None:
    page = watched
    start_quiz(page, demo, "staff")
    field, line = page.get_by_label("3. At which temperature"), page.locator("#question-3 [data-saved]")
    field.press_sequentially("ze")
    expect(line).to_have_text("saved")
    assert field.evaluate("element => element === document.activeElement")
    page.clock.install()
    field.press_sequentially("ro")
    expect(line).to_have_text("not saved yet")
    page.locator("[data-proctoring-watch]").dispatch_event("proctoring:closing")
    expect(line).to_have_text("saved")
    other_tab = page.context.new_page()
    login(other_tab, demo, "staff")
    other_tab.close()
    field.press_sequentially(" degrees")
    page.keyboard.press("Tab")
    expect(line).to_have_text("saved")
    page.reload()
    expect(field).to_have_value("zero degrees")
    eventually(lambda: {*what_the_log_says(page, demo)} >= OF_AN_ANSWER, what="the log has the answer")
    page.get_by_role("button", name="I am done").click()
    heading(page, "Submit your exam?")
