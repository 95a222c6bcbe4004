"""``make chaos``: very many bookings, a vendor that misbehaves in every way, workers that are killed all the time.

In the end every booking is confirmed or rejected for its true reason, the vendor's own book holds each once, the log of
each is a legal path, and every candidate of a confirmed booking has their link. Prints one JSON line; what does not
hold is listed on stderr, and the exit status is 1 then. The simulator and the workers are processes of their own, its
messages come over HTTP, and the database is the run's own. ``--help`` lists the sizes.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from contextlib import ExitStack
from typing import IO, Any

from benchmarks import stage

stage.set_up()

from django.db import connection
from django.db.models import Count
from django.test.utils import override_settings

from benchmarks.chaos.faults import rules, struck
from benchmarks.chaos.house import ALIAS, House, configuration
from benchmarks.chaos.proof import REASON, Proof, prove
from benchmarks.chaos.watch import tell, until_quiet
from proctoring.bookings.models import Booking
from proctoring.testing.simulator.process import SimulatorProcess
from tests.workers.process import module


def main() -> int:
    options = _options()
    with ExitStack() as stack:
        log, enter = stack.enter_context(tempfile.TemporaryFile()), stack.enter_context
        enter(stage.own_database("chaos"))
        url = f"{enter(stage.listening())}/proctoring/webhooks/{ALIAS}/"
        simulator = enter(SimulatorProcess("--seed", str(options.seed), webhook_url=url))
        enter(override_settings(PROCTORING=configuration(simulator, lease=options.lease)))
        figures, proof = run(options, simulator, log)
    print(json.dumps(figures))
    for sentence in proof.violations:
        print(sentence, file=sys.stderr)
    return 1 if proof.violations else 0


def run(options: argparse.Namespace, simulator: SimulatorProcess, log: IO[bytes]) -> tuple[dict[str, Any], Proof]:
    simulator.change_settings(
        confirm_after=1.0, rating_after=None, session_lead_minutes=1e6, proctors=options.bookings * options.candidates
    )
    house = House()
    drafts = house.plan(options.bookings, options.candidates)
    simulator.set_faults(*rules(options.faults))
    tell(f"{len(drafts)} bookings of {options.candidates} candidates are planned on {connection.vendor}")
    began = time.monotonic()
    crew = {"--workers": options.workers, "--every": options.kill_every, "--seed": options.seed}
    arguments = [str(word) for pair in crew.items() for word in pair]
    with module("benchmarks.chaos.crew", *arguments, stdout=log, stderr=log):
        house.schedule(drafts)
        book = until_quiet(house, simulator, seconds=options.minutes * 60)
    seconds = time.monotonic() - began
    proof = prove(book, bookings=options.bookings, candidates=options.candidates)
    log.seek(0)
    said = log.read().decode(errors="replace")
    _tell_of_mistakes(said)
    faults = struck(simulator.control("GET", "faults")["faults"])
    return {
        "scenario": "booking_chaos",
        "database": connection.vendor,
        "bookings": options.bookings,
        "candidates": options.candidates,
        "seconds": round(seconds, 1),
        "workers": options.workers,
        "kills": said.count("killed\n"),
        "calls": len(book["calls"]),
        "messages": len(book["deliveries"]),
        "faults": faults,
        **_outcome(),
        "entries": proof.entries,
        "sessions": proof.sessions,
        "mended_by_people": house.mended,
        "undecided_by_tries": proof.undecided,
        "messages_asleep": proof.asleep,
        "tracebacks": said.count("Traceback (most"),
        "violations": len(proof.violations),
    }, proof


def _outcome() -> dict[str, Any]:
    rows = Booking.objects.order_by().values_list("status", "rejection_reason").annotate(n=Count("pk"))
    rejected = {reason.removeprefix(REASON): n for status, reason, n in rows if status == "rejected"}
    confirmed = sum(n for status, _, n in rows if status == "confirmed")
    return {"confirmed": confirmed, "rejected": sum(rejected.values()), "rejected_because": rejected}


def _tell_of_mistakes(said: str) -> None:
    """The workers' log, of which only what nobody foresaw is of interest."""
    for mistake in re.findall(r"^Traceback \(most.*?^\S.*?$", said, re.MULTILINE | re.DOTALL)[:5]:
        tell(mistake)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make chaos", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--bookings", type=int, default=200)
    add("--candidates", type=int, default=20, help="of each booking")
    add("--faults", type=float, default=0.1, metavar="CHANCE", help="see benchmarks/chaos/faults.py")
    add("--workers", type=int, default=3, help="at once")
    add("--kill-every", type=float, default=2.5, metavar="SECONDS", help="on average, one of them")
    add("--lease", type=int, default=3, metavar="SECONDS", help="longer where a call carries very many candidates")
    add("--minutes", type=float, default=20.0, help="after so long it is enough")
    add("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
