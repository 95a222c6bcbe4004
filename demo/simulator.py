"""The demo's vendor: the simulator, as a process of its own.

``python -m demo.simulator`` starts it again beside a running demo, after one has stopped it to see what happens; the
demo says with which options.
"""

from __future__ import annotations

import ctypes
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from demo import place

START_SECONDS = 30.0
STOP_SECONDS = 10.0
PR_SET_PDEATHSIG = 1


def command(here: place.Place) -> list[str]:
    """What to run: it speaks to the demo with the demo's keys and remembers across restarts."""
    return [
        *(sys.executable, "-m", "proctoring.testing.simulator"),
        *("--host", place.HOST, "--port", str(here.simulator_port)),
        # With "=": a secret may begin with a dash.
        *("--client-id", "demo", f"--client-secret={here.key('vendor client')}"),
        *("--webhook-url", f"{here.address}/proctoring/webhooks/simulator/"),
        f"--webhook-secret={here.webhook_secret}",
        *("--review-after", "2", "--memory", str(here.vendor_memory)),
        *(["--require-onboarding"] if here.require_onboarding else []),
    ]


def again(here: place.Place) -> str:
    """What to type in another terminal, in the demo's folder, to have the vendor of this very demo back."""
    python = Path(sys.executable)
    options = [
        *("--port", str(here.port), "--simulator-port", str(here.simulator_port), "--data", str(here.data)),
        *(["--require-onboarding"] if here.require_onboarding else []),
    ]
    shown = python.relative_to(place.ROOT) if python.is_relative_to(place.ROOT) else python
    return shlex.join([str(shown), "-m", "demo.simulator", *options])


def start(here: place.Place) -> subprocess.Popen[bytes]:
    """Start it and wait until it answers. Raises ``RuntimeError``. Call it from the main thread, before any other."""
    die_with_us = _die_with_parent if sys.platform == "linux" else None
    # Our own module; the options are ours, no shell is involved.
    process = subprocess.Popen(  # nosec B603
        command(here),
        cwd=place.ROOT,
        stdout=subprocess.DEVNULL,
        preexec_fn=die_with_us,  # noqa: PLW1509 - no other thread yet
    )
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex((place.HOST, here.simulator_port)) == 0:
                return process
        time.sleep(0.05)
    stop(process)
    raise RuntimeError("the simulator did not start")


def stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _die_with_parent() -> None:
    """Runs in the child: the kernel ends it when the demo ends, even where that was killed and cleaned up nothing."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def main() -> None:
    here = place.use(place.parser("python -m demo.simulator", "Start the demo's vendor again.").parse_args())
    print(f"simulator on {here.simulator_address}, Ctrl-C stops it", flush=True)
    os.chdir(place.ROOT)
    # Our own module, no shell.
    os.execv(sys.executable, command(here))  # noqa: S606  # nosec B606


if __name__ == "__main__":
    main()
