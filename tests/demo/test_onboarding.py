"""The demo with a vendor that wants to know people first: from "onboarding missing" over the onboarding to the exam."""

from pathlib import Path

import pytest
import requests

from tests.demo.process import DemoProcess, eventually

COURSE = "/courses/weather"


def page_of(demo: DemoProcess, session: requests.Session, content_id: str) -> str:
    return session.get(f"{demo.url}{COURSE}/{content_id}/").url


def status(session: requests.Session, page: str) -> str:
    return str(session.get(page + "state/").json()["status"])


def get_ready(demo: DemoProcess, session: requests.Session, page: str) -> None:
    """From the entrance through the vendor's software."""
    demo.post(session, page + "begin/")
    eventually(lambda: "Open the simulated" in session.get(page).text, what="the instructions")
    demo.post(session, page + "launch/")
    software = session.get(page).text.split('href="' + demo.simulator_url)[1].split('"')[0]
    requests.post(f"{demo.simulator_url}{software}start", timeout=10)
    eventually(lambda: status(session, page) == "ready_to_start", what="ready")


@pytest.mark.timeout(240)
def test_from_missing_onboarding_to_the_exam(tmp_path: Path) -> None:
    with DemoProcess(tmp_path, "--require-onboarding") as demo:
        candidate = demo.login("candidate")
        final, onboarding = page_of(demo, candidate, "final"), page_of(demo, candidate, "onboarding")
        assert "Begin the onboarding" in candidate.get(f"{demo.url}{COURSE}/").text
        demo.post(candidate, final + "begin/")
        eventually(lambda: status(candidate, final) == "onboarding_missing", what="the vendor's answer")
        assert onboarding.removeprefix(demo.url) in candidate.get(final).text
        get_ready(demo, candidate, onboarding)
        demo.post(candidate, onboarding + "start/")
        demo.post(candidate, onboarding + "stop/")
        demo.post(candidate, onboarding + "submit/")
        eventually(lambda: status(candidate, onboarding) == "verified", what="the approval")
        assert "It is valid until:" in candidate.get(onboarding).text
        eventually(lambda: status(candidate, final) == "voided", what="the way is free")
        assert "Try again" in candidate.get(final).text
        get_ready(demo, candidate, final)
        assert "It is valid until:" in candidate.get(f"{demo.url}{COURSE}/").text
        profiles = demo.login("staff").get(f"{demo.url}/admin/proctoring/onboardingprofile/").text
        assert "Approved" in profiles
