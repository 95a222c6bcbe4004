"""``SimulatorProcess``: the simulator in a process of its own, for tests that want a real vendor at the other end."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import requests

import proctoring.testing.simulator as package
from proctoring.testing.simulator.settings import CLIENT_ID, CLIENT_SECRET, WEBHOOK_SECRET

READY = "simulator listening on "
START_TIMEOUT = 30.0
STOP_TIMEOUT = 10.0


class SimulatorProcess:
    """A context manager around ``python -m proctoring.testing.simulator`` on a free port.

    ``arguments`` are those of the command line, without ``--port``. ``remember`` keeps what the vendor knows over
    ``restart`` in a file of a temporary folder; without it a restarted vendor has forgotten everything.
    """

    def __init__(self, *arguments: str, port: int = 0, webhook_url: str = "", remember: bool = False) -> None:
        self.port = port
        self.url = ""
        self._arguments = list(arguments)
        if webhook_url:
            self._arguments += ["--webhook-url", webhook_url]
        self._folder = tempfile.TemporaryDirectory(prefix="simulator-") if remember else None
        if self._folder:
            self._arguments += ["--memory", str(Path(self._folder.name) / "memory.json")]
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._folder:
            self._folder.cleanup()

    def start(self) -> None:
        """Start it and wait until it listens; ``RuntimeError`` with its own words if it does not."""
        root = Path(package.__file__).parents[3]
        paths = [str(root), os.environ.get("PYTHONPATH", "")]
        # Our own module with the caller's options, no shell.
        process = subprocess.Popen(  # noqa: S603  # nosec B603
            [sys.executable, "-u", "-m", package.__name__, "--port", str(self.port), *self._arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        )
        self._process = process
        lines: queue.Queue[str] = queue.Queue()
        # Read on for ever: a full pipe would stop the simulator.
        threading.Thread(target=_pump, args=(process, lines), daemon=True).start()
        said = []
        while True:
            try:
                line = lines.get(timeout=START_TIMEOUT)
            except queue.Empty:
                line = ""
            if line.startswith(READY):
                break
            said.append(line)
            if not line:
                self.kill()
                raise RuntimeError(f"the simulator did not start: {''.join(said)}")
        self.url = line.removeprefix(READY).strip()
        self.port = int(self.url.rpartition(":")[2])

    def stop(self) -> None:
        """End it as an operator does (SIGTERM)."""
        if self._process and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                self._process.kill()
        self._end()

    def kill(self) -> None:
        """End it as a power cut does (SIGKILL)."""
        if self._process and self._process.poll() is None:
            self._process.kill()
        self._end()

    def restart(self) -> None:
        """Stop it if it runs, and start it on the same port."""
        self.stop()
        self.start()

    @property
    def returncode(self) -> int | None:
        """None while it runs, or before it first ran."""
        return self._process.poll() if self._process else None

    def control(self, method: str, path: str, json: Any = None) -> Any:
        """Call ``/_control/<path>`` and return its JSON; ``RuntimeError`` with its own words if it refuses."""
        with requests.Session() as session:
            session.trust_env = False
            answer = session.request(method, f"{self.url}/_control/{path}", json=json, timeout=60)
        if not answer.ok:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def book(self) -> dict[str, Any]:
        """What the vendor registered, all of ``live`` and every call it received: exams, attempts, profiles, calls,
        deliveries."""
        found: dict[str, Any] = self.control("GET", "book")
        return found

    def set_faults(self, *rules: Mapping[str, Any]) -> None:
        """Replace the faults; none: the vendor behaves."""
        self.control("PUT", "faults", {"faults": [dict(rule) for rule in rules]})

    def change_settings(self, **changes: Any) -> None:
        """Change ``simulator.settings.Settings`` while it runs."""
        self.control("PUT", "settings", changes)

    def send_ready(self, attempt: str, **said: Any) -> str:
        """Have ``attempt.ready`` sent now; return the message's id."""
        return str(self.control("POST", f"attempts/{attempt}/ready", said)["message"])

    def send_review(self, attempt: str, **said: Any) -> str:
        """Have ``attempt.reviewed`` sent now; return the message's id."""
        return str(self.control("POST", f"attempts/{attempt}/review", said)["message"])

    def set_profile(self, candidate: str, status: str) -> None:
        """``approved``, ``pending``, ``rejected``, ``expired`` or ``no_profile``."""
        self.control("PUT", f"profiles/{candidate}", {"status": status})

    def send_rating(self, attempt: str, **said: Any) -> str:
        """Have ``session.rated`` sent now; return the message's id."""
        return str(self.control("POST", f"attempts/{attempt}/rating", said)["message"])

    def live(self) -> dict[str, Any]:
        """The vendor's bookings, sessions and ratings."""
        found: dict[str, Any] = self.control("GET", "bookings")
        return found

    def set_booking(self, booking: str, state: str, reason: str = "") -> None:
        """Decide about a booking, named by its id or the reference under which it is held: ``confirmed``,
        ``rejected`` or ``withdrawn``."""
        self.control("PUT", f"bookings/{booking}", {"state": state, "reason": reason})

    def open_rooms(self, booking: str) -> list[dict[str, Any]]:
        """Open the rooms of a confirmed booking now; return its sessions as the wire has them."""
        found: list[dict[str, Any]] = self.control("POST", f"bookings/{booking}/rooms")["sessions"]
        return found

    def enter_room(self, session: str) -> None:
        """The candidate enters; an attempt of theirs that waits for its check becomes ready."""
        self.control("POST", f"sessions/{session}/enter")

    def rate_session(self, session: str, **said: Any) -> dict[str, Any]:
        """Rate a live session now; return the row of the list. ``announce=False``: without a message."""
        found: dict[str, Any] = self.control("POST", f"sessions/{session}/rating", said)["rating"]
        return found

    def fill_sessions(self, exam: str, count: int, **said: Any) -> dict[str, Any]:
        """Add very many sessions and ratings, of which nobody is told; see ``simulator.bulk.fill``."""
        found: dict[str, Any] = self.control("POST", "sessions", {"exam": exam, "count": count, **said})
        return found

    def backend_options(self) -> dict[str, Any]:
        """``OPTIONS`` of a ``RestBackend`` for a simulator with the usual credentials."""
        return {
            "base_url": self.url,
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "webhook_secrets": [WEBHOOK_SECRET],
        }

    def _end(self) -> None:
        if self._process:
            self._process.wait()


def _pump(process: subprocess.Popen[str], lines: queue.Queue[str]) -> None:
    if process.stdout is None:
        return
    with process.stdout:
        for line in process.stdout:
            lines.put(line)
    lines.put("")
