"""Start a worker as a process of its own on the tests' database, and kill it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection

ROOT = Path(__file__).resolve().parents[2]


def environment(**more: str) -> dict[str, str]:
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.workers.settings",
        "PYTHONPATH": str(ROOT),
        "WORKER_DATABASE": str(connection.settings_dict["NAME"]),
        "WORKER_PROCTORING": json.dumps(settings.PROCTORING),
        **more,
    }


@contextmanager
def loop() -> Iterator[subprocess.Popen[bytes]]:
    """A worker without a broker."""
    with _killed_at_last([sys.executable, "-m", "tests.workers.loop"], environment()) as process:
        yield process


@contextmanager
def celery_worker(broker_url: str, queue: str) -> Iterator[subprocess.Popen[bytes]]:
    """A Celery worker with a beat of its own."""
    command = [sys.executable, "-m", "celery", "-A", "tests.workers.app", "worker", "--loglevel", "WARNING"]
    command += ["--pool", "prefork", "--concurrency", "2", "--without-gossip", "--without-mingle", "-Q", queue]
    env = environment(CELERY_BROKER_URL=broker_url, WORKER_QUEUE=queue)
    with tempfile.TemporaryDirectory() as folder:
        beat = ["--beat", "--schedule", str(Path(folder) / "beat")]
        with _killed_at_last(command + beat, env) as process:
            yield process


@contextmanager
def module(name: str, *arguments: str, **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    """``python -m name`` with the tests' database and settings; ``streams`` are those of ``Popen``."""
    with _killed_at_last([sys.executable, "-m", name, *arguments], environment(), **streams) as process:
        yield process


@contextmanager
def _killed_at_last(command: list[str], env: dict[str, str], **streams: Any) -> Iterator[Any]:
    # A group of its own: SIGKILL is for the worker's children as well, as when a machine goes down.
    process = subprocess.Popen(command, env=env, cwd=ROOT, start_new_session=True, **streams)
    try:
        yield process
    finally:
        kill(process)


def kill(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to the worker and its children."""
    if process.poll() is None:
        os.killpg(process.pid, 9)
        process.wait()
