"""gunicorn with two workers, and a generator of load, each a process of its own, on loopback."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from tests.workers.process import ROOT, environment, kill

WORKERS = 2
HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ask:
    """A request that the generator sends again and again, among others."""

    path: str
    headers: dict[str, str]
    body: str


@contextmanager
def served() -> Iterator[int]:
    """The port of a server on the scenario's own database."""
    with closing(socket.socket()) as free:
        free.bind((HOST, 0))
        port = int(free.getsockname()[1])
    command = [sys.executable, "-m", "gunicorn", "--workers", str(WORKERS), "--bind", f"{HOST}:{port}"]
    command += ["--log-level", "error", "--no-control-socket", "benchmarks.served.wsgi"]
    env = environment(DJANGO_SETTINGS_MODULE="benchmarks.served.settings")
    process = subprocess.Popen(command, env=env, cwd=ROOT, start_new_session=True)  # noqa: S603  # our own words
    try:
        _wait_for(port)
        yield port
    finally:
        kill(process)


def _wait_for(port: int) -> None:
    for _ in range(300):
        try:
            with closing(socket.create_connection((HOST, port), timeout=1)):
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("The server did not come up.")


def load(port: int, asks: Sequence[Ask], *, seconds: float, threads: int = 4) -> dict[str, Any]:
    """Send these requests in turn for so long. ``{"requests", "seconds", "failed"}``."""
    job = {"port": port, "seconds": seconds, "threads": threads, "asks": [asdict(ask) for ask in asks]}
    command = [sys.executable, "-m", "benchmarks.served.generator"]
    done = subprocess.run(  # noqa: S603  # our own words
        command, input=json.dumps(job), capture_output=True, text=True, check=True, cwd=ROOT
    )
    figures: dict[str, Any] = json.loads(done.stdout)
    if figures["failed"]:
        raise RuntimeError(f"{figures['failed']} requests failed: {figures['example']}")
    return figures
