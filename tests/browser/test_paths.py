"""Every way an exam can end in the demo LMS: what the candidate reads, what the LMS makes of it, what staff see."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
import requests
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import DESK, Inspector
from tests.demo.process import DemoProcess, eventually

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]
PATIENCE = 60_000
FINAL = "Final exam: reading the weather"
QUIZ = "Timed quiz: air and water"
# Pages ask ever more seldom, and one that has changed three times in half a minute rests: people are slower than tests.
# These ask again as soon as they have an answer, and forget how often they have loaded themselves.
HURRY = """
if (location.protocol === "http:") sessionStorage.clear();
const { fetch } = window;
let asking = 0;
window.fetch = (...what) => { asking += 1; return fetch(...what).finally(() => { asking -= 1; }); };
setInterval(() => { if (!asking) window.dispatchEvent(new Event("online")); }, 500);
"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProcess]:
    """The demo with a vendor who reviews only when told to: no state passes by unseen."""
    with DemoProcess(tmp_path_factory.mktemp("demo")) as running:
        tell_vendor(running, "put", "settings", review_after=None)
        yield running


@pytest.fixture(scope="module")
def wary(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DemoProcess]:
    """The demo with a vendor who wants to know people first."""
    with DemoProcess(tmp_path_factory.mktemp("wary"), "--require-onboarding") as running:
        yield running


@pytest.fixture
def candidate(watched: Page) -> Page:
    watched.add_init_script(HURRY)
    return watched


@pytest.fixture
def staff(browser: Browser, inspector: Inspector) -> Iterator[Page]:
    """The page of somebody else, at another computer."""
    context = browser.new_context(locale="en-GB", viewport=DESK)
    opened = context.new_page()
    inspector.watch(opened)
    yield opened
    context.close()


def tell_vendor(demo: DemoProcess, method: str, what: str, **words: object) -> None:
    requests.request(method, f"{demo.simulator_url}/_control/{what}", json=words, timeout=30).raise_for_status()


def enrol(demo: DemoProcess, name: str) -> None:
    """An account and its place in the course, as an administrator adds them in the admin."""
    admin = demo.login("admin")
    added = demo.post(
        admin,
        f"{demo.url}/admin/auth/user/add/",
        username=name,
        usable_password="true",
        password1=name,
        password2=name,
    )
    user = added.url.split("/admin/auth/user/")[1].split("/")[0]
    person = {"username": name, "first_name": name.title(), "last_name": "Candidate", "email": address(name)}
    joined = {"date_joined_0": "2026-01-01", "date_joined_1": "12:00"}
    demo.post(admin, added.url, **person, **joined, is_active="on")
    demo.post(admin, f"{demo.url}/admin/lms/enrollment/add/", course="1", user=user, role="candidate")


def address(name: str) -> str:
    return f"{name}@example.org"


def login(page: Page, demo: DemoProcess, name: str) -> None:
    page.goto(f"{demo.url}/accounts/login/?next=/courses/weather/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(name)
    page.get_by_role("button", name="Log in").click()
    expect(page.get_by_role("button", name=f"Log out {name}")).to_be_visible()


def enter(page: Page, demo: DemoProcess, name: str, exam: str = FINAL) -> None:
    """A new candidate comes to the exam's page."""
    enrol(demo, name)
    login(page, demo, name)
    page.get_by_role("link", name=exam).click()
    heading(page, "Before you begin")


def heading(page: Page, text: str) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text, timeout=PATIENCE)


def set_up(page: Page, begin: str = "Begin") -> str:
    """Through the vendor's software to the questions. Return the code by which the software knows the attempt."""
    page.get_by_role("button", name=begin, exact=True).click()
    page.get_by_role("button", name="Get the software").click(timeout=PATIENCE)
    link = page.get_by_role("link", name="Open the proctoring software (new tab)")
    software = str(link.get_attribute("href", timeout=PATIENCE))
    requests.post(f"{software}start", timeout=30).raise_for_status()
    heading(page, "Ready to start")
    page.get_by_role("button", name="Start the exam").click()
    expect(page.get_by_role("timer")).to_be_visible(timeout=PATIENCE)
    return software.rstrip("/").rpartition("/")[2]


def hand_in(page: Page) -> None:
    page.get_by_role("button", name="I am done").click()
    page.get_by_role("button", name="Submit now").click(timeout=PATIENCE)
    heading(page, "Submitted, waiting for the review")


def review(demo: DemoProcess, code: str, verdict: str) -> None:
    """The vendor has heard of the submission, looks at the recording and says what it found."""
    eventually(lambda: _known(demo, code)["status"] == "submitted", what="the vendor knows of the submission")
    tell_vendor(demo, "post", f"attempts/{_known(demo, code)['id']}/review", status=verdict)


def _known(demo: DemoProcess, code: str) -> dict[str, str]:
    attempts = requests.get(f"{demo.simulator_url}/_control/book", timeout=30).json()["attempts"]
    return next(dict(one) for one in attempts if one["code"] == code)


def stands(page: Page, demo: DemoProcess, *words: str, certificate: str = "not earned yet") -> None:
    """What the course page makes of the final exam, as soon as the last of the words is there."""
    course = f"{demo.url}/courses/weather/"
    eventually(lambda: words[-1] in page.request.get(course).text(), what=words[-1])
    page.goto(course)
    lines = page.locator("ul.progress > li")
    for line in words:
        expect(lines.filter(has_text=FINAL).get_by_text(line, exact=True)).to_be_visible()
    expect(lines.last).to_have_text(f"Certificate: {certificate}")


def mailed(staff: Page, demo: DemoProcess, name: str, *subjects: str) -> None:
    """Which mails somebody got, the newest first, as soon as there are so many."""
    eventually(
        lambda: staff.request.get(f"{demo.url}/mails/").text().count(f"To {address(name)}") >= len(subjects),
        what=f"mails to {name}: {subjects}",
    )
    staff.goto(f"{demo.url}/mails/")
    theirs = staff.get_by_role("listitem").filter(has_text=f"To {address(name)}")
    expect(theirs.get_by_role("link")).to_have_text(list(subjects))


def attempt_page(staff: Page, demo: DemoProcess, name: str, status: str) -> None:
    """From the list of the admin to somebody's newest attempt, which has come so far."""
    listed = f"{demo.url}/admin/proctoring/attempt/?q={name}"
    eventually(lambda: status in staff.request.get(listed).text(), what=f"{name} is {status}")
    staff.goto(listed)
    row = staff.locator("#result_list tbody tr").first
    expect(row).to_contain_text(status)
    row.get_by_role("link").first.click()


def step(staff: Page, name: str, reason: str, *, cause: str = "") -> None:
    """A button of the attempt's page, and the page behind it that asks why."""
    staff.get_by_role("link", name=f"{name} …").click()
    if cause:
        staff.get_by_label("Cause").select_option(label=cause)
    staff.get_by_label("Reason").fill(reason)
    staff.get_by_role("button", name=name).click()
    expect(staff.locator(".messagelist .success")).to_be_visible(timeout=PATIENCE)


def test_verified(candidate: Page, staff: Page, demo: DemoProcess, inspector: Inspector) -> None:
    enter(candidate, demo, "vera")
    code = set_up(candidate)
    hand_in(candidate)
    stands(candidate, demo, "Completed", "Grade: by the answers", "Credit: submitted")
    candidate.go_back()
    review(demo, code, "passed")
    heading(candidate, "Passed the review")
    stands(candidate, demo, "Completed", "Grade: by the answers", "Credit: satisfied")
    inspector.look(candidate, "course-verified")
    login(staff, demo, "staff")
    inspector.look(staff, "course-of-staff")
    mailed(staff, demo, "vera", f"“{FINAL}” is verified", f"“{FINAL}” was submitted")
    inspector.look(staff, "mails")
    staff.get_by_role("link", name="is verified").first.click()
    inspector.look(staff, "mail")
    staff.get_by_role("link", name="As a page").click()
    inspector.look(staff, "mail-as-a-page")


def test_rejected_by_a_second_review(candidate: Page, staff: Page, demo: DemoProcess, inspector: Inspector) -> None:
    enter(candidate, demo, "rosa")
    code = set_up(candidate)
    hand_in(candidate)
    review(demo, code, "violation")
    heading(candidate, "Under review")
    login(staff, demo, "admin")
    attempt_page(staff, demo, "rosa", "Waiting for a second review")
    step(staff, "Reject", "The telephone is in the picture")
    heading(candidate, "Did not pass the review")
    stands(
        candidate,
        demo,
        "Grade: 0 (overridden by proctoring)",
        "Credit: failed",
        certificate="not valid (invalidated by proctoring)",
    )
    inspector.look(candidate, "course-rejected")
    mailed(
        staff,
        demo,
        "rosa",
        f"“{FINAL}” was not accepted",
        f"“{FINAL}” needs a second look",
        f"“{FINAL}” was submitted",
    )
    attempt_page(staff, demo, "rosa", "Rejected")
    expect(staff.get_by_text("The telephone is in the picture").first).to_be_visible()


def test_second_review_that_clears(candidate: Page, staff: Page, demo: DemoProcess) -> None:
    enter(candidate, demo, "selma")
    code = set_up(candidate)
    hand_in(candidate)
    review(demo, code, "suspicious")
    heading(candidate, "Under review")
    stands(candidate, demo, "Completed", "Credit: submitted")
    candidate.go_back()
    login(staff, demo, "staff")
    expect(staff.get_by_text("at “final” was found suspicious").first).to_be_visible()
    attempt_page(staff, demo, "selma", "Waiting for a second review")
    step(staff, "Verify", "She talked to her cat")
    heading(candidate, "Passed the review")
    stands(candidate, demo, "Credit: satisfied")
    mailed(staff, demo, "selma", f"“{FINAL}” is verified", f"“{FINAL}” needs a second look", f"“{FINAL}” was submitted")


def test_error_is_resumed_with_the_time_that_was_left(candidate: Page, staff: Page, demo: DemoProcess) -> None:
    enter(candidate, demo, "elsa")
    set_up(candidate)
    candidate.get_by_role("link", name="Exam page").click()
    candidate.get_by_role("link", name="Something is broken and I cannot go on").click()
    candidate.get_by_label("What happened?").fill("The screen went black")
    candidate.get_by_role("button", name="End my exam and report the problem").click()
    heading(candidate, "Something went wrong")
    login(staff, demo, "staff")
    attempt_page(staff, demo, "elsa", "Error")
    step(staff, "Authorise a resume", "Not her fault", cause="Technology: network")
    code = set_up(candidate, begin="Continue with the time that was left")
    hand_in(candidate)
    stands(candidate, demo, "Completed", "Credit: submitted")
    candidate.go_back()
    mailed(staff, demo, "elsa", f"“{FINAL}” was submitted", f"You may go on with “{FINAL}”")
    attempt_page(staff, demo, "elsa", "Submitted")
    expect(staff.get_by_text("elsa, Final exam: reading the weather #2").first).to_be_visible()
    review(demo, code, "passed")
    heading(candidate, "This part passed the review")
    staff.goto(f"{demo.url}/admin/proctoring/attempt/?waits_for=verdict&q=elsa")
    staff.locator("#result_list tbody tr").get_by_role("link").first.click()
    expect(staff.get_by_text("Still without one: #1.")).to_be_visible()
    step(staff, "Verify", "Nothing to see until the crash")
    heading(candidate, "Passed the review")
    stands(candidate, demo, "Credit: satisfied")
    mailed(
        staff,
        demo,
        "elsa",
        f"“{FINAL}” is verified",
        f"“{FINAL}” was submitted",
        f"You may go on with “{FINAL}”",
    )


def test_declined(candidate: Page, staff: Page, demo: DemoProcess) -> None:
    enter(candidate, demo, "dora")
    candidate.get_by_role("link", name="Take this exam without proctoring").click()
    candidate.get_by_role("button", name="Go without proctoring").click()
    heading(candidate, "Without proctoring")
    candidate.get_by_role("link", name="Go to the questions").click()
    heading(candidate, FINAL)
    stands(candidate, demo, "Credit: declined")
    login(staff, demo, "staff")
    attempt_page(staff, demo, "dora", "Declined")


def test_voided(candidate: Page, staff: Page, demo: DemoProcess) -> None:
    enter(candidate, demo, "nora")
    set_up(candidate)
    hand_in(candidate)
    login(staff, demo, "staff")
    attempt_page(staff, demo, "nora", "Submitted")
    step(staff, "Void", "Somebody else sat there", cause="Technology: network")
    heading(candidate, "This attempt was annulled")
    stands(candidate, demo, "Credit: withdrawn")
    attempt_page(staff, demo, "nora", "Voided")
    expect(staff.get_by_text("Somebody else sat there").first).to_be_visible()


def test_allowance_moves_the_clock_of_a_running_exam(candidate: Page, staff: Page, demo: DemoProcess) -> None:
    enter(candidate, demo, "tina", QUIZ)
    candidate.get_by_role("button", name="Begin").click()
    candidate.get_by_role("button", name="Start the exam").click()
    expect(candidate.get_by_role("timer")).to_contain_text("29:")
    login(staff, demo, "staff")
    staff.goto(f"{demo.url}/admin/proctoring/allowance/add/")
    staff.get_by_label("Person").fill("tina")
    staff.get_by_label("Course").select_option("weather")
    staff.get_by_role("combobox", name="Exam:").fill("quiz")
    staff.get_by_label("Kind").select_option("extra_minutes")
    staff.get_by_label("Minutes").fill("20")
    staff.get_by_role("button", name="Save", exact=True).click()
    expect(staff.locator(".messagelist .success")).to_be_visible()
    expect(candidate.get_by_role("timer")).to_contain_text("49:", timeout=PATIENCE)


def test_expired_before_the_start(candidate: Page, staff: Page, demo: DemoProcess) -> None:
    enter(candidate, demo, "xenia")
    candidate.get_by_role("button", name="Begin").click()
    heading(candidate, "Set up the proctoring")
    login(staff, demo, "staff")
    staff.goto(f"{demo.url}/admin/proctoring/exam/?q=weather")
    staff.get_by_role("link", name=FINAL).click()
    past = timezone.now() - timedelta(days=1)
    staff.get_by_label("Due at, date").fill(f"{past:%Y-%m-%d}")
    staff.get_by_label("Due at, time").fill(f"{past:%H:%M:%S}")
    staff.get_by_role("button", name="Save", exact=True).click()
    heading(candidate, "Not started in time")
    stands(candidate, demo, "Credit: failed")
    attempt_page(staff, demo, "xenia", "Expired")


def test_onboarding_comes_first(candidate: Page, staff: Page, wary: DemoProcess, inspector: Inspector) -> None:
    enter(candidate, wary, "ona")
    candidate.get_by_role("button", name="Begin").click()
    heading(candidate, "Onboarding comes first")
    candidate.get_by_role("link", name="Go to the onboarding").click()
    set_up(candidate)
    candidate.get_by_role("button", name="I am done").click()
    candidate.get_by_role("button", name="Submit now").click(timeout=PATIENCE)
    heading(candidate, "Passed the review")
    candidate.get_by_role("link", name="Back to the course").click()
    expect(candidate.get_by_text("Your onboarding is approved.")).to_be_visible()
    inspector.look(candidate, "course-onboarded")
    candidate.get_by_role("link", name=FINAL).click()
    heading(candidate, "This attempt did not begin")
    set_up(candidate, begin="Try again")
    hand_in(candidate)
    heading(candidate, "Passed the review")
    stands(candidate, wary, "Credit: satisfied")
    login(staff, wary, "staff")
    mailed(
        staff,
        wary,
        "ona",
        f"“{FINAL}” is verified",
        f"“{FINAL}” was submitted",
        "Your onboarding is approved",
        "“Onboarding: let the proctors get to know you” was submitted",
    )
    staff.goto(f"{wary.url}/admin/proctoring/onboardingprofile/")
    expect(staff.locator("#result_list")).to_contain_text("Approved")
