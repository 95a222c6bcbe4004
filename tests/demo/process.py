"""``DemoProcess``: the demo LMS as somebody starts it, on free ports and with a data folder of its own."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

import requests

ROOT = Path(__file__).resolve().parents[2]
SECONDS = 90.0


class DemoProcess:
    def __init__(self, data: Path, *arguments: str) -> None:
        self.data = data
        self.said: list[str] = []
        self._arguments = arguments
        self._lines: queue.Queue[str] = queue.Queue()

    def __enter__(self) -> DemoProcess:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("DEMO_", "DJANGO_"))}
        environment.pop("CELERY_BROKER_URL", None)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "demo.run", "--data", str(self.data)),
                *("--port", "0", "--simulator-port", "0", *self._arguments),
            ],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        threading.Thread(target=self._pump, daemon=True).start()
        self._wait_until_ready()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end(signal.SIGTERM)

    @property
    def url(self) -> str:
        return self._address("Demo LMS")

    @property
    def simulator_url(self) -> str:
        return self._address("Simulated vendor").removesuffix("/software")

    @property
    def simulator_pid(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next(int(pid) for pid in children if b"simulator" in Path(f"/proc/{pid}/cmdline").read_bytes())

    def end(self, number: signal.Signals) -> int:
        """Send a signal and wait for the end."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(SECONDS)

    def hear(self, beginning: str) -> list[str]:
        """What it has said since it was ready, up to the line that begins like this."""
        heard: list[str] = []
        while not heard or not heard[-1].startswith(beginning):
            heard.append(self._lines.get(timeout=SECONDS))
        return heard

    def login(self, name: str) -> requests.Session:
        session = requests.Session()
        session.trust_env = False
        self.post(session, f"{self.url}/accounts/login/", username=name, password=name)
        return session

    def post(self, session: requests.Session, url: str, **form: str) -> requests.Response:
        """Post a form as a page would, with the token that any page sets."""
        if "demo_csrf" not in session.cookies:
            session.get(f"{self.url}/accounts/login/")
        return session.post(url, data={**form, "csrfmiddlewaretoken": session.cookies["demo_csrf"]})

    def _address(self, what: str) -> str:
        found = re.search(rf"^{what}\s+(\S+)/$", "".join(self.said), re.MULTILINE)
        assert found, self.said
        return found[1]

    def _pump(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line)
        self._lines.put("")

    def _wait_until_ready(self) -> None:
        while not self.said or not self.said[-1].startswith("Ready"):
            try:
                line = self._lines.get(timeout=SECONDS)
            except queue.Empty:
                line = ""
            self.said.append(line)
            if not line:
                self.process.kill()
                raise RuntimeError(f"the demo did not start: {''.join(self.said)}")


def eventually(condition: Callable[[], bool], *, what: str) -> None:
    """Wait until it is so. The limit only ends a test that would hang."""
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"never: {what}"
        time.sleep(0.1)


def alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
