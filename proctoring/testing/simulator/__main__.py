"""The command line of the simulator."""

from __future__ import annotations

import argparse
import errno
import queue
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from proctoring.testing.simulator.faults import ANSWER_FAULTS, MESSAGE_FAULTS, Fault
from proctoring.testing.simulator.server import SimulatorServer
from proctoring.testing.simulator.settings import VERDICTS, Settings
from proctoring.testing.simulator.vendor import Vendor

USUAL = Settings()


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; 0 then, 2 for wrong options or a port in use."""
    parser = _parser()
    options = parser.parse_args(arguments)
    try:
        settings = USUAL.changed({name: getattr(options, name) for name in USUAL.as_json()})
        rules = [Fault.from_text(text) for text in options.fault]
    except ValueError as error:
        parser.error(str(error))
    vendor = Vendor(settings, rules=rules, seed=options.seed, memory=options.memory)
    try:
        server = SimulatorServer(options.host, options.port, vendor, verbose=options.verbose)
    except OSError as error:
        reason = "is in use" if error.errno == errno.EADDRINUSE else f"cannot be used: {error.strerror}"
        print(f"port {options.port} of {options.host} {reason}; choose another with --port or --host", file=sys.stderr)
        return 2
    _serve(server, vendor)
    return 0


def _serve(server: SimulatorServer, vendor: Vendor) -> None:
    # Signals come in bursts, and one handler interrupts another: a simple queue allows that, an event would lock up.
    signals: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: signals.put(number))
    vendor.start()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    print(f"simulator listening on {server.address}", flush=True)
    signals.get()
    server.stopping.set()
    vendor.agenda.stop()
    server.shutdown()
    server.server_close()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m proctoring.testing.simulator", description="A proctoring vendor to run against."
    )
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on; anybody who reaches it may control the simulator")
    add("--port", type=int, default=9100, help="0 picks a free one")
    add("--client-id", default=USUAL.client_id)
    add("--client-secret", default=USUAL.client_secret)
    add("--webhook-url", default="", metavar="URL", help="…/webhooks/<alias>/; without it no messages are sent")
    add("--webhook-secret", default=USUAL.webhook_secret, metavar="whsec_…")
    add("--auto-ready", type=float, metavar="SECONDS", help="attempts become ready by themselves")
    add("--review-after", type=_seconds_or_never, default=USUAL.review_after, metavar="SECONDS", help="or: never")
    add("--verdict", choices=VERDICTS, default=USUAL.verdict)
    add("--reviewed-by", default="", help="who reviews, an e-mail address")
    add("--video-url", default="")
    add("--rating", type=float, metavar="NUMBER", help="sent after each review; without it attempts are not rated")
    add("--rating-scale", default=USUAL.rating_scale)
    add("--token-lifetime", type=float, default=USUAL.token_lifetime, metavar="SECONDS")
    add("--require-onboarding", action="store_true", help="attempts need an approved profile")
    _add_live(parser)
    add("--fault", action="append", default=[], metavar="KIND[=VALUE][,NAME=VALUE…]", help=_fault_help())
    add("--seed", type=int, default=0, help="decides the chances of faults")
    add("--memory", type=Path, metavar="FILE", help="survive a restart: what the vendor knows is kept in this file")
    add("--verbose", action="store_true", help="print each request")
    return parser


def _add_live(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--proctors", type=int, default=USUAL.proctors, metavar="NUMBER", help="how many there are for bookings")
    add("--booking-lead-minutes", type=float, default=USUAL.booking_lead_minutes, metavar="MINUTES")
    add("--confirm-after", type=_seconds_or_never, default=USUAL.confirm_after, metavar="SECONDS", help="or: never")
    add("--session-lead-minutes", type=float, default=USUAL.session_lead_minutes, metavar="MINUTES")
    add("--rating-after", type=_seconds_or_never, default=USUAL.rating_after, metavar="SECONDS", help="or: never")
    add("--session-rating", type=float, default=USUAL.session_rating, metavar="NUMBER")
    add("--session-rating-scale", default=USUAL.session_rating_scale)
    add("--rating-inline", action="store_true", help="session.rated of a live session contains the rating")
    for kind in ("booking", "session", "rating"):
        add(f"--{kind}-messages", action=argparse.BooleanOptionalAction, default=True, help=f"tell of {kind}s")


def _seconds_or_never(text: str) -> float | None:
    return None if text == "never" else float(text)


def _fault_help() -> str:
    return (
        "for example status=503,times=2,path=/attempt/ or latency=0.3 or duplicate,type=attempt.reviewed; "
        f"answers: {', '.join(ANSWER_FAULTS)}; messages: {', '.join(MESSAGE_FAULTS)}"
    )


if __name__ == "__main__":
    sys.exit(main())
