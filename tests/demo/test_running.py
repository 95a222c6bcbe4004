"""Starting and stopping the demo, as somebody does in a terminal."""

import json
import os
import shlex
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from tests.demo.process import ROOT, SECONDS, DemoProcess, alive, eventually

NAMES = ("candidate", "staff", "admin")


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "demo.run", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)


def test_it_says_where_it_is_and_who_can_log_in(demo: DemoProcess) -> None:
    said = "".join(demo.said)
    assert requests.get(demo.url, timeout=10).status_code == 200
    assert f"{demo.url}/admin/proctoring/" in said
    assert requests.get(f"{demo.simulator_url}/_control/book", timeout=10).status_code == 200
    for name in NAMES:
        assert f"{name} / {name}" in said
    assert "Traceback" not in said


def test_start_page_shows_the_logins_and_they_work(demo: DemoProcess) -> None:
    page = requests.get(demo.url, timeout=10)
    for name in NAMES:
        assert f"<code>{name} / {name}</code>" in page.text
        assert f"Log out {name}" in demo.login(name).get(demo.url).text


def test_admin_is_for_staff_as_far_as_their_permissions_go(demo: DemoProcess) -> None:
    admin = f"{demo.url}/admin"
    assert "/login/" in demo.login("candidate").get(f"{admin}/").url
    staff = demo.login("staff")
    assert staff.get(f"{admin}/proctoring/attempt/").status_code == 200
    assert staff.get(f"{admin}/auth/user/").status_code == 403
    assert demo.login("admin").get(f"{admin}/auth/user/").status_code == 200


def test_staff_are_led_to_the_overview(demo: DemoProcess) -> None:
    assert 'href="/admin/proctoring/">Admin</a>' in demo.login("staff").get(demo.url).text


def test_pages_have_a_strict_policy(demo: DemoProcess) -> None:
    policy = requests.get(demo.url, timeout=10).headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'self';")
    assert "unsafe" not in policy


@pytest.mark.parametrize("option", ["--port", "--simulator-port"])
def test_busy_port_is_one_line_that_names_port_and_option(tmp_path: Path, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        other = "--simulator-port" if option == "--port" else "--port"
        ended = run("--data", str(tmp_path), other, "0", option, port)
    assert ended.returncode == 2
    assert ended.stdout == ""
    [line] = ended.stderr.splitlines()
    assert line.startswith(f"Port {port} is in use: choose another with {option} (make demo ")


def test_busy_simulator_port_keeps_ones_own_port_in_the_command(tmp_path: Path) -> None:
    with socket.socket() as mine, socket.socket() as taken:
        for one in (mine, taken):
            one.bind(("127.0.0.1", 0))
        port = str(mine.getsockname()[1])
        mine.close()
        taken.listen()
        ended = run("--data", str(tmp_path), "--port", port, "--simulator-port", str(taken.getsockname()[1]))
    assert f'(make demo DEMO_PORT={port} ARGS="--simulator-port 9101")' in ended.stderr


def test_second_demo_in_the_same_folder_is_refused(demo: DemoProcess) -> None:
    ended = run("--data", str(demo.data), "--port", "0", "--simulator-port", "0")
    assert ended.returncode == 2
    assert "choose another folder with --data" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    ended = run("--data", str(file / "below"), "--port", "0", "--simulator-port", "0")
    assert (ended.returncode, len(ended.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signal_ends_everything(tmp_path: Path, number: signal.Signals) -> None:
    with DemoProcess(tmp_path) as demo:
        url, vendor, vendor_pid = demo.url, demo.simulator_url, demo.simulator_pid
        assert demo.end(number) == 0
        assert not alive(vendor_pid)
    for address in (url, vendor):
        with pytest.raises(requests.ConnectionError):
            requests.get(address, timeout=10)


def test_burst_of_signals_ends_everything_once(tmp_path: Path) -> None:
    with DemoProcess(tmp_path) as demo:
        vendor_pid = demo.simulator_pid
        for _ in range(5):
            demo.process.send_signal(signal.SIGINT)
            os.kill(vendor_pid, signal.SIGINT)
        assert demo.process.wait(SECONDS) == 0
        assert not alive(vendor_pid)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends the children of a killed process")
def test_simulator_does_not_outlive_a_killed_demo(tmp_path: Path) -> None:
    with DemoProcess(tmp_path) as demo:
        vendor_pid = demo.simulator_pid
        demo.process.kill()
        eventually(lambda: not alive(vendor_pid), what="the simulator ends")


def test_simulator_that_ended_is_started_again_with_the_command_that_the_demo_says(tmp_path: Path) -> None:
    with DemoProcess(tmp_path / "a folder", "--require-onboarding") as demo:
        leave_early(demo)
        os.kill(demo.simulator_pid, signal.SIGKILL)
        heard = demo.hear("The simulator has ended.")
        assert not any("Broken pipe" in line for line in heard), "nobody wants to read that a browser left a page"
        command = shlex.split(heard[-1].partition("again with: ")[2])
        assert "--require-onboarding" in command
        environment = {name: value for name, value in os.environ.items() if not name.startswith("DEMO_")}
        again = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
        try:
            eventually(lambda: answers(f"{demo.simulator_url}/_control/book"), what="the simulator is back")
        finally:
            again.terminate()
            again.wait(SECONDS)


def leave_early(demo: DemoProcess) -> None:
    """Open a connection and go away, as browsers do."""
    with socket.create_connection(("127.0.0.1", int(demo.url.rpartition(":")[2]))) as browser:
        browser.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=10).ok
    except requests.ConnectionError:
        return False


def test_second_start_keeps_what_was_done_and_reset_forgets_it(tmp_path: Path) -> None:
    with DemoProcess(tmp_path) as demo:
        session = demo.login("candidate")
        begin(demo, session, "quiz")
    keys = json.loads((tmp_path / "keys.json").read_text())
    with DemoProcess(tmp_path) as demo:
        session = demo.login("candidate")
        assert "Ready to start" in session.get(exam_page(demo, session, "quiz")).text
        assert json.loads((tmp_path / "keys.json").read_text()) == keys
    (tmp_path / "not ours").touch()
    with DemoProcess(tmp_path, "--reset") as demo:
        session = demo.login("candidate")
        assert "Before you begin" in session.get(exam_page(demo, session, "quiz")).text
    assert (tmp_path / "not ours").exists()
    assert json.loads((tmp_path / "keys.json").read_text()) != keys


def test_keys_are_for_the_owner_alone(demo: DemoProcess) -> None:
    assert (demo.data / "keys.json").stat().st_mode & 0o077 == 0


def exam_page(demo: DemoProcess, session: requests.Session, content_id: str) -> str:
    """The questions of an exam that has not begun lead to its page."""
    return session.get(f"{demo.url}/courses/weather/{content_id}/").url


def begin(demo: DemoProcess, session: requests.Session, content_id: str) -> None:
    demo.post(session, exam_page(demo, session, content_id) + "begin/")
