"""``python -m demo.run``: the demo LMS in one process, and the simulated vendor in another. ``make demo`` calls it."""

from __future__ import annotations

import errno
import fcntl
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import django
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.core.management import call_command
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler, is_broken_pipe_error
from django.core.wsgi import get_wsgi_application

from demo import celery_app, place, simulator
from demo.background import Background
from demo.course import LOGINS

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Unusable(Exception):
    """The demo cannot start like this; the text says what to do."""


class _Server(ThreadedWSGIServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of browsers that leave a page before it has arrived."""
        if not is_broken_pipe_error():
            super().handle_error(request, client_address)


class _QuietHandler(WSGIRequestHandler):
    """No line for each request: pages ask for their state every few seconds."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base class's
        """Say nothing."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until a signal comes; 0 then, 2 where it cannot start."""
    parser = place.parser("python -m demo.run", "The demo LMS.")
    parser.add_argument("--reset", action="store_true", help="forget what was done in it before")
    options = parser.parse_args(arguments)
    # Signals come in bursts, and one handler interrupts another: a simple queue allows that, an event would lock up.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in STOPPING:
        signal.signal(number, lambda number, _: signals.put(number))
    try:
        kept = f"DEMO_PORT={options.port} " if options.port else ""
        options.port = _usable(options.port, "--port")
        options.simulator_port = _usable(options.simulator_port, "--simulator-port", kept)
        here = place.use(options)
        with _alone(here):
            if options.reset:
                here.clear()
            _run(here, signals)
    except Unusable as why:
        print(why, file=sys.stderr, flush=True)
        return 2
    return 0


def _run(here: place.Place, signals: queue.SimpleQueue[int]) -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "demo.settings"
    django.setup()
    call_command("migrate", verbosity=0)
    call_command("fill_demo")
    vendor = simulator.start(here)
    try:
        server = _server(here)
        background = Background(celery_app)
        background.start()
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
        _greet(here)
        _wait(signals, vendor, here)
        server.shutdown()
        server.server_close()
        background.stop()
    finally:
        simulator.stop(vendor)


def _server(here: place.Place) -> ThreadedWSGIServer:
    try:
        server = _Server((place.HOST, here.port), _QuietHandler)
    except OSError as error:
        raise Unusable(_busy(here.port, "--port", error)) from error
    server.set_app(StaticFilesHandler(get_wsgi_application()))
    return server


def _wait(signals: queue.SimpleQueue[int], vendor: subprocess.Popen[bytes], here: place.Place) -> None:
    """Wait for a signal, with an eye on the simulator: somebody may stop it to see what happens."""
    told = False
    while True:
        try:
            signals.get(timeout=0.5)
        except queue.Empty:
            if vendor.poll() is not None and not told:
                told = True
                print(f"The simulator has ended. Start it again with: {simulator.again(here)}", flush=True)
        else:
            return


def _greet(here: place.Place) -> None:
    print(f"Demo LMS           {here.address}/")
    print(f"Admin              {here.address}/admin/proctoring/")
    print(f"Simulated vendor   {here.simulator_address}/software/")
    for login in LOGINS:
        print(f"Log in as          {login.name} / {login.name}   ({login.what})")
    print(f"Data               {here.data}")
    print("Ready. Ctrl-C stops everything.", flush=True)


def _usable(port: int, option: str, kept: str = "") -> int:
    """The port, or a free one for 0. Raises ``Unusable`` where somebody else listens on it; ``kept``: what else belongs
    into the command that it suggests."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((place.HOST, port))
            # Two sockets may be bound to one port; only one may listen.
            probe.listen()
        except (OSError, OverflowError) as error:
            raise Unusable(_busy(port, option, error, kept)) from error
        return int(probe.getsockname()[1])


def _busy(port: int, option: str, error: Exception, kept: str = "") -> str:
    busy = isinstance(error, OSError) and error.errno == errno.EADDRINUSE
    what = "is in use" if busy else f"cannot be used ({error})"
    make = f"DEMO_PORT={_beside(port, 8001)}"
    if option != "--port":
        make = f'{kept}ARGS="--simulator-port {_beside(port, 9101)}"'
    return f"Port {port} {what}: choose another with {option} (make demo {make})."


def _beside(port: int, other: int) -> int:
    """A port to suggest instead: not the one that is in use."""
    return other if other != port else other + 1


@contextmanager
def _alone(here: place.Place) -> Iterator[None]:
    """Hold the data's lock. Raises ``Unusable`` where another demo has it, or where nothing can be written."""
    try:
        here.data.mkdir(parents=True, exist_ok=True)
        with (here.data / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
    except BlockingIOError as taken:
        raise Unusable(f"Another demo uses {here.data}: choose another folder with --data.") from taken
    except OSError as error:
        if error.filename is None:
            raise
        raise Unusable(f"{here.data} cannot be used ({error.strerror}): choose another folder with --data.") from error


if __name__ == "__main__":
    sys.exit(main())
