"""Exams in the demo LMS over HTTP: what is shown, what is saved, what is refused, and a vendor that goes away."""

import os
import re
import signal
import subprocess
import sys

import pytest
import requests

from tests.demo.process import ROOT, DemoProcess, eventually

COURSE = "/courses/weather"


@pytest.fixture(scope="module")
def candidate(demo: DemoProcess) -> requests.Session:
    return demo.login("candidate")


def page_of(demo: DemoProcess, session: requests.Session, content_id: str) -> str:
    page = session.get(f"{demo.url}{COURSE}/{content_id}/").url
    assert "/proctoring/exam/" in page
    return page


def state(session: requests.Session, page: str) -> str:
    return str(session.get(page + "state/").json()["status"])


def test_questions_are_shown_and_answers_kept_only_while_the_exam_runs(
    demo: DemoProcess, candidate: requests.Session
) -> None:
    questions = f"{demo.url}{COURSE}/quiz/"
    page = page_of(demo, candidate, "quiz")
    assert demo.post(candidate, questions + "1/", answer="too early").status_code == 403
    demo.post(candidate, page + "begin/")
    assert "/proctoring/exam/" in candidate.get(questions).url
    started = demo.post(candidate, page + "start/")
    assert started.url == questions
    assert 'data-proctoring-watch="content"' in started.text
    saved = demo.post(candidate, questions + "3/", answer="0 degrees")
    assert saved.url.startswith(questions)
    assert 'value="0 degrees"' in saved.text
    assert demo.post(candidate, questions + "99/", answer="nothing").status_code == 404
    demo.post(candidate, page + "stop/")
    demo.post(candidate, page + "submit/")
    assert "/proctoring/exam/" in candidate.get(questions).url
    late = demo.post(candidate, questions + "3/", answer="too late")
    assert late.status_code == 403
    assert "was not saved" in late.text


def test_stranger_sees_neither_course_nor_questions(demo: DemoProcess) -> None:
    nobody = requests.Session()
    for path in ("/", "/quiz/", "/final/"):
        assert "/accounts/login/" in nobody.get(f"{demo.url}{COURSE}{path}").url
    assert demo.login("candidate").get(f"{demo.url}{COURSE}/nothing/").status_code == 404


@pytest.mark.timeout(240)
def test_candidate_goes_on_without_the_vendor_and_everything_catches_up(
    demo: DemoProcess, candidate: requests.Session
) -> None:
    page = page_of(demo, candidate, "final")
    demo.post(candidate, page + "begin/")
    eventually(lambda: "Open the simulated" in candidate.get(page).text, what="the instructions")
    demo.post(candidate, page + "launch/")
    software = candidate.get(page).text.split('href="' + demo.simulator_url)[1].split('"')[0]
    requests.post(f"{demo.simulator_url}{software}start", timeout=10)
    eventually(lambda: state(candidate, page) == "ready_to_start", what="ready")
    os.kill(demo.simulator_pid, signal.SIGKILL)
    demo.post(candidate, page + "start/")
    assert state(candidate, page) == "started"
    demo.post(candidate, f"{demo.url}{COURSE}/final/3/", answer="They get lower.")
    demo.post(candidate, page + "stop/")
    demo.post(candidate, page + "submit/")
    assert state(candidate, page) == "submitted"
    again = subprocess.Popen(
        [
            *(sys.executable, "-m", "demo.simulator", "--data", str(demo.data)),
            *("--port", demo.url.rpartition(":")[2], "--simulator-port", demo.simulator_url.rpartition(":")[2]),
        ],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    try:
        eventually(lambda: state(candidate, page) == "verified", what="the verdict")
    finally:
        again.terminate()
        again.wait(30)
    admin = demo.login("admin").get(f"{demo.url}/admin/proctoring/attempt/").text
    assert "Verified" in admin
    eventually(lambda: "Credit: satisfied" in candidate.get(f"{demo.url}{COURSE}/").text, what="the credit")
    staff = demo.login("staff")
    assert "Credit: satisfied" in staff.get(f"{demo.url}{COURSE}/").text
    eventually(lambda: "is verified" in staff.get(f"{demo.url}/mails/").text, what="the mail")
    assert "was submitted" in staff.get(f"{demo.url}/mails/").text
    newest = re.findall(r'href="(/mails/\d+/)"', staff.get(f"{demo.url}/mails/").text)[0]
    assert "Hello Kim Candidate," in staff.get(demo.url + newest).text
    assert f"{demo.url}{COURSE}/" in staff.get(f"{demo.url}{newest}html/").text
    assert candidate.get(f"{demo.url}/mails/").status_code == 403
